package redisstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Prefix is how every key of this package begins.
const Prefix = "otp:"

// scanCount is how many keys Redis looks at in one step of a scan; it does
// nothing else meanwhile.
const scanCount = 500

// Wipe deletes all keys that begin with one of the prefixes and leaves
// everybody else's alone. It goes through all of Redis, step by step: it is for
// a sandbox that begins anew, not for a server with customers.
func Wipe(ctx context.Context, client Client, prefixes ...string) error {
	for _, prefix := range prefixes {
		if prefix == "" {
			return errors.New("redisstore: a wipe needs to know whose keys are meant")
		}
	}
	if cluster, ok := client.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			return wipeNode(ctx, node, prefixes)
		})
	}
	return wipeNode(ctx, client, prefixes)
}

func wipeNode(ctx context.Context, node redis.Cmdable, prefixes []string) error {
	for _, prefix := range prefixes {
		for cursor := uint64(0); ; {
			keys, next, err := node.Scan(ctx, cursor, prefix+"*", scanCount).Result()
			if err != nil {
				return fmt.Errorf("redisstore: %w", err)
			}
			// One command per key: in a cluster a command is for one slot.
			if _, err := node.Pipelined(ctx, func(p redis.Pipeliner) error {
				for _, key := range keys {
					p.Unlink(ctx, key)
				}
				return nil
			}); err != nil {
				return fmt.Errorf("redisstore: %w", err)
			}
			if next == 0 {
				break
			}
			cursor = next
		}
	}
	return nil
}
