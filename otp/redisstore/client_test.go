package redisstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/istirdad/istirdad/otp/redisstore"
)

func TestClientFailsFast(t *testing.T) {
	client := dial(t, redisstore.Options{URL: "rediss://user:secret@redis.example:6390/2"})
	o := client.(*redis.Client).Options()
	switch {
	case o.Addr != "redis.example:6390" || o.DB != 2 || o.Username != "user" || o.Password != "secret" || o.TLSConfig == nil:
		t.Error("the URL was not followed")
	case o.MaxRetries > 0:
		t.Error("the client repeats commands")
	case !o.ContextTimeoutEnabled:
		t.Error("the client ignores the context")
	case o.DialTimeout != 300*time.Millisecond || o.ReadTimeout != 200*time.Millisecond ||
		o.WriteTimeout != 200*time.Millisecond || o.PoolTimeout != 200*time.Millisecond || o.DialerRetries != 1:
		t.Error("the client waits too long")
	case o.PoolSize != 32:
		t.Errorf("a pool of %d", o.PoolSize)
	}
	if _, ok := dial(t, redisstore.Options{Addrs: []string{"a:1", "b:2"}}).(*redis.ClusterClient); !ok {
		t.Error("two addresses are not a cluster")
	}
}

func TestNewClientRefuses(t *testing.T) {
	for _, o := range []redisstore.Options{
		{},
		{URL: "redis://localhost", Addrs: []string{"localhost:6379"}},
		{URL: "http://user:secret@localhost"},
		{URL: "redis://user:secret@local host"},
	} {
		_, err := redisstore.NewClient(o)
		if err == nil {
			t.Errorf("%+v: accepted", o)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the password is in the error: %v", err)
		}
	}
}

func TestCheckServer(t *testing.T) {
	for info, want := range map[string]error{
		"# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n": nil,
		"# Memory\r\nmaxmemory_policy:allkeys-lru\r\n":               redisstore.ErrEvicting,
		"# Memory\r\nmaxmemory_policy:volatile-ttl\r\n":              redisstore.ErrEvicting,
		"# Memory\r\nmaxmemory_policy:noevictionatall\r\n":           redisstore.ErrEvicting,
		"# Memory\r\nmaxmemory:0\r\n":                                redisstore.ErrEvicting,
		"":                                                           redisstore.ErrEvicting,
	} {
		client := dial(t, redisstore.Options{Addrs: []string{"127.0.0.1:1"}})
		client.AddHook(informing(info))
		if err := redisstore.CheckServer(t.Context(), client); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", info, err, want)
		}
	}
	// One that cannot be asked, for whatever reason, is refused.
	_, client := embedded(t)
	if err := redisstore.CheckServer(t.Context(), client); err == nil {
		t.Error("a server that does not say was accepted")
	}
}

// informing answers INFO.
type informing string

func (i informing) DialHook(next redis.DialHook) redis.DialHook { return next }

func (i informing) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (i informing) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		cmd.(*redis.StringCmd).SetVal(string(i))
		return nil
	}
}
