package sandbox_test

import (
	"fmt"
	"maps"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
)

// asked is a refund that one of the crowd has previewed.
type asked struct {
	customer  *banktest.Customer
	refundID  string
	reference string // once confirmed
}

// crowd signs n customers in and brings each to the confirm of the same one of their three requests.
func crowd(w *banktest.World, n, request int) []asked {
	all := make([]asked, n)
	few := make(chan struct{}, 16)
	w.Together(n, func(i int, w *banktest.World) {
		few <- struct{}{}
		defer func() { <-few }()
		c := w.Customer(fmt.Sprintf("c%05d", i+1))
		c.Prove()
		all[i] = asked{customer: c, refundID: insist(c, fmt.Sprintf("rq-%s-%d", c.User(), request))}
	})
	return all
}

// insist previews until the core answers: an awkward one may refuse an inquiry for a while.
func insist(c *banktest.Customer, request string) (refundID string) {
	for {
		r := c.AskFor(request)
		if r.Code() == "core_unavailable" {
			time.Sleep(200 * time.Millisecond)
			continue
		}
		var p banktest.Preview
		r.Want(201).JSON(&p)
		return p.RefundID
	}
}

// confirmAll confirms everything, a few at a time, so that refunds are carried while others are still being confirmed.
// Whatever the core does, each is answered 202. after is called by whoever was answered, with how many were by then.
func confirmAll(w *banktest.World, all []asked, after func(w *banktest.World, answered int)) {
	var answered atomic.Int32
	few := make(chan struct{}, 8)
	w.Together(len(all), func(i int, w *banktest.World) {
		few <- struct{}{}
		defer func() { <-few }()
		var receipt struct{ Reference string }
		path := "/v1/refunds/" + all[i].refundID + "/confirm"
		all[i].customer.In(w).Insist(http.MethodPost, path, nil).Want(202).JSON(&receipt)
		all[i].reference = receipt.Reference
		after(w, int(answered.Add(1)))
	})
}

// settleMax is how long a crowd may take to settle. Two answers that put a question off by a minute each are within it.
const settleMax = 4 * time.Minute

// settled waits until every refund is final, and holds them against the books: all credited, each sent with effect
// once.
func settled(t *testing.T, w *banktest.World, all []asked, within time.Duration) {
	t.Helper()
	began := time.Now()
	v := w.Settled(within)
	t.Logf("all settled after %v", time.Since(began).Round(100*time.Millisecond))
	if v.Confirmed != len(all) || v.Effects != len(all) || v.Unfinished != 0 {
		t.Errorf("of %d refunds the referee says %+v", len(all), v)
	}
	for _, a := range all {
		if r := a.customer.Refund(a.refundID); r.State != "credited" || r.Reference != a.reference {
			t.Errorf("%s, told %s, is %s %s", a.customer.User(), a.reference, r.Reference, r.State)
		}
		effects := 0
		for _, call := range w.History(a.reference) {
			if call.Call == "submit" && call.Effect {
				effects++
			}
		}
		if effects != 1 {
			t.Errorf("%s was sent with effect %d times", a.reference, effects)
		}
	}
}

// summary is what the ops listener counts: how many refunds are in each state that has any, and the breakers.
func summary(t *testing.T, w *banktest.World) (s struct {
	States   map[string]int
	Breakers map[string]struct{ State string }
}) {
	t.Helper()
	w.Ops("/ops/api/summary").Want(200).JSON(&s)
	maps.DeleteFunc(s.States, func(_ string, n int) bool { return n == 0 })
	return s
}

// TestCoreStopped: the core goes for a minute in the middle of 200 confirms. Every confirm is answered 202, nothing is
// sent with effect twice, and all is credited after the core is back.
func TestCoreStopped(t *testing.T) {
	t.Parallel()
	coreStopped(t, embedded.start(t, 200))
}

func coreStopped(t *testing.T, w *banktest.World) {
	const outage = time.Minute
	all := crowd(w, 200, 1)
	confirmAll(w, all, func(w *banktest.World, answered int) {
		if answered == 100 {
			w.Fault(banktest.Stop, banktest.OnSubmit)
		}
	})
	stopped := time.Now()
	states := summary(t, w).States
	t.Logf("when the core stopped: %v", states)
	if states["queued"] == 0 || states["queued"] == len(all) {
		t.Error("that isn't in the middle")
	}
	refusedMeanwhile(t, all[0])
	time.Sleep(time.Until(stopped.Add(outage)))
	t.Logf("a minute later: %v", summary(t, w))
	if v := w.Exact(); v.Unfinished < 100 {
		t.Errorf("without a core all but %d ended", v.Unfinished)
	}
	w.ClearFaults()
	settled(t, w, all, settleMax)
}

// refusedMeanwhile: what needs the core's word is refused while the core is away; what doesn't, isn't.
func refusedMeanwhile(t *testing.T, a asked) {
	t.Helper()
	if r := a.customer.AskFor("rq-c00001-2").Want(503, "core_unavailable"); r.Header.Get("Retry-After") == "" {
		t.Error("core_unavailable doesn't say when to come back")
	}
	a.customer.Do(http.MethodGet, "/v1/payments/e-payments", nil).Want(503, "core_unavailable")
	a.customer.Do(http.MethodGet, "/v1/profile", nil).Want(200)
	a.customer.Do(http.MethodGet, "/v1/refunds", nil).Want(200)
	if r := a.customer.Do(http.MethodPost, "/v1/refunds/"+a.refundID+"/confirm", nil).Want(202); !r.Replayed() {
		t.Error("a confirm again is no replay")
	}
}

// TestAwkwardCore: everything that can go wrong with an answer goes wrong often. Nothing is lost, doubled or lied
// about. (A send that had no effect is left to TestProveHostileCore: it rightly takes minutes before it goes again.)
func TestAwkwardCore(t *testing.T) { inProcess(t, 40, awkwardCore) }

func awkwardCore(t *testing.T, w *banktest.World) {
	all := crowd(w, 40, 1)
	for _, kind := range []banktest.Kind{banktest.Late, banktest.ResetMidAnswer, banktest.SlowBody, banktest.Malformed, banktest.BadSignature, banktest.UnknownState, banktest.EffectThenHang} {
		w.Fault(kind, banktest.OnSubmit, banktest.Rate(0.15))
	}
	for _, kind := range []banktest.Kind{banktest.StaleStatus, banktest.Late, banktest.BadSignature, banktest.Malformed, banktest.Unavailable, banktest.ShuffledFields, banktest.UnknownFields} {
		w.Fault(kind, banktest.OnStatus, banktest.Rate(0.05), banktest.Count(2))
	}
	w.Fault(banktest.DuplicateCallback, banktest.Rate(0.3))
	w.Fault(banktest.LateCallback, banktest.Rate(0.3))
	w.Fault(banktest.EffectThenHang, banktest.OnCredit, banktest.Count(2))
	w.Fault(banktest.Unavailable, banktest.OnCredit, banktest.Rate(0.2))
	confirmAll(w, all, func(*banktest.World, int) {})
	settled(t, w, all, settleMax)
	if faults := faultsOf(w); len(faults) < 10 {
		t.Errorf("hardly anything went wrong: %v", faults)
	}
}

// faultsOf counts what went wrong at the core.
func faultsOf(w *banktest.World) map[string]int {
	counts := map[string]int{}
	for _, call := range w.History("") {
		if call.Fault != "" {
			counts[call.Fault]++
		}
	}
	return counts
}
