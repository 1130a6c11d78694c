package outbound_test

import (
	"context"
	"net/http"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/istirdad/istirdad/internal/outbound"
)

// traced is a context within a span, and what is recorded below it.
func traced(t *testing.T) (context.Context, *tracetest.SpanRecorder) {
	t.Helper()
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	ctx, span := provider.Tracer("").Start(t.Context(), "GET /v1/profile")
	t.Cleanup(func() { span.End() })
	return ctx, spans
}

// call is Call with canaries in all parts of the request, and the traceparent that the server saw.
func call(t *testing.T, ctx context.Context, cfg outbound.Config, handler http.HandlerFunc) (x outbound.Exchange, seen []string) { //nolint:revive // t goes first
	t.Helper()
	arrived := make(chan []string, 1)
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- r.Header.Values("Traceparent")
		if r.Header.Get("Tracestate") != "" || r.Header.Get("Baggage") != "" {
			t.Errorf("too much travels: %v", r.Header)
		}
		handler(w, r)
	})
	req, err := http.NewRequest(http.MethodPost, base+"/"+canary+"?key="+canary, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", canary)
	x = client(t, cfg).Call(ctx, "credit", req, []byte(canary))
	if len(req.Header) != 1 {
		t.Errorf("the caller's request was changed: %v", req.Header)
	}
	return x, <-arrived
}

// TestSpan: a call is a child of whatever its context is in, and the other side is told so.
func TestSpan(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		status  codes.Code
		want    map[string]string
	}{
		"answered": {func(http.ResponseWriter, *http.Request) {}, codes.Unset, map[string]string{
			"http.request.method": "POST", "http.response.status_code": "200",
		}},
		"refused": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(409) }, codes.Unset, map[string]string{
			"http.request.method": "POST", "http.response.status_code": "409",
		}},
		"excused": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, codes.Error, map[string]string{
			"http.request.method": "POST", "http.response.status_code": "503", "error.type": "unavailable",
		}},
		"broken": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, codes.Error, map[string]string{
			"http.request.method": "POST", "error.type": "broken",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, spans := traced(t)
			_, seen := call(t, ctx, outbound.Config{Name: "bank"}, c.handler)
			ended := spans.Ended()
			if len(ended) != 1 {
				t.Fatalf("%d spans", len(ended))
			}
			span, parent := ended[0], trace.SpanContextFromContext(ctx)
			if span.Name() != "bank credit" || span.SpanKind() != trace.SpanKindClient || span.Parent().SpanID() != parent.SpanID() {
				t.Errorf("%s, a %v of %v", span.Name(), span.SpanKind(), span.Parent())
			}
			want := "00-" + parent.TraceID().String() + "-" + span.SpanContext().SpanID().String() + "-01"
			if len(seen) != 1 || seen[0] != want {
				t.Errorf("the server saw %q, want %q", seen, want)
			}
			got := map[string]string{}
			for _, a := range span.Attributes() {
				got[string(a.Key)] = a.Value.String()
			}
			for key, value := range c.want {
				if got[key] != value {
					t.Errorf("%s is %q, want %q", key, got[key], value)
				}
			}
			if len(got) != len(c.want) || span.Status().Code != c.status || span.Status().Description != c.want["error.type"] {
				t.Errorf("%v: %v", span.Status(), got)
			}
		})
	}
}

func TestSpanOfWhatWasNotSent(t *testing.T) {
	ctx, spans := traced(t)
	req, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:1/"+canary, nil)
	if err != nil {
		t.Fatal(err)
	}
	if x := client(t, outbound.Config{Name: "bank"}).Call(ctx, "posting", req, nil); x.Handed {
		t.Fatal("it was handed to somebody")
	}
	if ended := spans.Ended(); len(ended) != 1 || ended[0].Status().Description != "not_sent" {
		t.Errorf("%v", ended)
	}
}

// TestNoSpan: without a name or a parent nothing is told. A parent that nobody keeps is passed on all the same.
func TestNoSpan(t *testing.T) {
	fine := func(http.ResponseWriter, *http.Request) {}
	ctx, spans := traced(t)
	if x, seen := call(t, ctx, outbound.Config{}, fine); x.Err != nil || seen != nil || len(spans.Ended()) != 0 {
		t.Errorf("without a name: told %q, %d spans, %v", seen, len(spans.Ended()), x.Err)
	}
	if x, seen := call(t, t.Context(), outbound.Config{Name: "bank"}, fine); x.Err != nil || seen != nil {
		t.Errorf("without a parent: told %q, %v", seen, x.Err)
	}
	const remote = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
	ctx = propagation.TraceContext{}.Extract(t.Context(), propagation.MapCarrier{"traceparent": remote})
	if x, seen := call(t, ctx, outbound.Config{Name: "bank"}, fine); x.Err != nil || len(seen) != 1 || seen[0] != remote {
		t.Errorf("passed on as %q, %v", seen, x.Err)
	}
}
