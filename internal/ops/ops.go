// Package ops is the private listener: whether the gateway lives, whether it could take a refund now, what it measures,
// and where its refunds stand. It is never served on the channel's port.
package ops

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
)

// Counter says how many refunds are in each state, and how many are late.
type Counter interface {
	Counts(ctx context.Context) (counts map[gateway.State]int, oldestUnfinished time.Time, err error)
	Late(ctx context.Context, d gateway.Deadlines) (gateway.Late, error)
}

// Store is all that the listener reads of the store, and the one thing that it writes.
type Store interface {
	Counter
	Book
	Records
}

// Config is what the listener looks at.
type Config struct {
	Identity bank.Identity // who calls; of a session that was ended nobody (bank.Doorkeeper)
	Store    Store
	Calendar func() saudi.Calendar                  // the bank's, by which a refund is late
	Breakers func() map[string]string               // state by kind of call
	Degraded map[string]func() bool                 // what isn't well though the gateway is ready, by reason
	Routes   func() map[string]bool                 // of SMS, by name: whether the last message was taken
	Checks   map[string]func(context.Context) error // what must hold for the gateway to be ready, by name
	Stopping func() bool                            // whether it is being stopped, so that nobody new should come
	Metrics  http.Handler                           // answers a scrape
}

// The reasons of /readyz, beside the names of the checks and of what degrades. Programs go by them.
const (
	reasonStopping    = "stopping"
	reasonClockSkew   = "clock_skew"
	reasonCoreBreaker = "core_breaker"
)

// checkMax bounds all checks of one question together.
const checkMax = 2 * time.Second

// New returns the handler of the ops listener.
func New(c Config) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", c.ready)
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		c.Metrics.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /ops/api/summary", c.operators(c.summary))
	mux.HandleFunc("GET /ops/api/refunds", c.operators(c.refunds))
	mux.HandleFunc("GET /ops/api/refunds/{id}", c.operators(c.refund))
	mux.HandleFunc("GET /ops/api/refunds/{id}/evidence", c.operators(c.evidence))
	return mux
}

// ready answers 503 with the names of what doesn't hold. While the core is cut off, or the file of the bank's profile is
// wrong, the gateway is degraded but ready: refunds are taken all the same, and wait, or go by the profile before. If all
// gateways left the load balancer then, nobody could ask for one.
func (c Config) ready(w http.ResponseWriter, r *http.Request) {
	if c.Stopping() {
		write(w, http.StatusServiceUnavailable, readiness{"not ready", []string{reasonStopping}})
		return
	}
	status, answer := http.StatusOK, readiness{"ready", c.failing(r.Context())}
	if len(answer.Reasons) > 0 {
		status, answer.Status = http.StatusServiceUnavailable, "not ready"
	}
	if degraded := c.degraded(); len(degraded) > 0 {
		if status == http.StatusOK {
			answer.Status = "degraded"
		}
		answer.Reasons = append(answer.Reasons, degraded...)
		slices.Sort(answer.Reasons)
	}
	write(w, status, answer)
}

// Holds is what /readyz goes by, one by one: whether each check, the clocks and the breakers hold, and whatever else may
// degrade it. A database whose clock differs answers, so there it is the clocks that don't hold and nothing else.
func (c Config) Holds(ctx context.Context) map[string]bool {
	holds := map[string]bool{reasonClockSkew: true, reasonCoreBreaker: true}
	for name := range c.Checks {
		holds[name] = true
	}
	for reason := range c.Degraded {
		holds[reason] = true
	}
	for _, reason := range append(c.failing(ctx), c.degraded()...) {
		holds[reason] = false
	}
	return holds
}

type readiness struct {
	Status  string   `json:"status"`
	Reasons []string `json:"reasons"`
}

// degraded are the reasons why not all is well, though the gateway is ready.
func (c Config) degraded() (reasons []string) {
	if c.cutOff() {
		reasons = append(reasons, reasonCoreBreaker)
	}
	for reason, is := range c.Degraded {
		if is() {
			reasons = append(reasons, reason)
		}
	}
	return reasons
}

// cutOff reports whether any kind of call to the core is cut off. A half-open breaker lets a probe or two through and
// nobody else, and one that flaps between the two was never closed.
func (c Config) cutOff() bool {
	for _, state := range c.Breakers() {
		if state != "closed" {
			return true
		}
	}
	return false
}

// failing runs all checks at once, so that one that hangs doesn't hide the others, and returns the reasons of those that
// fail or don't answer in time, in order.
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
	reason := map[string]string{} // by check that doesn't hold
	for name := range c.Checks {
		reason[name] = name
	}
	for range c.Checks {
		select {
		case r := <-results:
			switch {
			case r.err == nil:
				delete(reason, r.name)
			case errors.Is(r.err, gateway.ErrClockSkew):
				reason[r.name] = reasonClockSkew
			}
		case <-ctx.Done(): // whatever hasn't answered by now doesn't hold
		}
	}
	reasons := slices.AppendSeq([]string{}, maps.Values(reason)) // never null
	slices.Sort(reasons)
	return slices.Compact(reasons)
}

// operators lets only tokens with the scope operator pass. What probes and scrapers ask needs none.
func (c Config) operators(next func(http.ResponseWriter, *http.Request, bank.Caller)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch caller, err := bank.Authenticate(r.Context(), c.Identity, r.Header.Values("Authorization")); {
		case errors.Is(err, bank.ErrUnauthenticated):
			w.Header().Set("WWW-Authenticate", `Bearer realm="istirdad"`)
			refuse(w, http.StatusUnauthorized, "unauthenticated")
		case err != nil:
			refuse(w, http.StatusServiceUnavailable, "try_again")
		case !caller.Has(bank.ScopeOperator):
			refuse(w, http.StatusForbidden, "forbidden")
		default:
			next(w, r, caller)
		}
	}
}

type breaker struct {
	State string `json:"state"`
}

type route struct {
	Route   string `json:"route"`
	Healthy bool   `json:"healthy"`
}

func (c Config) summary(w http.ResponseWriter, r *http.Request, _ bank.Caller) {
	ctx, cancel := context.WithTimeout(r.Context(), checkMax)
	defer cancel()
	now := time.Now()
	counts, oldest, err := c.Store.Counts(ctx)
	late, lateErr := c.Store.Late(ctx, gateway.DeadlinesAt(now, c.Calendar()))
	if err != nil || lateErr != nil {
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
		age = max(0, now.Sub(oldest).Seconds()) // another machine's clock may be ahead
	}
	routes := []route{}
	for name, healthy := range c.Routes() {
		routes = append(routes, route{name, healthy})
	}
	slices.SortFunc(routes, func(a, b route) int { return strings.Compare(a.Route, b.Route) })
	write(w, http.StatusOK, map[string]any{
		"states": states, "oldest_unfinished_s": int(age), "overdue": latenessOf(late), "breakers": breakers, "sms": routes,
	})
}

// lateness is what operators are told of refunds that are late.
type lateness struct {
	Overdue int     `json:"overdue"` // those that are red among them
	Red     int     `json:"red"`
	Oldest  *oldest `json:"oldest"`
}

// oldest is the one that has waited longest.
type oldest struct {
	RefundID  string        `json:"refund_id"`
	Reference string        `json:"reference"`
	State     gateway.State `json:"state"`
	CreatedAt string        `json:"created_at"`
}

func latenessOf(late gateway.Late) lateness {
	l := lateness{Overdue: late.Overdue, Red: late.Red}
	if r := late.Oldest; r != nil {
		l.Oldest = &oldest{r.ID, r.Reference, r.State, instant(r.CreatedAt)}
	}
	return l
}

// instant is a time as api.md has it: RFC 3339 in UTC with six decimals.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

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
