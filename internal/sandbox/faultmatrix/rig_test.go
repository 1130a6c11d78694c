package faultmatrix_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/bank/corebanking"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/gateway/refundcore"
	"github.com/istirdad/istirdad/gateway/sqlite"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/outbound/outboundtest"
	"github.com/istirdad/istirdad/internal/sandboxbank"
	"github.com/istirdad/istirdad/internal/sandboxcore"
	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/sandboxseed"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/internal/seal"
	"github.com/istirdad/istirdad/otp"
)

// rig is a gateway's way to the core and to the bank's ledger: dispatcher, store and both clients are the real ones, core
// and bank the stand-ins, and HTTP goes between them. Only the SMS route is a fake. It stands in a synctest bubble, so
// that minutes pass in milliseconds. The core calls back in the row of callbacks alone: what the others show, the
// gateway's own questions find out.
type rig struct {
	t      *testing.T
	begun  time.Time
	faults *sandboxfault.Board
	core   *sandboxcore.Core
	bank   *sandboxbank.Bank
	wire   *wire
	client *refundcore.Client
	store  *sqlite.Store
	seed   sandboxseed.World
	told   *tally
	log    *logbook
	inbox  *inbox
	config dispatch.Config
	at     *dispatch.Dispatcher
	halt   func()

	meant   []sandboxfault.Fault // to happen in this row
	refunds []gateway.Refund
	people  map[string]string         // why people have it, by id, of those that end with them
	ended   map[string]gateway.Status // what was shown of those that are over, by id

	mu    sync.Mutex
	front func(next http.Handler) http.Handler
}

// inRow runs a test in a world of its own, with so many refunds accepted, and judges at its end what everybody did.
// change may be nil.
func inRow(t *testing.T, refunds int, change func(r *rig, c *refundcore.Config), test func(r *rig)) {
	t.Helper()
	inRowOf(t, "", refunds, change, test)
}

// inRowOfCallbacks is inRow with a core that calls back.
func inRowOfCallbacks(t *testing.T, refunds int, test func(r *rig)) {
	t.Helper()
	inRowOf(t, "http://gateway.example/callbacks/core", refunds, nil, test)
}

func inRowOf(t *testing.T, callback string, refunds int, change func(r *rig, c *refundcore.Config), test func(r *rig)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{
			t: t, begun: time.Now(), faults: sandboxfault.NewBoard(1), seed: sandboxseed.New(refunds, time.Now()),
			told: &tally{counts: map[string]int{}}, log: &logbook{}, inbox: &inbox{sent: map[string]int{}},
			people: map[string]string{}, ended: map[string]gateway.Status{},
		}
		r.standIns(callback)
		r.gateway(change)
		for n := range refunds {
			r.accept(fmt.Sprintf("rq-c%05d-1", n+1))
		}
		r.run()
		test(r)
		r.judge()
	})
}

func (r *rig) standIns(callback string) {
	t := r.t
	users := map[string]string{}
	for _, p := range r.seed.People {
		users[p.IDNumber] = p.User
	}
	var err error
	r.core, err = sandboxcore.New(sandboxcore.Config{
		Seed: 1, Requests: r.seed.Requests, UserOf: func(number string) string { return users[number] },
		Faults: r.faults, Polite: true, SettleMin: time.Second, SettleMax: time.Second,
		CallbackURL: callback, Transport: receiver{r},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.core.Close(); err != nil {
			t.Error(err)
		}
	})
	r.bank, err = sandboxbank.Open(sandboxbank.Config{Issuer: "http://bank.example", World: r.seed, Board: r.faults})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.bank.Close(); err != nil {
			t.Error(err)
		}
	})
	r.wire = &wire{home: "core.example:80", through: outboundtest.Dial(t, r.answer)}
	t.Cleanup(r.wire.dawdling.Wait)
	r.faults.OnChange(func() { r.wire.shut(r.faults.Stopped(sandboxfault.CallSubmit)) })
}

// answer is the core's, or whatever stands before it.
func (r *rig) answer(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	front := r.front
	r.mu.Unlock()
	if front == nil {
		front = func(next http.Handler) http.Handler { return next }
	}
	front(r.core.Handler()).ServeHTTP(w, req)
}

// receiver is where the core's callbacks arrive.
type receiver struct{ *rig }

// RoundTrip is part of http.RoundTripper. It does what a gateway does with a callback, and answers as it would.
func (r receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	status := http.StatusNoContent
	if callback, err := r.client.VerifyCallback(req, body); err != nil {
		status = http.StatusUnauthorized
	} else if err := r.at.Hint(req.Context(), callback.Reference); err != nil {
		r.told.add("hint: %v", err)
	} else {
		r.told.add("hint")
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}

// before puts something before the core: a box that changes what it answers. nil: nothing.
func (r *rig) before(front func(next http.Handler) http.Handler) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.front = front
}

// poll is how often the gateway looks for what is due, and step how often a row looks at its refunds: what a customer was
// told wrongly stays wrong, so it isn't missed.
const (
	poll = 10 * time.Second
	step = 10 * time.Second
)

// rarely is for rows that last: a gateway that looks less often.
func rarely(r *rig, _ *refundcore.Config) { r.config.Poll = 20 * time.Second }

func (r *rig) gateway(change func(*rig, *refundcore.Config)) {
	t := r.t
	log := slog.New(slog.NewTextHandler(r.log, nil))
	key := sandboxcore.TestKey()
	toCore := refundcore.Config{
		BaseURL: "http://core.example", KeyID: "bank-" + sandboxseed.BankCode, Key: key,
		CoreKeys: map[string]ed25519.PublicKey{"core-1": key.Public().(ed25519.PublicKey)},
		Dial:     r.wire.dial, Log: log,
		Observe: func(call, outcome string, _ time.Duration) { r.told.add("core %s %s", call, outcome) },
	}
	r.openStore()
	toBank, err := corebanking.New(corebanking.Config{URL: "http://bank.example", Dial: outboundtest.Dial(t, r.bank.Handler().ServeHTTP)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(toBank.Close)
	r.config = dispatch.Config{
		Queue: r.store, Ledger: toBank, Recipients: toBank, SMS: r.inbox, Log: log, Metrics: r.told, Poll: poll,
		Wording: func(service string) (moi.Service, otp.Brand) {
			return moi.Describe(service), otp.Brand{Sender: "TestBank"}
		},
	}
	if change != nil {
		change(r, &toCore)
	}
	if r.client, err = refundcore.New(toCore); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.client.Close)
	r.config.Core = r.client
}

// openStore opens a copy of an empty book: making one takes longer than most rows.
func (r *rig) openStore() {
	t := r.t
	t.Helper()
	sealer, err := seal.New("k1", bytes.Repeat([]byte{7}, seal.MasterLen))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "refunds.db")
	empty.once.Do(func() {
		made, err := sqlite.Open(t.Context(), path, sealer, sqlite.Options{Migrate: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := made.Close(); err != nil {
			t.Fatal(err)
		}
		if empty.book, err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	})
	if err := os.WriteFile(path, empty.book, 0o600); err != nil {
		t.Fatal(err)
	}
	if r.store, err = sqlite.Open(t.Context(), path, sealer, sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.store.Close(); err != nil {
			t.Error(err)
		}
	})
}

var empty struct {
	once sync.Once
	book []byte
}

// run sets the dispatcher to work, until halt or the end of the test.
func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	r.at = dispatch.New(r.config)
	running.Go(func() {
		time.Sleep(time.Millisecond) // until the test has said what goes wrong
		r.at.Run(ctx)
	})
	r.halt = func() { cancel(); running.Wait() }
	r.t.Cleanup(r.halt)
}

// accept records the refund of a paid request: from now on the customer has been told that it is accepted.
func (r *rig) accept(request string) {
	t := r.t
	t.Helper()
	at := slices.IndexFunc(r.seed.Requests, func(paid sandboxseed.Request) bool { return paid.ID == request })
	paid := r.seed.Requests[at]
	payer, err := saudi.NewParty(saudi.Kind(paid.PayerKind), paid.PayerNumber)
	if err != nil {
		t.Fatal(err)
	}
	to, err := saudi.ParseIBAN(paid.PaidFromIBAN)
	if err != nil {
		t.Fatal(err)
	}
	refund, first, err := r.store.Accept(t.Context(), gateway.Acceptance{
		ID: fmt.Sprintf("0198f0c0-0000-7000-8000-%012d", len(r.refunds)+1), Bank: sandboxseed.BankCode,
		Origin: gateway.Origin{Customer: strings.Split(request, "-")[1], Session: "sid-1", Client: "app", Channel: gateway.Online},
		Payment: gateway.Payment{
			RequestID: paid.ID, Service: paid.Service, Name: paid.Variant, Amount: money.Amount(paid.Amount), Payer: payer, Beneficiary: payer,
		},
		To: to, Challenge: fmt.Sprintf("challenge-%d", len(r.refunds)+1), At: time.Now(),
		Promised: saudi.DateOf(time.Now().Add(120 * time.Hour)), Rules: gateway.Rules{Limit: 1_000_000_000},
	})
	if err != nil || !first {
		t.Fatalf("accept: first %t, %v", first, err)
	}
	r.refunds = append(r.refunds, refund)
}

// age is how long the row has lasted.
func (r *rig) age() time.Duration { return time.Since(r.begun) }

// fault switches faults on, in place of those that are.
func (r *rig) fault(faults ...sandboxfault.Fault) {
	r.t.Helper()
	if err := r.faults.Set(faults); err != nil {
		r.t.Fatal(err)
	}
	r.meant = append(r.meant, faults...)
}

// a fault that befalls the next count calls of a kind; 0: all of them, until it is cleared.
func next(kind, call string, count int) sandboxfault.Fault {
	return sandboxfault.Fault{Kind: kind, Count: count, Match: sandboxfault.Match{Call: call}}
}

// look is what the refund is now. What its customer is shown by it is held against what is true at this moment, and against
// what they were shown before: an end is an end.
func (r *rig) look(of gateway.Refund) gateway.Refund {
	r.t.Helper()
	now, err := r.store.Lookup(context.Background(), of.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	effect, accepted := r.effect(of)
	released, returned, credited := effect.Released, effect.Returned, r.credits(of)
	status, lie := now.State.Status(), false
	switch status {
	case gateway.StatusCompleted:
		lie = released != 1 || returned != 0 || credited != 1
	case gateway.StatusVisitBranch:
		lie = released != 1 || returned != 1 || credited != 0
	case gateway.StatusRejected:
		lie = released != 0 || credited != 0
	case gateway.StatusCancelled:
		lie = accepted
	default: // under way is always true until it ends
	}
	if lie {
		r.t.Errorf("after %s %s is shown %s (%s); the core released %d and took back %d, the bank credited %d",
			r.age(), of.Reference, status, now.State, released, returned, credited)
	}
	if before := r.ended[of.ID]; before != "" && before != status {
		r.t.Errorf("after %s %s is shown %s; it was shown %s", r.age(), of.Reference, status, before)
	}
	if status != gateway.StatusProcessing {
		r.ended[of.ID] = status
	}
	return now
}

// effect is what the core did under the refund's reference.
func (r *rig) effect(of gateway.Refund) (effect sandboxcore.Effect, accepted bool) {
	for _, e := range r.core.Truth() {
		if e.Reference == of.Reference {
			return e, true
		}
	}
	return sandboxcore.Effect{}, false
}

// credits is how often the bank credited the account under the refund's reference.
func (r *rig) credits(of gateway.Refund) (posted int) {
	for _, c := range r.bank.Credits() {
		if c.Reference == of.Reference {
			posted += c.Posted
			if c.IBAN != of.To.Compact() || c.Amount != int64(of.Payment.Amount) {
				r.t.Errorf("%s: %d halalas were credited to another account, or another sum", of.Reference, c.Amount)
			}
		}
	}
	return posted
}

// sends are the submissions that the core received about the refund, in order.
func (r *rig) sends(of gateway.Refund) []sandboxcore.Call {
	return slices.DeleteFunc(r.core.History(of.Reference), func(c sandboxcore.Call) bool { return c.Call != sandboxfault.CallSubmit })
}

// asked is how many questions of a kind the core received, about whatever.
func (r *rig) asked(call string) (n int) {
	for _, c := range r.core.History("") {
		if c.Call == call {
			n++
		}
	}
	return n
}

// wait lets time pass, looking at every refund each step.
func (r *rig) wait(d time.Duration) {
	r.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(min(step, time.Until(end)))
		for _, of := range r.refunds {
			r.look(of)
		}
	}
}

// until waits until every refund is in the state, at most so long, and says how long the row has lasted by then.
func (r *rig) until(state gateway.State, atMost time.Duration) time.Duration {
	r.t.Helper()
	open := slices.Clone(r.refunds)
	for end := time.Now().Add(atMost); ; time.Sleep(r.config.Poll) {
		open = slices.DeleteFunc(open, func(of gateway.Refund) bool { return r.look(of).State == state })
		if len(open) == 0 {
			return r.age()
		}
		if now := r.look(open[0]); now.State.Final() || time.Now().After(end) {
			r.t.Fatalf("%d of %d refunds aren't %s within %s; one is %s (%q) after %d sends\n%s",
				len(open), len(r.refunds), state, atMost, now.State, now.Reason, now.Sends, r.story(open[0]))
		}
	}
}

// handedOver waits until people have every refund, at most so long, and for that reason. No machine touches it again.
func (r *rig) handedOver(reason string, atMost time.Duration) {
	r.t.Helper()
	r.until(gateway.Manual, atMost)
	for _, of := range r.refunds {
		r.people[of.ID] = reason
	}
	if n := r.told.of("people: " + reason); n != len(r.refunds) {
		r.t.Errorf("%d were counted as handed over for %s, want %d", n, reason, len(r.refunds))
	}
}

// story is what the core received about a refund, and what the gateway made of it: for whoever reads a failure.
func (r *rig) story(of gateway.Refund) string {
	var text strings.Builder
	for _, c := range r.core.History(of.Reference) {
		fmt.Fprintf(&text, "%8s  %s %d %s\n", c.At.Sub(r.begun).Round(time.Millisecond), c.Call, c.Status, c.Fault)
	}
	for _, e := range r.events(of) {
		fmt.Fprintf(&text, "%8s  %s to %s %v\n", e.At.Sub(r.begun).Round(time.Millisecond), e.From, e.To, e.Evidence)
	}
	return text.String()
}

func (r *rig) events(of gateway.Refund) []gateway.Event {
	events, err := r.store.Events(context.Background(), of.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	return events
}

// path is the states that the refund went through, with the cause of each doubt. Pending isn't told: the core may release
// at once.
func (r *rig) path(of gateway.Refund) string {
	var steps []string
	for _, e := range r.events(of) {
		if e.To == gateway.Pending {
			continue
		}
		step := string(e.To)
		if e.To == gateway.InDoubt {
			step += ":" + e.Evidence["cause"]
		}
		steps = append(steps, step)
	}
	return strings.Join(steps, " ")
}

// want fails unless the refund is there, by that path and after so many sends.
func (r *rig) want(of gateway.Refund, sends int, path string) {
	r.t.Helper()
	if got := r.path(of); got != path {
		r.t.Errorf("it went through\n%s\nwant\n%s\n%s", got, path, r.story(of))
	}
	if got := len(r.sends(of)); got != sends {
		r.t.Errorf("the core received %d sends, want %d\n%s", got, sends, r.story(of))
	}
}

// breaker is how one of the breakers stands.
func (r *rig) breaker(call dispatch.Call) string { return r.client.Guards()[call].Breaker }

// judge is the end of every row. Everything may go on for an hour more, the gateway for a moment of it; then it is asked
// whether the money moved once, whatever had been sent was the same each time, and what was final stayed true.
func (r *rig) judge() {
	t := r.t
	t.Helper()
	r.faults.Clear()
	r.wantHappened()
	r.wait(2 * step)
	r.halt()
	time.Sleep(time.Hour)
	for _, of := range r.refunds {
		now := r.look(of)
		effect, _ := r.effect(of)
		credited := r.credits(of)
		if effect.Released-effect.Returned > 1 || credited > 1 || effect.Returned > 0 && credited > 0 {
			t.Errorf("%s: released %d, taken back %d, credited %d\n%s", of.Reference, effect.Released, effect.Returned, credited, r.story(of))
		}
		why, withPeople := r.people[of.ID]
		if withPeople != (now.State == gateway.Manual) || withPeople && now.Reason != why || !withPeople && !now.State.Final() {
			t.Errorf("%s ends as %s (%q)\n%s", of.Reference, now.State, now.Reason, r.story(of))
		}
		if wanted := map[bool]int{true: 1}[now.State == gateway.Credited]; r.inbox.of(of) != wanted {
			t.Errorf("%s is %s; %d SMS say that it is credited", of.Reference, now.State, r.inbox.of(of))
		}
		effects := 0
		for _, c := range r.core.History("") {
			if c.RequestID == of.Payment.RequestID && c.Reference != of.Reference {
				t.Errorf("%s: the core was asked under another reference, %s", of.Reference, c.Reference)
			}
		}
		sends := r.sends(of)
		for _, c := range sends {
			if c.Effect {
				effects++
			}
			if !bytes.Equal(c.Request, sends[0].Request) {
				t.Errorf("%s: sent again as %s, first as %s", of.Reference, c.Request, sends[0].Request)
			}
		}
		if effects > 1 {
			t.Errorf("%s: %d sends had an effect", of.Reference, effects)
		}
		var last gateway.State
		for _, e := range r.events(of) {
			if e.From != last || last.Final() {
				t.Errorf("%s goes from %s to %s after %s", of.Reference, e.From, e.To, last)
			}
			last = e.To
		}
	}
	if stray := r.wire.strays(); len(stray) > 0 {
		t.Errorf("the gateway dialled %v", stray)
	}
}

// wantHappened: a row in which nothing went wrong has shown nothing.
func (r *rig) wantHappened() {
	r.t.Helper()
	happened := map[string]int64{}
	for _, k := range r.faults.Kinds() {
		happened[k.Kind] = k.Fired
	}
	befell := map[[2]string]bool{}
	for _, c := range r.core.History("") {
		befell[[2]string{c.Fault, c.Call}] = true
	}
	answered := []string{sandboxfault.CallSubmit, sandboxfault.CallStatus, sandboxfault.CallReturn}
	for _, f := range r.meant {
		listener := f.Kind == sandboxfault.Stop || f.Kind == sandboxfault.Flapping
		seen := listener || !slices.Contains(answered, f.Match.Call) || befell[[2]string{f.Kind, f.Match.Call}]
		if happened[f.Kind] == 0 || !seen {
			r.t.Errorf("%s never befell a call %q", f.Kind, f.Match.Call)
		}
	}
}

// wire is the network between gateway and core. It counts, and breaks where a test says.
type wire struct {
	home     string // the only address that anybody answers
	dawdling sync.WaitGroup

	mu      sync.Mutex
	through dialer
	closed  bool
	breaks  []cut // of the next connections
	dials   []dialled
	open    map[*breakable]bool
	heard   int // bytes that came from the core
}

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

type dialled struct {
	at      time.Time
	address string
}

// lead makes the dials to come go elsewhere.
func (w *wire) lead(through dialer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.through = through
}

// shut closes the core's port and resets what is connected to it, or opens it again.
func (w *wire) shut(closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = closed
	for b := range w.open {
		if closed {
			_ = b.Conn.Close()
		}
	}
}

// breakNext resets the next connections, each at its cut.
func (w *wire) breakNext(at ...cut) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.breaks = append(w.breaks, at...)
}

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	w.dials = append(w.dials, dialled{time.Now(), address})
	through, closed := w.through, w.closed
	var at cut
	if len(w.breaks) > 0 {
		at, w.breaks = w.breaks[0], w.breaks[1:]
	}
	w.mu.Unlock()
	switch {
	case address != w.home:
		return nil, &net.DNSError{Err: "no such host", Name: address, IsNotFound: true}
	case closed:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	if at.late > 0 {
		return w.dawdle(through, at.late), nil
	}
	conn, err := through(ctx, network, address)
	if err != nil {
		return nil, err
	}
	b := &breakable{Conn: conn, cut: at, wire: w}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open == nil {
		w.open = map[*breakable]bool{}
	}
	w.open[b] = true
	return b, nil
}

// dawdle takes what is sent until its sender gives up, and delivers it after so long. Nobody hears of an answer.
func (w *wire) dawdle(through dialer, after time.Duration) net.Conn {
	ours, theirs := net.Pipe()
	began := time.Now()
	w.dawdling.Go(func() {
		text, _ := io.ReadAll(theirs)
		time.Sleep(after - time.Since(began))
		conn, err := through(context.Background(), "", "")
		if err != nil {
			return // the test has ended
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		_, _ = conn.Write(text)
		_, _ = io.Copy(io.Discard, conn)
	})
	return ours
}

// calls are the dials so far.
func (w *wire) calls() []dialled {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.dials)
}

// strays are the addresses other than the core's that were dialled.
func (w *wire) strays() (addresses []string) {
	for _, d := range w.calls() {
		if d.address != w.home {
			addresses = append(addresses, d.address)
		}
	}
	return addresses
}

func (w *wire) received() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.heard
}

// cut is where a connection is reset: after so many bytes of the first that go out, or of the first that come in. With
// late, what goes out arrives so much later, whether or not anybody still waits for an answer. The zero cut is none.
type cut struct {
	out, in func(first []byte) int
	late    time.Duration
}

// breakable is a connection with its cut.
type breakable struct {
	net.Conn
	cut  cut
	wire *wire

	mu            sync.Mutex
	written, read bool
}

func (b *breakable) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := !b.written
	b.written = true
	if !first || b.cut.out == nil {
		return b.Conn.Write(p)
	}
	n, _ := b.Conn.Write(p[:b.cut.out(p)])
	_ = b.Conn.Close()
	return n, syscall.ECONNRESET
}

func (b *breakable) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	first := !b.read && n > 0
	b.read = b.read || n > 0
	if b.cut.in != nil {
		if first {
			_ = b.Conn.Close()
			n = min(n, b.cut.in(p[:n]))
		} else {
			n = 0
		}
		if err = nil; n == 0 {
			err = syscall.ECONNRESET
		}
	}
	b.wire.mu.Lock()
	b.wire.heard += n
	b.wire.mu.Unlock()
	return n, err
}

// inbox takes every SMS, and counts those about a credit by what a provider de-duplicates by.
type inbox struct {
	mu   sync.Mutex
	sent map[string]int
}

// Send is part of otp.Sender.
func (i *inbox) Send(_ context.Context, id string, _ saudi.Mobile, m otp.Message) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if m.Kind == otp.RefundCompleted {
		i.sent[id]++
	}
	return nil
}

func (i *inbox) of(refund gateway.Refund) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.sent[refund.Reference+":credited"]
}

// tally counts what the dispatcher and the core's client tell whoever counts.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *tally) add(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[fmt.Sprintf(format, args...)]++
}

func (c *tally) of(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[what]
}

// Claimed, ClaimFailed, Attempted and HandedOver are dispatch.Metrics.
func (c *tally) Claimed(state string) { c.add("claimed %s", state) }

func (c *tally) ClaimFailed() { c.add("claim failed") }

func (c *tally) Attempted(state, result string, _ time.Duration) { c.add("%s to %s", state, result) }

func (c *tally) HandedOver(reason string) { c.add("people: %s", reason) }

// logbook is a log that tests read: one line a record.
type logbook struct {
	mu    sync.Mutex
	lines []string
}

var _ io.Writer = (*logbook)(nil)

func (l *logbook) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(line))
	return len(line), nil
}

// lines with all of these words.
func (l *logbook) count(words ...string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) }) {
			n++
		}
	}
	return n
}
