// Package ops is the private listener: whether the gateway lives, whether it could take a refund now, and where its
// refunds stand. It is never served on the channel's port.
package ops

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
)

// Identity says who calls. It returns bank.ErrUnauthenticated for a token that isn't to be believed, and any other error
// when nobody could be asked: the caller is refused either way.
type Identity interface {
	Verify(ctx context.Context, bearer string) (bank.Caller, error)
}

// Counter says how many refunds are in each state.
type Counter interface {
	Counts(ctx context.Context) (counts map[gateway.State]int, oldestUnfinished time.Time, err error)
}

// Config is what the listener looks at.
type Config struct {
	Identity Identity
	Store    Counter
	Breakers func() map[string]string               // state by kind of call
	Checks   map[string]func(context.Context) error // what must hold for the gateway to be ready, by name
}

// checkMax bounds all checks of one question together.
const checkMax = 2 * time.Second

// New returns the handler of the ops listener.
func New(c Config) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", c.ready)
	mux.HandleFunc("GET /ops/api/summary", c.operators(c.summary))
	return mux
}

// ready answers 503 with the names of what doesn't hold. The core isn't among them: without it refunds are taken all
// the same, and wait.
func (c Config) ready(w http.ResponseWriter, r *http.Request) {
	reasons := c.failing(r.Context())
	if len(reasons) > 0 {
		write(w, http.StatusServiceUnavailable, map[string]any{"status": "not ready", "reasons": reasons})
		return
	}
	write(w, http.StatusOK, map[string]any{"status": "ready", "reasons": reasons})
}

// failing runs all checks at once, so that one that hangs isn't told of the others, and returns the names of those that
// fail or don't answer in time.
func (c Config) failing(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, checkMax)
	defer cancel()
	type result struct {
		name string
		err  error
	}
	results := make(chan result, len(c.Checks)) // room for all: a check that heeds no deadline holds up nobody
	for name, check := range c.Checks {
		go func() { results <- result{name, check(ctx)} }()
	}
	holds := map[string]bool{}
	for range c.Checks {
		select {
		case r := <-results:
			holds[r.name] = r.err == nil
		case <-ctx.Done(): // whatever hasn't answered by now doesn't hold
		}
	}
	reasons := []string{}
	for name := range c.Checks {
		if !holds[name] {
			reasons = append(reasons, name)
		}
	}
	slices.Sort(reasons)
	return reasons
}

// operators lets only tokens with the scope operator pass. What probes and scrapers ask needs none.
func (c Config) operators(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		bearer, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		caller, err := bank.Caller{}, bank.ErrUnauthenticated
		if found {
			caller, err = c.Identity.Verify(r.Context(), bearer)
		}
		switch {
		case errors.Is(err, bank.ErrUnauthenticated):
			w.Header().Set("WWW-Authenticate", `Bearer realm="istirdad"`)
			refuse(w, http.StatusUnauthorized, "unauthenticated")
		case err != nil:
			refuse(w, http.StatusServiceUnavailable, "try_again")
		case !caller.Has(bank.ScopeOperator):
			refuse(w, http.StatusForbidden, "forbidden")
		default:
			next(w, r)
		}
	}
}

type breaker struct {
	State string `json:"state"`
}

func (c Config) summary(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), checkMax)
	defer cancel()
	counts, oldest, err := c.Store.Counts(ctx)
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, "try_again")
		return
	}
	states := map[gateway.State]int{}
	for _, s := range gateway.States() {
		states[s] = counts[s]
	}
	breakers := map[string]breaker{}
	for call, state := range c.Breakers() {
		breakers[call] = breaker{state}
	}
	age := 0.0
	if !oldest.IsZero() {
		age = max(0, time.Since(oldest).Seconds()) // another machine's clock may be ahead
	}
	write(w, http.StatusOK, map[string]any{"states": states, "oldest_unfinished_s": int(age), "breakers": breakers})
}

// refuse answers with a code of api.md; operators' programs go by it.
func refuse(w http.ResponseWriter, status int, code string) {
	write(w, status, map[string]any{"status": status, "code": code})
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
