package corebanking_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/bank/corebanking"
)

// TestTold: each call is told once, by its name and the class of its outcome, and is a span of its caller's trace that
// names neither customer nor reference.
func TestTold(t *testing.T) {
	var told []string
	acts, traceparents := make(chan http.HandlerFunc, 1), make(chan string, 1)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		traceparents <- r.Header.Get("Traceparent")
		(<-acts)(w, r)
	})
	observe := func(call, outcome string, took time.Duration) {
		if took <= 0 {
			t.Errorf("%s took %v", call, took)
		}
		told = append(told, call+" "+outcome)
	}
	c := client(t, corebanking.Config{URL: server.URL, Observe: observe})
	spans := tracetest.NewSpanRecorder()
	ctx, parent := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("").Start(t.Context(), "refund refunded")
	defer parent.End()
	says := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	var want []string
	for _, row := range []struct {
		act  http.HandlerFunc
		call func() error
		want string
	}{
		{says(201, posted), func() error { _, err := c.Post(ctx, refund(t)); return err }, "credit ok"},
		{says(409, refused), func() error { _, err := c.Post(ctx, refund(t)); return err }, "credit refused"},
		{says(409, reused), func() error { _, err := c.Post(ctx, refund(t)); return err }, "credit refused"},
		{says(404, nowhere), func() error { _, err := c.Posting(ctx, refund(t)); return err }, "posting ok"},
		{says(500, ""), func() error { _, err := c.Posting(ctx, refund(t)); return err }, "posting unknown"},
		{says(404, ""), func() error { _, err := c.Customer(ctx, "p01"); return err }, "customer ok"},
		{says(200, record), func() error { _, err := c.Find(ctx, party(t, "1900000017")); return err }, "search ok"},
		{says(200, employee), func() error { _, err := c.Staff(ctx, "E100"); return err }, "staff ok"},
		{says(503, ""), func() error { _, err := c.Staff(ctx, "E100"); return err }, "staff unknown"},
		{says(200, "{}"), func() error { _, _, err := c.Recipient(ctx, "p01"); return err }, "customer unknown"},
	} {
		acts <- row.act
		err := row.call()
		want = append(want, row.want)
		span := spans.Ended()[len(spans.Ended())-1]
		if got := <-traceparents; got != "00-"+parent.SpanContext().TraceID().String()+"-"+span.SpanContext().SpanID().String()+"-01" {
			t.Errorf("%s (%v): the bank was told %q", row.want, err, got)
		}
	}
	if !slices.Equal(told, want) {
		t.Errorf("told %q\nwant %q", told, want)
	}
	var names []string
	for _, span := range spans.Ended() {
		names = append(names, span.Name())
	}
	if want := []string{"bank credit", "bank credit", "bank credit", "bank posting", "bank posting", "bank customer", "bank search", "bank staff", "bank staff", "bank customer"}; !slices.Equal(names, want) {
		t.Errorf("spans %q", names)
	}
	told = nil
	c = client(t, corebanking.Config{URL: "http://127.0.0.1:1", Observe: observe})
	if _, err := c.Customer(ctx, "p01"); err == nil || errors.Is(err, bank.ErrNotFound) || !slices.Equal(told, []string{"customer not_sent"}) {
		t.Errorf("without a bank: %v, told %q", err, told)
	}
}
