package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// Config is what a Dispatcher works with. The zero of a number is its default.
type Config struct {
	Queue      Queue
	Core       Core
	Ledger     Ledger
	Recipients Recipients
	SMS        otp.Sender
	Wording    Wording
	Log        *slog.Logger
	Metrics    Metrics      // nil: nobody counts
	Tracer     trace.Tracer // nil: attempts are in no trace

	// Calendar is the bank's, by which a refund is late. Nil: Sunday to Thursday, without holidays.
	Calendar func() saudi.Calendar

	// Clock returns gateway.ErrClockSkew when this machine's clock isn't the queue's. It is asked every few seconds; as
	// long as it says so nothing is claimed, because leases and quiet periods of others would be judged by a wrong time.
	// Any other error says nothing of the clock. Nil: the clock is right.
	Clock func(ctx context.Context) error

	Workers int           // refunds under way at once; default 16
	Poll    time.Duration // how often an idle dispatcher looks; default 200 ms
	Lease   time.Duration // how long a claim may be worked on, longer than any call's deadline; default 30 s
}

// Dispatcher carries refunds on their way. Any number of them, in any number of processes, may work on one queue.
type Dispatcher struct {
	Config
	pace  *pace
	wake  chan struct{}
	lanes []*lane
	clock struct { // of the goroutine that claims
		asked time.Time
		off   bool
	}
}

// lane is work of one kind. The lanes share the workers, but none may have them all: a ledger that hangs mustn't keep
// doubts from being settled, nor an SMS route keep the money waiting.
type lane struct {
	states []gateway.State
	room   func(under int) int // how many more it would take
	under  atomic.Int32        // refunds of it under way
}

// work is a claimed refund and the lane that it came by.
type work struct {
	refund gateway.Refund
	lane   *lane
}

// New returns a dispatcher that Run sets to work.
func New(c Config) *Dispatcher {
	if c.Metrics == nil {
		c.Metrics = uncounted{}
	}
	if c.Tracer == nil {
		c.Tracer = noop.NewTracerProvider().Tracer("")
	}
	if c.Calendar == nil {
		c.Calendar = func() saudi.Calendar { return saudi.Calendar{} }
	}
	if c.Workers == 0 {
		c.Workers = 16
	}
	if c.Poll == 0 {
		c.Poll = 200 * time.Millisecond
	}
	if c.Lease == 0 {
		c.Lease = 30 * time.Second
	}
	most := max(1, c.Workers*3/4)
	d := &Dispatcher{Config: c, pace: newPace(most), wake: make(chan struct{}, 1)}
	whatever := func(int) int { return most }
	d.lanes = []*lane{
		{states: []gateway.State{gateway.Refunded, gateway.AwaitingApproval, gateway.Sending}, room: whatever},
		{states: []gateway.State{gateway.InDoubt, gateway.Pending}, room: func(int) int { return c.Core.Admits(CallStatus) }},
		{states: []gateway.State{gateway.Returning}, room: func(int) int { return c.Core.Admits(CallSubmit) }},
		{states: []gateway.State{gateway.Queued}, room: func(under int) int {
			return d.pace.sends(c.Core.Admits(CallSubmit), under)
		}},
		{states: []gateway.State{gateway.Credited}, room: whatever},
	}
	return d
}

// Wake makes an idle dispatcher look at once; a refund has just been recorded. It never blocks.
func (d *Dispatcher) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// stopMax is how long Run may go on once it is asked to stop: the longest call that was under way, and one write of what
// it taught us.
const stopMax = callMax + storeMax

// Run works until ctx is done, and returns at most 15 s later. From then on no call to core, bank or SMS route begins:
// calls under way are let finish, what they taught us is recorded, and what was claimed but not begun is given back. What
// isn't recorded by then is found by its lease, as after any other death. An error of the store is logged and tried
// again; there is nothing better to do than go on.
func (d *Dispatcher) Run(ctx context.Context) {
	// A worker's last words must be recorded although the process is asked to stop.
	last, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() {
		patience := time.NewTimer(stopMax)
		defer patience.Stop()
		select {
		case <-patience.C:
			cut()
		case <-last.Done():
		}
	})()
	var workers sync.WaitGroup
	defer workers.Wait()
	busy := make(chan struct{}, d.Workers)
	idle := time.NewTimer(0)
	defer idle.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-idle.C:
		}
		for ctx.Err() == nil {
			claimed := d.claim(ctx, d.Workers-len(busy))
			for _, w := range claimed {
				busy <- struct{}{}
				workers.Go(func() {
					defer func() { w.lane.under.Add(-1); <-busy; d.Wake() }()
					d.carry(last, ctx.Done(), w.refund)
				})
			}
			if len(claimed) == 0 {
				break
			}
		}
		idle.Reset(d.Poll)
	}
}

// claim takes due refunds, as many as there are free workers and as their lanes have room for.
func (d *Dispatcher) claim(ctx context.Context, free int) []work {
	if d.misled(ctx) {
		return nil
	}
	var claimed []work
	for _, l := range d.lanes {
		under := int(l.under.Load())
		limit := min(l.room(under), d.pace.most-under, free-len(claimed))
		if limit <= 0 {
			continue
		}
		got, err := d.claimOf(ctx, l.states, limit)
		if err != nil {
			// Whatever it claimed without our knowing comes back when its lease runs out.
			if !errors.Is(err, context.Canceled) {
				d.Metrics.ClaimFailed()
				d.Log.ErrorContext(ctx, "claim failed", "err", err)
			}
			return claimed
		}
		l.under.Add(int32(len(got)))
		for _, r := range got {
			d.Metrics.Claimed(string(r.State))
			claimed = append(claimed, work{r, l})
		}
	}
	return claimed
}

// clockEvery is how long an answer about the clock is believed.
const clockEvery = 5 * time.Second

// misled reports whether this machine's clock is off.
func (d *Dispatcher) misled(ctx context.Context) bool {
	if d.Clock == nil || !d.clock.asked.IsZero() && time.Since(d.clock.asked) < clockEvery {
		return d.clock.off
	}
	asking, cancel := context.WithTimeout(ctx, storeMax)
	defer cancel()
	err := d.Clock(asking)
	off := errors.Is(err, gateway.ErrClockSkew)
	if off {
		d.Metrics.ClaimFailed()
		d.Log.ErrorContext(ctx, "nothing is claimed", "err", err)
	}
	d.clock.asked, d.clock.off = time.Now(), off // elapsed time is counted by a clock that nobody sets
	return off
}

func (d *Dispatcher) claimOf(ctx context.Context, states []gateway.State, limit int) ([]gateway.Refund, error) {
	ctx, cancel := context.WithTimeout(ctx, storeMax)
	defer cancel()
	return d.Queue.Claim(ctx, time.Now(), Claim{States: states, Limit: limit, Take: d.take})
}

// take is what being claimed does to a refund: the durable intent that an attempt rests on.
func (d *Dispatcher) take(r gateway.Refund) (gateway.Change, error) {
	now := time.Now()
	until := now.Add(d.Lease)
	switch r.State {
	case gateway.Queued:
		return r.Send(gateway.Dispatcher(now, nil), d.Lease)
	case gateway.Sending:
		// Its owner died, or sleeps and will find its write refused. The bytes may have left.
		return r.Doubt(gateway.Dispatcher(now, gateway.Evidence{"cause": "lease_lapsed"}), until)
	case gateway.AwaitingApproval:
		return r.Cancel(gateway.Dispatcher(now, nil), gateway.ApprovalExpired)
	case gateway.Refunded:
		return r.Post(until), nil
	default:
		return r.Lease(until), nil
	}
}

// Hint says that something may have happened to a reference: the core called back. It decides nothing; the next
// question is asked now.
func (d *Dispatcher) Hint(ctx context.Context, reference string) error {
	for range hintTries {
		r, err := d.Queue.Reference(ctx, reference)
		if err != nil {
			return err
		}
		now := time.Now()
		if (r.State != gateway.Pending && r.State != gateway.InDoubt) || !r.Due.After(now) {
			break
		}
		// Stale: an outcome was recorded meanwhile, and the next question may have been put off without knowing of this.
		if err = d.Queue.Apply(ctx, r.Lease(now)); err == nil {
			break
		}
		if !errors.Is(err, gateway.ErrStale) {
			return err
		}
	}
	d.Wake()
	return nil
}

// hintTries bounds a hint's race with outcomes that are being recorded. The schedule asks anyhow.
const hintTries = 3
