package redisstore_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/redisstore"
)

func wiped(t *testing.T, client redis.UniversalClient) {
	d := newDesk(t, client)
	a := d.issue(t)
	if _, err := client.Pipelined(t.Context(), func(p redis.Pipeliner) error {
		p.Set(t.Context(), "somebody else's otp:{h1}", "value", 0)
		for i := range 700 { // more than one step of a scan sees
			p.Set(t.Context(), fmt.Sprint("ours:", i), "value", 0)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := redisstore.Wipe(t.Context(), client, redisstore.Prefix, "ours:"); err != nil {
		t.Fatal(err)
	}
	if err := d.Verify(t.Context(), a); !errors.Is(err, otp.ErrGone) {
		t.Errorf("Verify: %v, want ErrGone", err)
	}
	if err := redisstore.Wipe(t.Context(), client, "ours:", ""); err == nil {
		t.Error("a wipe of everything was accepted")
	}
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 1 {
		t.Errorf("%d keys left, %v, want somebody else's alone", len(keys), err)
	}
}
