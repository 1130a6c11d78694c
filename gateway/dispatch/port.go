package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// Core is the government refund core. Every call has a deadline of its own and ends in one of three ways: a verified
// answer; ErrNotSent, when provably no byte left; and everything else, which is unknown. Only an answer whose signature
// holds and which echoes what was asked is an answer (core-protocol.md, rule 4).
type Core interface {
	// Submit sends the refund under its reference, the same bytes each time. A *Refusal is the core's verified and
	// final no. ErrReferenceReused is not: somebody must look.
	Submit(ctx context.Context, r gateway.Refund) (Answer, error)
	// Status asks what became of the reference. ErrUnknownReference is a verified answer that proves nothing.
	Status(ctx context.Context, r gateway.Refund) (Answer, error)
	// Return tells the core that the bank refused the credit, so that it takes the money back. r.CreditRefusal says
	// why. ErrNotRefunded is a verified no.
	Return(ctx context.Context, r gateway.Refund) (Answer, error)
	// Admits is how many calls of a kind the breaker would let through now: none while it is open, its probes while
	// it is half open, and otherwise as many as like.
	Admits(c Call) int
}

// Call is a kind of call to the core, each with a breaker of its own, so that doubts clear while sends are cut off.
type Call string

// The kinds of call.
const (
	CallSubmit  Call = "submit" // and return
	CallStatus  Call = "status"
	CallInquiry Call = "inquiry"
)

// Answer is a verified word of the core about one reference.
type Answer struct {
	State         CoreState
	CoreReference string
	Code          string // with CoreRejected: why

	// Exchange is what was said, signed. It is there whatever came of the call, also beside an error; nil: nothing left.
	Exchange *gateway.Exchange
}

// CoreState is where a refund stands at the core.
type CoreState string

// The states of core-protocol.md.
const (
	CorePending  CoreState = "pending"
	CoreRefunded CoreState = "refunded"
	CoreRejected CoreState = "rejected"
	CoreReturned CoreState = "returned"
)

// ErrNotRefunded: the core verifiably refuses to take back what it didn't release.
var ErrNotRefunded = errors.New("not refunded")

// Refusal is the core's verified and final no to a reference.
type Refusal struct {
	Code    string // fee_consumed, amount_changed, payer_mismatch, service_not_refundable, already_refunded
	Channel string // with already_refunded: portal or bank
	Other   string // with already_refunded at a bank: the reference under which the money went, which may be our own
}

func (r *Refusal) Error() string { return "the core refused: " + r.Code }

// Ledger is the bank's. A credit goes by the refund's reference and is posted at most once whatever happens. Like a
// call to the core it has a deadline of its own and ends in one of three ways; here too an error that isn't named is
// unknown.
type Ledger interface {
	// Post asks the bank to credit the account. ErrReferenceReused needs people.
	Post(ctx context.Context, r gateway.Refund) (gateway.Posting, error)
	// Posting asks what became of the credit; ErrUnknownReference when the bank knows none.
	Posting(ctx context.Context, r gateway.Refund) (gateway.Posting, error)
}

// Recipients says where a customer's completion SMS goes, asked when it is due: a changed number is then the new one.
// A zero mobile means that the customer has none.
type Recipients interface {
	Recipient(ctx context.Context, customer string) (saudi.Mobile, otp.Language, error)
}

// Wording is what the bank calls a service just now, and how it signs its messages.
type Wording func(service string) (moi.Service, otp.Brand)

// Metrics counts what a dispatcher does. States are gateway's, reasons those that a refund is handed over with.
type Metrics interface {
	// Claimed is told the state that the claim left a refund in.
	Claimed(state string)
	// ClaimFailed is told that the store failed a claim.
	ClaimFailed()
	// Attempted is told the state that an attempt found, and what it came to: the state that was recorded, or lapsed,
	// stale, unrecorded or panicked.
	Attempted(state, result string, took time.Duration)
	// HandedOver is told why a refund needs people.
	HandedOver(reason string)
}

type uncounted struct{}

func (uncounted) Claimed(string)                          {}
func (uncounted) ClaimFailed()                            {}
func (uncounted) Attempted(string, string, time.Duration) {}
func (uncounted) HandedOver(string)                       {}

// Queue is the refunds table seen as an outbox.
type Queue interface {
	// Claim takes up to c.Limit refunds in one of c.States whose Due has come, oldest first, passes each through
	// c.Take, and commits the changes before it returns what they made of the refunds. Two claims at once, from
	// whatever process, never take the same version of one.
	Claim(ctx context.Context, now time.Time, c Claim) ([]gateway.Refund, error)
	// Apply commits a change, or returns gateway.ErrStale. Any other error leaves open whether it was committed.
	Apply(ctx context.Context, c gateway.Change) error
	// Reference returns the refund of this reference, or gateway.ErrNotFound.
	Reference(ctx context.Context, reference string) (gateway.Refund, error)
}

// Claim is which refunds to take and what taking does to them.
type Claim struct {
	States []gateway.State
	Limit  int
	Take   func(gateway.Refund) (gateway.Change, error)
}
