package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Config is who tells, and where traces go. The zero value exports nothing.
type Config struct {
	Version  string // of the program
	Instance string // of this process among its replicas

	// TracesURL is where traces are posted, as OTLP over HTTP: "http://collector:4318/v1/traces". Without a path,
	// /v1/traces is added. Empty: they are not exported.
	TracesURL string
	// TraceRatio is the share of traces, 0 to 1, that are kept of those that begin here. A trace that a caller began is
	// kept if the caller keeps it.
	TraceRatio float64

	// Spans sees every span that is kept, beside the exporter: a recorder of a test. Nil: none.
	Spans sdktrace.SpanProcessor
}

// Telemetry is the metrics and traces of one gateway. It is safe for concurrent use.
type Telemetry struct {
	registry *prometheus.Registry
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	release  func() // lets the exporter's connections go

	requests *Requests
	calls    *Calls
	dispatch *Dispatch

	guards    *guards
	profile   *profile
	pools     *pools
	refunds   *refunds
	readiness *readiness
}

// What spans say of their maker: the program, and this repository's instrumentation of it.
const (
	service = "istirdad-gateway"
	scope   = "github.com/istirdad/istirdad"
)

// New returns a Telemetry. It connects to nobody yet.
func New(ctx context.Context, c Config) (*Telemetry, error) {
	if !(c.TraceRatio >= 0 && c.TraceRatio <= 1) { // nor is it no number
		return nil, errors.New("telemetry: the ratio of traces is between 0 and 1")
	}
	t := &Telemetry{registry: prometheus.NewRegistry(), release: func() {}}
	t.requests, t.calls, t.dispatch = newRequests(), newCalls(), newDispatch()
	t.guards, t.profile, t.pools, t.refunds, t.readiness = newGuards(), newProfile(), newPools(), newRefunds(), newReadiness()
	exports := newExports()
	err := t.register(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		buildInfo(c), t.requests, t.calls, t.dispatch, t.guards, t.profile, t.pools, t.refunds, t.readiness, exports,
	)
	if err != nil {
		return nil, err
	}
	if err := t.startTraces(ctx, c, exports); err != nil {
		return nil, err
	}
	return t, nil
}

func buildInfo(c Config) prometheus.Collector {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "istirdad_build_info", Help: "What runs here; always 1.",
		ConstLabels: prometheus.Labels{"version": c.Version, "instance_name": c.Instance},
	})
	info.Set(1)
	return info
}

func (t *Telemetry) register(all ...prometheus.Collector) error {
	for _, c := range all {
		if err := t.registry.Register(c); err != nil {
			return fmt.Errorf("telemetry: %w", err)
		}
	}
	return nil
}

// scrapesMax is how many scrapes there may be at once; a scraper too many is told to come back.
const scrapesMax = 4

// Handler answers a scrape. Whatever can't be read is left out of it; the rest is told all the same.
func (t *Telemetry) Handler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: scrapesMax,
	})
}

// Tracer begins spans.
func (t *Telemetry) Tracer() trace.Tracer { return t.tracer }

// Requests counts what the channel API is asked.
func (t *Telemetry) Requests() *Requests { return t.requests }

// Calls counts what the neighbours are asked.
func (t *Telemetry) Calls() *Calls { return t.calls }

// Dispatch counts what a dispatcher does.
func (t *Telemetry) Dispatch() *Dispatch { return t.dispatch }

// Close exports what is left of the traces, as far as ctx allows.
func (t *Telemetry) Close(ctx context.Context) error {
	defer t.release()
	if err := t.provider.Shutdown(ctx); err != nil {
		return errors.New("telemetry: the last traces weren't exported") // its own words may quote the URL
	}
	return nil
}
