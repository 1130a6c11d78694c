package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
)

// TestF53TwoDispatchers share one queue: each refund is sent, credited and told of once.
func TestF53TwoDispatchers(t *testing.T) {
	share := func(refunds int) func(t *testing.T, w *world) {
		return func(t *testing.T, w *world) {
			all := make([]gateway.Refund, refunds)
			for n := range all {
				all[n] = w.accept(n + 1)
			}
			w.core.script = func(string, int) outcome {
				return func(do func() (dispatch.Answer, error)) (dispatch.Answer, error) {
					time.Sleep(100 * time.Millisecond) // so that both are at work at once
					return do()
				}
			}
			w.start(w.every(time.Second))
			w.start(w.every(time.Second))
			time.Sleep(time.Minute)
			for _, r := range all {
				now := w.now(r)
				if now.State != gateway.Credited || now.Notice != gateway.NoticeSent || now.Sends != 1 || now.Posts != 1 {
					t.Errorf("%s: %s after %d sends and %d posts, notice %q",
						r.Payment.RequestID, now.State, now.Sends, now.Posts, now.Notice)
				}
			}
			s, p, m := len(w.core.of("submit")), len(w.bank.of("post")), len(w.phone.inbox())
			if s != refunds || p != refunds || m != refunds {
				t.Errorf("%d sends, %d credits, %d messages for %d refunds", s, p, m, refunds)
			}
		}
	}
	t.Run("200 refunds", func(t *testing.T) { simulate(t, share(200)) })
	t.Run("on the real store", func(t *testing.T) { simulateDurably(t, share(40)) })
}

// TestF57ClockIsOff: a gateway whose clock isn't the queue's claims nothing, whatever is due, and works on when it is.
func TestF57ClockIsOff(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		r := w.accept(1)
		c := w.every(time.Second)
		c.Clock = func(context.Context) error {
			switch {
			case w.age() < time.Minute:
				return fmt.Errorf("store: %w by an hour", gateway.ErrClockSkew)
			case w.age() < 2*time.Minute:
				return errors.New("the store is away")
			}
			return nil
		}
		w.start(c)
		time.Sleep(time.Minute - time.Millisecond)
		if now := w.now(r); now.State != gateway.Queued || now.Version != 1 {
			t.Errorf("by a wrong clock it became %s, version %d", now.State, now.Version)
		}
		time.Sleep(30 * time.Second) // what isn't about the clock stops nothing by itself
		if now := w.now(r); now.State != gateway.Credited {
			t.Errorf("by the right clock it is still %s", now.State)
		}
	})
}

// TestF54StaleOwner: an owner that sleeps for a minute inside its send wakes up to find the refund moved on; what it
// learnt is refused, and nothing was sent twice.
func TestF54StaleOwner(t *testing.T) {
	simulateDurably(t, func(t *testing.T, w *world) {
		r := w.acceptTo(1, func(kind string, n int) outcome {
			if kind == "submit" {
				return func(do func() (dispatch.Answer, error)) (dispatch.Answer, error) {
					answer, err := do()
					time.Sleep(time.Minute)
					return answer, err
				}
			}
			return honest
		})
		c := w.config()
		c.Queue = &once{Queue: w.store} // nothing more from this one but the late outcome
		w.start(c)
		time.Sleep(time.Second)
		w.start(w.config())
		if now := w.until(r, gateway.Credited, 50*time.Second); now.Sends != 1 {
			t.Errorf("%d sends", now.Sends)
		}
		time.Sleep(time.Minute)
		if !w.log.has("another process moved the refund on") {
			t.Error("the late outcome wasn't refused")
		}
		if n := len(w.core.of("submit")); n != 1 {
			t.Errorf("%d sends, want 1", n)
		}
	})
}

// once is a store whose owner claims a single time.
type once struct {
	dispatch.Queue
	claimed bool
}

func (q *once) Claim(ctx context.Context, now time.Time, c dispatch.Claim) ([]gateway.Refund, error) {
	if q.claimed {
		return nil, nil
	}
	claimed, err := q.Queue.Claim(ctx, now, c)
	q.claimed = len(claimed) > 0
	return claimed, err
}

// oversleeps is a store whose owner is stopped for longer than its lease right after it claimed.
type oversleeps struct {
	dispatch.Queue
	slept bool
}

func (q *oversleeps) Claim(ctx context.Context, now time.Time, c dispatch.Claim) ([]gateway.Refund, error) {
	claimed, err := q.Queue.Claim(ctx, now, c)
	if len(claimed) > 0 && !q.slept {
		q.slept = true
		time.Sleep(time.Minute)
	}
	return claimed, err
}

// TestF54OwnerStoppedBeforeItsSend: the process is stopped between its claim and its first byte, for longer than the
// lease. By then the refund may be anybody's, so no byte may leave any more.
func TestF54OwnerStoppedBeforeItsSend(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		r := w.accept(1)
		c := w.config()
		c.Queue = &oversleeps{Queue: w.store}
		w.start(c)
		time.Sleep(time.Minute + 5*time.Second)
		if n := len(w.core.of("submit")); n != 0 {
			t.Errorf("%d sends by an owner whose lease had run out", n)
		}
		w.want(r, gateway.InDoubt, "")
		if now := w.until(r, gateway.Credited, 5*time.Minute); now.Sends != 2 || len(w.core.of("submit")) != 1 {
			t.Errorf("%d sends on record, %d made; want 2 and 1", now.Sends, len(w.core.of("submit")))
		}
	})
}

// TestF56GracefulStop: Run returns when what is under way is recorded, not before, and takes on nothing new.
func TestF56GracefulStop(t *testing.T) {
	simulateDurably(t, func(t *testing.T, w *world) {
		w.core.script = func(string, int) outcome {
			return func(do func() (dispatch.Answer, error)) (dispatch.Answer, error) {
				time.Sleep(8 * time.Second)
				return do()
			}
		}
		first := w.accept(1)
		d, stop := w.start(w.config())
		time.Sleep(time.Second)
		stopped := make(chan struct{})
		go func() { stop(); close(stopped) }()
		synctest.Wait() // asked to stop, and waiting for its worker
		second := w.accept(2)
		d.Wake()
		<-stopped
		if took := w.age(); took != 8*time.Second {
			t.Errorf("stopped after %s, want the 8 seconds of the call under way", took)
		}
		w.want(first, gateway.Pending, "")
		if now := w.want(second, gateway.Queued, ""); now.Version != 1 {
			t.Errorf("version %d of a refund that came after the stop", now.Version)
		}
	})
}

// ailing is a store that can't do its work for a while: it fails at once, or hangs.
type ailing struct {
	*world
	dispatch.Queue
	until time.Duration
	hangs bool
}

func (q ailing) Claim(ctx context.Context, now time.Time, c dispatch.Claim) ([]gateway.Refund, error) {
	if q.age() < q.until {
		return nil, q.fail(ctx)
	}
	return q.Queue.Claim(ctx, now, c)
}

func (q ailing) Apply(ctx context.Context, c gateway.Change) error {
	if q.age() < q.until {
		return q.fail(ctx)
	}
	return q.Queue.Apply(ctx, c)
}

func (q ailing) fail(ctx context.Context) error {
	if q.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return errors.New("database is locked")
}

// TestF37StoreFailsOrHangs: nothing is sent that isn't recorded, every call to the store has a deadline, and when the
// store is well again the work goes on by itself.
func TestF37StoreFailsOrHangs(t *testing.T) {
	for name, hangs := range map[string]bool{"fails": false, "hangs": true} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				r := w.accept(1)
				c := w.config()
				c.Queue = ailing{world: w, Queue: w.store, until: time.Minute, hangs: hangs}
				w.start(c)
				time.Sleep(59 * time.Second)
				if n := len(w.core.of("submit")); n != 0 {
					t.Errorf("%d sends without a durable intent", n)
				}
				w.until(r, gateway.Credited, time.Minute)
			})
		})
	}
}
