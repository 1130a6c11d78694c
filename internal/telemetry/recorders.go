package telemetry

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Buckets in seconds. A request of the channel API is answered within 150 ms at the 99th percentile, so the fine ones
// stand around that; a call to a neighbour ends after 10 s at the latest, plus what a crowd adds to it.
var (
	requestBuckets = []float64{.005, .01, .025, .05, .075, .1, .15, .2, .3, .5, 1, 2.5, 5, 10}
	callBuckets    = []float64{.01, .025, .05, .1, .15, .25, .5, 1, 2, 3, 5, 7.5, 10, 15}
)

// group is several collectors that are registered as one.
type group []prometheus.Collector

// Describe implements prometheus.Collector.
func (g group) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range g {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (g group) Collect(ch chan<- prometheus.Metric) {
	for _, c := range g {
		c.Collect(ch)
	}
}

// Requests counts requests to the channel API.
type Requests struct {
	group
	total    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
}

func newRequests() *Requests {
	r := &Requests{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "istirdad_http_requests_total",
			Help: "Requests answered, by route, status and the problem's code (empty: no problem).",
		}, []string{"method", "route", "status", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "istirdad_http_request_duration_seconds", Help: "How long a request took, by route.",
			Buckets: requestBuckets,
		}, []string{"method", "route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "istirdad_http_requests_in_flight", Help: "Requests under way.",
		}),
	}
	r.group = group{r.total, r.duration, r.inFlight}
	return r
}

// Began counts a request under way.
func (r *Requests) Began() { r.inFlight.Inc() }

// Ended counts it as answered. route is the registered pattern, code the problem's or empty.
func (r *Requests) Ended(method, route string, status int, code string, took time.Duration) {
	r.inFlight.Dec()
	r.total.WithLabelValues(method, route, strconv.Itoa(status), code).Inc()
	r.duration.WithLabelValues(method, route).Observe(took.Seconds())
}

// Calls counts calls to the neighbours.
type Calls struct {
	group
	duration *prometheus.HistogramVec
}

func newCalls() *Calls {
	c := &Calls{duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "istirdad_neighbour_call_duration_seconds",
		Help:    "How long a call to a neighbour took, by what came of it: ok, refused, not_sent, cut_off, suspect or unknown.",
		Buckets: callBuckets,
	}, []string{"neighbour", "call", "outcome"})}
	c.group = group{c.duration}
	for _, call := range decided {
		c.duration.WithLabelValues("core", call, "suspect")
	}
	return c
}

// decided are the calls to the core by whose answers money moves. That one of them was answered in a way that can't be
// trusted is news, like what is listed at attempted.
var decided = []string{"submit", "status", "return"}

// Of counts the calls to one neighbour, each by its name and by what came of it.
func (c *Calls) Of(neighbour string) func(call, outcome string, took time.Duration) {
	return func(call, outcome string, took time.Duration) {
		c.duration.WithLabelValues(neighbour, call, outcome).Observe(took.Seconds())
	}
}

// Dispatch counts what a dispatcher does.
type Dispatch struct {
	group
	claims   *prometheus.CounterVec
	failures prometheus.Counter
	attempts *prometheus.CounterVec
	duration *prometheus.HistogramVec
	people   *prometheus.CounterVec
}

func newDispatch() *Dispatch {
	d := &Dispatch{
		claims: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "istirdad_dispatch_claims_total", Help: "Refunds claimed, by the state that the claim left them in.",
		}, []string{"state"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "istirdad_dispatch_claim_failures_total", Help: "Claims that the store failed.",
		}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "istirdad_dispatch_attempts_total",
			Help: "Attempts, by the state that they found and by what they came to: the state that they left, or why none was recorded.",
		}, []string{"state", "result"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "istirdad_dispatch_attempt_duration_seconds", Help: "How long an attempt took, its records included.",
			Buckets: callBuckets,
		}, []string{"state"}),
		people: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "istirdad_dispatch_handed_over_total", Help: "Refunds handed to people, by reason.",
		}, []string{"reason"}),
	}
	d.group = group{d.claims, d.failures, d.attempts, d.duration, d.people}
	for _, state := range attempted {
		for _, result := range unrecorded {
			d.attempts.WithLabelValues(state, result)
		}
	}
	return d
}

// What goes wrong so rarely that one is news: the states that an attempt finds, with each reason why it recorded none.
// Their series are there from the start, because an increase is only seen of a series that there was before: of one that
// is born at 1, the first event would be missed, which may be the only one.
var (
	attempted  = []string{"sending", "in_doubt", "pending", "refunded", "returning", "credited"}
	unrecorded = []string{"unrecorded", "panicked", "stale", "lapsed"}
)

// Claimed counts a refund that was claimed.
func (d *Dispatch) Claimed(state string) { d.claims.WithLabelValues(state).Inc() }

// ClaimFailed counts a claim that the store failed.
func (d *Dispatch) ClaimFailed() { d.failures.Inc() }

// Attempted counts an attempt that is over.
func (d *Dispatch) Attempted(state, result string, took time.Duration) {
	d.attempts.WithLabelValues(state, result).Inc()
	d.duration.WithLabelValues(state).Observe(took.Seconds())
}

// HandedOver counts a refund that needs people.
func (d *Dispatch) HandedOver(reason string) { d.people.WithLabelValues(reason).Inc() }
