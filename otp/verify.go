package otp

import (
	"cmp"
	"context"
	"crypto/rand"
	"time"
)

// Attempt is a typed code and everything it is supposed to be good for.
type Attempt struct {
	Customer    string
	Session     string
	ChallengeID string
	Purpose     Purpose
	Ref         string // the refund's ID; empty for Profile
	Binding     Binding
	Code        Code // as typed
	Form        Form // of a code to a challenge that isn't ours; zero: DefaultForm. Ours say themselves what theirs have
}

// Verify returns nil if the code is right for exactly this attempt, and then it
// is used up: no other attempt gets nil for it. Only a confirm of the same
// refund with the same code may go on again within the code's life, so that a
// crash between Verify and the accepting transaction strands nobody; accepting
// once is that transaction's business. A profile code is used by the first
// Verify that finds it right, whether or not its caller hears of it.
//
// A right profile code clears the customer's failures; a refund's are cleared by
// the accepting transaction.
//
// Errors: ErrMalformedCode; *LockedError before all that follow; ErrGone;
// *WrongError, by then durably counted; ErrUsed, for Profile; ErrUnavailable.
// After the last a confirm may be made again with the same code. A profile code
// may have been used by the attempt that failed: the customer asks for a new one.
func (s *Service) Verify(ctx context.Context, a Attempt) error {
	code, err := readCode(a.Code, cmp.Or(digitsOf(a.ChallengeID), a.Form.Digits, DefaultForm().Digits))
	if err != nil {
		return err
	}
	ctx, cancel, err := detach(ctx)
	if err != nil {
		return err
	}
	defer cancel()

	at := now()
	record, err := s.ledger.Read(ctx, a.Customer)
	if err != nil {
		return unavailable(err)
	}
	if err := s.policy.Locked(record.Standing, at); err != nil {
		return err
	}
	// A challenge that never was takes the same steps from here as a live one.
	verdict, err := s.codes.Check(ctx, s.guess(a, code, at))
	if err != nil {
		return unavailable(err)
	}
	switch verdict.Outcome {
	case Right, Again:
		if a.Purpose == Refund {
			return nil // the accepting transaction clears the failures with the same commit
		}
		s.clear(ctx, at, a.Customer, record)
		return nil
	case Used:
		return ErrUsed
	case Wrong:
		return s.countWrong(ctx, at, a.Customer, verdict)
	default:
		return ErrGone
	}
}

// guess turns an attempt into what the store compares: the code's MAC in every
// generation that the challenge may have reached.
func (s *Service) guess(a Attempt, code Code, at time.Time) Guess {
	b := bond{a.ChallengeID, a.Customer, a.Session, a.Purpose, a.Ref, a.Binding}
	g := Guess{
		Holder: s.pepper.holder(a.Customer),
		ID:     a.ChallengeID,
		Seal:   s.pepper.seal(b),
		Nonce:  rand.Text(),
		Now:    at,
	}
	for generation := 1; generation <= s.policy.Generations; generation++ {
		g.MACs = append(g.MACs, s.pepper.codeMAC(b, generation, code))
	}
	g.Burner = "guess:" + g.Nonce
	if a.Purpose == Refund {
		// The seal already says which refund: whoever gets as far as the
		// comparison is that refund's confirm.
		g.Burner = "refund"
	}
	return g
}

// countWrong commits the failure before anybody hears of it.
func (s *Service) countWrong(ctx context.Context, at time.Time, customer string, v Verdict) error {
	record, err := s.ledger.Update(ctx, at, customer, func(r Record) (Record, error) {
		r.Standing = s.policy.AfterWrong(r.Standing, at)
		return r, nil
	})
	if err != nil {
		return unavailable(err)
	}
	wrong := &WrongError{AboutToClose: record.Failures == s.policy.CloseAt-1}
	if s.policy.Locked(record.Standing, at) == nil {
		wrong.AttemptsLeft = min(v.Left, s.policy.FailuresLeft(record.Standing))
	}
	return wrong
}

// clear forgets the failures after a right profile code; most customers have
// none, and then nothing is written. The code is used up by now, so an error
// must not cost the customer the proof they gave, and it may be ignored:
// failures that stay bring a block nearer, never further, and the next right
// code clears them.
func (s *Service) clear(ctx context.Context, at time.Time, customer string, seen Record) {
	if seen.Standing == (Standing{}) {
		return
	}
	_, _ = s.ledger.Update(ctx, at, customer, func(r Record) (Record, error) {
		return r.Cleared(), nil
	})
}
