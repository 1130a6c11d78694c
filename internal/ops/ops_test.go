package ops_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/ops"
	"github.com/istirdad/istirdad/internal/saudi"
)

// ask returns the status of an answer, and its body.
func ask(t *testing.T, c ops.Config, path string) (int, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer operator")
	ops.New(quiet(c)).ServeHTTP(w, r)
	if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%s: headers %v", path, w.Header())
	}
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return w.Code, body
}

// quiet is a gateway of which nothing more is to be told than c says.
func quiet(c ops.Config) ops.Config {
	c.Identity = staff{}
	c.Calendar = func() saudi.Calendar { return saudi.Calendar{} }
	if c.Breakers == nil {
		c.Breakers = func() map[string]string { return nil }
	}
	if c.Routes == nil {
		c.Routes = func() map[string]bool { return nil }
	}
	if c.Stopping == nil {
		c.Stopping = func() bool { return false }
	}
	return c
}

// staff is an issuer whose tokens name their scope.
type staff struct{}

func (staff) Verify(_ context.Context, bearer string) (bank.Caller, error) {
	switch bearer {
	case "forged":
		return bank.Caller{}, bank.ErrUnauthenticated
	case "unknown":
		return bank.Caller{}, bank.ErrUnavailable
	}
	return bank.Caller{Subject: "o01", Scopes: []bank.Scope{bank.Scope(bearer)}}, nil
}

func TestSummaryIsForOperators(t *testing.T) {
	for authorization, want := range map[string]int{
		"": 401, "Bearer": 401, "Bearer ": 401, "Basic operator": 401, "Bearer forged": 401, "Bearer unknown": 503,
		"Bearer refunds": 403, "Bearer teller": 403, "Bearer approver": 403, "Bearer operator": 200, "bearer operator": 200,
		"Bearer operator, Bearer operator": 401, // of two, a proxy might have believed the other
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ops/api/summary", nil)
		for value := range strings.SplitSeq(authorization, ", ") {
			if value != "" {
				r.Header.Add("Authorization", value)
			}
		}
		ops.New(quiet(ops.Config{Store: counter{}})).ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d, want %d", authorization, w.Code, want)
		}
	}
}

type check = func(context.Context) error

func holds(context.Context) error { return nil }

func fails(context.Context) error { return errors.New("password=secret") }

func skewed(context.Context) error { return fmt.Errorf("ahead by 3s: %w", gateway.ErrClockSkew) }

// hangs until it is called off, and deaf not even then.
func hangs(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func deaf(context.Context) error { time.Sleep(time.Hour); return nil }

func TestReady(t *testing.T) {
	for name, c := range map[string]struct {
		checks  map[string]check
		status  int
		reasons []any
		after   time.Duration
	}{
		"nothing to check":    {nil, 200, []any{}, 0},
		"all hold":            {map[string]check{"redis": holds, "database": holds}, 200, []any{}, 0},
		"two fail":            {map[string]check{"redis": fails, "database": fails, "clock": holds}, 503, []any{"database", "redis"}, 0},
		"the clocks differ":   {map[string]check{"redis": holds, "database": skewed}, 503, []any{"clock_skew"}, 0},
		"skewed, and a fault": {map[string]check{"redis": fails, "database": skewed}, 503, []any{"clock_skew", "redis"}, 0},
		"one hangs":           {map[string]check{"redis": hangs, "database": holds, "clock": holds}, 503, []any{"redis"}, 2 * time.Second},
		"one is deaf":         {map[string]check{"redis": deaf, "database": fails, "clock": holds}, 503, []any{"database", "redis"}, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				status, body := ask(t, ops.Config{Checks: c.checks}, "/readyz")
				if status != c.status || !reflect.DeepEqual(body["reasons"], c.reasons) {
					t.Errorf("%d %v, want %d with %v", status, body, c.status, c.reasons)
				}
				if took := time.Since(began); took != c.after {
					t.Errorf("it took %v", took)
				}
				time.Sleep(time.Hour) // until the deaf has come home too
			})
		})
	}
	if status, _ := ask(t, ops.Config{Checks: map[string]check{"database": fails}}, "/healthz"); status != 200 {
		t.Errorf("alive without a database: %d", status)
	}
}

// TestReadyWithoutTheCore: a gateway whose core is cut off takes refunds all the same.
func TestReadyWithoutTheCore(t *testing.T) {
	for name, c := range map[string]struct {
		submit   string
		database check
		status   int
		want     map[string]any
	}{
		"closed":    {"closed", holds, 200, map[string]any{"status": "ready", "reasons": []any{}}},
		"half open": {"half-open", holds, 200, map[string]any{"status": "degraded", "reasons": []any{"core_breaker"}}},
		"open":      {"open", holds, 200, map[string]any{"status": "degraded", "reasons": []any{"core_breaker"}}},
		"and no database": {"open", fails, 503, map[string]any{
			"status": "not ready", "reasons": []any{"core_breaker", "database"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := ask(t, ops.Config{
				Checks:   map[string]check{"database": c.database},
				Breakers: func() map[string]string { return map[string]string{"submit": c.submit, "status": "closed"} },
			}, "/readyz")
			if status != c.status || !reflect.DeepEqual(body, c.want) {
				t.Errorf("%d %v, want %d %v", status, body, c.status, c.want)
			}
		})
	}
}

// TestHolds: what /readyz goes by, as a scrape is told it. A clock that differs isn't a database that is gone.
func TestHolds(t *testing.T) {
	c := quiet(ops.Config{
		Checks:   map[string]func(context.Context) error{"redis": fails, "database": skewed},
		Breakers: func() map[string]string { return map[string]string{"submit": "open"} },
		Degraded: map[string]func() bool{"profile": no, "log": yes},
	})
	want := map[string]bool{"database": true, "redis": false, "clock_skew": false, "core_breaker": false, "profile": true, "log": false}
	if got := c.Holds(t.Context()); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	c = quiet(ops.Config{Checks: map[string]func(context.Context) error{"redis": holds, "database": holds}})
	for reason, ok := range c.Holds(t.Context()) {
		if !ok {
			t.Errorf("%s doesn't hold", reason)
		}
	}
}

func yes() bool { return true }
func no() bool  { return false }

// TestDegraded: what isn't well is said, and takes no gateway out of service.
func TestDegraded(t *testing.T) {
	for name, c := range map[string]struct {
		profile  func() bool
		database check
		status   int
		want     map[string]any
	}{
		"all is well":     {no, holds, 200, map[string]any{"status": "ready", "reasons": []any{}}},
		"degraded":        {yes, holds, 200, map[string]any{"status": "degraded", "reasons": []any{"profile"}}},
		"and no database": {yes, fails, 503, map[string]any{"status": "not ready", "reasons": []any{"database", "profile"}}},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := ask(t, ops.Config{
				Checks: map[string]check{"database": c.database}, Degraded: map[string]func() bool{"profile": c.profile},
			}, "/readyz")
			if status != c.status || !reflect.DeepEqual(body, c.want) {
				t.Errorf("%d %v, want %d %v", status, body, c.status, c.want)
			}
		})
	}
}

func TestStopping(t *testing.T) {
	c := ops.Config{Checks: map[string]check{"database": holds}, Stopping: func() bool { return true }}
	status, body := ask(t, c, "/readyz")
	if want := (map[string]any{"status": "not ready", "reasons": []any{"stopping"}}); status != 503 || !reflect.DeepEqual(body, want) {
		t.Errorf("%d %v", status, body)
	}
	if status, _ := ask(t, c, "/healthz"); status != 200 {
		t.Errorf("alive while it stops: %d", status)
	}
}

// TestMetrics: a scraper needs no token, and isn't answered out of a cache.
func TestMetrics(t *testing.T) {
	w := httptest.NewRecorder()
	told := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "istirdad_build_info 1") })
	ops.New(quiet(ops.Config{Metrics: told})).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != 200 || w.Body.String() != "istirdad_build_info 1" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
}

// counter is a store with these refunds.
type counter struct {
	ops.Store // nothing else is asked of it
	counts    map[gateway.State]int
	oldest    time.Time
	late      func(gateway.Deadlines) gateway.Late // nil: none is
	err       error
}

func (c counter) Late(_ context.Context, d gateway.Deadlines) (gateway.Late, error) {
	if c.late == nil {
		return gateway.Late{}, nil
	}
	return c.late(d), nil
}

func (c counter) Counts(context.Context) (map[gateway.State]int, time.Time, error) {
	return c.counts, c.oldest, c.err
}

func TestSummary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		breakers := func() map[string]string { return map[string]string{"submit": "open", "status": "closed"} }
		store := counter{counts: map[gateway.State]int{gateway.Queued: 2, gateway.Credited: 5}, oldest: time.Now().Add(-90 * time.Second)}
		routes := func() map[string]bool { return map[string]bool{"smpp": false, "http": true} }
		status, body := ask(t, ops.Config{Store: store, Breakers: breakers, Routes: routes}, "/ops/api/summary")
		states, _ := body["states"].(map[string]any)
		if status != 200 || body["oldest_unfinished_s"] != 90.0 || states["queued"] != 2.0 || states["credited"] != 5.0 {
			t.Errorf("%d %v", status, body)
		}
		var listed []gateway.State
		for _, s := range gateway.States() { // those of which there are none, too
			if _, ok := states[string(s)]; ok {
				listed = append(listed, s)
			}
		}
		if !slices.Equal(listed, gateway.States()) || len(states) != len(listed) {
			t.Errorf("the states are %v", states)
		}
		if want := (map[string]any{"submit": map[string]any{"state": "open"}, "status": map[string]any{"state": "closed"}}); !reflect.DeepEqual(body["breakers"], want) {
			t.Errorf("the breakers are %v", body["breakers"])
		}
		if want := []any{map[string]any{"route": "http", "healthy": true}, map[string]any{"route": "smpp", "healthy": false}}; !reflect.DeepEqual(body["sms"], want) {
			t.Errorf("the routes are %v", body["sms"])
		}
		for oldest, want := range map[time.Time]float64{{}: 0, time.Now().Add(time.Minute): 0} {
			if _, body := ask(t, ops.Config{Store: counter{oldest: oldest}, Breakers: breakers}, "/ops/api/summary"); body["oldest_unfinished_s"] != want {
				t.Errorf("the oldest of %v is %v old", oldest, body["oldest_unfinished_s"])
			}
		}
		status, body = ask(t, ops.Config{Store: counter{err: errors.New("password=secret")}, Breakers: breakers}, "/ops/api/summary")
		if want := (map[string]any{"status": 503.0, "code": "try_again"}); status != 503 || !reflect.DeepEqual(body, want) {
			t.Errorf("without a store: %d %v", status, body)
		}
	})
}

// TestSummaryOfTheLate: how many refunds are late by the bank's working days, and the oldest of them.
func TestSummaryOfTheLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // on Saturday 2000-01-01
		store := counter{}
		if _, body := ask(t, ops.Config{Store: store}, "/ops/api/summary"); !reflect.DeepEqual(body["overdue"], map[string]any{
			"overdue": 0.0, "red": 0.0, "oldest": nil,
		}) {
			t.Errorf("of none it says %v", body["overdue"])
		}
		store.late = func(d gateway.Deadlines) gateway.Late {
			monday := time.Date(1999, 12, 28, 0, 0, 0, 0, saudi.Riyadh)
			if !d.Overdue.Equal(monday) || !d.Red.Equal(monday.AddDate(0, 0, -6)) {
				t.Errorf("late is what was confirmed before %s, and red before %s", d.Overdue, d.Red)
			}
			return gateway.Late{Overdue: 3, Red: 1, Oldest: &gateway.Oldest{
				ID: "019c", Reference: "RFK5EWJTN6GVB8STYT", State: gateway.Manual, CreatedAt: monday.Add(5 * time.Microsecond),
			}}
		}
		if _, body := ask(t, ops.Config{Store: store}, "/ops/api/summary"); !reflect.DeepEqual(body["overdue"], map[string]any{
			"overdue": 3.0, "red": 1.0, "oldest": map[string]any{
				"refund_id": "019c", "reference": "RFK5EWJTN6GVB8STYT", "state": "manual", "created_at": "1999-12-27T21:00:00.000005Z",
			},
		}) {
			t.Errorf("it says %v", body["overdue"])
		}
	})
}
