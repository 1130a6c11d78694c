package faultmatrix_test

import (
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/refundcore"
	"github.com/istirdad/istirdad/internal/sandboxfault"
)

// TestF13ReferenceReused: it is never a no. Somebody is told, and the status says what the send came to.
func TestF13ReferenceReused(t *testing.T) {
	inRow(t, 1, nil, func(r *rig) {
		r.fault(next(sandboxfault.ReferenceReused, sandboxfault.CallSubmit, 1))
		r.until(gateway.Credited, 3*time.Minute)
		r.want(r.refunds[0], 1, "queued sending in_doubt:reference_reused refunded credited")
		if r.log.count("level=ERROR", "cause=reference_reused") == 0 {
			r.t.Error("nobody is told")
		}
	})
}

// TestF17StatusThatMisleads: what was true a moment ago decides nothing, and neither does silence. A core that goes on
// contradicting itself is for people.
func TestF17StatusThatMisleads(t *testing.T) {
	t.Run("stale", func(t *testing.T) {
		inRow(t, 1, nil, func(r *rig) {
			const stale = 4
			r.fault(next(sandboxfault.EffectThenHang, sandboxfault.CallSubmit, 1), next(sandboxfault.StaleStatus, sandboxfault.CallStatus, stale))
			r.until(gateway.Credited, 5*time.Minute)
			r.want(r.refunds[0], 1, "queued sending in_doubt:timeout refunded credited")
			if n := r.faulty(sandboxfault.StaleStatus); n != stale {
				r.t.Errorf("%d answers were stale, want %d", n, stale)
			}
		})
	})
	t.Run("not to be had", func(t *testing.T) {
		const down = 40 * time.Minute
		inRow(t, 1, rarely, func(r *rig) {
			r.fault(next(sandboxfault.EffectThenHang, sandboxfault.CallSubmit, 1), next(sandboxfault.Unavailable, sandboxfault.CallStatus, 0))
			r.wait(down)
			if now := r.look(r.refunds[0]); now.State != gateway.InDoubt || r.faulty(sandboxfault.Unavailable) < 5 {
				r.t.Errorf("it is %s after %d questions", now.State, r.faulty(sandboxfault.Unavailable))
			}
			r.faults.Clear()
			r.until(gateway.Credited, down+30*time.Minute)
			r.want(r.refunds[0], 1, "queued sending in_doubt:timeout refunded credited")
		})
	})
	t.Run("contradictory, once", func(t *testing.T) {
		inRow(t, 1, nil, func(r *rig) {
			r.pendingFor(2 * time.Minute)
			r.fault(next(sandboxfault.Contradiction, sandboxfault.CallStatus, 1))
			r.until(gateway.Credited, 30*time.Minute)
			r.want(r.refunds[0], 1, "queued sending refunded credited")
			if r.faulty(sandboxfault.Contradiction) != 1 || r.log.count("level=ERROR", "cause=unknown_reference") == 0 {
				r.t.Error("the core did not contradict itself, or nobody was told")
			}
		})
	})
	t.Run("contradictory, for good", func(t *testing.T) {
		inRow(t, 1, nil, func(r *rig) {
			r.pendingFor(2 * time.Minute)
			r.fault(next(sandboxfault.Contradiction, sandboxfault.CallStatus, 0))
			r.handedOver("core_forgot", time.Hour)
			r.want(r.refunds[0], 1, "queued sending manual")
		})
	})
}

// pendingFor has the core accept every refund, and tell nobody for so long that it has released them.
func (r *rig) pendingFor(d time.Duration) {
	r.t.Helper()
	r.fault(next(sandboxfault.StaleStatus, sandboxfault.CallStatus, 0))
	r.wait(d)
	for _, of := range r.refunds {
		if now := r.look(of); now.State != gateway.Pending {
			r.t.Errorf("it is %s", now.State)
		}
	}
}

// TestF18CoreForgets: what it forgot is sent again at most once, has one effect, and is for people: the list and the
// settlement know more than the core's answers do.
func TestF18CoreForgets(t *testing.T) {
	t.Run("what was in doubt", func(t *testing.T) {
		inRow(t, 1, nil, func(r *rig) {
			r.fault(next(sandboxfault.EffectThenHang, sandboxfault.CallSubmit, 1), next(sandboxfault.Forgets, sandboxfault.CallStatus, 1))
			r.handedOver("core_forgot", 5*time.Minute)
			r.want(r.refunds[0], 2, "queued sending in_doubt:timeout sending in_doubt:core_forgot manual")
		})
	})
	t.Run("what it had accepted", func(t *testing.T) {
		inRow(t, 1, nil, func(r *rig) {
			r.pendingFor(time.Minute)
			r.fault(next(sandboxfault.Forgets, sandboxfault.CallStatus, 1))
			r.handedOver("core_forgot", time.Hour)
			r.want(r.refunds[0], 1, "queued sending manual")
		})
	})
}

// TestF19Callbacks: however they come, they decide nothing. Each has the question put that it hints at, and one about a
// refund that nobody knows is nobody's.
func TestF19Callbacks(t *testing.T) {
	rows := map[string]struct {
		fault sandboxfault.Fault
		lasts time.Duration // until all of them have come
		hints int           // about the refund
	}{
		sandboxfault.DuplicateCallback: {next(sandboxfault.DuplicateCallback, sandboxfault.CallCallback, 0), 0, 2},
		sandboxfault.CallbackStorm:     {next(sandboxfault.CallbackStorm, sandboxfault.CallCallback, 0), 0, 10},
		sandboxfault.LateCallback:      {next(sandboxfault.LateCallback, sandboxfault.CallCallback, 0), 0, 1},
		sandboxfault.DayLateCallback:   {next(sandboxfault.DayLateCallback, sandboxfault.CallCallback, 0), 25 * time.Hour, 1},
		sandboxfault.EarlyCallback:     {next(sandboxfault.EarlyCallback, sandboxfault.CallSubmit, 0), 0, 2},
		sandboxfault.OrphanCallback:    {next(sandboxfault.OrphanCallback, sandboxfault.CallCallback, 0), 0, 1},
		sandboxfault.UnorderedCallback: {next(sandboxfault.UnorderedCallback, sandboxfault.CallCallback, 0), 0, 2},
	}
	for _, kind := range kindsOf(t, "F19") {
		row, known := rows[kind]
		if !known {
			t.Errorf("nobody says what comes of %s", kind)
			continue
		}
		t.Run(kind, func(t *testing.T) {
			inRowOfCallbacks(t, 1, func(r *rig) {
				r.fault(row.fault)
				r.until(gateway.Credited, time.Minute)
				before := len(r.events(r.refunds[0]))
				time.Sleep(row.lasts)
				r.wait(time.Minute)
				r.want(r.refunds[0], 1, "queued sending refunded credited")
				if after := len(r.events(r.refunds[0])); after != before {
					r.t.Errorf("%d events became %d", before, after)
				}
				orphans := 0
				if kind == sandboxfault.OrphanCallback {
					orphans = 1
				}
				if hints, unknown := r.told.of("hint"), r.told.of("hint: "+gateway.ErrNotFound.Error()); hints != row.hints || unknown != orphans {
					r.t.Errorf("%d hints about it, want %d, and %d about others, want %d", hints, row.hints, unknown, orphans)
				}
			})
		})
	}
	t.Run("pulls the question forward", func(t *testing.T) {
		inRowOfCallbacks(t, 1, func(r *rig) {
			const outage = 10 * time.Minute // by then it is asked every five minutes, and called back every minute
			r.fault(next(sandboxfault.EffectThenHang, sandboxfault.CallSubmit, 1), next(sandboxfault.Unavailable, "", 0))
			r.wait(outage)
			r.faults.Clear()
			r.until(gateway.Credited, 80*time.Second)
			r.want(r.refunds[0], 1, "queued sending in_doubt:timeout refunded credited")
		})
	})
}

// TestF22CoreTakesBack: what is credited stays credited, for nobody asks again. What isn't yet is credited to nobody.
func TestF22CoreTakesBack(t *testing.T) {
	t.Run("after the credit", func(t *testing.T) {
		inRow(t, 1, func(r *rig, _ *refundcore.Config) { r.config.Poll = time.Second }, func(r *rig) {
			r.fault(next(sandboxfault.Reversed, sandboxfault.CallSubmit, 1))
			r.until(gateway.Credited, 3*time.Minute)
			r.wait(time.Minute)
			r.want(r.refunds[0], 1, "queued sending refunded credited")
			if effect, _ := r.effect(r.refunds[0]); effect.Reversed != 1 {
				r.t.Errorf("the core took back %d times", effect.Reversed)
			}
		})
	})
	t.Run("before anybody asked", func(t *testing.T) {
		inRow(t, 1, nil, func(r *rig) {
			r.fault(next(sandboxfault.Reversed, sandboxfault.CallSubmit, 1), next(sandboxfault.Unavailable, sandboxfault.CallStatus, 0))
			r.wait(30 * time.Second)
			r.faults.Clear()
			r.handedOver("core_says_returned", 10*time.Minute)
			if n := r.credits(r.refunds[0]); n != 0 {
				r.t.Errorf("credited %d times", n)
			}
		})
	})
}
