package dispatch_test

import (
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
)

// TestOverdue: nothing stays with a machine for ever. What the other side doesn't settle in its time goes to people, and
// not an hour before.
func TestOverdue(t *testing.T) {
	silent := func(string, int) outcome { return fails(errTimeout) }
	for name, row := range map[string]struct {
		life  []move
		core  script
		state gateway.State
		days  int
	}{
		"a credit that the bank doesn't settle":    {[]move{send, release}, silent, gateway.Refunded, 3},
		"a return that the core doesn't settle":    {[]move{send, release, refuse}, silent, gateway.Returning, 3},
		"a refund that the core goes on with":      {[]move{send, taken}, stillPending, gateway.Pending, 7},
		"a pending one that the core is silent on": {[]move{send, taken}, silent, gateway.Pending, 7},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				w.bank.script = func(string, int) posting { return hangs }
				end := time.Duration(row.days) * 24 * time.Hour
				r := w.past(1, end-2*time.Hour, row.core, row.life...)
				w.start(w.every(time.Minute))
				time.Sleep(time.Hour)
				if now := w.now(r); now.State != row.state {
					t.Errorf("%s an hour before its time", now.State)
				}
				time.Sleep(2 * time.Hour)
				w.want(r, gateway.Manual, "unsettled_too_long")
			})
		})
	}
}
