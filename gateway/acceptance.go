package gateway

import (
	"time"

	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
)

// Acceptance is a confirmed preview on its way into the store: what the store's one transaction needs in order to
// record a refund, and the rules by which it does.
type Acceptance struct {
	ID        string // of the preview, and so of the refund
	Bank      string // two-digit bank code
	Origin    Origin
	Payment   Payment
	To        saudi.IBAN
	Challenge string
	Proof     string // the challenge whose code let the customer in beforehand; empty: none, or it isn't known
	At        time.Time
	Promised  saudi.Date
	Trace     string // W3C traceparent of the confirm; empty: none
	Flags     []Mark // what was seen of it
	Rules     Rules
}

// Rules are the limits that a confirm must keep, by its channel.
type Rules struct {
	Limit           money.Amount // of all refunds of a customer confirmed on one Riyadh day
	ApproveAbove    money.Amount // a confirm that brings the day above it awaits approval; zero: none does
	Holds           []Mark       // why the confirm awaits approval whatever its amount; none: by its amount alone
	ApprovalExpires time.Time    // when an approval that nobody gave lapses
}

// Exceeded reports whether a day on which so much was confirmed is beyond the limit.
func (r Rules) Exceeded(day money.Amount) bool { return day > r.Limit }

// Held is why a confirm that brings the day to so much awaits a second person's approval; empty: it doesn't.
func (r Rules) Held(day money.Amount) Marks {
	if r.ApproveAbove > 0 && day > r.ApproveAbove {
		return NewMarks(append([]Mark{AboveLimit}, r.Holds...)...)
	}
	return NewMarks(r.Holds...)
}

// Day is the Riyadh day whose limit the confirm takes from.
func (a Acceptance) Day() saudi.Date { return saudi.DateOf(a.At) }

// Misspent is a day of a customer whose row of the limit isn't the sum of the refunds that take from it: a fault of ours.
type Misspent struct {
	Customer string
	Day      saudi.Date
	Spent    money.Amount // as the row has it
	Live     money.Amount // the refunds confirmed on that day that didn't end dead
}

// Refund builds the refund and its first event. dead is how many refunds of the request ended dead, spent what the
// customer's live refunds have taken from the day's limit; both as the store's transaction sees them.
// It returns ErrLimitExceeded when the limit wouldn't hold.
func (a Acceptance) Refund(dead int, spent money.Amount) (Refund, Event, error) {
	day := spent + a.Payment.Amount
	if a.Rules.Exceeded(day) {
		return Refund{}, Event{}, ErrLimitExceeded
	}
	state, due, held := Queued, a.At, a.Rules.Held(day)
	if held != "" {
		state, due = AwaitingApproval, a.Rules.ApprovalExpires
	}
	r := Refund{
		ID: a.ID, Reference: Reference(a.Bank, a.Payment.RequestID, dead), Ordinal: dead,
		Origin: a.Origin, Payment: a.Payment, To: a.To, Challenge: a.Challenge,
		CreatedAt: a.At, Promised: a.Promised, Trace: a.Trace, Held: held, Flags: NewMarks(a.Flags...),
		State: state, Version: 1, Due: due, UpdatedAt: a.At,
	}
	evidence := Evidence{"channel": string(a.Origin.Channel)}
	if a.Challenge != "" {
		evidence["challenge"] = a.Challenge
	}
	if a.Proof != "" {
		evidence[Proof] = a.Proof
	}
	return r, Event{RefundID: r.ID, Version: 1, At: a.At, To: state, Actor: a.Origin.Actor(), Evidence: evidence}, nil
}
