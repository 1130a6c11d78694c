package sandboxcore

import (
	"fmt"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxseed"
)

// A Refusal is why the core won't give a request's money back.
type Refusal struct {
	Code      string // a code of POST /refunds
	Channel   string // for already_refunded: who was faster, "bank" or "portal"
	Reference string // and theirs
}

func (r *Refusal) Error() string { return "sandboxcore: refused: " + r.Code }

// Refused tells the code, and for already_refunded the channel that was faster.
func (r *Refusal) Refused() (code, channel string) { return r.Code, r.Channel }

// refuse says why the payer may not have amount of r back; nil when they may.
// Whoever did not pay is told that and nothing of what the payer did.
func (r *request) refuse(payer party, amount int64) *Refusal {
	switch {
	case payer != r.payer:
		return &Refusal{Code: codePayerMismatch}
	case r.barred != "":
		return &Refusal{Code: r.barred}
	case r.state == sandboxseed.StateConsumed:
		return &Refusal{Code: codeFeeConsumed}
	case r.state != sandboxseed.StateAvailable:
		return &Refusal{Code: codeAlreadyRefunded, Channel: r.holder.channel, Reference: r.holder.Reference}
	case amount != r.Amount:
		return &Refusal{Code: codeAmountChanged}
	}
	return nil
}

// refuseSubmission is refuse for a bank, which also names the account. Money goes
// back to the account that paid, so a bank that names another one, and a bank
// through which it was not paid, does not speak for the payer.
func (r *request) refuseSubmission(ask submission) *Refusal {
	if no := r.refuse(ask.Payer, ask.Amount); no != nil {
		return no
	}
	if ask.IBAN != r.PaidFromIBAN {
		return &Refusal{Code: codePayerMismatch}
	}
	return nil
}

// A plan is what will become of a submission if it is accepted. It is drawn
// beforehand and recorded, so that a restart changes nothing.
type plan struct {
	atOnce  bool          // refunded in the first answer already
	after   time.Duration // otherwise pending for so long
	ending  string        // and then refunded or rejected
	eventID string
}

// A verdict is what the book says to a submission.
type verdict struct {
	refund  refund // as it is now
	unknown bool   // no such request; nothing is remembered
	reused  bool   // the reference stands for something else
	fresh   bool   // this submission made the entry
	opening bool   // and it is the first that the book ever accepted of this payer
	owed    *event // the callback for a refund at once
}

// submit is POST /refunds. The first submission of a reference decides for ever,
// refusals too: under a reference that was refused no money ever moves.
func (b *book) submit(bank string, ask submission, p plan) verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f := b.refunds[ask.Reference]; f != nil {
		if f.submission != ask || f.bank != bank {
			return verdict{reused: true}
		}
		return verdict{refund: *f}
	}
	r := b.requests[ask.RequestID]
	if r == nil {
		return verdict{unknown: true}
	}
	rec := record{At: b.now(), Refund: &ask, Bank: bank, CoreRef: b.nextCoreReference()}
	if no := r.refuseSubmission(ask); no != nil {
		rec.Op, rec.Code, rec.Channel, rec.Other = opRefuse, no.Code, no.Channel, no.Reference
	} else {
		rec.Op = opAccept
		p.fill(&rec)
	}
	b.write(rec)
	v := verdict{
		refund: *b.refunds[ask.Reference], fresh: true,
		opening: rec.Op == opAccept && b.payers[ask.Payer] == 1,
	}
	if owed, ok := b.events[rec.EventID]; ok {
		v.owed = &owed
	}
	return v
}

func (p plan) fill(rec *record) {
	if p.atOnce {
		rec.State, rec.EventID = stateRefunded, p.eventID
		return
	}
	at := rec.At.Add(p.after)
	rec.State, rec.SettleAt, rec.Ending = statePending, &at, p.ending
}

func (b *book) nextCoreReference() string { return fmt.Sprintf("GC-%d", 1001+b.counter) }

// settle ends the pending ones of references and returns the callbacks that this
// asks for, named by eventID ("" asks for none). It does not wait for the
// journal.
func (b *book) settle(references []string, eventID func() string) []event {
	b.mu.Lock()
	defer b.mu.Unlock()
	var events []event
	for _, reference := range references {
		f := b.refunds[reference]
		if f == nil || f.state != statePending {
			continue
		}
		rec := record{Op: opSettle, At: b.now(), Of: reference, State: f.ending, EventID: eventID()}
		if f.ending == stateRejected {
			rec.Code = codeFeeConsumed
		}
		b.write(rec)
		if owed, ok := b.events[rec.EventID]; ok {
			events = append(events, owed)
		}
	}
	return events
}

// takeBack is POST /refunds/{reference}/return. It reports whether the refund is
// returned now, and whether this call did it.
func (b *book) takeBack(bank, reference, reason string) (f refund, returned, fresh bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := b.refunds[reference]
	switch {
	case found == nil || found.bank != bank:
		return refund{}, false, false
	case found.state == stateReturned:
		return *found, true, false
	case found.state != stateRefunded:
		return refund{}, false, false
	}
	b.write(record{Op: opReturn, At: b.now(), Of: reference, Code: reason})
	return *found, true, true
}

// find returns the bank's refund of that reference.
func (b *book) find(bank, reference string) (refund, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.refunds[reference]
	if f == nil || f.bank != bank {
		return refund{}, false
	}
	return *f, true
}
