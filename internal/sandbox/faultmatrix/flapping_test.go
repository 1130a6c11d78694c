package faultmatrix_test

import (
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/refundcore"
	"github.com/istirdad/istirdad/internal/sandboxfault"
)

// TestF16Flapping: a core that is there for one second of two, and slow, so that many an answer is lost. The breaker keeps
// most of it away from fifty refunds; each is credited once, and the core receives hardly more sends than there are refunds.
func TestF16Flapping(t *testing.T) {
	const refunds, flapping = 50, 3 * time.Minute
	inRow(t, refunds, func(r *rig, _ *refundcore.Config) { r.config.Poll = 700 * time.Millisecond }, func(r *rig) {
		r.fault(
			sandboxfault.Fault{Kind: sandboxfault.Flapping, Match: sandboxfault.Match{Call: sandboxfault.CallSubmit}},
			sandboxfault.Fault{Kind: sandboxfault.Late, Rate: 0.5, Match: sandboxfault.Match{Call: sandboxfault.CallSubmit}},
		)
		r.wait(flapping)
		r.wantBudget(refunds * 11 / 10)
		r.faults.Clear()
		r.until(gateway.Credited, 30*time.Minute)
		r.wantBudget(refunds * 11 / 10)
		doubts := 0
		for _, of := range r.refunds {
			doubts += strings.Count(r.path(of), string(gateway.InDoubt))
		}
		if doubts == 0 {
			r.t.Error("no answer was lost")
		}
		if r.log.count(`msg="refund core: breaker"`, "call=submit", "to=open") == 0 {
			r.t.Error("the breaker of the sends never opened")
		}
	})
}
