package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

var errAccident = errors.New("accident")

// accident is what happens to one call of a process.
type accident struct {
	name string
	kept bool // the call did its work, though its caller never learns
	dies bool // the process is gone with it
}

var accidents = []accident{
	{name: "not kept"},
	{name: "kept but reported failed", kept: true},
	{name: "killed before", dies: true},
	{name: "killed after", kept: true, dies: true},
}

// process is one gateway's ports, on which the n-th call meets with an accident. After a deadly one no call of it has
// any effect any more, as if it were gone.
type process struct {
	*world
	accident
	counts []string // kinds of calls; empty: all

	mu     sync.Mutex
	n      int
	struck bool
	kill   func()
}

// step counts a call and reports whether it is the one.
func (p *process) step(kind string) (hit bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.struck && p.dies {
		return false, errAccident
	}
	if p.struck || (len(p.counts) > 0 && !slices.Contains(p.counts, kind)) {
		return false, nil
	}
	p.n--
	if p.struck = p.n == 0; p.struck && p.dies {
		p.kill()
	}
	return p.struck, nil
}

func (p *process) happened() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.struck
}

func through[T any](p *process, kind string, do func() (T, error)) (T, error) {
	var none T
	switch hit, err := p.step(kind); {
	case err != nil:
		return none, err
	case hit && p.kept:
		_, _ = do()
		return none, errAccident
	case hit:
		return none, errAccident
	}
	return do()
}

// Claim counts when there is something to claim. One that isn't kept takes nothing.
func (p *process) Claim(ctx context.Context, now time.Time, c dispatch.Claim) ([]gateway.Refund, error) {
	var hit bool
	var gone error
	take := c.Take
	c.Take = func(r gateway.Refund) (gateway.Change, error) {
		if hit, gone = p.step("claim"); gone != nil || (hit && !p.kept) {
			return gateway.Change{}, errAccident
		}
		return take(r)
	}
	claimed, err := p.store.Claim(ctx, now, c)
	if hit || gone != nil {
		return nil, errAccident
	}
	return claimed, err
}

func (p *process) Apply(ctx context.Context, c gateway.Change) error {
	_, err := through(p, "apply", func() (struct{}, error) { return struct{}{}, p.store.Apply(ctx, c) })
	return err
}

func (p *process) Reference(ctx context.Context, reference string) (gateway.Refund, error) {
	return p.store.Reference(ctx, reference)
}

func (p *process) Admits(c dispatch.Call) int { return p.core.Admits(c) }

func (p *process) Submit(ctx context.Context, r gateway.Refund) (dispatch.Answer, error) {
	if now := p.now(r); now.State != gateway.Sending || now.Version != r.Version {
		p.t.Errorf("%s: sent while the store says %s", p.name, now.State)
	}
	return through(p, "submit", func() (dispatch.Answer, error) { return p.core.Submit(ctx, r) })
}

func (p *process) Status(ctx context.Context, r gateway.Refund) (dispatch.Answer, error) {
	return through(p, "status", func() (dispatch.Answer, error) { return p.core.Status(ctx, r) })
}

func (p *process) Return(ctx context.Context, r gateway.Refund) (dispatch.Answer, error) {
	return through(p, "return", func() (dispatch.Answer, error) { return p.core.Return(ctx, r) })
}

func (p *process) Post(ctx context.Context, r gateway.Refund) (gateway.Posting, error) {
	return through(p, "post", func() (gateway.Posting, error) { return p.bank.Post(ctx, r) })
}

func (p *process) Posting(ctx context.Context, r gateway.Refund) (gateway.Posting, error) {
	return through(p, "posting", func() (gateway.Posting, error) { return p.bank.Posting(ctx, r) })
}

func (p *process) Recipient(ctx context.Context, customer string) (saudi.Mobile, otp.Language, error) {
	return p.phone.Recipient(ctx, customer)
}

func (p *process) Send(ctx context.Context, id string, to saudi.Mobile, m otp.Message) error {
	_, err := through(p, "sms", func() (struct{}, error) { return struct{}{}, p.phone.Send(ctx, id, to, m) })
	return err
}

// live runs a refund to its end through a process that meets with the accident at its n-th call, and reports whether
// it came that far.
func (w *world) live(n int, s script, end gateway.State, a accident, counts ...string) (struck bool) {
	w.t.Helper()
	w.refunds++
	r := w.acceptTo(w.refunds, s)
	p := &process{world: w, accident: a, counts: counts, n: n}
	c := w.every(10 * time.Second)
	healthy := c
	c.Queue, c.Core, c.Ledger, c.Recipients, c.SMS = p, p, p, p, p
	ctx, kill := context.WithCancel(context.Background())
	p.kill = kill
	again, restarted := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		dispatch.New(c).Run(ctx)
		if a.dies && p.happened() {
			dispatch.New(healthy).Run(again) // the restart; there is no other recovery
		}
	})
	for end := time.Now().Add(10 * time.Minute); !done(w.now(r)) && time.Now().Before(end); {
		time.Sleep(5 * time.Second)
	}
	kill()
	restarted()
	running.Wait()

	where := fmt.Sprintf("%s, call %d", a.name, n)
	now := w.now(r)
	if now.State != end || (end == gateway.Credited && now.Notice != gateway.NoticeSent) {
		w.t.Errorf("%s: ended %s (%q), notice %q", where, now.State, now.Reason, now.Notice)
	}
	if effects := w.core.book[r.Reference].effects; effects != 1 {
		w.t.Errorf("%s: %d effects at the core", where, effects)
	}
	if credits := w.bank.credits[r.Reference]; (credits == 1) != (end == gateway.Credited) || credits > 1 {
		w.t.Errorf("%s: %d credits", where, credits)
	}
	return p.happened()
}

// done reports whether nothing more will happen to a refund.
func done(r gateway.Refund) bool { return r.State.Final() && r.Due.IsZero() }

// sweep lets each call of a refund's life fail in each way, one at a time, until a life goes by untouched.
func (w *world) sweep(s func() script, end gateway.State, least int, counts ...string) {
	w.t.Helper()
	for _, a := range accidents {
		n := 1
		for w.live(n, s(), end, a, counts...) {
			n++
		}
		if n <= least {
			w.t.Errorf("%s: %d calls met with it, want at least %d", a.name, n-1, least)
		}
	}
}

func protocol() script { return func(string, int) outcome { return honest } }

// TestAccidentsOfTheStore: on the real store, every claim and every outcome is in turn not kept, kept but reported
// failed, and the last thing that a process did (crash points 11, 12, 16 to 18 and 20).
func TestAccidentsOfTheStore(t *testing.T) {
	simulateDurably(t, func(_ *testing.T, w *world) {
		w.sweep(protocol, gateway.Credited, 8, "claim", "apply")
	})
}

// TestAccidentsEverywhere: the same at every call of every port (crash points 11 to 20), along three lives.
func TestAccidentsEverywhere(t *testing.T) {
	t.Run("credited", func(t *testing.T) {
		simulate(t, func(_ *testing.T, w *world) { w.sweep(protocol, gateway.Credited, 12) })
	})
	t.Run("refused by the bank", func(t *testing.T) {
		simulate(t, func(_ *testing.T, w *world) {
			w.bank.refusal = "account_closed"
			w.sweep(protocol, gateway.Returned, 12)
		})
	})
	t.Run("sent again", func(t *testing.T) {
		simulate(t, func(_ *testing.T, w *world) {
			w.sweep(func() script { return neverArrives(2) }, gateway.Credited, 20)
		})
	})
}
