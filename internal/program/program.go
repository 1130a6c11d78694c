package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/bank/corebanking"
	"github.com/istirdad/istirdad/bank/identity"
	"github.com/istirdad/istirdad/bank/redissession"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/api"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/gateway/refundcore"
	"github.com/istirdad/istirdad/internal/ops"
	"github.com/istirdad/istirdad/internal/seal"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/redisstore"
	"github.com/istirdad/istirdad/otp/sms/httpsms"
)

// Store is the durable store as a whole gateway needs it. What each method promises is said at the ports.
type Store interface {
	bank.Book
	dispatch.Queue
	otp.Ledger
	// Seen notes a callback's event, durably, and reports whether it is the first of its id.
	Seen(ctx context.Context, eventID string, at time.Time) (first bool, err error)
	// Counts is how many refunds are in each state, and when the oldest that isn't final was recorded.
	Counts(ctx context.Context) (counts map[gateway.State]int, oldestUnfinished time.Time, err error)
	// Check says whether the store could take a refund now.
	Check(ctx context.Context) error
}

// Config is what one gateway is made of, its stores aside.
type Config struct {
	Terms       bank.Terms
	Pepper      []byte // of codes; at least 32 random bytes, the same at every gateway
	Policy      otp.Policy
	Identity    identity.Config
	CoreBanking corebanking.Config
	Core        refundcore.Config
	SMS         httpsms.Config
	Menu        []api.MenuEntry
	Log         *slog.Logger
}

// Gateway is one gateway. Its handlers may be served from New on; Run carries refunds.
type Gateway struct {
	channel    http.Handler
	ops        http.Handler
	codes      *otp.Service
	dispatcher *dispatch.Dispatcher
	closers    []func()
}

// New assembles a gateway over its stores. sealer seals what goes to Redis. It connects to nobody yet.
func New(c Config, store Store, redis redisstore.Client, sealer *seal.Sealer) (*Gateway, error) {
	who, err := identity.New(c.Identity)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	core, err := refundcore.New(c.Core)
	if err != nil {
		return nil, fmt.Errorf("core: %w", err)
	}
	own, err := corebanking.New(c.CoreBanking)
	if err != nil {
		return nil, fmt.Errorf("bank: %w", err)
	}
	route, err := httpsms.New(c.SMS)
	if err != nil {
		return nil, fmt.Errorf("sms: %w", err)
	}
	codes, err := otp.New(otp.Config{
		Pepper: c.Pepper, Codes: redisstore.New(redis), Ledger: store, Sender: route, Policy: c.Policy,
	})
	if err != nil {
		return nil, err
	}
	dispatcher := dispatch.New(dispatch.Config{
		Queue: store, Core: core, Ledger: own, Recipients: own, SMS: route, Log: c.Log,
	})
	path, err := bank.NewPath(bank.Config{
		Directory: own, Inquiries: core, Sessions: redissession.New(redis, sealer), Book: store, Codes: codes,
		Cursors: sealer, Terms: c.Terms, Recorded: dispatcher.Wake, Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	channel, err := api.New(api.Config{
		Path: path, Identity: who, Callbacks: &callbacks{core, store, dispatcher}, Menu: c.Menu, Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	return &Gateway{
		channel: channel,
		ops: ops.New(ops.Config{
			Identity: who, Store: store, Breakers: breakers(core),
			Checks: map[string]func(context.Context) error{
				"database": store.Check,
				"redis":    func(ctx context.Context) error { return redisstore.Ping(ctx, redis) },
			},
		}),
		codes: codes, dispatcher: dispatcher,
		closers: []func(){who.Close, core.Close, own.Close, route.Close},
	}, nil
}

// Channel is the channel API.
func (g *Gateway) Channel() http.Handler { return g.channel }

// Ops is the private listener's handler; never on the channel's port.
func (g *Gateway) Ops() http.Handler { return g.ops }

// Reopen ends a customer's block, as a branch does that has seen them.
func (g *Gateway) Reopen(ctx context.Context, customer string) error {
	return g.codes.Reopen(ctx, customer)
}

// Run carries refunds until ctx is done and the attempts under way are recorded.
func (g *Gateway) Run(ctx context.Context) { g.dispatcher.Run(ctx) }

// Close lets connections go. Call it when nothing runs any more.
func (g *Gateway) Close() {
	for _, c := range g.closers {
		c()
	}
}

func breakers(core *refundcore.Client) func() map[string]string {
	return func() map[string]string {
		states := map[string]string{}
		for call, state := range core.States() {
			states[string(call)] = state
		}
		return states
	}
}

// callbacks takes the core's hints: verified, noted, and then the question is asked that they hint at.
type callbacks struct {
	core       *refundcore.Client
	store      Store
	dispatcher *dispatch.Dispatcher
}

func (c *callbacks) Receive(r *http.Request, body []byte) error {
	callback, err := c.core.VerifyCallback(r, body)
	if err != nil {
		return fmt.Errorf("%w: %w", api.ErrCallback, err)
	}
	first, err := c.store.Seen(r.Context(), callback.EventID, time.Now())
	if err != nil || !first {
		return err
	}
	// A callback of a refund that we don't know is noted and nothing more: reconciliation will ask about it.
	if err := c.dispatcher.Hint(r.Context(), callback.Reference); err != nil && !errors.Is(err, gateway.ErrNotFound) {
		return err
	}
	return nil
}
