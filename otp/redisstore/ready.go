package redisstore

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// Client is what NewClient makes, under a name that those who only pass it on can use.
type Client = redis.UniversalClient

// Ping says whether Redis answers, for readiness.
func Ping(ctx context.Context, client Client) error { return client.Ping(ctx).Err() }
