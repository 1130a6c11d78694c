package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/internal/telemetry"
)

// tally counts what a dispatcher tells.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *tally) add(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[fmt.Sprintf(format, args...)]++
}

func (c *tally) Claimed(state string) { c.add("claimed %s", state) }

func (c *tally) ClaimFailed() { c.add("claim failed") }

func (c *tally) Attempted(state, result string, took time.Duration) {
	if took < 0 {
		result += " before it began"
	}
	c.add("%s to %s", state, result)
}

func (c *tally) HandedOver(reason string) { c.add("people: %s", reason) }

func (c *tally) want(t *testing.T, want map[string]int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !maps.Equal(c.counts, want) {
		t.Errorf("counted %v\nwant    %v", c.counts, want)
	}
}

// TestCounted: every claim and every attempt, by what it came to.
func TestCounted(t *testing.T) {
	for name, c := range map[string]struct {
		arrange func(w *world, c *dispatch.Config)
		lasts   time.Duration
		want    map[string]int
	}{
		"a life": {func(w *world, _ *dispatch.Config) { w.accept(1) }, 20 * time.Second, map[string]int{
			"claimed sending": 1, "sending to pending": 1, "claimed pending": 1, "pending to refunded": 1,
			"claimed refunded": 1, "refunded to credited": 1, "claimed credited": 1, "credited to credited": 1,
		}},
		"people": {func(w *world, _ *dispatch.Config) {
			w.acceptTo(1, func(string, int) outcome { return says(dispatch.CoreReturned) })
		}, time.Second, map[string]int{"claimed sending": 1, "sending to manual": 1, "people: core_says_returned": 1}},
		"a panic": {func(w *world, _ *dispatch.Config) {
			w.acceptTo(1, func(string, int) outcome {
				return func(func() (dispatch.Answer, error)) (dispatch.Answer, error) { panic("SA0380000999999999999999") }
			})
		}, time.Second, map[string]int{"claimed sending": 1, "sending to panicked": 1}},
		"a store that fails": {func(w *world, c *dispatch.Config) {
			w.accept(1)
			c.Queue = ailing{world: w, Queue: w.store, until: time.Hour}
			c.Poll = 10 * time.Second
		}, 15 * time.Second, map[string]int{"claim failed": 2}},
		"an outcome that isn't recorded": {func(w *world, c *dispatch.Config) {
			w.accept(1)
			c.Queue = forgetful{w.store, errAccident}
		}, time.Second, map[string]int{"claimed sending": 1, "sending to unrecorded": 1}},
		"an outcome that is overtaken": {func(w *world, c *dispatch.Config) {
			w.accept(1)
			c.Queue = forgetful{w.store, gateway.ErrStale}
		}, time.Second, map[string]int{"claimed sending": 1, "sending to stale": 1}},
		"a lease that ran out": {func(w *world, c *dispatch.Config) {
			w.accept(1)
			c.Queue = &once{Queue: &oversleeps{Queue: w.store}}
		}, 2 * time.Minute, map[string]int{"claimed sending": 1, "sending to lapsed": 1}},
		"an approval that lapsed": {func(w *world, _ *dispatch.Config) {
			a := acceptance(1)
			a.Rules.Holds, a.Rules.ApprovalExpires = []gateway.Mark{gateway.IdentityChecked}, time.Now()
			w.acceptAs(a)
		}, time.Second, map[string]int{"claimed cancelled": 1, "cancelled to cancelled": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				counted := &tally{}
				config := w.config()
				config.Metrics = counted
				c.arrange(w, &config)
				_, stop := w.start(config)
				time.Sleep(c.lasts)
				stop()
				counted.want(t, c.want)
			})
		})
	}
}

// forgetful is a store that records no outcome.
type forgetful struct {
	dispatch.Queue
	err error
}

func (q forgetful) Apply(context.Context, gateway.Change) error { return q.err }

// tracing is a core that notes in which trace it was asked.
type tracing struct {
	*core
	mu   sync.Mutex
	seen []string
}

func (c *tracing) Submit(ctx context.Context, r gateway.Refund) (dispatch.Answer, error) {
	c.mu.Lock()
	c.seen = append(c.seen, telemetry.Traceparent(ctx))
	c.mu.Unlock()
	return c.core.Submit(ctx, r)
}

// TestTraced: what is done for a refund belongs to the trace of its confirm, each attempt a span of it, and the core is
// asked within that span. Without a trace, or with one that can't be read, a new one begins.
func TestTraced(t *testing.T) {
	const confirm = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for name, c := range map[string]struct {
		kept   string
		joined bool
	}{"joined": {confirm, true}, "none": {"", false}, "unreadable": {"SA0380000999999999999999", false}} {
		t.Run(name, func(t *testing.T) {
			simulateDurably(t, func(t *testing.T, w *world) {
				spans := tracetest.NewSpanRecorder()
				asked := &tracing{core: w.core}
				config := w.config()
				config.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("")
				config.Core = asked
				a := acceptance(1)
				a.Trace = c.kept
				r := w.acceptAs(a)
				w.start(config)
				w.until(r, gateway.Credited, 20*time.Second)
				w.wantTold(r, gateway.NoticeSent, 20*time.Second)

				var lives []string
				for _, span := range spans.Ended() {
					in := span.SpanContext()
					if joined := in.TraceID().String() == confirm[3:35] && span.Parent().SpanID().String() == confirm[36:52]; joined != c.joined {
						t.Errorf("%s is in trace %s below %s", span.Name(), in.TraceID(), span.Parent().SpanID())
					}
					told := map[string]string{}
					for _, attribute := range span.Attributes() {
						told[string(attribute.Key)] = attribute.Value.String()
					}
					if told["istirdad.refund.reference"] != r.Reference || len(told) != 4 || span.Name() != "refund "+told["istirdad.refund.state"] {
						t.Errorf("%s tells %v", span.Name(), told)
					}
					lives = append(lives, told["istirdad.refund.state"]+" "+told["istirdad.refund.attempt"]+" "+told["istirdad.refund.outcome"])
				}
				want := []string{"sending 1 pending", "pending 1 refunded", "refunded 1 credited", "credited 1 credited"}
				if !slices.Equal(lives, want) {
					t.Errorf("attempts %q, want %q", lives, want)
				}
				first := spans.Ended()[0].SpanContext()
				if len(asked.seen) != 1 || asked.seen[0] != "00-"+first.TraceID().String()+"-"+first.SpanID().String()+"-01" {
					t.Errorf("the core was asked within %q", asked.seen)
				}
			})
		})
	}
}

// TestPanicIsTold by its type alone, in the log and in the span.
func TestPanicIsTold(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		const canary = "SA0380000999999999999999"
		w.acceptTo(1, func(string, int) outcome {
			return func(func() (dispatch.Answer, error)) (dispatch.Answer, error) { panic(errors.New(canary)) }
		})
		spans := tracetest.NewSpanRecorder()
		config := w.config()
		config.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("")
		_, stop := w.start(config)
		time.Sleep(time.Second)
		stop()
		if !w.log.has("attempt panicked") || w.log.has(canary) {
			t.Error("the log says nothing, or too much")
		}
		ended := spans.Ended()
		if len(ended) != 1 || strings.Contains(fmt.Sprint(ended[0].Attributes(), ended[0].Events(), ended[0].Status()), canary) {
			t.Errorf("spans %v", ended)
		}
	})
}
