package telemetry_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/istirdad/istirdad/internal/telemetry"
)

// Of W3C Trace Context, section 3.2.2.
const (
	w3cTrace   = "4bf92f3577b34da6a3ce929d0e0e4736"
	w3cSampled = "00-" + w3cTrace + "-00f067aa0ba902b7-01"
	w3cDropped = "00-" + w3cTrace + "-00f067aa0ba902b7-00"
)

func TestJoin(t *testing.T) {
	for name, c := range map[string]struct{ sent, want string }{
		"sampled":          {w3cSampled, w3cSampled},
		"not sampled":      {w3cDropped, w3cDropped},
		"a later version":  {"cc" + w3cSampled[2:] + "-what-comes", w3cSampled},
		"none":             {"", ""},
		"no trace":         {"00-00000000000000000000000000000000-00f067aa0ba902b7-01", ""},
		"no span":          {"00-" + w3cTrace + "-0000000000000000-01", ""},
		"no version":       {"ff" + w3cSampled[2:], ""},
		"capitals":         {strings.ToUpper(w3cSampled), ""},
		"too long":         {w3cSampled + "-00", ""},
		"too short":        {w3cSampled[:54], ""},
		"something else":   {"SA0380000999999999999999", ""},
		"with blanks":      {" " + w3cSampled, ""},
		"with a line feed": {w3cSampled + "\n", ""},
	} {
		if got := telemetry.Traceparent(telemetry.Join(t.Context(), c.sent)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func FuzzJoin(f *testing.F) {
	for _, seed := range []string{"", w3cSampled, w3cDropped, "cc" + w3cSampled[2:] + "-x", "00-", strings.Repeat("-", 60)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		ctx := telemetry.Join(t.Context(), sent)
		got := telemetry.Traceparent(ctx)
		if got == "" {
			if trace.SpanContextFromContext(ctx).IsValid() {
				t.Error("joined a trace that has no name")
			}
			return
		}
		if len(got) != 55 || got[2:53] != sent[2:53] { // the flags that we don't know are not passed on
			t.Errorf("joined %q of %q", got, sent)
		}
		if again := telemetry.Traceparent(telemetry.Join(t.Context(), got)); again != got {
			t.Errorf("%q became %q", got, again)
		}
	})
}

// TestWhoDecidesOnATrace: whoever began it. Of those that begin here, a share is kept.
func TestWhoDecidesOnATrace(t *testing.T) {
	for name, c := range map[string]struct {
		ratio  float64
		parent string
		kept   bool
	}{
		"begun here, none kept":       {0, "", false},
		"begun here, all kept":        {1, "", true},
		"the caller keeps it":         {0, w3cSampled, true},
		"the caller doesn't keep it":  {1, w3cDropped, false},
		"the caller says what's what": {1, "malformed", true},
	} {
		spans := tracetest.NewSpanRecorder()
		tel := open(t, telemetry.Config{TraceRatio: c.ratio, Spans: spans})
		ctx, span := tel.Tracer().Start(telemetry.Join(t.Context(), c.parent), "x")
		span.End()
		if kept := len(spans.Ended()) == 1; kept != c.kept {
			t.Errorf("%s: kept %v", name, kept)
		}
		// Kept or not, it has a name by which the log and the neighbours know it.
		got := telemetry.Traceparent(ctx)
		if len(got) != 55 || len(c.parent) == 55 && got[3:35] != w3cTrace {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestPanicsAreNotRecorded: what a panic says may hold what was being worked on.
func TestPanicsAreNotRecorded(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	tel := open(t, telemetry.Config{TraceRatio: 1, Spans: spans})
	func() {
		defer func() { _ = recover() }()
		_, span := tel.Tracer().Start(t.Context(), "x")
		defer span.End()
		panic("SA0380000999999999999999")
	}()
	if ended := spans.Ended(); len(ended) != 1 || len(ended[0].Events()) != 0 {
		t.Errorf("recorded %v", ended)
	}
}

// TestExport: spans reach the collector, with who sent them; and two of us don't mix, because nothing is global.
func TestExport(t *testing.T) {
	got := make(chan []byte, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/traces" {
			t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		}
		got <- body
	}))
	defer collector.Close()
	before := otel.GetTracerProvider()
	tel, err := telemetry.New(t.Context(), telemetry.Config{
		Version: "1.2.3", Instance: "gw-1", TracesURL: collector.URL, TraceRatio: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tel.Tracer().Start(t.Context(), "GET /v1/profile")
	span.End()
	if otel.GetTracerProvider() != before {
		t.Error("it made itself everybody's")
	}
	if err := tel.Close(t.Context()); err != nil { // exports what is left
		t.Fatal(err)
	}
	body := string(<-got)
	for _, want := range []string{"GET /v1/profile", "istirdad-gateway", "1.2.3", "gw-1"} {
		if !strings.Contains(body, want) {
			t.Errorf("the collector wasn't told %q", want)
		}
	}
	wantSeries(t, scrape(t, tel), map[string]string{`istirdad_trace_exports_total{result="ok"}`: "1"})
}

// TestCollectorFails: nobody waits for it, and nobody but a metric is told.
func TestCollectorFails(t *testing.T) {
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "canary", http.StatusBadRequest)
	}))
	defer collector.Close()
	tel, err := telemetry.New(t.Context(), telemetry.Config{TracesURL: collector.URL + "/v1/traces", TraceRatio: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tel.Tracer().Start(t.Context(), "x")
	span.End()
	if err := tel.Close(t.Context()); err != nil {
		t.Error(err)
	}
	wantSeries(t, scrape(t, tel), map[string]string{`istirdad_trace_exports_total{result="failed"}`: "1"})
}

// TestCollectorHangs: the last traces are waited for as long as whoever closes likes, and no longer.
func TestCollectorHangs(t *testing.T) {
	release := make(chan struct{})
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer collector.Close()
	defer close(release)
	tel, err := telemetry.New(t.Context(), telemetry.Config{TracesURL: collector.URL, TraceRatio: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tel.Tracer().Start(t.Context(), "x")
	span.End()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = tel.Close(ctx)
	if err != nil && strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("the error quotes the address: %v", err)
	}
	if ctx.Err() == nil {
		t.Error("closed before the time was up, with traces that nobody has")
	}
}
