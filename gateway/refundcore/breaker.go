package refundcore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/internal/outbound"
)

// BreakerSettings say when a kind of call is cut off and how it comes back. The zero value is the default throughout.
type BreakerSettings struct {
	Window       time.Duration // over which calls are counted, rolling; default 60 s
	Bucket       time.Duration // by which the window rolls; default 10 s
	CallsMin     int           // fewer calls in the window don't trip it by their share; default 20
	FailuresPct  int           // of the calls in the window that trip it; default 50
	FailuresRow  int           // failures in a row that trip it whatever their share; default 5
	Open         time.Duration // how long nothing is let through; default 15 s
	OpenJitter   time.Duration // up to this much longer, so that replicas don't probe as one; default 5 s
	ProbesAtOnce int           // let through after that; so many good ones in a row close it; default 2
}

func (s BreakerSettings) withDefaults() (BreakerSettings, error) {
	s.Window = orDefault(s.Window, time.Minute)
	s.Bucket = orDefault(s.Bucket, 10*time.Second)
	s.CallsMin = orDefault(s.CallsMin, 20)
	s.FailuresPct = orDefault(s.FailuresPct, 50)
	s.FailuresRow = orDefault(s.FailuresRow, 5)
	s.Open = orDefault(s.Open, 15*time.Second)
	s.OpenJitter = orDefault(s.OpenJitter, 5*time.Second)
	s.ProbesAtOnce = orDefault(s.ProbesAtOnce, 2)
	if s.Window < s.Bucket || s.Bucket < 0 || s.CallsMin < 0 || s.FailuresPct < 0 || s.FailuresPct > 100 ||
		s.FailuresRow < 0 || s.Open < 0 || s.OpenJitter < 0 || s.ProbesAtOnce < 0 {
		return s, errors.New("refundcore: breaker settings contradict themselves")
	}
	return s, nil
}

// trips decides after each failure.
func (s BreakerSettings) trips(c gobreaker.Counts) bool {
	failures := int(c.TotalFailures)
	calls := failures + int(c.TotalSuccesses) // those that ended; neither excluded nor still under way
	return int(c.ConsecutiveFailures) >= s.FailuresRow || (calls >= s.CallsMin && failures*100 >= s.FailuresPct*calls)
}

// jamFactor times the deadline is how long all probes of a half-open breaker may stay out. None that obeys its deadline
// takes that long; one that never came back would keep the breaker half open, and every caller out, for ever.
const jamFactor = 3

// guard lets calls of one kind through, or not: bulkhead first, then breaker, then deadline.
type guard struct {
	call     dispatch.Call
	deadline time.Duration
	probes   int
	slots    chan struct{} // the bulkhead; a value in it is a call under way
	settings gobreaker.Settings
	moves    chan move
	episode  atomic.Uint64 // counts changes of state
	log      *slog.Logger

	mu          sync.Mutex
	breaker     *gobreaker.CircuitBreaker[struct{}] // replaced when jammed
	fullSince   time.Time                           // since when it was seen half open with all probes out; zero: isn't
	fullEpisode uint64
}

// move is a change of state of a breaker, on its way to the log.
type move struct{ from, to gobreaker.State }

func newGuard(call dispatch.Call, deadline time.Duration, bulkhead int, s BreakerSettings, log *slog.Logger) *guard {
	g := &guard{
		call: call, deadline: deadline, probes: s.ProbesAtOnce,
		slots: make(chan struct{}, bulkhead),
		moves: make(chan move, 16),
		log:   log,
	}
	g.settings = gobreaker.Settings{
		Name:         string(call),
		MaxRequests:  uint32(s.ProbesAtOnce),
		Interval:     s.Window,
		BucketPeriod: s.Bucket,
		Timeout:      s.Open + rand.N(s.OpenJitter+1), //nolint:gosec // G404: jitter guards nothing
		ReadyToTrip:  s.trips,
		IsSuccessful: func(err error) bool { return healthy(call, err) },
		IsExcluded:   func(err error) bool { return errors.Is(err, outbound.ErrCallerLeft) },
		// The breaker calls this with its lock held: whatever asks it anything from here waits for ever, and a slow
		// log would hold up every call.
		OnStateChange: func(_ string, from, to gobreaker.State) {
			g.episode.Add(1)
			select {
			case g.moves <- move{from, to}:
			default: // a missing line in the log
			}
		},
	}
	g.breaker = gobreaker.NewCircuitBreaker[struct{}](g.settings)
	return g
}

// healthy lists the outcomes that show the core at work. All others are failures, also one that nobody foresaw: gobreaker
// turns a panic into an error, and a list of failures would count that as success. What counts as what:
//
//   - An answer, and a refusal that verifies: healthy, for every kind of call.
//   - A signed answer that decides nothing, because it can't be read, is about something else than was asked, or has a
//     status, state or code that the protocol hasn't: healthy for a question. The core was reached and answered; what
//     is wrong may be the data of a single customer, who would otherwise keep everybody from asking. For a send (and
//     a return) it is a failure: each one leaves money in doubt, and a core that answers sends like that shouldn't be
//     given more of them.
//   - No connection, time-outs, broken exchanges, answers too large, redirects, 401, 403, 407, 429, 5xx, signatures that
//     are absent or don't hold, and stand-ins where none may be: failures. Signed or not, they say that the core or the
//     way to it is unwell.
//
// A caller that leaves counts neither way (IsExcluded).
func healthy(call dispatch.Call, err error) bool {
	var refusal *dispatch.Refusal
	var unknown *gateway.UnknownError
	return err == nil || errors.As(err, &refusal) ||
		errors.Is(err, gateway.ErrUnknownReference) || errors.Is(err, gateway.ErrReferenceReused) ||
		errors.Is(err, dispatch.ErrNotRefunded) || errors.Is(err, bank.ErrCursor) ||
		(call != dispatch.CallSubmit && errors.As(err, &unknown) && signed(unknown.Cause))
}

// errFull is why the bulkhead let a call not through.
var errFull = errors.New("too many calls under way")

// queueMax is how long a question of a person's waits for a place in the bulkhead: a moment's crowd is no outage. Sends
// and the dispatcher's own questions don't wait here; the queue that they come from is where they wait.
const queueMax = time.Second

// enter takes a place in the bulkhead, to be given back by leave.
func (g *guard) enter(ctx context.Context) bool {
	select {
	case g.slots <- struct{}{}:
		return true
	default:
	}
	if g.call != dispatch.CallInquiry {
		return false
	}
	queueing := time.NewTimer(queueMax)
	defer queueing.Stop()
	select {
	case g.slots <- struct{}{}:
		return true
	case <-queueing.C:
		return false
	case <-ctx.Done():
		return false
	}
}

func (g *guard) leave() { <-g.slots }

// do runs the call with a deadline, or returns gateway.ErrCutOff.
func (g *guard) do(ctx context.Context, call func(context.Context) error) error {
	if !g.enter(ctx) {
		return fmt.Errorf("%w: %w", gateway.ErrCutOff, errFull)
	}
	defer g.leave()
	defer g.tell(ctx)
	breaker, _ := g.look(ctx)
	_, err := breaker.Execute(func() (struct{}, error) {
		bounded, cancel := context.WithTimeout(ctx, g.deadline)
		defer cancel()
		return struct{}{}, call(bounded)
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return fmt.Errorf("%w: %w", gateway.ErrCutOff, err)
	}
	return err
}

// look returns the breaker and how many calls it would let through now, and replaces one that is jammed.
func (g *guard) look(ctx context.Context) (*gobreaker.CircuitBreaker[struct{}], int) {
	breaker, room, replaced := g.inspect()
	if replaced {
		g.log.LogAttrs(ctx, slog.LevelError, "refund core: breaker jammed half open, replaced",
			slog.String("call", string(g.call)))
	}
	return breaker, room
}

func (g *guard) inspect() (breaker *gobreaker.CircuitBreaker[struct{}], room int, replaced bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch g.breaker.State() { // also moves an open one whose time has come to half open
	case gobreaker.StateOpen:
		g.fullSince = time.Time{}
		return g.breaker, 0, false
	case gobreaker.StateClosed:
		g.fullSince = time.Time{}
		return g.breaker, cap(g.slots), false
	case gobreaker.StateHalfOpen: // how many of its probes are out?
	}
	counts := g.breaker.Counts()
	room = max(0, g.probes-int(counts.Requests)+int(counts.TotalExclusions))
	episode := g.episode.Load()
	switch {
	case room > 0:
		g.fullSince = time.Time{}
	case g.fullSince.IsZero() || g.fullEpisode != episode:
		g.fullSince, g.fullEpisode = time.Now(), episode
	case time.Since(g.fullSince) > jamFactor*g.deadline:
		g.breaker = gobreaker.NewCircuitBreaker[struct{}](g.settings)
		g.fullSince = time.Time{}
		return g.breaker, cap(g.slots), true
	}
	return g.breaker, room, false
}

// admits is how many calls would get through bulkhead and breaker now.
func (g *guard) admits() int {
	ctx := context.Background()
	defer g.tell(ctx)
	_, room := g.look(ctx)
	return min(room, cap(g.slots)-len(g.slots))
}

func (g *guard) state() string {
	ctx := context.Background()
	defer g.tell(ctx)
	breaker, _ := g.look(ctx)
	return breaker.State().String()
}

// tell logs the changes of state since it was last called, outside of the breaker's lock.
func (g *guard) tell(ctx context.Context) {
	for {
		select {
		case m := <-g.moves:
			g.log.LogAttrs(ctx, slog.LevelWarn, "refund core: breaker",
				slog.String("call", string(g.call)),
				slog.String("from", m.from.String()), slog.String("to", m.to.String()))
		default:
			return
		}
	}
}
