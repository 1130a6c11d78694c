package program_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
)

// TestEndedEverywhere: a session that was ended at one gateway is over at every other on the same stores, which may have
// believed its token a moment ago, and at one that comes up later; for customers and, on the other listener, for
// operators. While the record can't be asked, nobody is let in anywhere.
func TestEndedEverywhere(t *testing.T) {
	r := newRig(t)
	shut := r.open()
	first, firstOps := r.channel, r.ops
	r.open()
	second := r.channel
	c, stays, operator := r.world.Customer("p03"), r.world.Customer("p03"), r.world.Customer("o01")
	list := func(c *banktest.Customer, channel string) *banktest.Response {
		return c.Via(channel).Do(http.MethodGet, "/v1/refunds", nil)
	}
	summary := func(ops string) *banktest.Response {
		return operator.Via(ops).Do(http.MethodGet, "/ops/api/summary", nil)
	}
	for _, channel := range []string{first, second} {
		list(c, channel).Want(200)
	}
	summary(firstOps).Want(200)

	c.Via(first).Do(http.MethodDelete, "/v1/session", nil).Want(204)
	operator.Via(first).Do(http.MethodDelete, "/v1/session", nil).Want(403, "forbidden")
	if err := r.store.End(t.Context(), time.Now(), sid(t, operator.Token), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	shut()
	r.open()
	for _, channel := range []string{second, r.channel} {
		list(c, channel).Want(401, "unauthenticated")
		c.Via(channel).Do(http.MethodDelete, "/v1/session", nil).Want(401, "unauthenticated")
		list(stays, channel).Want(200)
	}
	summary(r.ops).Want(401, "unauthenticated")

	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, asks := range []*banktest.Customer{c, stays} {
		list(asks, second).Want(503, "try_again")
		asks.Via(second).Do(http.MethodGet, "/v1/payments", nil).Want(503, "try_again")
		asks.Via(second).Do(http.MethodDelete, "/v1/session", nil).Want(503, "try_again")
	}
	summary(r.ops).Want(503, "try_again")
}

// TestRedisAwayWhenASessionEnds: the session is over all the same, and so for good.
func TestRedisAwayWhenASessionEnds(t *testing.T) {
	r := newRig(t)
	r.open()
	c := r.world.Customer("p03").Via(r.channel)
	c.Prove()
	r.redis.SetError("LOADING")
	c.Do(http.MethodDelete, "/v1/session", nil).Want(204)
	r.redis.SetError("")
	c.Do(http.MethodGet, "/v1/profile", nil).Want(401, "unauthenticated")
}

// sid is what a token says of its session.
func sid(t *testing.T, token string) string {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Session string `json:"sid"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims.Session
}
