package dispatch_test

import (
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
)

var unknown = fails(gateway.ErrUnknownReference)

// neverArrives is a core that no send reaches, until the given one; it truly doesn't know the reference until then.
func neverArrives(until int) script {
	return func(kind string, n int) outcome {
		if kind == "submit" && n < until {
			return silence
		}
		return honest
	}
}

// TestF02UnknownTwiceResendsOnce: the core twice says, well after the send, that it doesn't know the reference. The
// same bytes go once more, under the same reference, and all is well.
func TestF02UnknownTwiceResendsOnce(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		r := w.acceptTo(1, neverArrives(2))
		w.start(w.config())
		w.until(r, gateway.Credited, 5*time.Minute)
		sends := w.core.of("submit")
		if len(sends) != 2 {
			t.Fatalf("%d sends, want 2", len(sends))
		}
		first, second := sends[0].refund, sends[1].refund
		if first.Reference != second.Reference || first.Payment != second.Payment || first.To != second.To {
			t.Error("the second send isn't the first one's bytes")
		}
		if gap := sends[1].at.Sub(sends[0].at); gap < 70*time.Second {
			t.Errorf("sent again after %s: before two answers past the quiet minute can have come", gap)
		}
		var counted []time.Time // what the core said well after the first send and before the second
		for _, asked := range w.core.of("status") {
			if asked.at.Sub(sends[0].at) >= time.Minute && !asked.at.After(sends[1].at) {
				counted = append(counted, asked.at)
			}
		}
		if len(counted) != 2 || counted[1].Sub(counted[0]) < 10*time.Second {
			t.Errorf("sent again on answers at %v", counted)
		}
	})
}

// TestF04UnknownBeforeTheQuietPeriodNeverCounts: the core denies the reference for as long as the first send may still
// be under way, then once more, and then is silent. One late denial isn't two.
func TestF04UnknownBeforeTheQuietPeriodNeverCounts(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		late := 0
		r := w.acceptTo(1, func(kind string, _ int) outcome {
			switch {
			case kind == "submit":
				return fails(errTimeout)
			case w.age() < time.Minute:
				return unknown
			}
			if late++; late == 1 {
				return unknown
			}
			return fails(errTimeout)
		})
		w.start(w.every(time.Second))
		time.Sleep(59 * time.Second)
		if now := w.want(r, gateway.InDoubt, ""); now.Unknowns != 0 || now.Asks < 3 {
			t.Errorf("%d of %d answers within the quiet minute count", now.Unknowns, now.Asks)
		}
		time.Sleep(9 * time.Minute)
		if now := w.want(r, gateway.InDoubt, ""); now.Unknowns != 1 || len(w.core.of("submit")) != 1 {
			t.Errorf("%d answers count, %d sends; want 1 and 1", now.Unknowns, len(w.core.of("submit")))
		}
	})
}

// TestUnknownsWithinTenSecondsCountOnce: hints make the questions come faster than the answers can count.
func TestUnknownsWithinTenSecondsCountOnce(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		r := w.past(1, time.Minute, neverArrives(1), send, doubt)
		d, _ := w.start(w.config())
		time.Sleep(time.Millisecond)
		if now := w.now(r); now.Unknowns != 1 {
			t.Fatalf("%d answers a minute after the send count", now.Unknowns)
		}
		for w.age() < 9*time.Second {
			if err := d.Hint(t.Context(), r.Reference); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if now := w.now(r); now.Unknowns != 1 || now.Asks != 10 {
			t.Errorf("%d answers of %d count within ten seconds", now.Unknowns, now.Asks)
		}
		w.until(r, gateway.Credited, 10*time.Minute)
		if gap := w.core.of("submit")[0].at.Sub(w.begun); gap < 10*time.Second {
			t.Errorf("sent again %s after the first answer that counts", gap)
		}
	})
}

// TestResendsAreFive, and then a person looks. The core never gets any of them.
func TestResendsAreFive(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		r := w.acceptTo(1, neverArrives(100))
		w.start(w.every(5 * time.Second))
		w.until(r, gateway.Manual, time.Hour)
		w.want(r, gateway.Manual, "resends_used_up")
		if n := len(w.core.of("submit")); n != 6 {
			t.Errorf("%d sends, want the first and 5 more", n)
		}
	})
}

// TestResendsThatDidNotLeaveAreNotSpent: five re-sends that provably stayed here leave all five.
func TestResendsThatDidNotLeaveAreNotSpent(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		r := w.acceptTo(1, func(kind string, n int) outcome {
			switch {
			case kind == "submit" && n == 1:
				return silence
			case kind == "submit" && n <= 7:
				return fails(gateway.ErrNotSent)
			default:
				return honest
			}
		})
		w.start(w.every(10 * time.Second))
		if now := w.until(r, gateway.Credited, 2*time.Hour); now.Sends != 2 || now.Misses != 6 {
			t.Errorf("%d sends, %d misses; want 2 and 6", now.Sends, now.Misses)
		}
	})
}

// TestDoubtOfADay: a machine that has asked for a day calls people, and asks once more before it does.
func TestDoubtOfADay(t *testing.T) {
	const almost = 24*time.Hour - 10*time.Minute
	t.Run("goes to people", func(t *testing.T) {
		simulate(t, func(t *testing.T, w *world) {
			silent := w.past(1, almost, func(string, int) outcome { return fails(errTimeout) }, send, doubt)
			denied := w.past(2, almost, func(string, int) outcome { return unknown }, send, doubt)
			w.core.admits = func(c dispatch.Call) int {
				if c == dispatch.CallSubmit {
					return 0 // so that nothing can be sent again
				}
				return 100
			}
			w.start(w.every(10 * time.Second))
			time.Sleep(9 * time.Minute)
			w.want(silent, gateway.InDoubt, "")
			w.want(denied, gateway.InDoubt, "")
			time.Sleep(10 * time.Minute)
			w.want(silent, gateway.Manual, "doubt_too_old")
			w.want(denied, gateway.Manual, "doubt_too_old")
		})
	})
	t.Run("is settled when the core answers after all", func(t *testing.T) {
		simulate(t, func(t *testing.T, w *world) {
			r := w.past(1, 30*time.Hour, func(string, int) outcome { return honest }, send, doubt)
			w.core.book[r.Reference] = entry{dispatch.CorePending, 1}
			w.start(w.config())
			w.until(r, gateway.Credited, time.Minute)
		})
	})
}

// TestF18TooOldToResend: the core remembers references for 90 days. What may have been forgotten isn't sent again.
func TestF18TooOldToResend(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		r := w.past(1, 73*24*time.Hour, neverArrives(100))
		w.start(w.every(5 * time.Second))
		w.until(r, gateway.Manual, time.Hour)
		w.want(r, gateway.Manual, "too_old_to_resend")
		if n := len(w.core.of("submit")); n != 1 {
			t.Errorf("%d sends, want 1", n)
		}
	})
}

// TestResendAllowance: an outage that swallowed every send isn't answered with as many at once.
func TestResendAllowance(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		const refunds = 100
		core := func(kind string, _ int) outcome {
			if kind == "submit" {
				return refuses(dispatch.Refusal{Code: "fee_consumed"})
			}
			return unknown
		}
		for n := range refunds {
			w.past(n+1, time.Minute, core, send, doubt)
		}
		w.start(w.every(10 * time.Second))
		time.Sleep(3 * time.Minute)
		perMinute, most := map[time.Time]int{}, 0
		for _, sent := range w.core.of("submit") {
			if sent.refund.Sends > 1 {
				perMinute[sent.at.Truncate(time.Minute)]++
			}
		}
		total := 0
		for _, n := range perMinute {
			most, total = max(most, n), total+n
		}
		if most != 60 || total != refunds {
			t.Errorf("%d re-sends, up to %d in one minute; want %d and 60", total, most, refunds)
		}
		for n := range refunds {
			w.want(gateway.Refund{ID: acceptance(n + 1).ID}, gateway.Rejected, "fee_consumed")
		}
	})
}

// TestBackInDoubtAfterARelease: people put a refund back into doubt after the core had released its money. Whatever
// the core says now, the machine neither sends it again nor calls it rejected, and credits nothing that was refused.
func TestBackInDoubtAfterARelease(t *testing.T) {
	simulateDurably(t, func(t *testing.T, w *world) {
		forgets := w.past(1, time.Hour, func(string, int) outcome { return unknown }, send, release, escalate, doubt)
		denies := w.past(2, time.Hour, func(string, int) outcome { return rejects("fee_consumed") }, send, release, escalate, doubt)
		refused := w.past(3, time.Hour, func(string, int) outcome { return honest }, send, release, refuse, escalate, doubt)
		w.core.book[refused.Reference] = entry{dispatch.CoreRefunded, 1}
		w.start(w.every(time.Second))
		time.Sleep(5 * time.Minute)
		w.want(forgets, gateway.Manual, "core_forgot")
		w.want(denies, gateway.Manual, "core_contradicts_release")
		w.want(refused, gateway.Returned, "account_closed")
		if n := len(w.core.of("submit")) + len(w.bank.of("post")); n != 0 {
			t.Errorf("%d sends and credits, want none", n)
		}
	})
}
