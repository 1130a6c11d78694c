package sandboxcore

import (
	"cmp"
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
func (r *request) refuseSubmission(bank string, ask submission) *Refusal {
	if no := r.refuse(ask.Payer, ask.Amount); no != nil {
		return no
	}
	if ask.IBAN != r.PaidFromIBAN || bank != bankKeyID(r.PaidThroughBank) {
		return &Refusal{Code: codePayerMismatch}
	}
	return nil
}

// bankKeyID is the keyid of the bank with that code.
func bankKeyID(code string) string { return "bank-" + code }

// A plan is what will become of a submission if it is accepted. It is drawn
// beforehand and recorded, so that a restart changes nothing.
type plan struct {
	atOnce  bool          // refunded in the first answer already
	after   time.Duration // otherwise pending for so long
	ending  string        // and then refunded or rejected
	eventID string
	coreRef string // "": the next in the row

	reverseAfter time.Duration // from the release until the core takes it back; 0: never

	// What happens to the request before the submission is looked at.
	consumed bool  // it is used
	amount   int64 // its balance is this; 0: what it was
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
	return b.decide(bank, ask, p)
}

// arrive is submit for a submission that comes late; false when it has come by
// another way meanwhile.
func (b *book) arrive(reference string, p plan) (verdict, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	q, waits := b.underWay(reference)
	if !waits {
		return verdict{}, false
	}
	return b.decide(q.bank, q.submission, p), true
}

// underWay is the submission of that reference that is still to arrive. What is
// late by more than staleFor never comes (rule 3): it was lost with the process
// that should have let it in.
func (b *book) underWay(reference string) (q queued, waits bool) {
	q, waits = b.queued[reference]
	return q, waits && b.now().Sub(q.called) <= staleFor
}

// queue notes that a submission arrives later. It does so only once: whatever
// comes while it is under way comes to nothing.
func (b *book) queue(bank string, ask submission, after time.Duration) (arrives time.Time, fresh bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, waits := b.underWay(ask.Reference); waits {
		return time.Time{}, false
	}
	now := b.now()
	arrives = now.Add(after)
	b.write(record{Op: opQueue, At: now, Refund: &ask, Bank: bank, SettleAt: &arrives})
	return arrives, true
}

func (b *book) decide(bank string, ask submission, p plan) verdict {
	f := b.refunds[ask.Reference]
	if f != nil && (!f.forgotten || f.submission != ask && !f.due().IsZero()) {
		if f.submission != ask || f.bank != bank {
			return verdict{reused: true}
		}
		return verdict{refund: *f}
	}
	r := b.requests[ask.RequestID]
	if r == nil {
		return verdict{unknown: true}
	}
	b.meanwhile(r, bank, ask, p)
	rec := record{At: b.now(), Refund: &ask, Bank: bank, CoreRef: cmp.Or(p.coreRef, b.nextCoreReference())}
	switch no := r.refuseSubmission(bank, ask); {
	case no != nil && f != nil && r.holder == f:
		// Forgotten, and holding its request. A page that says "refused" would say of
		// money that left that it never did: nothing is entered.
		return verdict{refund: refund{submission: ask, first: no.first()}}
	case no != nil:
		first := no.first()
		rec.Op, rec.Code, rec.Channel, rec.Other = opRefuse, first.code, first.channel, first.other
	default:
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
	rec.ReverseAfter = p.reverseAfter
	if p.atOnce {
		rec.State, rec.EventID = stateRefunded, p.eventID
		return
	}
	at := rec.At.Add(p.after)
	rec.State, rec.SettleAt, rec.Ending = statePending, &at, p.ending
}

// meanwhile changes a request that would have been given back.
func (b *book) meanwhile(r *request, bank string, ask submission, p plan) {
	switch {
	case r.refuseSubmission(bank, ask) != nil:
	case p.consumed:
		b.write(record{Op: opConsume, At: b.now(), Of: r.ID})
	case p.amount > 0:
		b.write(record{Op: opReprice, At: b.now(), Of: r.ID, Amount: p.amount})
	}
}

func (r *Refusal) first() firstAnswer {
	return firstAnswer{code: r.Code, channel: r.Channel, other: r.Reference}
}

func (b *book) nextCoreReference() string { return fmt.Sprintf("GC-%d", 1001+b.counter) }

// An appointed is when something happens next to a refund.
type appointed struct {
	reference string
	at        time.Time
}

// settle does to each of references what is due: a pending refund ends, and one
// that is to be reversed is taken back. It returns the callbacks that this asks
// for, named by eventID ("" asks for none), and what is to happen next. It does
// not wait for the journal.
func (b *book) settle(references []string, eventID func() string) (events []event, next []appointed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, reference := range references {
		f := b.refunds[reference]
		if f == nil || f.due().IsZero() {
			continue
		}
		now := b.now()
		if due := f.due(); due.After(now) {
			next = append(next, appointed{reference, due})
			continue
		}
		rec := record{Op: opSettle, At: now, Of: reference, State: f.ending, EventID: eventID()}
		switch {
		case f.state == stateRefunded:
			rec.Op, rec.State = opReverse, stateReturned
		case f.ending == stateRejected:
			rec.Code = codeFeeConsumed
		}
		b.write(rec)
		if owed, ok := b.events[rec.EventID]; ok {
			events = append(events, owed)
		}
		if due := f.due(); !due.IsZero() {
			next = append(next, appointed{reference, due})
		}
	}
	return events, next
}

// takeBack is POST /refunds/{reference}/return. It reports whether the refund is
// returned now, and whether this call did it.
func (b *book) takeBack(bank, reference, reason string) (f refund, returned, fresh bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := b.refunds[reference]
	switch {
	case found == nil || found.bank != bank || found.forgotten:
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
	if f == nil || f.bank != bank || f.forgotten {
		return refund{}, false
	}
	return *f, true
}

// forget strikes a reference from what is found. What it did stays: its request
// is held, its end comes, the list and the settlement tell of it.
func (b *book) forget(bank, reference string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f := b.refunds[reference]; f != nil && f.bank == bank && !f.forgotten {
		b.write(record{Op: opForget, At: b.now(), Of: reference})
	}
}

// tell notes that the bank has been told of a refund. It does not wait for the
// journal: a core that forgets whom it has told contradicts itself once less.
func (b *book) tell(bank, reference string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f := b.refunds[reference]; f != nil && f.bank == bank && !f.told {
		b.write(record{Op: opTold, At: b.now(), Of: reference})
	}
}

// A prospect is what a call is going to find: some faults need it to be there.
type prospect struct {
	refund   // under the reference, if it is found
	found    bool
	repeated bool // a submission: word for word the one that made it
	first    bool // a submission: of a reference that is new
	welcome  bool // and it would be accepted
}

// foresee looks ahead. ask is nil but for a submission.
func (b *book) foresee(bank, reference string, ask *submission) (p prospect) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.refunds[reference]
	if p.found = f != nil && f.bank == bank && !f.forgotten; p.found {
		p.refund = *f
	}
	if ask == nil {
		return p
	}
	r := b.requests[ask.RequestID]
	p.repeated = p.found && p.submission == *ask
	p.first = f == nil && r != nil
	p.welcome = p.first && r.refuseSubmission(bank, *ask) == nil
	return p
}
