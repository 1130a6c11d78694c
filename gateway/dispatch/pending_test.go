package dispatch_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
)

// stillPending is a core that takes its time.
func stillPending(string, int) outcome { return says(dispatch.CorePending) }

// schedule is the seconds between the questions of core-protocol.md, rule 7.
var schedule = []float64{2, 5, 10, 20, 40, 80, 160, 300, 300, 300}

// TestPendingSchedule: 2, 5, 10, 20, 40 … at most every five minutes, after an hour every 15.
func TestPendingSchedule(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.core.admits = func(c dispatch.Call) int {
			if c == dispatch.CallStatus || w.age() < time.Second {
				return 100
			}
			return 0
		}
		r := w.acceptTo(1, stillPending)
		old := w.past(2, time.Hour, stillPending, send, taken)
		w.start(w.config())
		time.Sleep(22 * time.Minute)
		last := w.core.about(r, "submit")[0].at
		for i, seconds := range schedule {
			asked := w.core.about(r, "status")[i].at
			if gap := asked.Sub(last).Seconds(); gap < seconds || gap > seconds+1 {
				t.Errorf("question %d came after %.1f s, want %.0f", i+1, gap, seconds)
			}
			last = asked
		}
		if asks := w.core.about(old, "status"); len(asks) != 2 || asks[1].at.Sub(asks[0].at) < 15*time.Minute {
			t.Errorf("a refund that was pending for an hour was asked about %d times in 22 minutes", len(asks))
		}
		w.want(r, gateway.Pending, "")
	})
}

// TestDoubtSchedule: the same for what is in doubt, give or take a half, so that what failed together spreads out.
func TestDoubtSchedule(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		r := w.acceptTo(1, func(string, int) outcome { return fails(errTimeout) })
		w.start(w.config())
		time.Sleep(40 * time.Minute)
		last := w.core.about(r, "submit")[0].at
		for i, seconds := range schedule {
			asked := w.core.about(r, "status")[i].at
			if gap := asked.Sub(last).Seconds(); gap < seconds/2 || gap > seconds*3/2+1 {
				t.Errorf("question %d came after %.1f s, want about %.0f", i+1, gap, seconds)
			}
			last = asked
		}
	})
}

// TestF19Hint: a callback is a hint. It pulls the next question forward and does nothing else.
func TestF19Hint(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		pending := w.past(1, 0, stillPending, send, taken)
		w.start(w.every(time.Hour))
		time.Sleep(time.Second)
		d, _ := w.start(w.every(time.Hour)) // another gateway's, which gets the callbacks
		asked := len(w.core.of("status"))
		for range 3 {
			time.Sleep(time.Second)
			if err := d.Hint(t.Context(), pending.Reference); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
			if n := len(w.core.of("status")); n != asked+1 {
				t.Fatalf("asked %d times after a hint, want once", n-asked)
			}
			asked++
		}
		w.want(pending, gateway.Pending, "")
		if err := d.Hint(t.Context(), "RF0000000000000000"); !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("err = %v, want ErrNotFound", err)
		}
	})
}

// TestF19HintMovesNothingElse: repeated, early or late callbacks leave what they don't concern untouched.
func TestF19HintMovesNothingElse(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		d := dispatch.New(w.config()) // doesn't run
		untouched := []gateway.Refund{
			w.accept(1), w.past(2, 0, nil, send), w.past(3, 0, nil, send, release),
			w.past(4, 0, nil, send, doubt, escalate), w.past(5, 0, nil, send, doubt), // due already
		}
		for _, r := range untouched {
			for range 10 {
				if err := d.Hint(t.Context(), r.Reference); err != nil {
					t.Fatal(err)
				}
			}
			if now := w.now(r); now.Version != r.Version {
				t.Errorf("%s: version %d became %d", r.State, r.Version, now.Version)
			}
		}
	})
}

// overtaken is a store in which an answer is recorded between the reading of a refund and the next write, once.
type overtaken struct {
	dispatch.Queue
	put  time.Duration
	done bool
}

func (q *overtaken) Reference(ctx context.Context, reference string) (gateway.Refund, error) {
	r, err := q.Queue.Reference(ctx, reference)
	if err == nil && !q.done {
		q.done = true
		err = q.Apply(ctx, r.Ask(time.Now().Add(q.put)))
	}
	return r, err
}

// TestF19HintThatIsOvertaken: the answer "pending" that was under way when the core called back is recorded before the
// hint is. The hint isn't lost.
func TestF19HintThatIsOvertaken(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		r := w.past(1, 0, nil, send, func(r gateway.Refund, by gateway.By) (gateway.Change, error) {
			return r.Accept(by, "GC-1", by.At.Add(time.Minute))
		})
		c := w.config()
		c.Queue = &overtaken{Queue: w.store, put: 5 * time.Minute}
		if err := dispatch.New(c).Hint(t.Context(), r.Reference); err != nil {
			t.Fatal(err)
		}
		if now := w.now(r); now.Due.After(time.Now()) {
			t.Errorf("the next question is put in %s", time.Until(now.Due))
		}
	})
}

// TestF17Contradiction: a core that accepted a refund and then denies it is heard out three times, and then by people.
func TestF17Contradiction(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		denies := func(times int) script {
			return func(kind string, n int) outcome {
				if kind == "status" && n <= times {
					return unknown
				}
				return honest
			}
		}
		// Of three denials, at 2, 7 and 17 seconds, the one in the middle follows too soon to count.
		stale, forgot := w.acceptTo(1, denies(3)), w.acceptTo(2, denies(100))
		w.start(w.config())
		w.until(stale, gateway.Credited, 5*time.Minute)
		w.until(forgot, gateway.Manual, 5*time.Minute)
		w.want(forgot, gateway.Manual, "core_forgot")
		if n := len(w.core.of("submit")); n != 2 {
			t.Errorf("%d sends of two refunds", n)
		}
	})
}
