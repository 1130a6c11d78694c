package sandbox

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/bank/corebanking"
	"github.com/istirdad/istirdad/bank/identity"
	"github.com/istirdad/istirdad/gateway/api"
	"github.com/istirdad/istirdad/gateway/refundcore"
	"github.com/istirdad/istirdad/gateway/sqlite"
	"github.com/istirdad/istirdad/internal/program"
	"github.com/istirdad/istirdad/internal/sandboxbank"
	"github.com/istirdad/istirdad/internal/sandboxcore"
	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/sandboxphone"
	"github.com/istirdad/istirdad/internal/sandboxseed"
	"github.com/istirdad/istirdad/internal/seal"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/redisstore"
	"github.com/istirdad/istirdad/otp/sms/httpsms"
)

// Password opens everybody's session.
const Password = sandboxseed.Password

// Options are how a world is to be. The zero value is a hostile world on free ports that forgets everything.
type Options struct {
	// Addresses of the listeners; empty picks a free port of 127.0.0.1.
	Gateway, Ops, Core, Bank, Control string

	Dir    string // keeps everything; empty: a temporary folder that Close removes
	Seed   uint64 // of all that is random in the stand-ins
	Polite bool   // no random faults; refunds settle within 2 s
	Crowd  int    // more customers

	Log *slog.Logger // of the gateway; nil: silent
}

// URLs are where everything answers.
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
	bank    *sandboxbank.Bank
	phone   *sandboxphone.Phone
	referee *referee
	doors   struct{ gateway, ops, core, bank, control *door }

	store   *sqlite.Store
	redis   *miniredis.Miniredis
	client  redisstore.Client
	config  program.Config
	sealer  *seal.Sealer
	gateway atomic.Pointer[program.Gateway] // made anew by Reset: its breakers and caches are part of the world

	running sync.Mutex // held by whoever starts or stops the dispatcher
	halt    func()     // stops it and waits for what is under way

	closers []func() // undo Start, run backwards
}

// Start brings a world up. It answers on all its addresses when Start returns.
func Start(ctx context.Context, o Options) (_ *World, err error) {
	w := &World{log: o.Log}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	books := o.Dir // the stand-ins' books are worth a disk's time only where somebody will come back to them
	if o.Dir == "" {
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
	if err = w.openStores(ctx, o.Dir); err != nil {
		return nil, err
	}
	if err = w.assemble(); err != nil { //nolint:contextcheck // it assembles and calls nobody
		return nil, err
	}
	w.resume(ctx)
	w.undo(w.stop)
	w.doors.core.serve(listeners[&w.doors.core], w.core.Handler())
	w.doors.bank.serve(listeners[&w.doors.bank], w.bank.Handler())
	w.doors.control.serve(listeners[&w.doors.control], w.control())
	w.doors.gateway.serve(listeners[&w.doors.gateway], w.referee.listenIn(w.current((*program.Gateway).Channel)))
	w.doors.ops.serve(listeners[&w.doors.ops], w.current((*program.Gateway).Ops))
	w.undo(w.shutDoors)
	w.board.OnChange(w.obeyStop)
	return w, nil
}

// takeAddresses takes all addresses before anybody is told of one.
func (w *World) takeAddresses(ctx context.Context, o Options) (map[**door]net.Listener, error) {
	listeners := map[**door]net.Listener{}
	for _, d := range []struct {
		door          **door
		name, address string
	}{
		{&w.doors.gateway, "gateway", o.Gateway}, {&w.doors.ops, "ops", o.Ops}, {&w.doors.core, "core", o.Core},
		{&w.doors.bank, "bank", o.Bank}, {&w.doors.control, "control", o.Control},
	} {
		made, l, err := listen(ctx, d.name, cmp.Or(d.address, "127.0.0.1:0"), w.log)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.name, err)
		}
		w.undo(func() { _ = l.Close() })
		*d.door, listeners[d.door] = made, l
	}
	return listeners, nil
}

// current serves with the gateway that there is at the moment.
func (w *World) current(handler func(*program.Gateway) http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handler(w.gateway.Load()).ServeHTTP(rw, r) })
}

// standIns opens the government core, the bank and the phone, with their books in a folder or, without one, in memory.
func (w *World) standIns(o Options, books string) (err error) {
	if o.Crowd < 0 || o.Crowd > sandboxseed.MaxCrowd {
		return fmt.Errorf("a crowd is of 0 to %d customers", sandboxseed.MaxCrowd)
	}
	began, err := keptBeginning(o.Dir)
	if err != nil {
		return err
	}
	w.seed = sandboxseed.New(o.Crowd, began)
	w.board = sandboxfault.NewBoard(o.Seed)
	users := map[string]string{}
	for _, p := range w.seed.People {
		users[p.IDNumber] = p.User
	}
	w.core, err = sandboxcore.New(sandboxcore.Config{
		Seed: o.Seed, Requests: w.seed.Requests, UserOf: func(number string) string { return users[number] },
		CallbackURL: w.doors.gateway.url() + "/core/callbacks", Dir: books, Faults: w.board, Polite: o.Polite, Log: w.log,
	})
	if err != nil {
		return fmt.Errorf("core: %w", err)
	}
	w.undo(func() { _ = w.core.Close() })
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
	w.undo(w.referee.close)
	return nil
}

// openStores opens the embedded stores and says what the gateway over them is like.
func (w *World) openStores(ctx context.Context, dir string) error {
	pepper, err := keptSecret(dir)
	if err != nil {
		return err
	}
	if w.sealer, err = seal.New("sandbox", pepper); err != nil {
		return err
	}
	w.store, err = sqlite.Open(ctx, filepath.Join(dir, "gateway.db"), w.sealer, sqlite.Options{
		Migrate: true, Resettable: true, Log: w.log,
	})
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	w.undo(func() { _ = w.store.Close() })

	w.redis = miniredis.NewMiniRedis()
	w.redis.ClockTTL(true)
	if err := w.redis.Start(); err != nil {
		return fmt.Errorf("embedded redis: %w", err)
	}
	w.undo(w.redis.Close)
	w.client, err = redisstore.NewClient(redisstore.Options{
		Addrs: []string{w.redis.Addr()}, CommandTimeout: embeddedRedisTimeout,
	})
	if err != nil {
		return err
	}
	w.undo(func() { _ = w.client.Close() })

	key := sandboxcore.TestKey()
	w.config = program.Config{
		Terms: bank.Terms{
			BankCode: sandboxseed.BankCode, PromiseDays: 3, ConfirmCodeAbove: 1_000_00, OnlineLimit: 10_000_00,
			MobileRest: 72 * time.Hour,
		},
		Pepper:      pepper,
		Policy:      otp.DefaultPolicy(),
		Identity:    identity.Config{Issuer: w.doors.bank.url()},
		CoreBanking: corebanking.Config{URL: w.doors.bank.url()},
		Core: refundcore.Config{
			BaseURL: w.doors.core.url(), KeyID: "bank-80", Key: key,
			CoreKeys: map[string]ed25519.PublicKey{"core-1": key.Public().(ed25519.PublicKey)},
			Log:      w.log,
		},
		SMS:  httpsms.Config{URL: w.doors.control.url() + "/phone/messages", Sender: "Istirdad"},
		Menu: api.DefaultMenu(),
		Log:  w.log,
	}
	w.undo(func() {
		if g := w.gateway.Load(); g != nil {
			g.Close()
		}
	})
	return nil
}

// assemble makes the gateway, the production one, in place of the one that there was.
func (w *World) assemble() error {
	made, err := program.New(w.config, w.store, w.client, w.sealer)
	if err != nil {
		return err
	}
	if old := w.gateway.Swap(made); old != nil {
		old.Close()
	}
	return nil
}

// embeddedRedisTimeout is longer than a real one's: a server in this very process is never silent, only slow.
const embeddedRedisTimeout = 2 * time.Second

// keptSecret is this sandbox's pepper, made on the first start and kept with its data.
func keptSecret(dir string) ([]byte, error) {
	return kept(dir, "pepper", func() []byte {
		pepper := make([]byte, seal.MasterLen)
		_, _ = rand.Read(pepper) // never fails: crypto/rand
		return pepper
	})
}

// keptBeginning is when this sandbox was first started, from which the dates of its payments count.
func keptBeginning(dir string) (time.Time, error) {
	text, err := kept(dir, "beginning", func() []byte { return []byte(time.Now().UTC().Format(time.RFC3339)) })
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, string(text))
}

// kept reads a file of the folder, which it makes the first time, whole or not at all.
func kept(dir, name string, content func() []byte) ([]byte, error) {
	path := filepath.Join(dir, name)
	found, err := os.ReadFile(path)
	if !errors.Is(err, os.ErrNotExist) {
		return found, err
	}
	made := content()
	if err := os.WriteFile(path+".new", made, 0o600); err != nil {
		return nil, err
	}
	return made, os.Rename(path+".new", path)
}

// resume sets the dispatcher to work.
func (w *World) resume(ctx context.Context) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	gateway := w.gateway.Load()
	go func() {
		defer close(done)
		gateway.Run(ctx)
	}()
	w.halt = func() { cancel(); <-done }
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
	w.halt()
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

// Phone is every customer's phone: its inbox can be waited for.
func (w *World) Phone() *sandboxphone.Phone { return w.phone }

// Reset puts everything back to the seed, the gateway's breakers and caches included. Calls under way are cut off and
// their ends recorded first, so that nothing of before has an effect after. It is carried to its end when whoever asked
// for it has gone.
func (w *World) Reset(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	w.running.Lock()
	defer w.running.Unlock()
	w.referee.confirming.Lock()
	defer w.referee.confirming.Unlock()
	w.doors.core.shut()
	w.doors.bank.shut()
	w.halt()
	defer w.resume(ctx)
	defer w.obeyStop() //nolint:contextcheck // as when the board calls it, with no request around
	w.board.Reset()
	w.redis.FlushAll()
	w.phone.Reset()
	for _, reset := range []func() error{
		func() error { return w.store.Reset(ctx) }, w.core.Reset, w.bank.Reset, w.referee.reset,
		w.assemble,
	} {
		if err := reset(); err != nil {
			return err // a world put back by half is worse than one that says so
		}
	}
	return nil
}

// Forgive clears a customer's SMS budgets and blocks.
func (w *World) Forgive(ctx context.Context, customer string) error {
	_, err := w.store.Update(ctx, time.Now(), customer, func(otp.Record) (otp.Record, error) { return otp.Record{}, nil })
	return errors.Join(err, w.gateway.Load().Reopen(ctx, customer))
}

func (w *World) undo(f func()) { w.closers = append(w.closers, f) }

func (w *World) shutDoors() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, d := range []*door{w.doors.gateway, w.doors.ops, w.doors.control, w.doors.bank, w.doors.core} {
		d.drain(ctx)
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
