package gateway

import (
	"maps"
	"time"
)

// Change is one move of one refund, made only by the methods of Refund below, so that whatever a store is handed is
// legal. A store writes it if and only if the refund still has the version that the move was made from.
type Change struct {
	after    Refund
	event    Event     // zero when the state stays
	exchange *Exchange // that the event rests on
}

// Refund is the refund after the change.
func (c Change) Refund() Refund { return c.after }

// From is the version that the refund must still have for the change to hold.
func (c Change) From() int64 { return c.after.Version - 1 }

// Event is the event to append in the same transaction; false when the change leaves the state as it was.
func (c Change) Event() (Event, bool) { return c.event, c.event.To != "" }

// By is who makes a move, when, and on what evidence.
type By struct {
	At       time.Time
	Actor    Actor
	Evidence Evidence
}

// Dispatcher is the By of a move that the machine makes by itself.
func Dispatcher(at time.Time, evidence Evidence) By {
	return By{At: at, Actor: Actor{Role: RoleDispatcher}, Evidence: evidence}
}

// Approve lets a refund that a second person agreed to go on its way.
func (r Refund) Approve(by By) (Change, error) {
	return r.move(moveApprove, Queued, by, func(next *Refund) { next.Due = by.At })
}

// Why a refund is cancelled.
const (
	Withdrawn       = "withdrawn"        // by the customer, or for them
	ApprovalRefused = "approval_refused" // by the second person
	ApprovalExpired = "approval_expired" // nobody decided on it in time
)

// Cancel ends a refund of which nothing has left this machine, for one of the reasons above.
func (r Refund) Cancel(by By, reason string) (Change, error) {
	return r.move(moveCancel, Cancelled, by, func(next *Refund) { next.Reason = reason })
}

// Send makes the intent durable, before the first byte leaves. lease is how long its owner may take: a refund still
// sending when it runs out belongs to whoever finds it, who must doubt.
func (r Refund) Send(by By, lease time.Duration) (Change, error) {
	if r.Released() {
		return Change{}, &MoveError{r.State, string(moveSend), "the core's release is on record"}
	}
	return r.move(moveSend, Sending, by, func(next *Refund) {
		next.Sends++
		next.SentAt = by.At
		next.Due = by.At.Add(lease)
	})
}

// NotSent takes back a send of which provably no byte left, and gives the attempt back. A first send goes back to the
// queue; a re-send out of a doubt goes back into the doubt, because an earlier one may have arrived.
// missed says that the core couldn't be reached, which the back-off counts; an open breaker, which parks work, is none.
func (r Refund) NotSent(by By, missed bool, due time.Time) (Change, error) {
	to := Queued
	if r.MayHaveLeft {
		to = InDoubt // its quiet period runs anew from this try: later than it need be, never too early
	}
	return r.move(moveNotSent, to, by, func(next *Refund) {
		next.Sends--
		if missed {
			next.Misses++
		}
		next.Due = due
	})
}

// Doubt records that a send may or may not have arrived. From Manual it is two operators' way of handing the refund
// back to the machine.
func (r Refund) Doubt(by By, due time.Time) (Change, error) {
	return r.move(moveDoubt, InDoubt, by, func(next *Refund) {
		next.MayHaveLeft = true
		if next.DoubtSince.IsZero() || r.State == Manual {
			next.DoubtSince = by.At
		}
		next.Due = due
	})
}

// Accept records the core's verified word that it has the refund and works on it.
func (r Refund) Accept(by By, coreReference string, due time.Time) (Change, error) {
	return r.move(moveAccept, Pending, by, func(next *Refund) {
		next.MayHaveLeft = true
		next.CoreReference = coreReference
		next.Due = due
	})
}

// Release records the core's verified word that it released the money. From here the customer is owed it.
func (r Refund) Release(by By, coreReference string) (Change, error) {
	if r.State == Manual && r.Released() {
		return Change{}, &MoveError{r.State, string(moveRelease), "the core's release is on record already"}
	}
	return r.move(moveRelease, Refunded, by, func(next *Refund) {
		next.MayHaveLeft = true
		next.CoreReference = coreReference
		if !next.Released() { // people may have put it back in doubt; the first word counts
			next.ReleasedAt = by.At
		}
		next.Due = by.At
	})
}

// Reject records the core's verified and final refusal: under this reference no money moved and none will.
func (r Refund) Reject(by By, reason string) (Change, error) {
	if r.Released() {
		return Change{}, &MoveError{r.State, string(moveReject), "the core's release is on record"}
	}
	return r.move(moveReject, Rejected, by, func(next *Refund) {
		next.MayHaveLeft = true
		next.Reason = reason
	})
}

// Escalate hands the refund to people: a machine must not decide what comes next.
func (r Refund) Escalate(by By, reason string) (Change, error) {
	return r.move(moveEscalate, Manual, by, func(next *Refund) { next.Reason = reason })
}

// Credit records that the bank posted the money to the customer's account. The completion SMS is due from here.
func (r Refund) Credit(by By, ledgerID string) (Change, error) {
	switch {
	case !r.Released():
		return Change{}, &MoveError{r.State, string(moveCredit), "no release by the core is on record"}
	case r.CreditRefusal != "":
		return Change{}, &MoveError{r.State, string(moveCredit), "the bank's refusal of the credit is on record"}
	}
	return r.move(moveCredit, Credited, by, func(next *Refund) {
		next.LedgerID = ledgerID
		next.Notice = NoticeDue
		next.Due = by.At
	})
}

// RefuseCredit records that the bank refused the credit for good; the core must be told to take the money back.
// code is the bank's: account_closed or account_frozen.
func (r Refund) RefuseCredit(by By, code string) (Change, error) {
	if code == "" {
		return Change{}, &MoveError{r.State, string(moveRefuseCredit), "a refusal needs the bank's code"}
	}
	return r.move(moveRefuseCredit, Returning, by, func(next *Refund) {
		next.CreditRefusal = code
		next.Reason = code
		next.Due = by.At
	})
}

// Return records that the core took the money back. A posted credit and a return exclude each other, so the bank's
// refusal must be on record.
func (r Refund) Return(by By) (Change, error) {
	if !r.Released() || r.CreditRefusal == "" {
		return Change{}, &MoveError{r.State, string(moveReturn), "no refusal of the credit by the bank is on record"}
	}
	return r.move(moveReturn, Returned, by, func(next *Refund) { next.Reason = r.CreditRefusal })
}

// Lease makes the refund its reader's until the given time, without moving it. Another process that holds an older
// version of it can't write any more.
func (r Refund) Lease(until time.Time) Change {
	return r.stay(func(next *Refund) { next.Due = until })
}

// Post is a Lease that also makes durable that a request to the bank's ledger may leave: whoever comes after a crash
// asks before posting again.
func (r Refund) Post(until time.Time) Change {
	return r.stay(func(next *Refund) { next.Posts++; next.Due = until })
}

// Ask puts the refund off after a question that settled nothing.
func (r Refund) Ask(due time.Time) Change {
	return r.stay(func(next *Refund) { next.Asks++; next.Due = due })
}

// Still puts the refund off after the core's verified word that it is still working on it: whatever it seemed not to
// know in between was a moment's confusion.
func (r Refund) Still(due time.Time) Change {
	return r.stay(func(next *Refund) {
		next.Asks++
		next.Unknowns, next.UnknownAt = 0, time.Time{}
		next.Due = due
	})
}

// Unknown puts the refund off after the core said that it doesn't know the reference. It proves nothing by itself;
// counts says whether this answer is one of those that allow a re-send.
func (r Refund) Unknown(at time.Time, counts bool, due time.Time) Change {
	return r.stay(func(next *Refund) {
		next.Asks++
		next.Due = due
		if counts {
			next.Unknowns++
			next.UnknownAt = at
		}
	})
}

// Notify records what became of the completion SMS. It is the only thing that still happens to a final refund.
func (r Refund) Notify(notice Notice) (Change, error) {
	if r.Notice != NoticeDue {
		return Change{}, &MoveError{r.State, "notify", "no notice is due"}
	}
	return r.stay(func(next *Refund) { next.Notice = notice; next.Due = time.Time{} }), nil
}

func (r Refund) move(m move, to State, by By, set func(*Refund)) (Change, error) {
	if !r.State.allows(m) {
		return Change{}, &MoveError{From: r.State, Move: string(m)}
	}
	next := r
	next.State = to
	next.Version++
	next.UpdatedAt = by.At
	next.Asks, next.Unknowns, next.UnknownAt = 0, 0, time.Time{}
	next.Due = time.Time{} // a state that waits for a clock says so in set
	set(&next)
	return Change{after: next, event: Event{
		RefundID: r.ID, Version: next.Version, At: by.At, From: r.State, To: to,
		Actor: by.Actor, Evidence: maps.Clone(by.Evidence),
	}}, nil
}

func (r Refund) stay(set func(*Refund)) Change {
	next := r
	next.Version++
	set(&next)
	return Change{after: next}
}
