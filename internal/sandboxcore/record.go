package sandboxcore

import (
	"slices"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxseed"
)

// What can happen to the book.
const (
	opAccept    = "accept"    // a bank's refund is accepted, pending or refunded at once
	opRefuse    = "refuse"    // a bank's refund is refused, for ever
	opSettle    = "settle"    // a pending refund is refunded or rejected
	opReturn    = "return"    // a refunded one is taken back
	opPortal    = "portal"    // a refund on the portal, refunded at once
	opDelivered = "delivered" // a callback was answered, or nobody waits for it
	opPutOff    = "put_off"   // a callback is to be made later
	opPay       = "pay"       // somebody pays one more fee
	opTold      = "told"      // the bank has been told of a refund
	opQueue     = "queue"     // a submission will arrive late
	opForget    = "forget"    // a reference is no longer known
	opReverse   = "reverse"   // a refunded one is taken back by the core itself
	opConsume   = "consume"   // a fee is used
	opReprice   = "reprice"   // the balance of a request changes
	opReset     = "reset"     // all of it is forgotten
)

// A record is one line of the journal.
type record struct {
	Op string    `json:"op"`
	At time.Time `json:"at"`

	Refund *submission `json:"refund,omitempty"` // of accept, refuse, portal and queue
	Of     string      `json:"of,omitempty"`     // the reference, of settle, return, told, forget and reverse; the request, of consume and reprice

	Paid *sandboxseed.Request `json:"paid,omitempty"` // of pay

	Bank     string     `json:"bank,omitempty"`
	CoreRef  string     `json:"core_reference,omitempty"`
	State    string     `json:"state,omitempty"`
	Code     string     `json:"code,omitempty"`
	Channel  string     `json:"channel,omitempty"`   // of who was faster
	Other    string     `json:"other,omitempty"`     // their reference
	SettleAt *time.Time `json:"settle_at,omitempty"` // of queue: when it arrives; of put_off: when it is made
	Amount   int64      `json:"amount,omitempty"`    // of reprice

	ReverseAfter time.Duration `json:"reverse_after,omitempty"` // of accept: nanoseconds from the release; 0: never

	Ending  string `json:"ending,omitempty"`
	EventID string `json:"event_id,omitempty"`
}

// sound reports whether rec is a record that this program writes.
func (rec record) sound() bool {
	switch rec.Op {
	case opAccept:
		return rec.Refund != nil && (rec.State == statePending || rec.State == stateRefunded)
	case opPortal:
		return rec.Refund != nil && rec.State == stateRefunded
	case opRefuse:
		return rec.Refund != nil && rec.Code != ""
	case opSettle:
		return rec.State == stateRefunded || rec.State == stateRejected
	case opPay:
		return rec.Paid != nil
	case opQueue:
		return rec.Refund != nil && rec.SettleAt != nil
	case opPutOff:
		return rec.SettleAt != nil
	case opReprice:
		return rec.Amount > 0
	case opReturn, opDelivered, opTold, opReset, opForget, opReverse, opConsume:
		return true
	}
	return false
}

// apply is the only function that changes the book after its seed. Records of
// requests that the seed no longer has (a smaller crowd) still count for their
// references.
func (b *book) apply(rec record) {
	if rec.At.After(b.last) {
		b.last = rec.At
	}
	switch rec.Op {
	case opReset:
		b.replant()
	case opAccept, opPortal:
		b.applyAccept(rec)
	case opRefuse:
		b.applyRefuse(rec)
	case opSettle:
		b.applySettle(rec)
	case opReturn:
		if f := b.refunds[rec.Of]; f != nil && f.state == stateRefunded {
			b.turn(f, stateReturned, rec.At)
			f.returned++
			b.giveBack(f, sandboxseed.StateAvailable)
		}
	case opReverse:
		if f := b.refunds[rec.Of]; f != nil && f.state == stateRefunded { // and the request stays taken
			b.turn(f, stateReturned, rec.At)
			f.reversed++
			b.owe(rec, f)
		}
	case opQueue:
		b.queued[rec.Refund.Reference] = queued{submission: *rec.Refund, bank: rec.Bank, called: rec.At, arrives: *rec.SettleAt}
	case opTold:
		if f := b.refunds[rec.Of]; f != nil {
			f.told = true
		}
	case opForget:
		if f := b.refunds[rec.Of]; f != nil {
			f.forgotten = true
		}
	case opConsume:
		if r := b.requests[rec.Of]; r != nil && r.state == sandboxseed.StateAvailable {
			r.state = sandboxseed.StateConsumed
		}
	case opReprice:
		if r := b.requests[rec.Of]; r != nil && r.state == sandboxseed.StateAvailable {
			r.Amount = rec.Amount
		}
	case opDelivered:
		delete(b.events, rec.EventID)
	case opPutOff:
		if e, owed := b.events[rec.EventID]; owed {
			e.due = *rec.SettleAt
			b.events[rec.EventID] = e
		}
	case opPay:
		if b.requests[rec.Paid.ID] != nil { // by a larger seed than when it was paid
			return
		}
		b.paid = append(b.paid, *rec.Paid)
		for _, list := range b.plant(*rec.Paid) {
			slices.SortFunc(list, newestFirst)
		}
	}
}

func (b *book) applyAccept(rec record) {
	f := b.enter(rec, rec.State)
	if rec.Op == opPortal {
		f.channel = channelPortal
	} else {
		b.payers[f.Payer]++
	}
	b.accepted = append(b.accepted, f)
	f.ending, f.reverseAfter = rec.Ending, rec.ReverseAfter
	if rec.SettleAt != nil {
		f.settleAt = *rec.SettleAt
	}
	r := b.requests[f.RequestID]
	if r != nil {
		r.state, r.holder = sandboxseed.StateRefunding, f
	}
	if f.state == stateRefunded {
		b.release(f, rec.At)
	}
	b.owe(rec, f)
}

func (b *book) applyRefuse(rec record) {
	f := b.enter(rec, stateRejected)
	f.code = rec.Code
	f.first = firstAnswer{code: rec.Code, channel: rec.Channel, other: rec.Other}
}

func (b *book) applySettle(rec record) {
	f := b.refunds[rec.Of]
	if f == nil || f.state != statePending {
		return
	}
	b.turn(f, rec.State, rec.At)
	f.code = rec.Code
	if rec.State == stateRefunded {
		b.release(f, rec.At)
	} else {
		b.giveBack(f, sandboxseed.StateConsumed)
	}
	b.owe(rec, f)
}

// enter opens the page of a reference.
func (b *book) enter(rec record, state string) *refund {
	f := &refund{
		submission: *rec.Refund,
		bank:       rec.Bank, channel: channelBank, coreRef: rec.CoreRef,
		state: state, at: rec.At, accepted: rec.At,
		first: firstAnswer{state: state},
	}
	b.counter++
	delete(b.queued, f.Reference)
	b.refunds[f.Reference] = f
	b.changes = append(b.changes, change{rec.At, state, f})
	return f
}

func (b *book) turn(f *refund, state string, at time.Time) {
	f.before = &snapshot{f.state, f.at}
	f.state, f.at = state, at
	b.changes = append(b.changes, change{at, state, f})
}

// release is the effect: the money leaves.
func (b *book) release(f *refund, at time.Time) {
	f.released++
	if f.reverseAfter > 0 {
		f.reverseAt = at.Add(f.reverseAfter)
	}
	if r := b.requests[f.RequestID]; r != nil {
		r.state = sandboxseed.StateRefunded
	}
}

// giveBack ends f's hold of its request.
func (b *book) giveBack(f *refund, state string) {
	if r := b.requests[f.RequestID]; r != nil && r.holder == f {
		r.state, r.holder = state, nil
	}
}

// owe notes the callback that a change asks for.
func (b *book) owe(rec record, f *refund) {
	if rec.EventID == "" {
		return
	}
	b.events[rec.EventID] = f.event(rec.EventID)
}

// event is the callback about f as it is now.
func (f *refund) event(id string) event {
	return event{
		EventID: id, Reference: f.Reference, CoreReference: f.coreRef, State: f.state, At: f.at,
		payer: f.Payer.Number, before: f.before,
	}
}
