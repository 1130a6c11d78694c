package dispatch_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/gateway/sqlite"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/internal/seal"
	"github.com/istirdad/istirdad/otp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is the refunds table, and what tests ask it.
type store interface {
	dispatch.Queue
	Accept(ctx context.Context, a gateway.Acceptance) (gateway.Refund, bool, error)
	Lookup(ctx context.Context, id string) (gateway.Refund, error)
	Events(ctx context.Context, id string) ([]gateway.Event, error)
	Each(ctx context.Context, visit func(gateway.Refund) error) error
	Close() error
}

// world is what dispatchers work in: a store, and a core, a ledger and a phone that keep their protocols unless a
// test's script says otherwise. It stands in a synctest bubble, so hours pass in milliseconds.
type world struct {
	t     *testing.T
	store store
	core  *core
	bank  *bank
	phone *phone
	log   *logbook
	begun time.Time

	refunds int // whose lives accidents were tried on
}

// age is how long the world has been there. Scripts go by it.
func (w *world) age() time.Duration { return time.Since(w.begun) }

// simulate runs a test in a world of its own and checks at its end that nobody was paid twice.
func simulate(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	simulateOn(t, func(*testing.T) store { return newMemory() }, test)
}

// simulateDurably is simulate on the real embedded store.
func simulateDurably(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "refunds.db")
	simulateOn(t, func(t *testing.T) store {
		sealer, err := seal.New("k1", bytes.Repeat([]byte{7}, seal.MasterLen))
		if err != nil {
			t.Fatal(err)
		}
		s, err := sqlite.Open(t.Context(), path, sealer, sqlite.Options{Migrate: true})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}, test)
}

func simulateOn(t *testing.T, open func(*testing.T) store, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{
			t: t, store: open(t), core: newCore(), bank: newBank(), phone: newPhone(), log: &logbook{}, begun: time.Now(),
		}
		t.Cleanup(func() {
			w.checkMoney()
			if err := w.store.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		test(t, w)
	})
}

// config is a dispatcher's in this world.
func (w *world) config() dispatch.Config {
	return dispatch.Config{
		Queue: w.store, Core: w.core, Ledger: w.bank, Recipients: w.phone, SMS: w.phone,
		Wording: func(service string) (moi.Service, otp.Brand) {
			return moi.Describe(service), otp.Brand{Sender: "TestBank"}
		},
		Log: slog.New(slog.NewTextHandler(w.log, nil)),
	}
}

// every is config with another poll: a day needn't be looked at five times a second.
func (w *world) every(poll time.Duration) dispatch.Config {
	c := w.config()
	c.Poll = poll
	return c
}

// start sets a dispatcher to work. stop, or the end of the test, ends it and waits for it.
func (w *world) start(c dispatch.Config) (d *dispatch.Dispatcher, stop func()) {
	d = dispatch.New(c)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { d.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	w.t.Cleanup(stop)
	return d, stop
}

// acceptance is the n-th confirmed preview, of a request of its own.
func acceptance(n int) gateway.Acceptance {
	payer, err := saudi.NewParty(saudi.KindNationalID, "1000000008")
	if err != nil {
		panic(err)
	}
	to, err := saudi.NewIBAN("80", "608010167519001")
	if err != nil {
		panic(err)
	}
	return gateway.Acceptance{
		ID: fmt.Sprintf("0198f0c0-0000-7000-8000-%012d", n), Bank: "80",
		Origin: gateway.Origin{Customer: "p03", Session: "sid-1", Client: "app", Channel: gateway.Online},
		Payment: gateway.Payment{
			RequestID: fmt.Sprintf("rq-%04d", n), Service: "090-003", Name: moi.Name{EN: "Renew Iqama"},
			Amount: 650_00, Payer: payer,
		},
		To: to, Challenge: fmt.Sprintf("challenge-%d", n), At: time.Now(),
		Promised: saudi.DateOf(time.Now().Add(120 * time.Hour)),
		Rules:    gateway.Rules{Limit: 1_000_000_000},
	}
}

// accept records the n-th refund.
func (w *world) accept(n int) gateway.Refund { return w.acceptAs(acceptance(n)) }

// acceptTo records the n-th refund and how the core will treat it; before a dispatcher runs.
func (w *world) acceptTo(n int, s script) gateway.Refund {
	w.t.Helper()
	r := w.accept(n)
	w.core.own[r.Reference] = s
	return r
}

// acceptAs records a refund.
func (w *world) acceptAs(a gateway.Acceptance) gateway.Refund {
	w.t.Helper()
	r, first, err := w.store.Accept(w.t.Context(), a)
	if err != nil || !first {
		w.t.Fatalf("accept: first %t, %v", first, err)
	}
	return r
}

// move is a move that a test makes itself, at a time of its choice.
type move func(r gateway.Refund, by gateway.By) (gateway.Change, error)

func send(r gateway.Refund, by gateway.By) (gateway.Change, error)  { return r.Send(by, 0) }
func doubt(r gateway.Refund, by gateway.By) (gateway.Change, error) { return r.Doubt(by, by.At) }
func taken(r gateway.Refund, by gateway.By) (gateway.Change, error) {
	return r.Accept(by, "GC-1", by.At)
}

func release(r gateway.Refund, by gateway.By) (gateway.Change, error)  { return r.Release(by, "GC-1") }
func escalate(r gateway.Refund, by gateway.By) (gateway.Change, error) { return r.Escalate(by, "test") }

func refuse(r gateway.Refund, by gateway.By) (gateway.Change, error) {
	return r.RefuseCredit(by, "account_closed")
}

// past is a refund that went through the moves some time ago, and the core's script for what comes.
func (w *world) past(n int, ago time.Duration, s script, moves ...move) gateway.Refund {
	w.t.Helper()
	a := acceptance(n)
	a.At = time.Now().Add(-ago)
	r := w.acceptAs(a)
	w.core.own[r.Reference] = s
	for _, move := range moves {
		change, err := move(r, gateway.Dispatcher(a.At, gateway.Evidence{"cause": "test"}))
		if err != nil {
			w.t.Fatal(err)
		}
		if err := w.store.Apply(w.t.Context(), change); err != nil {
			w.t.Fatal(err)
		}
		r = change.Refund()
	}
	return r
}

func (w *world) now(r gateway.Refund) gateway.Refund {
	w.t.Helper()
	r, err := w.store.Lookup(context.Background(), r.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// until waits for a refund to reach a state, and returns it.
func (w *world) until(r gateway.Refund, state gateway.State, atMost time.Duration) gateway.Refund {
	w.t.Helper()
	for end := time.Now().Add(atMost); ; time.Sleep(min(time.Second, atMost/60)) {
		switch now := w.now(r); {
		case now.State == state:
			return now
		case now.State.Final() || time.Now().After(end):
			w.t.Fatalf("%s after %d sends (%s), not %s within %s", now.State, now.Sends, now.Reason, state, atMost)
		}
	}
}

// want fails unless the refund stands there.
func (w *world) want(r gateway.Refund, state gateway.State, reason string) gateway.Refund {
	w.t.Helper()
	now := w.now(r)
	if now.State != state || now.Reason != reason {
		w.t.Errorf("%s: %s (%q), want %s (%q)", r.Payment.RequestID, now.State, now.Reason, state, reason)
	}
	return now
}

// wantTold waits until the customer was told of the credit, or can't be.
func (w *world) wantTold(r gateway.Refund, notice gateway.Notice, atMost time.Duration) {
	w.t.Helper()
	for end := time.Now().Add(atMost); w.now(r).Notice != notice; time.Sleep(atMost / 60) {
		if time.Now().After(end) {
			w.t.Fatalf("notice %q, want %q", w.now(r).Notice, notice)
		}
	}
}

// checkMoney compares the three books: per refund one release at most, one credit at most, and never a credit of what
// was taken back.
func (w *world) checkMoney() {
	w.t.Helper()
	err := w.store.Each(context.Background(), func(r gateway.Refund) error {
		core, credited := w.core.book[r.Reference], w.bank.book[r.Reference].LedgerID != ""
		switch {
		case core.effects > 1 || w.bank.credits[r.Reference] > 1:
			w.t.Errorf("%s: %d effects at the core, %d credits", r.Reference, core.effects, w.bank.credits[r.Reference])
		case core.state == dispatch.CoreReturned && credited:
			w.t.Errorf("%s: taken back and credited", r.Reference)
		case r.State == gateway.Credited && (!credited || core.state != dispatch.CoreRefunded):
			w.t.Errorf("%s: shown credited; the core says %q, the ledger %t", r.Reference, core.state, credited)
		case r.State == gateway.Rejected && (core.state == dispatch.CoreRefunded || core.state == dispatch.CorePending):
			w.t.Errorf("%s: shown rejected; the core says %q", r.Reference, core.state)
		}
		return nil
	})
	if err != nil {
		w.t.Error(err)
	}
}

// logbook is a log that tests read.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) has(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.text.Bytes(), []byte(s))
}
