package program

import (
	"context"
	"strings"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/refundcore"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/internal/telemetry"
	"github.com/istirdad/istirdad/otp/redisstore"
)

// observe has the calls to each neighbour counted under its name.
func (c *Config) observe() {
	calls := c.Telemetry.Calls()
	c.Core.Observe = calls.Of("core")
	c.CoreBanking.Observe = calls.Of("bank")
	c.SMS.Observe = calls.Of("sms")
}

// watch has everything read at a scrape that is only known when somebody looks.
func (c *Config) watch(core *refundcore.Client, store Store, redis redisstore.Client) {
	c.Telemetry.WatchGuards(func() []telemetry.Guard { return guards(core) })
	c.Telemetry.WatchRefunds(func(ctx context.Context) (telemetry.Book, error) { return book(ctx, store, c.calendar()) })
	c.Telemetry.WatchProfile(func() string { version, _ := c.Profile.State(); return version })
	c.Telemetry.WatchPools(func() map[string]telemetry.Pool {
		pools := map[string]telemetry.Pool{"redis": redisPool(redis)}
		for name, read := range c.Pools {
			pools[name] = read()
		}
		return pools
	})
}

// breakers is the state of each kind of call's breaker, for operators.
func breakers(core *refundcore.Client) map[string]string {
	states := map[string]string{}
	for call, guard := range core.Guards() {
		states[string(call)] = guard.Breaker
	}
	return states
}

func guards(core *refundcore.Client) []telemetry.Guard {
	var all []telemetry.Guard
	for call, g := range core.Guards() {
		all = append(all, telemetry.Guard{
			Call: string(call), State: strings.ReplaceAll(g.Breaker, "-", "_"), InUse: g.InUse, Size: g.Size,
		})
	}
	return all
}

// book is where refunds stand, those states and levels too in which there are none.
func book(ctx context.Context, store Store, calendar saudi.Calendar) (telemetry.Book, error) {
	counts, oldest, err := store.Counts(ctx)
	if err != nil {
		return telemetry.Book{}, err
	}
	late, err := store.Late(ctx, gateway.DeadlinesAt(time.Now(), calendar))
	if err != nil {
		return telemetry.Book{}, err
	}
	states := map[string]int{}
	for _, s := range gateway.States() {
		states[string(s)] = counts[s]
	}
	return telemetry.Book{
		States: states, OldestUnfinished: oldest, Unreadable: store.Unreadable(),
		Late: map[string]int{string(gateway.Overdue): late.Overdue, string(gateway.Red): late.Red},
	}, nil
}

func redisPool(redis redisstore.Client) telemetry.Pool {
	stats := redis.PoolStats()
	return telemetry.Pool{
		Acquired: int(stats.TotalConns) - int(stats.IdleConns), Idle: int(stats.IdleConns),
		Waits: int64(stats.WaitCount), Waited: time.Duration(stats.WaitDurationNs), GivenUp: int64(stats.Timeouts),
	}
}
