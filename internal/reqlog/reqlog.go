// Package reqlog tells of each request once: what was called, how it ended, how long it took.
//
// It is measured in one place, and what was measured goes three ways: an event in the log, a metric, and a span of the
// trace that the caller began or that begins here. A handler adds to the event of its request's context; the middleware
// tells it at the end. There are no methods for customers, numbers or bodies on purpose: an event can't hold what has no
// place in a log. For the same reason a path or a method that nobody registered is told as "none" and "other", not as
// whatever somebody typed.
package reqlog

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/istirdad/istirdad/internal/telemetry"
)

// event is what is known of a request so far. It belongs to the request's own goroutine.
type event struct {
	id     string
	role   string
	client string
	code   string
	err    error

	answered func() // counts the request as answered, the first time that it is called
	streams  bool   // the answer went on after that
}

type key struct{}

// With begins the event of a request.
func With(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, key{}, &event{id: id})
}

func of(ctx context.Context) *event {
	if e, ok := ctx.Value(key{}).(*event); ok {
		return e
	}
	return &event{} // outside a request: noted nowhere
}

// Caller notes in which role the caller acts and through which program.
func Caller(ctx context.Context, role, client string) {
	e := of(ctx)
	e.role, e.client = role, client
}

// Code notes the problem's code that the request was refused with.
func Code(ctx context.Context, code string) { of(ctx).code = code }

// Fail notes an error that isn't the caller's doing. Errors of this repository hold no personal data.
func Fail(ctx context.Context, err error) { of(ctx).err = err }

// Streaming notes that the answer has begun and will go on for as long as there is something to say. What was asked has
// been answered by now: that is how long the request took, for metric, span and log alike.
func Streaming(ctx context.Context) {
	if e := of(ctx); e.answered != nil {
		e.streams = true
		e.answered()
	}
}

// Metrics counts requests. Began and Ended are called once each.
type Metrics interface {
	Began()
	// Ended is told the registered pattern of the path and the problem's code, empty when there was none.
	Ended(method, route string, status int, code string, took time.Duration)
}

// Config is where requests are told.
type Config struct {
	Log     *slog.Logger
	Metrics Metrics      // nil: nobody counts
	Tracer  trace.Tracer // nil: none begins, but a caller's traceparent is passed on all the same
}

// Middleware tells of every request when it is done. Its context is in the trace from here on.
func Middleware(c Config) gin.HandlerFunc {
	if c.Metrics == nil {
		c.Metrics = uncounted{}
	}
	if c.Tracer == nil {
		c.Tracer = noop.NewTracerProvider().Tracer("")
	}
	return func(g *gin.Context) {
		began := time.Now()
		c.Metrics.Began()
		method, route := methodOf(g.Request), routeOf(g)
		ctx, span := c.Tracer.Start(telemetry.Join(g.Request.Context(), traceparent(g.Request)), method+" "+route,
			trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(attribute.String("http.request.method", method), attribute.String("http.route", route)))
		g.Request = g.Request.WithContext(ctx)
		e := of(ctx)
		var (
			status int
			took   time.Duration
		)
		e.answered = sync.OnceFunc(func() {
			status, took = g.Writer.Status(), time.Since(began)
			c.Metrics.Ended(method, route, status, e.code, took)
			e.span(span, status)
		})
		g.Next()
		e.answered()
		e.log(ctx, c.Log, method, route, status, took, time.Since(began)-took)
	}
}

// span ends the request's span. A refusal isn't an error of ours.
func (e *event) span(span trace.Span, status int) {
	defer span.End()
	span.SetAttributes(attribute.Int("http.response.status_code", status))
	if e.code != "" {
		span.SetAttributes(attribute.String("istirdad.code", e.code))
	}
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, e.code)
	}
}

func (e *event) log(ctx context.Context, log *slog.Logger, method, route string, status int, took, streamed time.Duration) {
	attrs := []slog.Attr{
		slog.String("request_id", e.id),
		slog.String("method", method),
		slog.String("route", route),
		slog.Int("status", status),
		slog.Duration("took", took),
	}
	traceID := ""
	if in := trace.SpanContextFromContext(ctx); in.HasTraceID() {
		traceID = in.TraceID().String()
	}
	for _, a := range []slog.Attr{
		slog.String("trace_id", traceID), slog.String("role", e.role), slog.String("client", e.client), slog.String("code", e.code),
	} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	if e.streams {
		attrs = append(attrs, slog.Duration("streamed", streamed))
	}
	level := slog.LevelInfo
	if e.err != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("err", e.err.Error()))
	}
	log.LogAttrs(ctx, level, "request", attrs...)
}

// traceparent is the caller's; of two, none can be believed.
func traceparent(r *http.Request) string {
	if values := r.Header.Values("Traceparent"); len(values) == 1 {
		return values[0]
	}
	return ""
}

func routeOf(g *gin.Context) string {
	if route := g.FullPath(); route != "" {
		return route
	}
	return "none" // an unknown path is whatever somebody typed
}

func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	default:
		return "other" // so is a method
	}
}

type uncounted struct{}

func (uncounted) Began() {}

func (uncounted) Ended(string, string, int, string, time.Duration) {}
