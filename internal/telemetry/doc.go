// Package telemetry is what a gateway tells about itself: metrics for whoever watches many requests, traces for whoever
// follows one. Logs are log/slog's, and one event per request is internal/reqlog's.
//
// # Handed in, not looked up
//
// A [Telemetry] holds its own registry, tracer provider and propagator. Neither Prometheus' default registry nor the
// globals of OpenTelemetry are touched, so that two gateways in one process, or two tests, never count for each other.
// The rooms don't see a library of metrics: they declare what they would tell, as a function or a small interface, and
// [Requests], [Calls] and [Dispatch] are what internal/program hands them. What is only known when somebody looks
// (refunds by state, breakers, pools) is read at the scrape: the Watch methods take a function each, and a second takes
// the place of the first.
//
// # What a label may be
//
// A label's value comes from a list that is written down somewhere in this repository: a registered route, a method of
// HTTP, a status, a problem's code, a state, the name of a call. Never an id, and nothing that anybody typed. So the
// number of series is known beforehand, and no person is in any of them. The same holds for spans, which may carry one
// thing more: a refund's reference, which names no person.
//
// # Traces
//
// A trace begins with the caller's traceparent (W3C Trace Context), if it brings one, or here. It goes through the
// queue: the confirm's traceparent is kept with the refund ([Traceparent], [Join]), so that the call to the core that a
// dispatcher makes later, in whatever process, belongs to the trace of the customer's call. Only the traceparent
// travels. tracestate and baggage are dropped where they arrive, because anybody may write anything into them.
//
// Without a collector nothing is exported, but trace ids are still given, passed on to the neighbours and logged.
package telemetry
