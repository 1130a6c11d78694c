package fleet_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/internal/fleet"
)

// TestTwoVersions: a rolling deploy in the middle of a crowd's confirms. The next release's migration runs, its gateway
// joins, the old one goes on and can even be restarted; then the old one leaves. Nothing is lost, doubled or refused.
func TestTwoVersions(t *testing.T) {
	t.Parallel()
	const many = 90
	version := fleet.BuildNext(t, "gateway-next", `-- oldest: 2
ALTER TABLE refunds ADD COLUMN note text NOT NULL DEFAULT '';
CREATE TABLE notes (refund_id text NOT NULL PRIMARY KEY, note text NOT NULL);
`)
	f := fleet.Start(t, fleet.Options{Crowd: many})
	all := crowd(f.World, many, 1)
	steps := map[int]func(){
		many / 6: func() { f.Migrate("gateway-next") },
		many / 3: func() {
			f.Replace(1, "gateway-next")
		},
		many / 2: func() {
			if _, err := f.Gateways[0].Stop(21 * time.Second); err != nil {
				t.Errorf("the old one: %v", err)
			}
			f.Gateways[0].Start() // an old release meets the new schema
			f.Gateways[0].AwaitReady()
		},
		many * 2 / 3: func() { f.Replace(0, "gateway-next") },
	}
	done := make(chan struct{}, len(steps))
	begun := make(chan func(), len(steps))
	go func() { // one after the other, while the crowd goes on
		for step := range begun {
			over := make(chan struct{})
			go func() { defer close(over); step() }() // a step that fails ends its goroutine
			<-over
			done <- struct{}{}
		}
	}()
	confirmAll(t, f.World, all, func(answered int) {
		if step := steps[answered]; step != nil {
			begun <- step
		}
	})
	close(begun)
	for range steps {
		<-done
	}
	settled(t, f, many)
	if got := f.SQL(`SELECT max(version) FROM schema_migrations`); got != strconv.Itoa(version) {
		t.Errorf("the schema is at %s", got)
	}
	for _, g := range f.Gateways {
		if strings.Contains(g.Log(), `"level":"ERROR"`) {
			t.Errorf("%s logged errors:\n%s", g.Channel, g.Log())
		}
	}
}
