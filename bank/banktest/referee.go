package banktest

import (
	"net/http"
	"strings"
	"time"
)

// Verdict is what the referee finds who holds everything that customers were told against the books of core and bank.
// All is well when doubles, lost and lies are zero.
type Verdict struct {
	Confirmed  int      `json:"confirmed"`  // refunds that a customer was answered 202 for
	Effects    int      `json:"effects"`    // times that the core released money to the bank
	Doubles    int      `json:"doubles"`    // requests released more than once net, or references credited twice
	Lost       int      `json:"lost"`       // answered 202, and nobody knows of it
	Lies       int      `json:"lies"`       // final statuses that the books contradict
	Unfinished int      `json:"unfinished"` // refunds that are on their way
	Verdict    string   `json:"verdict"`    // exact or violated
	Details    []string `json:"details"`
}

// Referee holds what customers were told, so far, against the books.
func (w *World) Referee() Verdict {
	w.t.Helper()
	var v Verdict
	w.control(http.MethodGet, "/referee", nil, &v)
	return v
}

// Exact fails the test unless the referee finds nothing lost, doubled or lied about. It holds at any moment, also while
// refunds are on their way.
func (w *World) Exact() Verdict {
	w.t.Helper()
	v := w.Referee()
	w.exact(v)
	return v
}

func (w *World) exact(v Verdict) {
	w.t.Helper()
	if v.Verdict != "exact" {
		w.t.Errorf("the referee says %s: %d doubles, %d lost, %d lies\n%s",
			v.Verdict, v.Doubles, v.Lost, v.Lies, strings.Join(v.Details, "\n"))
	}
}

// settleEvery is how often Settled asks: the referee reads every row.
const settleEvery = 100 * time.Millisecond

// Settled waits until no refund is on its way any more, and fails the test unless that comes within so long and all is
// exact then.
func (w *World) Settled(within time.Duration) Verdict {
	w.t.Helper()
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for began := time.Now(); ; <-tick.C {
		v := w.Referee()
		if v.Unfinished == 0 || v.Verdict != "exact" {
			w.exact(v)
			return v
		}
		if time.Since(began) > within {
			w.t.Fatalf("after %v, %d of %d refunds are on their way; the gateway says %s", within, v.Unfinished, v.Confirmed,
				w.Ops("/ops/api/summary").Body)
		}
	}
}
