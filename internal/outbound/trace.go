package outbound

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Call is [Client.Do] as a span of the trace that ctx belongs to. name is what the call is called there, "submit", and
// never a part of its URL, which may hold a customer's id. The traceparent is added after whoever signs a request has
// signed it, so it must not be among what the signature covers.
func (c *Client) Call(ctx context.Context, name string, req *http.Request, body []byte) Exchange {
	parent := trace.SpanFromContext(ctx)
	if c.name == "" || !parent.SpanContext().IsValid() {
		return c.Do(ctx, req, body)
	}
	tracer := parent.TracerProvider().Tracer("github.com/istirdad/istirdad/internal/outbound")
	ctx, span := tracer.Start(ctx, c.name+" "+name,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attribute.String("http.request.method", req.Method)))
	defer span.End()

	req = req.WithContext(ctx) // a copy; its header is still the caller's
	req.Header = req.Header.Clone()
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(req.Header))

	x := c.Do(ctx, req, body)
	x.tell(span)
	return x
}

// tell says on the span how the exchange ended, in the words of Cause.
func (x Exchange) tell(span trace.Span) {
	if x.Status != 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", x.Status))
	}
	cause := x.Cause()
	if !x.Handed {
		cause = causeNotSent
	}
	if cause != "" {
		span.SetAttributes(attribute.String("error.type", cause))
		span.SetStatus(codes.Error, cause)
	}
}

// causeNotSent is of spans alone: what was never handed to a connection is no doubt, and has no Cause.
const causeNotSent = "not_sent"
