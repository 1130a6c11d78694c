package telemetry

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// watch is a function that is read at every scrape. Before there is one, nothing is told; a later one takes the place of
// an earlier, as a gateway does that is made anew over the same Telemetry.
type watch[F any] struct{ read atomic.Pointer[F] }

func (w *watch[F]) set(read F) { w.read.Store(&read) }

// readMax bounds what a scrape waits for the store.
const readMax = 2 * time.Second

// Guard is how one kind of call to the core stands.
type Guard struct {
	Call        string
	State       string // of its breaker: one of breakerStates
	InUse, Size int    // of its bulkhead
}

// breakerStates are the states that a breaker may be in, as metrics name them.
var breakerStates = []string{"closed", "half_open", "open"}

// WatchGuards reads the guards at every scrape. read must not wait for anything.
func (t *Telemetry) WatchGuards(read func() []Guard) { t.guards.set(read) }

func newGuards() *guards {
	return &guards{
		breaker: prometheus.NewDesc("istirdad_core_breaker", "1 for the state that the breaker of the call is in, 0 for the others.", []string{"call", "state"}, nil),
		inUse:   prometheus.NewDesc("istirdad_core_bulkhead_in_use", "Calls of the kind under way.", []string{"call"}, nil),
		size:    prometheus.NewDesc("istirdad_core_bulkhead_size", "How many calls of the kind may be under way.", []string{"call"}, nil),
	}
}

type guards struct {
	watch[func() []Guard]
	breaker, inUse, size *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (g *guards) Describe(ch chan<- *prometheus.Desc) { ch <- g.breaker; ch <- g.inUse; ch <- g.size }

// Collect implements prometheus.Collector.
func (g *guards) Collect(ch chan<- prometheus.Metric) {
	read := g.read.Load()
	if read == nil {
		return
	}
	for _, guard := range (*read)() {
		for _, state := range breakerStates {
			is := 0.0
			if state == guard.State {
				is = 1
			}
			ch <- prometheus.MustNewConstMetric(g.breaker, prometheus.GaugeValue, is, guard.Call, state)
		}
		ch <- prometheus.MustNewConstMetric(g.inUse, prometheus.GaugeValue, float64(guard.InUse), guard.Call)
		ch <- prometheus.MustNewConstMetric(g.size, prometheus.GaugeValue, float64(guard.Size), guard.Call)
	}
}

// WatchProfile reads at every scrape which version of the bank's profile is in force. read must not wait for anything.
func (t *Telemetry) WatchProfile(read func() string) { t.profile.set(read) }

func newProfile() *profile {
	return &profile{
		info: prometheus.NewDesc("istirdad_profile_info", "The bank's profile that is in force, by its file's SHA-256; always 1.", []string{"sha256"}, nil),
	}
}

type profile struct {
	watch[func() string]
	info *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (p *profile) Describe(ch chan<- *prometheus.Desc) { ch <- p.info }

// Collect implements prometheus.Collector.
func (p *profile) Collect(ch chan<- prometheus.Metric) {
	if read := p.read.Load(); read != nil {
		ch <- prometheus.MustNewConstMetric(p.info, prometheus.GaugeValue, 1, (*read)())
	}
}

// Pool is how a pool of connections stands.
type Pool struct {
	Acquired int           // in somebody's hands
	Idle     int           // open and free
	Max      int           // open at once at most; 0: not known
	Waits    int64         // how often somebody had to wait for one, since the start
	Waited   time.Duration // for how long altogether
	GivenUp  int64         // how often somebody waited in vain, since the start
}

// WatchPools reads the pools, by name, at every scrape. read must not wait for anything, and the names are few and fixed.
func (t *Telemetry) WatchPools(read func() map[string]Pool) { t.pools.set(read) }

func newPools() *pools {
	return &pools{
		connections: prometheus.NewDesc("istirdad_pool_connections", "Open connections, acquired or idle.", []string{"pool", "state"}, nil),
		most:        prometheus.NewDesc("istirdad_pool_connections_max", "How many connections the pool may open.", []string{"pool"}, nil),
		waits:       prometheus.NewDesc("istirdad_pool_waits_total", "How often somebody had to wait for a connection.", []string{"pool"}, nil),
		waited:      prometheus.NewDesc("istirdad_pool_wait_seconds_total", "How long was waited for connections, altogether.", []string{"pool"}, nil),
		givenUp:     prometheus.NewDesc("istirdad_pool_given_up_total", "How often somebody waited for a connection in vain.", []string{"pool"}, nil),
	}
}

type pools struct {
	watch[func() map[string]Pool]
	connections, most, waits, waited, givenUp *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (p *pools) Describe(ch chan<- *prometheus.Desc) {
	ch <- p.connections
	ch <- p.most
	ch <- p.waits
	ch <- p.waited
	ch <- p.givenUp
}

// Collect implements prometheus.Collector.
func (p *pools) Collect(ch chan<- prometheus.Metric) {
	read := p.read.Load()
	if read == nil {
		return
	}
	for name, pool := range (*read)() {
		ch <- prometheus.MustNewConstMetric(p.connections, prometheus.GaugeValue, float64(pool.Acquired), name, "acquired")
		ch <- prometheus.MustNewConstMetric(p.connections, prometheus.GaugeValue, float64(pool.Idle), name, "idle")
		if pool.Max > 0 {
			ch <- prometheus.MustNewConstMetric(p.most, prometheus.GaugeValue, float64(pool.Max), name)
		}
		ch <- prometheus.MustNewConstMetric(p.waits, prometheus.CounterValue, float64(pool.Waits), name)
		ch <- prometheus.MustNewConstMetric(p.waited, prometheus.CounterValue, pool.Waited.Seconds(), name)
		ch <- prometheus.MustNewConstMetric(p.givenUp, prometheus.CounterValue, float64(pool.GivenUp), name)
	}
}

// Book is where refunds stand: how many by state and how many of them are late, and when the oldest that isn't final was
// recorded (zero: there is none).
type Book struct {
	States           map[string]int // every state, zeros too
	OldestUnfinished time.Time
	Late             map[string]int // every level, zeros too
	Unreadable       int            // that this gateway came upon lately and couldn't read
}

// WatchRefunds reads the book at every scrape. A store that fails, or takes longer than 2 s, is a metric itself
// (istirdad_refunds_read_up), and everything else is told all the same. All gateways over one store tell the same, but for
// what they couldn't read.
func (t *Telemetry) WatchRefunds(read func(context.Context) (Book, error)) { t.refunds.set(read) }

func newRefunds() *refunds {
	return &refunds{
		reading: make(chan struct{}, 1),
		states:  prometheus.NewDesc("istirdad_refunds", "Refunds in the store, by state. Every gateway tells the same.", []string{"state"}, nil),
		oldest:  prometheus.NewDesc("istirdad_refunds_oldest_unfinished_seconds", "Age of the oldest refund that isn't final; 0 when there is none.", nil, nil),
		late: prometheus.NewDesc("istirdad_refunds_late",
			"Refunds that aren't final and late by the bank's working days, by level; those that are red are overdue, too. Every gateway tells the same.",
			[]string{"level"}, nil),
		unreadable: prometheus.NewDesc("istirdad_refunds_unreadable",
			"Refunds, and identity checks of theirs, that this gateway came upon in the last 15 minutes and couldn't unseal.", nil, nil),
		up: prometheus.NewDesc("istirdad_refunds_read_up", "1 when the store told where refunds stand, 0 when it didn't.", nil, nil),
	}
}

type refunds struct {
	watch[func(context.Context) (Book, error)]
	reading                              chan struct{} // holds a value while somebody asks the store
	states, oldest, late, unreadable, up *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (r *refunds) Describe(ch chan<- *prometheus.Desc) {
	ch <- r.states
	ch <- r.oldest
	ch <- r.late
	ch <- r.unreadable
	ch <- r.up
}

// Collect implements prometheus.Collector.
func (r *refunds) Collect(ch chan<- prometheus.Metric) {
	read := r.read.Load()
	if read == nil {
		return
	}
	book, err := r.ask(*read)
	if err != nil {
		ch <- prometheus.MustNewConstMetric(r.up, prometheus.GaugeValue, 0)
		return
	}
	ch <- prometheus.MustNewConstMetric(r.up, prometheus.GaugeValue, 1)
	for state, n := range book.States {
		ch <- prometheus.MustNewConstMetric(r.states, prometheus.GaugeValue, float64(n), state)
	}
	age := 0.0
	if !book.OldestUnfinished.IsZero() {
		age = max(0, time.Since(book.OldestUnfinished).Seconds()) // another machine's clock may be ahead
	}
	ch <- prometheus.MustNewConstMetric(r.oldest, prometheus.GaugeValue, age)
	for level, n := range book.Late {
		ch <- prometheus.MustNewConstMetric(r.late, prometheus.GaugeValue, float64(n), level)
	}
	ch <- prometheus.MustNewConstMetric(r.unreadable, prometheus.GaugeValue, float64(book.Unreadable))
}

var errReading = errors.New("telemetry: the scrape before still waits for the store")

// ask reads the book, one scrape at a time: a store that heeds no deadline holds up one goroutine and no scrape.
func (r *refunds) ask(read func(context.Context) (Book, error)) (Book, error) {
	ctx, cancel := context.WithTimeout(context.Background(), readMax)
	defer cancel()
	select {
	case r.reading <- struct{}{}:
	case <-ctx.Done():
		return Book{}, errReading
	}
	type answer struct {
		book Book
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		defer func() { <-r.reading }()
		book, err := read(ctx)
		answered <- answer{book, err}
	}()
	select {
	case a := <-answered:
		return a.book, a.err
	case <-ctx.Done():
		return Book{}, ctx.Err()
	}
}

// WatchReadiness asks at every scrape what must hold for the gateway to be ready, by reason. read must heed its context,
// which ends after 2 s.
func (t *Telemetry) WatchReadiness(read func(context.Context) map[string]bool) { t.readiness.set(read) }

func newReadiness() *readiness {
	return &readiness{
		ready: prometheus.NewDesc("istirdad_ready", "1 when that holds for the gateway to be ready, 0 when it doesn't.", []string{"reason"}, nil),
	}
}

type readiness struct {
	watch[func(context.Context) map[string]bool]
	ready *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (r *readiness) Describe(ch chan<- *prometheus.Desc) { ch <- r.ready }

// Collect implements prometheus.Collector.
func (r *readiness) Collect(ch chan<- prometheus.Metric) {
	read := r.read.Load()
	if read == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), readMax)
	defer cancel()
	for reason, holds := range (*read)(ctx) {
		is := 0.0
		if holds {
			is = 1
		}
		ch <- prometheus.MustNewConstMetric(r.ready, prometheus.GaugeValue, is, reason)
	}
}
