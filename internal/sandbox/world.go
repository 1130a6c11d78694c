package sandbox

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/istirdad/istirdad/internal/program"
	"github.com/istirdad/istirdad/internal/sandboxbank"
	"github.com/istirdad/istirdad/internal/sandboxcore"
	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/sandboxphone"
	"github.com/istirdad/istirdad/internal/sandboxportal"
	"github.com/istirdad/istirdad/internal/sandboxseed"
	"github.com/istirdad/istirdad/otp/redisstore"
)

// URLs are where everything answers; empty where nothing does.
type URLs struct {
	Gateway string `json:"gateway"`
	Ops     string `json:"ops"`
	Core    string `json:"core"`
	Bank    string `json:"bank"`
	Control string `json:"control"`
}

// World is a running sandbox.
type World struct {
	log     *slog.Logger
	seed    sandboxseed.World
	board   *sandboxfault.Board
	core    *sandboxcore.Core
	portal  *sandboxportal.Portal // on the core's book and at its door
	bank    *sandboxbank.Bank
	phone   *sandboxphone.Phone
	referee *referee
	doors   struct{ gateway, ops, core, bank, control *door } // no gateway, no doors of it

	// What a gateway keeps, here or elsewhere.
	book     book
	memory   *memory
	pardon   func(ctx context.Context, customer string) error // clears a customer's SMS budgets and blocks
	resident *resident                                        // nil: the gateways are elsewhere

	running sync.Mutex // held by whoever starts or stops the dispatcher
	paying  sync.Mutex // held by whoever has somebody pay

	closers []func() // undo Start, run backwards
}

// Start brings a world up. It answers on all its addresses when Start returns.
func Start(ctx context.Context, o Options) (_ *World, err error) {
	if o, err = o.check(); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	w := &World{log: o.Log}
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	books := o.Dir // the stand-ins' books are worth a disk's time only where somebody will come back to them
	if o.passing = o.Dir == ""; o.passing {
		if o.Dir, err = os.MkdirTemp("", "istirdad-sandbox-"); err != nil {
			return nil, err
		}
		w.undo(func() { _ = os.RemoveAll(o.Dir) })
	} else if err = os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}

	unlock, err := lock(o.Dir)
	if err != nil {
		return nil, err
	}
	w.undo(unlock)

	listeners, err := w.takeAddresses(ctx, o)
	if err != nil {
		return nil, err
	}
	if err = w.standIns(o, books); err != nil {
		return nil, err
	}
	if o.GatewayOff {
		err = w.lookElsewhere(o)
	} else {
		err = w.moveIn(ctx, o)
	}
	if err != nil {
		return nil, err
	}
	w.open(listeners)
	w.undo(w.shutDoors)
	if w.resident != nil {
		w.resident.resume(ctx)
		w.undo(w.stop)
	}
	w.board.OnChange(w.obeyStop)
	w.obeyStop() //nolint:contextcheck // a listener outlives the call that begins it
	return w, nil
}

// takeAddresses takes all addresses before anybody is told of one.
func (w *World) takeAddresses(ctx context.Context, o Options) (map[*door]net.Listener, error) {
	listeners := map[*door]net.Listener{}
	for _, d := range []struct {
		door          **door
		name, address string
		gateways      bool
	}{
		{&w.doors.gateway, "gateway", o.Gateway, true}, {&w.doors.ops, "ops", o.Ops, true}, {&w.doors.core, "core", o.Core, false},
		{&w.doors.bank, "bank", o.Bank, false}, {&w.doors.control, "control", o.Control, false},
	} {
		if d.gateways && o.GatewayOff {
			continue
		}
		made, l, err := listen(ctx, d.name, cmp.Or(d.address, "127.0.0.1:0"), w.log)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.name, err)
		}
		w.undo(func() { _ = l.Close() })
		*d.door, listeners[made] = made, l
	}
	return listeners, nil
}

// open serves on the listeners.
func (w *World) open(listeners map[*door]net.Listener) {
	handlers := map[*door]http.Handler{
		w.doors.core: w.government(), w.doors.bank: w.bank.Handler(), w.doors.control: w.control(),
	}
	if w.resident != nil {
		handlers[w.doors.gateway] = w.referee.listenIn(w.resident.serve((*program.Gateway).Channel))
		w.doors.gateway.drained = func() { w.resident.made.Load().EndStreams() }
		handlers[w.doors.ops] = w.resident.serve((*program.Gateway).Ops)
	}
	for d, l := range listeners {
		d.serve(l, handlers[d])
	}
}

// government is the core for gateways and, for everything else, the portal for people.
func (w *World) government() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/core/", w.core.Handler())
	mux.Handle("/", w.portal.Handler())
	return mux
}

// standIns opens the government core, the bank and the phone, with their books in a folder or, without one, in memory.
func (w *World) standIns(o Options, books string) (err error) {
	began, err := keptBeginning(o.Dir)
	if err != nil {
		return err
	}
	w.seed = sandboxseed.New(o.Crowd, began)
	w.seed.AddEmployer(o.Employer, began)
	if w.board, err = openBoard(o.Seed, books); err != nil {
		return err
	}
	w.undo(func() { _ = w.board.Close() })
	if err = w.befall(o.Faults, w.board.Set); err != nil { // before anybody can call
		return err
	}
	users := map[string]string{}
	for _, p := range w.seed.People {
		users[p.IDNumber] = p.User
	}
	callback := o.Callback
	switch {
	case !o.GatewayOff:
		callback = w.doors.gateway.url() + callbackPath
	case callback == "":
		w.log.Warn("the core sends no callbacks: it wasn't told where to")
	}
	w.core, err = sandboxcore.New(sandboxcore.Config{
		Seed: o.Seed, Requests: w.seed.Requests, UserOf: func(number string) string { return users[number] },
		CallbackURL: callback, Dir: books, Faults: w.board, Polite: o.Polite, Rates: o.Rates, Log: w.log,
	})
	if err != nil {
		return fmt.Errorf("core: %w", err)
	}
	w.undo(func() { _ = w.core.Close() })
	w.portal = sandboxportal.New(w.seed.People, w.core, func(user string) (time.Time, bool) {
		return w.board.PortalClosed(user, time.Now())
	})
	w.bank, err = sandboxbank.Open(sandboxbank.Config{
		Issuer: w.doors.bank.url(), World: w.seed, Board: w.board, Dir: books,
	})
	if err != nil {
		return fmt.Errorf("bank: %w", err)
	}
	w.undo(func() { _ = w.bank.Close() })
	w.phone = sandboxphone.New(w.seed, w.board)
	w.undo(w.phone.Close)
	if w.referee, err = newReferee(books); err != nil {
		return fmt.Errorf("referee: %w", err)
	}
	w.referee.readBooks = w.readBooks
	w.undo(w.referee.close)
	return nil
}

// openBoard opens the board of faults, whose counts are kept with the stand-ins' books.
func openBoard(seed uint64, books string) (*sandboxfault.Board, error) {
	if books == "" {
		return sandboxfault.NewBoard(seed), nil
	}
	return sandboxfault.Open(seed, books)
}

// moveIn opens the stores and makes the sandbox's own gateway over them.
func (w *World) moveIn(ctx context.Context, o Options) error {
	keys, err := keptSecrets(o.Dir)
	if err != nil {
		return err
	}
	c := configuration(o, w.URLs(), keys)
	if c.Bank.ProfileFile == "" {
		if c.Bank.ProfileFile, err = keepProfile(o.Dir); err != nil {
			return fmt.Errorf("profile: %w", err)
		}
	}
	sealer, err := c.Sealer()
	if err != nil {
		return err
	}
	made, err := c.Program(o.Log)
	if err != nil {
		return err
	}
	openBook := openEmbeddedBook
	if o.DatabaseURL != "" {
		openBook = openServerBook
	}
	opened, err := openBook(ctx, o, sealer)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	w.book = opened
	w.undo(func() { _ = opened.Close() })
	if w.memory, err = openOwnMemory(ctx, o); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	w.undo(w.memory.close)
	r := &resident{config: made, store: opened, memory: w.memory, sealer: sealer}
	if err = r.renew(); err != nil { //nolint:contextcheck // it calls nobody
		return err
	}
	w.undo(r.close)
	w.resident, w.pardon = r, r.forgive
	return nil
}

// openOwnMemory is the Redis of the sandbox's own gateway, which refuses a server that may forget what it counts.
func openOwnMemory(ctx context.Context, o Options) (*memory, error) {
	if o.RedisURL == "" {
		return openEmbeddedMemory()
	}
	m, err := openMemory(o.RedisURL)
	if err != nil {
		return nil, err
	}
	if err := redisstore.CheckServer(ctx, m.client); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// patience is how long what is under way may take to finish by itself when the world stops.
const patience = 2 * time.Second

// stop lets the dispatcher finish. A call that a fault has hung is cut off after a moment.
func (w *World) stop() {
	w.running.Lock()
	defer w.running.Unlock()
	cut := time.AfterFunc(patience, func() {
		w.doors.core.shut()
		w.doors.bank.shut()
	})
	defer cut.Stop()
	w.resident.halt()
}

// obeyStop shuts and reopens the listeners of stand-ins as the fault "stop" says. The phone hears of it itself: it
// shares its listener with the switch that ends the fault.
func (w *World) obeyStop() {
	for _, d := range []struct {
		door *door
		call string
	}{
		{w.doors.core, sandboxfault.CallSubmit}, {w.doors.bank, sandboxfault.CallCredit},
	} {
		if w.board.Stopped(d.call) {
			d.door.shut()
		} else {
			d.door.reopen()
		}
	}
}

// URLs says where everything answers.
func (w *World) URLs() URLs {
	return URLs{
		Gateway: w.doors.gateway.url(), Ops: w.doors.ops.url(), Core: w.doors.core.url(), Bank: w.doors.bank.url(),
		Control: w.doors.control.url(),
	}
}

// Reset puts everything back to the seed, the breakers and caches of the sandbox's own gateway included. Calls under way
// are cut off and their ends recorded first, so that nothing of before has an effect after. It is carried to its end
// when whoever asked for it has gone.
//
// Of gateways elsewhere only the stores are emptied. Their dispatchers go on, and find that what they had claimed is
// gone: an attempt that was under way is refused by stand-ins that stay shut for a moment. Their breakers may open over
// it, their caches stay, and a confirm that is answered in the middle may count as lost. It is best done while nobody
// confirms and nothing is on its way.
func (w *World) Reset(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	w.running.Lock()
	defer w.running.Unlock()
	w.referee.confirming.Lock()
	defer w.referee.confirming.Unlock()
	w.board.Reset() // first: it opens the doors that a fault has shut
	w.doors.core.shut()
	w.doors.bank.shut()
	renew := func() error { return nil }
	if r := w.resident; r != nil {
		r.halt()
		defer r.resume(ctx)
		renew = r.renew
	}
	defer w.obeyStop() //nolint:contextcheck // as when the board calls it, with no request around
	// Previews first, without which no confirm makes a row; then the rows, without which nobody sends or says anything.
	for _, reset := range []func() error{
		func() error { return w.memory.wipe(ctx) }, func() error { return w.book.Reset(ctx) },
		w.core.Reset, w.bank.Reset, w.referee.reset, renew,
	} {
		if err := reset(); err != nil {
			return err // a world put back by half is worse than one that says so
		}
	}
	w.portal.Reset()
	w.phone.Reset()
	return nil
}

// Forgive clears a customer's SMS budgets and blocks.
func (w *World) Forgive(ctx context.Context, customer string) error { return w.pardon(ctx, customer) }

func (w *World) undo(f func()) { w.closers = append(w.closers, f) }

func (w *World) shutDoors() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, d := range []*door{w.doors.gateway, w.doors.ops, w.doors.control, w.doors.bank, w.doors.core} {
		if d != nil {
			d.drain(ctx)
		}
	}
}

// Close takes the world down: the dispatcher finishes what is under way, then nobody is let in, then the books are
// closed.
func (w *World) Close() {
	for i := len(w.closers) - 1; i >= 0; i-- {
		w.closers[i]()
	}
	w.closers = nil
}
