package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/telemetry"
)

// attempt is one refund under way, in the hands of one worker.
type attempt struct {
	*Dispatcher
	stop   <-chan struct{}   // closed when the process is asked to stop
	result string            // what it came to: the state that was recorded last, or why none was
	heard  *gateway.Exchange // the last with the core, until the move that rests on it is recorded
}

// What an attempt came to when no state was recorded.
const (
	resultLapsed     = "lapsed"     // the lease ran out before it began
	resultStale      = "stale"      // another process moved the refund on meanwhile
	resultUnrecorded = "unrecorded" // the store failed, or may have
	resultPanicked   = "panicked"
)

// carry is an attempt whose panic costs the attempt and not the process. The row stays as at any other death. It belongs
// to the trace of the confirm, in whatever process that was.
func (d *Dispatcher) carry(ctx context.Context, stop <-chan struct{}, r gateway.Refund) {
	a := &attempt{Dispatcher: d, stop: stop, result: string(r.State)}
	began := time.Now()
	ctx, span := d.Tracer.Start(telemetry.Join(ctx, r.Trace), "refund "+string(r.State), trace.WithAttributes(
		attribute.String("istirdad.refund.reference", r.Reference),
		attribute.String("istirdad.refund.state", string(r.State)),
		attribute.Int("istirdad.refund.attempt", number(r)),
	))
	defer func() {
		if p := recover(); p != nil {
			a.result = resultPanicked
			// Its type alone: what it says may hold what was being worked on.
			d.Log.ErrorContext(ctx, "attempt panicked", "reference", r.Reference, "state", string(r.State),
				"panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
		}
		span.SetAttributes(attribute.String("istirdad.refund.outcome", a.result))
		span.End()
		d.Metrics.Attempted(string(r.State), a.result, time.Since(began))
	}()
	a.work(ctx, r)
}

// number is the how manyth attempt of its kind this is, as far as the row remembers.
func number(r gateway.Refund) int {
	switch r.State {
	case gateway.Sending:
		return r.Sends + r.Misses
	case gateway.Refunded:
		return r.Posts
	default:
		return r.Asks + 1
	}
}

// work does for a claimed refund what its state asks for. What it rests on is durable already; if we die anywhere in
// here, the row stays as the claim left it and is found again when the lease runs out.
func (a *attempt) work(ctx context.Context, r gateway.Refund) {
	switch {
	case r.Due.IsZero():
		return // the claim was all that there was to do
	case !time.Now().Before(r.Due):
		// Whoever finds the row doubts, and no byte may leave behind their back.
		a.result = resultLapsed
		return
	case a.stopping():
		a.yield(ctx, r)
		return
	}
	switch r.State {
	case gateway.Sending:
		a.submit(ctx, r)
	case gateway.InDoubt:
		a.settle(ctx, r)
	case gateway.Pending:
		a.ask(ctx, r)
	case gateway.Refunded:
		a.credit(ctx, r)
	case gateway.Returning:
		a.giveBack(ctx, r)
	case gateway.Credited:
		a.notify(ctx, r)
	default:
		// Nothing is left to do.
	}
}

// stopping reports whether the process was asked to stop. No call to anybody but the store begins then, whatever the
// attempt would have gone on to: another process does that.
func (a *attempt) stopping() bool {
	select {
	case <-a.stop:
		return true
	default:
		return false
	}
}

// yield gives a refund back, due now, to whoever still runs. Nothing was done for it that isn't recorded, and of a send
// nothing has left.
func (a *attempt) yield(ctx context.Context, r gateway.Refund) {
	now := time.Now()
	if r.State == gateway.Sending {
		a.apply(ctx)(r.NotSent(gateway.Dispatcher(now, gateway.Evidence{"cause": "stopping"}), false, now))
		return
	}
	a.apply(ctx)(r.Lease(now), nil)
}

func (a *attempt) escalate(ctx context.Context, r gateway.Refund, reason string) {
	a.handOver(ctx, r, reason, gateway.Evidence{}, time.Now())
}

// handOver gives a refund to people, with the evidence that made it theirs. A refund that is sending goes through the
// doubt that it is in.
func (a *attempt) handOver(ctx context.Context, r gateway.Refund, reason string, evidence gateway.Evidence, now time.Time) {
	evidence["cause"] = reason
	by := gateway.Dispatcher(now, evidence)
	if r.State == gateway.Sending {
		change, err := r.Doubt(by, now.Add(a.Lease)) // ours until people have it
		if !a.apply(ctx)(change, err) {
			return
		}
		r = change.Refund()
	}
	a.Log.ErrorContext(ctx, "refund needs people", "reference", r.Reference, "reason", reason)
	if a.apply(ctx)(r.Escalate(by, reason)) {
		a.Metrics.HandedOver(reason)
	}
}

// storeMax bounds one call to the store. A write that fails, or may have, leaves the row to its lease: whoever finds
// it then asks before doing anything, so nothing is lost by not insisting.
const storeMax = 5 * time.Second

// apply commits a move and reports whether it is certain to hold. It is curried so that a move's two results fit in.
func (a *attempt) apply(ctx context.Context) func(gateway.Change, error) bool {
	return func(c gateway.Change, err error) bool {
		if err == nil {
			ctx, cancel := context.WithTimeout(ctx, storeMax)
			defer cancel()
			c = c.Witnessed(a.heard)
			err = a.Queue.Apply(ctx, c)
		}
		if c.Exchange() != nil {
			a.heard = nil // one move rests on it
		}
		switch {
		case err == nil:
			a.result = string(c.Refund().State)
			return true
		case errors.Is(err, gateway.ErrStale):
			a.result = resultStale
			a.Log.InfoContext(ctx, "another process moved the refund on", "reference", c.Refund().Reference)
		default:
			a.result = resultUnrecorded
			a.Log.ErrorContext(ctx, "outcome not recorded", "err", err)
		}
		return false
	}
}

// alarm logs an outcome that decides nothing, with its cause and never with what was read.
func (a *attempt) alarm(ctx context.Context, r gateway.Refund, err error) {
	level := slog.LevelWarn
	if errors.Is(err, gateway.ErrReferenceReused) || errors.Is(err, gateway.ErrUnknownReference) {
		level = slog.LevelError
	}
	a.Log.Log(ctx, level, "outcome unknown", "reference", r.Reference, "state", string(r.State), "cause", cause(err))
}

// cause is the short word for why an outcome is unknown.
func cause(err error) string {
	var unknown *gateway.UnknownError
	switch {
	case errors.As(err, &unknown):
		return unknown.Cause
	case errors.Is(err, gateway.ErrReferenceReused):
		return "reference_reused"
	case errors.Is(err, gateway.ErrUnknownReference):
		return "unknown_reference"
	case errors.Is(err, gateway.ErrNotSent):
		return "not_sent"
	default:
		return "unforeseen"
	}
}

// after is how long the other side asked us to wait.
func after(err error) time.Duration {
	var unknown *gateway.UnknownError
	if errors.As(err, &unknown) {
		return unknown.After
	}
	return 0
}
