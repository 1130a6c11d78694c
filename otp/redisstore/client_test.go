package redisstore_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/istirdad/istirdad/internal/redistest"
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
	own := &tls.Config{RootCAs: x509.NewCertPool()}
	private := dial(t, redisstore.Options{URL: "rediss://redis.example", TLS: own}).(*redis.Client).Options().TLSConfig
	if private.RootCAs != own.RootCAs || private.ServerName != "redis.example" {
		t.Errorf("a private authority is asked for %q", private.ServerName)
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
		{URL: "redis://user:secret@localhost", TLS: &tls.Config{MinVersion: tls.VersionTLS12}},
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
	server := redistest.Start(t, "--requirepass", "secret")
	client := patient(t, server)
	check := func(want error) {
		t.Helper()
		err := redisstore.CheckServer(t.Context(), client)
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	check(nil)
	for _, policy := range []string{ // F29, also while the gateway runs
		"allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
	} {
		ask(t, server, "CONFIG", "SET", "maxmemory-policy", policy)
		check(redisstore.ErrEvicting)
		if err := redisstore.CheckServer(t.Context(), client); !strings.Contains(err.Error(), policy) {
			t.Errorf("%v, want to be told of %s", err, policy)
		}
		ask(t, server, "CONFIG", "SET", "maxmemory-policy", "noeviction")
		check(nil)
	}
}

// One that cannot be asked, for whatever reason, is refused, and nobody hears
// the password.
func TestCheckServerThatDoesNotSay(t *testing.T) {
	server := redistest.Start(t, "--requirepass", "secret")
	_, inProcess := embedded(t)
	for name, client := range map[string]redis.UniversalClient{
		"a wrong password": dial(t, redisstore.Options{Addrs: []string{server.Addr()}, Password: "secrets"}),
		"no password":      dial(t, redisstore.Options{Addrs: []string{server.Addr()}}),
		"nobody there":     dial(t, redisstore.Options{URL: "redis://:secret@127.0.0.1:1"}),
		"embedded":         inProcess,
	} {
		err := redisstore.CheckServer(t.Context(), client)
		if err == nil || errors.Is(err, redisstore.ErrEvicting) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, info := range []string{
		"",
		"# Memory\r\nmaxmemory:0\r\n",
		"# Memory\r\nmaxmemory_policy:\r\n",
		"# Memory\r\nmaxmemory_policy:noevictionatall\r\n",
	} {
		client := dial(t, redisstore.Options{Addrs: []string{"127.0.0.1:1"}})
		client.AddHook(informing(info))
		if err := redisstore.CheckServer(t.Context(), client); !errors.Is(err, redisstore.ErrEvicting) {
			t.Errorf("%q: %v, want ErrEvicting", info, err)
		}
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
