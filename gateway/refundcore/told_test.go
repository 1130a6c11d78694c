package refundcore

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/internal/outbound"
	"github.com/istirdad/istirdad/internal/saudi"
)

// observer notes what a client tells of its calls.
type observer struct {
	mu   sync.Mutex
	told []string
}

func (o *observer) observe(call, outcome string, took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if took < 0 {
		outcome += " before it began"
	}
	o.told = append(o.told, call+" "+outcome)
}

// TestTold: each call is told once, by its name and the class of its outcome, those too that were cut off. It is a span
// of its caller's trace, of which the core is told beside the signature, which holds all the same: the fake checks it.
func TestTold(t *testing.T) {
	core := newFakeCore(t, nil)
	var seen observer
	cfg := testConfig(t, onLoopback(t, core))
	cfg.Observe = seen.observe
	client := newClient(t, cfg)
	spans := tracetest.NewSpanRecorder()
	ctx, parent := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("").Start(t.Context(), "refund sending")
	defer parent.End()

	refund := vectorRefund(t)
	refund.CreditRefusal = "account_closed"
	party, err := saudi.NewParty(saudi.KindNationalID, "1000000008")
	if err != nil {
		t.Fatal(err)
	}
	submit := func() { _, _ = client.Submit(ctx, refund) }
	var want, names []string
	for _, c := range []struct {
		act  http.HandlerFunc
		call func()
		want string
	}{
		{core.says(201, bodies["pending"]), submit, "submit ok"},
		{core.says(422, bodies["fee_consumed"]), submit, "submit refused"},
		{core.says(409, bodies["reference_reused"]), submit, "submit refused"},
		{core.says(404, bodies["unknown_reference"]), func() { _, _ = client.Status(ctx, refund) }, "status ok"},
		{core.says(409, bodies["not_refunded"]), func() { _, _ = client.Return(ctx, refund) }, "return refused"},
		{core.says(200, `{"items":[],"next_cursor":null}`), func() { _, _, _ = client.Search(ctx, bank.Search{Party: party, Limit: 20}) }, "search ok"},
		{core.says(400, `{}`), func() { _, _, _ = client.Search(ctx, bank.Search{Party: party, Limit: 20, Cursor: "x"}) }, "search refused"},
		{core.says(200, `{}`), func() { _, _ = client.Balances(ctx, party, saudi.Party{}) }, "balance suspect"},
		{func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, submit, "submit unknown"},
	} {
		core.now(c.act)
		c.call()
		want = append(want, c.want)
	}
	if !slices.Equal(seen.told, want) {
		t.Errorf("told %q\nwant %q", seen.told, want)
	}
	trace := parent.SpanContext().TraceID().String()
	for i, span := range spans.Ended() {
		names = append(names, span.Name())
		told := core.received()[i].header.Get("Traceparent")
		if wanted := "00-" + trace + "-" + span.SpanContext().SpanID().String() + "-01"; told != wanted {
			t.Errorf("%s: the core was told %q, want %q", span.Name(), told, wanted)
		}
	}
	if want := []string{"core submit", "core submit", "core submit", "core status", "core return", "core search", "core search", "core balance", "core submit"}; !slices.Equal(names, want) {
		t.Errorf("spans %q", names)
	}
}

// TestToldOfWhatDidNotLeave: whoever watches sees that calls are not made.
func TestToldOfWhatDidNotLeave(t *testing.T) {
	var seen observer
	cfg := testConfig(t, "http://127.0.0.1:1")
	cfg.Observe = seen.observe
	cfg.Breaker.FailuresRow = 1
	client := newClient(t, cfg)
	for range 2 {
		_, _ = client.Submit(t.Context(), vectorRefund(t))
	}
	if want := []string{"submit not_sent", "submit cut_off"}; !slices.Equal(seen.told, want) {
		t.Errorf("told %q", seen.told)
	}
	if g := client.Guards()[dispatch.CallSubmit]; g != (Guard{Breaker: "open", InUse: 0, Size: 32}) {
		t.Errorf("%+v", g)
	}
}

// TestOutcomeOf: what nobody foresaw is unknown. An answer that time alone doesn't mend is suspect, whatever it says.
func TestOutcomeOf(t *testing.T) {
	for _, cause := range []string{
		causeSignature, causeMalformed, causeMismatch, causeStatus, causeState, causeCode,
		outbound.CauseDenied, outbound.CauseRedirect, outbound.CauseOversize, outbound.CauseSandbox,
	} {
		if got := outcomeOf(unknown(cause, nil)); got != "suspect" {
			t.Errorf("%s is %s", cause, got)
		}
	}
	for _, err := range []error{errors.New("x"), context.Canceled, &gateway.UnknownError{Cause: "timeout"}, bank.ErrCoreUnavailable} {
		if got := outcomeOf(err); got != "unknown" {
			t.Errorf("%v is %s", err, got)
		}
	}
}

// TestBulkheadInUse: those under way are seen while they are.
func TestBulkheadInUse(t *testing.T) {
	arrived, leave := make(chan struct{}), make(chan struct{})
	core := newFakeCore(t, nil)
	core.now(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-leave
		core.says(200, bodies["refunded"])(w, r)
	})
	client := newClient(t, testConfig(t, onLoopback(t, core)))
	var callers sync.WaitGroup
	for range 2 {
		callers.Go(func() { _, _ = client.Status(t.Context(), vectorRefund(t)) })
		<-arrived
	}
	if g := client.Guards()[dispatch.CallStatus]; g != (Guard{Breaker: "closed", InUse: 2, Size: 32}) {
		t.Errorf("%+v", g)
	}
	close(leave)
	callers.Wait()
	if g := client.Guards()[dispatch.CallStatus]; g.InUse != 0 {
		t.Errorf("%+v after they ended", g)
	}
}
