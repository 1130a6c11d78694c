package reqlog_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/istirdad/istirdad/internal/reqlog"
	"github.com/istirdad/istirdad/internal/telemetry"
)

const canary = "SA0380000999999999999999"

// Of W3C Trace Context, section 3.2.2.
const (
	callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersSpan  = "00f067aa0ba902b7"
	traceparent  = "00-" + callersTrace + "-" + callersSpan + "-01"
)

// counter notes what it is told.
type counter struct{ told []string }

func (c *counter) Began() { c.told = append(c.told, "began") }

func (c *counter) Ended(method, route string, status int, code string, took time.Duration) {
	c.told = append(c.told, fmt.Sprintf("%s %s %d %q %v", method, route, status, code, took >= 0))
}

// serve answers one request with handle, and returns what was told of it: to a counter, in spans, and in the log.
func serve(t *testing.T, r *http.Request, handle gin.HandlerFunc) (*counter, []sdktrace.ReadOnlySpan, map[string]any) {
	t.Helper()
	gin.SetMode(gin.ReleaseMode)
	var logged bytes.Buffer
	counted, spans := &counter{}, tracetest.NewSpanRecorder()
	engine := gin.New()
	engine.Use(
		func(g *gin.Context) { g.Request = g.Request.WithContext(reqlog.With(g.Request.Context(), "id-1")) },
		reqlog.Middleware(reqlog.Config{
			Log: slog.New(slog.NewJSONHandler(&logged, nil)), Metrics: counted,
			Tracer: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer(""),
		}))
	engine.POST("/things/:thing", handle)
	engine.ServeHTTP(httptest.NewRecorder(), r)
	var event map[string]any
	if err := json.Unmarshal(logged.Bytes(), &event); err != nil {
		t.Fatal(err)
	}
	return counted, spans.Ended(), event
}

func request(t *testing.T, method, path string, traceparents ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(canary))
	r.Header["Traceparent"] = traceparents
	r.Header.Set("Authorization", canary)
	r.Header.Set("Tracestate", "x="+canary)
	r.Header.Set("Baggage", "x="+canary)
	return r
}

// TestThreeWays: one measurement is a count, a span and an event, and they agree.
func TestThreeWays(t *testing.T) {
	for name, c := range map[string]struct {
		method, path string
		handle       gin.HandlerFunc
		counted      string
		span         string
		attributes   map[string]string
		status       codes.Code
	}{
		"done": {"POST", "/things/" + canary, func(g *gin.Context) { g.Status(201) },
			`POST /things/:thing 201 "" true`, "POST /things/:thing",
			map[string]string{"http.request.method": "POST", "http.route": "/things/:thing", "http.response.status_code": "201"}, codes.Unset},
		"refused": {"POST", "/things/" + canary, func(g *gin.Context) { reqlog.Code(g.Request.Context(), "not_found"); g.Status(404) },
			`POST /things/:thing 404 "not_found" true`, "POST /things/:thing",
			map[string]string{"http.request.method": "POST", "http.route": "/things/:thing", "http.response.status_code": "404", "istirdad.code": "not_found"}, codes.Unset},
		"our fault": {"POST", "/things/" + canary, func(g *gin.Context) {
			reqlog.Code(g.Request.Context(), "try_again")
			reqlog.Fail(g.Request.Context(), errors.New("disk full"))
			g.Status(503)
		}, `POST /things/:thing 503 "try_again" true`, "POST /things/:thing",
			map[string]string{"http.request.method": "POST", "http.route": "/things/:thing", "http.response.status_code": "503", "istirdad.code": "try_again"}, codes.Error},
		"nowhere": {canary, "/" + canary + "?" + canary, nil,
			`other none 404 "" true`, "other none",
			map[string]string{"http.request.method": "other", "http.route": "none", "http.response.status_code": "404"}, codes.Unset},
	} {
		t.Run(name, func(t *testing.T) {
			counted, spans, event := serve(t, request(t, c.method, c.path), c.handle)
			if want := []string{"began", c.counted}; !slices.Equal(counted.told, want) {
				t.Errorf("counted %q, want %q", counted.told, want)
			}
			if len(spans) != 1 || spans[0].Name() != c.span || spans[0].SpanKind() != trace.SpanKindServer || spans[0].Status().Code != c.status {
				t.Fatalf("spans %v", spans)
			}
			got := map[string]string{}
			for _, a := range spans[0].Attributes() {
				got[string(a.Key)] = a.Value.String()
			}
			if diff := cmp.Diff(c.attributes, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if event["trace_id"] != spans[0].SpanContext().TraceID().String() {
				t.Errorf("logged trace_id is %v", event["trace_id"])
			}
			if text := fmt.Sprint(counted.told, event, spans[0].Name(), got, spans[0].SpanContext().TraceState()); strings.Contains(text, canary) {
				t.Errorf("it tells what was sent: %s", text)
			}
		})
	}
}

// TestCallersTrace: the request belongs to the trace that its caller began; of two, or of none that can be read, to one
// of its own. What the handler does is within it.
func TestCallersTrace(t *testing.T) {
	for name, c := range map[string]struct {
		sent   []string
		joined bool
	}{
		"one":        {[]string{traceparent}, true},
		"none":       {nil, false},
		"two":        {[]string{traceparent, traceparent}, false},
		"unreadable": {[]string{canary}, false},
	} {
		var within string
		_, spans, event := serve(t, request(t, "POST", "/things/7", c.sent...), func(g *gin.Context) {
			within = telemetry.Traceparent(g.Request.Context())
		})
		in := spans[0].SpanContext()
		if joined := in.TraceID().String() == callersTrace && spans[0].Parent().SpanID().String() == callersSpan; joined != c.joined {
			t.Errorf("%s: trace %s below %s", name, in.TraceID(), spans[0].Parent().SpanID())
		}
		if want := "00-" + in.TraceID().String() + "-" + in.SpanID().String() + "-01"; within != want || event["trace_id"] != in.TraceID().String() {
			t.Errorf("%s: the handler is in %q, want %q", name, within, want)
		}
	}
}

// TestWithoutATracer a caller's trace is still in the log, and passed on as it came.
func TestWithoutATracer(t *testing.T) {
	var logged bytes.Buffer
	var within string
	engine := gin.New()
	engine.Use(reqlog.Middleware(reqlog.Config{Log: slog.New(slog.NewTextHandler(&logged, nil))}))
	engine.POST("/things/:thing", func(g *gin.Context) { within = telemetry.Traceparent(g.Request.Context()) })
	engine.ServeHTTP(httptest.NewRecorder(), request(t, "POST", "/things/7", traceparent))
	if within != traceparent || !strings.Contains(logged.String(), "trace_id="+callersTrace) {
		t.Errorf("within %q, logged %s", within, &logged)
	}
}
