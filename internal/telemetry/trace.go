package telemetry

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/istirdad/istirdad/internal/outbound"
)

// traceparent is the one header of W3C Trace Context that is read and written here.
const traceparent = "traceparent"

// Join makes what happens in the returned context part of the trace that the traceparent names: one that a caller sent,
// or that was kept with a refund. An empty or malformed one joins nothing.
func Join(ctx context.Context, parent string) context.Context {
	if parent == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceparent: parent})
}

// Traceparent names the span of ctx as others join it; empty when there is none.
func Traceparent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[traceparent]
}

// Of the exporter: how long spans wait for company, how many may wait, and how long a batch may take. When too many
// wait, further ones are dropped: a collector that hangs holds up nobody.
const (
	batchEvery = 5 * time.Second
	queueMax   = 2048 // spans
	exportMax  = 10 * time.Second
)

func (t *Telemetry) startTraces(ctx context.Context, c Config, exports *prometheus.CounterVec) error {
	options := []sdktrace.TracerProviderOption{
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(c.TraceRatio))),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", service),
			attribute.String("service.version", c.Version),
			attribute.String("service.instance.id", c.Instance),
		)),
		sdktrace.WithoutPanicRecording(), // what a panic says may hold what was being worked on
	}
	if c.TracesURL != "" {
		exporter, err := t.newExporter(ctx, c.TracesURL, exports)
		if err != nil {
			return err
		}
		options = append(options, sdktrace.WithBatcher(exporter,
			sdktrace.WithBatchTimeout(batchEvery), sdktrace.WithMaxQueueSize(queueMax), sdktrace.WithExportTimeout(exportMax)))
	}
	if c.Spans != nil {
		options = append(options, sdktrace.WithSpanProcessor(c.Spans))
	}
	t.provider = sdktrace.NewTracerProvider(options...)
	t.tracer = t.provider.Tracer(scope)
	return nil
}

func (t *Telemetry) newExporter(ctx context.Context, text string, exports *prometheus.CounterVec) (sdktrace.SpanExporter, error) {
	endpoint, err := url.Parse(text)
	switch {
	case err != nil || endpoint.Host == "" || endpoint.Scheme != "http" && endpoint.Scheme != "https":
		return nil, errors.New("telemetry: the URL of traces must be http or https, with a host") // err would quote it
	case endpoint.User != nil || endpoint.RawQuery != "" || endpoint.Fragment != "":
		return nil, errors.New("telemetry: the URL of traces has no user, query or fragment")
	case endpoint.Path == "" || endpoint.Path == "/":
		endpoint.Path = "/v1/traces" // as the OTLP specification has it
	}
	// Not the library's own transport: that one would take a proxy from the environment.
	transport := outbound.New(outbound.Config{Timeout: exportMax, Conns: 2})
	exporter, err := otlptracehttp.New(ctx,
		otlptracehttp.WithEndpointURL(endpoint.String()),
		otlptracehttp.WithHTTPClient(&http.Client{Transport: transport}),
	)
	if err != nil {
		return nil, errors.New("telemetry: no exporter of traces") // err may quote the URL
	}
	t.release = transport.Close
	return counted{exporter, exports}, nil
}

// counted is an exporter whose failures are a metric. The library would print them on standard error, with the URL and
// whatever the collector answered.
type counted struct {
	sdktrace.SpanExporter
	exports *prometheus.CounterVec
}

func newExports() *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "istirdad_trace_exports_total", Help: "Batches of spans, by what became of them: ok or failed.",
	}, []string{"result"})
	v.WithLabelValues("ok")
	v.WithLabelValues("failed")
	return v
}

// ExportSpans implements sdktrace.SpanExporter.
func (c counted) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	result := "ok"
	if c.SpanExporter.ExportSpans(ctx, spans) != nil {
		result = "failed"
	}
	c.exports.WithLabelValues(result).Inc()
	return nil
}
