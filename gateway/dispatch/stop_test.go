package dispatch_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
)

// stopMax is what a process that stops may take: a call's deadline and a write of the store.
const stopMax = 10*time.Second + 5*time.Second

// slowly is an outcome of the core that takes its time.
func slowly(d time.Duration, o outcome) outcome {
	return func(do func() (dispatch.Answer, error)) (dispatch.Answer, error) {
		time.Sleep(d)
		return o(do)
	}
}

// calls is how many calls have left this machine.
func (w *world) calls() int { return len(w.core.list()) + len(w.bank.list()) + len(w.phone.inbox()) }

// stopAt runs a dispatcher and asks it to stop after a while. It returns how long it took from then on, and fails the
// test when anything began meanwhile.
func (w *world) stopAt(c dispatch.Config, after time.Duration) (took time.Duration) {
	w.t.Helper()
	_, stop := w.start(c)
	time.Sleep(after)
	synctest.Wait()
	asked, before := time.Now(), w.calls()
	stop()
	if n := w.calls(); n != before {
		w.t.Errorf("stopped after %s: %d calls began afterwards", after, n-before)
	}
	if took = time.Since(asked); took > stopMax {
		w.t.Errorf("stopped after %s: it took %s", after, took)
	}
	return took
}

// TestF56NoSecondCall: an attempt that would go on to a second call leaves that to whoever still runs, with what the
// first one taught, and without waiting for a lease.
func TestF56NoSecondCall(t *testing.T) {
	const slow = 4 * time.Second
	for name, c := range map[string]struct {
		prepare func(w *world) gateway.Refund
		check   func(t *testing.T, r gateway.Refund)
		state   gateway.State
	}{
		"a re-send after the second unknown": {
			prepare: func(w *world) gateway.Refund {
				r := w.past(1, 5*time.Minute, func(kind string, n int) outcome {
					if kind == "status" && n == 1 {
						return slowly(slow, fails(gateway.ErrUnknownReference))
					}
					return honest
				}, send, doubt)
				if err := w.store.Apply(w.t.Context(), r.Unknown(time.Now().Add(-time.Minute), true, time.Now())); err != nil {
					w.t.Fatal(err)
				}
				return r
			},
			check: func(t *testing.T, r gateway.Refund) {
				if r.Unknowns != 2 || r.Sends != 1 {
					t.Errorf("%d unknowns, %d sends", r.Unknowns, r.Sends)
				}
			},
			state: gateway.InDoubt,
		},
		"a credit that the ledger doesn't know": {
			prepare: func(w *world) gateway.Refund {
				r := w.past(1, time.Minute, nil, send, release)
				if err := w.store.Apply(w.t.Context(), r.Post(time.Now())); err != nil {
					w.t.Fatal(err)
				}
				w.core.book[r.Reference] = entry{dispatch.CoreRefunded, 1}
				w.bank.script = func(kind string, _ int) posting {
					if kind == "posting" {
						time.Sleep(slow)
					}
					return keeps
				}
				return r
			},
			check: func(t *testing.T, r gateway.Refund) {
				if r.Posts != 2 || r.LedgerID != "" {
					t.Errorf("%d posts, ledger id %q", r.Posts, r.LedgerID)
				}
			},
			state: gateway.Refunded,
		},
		"an SMS whose number was just asked for": {
			prepare: func(w *world) gateway.Refund {
				w.phone.customer = func(context.Context) error { time.Sleep(slow); return nil }
				r := w.past(1, time.Minute, nil, send, release, func(r gateway.Refund, by gateway.By) (gateway.Change, error) {
					return r.Credit(by, "L-1")
				})
				w.core.book[r.Reference] = entry{dispatch.CoreRefunded, 1}
				w.bank.book[r.Reference], w.bank.credits[r.Reference] = gateway.Posting{LedgerID: "L-1"}, 1
				return r
			},
			check: func(t *testing.T, r gateway.Refund) {
				if r.Notice != gateway.NoticeDue || r.Asks != 0 {
					t.Errorf("notice %q after %d tries", r.Notice, r.Asks)
				}
			},
			state: gateway.Credited,
		},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				r := c.prepare(w)
				if took := w.stopAt(w.config(), time.Second); took != slow-time.Second {
					t.Errorf("it took %s, want what was left of the call", took)
				}
				now := w.want(r, c.state, "")
				c.check(t, now)
				if now.Due.After(time.Now()) {
					t.Errorf("due in %s", time.Until(now.Due))
				}
				w.start(w.config())
				w.until(r, gateway.Credited, 30*time.Second)
				w.wantTold(r, gateway.NoticeSent, 30*time.Second)
			})
		})
	}
}

// lateClaim is a store whose answer to a claim comes after the process was asked to stop.
type lateClaim struct {
	dispatch.Queue
	stop func()
	done bool
}

func (q *lateClaim) Claim(ctx context.Context, now time.Time, c dispatch.Claim) ([]gateway.Refund, error) {
	claimed, err := q.Queue.Claim(ctx, now, c)
	if len(claimed) > 0 && !q.done {
		q.done = true
		q.stop()
	}
	return claimed, err
}

// TestF56ClaimedNotBegun: what was claimed when the stop came is given back at once. Nothing left, and nothing is doubted.
func TestF56ClaimedNotBegun(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		fresh := w.accept(1)
		doubted := w.past(2, 5*time.Minute, nil, send, doubt)
		for _, r := range []gateway.Refund{fresh, doubted} {
			ctx, cancel := context.WithCancel(context.Background())
			c := w.config()
			c.Queue = &lateClaim{Queue: w.store, stop: cancel}
			dispatch.New(c).Run(ctx)
			if now := w.now(r); now.State != r.State || now.Sends != r.Sends || now.Due.After(time.Now()) || now.Version == r.Version {
				t.Errorf("%s after %d sends, due in %s", now.State, now.Sends, time.Until(now.Due))
			}
		}
		if n := w.calls(); n != 0 {
			t.Errorf("%d calls", n)
		}
		w.start(w.config())
		if now := w.until(fresh, gateway.Credited, time.Minute); now.MayHaveLeft && now.Sends != 1 {
			t.Errorf("%d sends", now.Sends)
		}
	})
}

// TestF56StopBeforeAResend: the stop comes while the intent of a re-send is being recorded. Nothing leaves after it, and
// the doubt goes on as if nothing had been tried.
func TestF56StopBeforeAResend(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		r := w.past(1, 5*time.Minute, func(kind string, n int) outcome {
			if kind == "status" && n == 1 {
				return fails(gateway.ErrUnknownReference)
			}
			return honest
		}, send, doubt)
		if err := w.store.Apply(w.t.Context(), r.Unknown(time.Now().Add(-time.Minute), true, time.Now())); err != nil {
			t.Fatal(err)
		}
		c := w.config()
		c.Queue = tired{w.store, 2 * time.Second}
		if took := w.stopAt(c, time.Second); took != 3*time.Second {
			t.Errorf("it took %s, want what was left of one write, and another", took)
		}
		if now := w.want(r, gateway.InDoubt, ""); now.Sends != 1 || now.Due.After(time.Now()) {
			t.Errorf("%d sends, due in %s", now.Sends, time.Until(now.Due))
		}
		w.start(w.config())
		w.until(r, gateway.Credited, 5*time.Minute)
	})
}

// tired is a store that takes as long for a write as it is allowed to, or longer.
type tired struct {
	dispatch.Queue
	takes time.Duration
}

func (q tired) Apply(ctx context.Context, c gateway.Change) error {
	select {
	case <-time.After(q.takes):
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return q.Queue.Apply(ctx, c)
}

// TestF56WorstCase: a call that began just before the stop and lasts to its deadline or, by a configuration, beyond it;
// then a store that hangs, or is slow at more than one write. Run is back after one call and one write, and what wasn't
// recorded by then has a lease.
func TestF56WorstCase(t *testing.T) {
	forever := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, c := range map[string]struct {
		core  outcome
		store time.Duration
		phone func(context.Context) error
		state gateway.State
		took  time.Duration
	}{
		"silence, and a store that hangs":   {silence, time.Hour, nil, gateway.Sending, stopMax - time.Millisecond},
		"silence, and a store that is slow": {silence, 4 * time.Second, nil, gateway.InDoubt, 14*time.Second - time.Millisecond},
		"people, by a store that is slow":   {slowly(deadline, says(dispatch.CoreReturned)), 4 * time.Second, nil, gateway.InDoubt, stopMax},
		"an SMS route that heeds no time":   {nil, 0, forever, gateway.Credited, deadline - time.Millisecond},
		"that, and a store that hangs":      {nil, time.Hour, forever, gateway.Credited, stopMax - time.Millisecond},
		"a core that was given more time":   {slowly(time.Minute, honest), 0, nil, gateway.Sending, 0},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				var r gateway.Refund
				if c.phone != nil {
					w.phone.answer = c.phone
					r = w.past(1, time.Minute, nil, send, release, func(r gateway.Refund, by gateway.By) (gateway.Change, error) {
						return r.Credit(by, "L-1")
					})
					w.core.book[r.Reference] = entry{dispatch.CoreRefunded, 1}
					w.bank.book[r.Reference], w.bank.credits[r.Reference] = gateway.Posting{LedgerID: "L-1"}, 1
				} else {
					r = w.acceptTo(1, func(string, int) outcome { return c.core })
				}
				config := w.config()
				config.Queue = tired{w.store, c.store}
				if c.took == 0 {
					config.Core = obedient{w.core}
					c.took = stopMax
				}
				if took := w.stopAt(config, time.Millisecond); took != c.took {
					t.Errorf("it took %s, want %s", took, c.took)
				}
				if now := w.want(r, c.state, ""); now.Due.IsZero() {
					t.Error("nobody will ever look at it again")
				}
			})
		})
	}
}

// obedient is a core whose calls end with their context, and not before.
type obedient struct{ *core }

func (o obedient) Submit(ctx context.Context, r gateway.Refund) (dispatch.Answer, error) {
	o.add("submit", r)
	<-ctx.Done()
	return dispatch.Answer{}, &gateway.UnknownError{Cause: "caller_left", Err: ctx.Err()}
}

// TestF56StopAtAnyMoment of refunds' lives, some of them eventful: Run is back in time, nothing begins after the stop, no
// intent is left without a lease, and whoever comes next brings all of them to their end.
func TestF56StopAtAnyMoment(t *testing.T) {
	const refunds = 24
	for after := time.Duration(0); after < 100*time.Second; after += 1370 * time.Millisecond { // re-sends come after a minute
		t.Run(after.String(), func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				w.core.script = func(kind string, n int) outcome {
					switch {
					case kind == "submit" && n == 1:
						return []outcome{slowly(time.Second, honest), lost, silence, fails(gateway.ErrNotSent)}[len(w.core.of("submit"))%4]
					case n == 1:
						return slowly(2*time.Second, honest)
					default:
						return honest
					}
				}
				var all []gateway.Refund
				for n := range refunds {
					all = append(all, w.accept(n+1))
				}
				w.stopAt(w.config(), after)
				for _, r := range all {
					if now := w.now(r); now.Due.IsZero() && now.Notice == gateway.NoticeNone {
						t.Errorf("stopped after %s: %s without a lease", after, now.State)
					}
				}
				w.start(w.config())
				for _, r := range all {
					w.until(r, gateway.Credited, 10*time.Minute)
				}
			})
		})
	}
}
