package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Client is what NewClient makes, under a name that those who only pass it on can use.
type Client = redis.UniversalClient

// Ping says whether Redis answers, for readiness.
func Ping(ctx context.Context, client Client) error { return client.Ping(ctx).Err() }

// ErrEvicting says that Redis may throw away keys when it is short of memory.
// A counter of wrong codes that can be pushed out by other keys counts nothing.
var ErrEvicting = errors.New("redisstore: Redis must run with maxmemory-policy noeviction")

// CheckServer refuses a Redis that can't be reached, that evicts, or that does
// not say whether it does; of a cluster, every master is asked. It is for the
// start of a process: a policy that is changed while it runs isn't noticed until
// the next. It takes one INFO, which a user of Redis's access lists needs to be
// allowed.
//
// An embedded server that cannot be asked is not checked, by configuration of
// whoever embeds it, never because asking failed.
func CheckServer(ctx context.Context, client Client) error {
	if cluster, ok := client.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			return checkNode(ctx, node)
		})
	}
	return checkNode(ctx, client)
}

func checkNode(ctx context.Context, node redis.Cmdable) error {
	info, err := node.Info(ctx, "memory").Result()
	if err != nil {
		return fmt.Errorf("redisstore: Redis can't be asked for its eviction policy: %w", err)
	}
	const field = "maxmemory_policy:"
	for line := range strings.Lines(info) {
		policy, ok := strings.CutPrefix(strings.TrimSpace(line), field)
		switch {
		case ok && policy == "noeviction":
			return nil
		case ok:
			return fmt.Errorf("%w, and not with %s", ErrEvicting, policy)
		}
	}
	return fmt.Errorf("%w, and does not say that it does", ErrEvicting)
}
