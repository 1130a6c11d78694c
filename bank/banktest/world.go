package banktest

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/istirdad/istirdad/internal/sandbox"
)

// World is a running world, as a test sees it. Its helpers stop the test when something isn't as it should be, so they
// are for the goroutine that the test runs on; [World.Together] gives a World to each of many goroutines.
type World struct {
	t       testing.TB
	sandbox *sandbox.World // nil when it runs elsewhere
	urls    URLs
	client  *http.Client
	channel *http.Client // for calls of customers
	hear    func(*Response)
	known   *acquaintances
	codes   *codes
	faulty  *atomic.Bool // a fault was switched on

	gateways  []string       // where calls of customers go, in turn
	turn      *atomic.Uint64 // of the gateways
	elsewhere bool           // are the gateways: the referee must be told what they answer
}

// Start brings a world up on free ports and takes it down when the test ends, with all that it took: files, ports,
// goroutines. It takes some 50 ms, so that each test can have its own; any number may run at the same time.
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
	urls := URLs(world.URLs())
	w := see(t, urls, []string{urls.Gateway})
	w.sandbox, w.hear = world, o.hear
	if o.through != nil {
		through := *w.client
		through.Transport = o.through(w.client.Transport)
		w.channel = &through
	}
	t.Cleanup(w.Close)
	return w
}

// Attach is the world of a sandbox that runs in a process of its own, as its -print-json tells the URLs. Calls of
// customers go to the gateways in turn, wherever a session began; every 202 to a confirm is handed to the referee, which
// sees no wire of theirs. Without gateways the sandbox's own is called. Whoever attaches says in urls.Ops whom Ops asks,
// since a sandbox without a gateway doesn't know.
func Attach(t testing.TB, urls URLs, gateways ...string) *World {
	t.Helper()
	elsewhere := len(gateways) > 0
	if !elsewhere {
		gateways = []string{urls.Gateway}
	}
	w := see(t, urls, gateways)
	w.elsewhere = elsewhere
	if inbox := w.Messages(); len(inbox) > 0 {
		w.codes.since = inbox[0].ID
	}
	t.Cleanup(func() {
		w.leave()
		w.Close()
	})
	return w
}

func see(t testing.TB, urls URLs, gateways []string) *World {
	client := newClient()
	return &World{
		t: t, urls: urls, client: client, channel: client, hear: func(*Response) {},
		known: new(acquaintances), codes: new(codes), faulty: new(atomic.Bool),
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

// URLs says where everything answers.
func (w *World) URLs() URLs { return w.urls }

// For is the same world, whose helpers report to a test's subtest.
func (w *World) For(t testing.TB) *World {
	there := *w
	there.t = t
	return &there
}

// T is the test that helpers report to. Within [World.Together] it is what to hand to a [Phone].
func (w *World) T() testing.TB { return w.t }

// gateway is whose turn it is.
func (w *World) gateway() string {
	return w.gateways[w.turn.Add(1)%uint64(len(w.gateways))]
}

// Ops calls the ops listener as an operator does, and returns whatever it answers.
func (w *World) Ops(path string) *Response {
	w.t.Helper()
	header := http.Header{"Authorization": {"Bearer " + w.Customer("o01").Token}}
	r, err := w.send(w.client, http.MethodGet, w.urls.Ops+path, header, nil)
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
