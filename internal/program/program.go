package program

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/bank/corebanking"
	"github.com/istirdad/istirdad/bank/identity"
	"github.com/istirdad/istirdad/bank/redissession"
	"github.com/istirdad/istirdad/gateway/api"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/gateway/refundcore"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/ops"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/internal/seal"
	"github.com/istirdad/istirdad/internal/telemetry"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/redisstore"
	"github.com/istirdad/istirdad/otp/sms"
	"github.com/istirdad/istirdad/otp/sms/httpsms"
)

// Store is the durable store as a whole gateway needs it. What each method promises is said at the ports.
type Store interface {
	bank.Book
	bank.Lookups
	bank.Approvals
	bank.Sightings
	bank.Steps
	bank.Endings
	dispatch.Queue
	otp.Ledger
	otp.Records
	ops.Store
	// Seen notes a callback's event, durably, and reports whether it is the first of its id.
	Seen(ctx context.Context, eventID string, at time.Time) (first bool, err error)
	// Unreadable is how many refunds, and identity checks of theirs, it came upon lately and couldn't read.
	Unreadable() int
	// Check says whether the store could take a refund now; gateway.ErrClockSkew when its clock isn't ours.
	Check(ctx context.Context) error
}

// Profile is what the bank sets, and may change while the gateway serves. It is safe for concurrent use.
type Profile interface {
	// Terms are those in force.
	Terms() bank.Terms
	// Watch takes over what is changed, until ctx is done.
	Watch(ctx context.Context)
	// Reload takes over what is changed at once.
	Reload(ctx context.Context)
	// State names the version that is in force, and says whether there is a newer one that can't be gone by.
	State() (version string, refused bool)
}

// Config is what one gateway is made of, its stores aside. Who observes the calls to the neighbours is set by New.
type Config struct {
	Profile     Profile
	Pepper      []byte // of codes; at least 32 random bytes, the same at every gateway
	Policy      otp.Policy
	Identity    identity.Config
	CoreBanking corebanking.Config
	Core        refundcore.Config
	SMS         httpsms.Config
	Streams     int  // how many customers may follow a refund at once (bank.NewWatcher); 0: 1024
	Reference   bool // the channel listener serves the contract, to programs and to people
	Log         *slog.Logger

	// Telemetry is told everything, and is its maker's to close, after the gateway. Nil: metrics that only this gateway's
	// ops listener tells, and traces that go nowhere.
	Telemetry *telemetry.Telemetry
	// Pools are the store's pools of connections, by name, each to be read at any time.
	Pools map[string]func() telemetry.Pool
}

// Gateway is one gateway. Its handlers may be served from New on; Run carries refunds.
//
// It is stopped in four steps, so that nobody is sent away and nothing is begun that can't be finished:
//
//  1. Drain: /readyz says 503 "stopping", and the load balancer sends new customers elsewhere. Give it the time to ask.
//  2. http.Server.Shutdown of the channel: requests under way are answered. A confirm may still be taken; its row is
//     some gateway's to carry. Streams have no end of their own that would be waited for, so EndStreams belongs to the
//     server's RegisterOnShutdown. The ops listener stays until the end.
//  3. The context of Run is cancelled: it returns at most 15 s later (dispatch.Dispatcher.Run), and may be cancelled
//     together with step 2.
//  4. Close, and then the stores and the telemetry, which are not the gateway's.
type Gateway struct {
	channel    http.Handler
	ops        http.Handler
	codes      *otp.Service
	watcher    *bank.Watcher
	dispatcher *dispatch.Dispatcher
	profile    Profile
	draining   atomic.Bool
	closers    []func()
}

// New assembles a gateway over its stores. sealer seals what goes to Redis. It connects to nobody yet.
func New(c Config, store Store, redis redisstore.Client, sealer *seal.Sealer) (_ *Gateway, err error) {
	g := &Gateway{profile: c.Profile}
	defer func() {
		if err != nil {
			g.Close()
		}
	}()
	if c.Telemetry == nil {
		// It exports nothing, so there is nothing to close.
		if c.Telemetry, err = telemetry.New(context.Background(), telemetry.Config{}); err != nil {
			return nil, err
		}
	}
	c.observe()
	who, err := identity.New(c.Identity)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	g.closers = append(g.closers, who.Close)
	core, err := refundcore.New(c.Core)
	if err != nil {
		return nil, fmt.Errorf("core: %w", err)
	}
	g.closers = append(g.closers, core.Close)
	own, err := corebanking.New(c.CoreBanking)
	if err != nil {
		return nil, fmt.Errorf("bank: %w", err)
	}
	g.closers = append(g.closers, own.Close)
	route, err := httpsms.New(c.SMS)
	if err != nil {
		return nil, fmt.Errorf("sms: %w", err)
	}
	g.closers = append(g.closers, route.Close)
	recorded := sms.Recorded{Route: route, Name: "http", Records: store, Log: c.Log}
	g.codes, err = otp.New(otp.Config{
		Pepper: c.Pepper, Codes: redisstore.New(redis), Ledger: store, Sender: recorded, Policy: c.Policy,
	})
	if err != nil {
		return nil, err
	}
	g.dispatcher = dispatch.New(dispatch.Config{
		Queue: store, Core: core, Ledger: own, Recipients: own, SMS: recorded, Log: c.Log,
		Metrics: c.Telemetry.Dispatch(), Tracer: c.Telemetry.Tracer(), Clock: store.Check, Wording: c.wording,
		Calendar: c.calendar,
	})
	g.watcher = bank.NewWatcher(store, c.Streams, c.Log)
	g.closers = append(g.closers, g.watcher.Close)
	sessions := redissession.New(redis, sealer)
	path, err := bank.NewPath(bank.Config{
		Directory: own, Inquiries: core, Sessions: sessions, Endings: store, Meter: sessions, Book: store, Watcher: g.watcher, Codes: g.codes,
		Counter: redissession.NewAssisted(redis, sealer), Lookups: store, Approvals: store, Sightings: store,
		Cursors: sealer, Terms: c.Profile.Terms, Recorded: g.dispatcher.Wake, Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	door := bank.Doorkeeper{Identity: who, Endings: store}
	g.channel, err = api.New(api.Config{
		Path: path, Identity: door, Callbacks: &callbacks{core, store, g.dispatcher}, Reference: c.Reference, Log: c.Log,
		Metrics: c.Telemetry.Requests(), Tracer: c.Telemetry.Tracer(),
	})
	if err != nil {
		return nil, err
	}
	listener := ops.Config{
		Identity: door, Store: store, Calendar: c.calendar, Metrics: c.Telemetry.Handler(), Stopping: g.draining.Load,
		Breakers: func() map[string]string { return breakers(core) },
		Degraded: map[string]func() bool{"profile": func() bool { _, refused := c.Profile.State(); return refused }},
		Routes:   func() map[string]bool { return map[string]bool{"http": route.Healthy()} },
		Checks: map[string]func(context.Context) error{
			"database": store.Check,
			"redis":    func(ctx context.Context) error { return redisstore.Ping(ctx, redis) },
		},
	}
	g.ops = ops.New(listener)
	c.watch(core, store, redis)
	c.Telemetry.WatchReadiness(listener.Holds)
	return g, nil
}

// wording is a dispatch.Wording.
func (c *Config) wording(service string) (moi.Service, otp.Brand) {
	terms := c.Profile.Terms()
	return terms.Describe(service), terms.Brand
}

// calendar is the bank's, as it is now.
func (c *Config) calendar() saudi.Calendar { return c.Profile.Terms().Calendar }

// Channel is the channel API.
func (g *Gateway) Channel() http.Handler { return g.channel }

// Ops is the private listener's handler; never on the channel's port.
func (g *Gateway) Ops() http.Handler { return g.ops }

// Reopen ends a customer's block, as a branch does that has seen them.
func (g *Gateway) Reopen(ctx context.Context, customer string) error {
	return g.codes.Reopen(ctx, customer)
}

// Run carries refunds and keeps to the bank's profile until ctx is done, and returns at most 15 s later, when the attempts
// under way are recorded.
func (g *Gateway) Run(ctx context.Context) {
	var watching sync.WaitGroup
	watching.Go(func() { g.profile.Watch(ctx) })
	g.dispatcher.Run(ctx)
	watching.Wait()
}

// Reload looks at once whether the bank's profile has changed.
func (g *Gateway) Reload(ctx context.Context) { g.profile.Reload(ctx) }

// Drain makes the gateway say that it is not ready any more. It serves and runs on.
func (g *Gateway) Drain() { g.draining.Store(true) }

// EndStreams ends the streams of those who follow a refund, and lets none begin. They come back, to another gateway.
func (g *Gateway) EndStreams() { g.watcher.Close() }

// Close lets connections go. Call it when nothing runs any more.
func (g *Gateway) Close() {
	for _, c := range g.closers {
		c()
	}
}
