package otp

import (
	"context"
	"slices"
	"time"
)

// Ledger is what must be remembered of a customer whatever happens: one Record
// each. It holds no rule of its own; Policy and Record do.
//
// Durability: when Update has returned nil, the record it returned survives a
// crash, a power cut and a failover. Concurrency: updates of one customer take
// effect one after the other, over all processes, each seeing the one before;
// Read sees every update that had returned before it began. Both are safe for
// concurrent use.
type Ledger interface {
	// Update loads the customer's record (the zero Record when there is none),
	// hands it to change and stores what change returns. The load and the store
	// are one transaction. Nothing is written when the record comes back
	// unchanged.
	//
	// An error of change rolls back and is returned as it is. Any other error
	// means that the outcome is unknown. change must be pure: on a conflict it
	// is called again with what the other transaction left.
	//
	// now is the only clock; a store keeps it as the time of the change.
	Update(ctx context.Context, now time.Time, customer string, change func(Record) (Record, error)) (Record, error)

	// Read returns the customer's record; the zero Record when there is none.
	Read(ctx context.Context, customer string) (Record, error)
}

// Record is one customer's row in a Ledger. It goes to a store as JSON and
// comes back equal; it names the customer nowhere and holds no code.
type Record struct {
	Standing
	Sent []SMS `json:"sent,omitempty"` // the last day's, oldest first
}

// Standing is what wrong codes have done to a customer.
type Standing struct {
	Failures     int       `json:"failures,omitempty"` // wrong codes since the last right one
	BlockedUntil time.Time `json:"blocked_until,omitzero"`
	Closed       bool      `json:"closed,omitempty"` // until a branch reopens
}

// SMS is one message with a code, taken from a customer's budget.
type SMS struct {
	ID      string    `json:"id"` // challenge and generation
	Purpose Purpose   `json:"purpose"`
	Ref     string    `json:"ref,omitempty"` // the refund's ID
	At      time.Time `json:"at"`
}

// Equal reports whether storing s over r would change anything.
func (r Record) Equal(s Record) bool {
	return r.Failures == s.Failures && r.Closed == s.Closed && r.BlockedUntil.Equal(s.BlockedUntil) &&
		slices.EqualFunc(r.Sent, s.Sent, func(a, b SMS) bool {
			return a.ID == b.ID && a.Purpose == b.Purpose && a.Ref == b.Ref && a.At.Equal(b.At)
		})
}

// Cleared returns the record without failures and blocks: after a right code,
// and when a branch reopens (Service.Reopen). The SMS budget is not given back
// by it. A store that accepts a refund calls it inside the accepting
// transaction.
func (r Record) Cleared() Record {
	r.Standing = Standing{}
	return r
}

// GivenBack returns the record without the SMS of this ID, which was never
// sent. A second time changes nothing, so an SMS is given back once at most.
func (r Record) GivenBack(id string) Record {
	r.Sent = slices.DeleteFunc(slices.Clone(r.Sent), func(s SMS) bool { return s.ID == id })
	return r
}
