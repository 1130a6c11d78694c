package otp

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Form is what a bank sets of a code.
type Form struct {
	Digits int           // 4 to 8; fewer are easier to guess
	Life   time.Duration // how long it can be used; never above 5 min
}

// DefaultForm returns that of a bank that sets none: six digits for three minutes.
func DefaultForm() Form { return Form{Digits: 6, Life: 180 * time.Second} }

// Validate refuses a form of codes that could be guessed, or never typed in time.
func (f Form) Validate() error {
	switch {
	case f.Digits < DigitsMin || f.Digits > DigitsMax:
		return fmt.Errorf("otp: a code has %d to %d digits", DigitsMin, DigitsMax)
	case f.Life < ShortestLife || f.Life > LongestLife:
		return fmt.Errorf("otp: a code lives from %v to %v", ShortestLife, LongestLife)
	}
	return nil
}

// The bounds of a Form. Whoever types slowly needs a minute, and after five nobody is still at it.
const (
	DigitsMin    = 4
	DigitsMax    = 8
	ShortestLife = time.Minute
	LongestLife  = 5 * time.Minute
)

// Policy is every number in the life of codes that is the same at every bank, and the pure rules over them.
// Its methods decide; they read no clock and touch no store, so a ledger may
// run them inside its transaction, and again when the transaction is.
type Policy struct {
	Tries       int           // codes compared per challenge, resends included; 3
	ResendAfter time.Duration // between two SMS for the same thing; 60 s
	Generations int           // codes of one challenge, the first included; 3
	SendWithin  time.Duration // for all SMS routes together, inside the request; 3 s

	SMS     map[Purpose]Budget // per customer and purpose
	Blocks  []Block            // rising by Failures
	CloseAt int                // failures in a row that only a branch can forgive; 30
}

// Budget is how many SMS a customer may cost in any 60 minutes and in any 24
// hours. The windows slide: a new hour gives nothing back at once.
type Budget struct{ Hour, Day int }

// Block keeps a customer out for a time once so many failures in a row are
// reached. The failures stay: only a right code or a branch clears them.
type Block struct {
	Failures int
	For      time.Duration
}

// DefaultPolicy returns the numbers the product ships with.
//
// Every fifth failure in a row blocks: the first time for half an hour, then for
// a day, so that nobody is ever more than five guesses from a block. Thirty
// guesses at six digits are 3 in 100,000 per customer.
func DefaultPolicy() Policy {
	return Policy{
		Tries:       3,
		ResendAfter: 60 * time.Second,
		Generations: 3,
		SendWithin:  3 * time.Second,
		SMS: map[Purpose]Budget{
			Profile: {Hour: 5, Day: 10},
			Refund:  {Hour: 10, Day: 20},
		},
		Blocks: []Block{
			{Failures: 5, For: 30 * time.Minute},
			{Failures: 10, For: 24 * time.Hour},
			{Failures: 15, For: 24 * time.Hour},
			{Failures: 20, For: 24 * time.Hour},
			{Failures: 25, For: 24 * time.Hour},
		},
		CloseAt: 30,
	}
}

const (
	hour = time.Hour
	day  = 24 * time.Hour
)

// validate refuses a policy under which codes could be guessed, or none used.
func (p Policy) validate() error {
	switch {
	case p.Tries < 1 || p.Tries > 5:
		return errors.New("otp: a challenge allows 1 to 5 tries")
	case p.Generations < 1:
		return errors.New("otp: a challenge has at least one generation")
	case p.ResendAfter <= 0 || p.SendWithin <= 0:
		return errors.New("otp: the resend wait and the time to send must be positive")
	case len(p.Blocks) == 0:
		return errors.New("otp: wrong codes must block at some point")
	}
	for _, purpose := range []Purpose{Profile, Refund} {
		if b := p.SMS[purpose]; b.Hour < 1 || b.Day < b.Hour {
			return fmt.Errorf("otp: SMS budget for %s: at least 1 an hour, and no fewer a day", purpose)
		}
	}
	last := 0
	for _, b := range p.Blocks {
		if b.Failures <= last || b.For <= 0 {
			return errors.New("otp: blocks must rise by failures and last")
		}
		last = b.Failures
	}
	if p.CloseAt <= last {
		return errors.New("otp: closing must come after every block")
	}
	return nil
}

// Locked returns a *LockedError while the customer is kept out, otherwise nil.
func (p Policy) Locked(s Standing, now time.Time) error {
	switch {
	case s.Closed:
		return &LockedError{Closed: true}
	case now.Before(s.BlockedUntil):
		return &LockedError{RetryAfter: s.BlockedUntil.Sub(now)}
	default:
		return nil
	}
}

// AfterWrong returns the standing after one more wrong code.
func (p Policy) AfterWrong(s Standing, now time.Time) Standing {
	s.Failures++
	if s.Failures >= p.CloseAt {
		s.Closed = true
	}
	for _, b := range p.Blocks {
		if until := now.Add(b.For); s.Failures == b.Failures && until.After(s.BlockedUntil) {
			s.BlockedUntil = until
		}
	}
	return s
}

// FailuresLeft returns how many more failures bring the next block, or the
// closing.
func (p Policy) FailuresLeft(s Standing) int {
	for _, b := range p.Blocks {
		if s.Failures < b.Failures {
			return b.Failures - s.Failures
		}
	}
	return max(0, p.CloseAt-s.Failures)
}

// TriesFor returns how many codes may be compared for a customer of this
// standing: a challenge never allows more than what is left before a block.
func (p Policy) TriesFor(s Standing) int { return min(p.Tries, p.FailuresLeft(s)) }

// Admit takes one SMS from the customer's budget, or refuses: a *LockedError,
// a *TooSoonError when the last SMS for the same purpose and refund is too
// recent, a *BudgetError. In that order, so that a blocked customer is told so.
// The record it returns has forgotten the SMS that no rule asks about any more,
// which bounds its size by the budgets of a day.
func (p Policy) Admit(r Record, now time.Time, s SMS) (Record, error) {
	if err := p.Locked(r.Standing, now); err != nil {
		return r, err
	}
	s.At = now
	var kept []SMS
	for _, old := range r.Sent {
		if now.Sub(old.At) < max(day, p.ResendAfter) {
			kept = append(kept, old)
		}
	}
	var wait time.Duration
	for _, old := range kept {
		if old.Purpose == s.Purpose && old.Ref == s.Ref {
			wait = max(wait, p.ResendAfter-now.Sub(old.At))
		}
	}
	if wait > 0 {
		return r, &TooSoonError{RetryAfter: wait}
	}
	budget := p.SMS[s.Purpose]
	wait = max(
		untilRoom(kept, s.Purpose, now, hour, budget.Hour),
		untilRoom(kept, s.Purpose, now, day, budget.Day),
	)
	if wait > 0 {
		return r, &BudgetError{RetryAfter: wait}
	}
	r.Sent = append(kept, s)
	return r, nil
}

// untilRoom returns how long it takes until fewer than limit of the SMS for the
// purpose lie within the window before now; 0 when there is room already.
func untilRoom(sent []SMS, purpose Purpose, now time.Time, window time.Duration, limit int) time.Duration {
	var left []time.Duration // how long each stays inside the window
	for _, s := range sent {
		if stays := window - now.Sub(s.At); s.Purpose == purpose && stays > 0 {
			left = append(left, stays)
		}
	}
	switch {
	case len(left) < limit:
		return 0
	case limit < 1:
		return window
	}
	slices.Sort(left)
	return left[len(left)-limit]
}
