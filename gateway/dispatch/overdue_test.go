package dispatch_test

import (
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
)

func day(n int) saudi.Date { return saudi.Date{Year: 2000, Month: time.January, Day: n} } // the 1st is a Saturday

// TestOverdue: nothing stays with a machine for ever. What the other side doesn't settle in its time goes to people, and
// not an hour before. Its time is the bank's: weekends and holidays don't count.
func TestOverdue(t *testing.T) {
	silent := func(string, int) outcome { return fails(errTimeout) }
	for name, row := range map[string]struct {
		life  []move
		core  script
		state gateway.State
		until int // the day of January 2000 at whose end its time is over
	}{
		"a credit that the bank doesn't settle":    {[]move{send, release}, silent, gateway.Refunded, 5},
		"a return that the core doesn't settle":    {[]move{send, release, refuse}, silent, gateway.Returning, 5},
		"a refund that the core goes on with":      {[]move{send, taken}, stillPending, gateway.Pending, 12},
		"a pending one that the core is silent on": {[]move{send, taken}, silent, gateway.Pending, 12},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				w.bank.script = func(string, int) posting { return hangs }
				time.Sleep(time.Until(day(2).At(12, 0))) // a Sunday
				r := w.past(1, 0, row.core, row.life...)
				c := w.every(time.Minute)
				c.Calendar = func() saudi.Calendar { return saudi.Calendar{Holidays: map[saudi.Date]bool{day(10): true}} }
				time.Sleep(time.Until(day(row.until).At(22, 0)))
				w.start(c)
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
