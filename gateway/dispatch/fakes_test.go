package dispatch_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// call is one request that left the dispatcher.
type call struct {
	kind   string // submit, status, return; post, posting; sms
	at     time.Time
	refund gateway.Refund
}

// calls is what a fake was asked, in order.
type calls struct {
	mu   sync.Mutex
	all  []call
	made map[string]int // by kind and reference
}

// add notes a call and says the how manyth of its kind it is for this refund, from 1.
func (c *calls) add(kind string, r gateway.Refund) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, call{kind, time.Now(), r})
	if c.made == nil {
		c.made = map[string]int{}
	}
	c.made[kind+r.Reference]++
	return c.made[kind+r.Reference]
}

// list is every call by now, in order.
func (c *calls) list() []call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all)
}

func (c *calls) of(kind string) []call {
	return slices.DeleteFunc(c.list(), func(c call) bool { return c.kind != kind })
}

// about is of, for one refund.
func (c *calls) about(r gateway.Refund, kind string) []call {
	return slices.DeleteFunc(c.of(kind), func(c call) bool { return c.refund.Reference != r.Reference })
}

type (
	// outcome is how a call to the core ends; honest is what it would be by the protocol.
	outcome func(honest func() (dispatch.Answer, error)) (dispatch.Answer, error)
	// posting is how a call to the bank's ledger ends.
	posting func(honest func() (gateway.Posting, error)) (gateway.Posting, error)
)

// deadline is that of a call that nobody answers.
const deadline = 10 * time.Second

var errTimeout = &gateway.UnknownError{Cause: "timeout", Err: context.DeadlineExceeded}

// Outcomes that scripts are made of.
func honest(do func() (dispatch.Answer, error)) (dispatch.Answer, error) { return do() }

// silence is a request that never arrived; lost one whose answer never did.
func silence(func() (dispatch.Answer, error)) (dispatch.Answer, error) {
	time.Sleep(deadline)
	return dispatch.Answer{}, errTimeout
}

func lost(do func() (dispatch.Answer, error)) (dispatch.Answer, error) {
	_, _ = do()
	return silence(nil)
}

func fails(err error) outcome {
	return func(func() (dispatch.Answer, error)) (dispatch.Answer, error) { return dispatch.Answer{}, err }
}

func says(state dispatch.CoreState) outcome {
	return func(func() (dispatch.Answer, error)) (dispatch.Answer, error) {
		return dispatch.Answer{State: state, CoreReference: "GC-1"}, nil
	}
}

// core is the government core: a book by reference, in which a repeated request has no new effect.
type core struct {
	calls
	book   map[string]entry
	script script            // for every refund
	own    map[string]script // for one, by reference
	admits func(dispatch.Call) int
}

// script says how the n-th call of a kind about a refund ends.
type script func(kind string, n int) outcome

type entry struct {
	state   dispatch.CoreState
	effects int // releases or promises of one; idempotency keeps it at one
}

func newCore() *core {
	return &core{
		book:   map[string]entry{},
		own:    map[string]script{},
		script: func(string, int) outcome { return honest },
		admits: func(dispatch.Call) int { return 100 },
	}
}

func (c *core) Admits(kind dispatch.Call) int { return c.admits(kind) }

func (c *core) Submit(_ context.Context, r gateway.Refund) (dispatch.Answer, error) {
	return c.answer("submit", r, func(e entry) (entry, error) {
		if e.state == "" {
			e = entry{dispatch.CorePending, e.effects + 1}
		}
		return e, nil
	})
}

func (c *core) Status(_ context.Context, r gateway.Refund) (dispatch.Answer, error) {
	return c.answer("status", r, func(e entry) (entry, error) {
		switch e.state {
		case "":
			return e, gateway.ErrUnknownReference
		case dispatch.CorePending:
			e.state = dispatch.CoreRefunded
		default: // stays
		}
		return e, nil
	})
}

func (c *core) Return(_ context.Context, r gateway.Refund) (dispatch.Answer, error) {
	return c.answer("return", r, func(e entry) (entry, error) {
		if e.state != dispatch.CoreRefunded && e.state != dispatch.CoreReturned {
			return e, dispatch.ErrNotRefunded
		}
		e.state = dispatch.CoreReturned
		return e, nil
	})
}

func (c *core) answer(kind string, r gateway.Refund, rule func(entry) (entry, error)) (dispatch.Answer, error) {
	play, found := c.own[r.Reference]
	if !found {
		play = c.script
	}
	return play(kind, c.add(kind, r))(func() (dispatch.Answer, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		e, err := rule(c.book[r.Reference])
		if err != nil {
			return dispatch.Answer{}, err
		}
		c.book[r.Reference] = e
		return dispatch.Answer{State: e.state, CoreReference: "GC-" + r.Reference}, nil
	})
}

// bank is the bank's ledger, by reference.
type bank struct {
	calls
	book    map[string]gateway.Posting
	credits map[string]int
	refusal string                           // what it answers to new credits; empty: it posts them
	script  func(kind string, n int) posting // nil: honest
}

func newBank() *bank {
	return &bank{
		book: map[string]gateway.Posting{}, credits: map[string]int{},
		script: func(string, int) posting { return keeps },
	}
}

func keeps(do func() (gateway.Posting, error)) (gateway.Posting, error) { return do() }

func keepsSilent(do func() (gateway.Posting, error)) (gateway.Posting, error) {
	_, _ = do()
	return hangs(nil)
}

func hangs(func() (gateway.Posting, error)) (gateway.Posting, error) {
	time.Sleep(deadline)
	return gateway.Posting{}, errTimeout
}

func (b *bank) Post(_ context.Context, r gateway.Refund) (gateway.Posting, error) {
	return b.script("post", b.add("post", r))(func() (gateway.Posting, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if old, known := b.book[r.Reference]; known {
			return old, nil
		}
		p := gateway.Posting{LedgerID: "L-" + r.Reference}
		if b.refusal != "" {
			p = gateway.Posting{Refusal: b.refusal}
		} else {
			b.credits[r.Reference]++
		}
		b.book[r.Reference] = p
		return p, nil
	})
}

func (b *bank) Posting(_ context.Context, r gateway.Refund) (gateway.Posting, error) {
	return b.script("posting", b.add("posting", r))(func() (gateway.Posting, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if old, known := b.book[r.Reference]; known {
			return old, nil
		}
		return gateway.Posting{}, gateway.ErrUnknownReference
	})
}

// phone is the customer's, and the route to it.
type phone struct {
	mu       sync.Mutex
	mobile   saudi.Mobile
	sent     []sms
	answer   func(ctx context.Context) error // of the route
	customer func(ctx context.Context) error // of the look-up
}

type sms struct {
	id string
	m  otp.Message
}

func newPhone() *phone {
	mobile, err := saudi.ParseMobile("0512345678")
	if err != nil {
		panic(err)
	}
	fine := func(context.Context) error { return nil }
	return &phone{mobile: mobile, answer: fine, customer: fine}
}

func (p *phone) Recipient(ctx context.Context, _ string) (saudi.Mobile, otp.Language, error) {
	return p.mobile, otp.Arabic, p.customer(ctx)
}

func (p *phone) Send(ctx context.Context, id string, _ saudi.Mobile, m otp.Message) error {
	p.mu.Lock()
	p.sent = append(p.sent, sms{id, m})
	p.mu.Unlock()
	return p.answer(ctx)
}

func (p *phone) inbox() []sms {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]sms(nil), p.sent...)
}
