package dispatch_test

import (
	"slices"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
)

// TestBreakerOpenParksTheQueue: for a minute nothing gets through and nothing is touched. Then the drain ramps up:
// one refund, and when it is answered two, four, and so on, oldest first.
func TestBreakerOpenParksTheQueue(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.core.admits = func(c dispatch.Call) int {
			if c == dispatch.CallSubmit && w.age() >= time.Minute {
				return 100
			}
			return 0
		}
		w.core.script = func(string, int) outcome {
			return func(do func() (dispatch.Answer, error)) (dispatch.Answer, error) {
				time.Sleep(time.Second)
				return do()
			}
		}
		const refunds = 30
		for n := range refunds {
			w.past(n+1, time.Hour-time.Duration(n)*time.Second, w.core.script)
		}
		w.start(w.every(500 * time.Millisecond))
		time.Sleep(time.Minute - time.Millisecond)
		for n := range refunds {
			r := gateway.Refund{ID: acceptance(n + 1).ID}
			if now := w.want(r, gateway.Queued, ""); now.Version != 1 || now.Sends != 0 {
				t.Errorf("refund %d: version %d, %d sends", n+1, now.Version, now.Sends)
			}
		}
		if n := len(w.core.of("submit")) + len(w.core.of("status")); n != 0 {
			t.Fatalf("%d calls while the breaker was open", n)
		}

		time.Sleep(10 * time.Second)
		sends := w.core.of("submit")
		if len(sends) != refunds {
			t.Fatalf("%d sends, want %d", len(sends), refunds)
		}
		oldest, waves := w.begun.Add(-2*time.Hour), []int{}
		for i, sent := range sends {
			if i == 0 || sent.at.After(sends[i-1].at) {
				for _, earlier := range sends[:i] {
					oldest = later(oldest, earlier.refund.CreatedAt)
				}
				waves = append(waves, 0)
			}
			waves[len(waves)-1]++
			if sent.refund.CreatedAt.Before(oldest) {
				t.Errorf("%s was sent after younger ones", sent.refund.Payment.RequestID)
			}
		}
		// Three quarters of the 16 workers is as many as one kind of work may have.
		if want := []int{1, 2, 4, 8, 12, 3}; !slices.Equal(waves, want) {
			t.Errorf("sent in waves of %v, want %v", waves, want)
		}
	})
}

// TestDrainStaysLowWithoutAnswers: sends that nobody answers are no reason to send more at once.
func TestDrainStaysLowWithoutAnswers(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.core.admits = func(c dispatch.Call) int {
			if c == dispatch.CallSubmit && w.age() >= time.Second {
				return 100
			}
			return 0
		}
		w.core.script = func(string, int) outcome { return silence }
		for n := range 10 {
			w.accept(n + 1)
		}
		w.start(w.config())
		time.Sleep(time.Minute)
		if n := len(w.core.of("submit")); n < 5 || n > 6 {
			t.Errorf("%d sends in a minute of ten-second silences, want one at a time", n)
		}
	})
}

// TestF01CoreUnreachable: what provably didn't leave goes back to the queue, further apart each time, and spends
// nothing. When the core is back, one send counts.
func TestF01CoreUnreachable(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		r := w.acceptTo(1, func(string, int) outcome {
			if w.age() < 10*time.Minute {
				return fails(gateway.ErrNotSent)
			}
			return honest
		})
		w.start(w.config())
		time.Sleep(10 * time.Minute)
		down := w.want(r, gateway.Queued, "")
		if down.Sends != 0 || down.MayHaveLeft || down.Misses != len(w.core.of("submit")) {
			t.Errorf("%d sends, %d misses of %d, may have left: %t", down.Sends, down.Misses, len(w.core.of("submit")), down.MayHaveLeft)
		}
		if down.Misses < 6 || down.Misses > 14 {
			t.Errorf("tried %d times in ten minutes", down.Misses)
		}
		if now := w.until(r, gateway.Credited, 10*time.Minute); now.Sends != 1 {
			t.Errorf("%d sends, want 1", now.Sends)
		}
	})
}

// TestF06RetryAfter: a core that asks to be left alone for ten minutes is.
func TestF06RetryAfter(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		busy := fails(&gateway.UnknownError{Cause: "unavailable", After: 10 * time.Minute})
		sent := w.acceptTo(1, func(kind string, _ int) outcome {
			if kind == "submit" {
				return busy
			}
			return honest
		})
		asked := w.past(2, 0, func(_ string, n int) outcome {
			if n == 1 {
				return busy
			}
			return honest
		}, send, taken)
		w.core.book[sent.Reference] = entry{dispatch.CorePending, 1}
		w.core.book[asked.Reference] = entry{dispatch.CorePending, 1}
		w.start(w.every(10 * time.Second))
		time.Sleep(9*time.Minute + 59*time.Second)
		if a, b := len(w.core.about(sent, "status")), len(w.core.about(asked, "status")); a != 0 || b != 1 {
			t.Errorf("asked %d and %d times before the time was up, want 0 and 1", a, b)
		}
		w.until(sent, gateway.Credited, time.Minute)
		w.until(asked, gateway.Credited, time.Minute)
	})
}

// TestLanes: a ledger that hangs has three quarters of the workers at most, so refunds still reach the core and doubts
// are still settled; and an SMS route that hangs doesn't keep money waiting.
func TestLanes(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.bank.script = func(string, int) posting {
			if w.age() < time.Minute {
				return hangs
			}
			return keeps
		}
		for n := range 40 {
			r := w.past(n+1, time.Minute, nil, send, release)
			w.core.book[r.Reference] = entry{dispatch.CoreRefunded, 1}
		}
		w.start(w.config())
		time.Sleep(3 * time.Second)
		fresh := w.accept(100)
		w.until(fresh, gateway.Refunded, 8*time.Second)
		w.until(fresh, gateway.Credited, 10*time.Minute)
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
