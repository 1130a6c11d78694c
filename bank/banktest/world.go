package banktest

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/istirdad/istirdad/internal/sandbox"
)

// World is a running sandbox, seen by one goroutine of a test.
type World struct {
	t       testing.TB
	sandbox *sandbox.World // nil when it runs elsewhere
	urls    sandbox.URLs
	client  *http.Client
	hear    func(*Response)
	known   *acquaintances

	gateways  []string       // where calls of customers go, in turn
	turn      *atomic.Uint64 // of the gateways
	elsewhere bool           // are the gateways: the referee must be told what they answer
}

// Start brings a world up and takes it down when the test ends.
func Start(t testing.TB, how ...Option) *World {
	t.Helper()
	o := options{Options: sandbox.Options{Polite: true}, hear: func(*Response) {}}
	for _, option := range how {
		option(&o)
	}
	world, err := sandbox.Start(t.Context(), o.Options)
	if err != nil {
		t.Fatalf("the sandbox doesn't start: %v", err)
	}
	w := see(t, world.URLs(), []string{world.URLs().Gateway})
	w.sandbox, w.hear = world, o.hear
	t.Cleanup(w.Close)
	return w
}

// Attach is the world of a sandbox that runs in a process of its own, as its -print-json tells the URLs. Calls of
// customers go to the gateways in turn, wherever a session began; every 202 to a confirm is handed to the referee, which
// sees no wire of theirs. Without gateways the sandbox's own is called. Whoever attaches says in urls.Ops whom Ops asks,
// since a sandbox without a gateway doesn't know.
func Attach(t testing.TB, urls sandbox.URLs, gateways ...string) *World {
	t.Helper()
	elsewhere := len(gateways) > 0
	if !elsewhere {
		gateways = []string{urls.Gateway}
	}
	w := see(t, urls, gateways)
	w.elsewhere = elsewhere
	t.Cleanup(w.Close)
	return w
}

func see(t testing.TB, urls sandbox.URLs, gateways []string) *World {
	return &World{
		t: t, urls: urls, client: newClient(), hear: func(*Response) {}, known: new(acquaintances),
		gateways: gateways, turn: new(atomic.Uint64),
	}
}

// Close takes a world that was started down before the test ends, as a machine is switched off for the night. One that
// runs elsewhere goes on.
func (w *World) Close() {
	w.client.CloseIdleConnections()
	if w.sandbox != nil {
		w.sandbox.Close()
	}
}

// Sandbox is the world itself, for what the helpers don't offer; nil when it runs elsewhere.
func (w *World) Sandbox() *sandbox.World { return w.sandbox }

// URLs says where everything answers.
func (w *World) URLs() sandbox.URLs { return w.urls }

// For is the same world, whose helpers report to a test's subtest.
func (w *World) For(t testing.TB) *World {
	there := *w
	there.t = t
	return &there
}

// gateway is whose turn it is.
func (w *World) gateway() string {
	return w.gateways[w.turn.Add(1)%uint64(len(w.gateways))]
}

// Ops calls the ops listener as an operator does, and returns whatever it answers.
func (w *World) Ops(path string) *Response {
	w.t.Helper()
	header := http.Header{"Authorization": {"Bearer " + w.Customer("o01").Token}}
	r, err := w.send(http.MethodGet, w.urls.Ops+path, header, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// Together runs do n times at once and waits for all. Each gets a World of its own, whose helpers report to the test
// and stop that goroutine alone; customers come along by [Customer.In].
func (w *World) Together(n int, do func(i int, w *World)) {
	w.t.Helper()
	var (
		start = make(chan struct{})
		done  = make(chan struct{})
	)
	for i := range n {
		go func() {
			defer func() { done <- struct{}{} }()
			<-start
			do(i, w.For(offside{w.t}))
		}()
	}
	close(start)
	for range n {
		<-done
	}
}
