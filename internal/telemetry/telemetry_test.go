package telemetry_test

import (
	"context"
	"errors"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/internal/telemetry"
)

func open(t *testing.T, c telemetry.Config) *telemetry.Telemetry {
	t.Helper()
	tel, err := telemetry.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tel.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tel
}

// scrape is what a scraper is told: each series by its name and labels, as text.
func scrape(t *testing.T, tel *telemetry.Telemetry) map[string]string {
	t.Helper()
	w := httptest.NewRecorder()
	tel.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("scraped %d: %s", w.Code, w.Body)
	}
	told := map[string]string{}
	for line := range strings.Lines(w.Body.String()) {
		if cut := strings.LastIndexByte(line, ' '); !strings.HasPrefix(line, "#") {
			told[line[:cut]] = strings.TrimSpace(line[cut:])
		}
	}
	return told
}

// ours are the series of this repository, histograms' buckets aside.
func ours(told map[string]string) map[string]string {
	maps.DeleteFunc(told, func(series, _ string) bool {
		return !strings.HasPrefix(series, "istirdad_") || strings.Contains(series, "_bucket{")
	})
	return told
}

func wantSeries(t *testing.T, got map[string]string, want map[string]string) {
	t.Helper()
	for series, value := range want {
		if got[series] != value {
			t.Errorf("%s is %q, want %s", series, got[series], value)
		}
	}
}

func TestConfig(t *testing.T) {
	for name, c := range map[string]telemetry.Config{
		"a ratio below":    {TraceRatio: -.1},
		"a ratio above":    {TraceRatio: 1.1},
		"no number":        {TraceRatio: math.NaN()},
		"no URL":           {TracesURL: "collector:4318"},
		"another protocol": {TracesURL: "grpc://canary:4317"},
		"no host":          {TracesURL: "http:///v1/traces"},
		"a user":           {TracesURL: "http://canary:canary@collector:4318"},
		"a query":          {TracesURL: "http://collector:4318/?key=canary"},
		"unreadable":       {TracesURL: "http://canary\x00"},
	} {
		_, err := telemetry.New(t.Context(), c)
		if err == nil {
			t.Errorf("%s was taken", name)
			continue
		}
		if strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error quotes the URL: %v", name, err)
		}
	}
}

// TestWhatIsTold: the names and labels that dashboards and alerts are made of.
func TestWhatIsTold(t *testing.T) {
	tel := open(t, telemetry.Config{Version: "1.2.3", Instance: "gw-1"})
	fresh := ours(scrape(t, tel))
	wantSeries(t, fresh, map[string]string{
		`istirdad_build_info{instance_name="gw-1",version="1.2.3"}`: "1",
		`istirdad_http_requests_in_flight`:                          "0",
		`istirdad_dispatch_claim_failures_total`:                    "0",
		`istirdad_trace_exports_total{result="ok"}`:                 "0",
		`istirdad_trace_exports_total{result="failed"}`:             "0",
	})
	// A counter is alerted on by its increase, so what may happen once only is there before it happens.
	rare := map[string]string{}
	for _, state := range []string{"sending", "in_doubt", "pending", "refunded", "returning", "credited"} {
		for _, result := range []string{"unrecorded", "panicked", "stale", "lapsed"} {
			rare[`istirdad_dispatch_attempts_total{result="`+result+`",state="`+state+`"}`] = "0"
		}
	}
	for _, call := range []string{"submit", "status", "return"} {
		labels := `{call="` + call + `",neighbour="core",outcome="suspect"}`
		rare[`istirdad_neighbour_call_duration_seconds_count`+labels] = "0"
		rare[`istirdad_neighbour_call_duration_seconds_sum`+labels] = "0"
	}
	wantSeries(t, fresh, rare)
	if len(fresh) != 5+len(rare) {
		t.Errorf("before anything happened it told %v", fresh)
	}

	r := tel.Requests()
	r.Began()
	r.Began()
	r.Ended("GET", "/v1/refunds/:refund_id", 404, "not_found", 20*time.Millisecond)
	tel.Calls().Of("core")("submit", "unknown", 10*time.Second)
	d := tel.Dispatch()
	d.Claimed("sending")
	d.ClaimFailed()
	d.Attempted("sending", "in_doubt", 10*time.Second)
	d.HandedOver("core_forgot")
	tel.WatchGuards(func() []telemetry.Guard { return []telemetry.Guard{{"submit", "half_open", 2, 32}} })
	tel.WatchPools(func() map[string]telemetry.Pool {
		return map[string]telemetry.Pool{
			"claims": {Acquired: 1, Idle: 2, Max: 8, Waits: 3, Waited: 1500 * time.Millisecond, GivenUp: 1},
			"redis":  {Idle: 4},
		}
	})
	tel.WatchReadiness(func(context.Context) map[string]bool { return map[string]bool{"database": true, "clock_skew": false} })
	all := scrape(t, tel)
	for _, standard := range []string{"go_goroutines", "process_cpu_seconds_total"} {
		if all[standard] == "" {
			t.Errorf("%s is missing", standard)
		}
	}
	// A bucket stands where the promise does.
	wantSeries(t, all, map[string]string{
		`istirdad_http_request_duration_seconds_bucket{method="GET",route="/v1/refunds/:refund_id",le="0.15"}`:       "1",
		`istirdad_neighbour_call_duration_seconds_bucket{call="submit",neighbour="core",outcome="unknown",le="7.5"}`: "0",
		`istirdad_neighbour_call_duration_seconds_bucket{call="submit",neighbour="core",outcome="unknown",le="10"}`:  "1",
		`istirdad_dispatch_attempt_duration_seconds_bucket{state="sending",le="10"}`:                                 "1",
	})
	want := map[string]string{
		`istirdad_ready{reason="clock_skew"}`: "0",
		`istirdad_ready{reason="database"}`:   "1",
		`istirdad_http_requests_in_flight`:    "1",
		`istirdad_http_requests_total{code="not_found",method="GET",route="/v1/refunds/:refund_id",status="404"}`: "1",
		`istirdad_http_request_duration_seconds_count{method="GET",route="/v1/refunds/:refund_id"}`:               "1",
		`istirdad_http_request_duration_seconds_sum{method="GET",route="/v1/refunds/:refund_id"}`:                 "0.02",
		`istirdad_neighbour_call_duration_seconds_count{call="submit",neighbour="core",outcome="unknown"}`:        "1",
		`istirdad_neighbour_call_duration_seconds_sum{call="submit",neighbour="core",outcome="unknown"}`:          "10",
		`istirdad_dispatch_claims_total{state="sending"}`:                                                         "1",
		`istirdad_dispatch_claim_failures_total`:                                                                  "1",
		`istirdad_dispatch_attempts_total{result="in_doubt",state="sending"}`:                                     "1",
		`istirdad_dispatch_attempt_duration_seconds_count{state="sending"}`:                                       "1",
		`istirdad_dispatch_attempt_duration_seconds_sum{state="sending"}`:                                         "10",
		`istirdad_dispatch_handed_over_total{reason="core_forgot"}`:                                               "1",
		`istirdad_core_breaker{call="submit",state="closed"}`:                                                     "0",
		`istirdad_core_breaker{call="submit",state="half_open"}`:                                                  "1",
		`istirdad_core_breaker{call="submit",state="open"}`:                                                       "0",
		`istirdad_core_bulkhead_in_use{call="submit"}`:                                                            "2",
		`istirdad_core_bulkhead_size{call="submit"}`:                                                              "32",
		`istirdad_pool_connections{pool="claims",state="acquired"}`:                                               "1",
		`istirdad_pool_connections{pool="claims",state="idle"}`:                                                   "2",
		`istirdad_pool_connections_max{pool="claims"}`:                                                            "8",
		`istirdad_pool_waits_total{pool="claims"}`:                                                                "3",
		`istirdad_pool_wait_seconds_total{pool="claims"}`:                                                         "1.5",
		`istirdad_pool_given_up_total{pool="claims"}`:                                                             "1",
		`istirdad_pool_given_up_total{pool="redis"}`:                                                              "0",
		`istirdad_pool_connections{pool="redis",state="acquired"}`:                                                "0",
		`istirdad_pool_connections{pool="redis",state="idle"}`:                                                    "4",
		`istirdad_pool_waits_total{pool="redis"}`:                                                                 "0",
		`istirdad_pool_wait_seconds_total{pool="redis"}`:                                                          "0",
		`istirdad_build_info{instance_name="gw-1",version="1.2.3"}`:                                               "1",
		`istirdad_trace_exports_total{result="ok"}`:                                                               "0",
		`istirdad_trace_exports_total{result="failed"}`:                                                           "0",
	}
	told := ours(all)
	wantSeries(t, told, want)
	wantSeries(t, told, rare)
	if len(told) != len(want)+len(rare) {
		t.Errorf("%d series, want %d: %v", len(told), len(want)+len(rare), told)
	}
}

// TestRefunds: the store is asked at each scrape, and what it fails to tell doesn't keep the rest from being told.
func TestRefunds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel := open(t, telemetry.Config{})
		told := func() map[string]string {
			told := ours(scrape(t, tel))
			maps.DeleteFunc(told, func(series, _ string) bool { return !strings.HasPrefix(series, "istirdad_refunds") })
			return told
		}
		if got := told(); len(got) != 0 {
			t.Errorf("nobody watches, and it told %v", got)
		}
		book, fails := telemetry.Book{States: map[string]int{"queued": 2, "credited": 0}, Late: map[string]int{"overdue": 2, "red": 0}, Unreadable: 3}, error(nil)
		tel.WatchRefunds(func(context.Context) (telemetry.Book, error) { return book, fails })
		for oldest, age := range map[time.Time]string{
			{}: "0", time.Now().Add(-90 * time.Second): "90", time.Now().Add(time.Minute): "0",
		} {
			book.OldestUnfinished = oldest
			wantSeries(t, told(), map[string]string{
				`istirdad_refunds{state="queued"}`: "2", `istirdad_refunds{state="credited"}`: "0",
				`istirdad_refunds_oldest_unfinished_seconds`: age, `istirdad_refunds_read_up`: "1",
				`istirdad_refunds_late{level="overdue"}`: "2", `istirdad_refunds_late{level="red"}`: "0", `istirdad_refunds_unreadable`: "3",
			})
		}
		fails = errors.New("password=secret")
		if got := told(); len(got) != 1 || got["istirdad_refunds_read_up"] != "0" {
			t.Errorf("of a store that fails it told %v", got)
		}
	})
}

// TestStoreHangs: a scrape waits for 2 s and no longer, also when the store heeds no deadline, and the next one doesn't
// ask again behind its back.
func TestStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel := open(t, telemetry.Config{})
		var asked atomic.Int32
		tel.WatchRefunds(func(context.Context) (telemetry.Book, error) {
			asked.Add(1)
			time.Sleep(time.Minute)
			return telemetry.Book{}, nil
		})
		for range 3 {
			began := time.Now()
			told := scrape(t, tel)
			if took := time.Since(began); took != 2*time.Second || told["istirdad_refunds_read_up"] != "0" {
				t.Errorf("after %v: up %s", took, told["istirdad_refunds_read_up"])
			}
			if told["istirdad_dispatch_claim_failures_total"] != "0" {
				t.Error("the rest wasn't told")
			}
		}
		if n := asked.Load(); n != 1 {
			t.Errorf("asked %d times at once", n)
		}
		time.Sleep(time.Minute)
	})
}
