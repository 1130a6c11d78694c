package sandbox_test

import (
	"os"
	"testing"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api/apitest"
	"github.com/istirdad/istirdad/internal/fleet"
	"github.com/istirdad/istirdad/internal/pgtest"
	"github.com/istirdad/istirdad/internal/redistest"
)

// postgresql has room for the pools of several worlds at once.
var postgresql = pgtest.NewShared(pgtest.Setting("max_connections", "400"))

func TestMain(m *testing.M) { os.Exit(fleet.Main(runner(func() int { return postgresql.Main(m) }))) }

type runner func() int

func (r runner) Run() int { return r() }

// A kind of world in which a case can be played. A case takes its world as it comes, at its seed, and doesn't ask where
// gateway and stores are.
type kind struct {
	name   string
	rounds int // how often a crowd comes together: a race that is lost once in a while is to be lost here
	start  func(t *testing.T, crowd int) *banktest.World
}

var (
	embedded = kind{"embedded", 5, func(t *testing.T, crowd int) *banktest.World {
		t.Helper()
		return apitest.Start(t, banktest.Crowd(crowd))
	}}
	onServers = kind{"servers", 2, func(t *testing.T, crowd int) *banktest.World {
		t.Helper()
		return apitest.Start(t, banktest.Crowd(crowd), servers(t))
	}}
	// twoGateways are processes of their own on servers, with the stand-ins in a third. Customers' calls go to either.
	twoGateways = kind{"two gateways", 2, func(t *testing.T, crowd int) *banktest.World {
		t.Helper()
		return fleet.Start(t, fleet.Options{Crowd: crowd}).World
	}}
)

// servers are a database and a Redis of this test alone.
func servers(t *testing.T) banktest.Option {
	t.Helper()
	return banktest.Servers(postgresql.Database(t).Owner, redistest.Start(t).URL())
}

// everywhere plays a case in one process with the embedded stores, and over two gateways on real servers: the cases in
// which something has to have one winner.
func everywhere(t *testing.T, crowd int, play func(t *testing.T, w *banktest.World, rounds int)) {
	t.Helper()
	in(t, []kind{embedded, twoGateways}, crowd, play)
}

// inProcess plays a case in one process, on embedded stores and on real ones: all others.
func inProcess(t *testing.T, crowd int, play func(t *testing.T, w *banktest.World)) {
	t.Helper()
	in(t, []kind{embedded, onServers}, crowd, func(t *testing.T, w *banktest.World, _ int) {
		t.Helper()
		play(t, w)
	})
}

func in(t *testing.T, kinds []kind, crowd int, play func(t *testing.T, w *banktest.World, rounds int)) {
	t.Helper()
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			play(t, k.start(t, crowd), k.rounds)
		})
	}
}
