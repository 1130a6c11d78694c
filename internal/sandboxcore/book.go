package sandboxcore

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxseed"
)

// Channels by which money is asked back.
const (
	channelBank   = "bank"
	channelPortal = "portal"
)

// States of a refund.
const (
	statePending  = "pending"
	stateRefunded = "refunded"
	stateRejected = "rejected"
	stateReturned = "returned"
)

// Codes of a refusal, and of a call that is about no such refund.
const (
	codeFeeConsumed      = "fee_consumed"
	codeAmountChanged    = "amount_changed"
	codePayerMismatch    = "payer_mismatch"
	codeNotRefundable    = "service_not_refundable"
	codeAlreadyRefunded  = "already_refunded"
	codeReferenceReused  = "reference_reused"
	codeUnknownReference = "unknown_reference"
	codeUnknownRequest   = "unknown_request"
	codeNotRefunded      = "not_refunded"
)

// A party is a payer or a beneficiary.
type party struct {
	Kind   string `json:"kind"`
	Number string `json:"number"`
}

// A request is a paid fee with what has become of it.
type request struct {
	sandboxseed.Request
	payer, beneficiary party
	barred             string  // the code of a fee that can never come back; ""
	state              string  // one of sandboxseed.State…
	holder             *refund // who has it refunding or refunded
}

// A refund is what the book knows under one reference, refused ones included.
type refund struct {
	submission
	bank     string // keyid of who asked; "" on the portal
	channel  string
	coreRef  string
	state    string
	code     string // why it was rejected
	at       time.Time
	accepted time.Time // or refused
	before   *snapshot // what held before the last change
	settleAt time.Time // while pending
	ending   string    // what it will be then: refunded or rejected

	reverseAfter time.Duration // from the release until the core takes it back by itself; 0: never
	reverseAt    time.Time     // once released
	forgotten    bool          // nobody finds the reference any more
	told         bool          // an answer that decides has said that there is this refund

	first    firstAnswer // repeated to whoever repeats the submission
	released int
	returned int
	reversed int
}

// due is when something happens to f by itself; the zero time: never.
func (f *refund) due() time.Time {
	switch {
	case f.channel != channelBank:
	case f.state == statePending:
		return f.settleAt
	case f.state == stateRefunded:
		return f.reverseAt
	}
	return time.Time{}
}

// queued is a submission that was never answered and arrives later.
type queued struct {
	submission
	bank            string
	called, arrives time.Time
}

// A submission is the body of POST /refunds: what one reference stands for.
type submission struct {
	Reference string `json:"reference"`
	RequestID string `json:"request_id"`
	Amount    int64  `json:"amount"`
	IBAN      string `json:"iban"`
	Payer     party  `json:"payer"`
}

type snapshot struct {
	state string
	at    time.Time
}

// firstAnswer is what the first submission of a reference was told: a state, or
// a refusal with, for already_refunded, who was faster.
type firstAnswer struct {
	state                string
	code, channel, other string
}

// A change is one entry of the book's calendar: refunds by time of change.
type change struct {
	at     time.Time
	state  string
	refund *refund
}

// book is the core's memory. Everything in it follows from the seed and the
// records: live and at replay, only apply changes it. A record is appended to
// the journal before it is applied, both under the lock, so the journal has the
// book's order; durable waits for it.
type book struct {
	journal *journal
	seeds   []sandboxseed.Request

	mu       sync.Mutex
	paid     []sandboxseed.Request // since the seed
	requests map[string]*request
	byParty  map[party][]*request // as payer or beneficiary, newest paid first
	refunds  map[string]*refund
	accepted []*refund // both channels, in order
	payers   map[party]int
	changes  []change // rising in time
	events   map[string]event
	queued   map[string]queued // by reference
	counter  int64
	last     time.Time // no change is earlier than the one before it
}

func openBook(dir string, seeds []sandboxseed.Request) (*book, error) {
	b := &book{seeds: slices.Clone(seeds)}
	b.replant()
	if dir == "" {
		return b, nil
	}
	journal, err := openJournal(dir, b.apply)
	if err != nil {
		return nil, fmt.Errorf("open the book: %w", err)
	}
	b.journal = journal
	return b, nil
}

// replant makes the book what the seed says.
func (b *book) replant() {
	b.requests = make(map[string]*request, len(b.seeds))
	b.byParty = make(map[party][]*request)
	b.refunds = make(map[string]*refund)
	b.payers = make(map[party]int)
	b.events = make(map[string]event)
	b.queued = make(map[string]queued)
	b.accepted, b.changes, b.paid, b.counter = nil, nil, nil, 0
	for _, seed := range b.seeds {
		b.plant(seed)
	}
	for _, rs := range b.byParty {
		slices.SortFunc(rs, newestFirst)
	}
}

// plant enters a request and returns the lists at whose ends it now is, to be
// sorted.
func (b *book) plant(seed sandboxseed.Request) (lists [][]*request) {
	r := newRequest(seed)
	b.requests[r.ID] = r
	parties := []party{r.payer}
	if r.beneficiary != r.payer {
		parties = append(parties, r.beneficiary)
	}
	for _, p := range parties {
		b.byParty[p] = append(b.byParty[p], r)
		lists = append(lists, b.byParty[p])
	}
	if r.state == sandboxseed.StateRefunding || r.state == sandboxseed.StateRefunded {
		b.holdForPortal(r)
	}
	return lists
}

// pay enters fees that were paid since the seed.
func (b *book) pay(fees []sandboxseed.Request) error {
	b.mu.Lock()
	for _, fee := range fees {
		if b.requests[fee.ID] == nil {
			b.write(record{Op: opPay, At: b.now(), Paid: &fee})
		}
	}
	b.mu.Unlock()
	return b.durable()
}

func newRequest(seed sandboxseed.Request) *request {
	r := &request{
		Request:     seed,
		payer:       party{seed.PayerKind, seed.PayerNumber},
		beneficiary: party{seed.BeneficiaryKind, seed.BeneficiaryNumber},
		state:       seed.State,
	}
	if sandboxseed.RuleOf(seed.Service, seed.PaidAt).Refundable == sandboxseed.Never {
		r.barred = codeNotRefundable
	}
	return r
}

func newestFirst(a, b *request) int {
	if c := b.PaidAt.Compare(a.PaidAt); c != 0 {
		return c
	}
	return strings.Compare(a.ID, b.ID)
}

// holdForPortal gives a request that the seed has as refunding (for ever) or
// refunded to a refund of the portal, made before the book begins.
func (b *book) holdForPortal(r *request) {
	f := &refund{
		submission: submission{Reference: "PT-" + r.ID, RequestID: r.ID, Amount: r.Amount, IBAN: r.PaidFromIBAN, Payer: r.payer},
		channel:    channelPortal,
		state:      statePending,
	}
	if r.state == sandboxseed.StateRefunded {
		f.state, f.released = stateRefunded, 1
	}
	r.holder = f
	b.refunds[f.Reference] = f
	b.accepted = append(b.accepted, f)
}

// now is the time of the next change, as finely as the wire tells it. It is
// rounded up: a change must not fall into a span of time that was listed already.
func (b *book) now() time.Time {
	if now := time.Now().UTC().Add(time.Microsecond - 1).Truncate(time.Microsecond); now.After(b.last) {
		return now
	}
	return b.last
}

// write makes a record part of the book. The lock is held.
func (b *book) write(rec record) {
	b.journal.append(rec)
	b.apply(rec)
}

// durable returns once all that the book holds now is on disk. Every answer
// waits for it, those of readers too: nobody is told what a crash could undo.
func (b *book) durable() error { return b.journal.wait() }

func (b *book) close() error { return b.journal.close() }

func (b *book) reset() error {
	b.mu.Lock()
	b.write(record{Op: opReset, At: b.now()})
	b.mu.Unlock()
	return b.durable()
}

func (b *book) truth() []Effect {
	b.mu.Lock()
	defer b.mu.Unlock()
	effects := make([]Effect, 0, len(b.accepted))
	for _, f := range b.accepted {
		effects = append(effects, Effect{
			RequestID: f.RequestID, Reference: f.Reference, Channel: f.channel, Amount: f.Amount, IBAN: f.IBAN,
			Released: f.released, Returned: f.returned, Reversed: f.reversed,
		})
	}
	return effects
}

func (b *book) current() []sandboxseed.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	requests := slices.Concat(b.seeds, b.paid)
	for i := range requests {
		now := b.requests[requests[i].ID]
		requests[i].State, requests[i].Amount = now.state, now.Amount
	}
	return requests
}
