package refundcore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/internal/outbound"
)

// calls drives one guard with outcomes, in fake time.
type calls struct {
	*guard
	t *testing.T
}

func newCalls(t *testing.T) calls { return newCallsOf(t, dispatch.CallSubmit) }

func newCallsOf(t *testing.T, kind dispatch.Call) calls {
	settings, err := BreakerSettings{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return calls{newGuard(kind, 10*time.Second, 32, settings, slog.New(slog.DiscardHandler)), t}
}

// end makes one call that ends so, and reports whether it was let through.
func (c calls) end(err error) bool {
	c.t.Helper()
	through := false
	got := c.do(c.t.Context(), func(context.Context) error { through = true; return err })
	if through && !errors.Is(got, err) || !through && !errors.Is(got, gateway.ErrCutOff) {
		c.t.Fatalf("let through %v: got %v for %v", through, got, err)
	}
	return through
}

func (c calls) want(state string, admits int) {
	c.t.Helper()
	if got := c.state(); got != state {
		c.t.Errorf("breaker is %s, want %s", got, state)
	}
	if got := c.admits(); got != admits {
		c.t.Errorf("admits %d, want %d", got, admits)
	}
}

var errDown = unknown(outbound.CauseUnavailable, nil)

// openMax is the longest that a breaker stays open: 15 s and the whole jitter.
const openMax = 20*time.Second + time.Millisecond

func TestFiveInARowOpenAndTwoProbesClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCalls(t)
		for range 4 {
			c.end(errDown)
		}
		c.end(nil) // not in a row
		for range 4 {
			c.end(errDown)
		}
		c.want("closed", 32)
		c.end(errDown)
		c.want("open", 0)
		if c.end(nil) {
			t.Error("let through while open")
		}
		time.Sleep(15*time.Second - time.Millisecond)
		c.want("open", 0)
		time.Sleep(openMax - 15*time.Second)
		c.want("half-open", 2)
		c.end(errDown) // a probe that fails opens it again
		c.want("open", 0)
		time.Sleep(openMax)
		c.end(nil)
		c.want("half-open", 1)
		c.end(nil)
		c.want("closed", 32)
	})
}

func TestHalfOfTwentyInTheRollingWindowOpens(t *testing.T) {
	for _, test := range []struct {
		name  string
		every time.Duration // between calls, which fail and succeed by turns
		opens int           // at which call; 0: never
	}{
		{"at once", 0, 20},
		{"over two buckets", time.Second, 20},
		{"over five buckets", 2500 * time.Millisecond, 20},
		{"too thin", 4 * time.Second, 0}, // at most 15 in any minute
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCalls(t)
				opened := 0
				for n := 1; n <= 200 && opened == 0; n++ {
					outcome := error(nil)
					if n%2 == 0 {
						outcome = errDown
					}
					c.end(outcome)
					if c.state() == "open" {
						opened = n
					}
					time.Sleep(test.every)
				}
				if opened != test.opens {
					t.Errorf("opened at call %d, want %d", opened, test.opens)
				}
			})
		})
	}
	// A fixed window would begin anew at 60 s and forget what was just before.
	t.Run("over the edge of a minute", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newCalls(t)
			time.Sleep(55 * time.Second)
			for range 4 {
				c.end(errDown)
			}
			time.Sleep(10 * time.Second)
			c.want("closed", 32)
			c.end(errDown)
			c.want("open", 0)
		})
	})
	t.Run("below half", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newCalls(t)
			for n := range 300 {
				outcome := errDown
				if n%5 < 3 {
					outcome = nil
				}
				c.end(outcome)
				time.Sleep(100 * time.Millisecond)
			}
			c.want("closed", 32)
		})
	})
}

// TestHungCallsAreCutAndDoNotJam: the core falls silent, also for the probes, and comes back.
func TestHungCallsAreCutAndDoNotJam(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		core := newFakeCore(t, silent)
		client := newClient(t, inMemory(t, core))
		refund := vectorRefund(t)
		submit := func() string { return word(client.Submit(t.Context(), refund)) }
		for range 5 {
			if got := submit(); got != "unknown" {
				t.Fatal(got)
			}
		}
		if client.Admits(dispatch.CallSubmit) != 0 || submit() != "not sent" || len(core.received()) != 5 {
			t.Error("not cut off")
		}
		time.Sleep(openMax)
		var probes sync.WaitGroup
		for range 2 {
			probes.Go(func() { submit() })
		}
		synctest.Wait()
		if n := client.Admits(dispatch.CallSubmit); n != 0 || submit() != "not sent" {
			t.Errorf("a third probe was let through, %d more would be", n)
		}
		probes.Wait()
		if got := client.Guards()[dispatch.CallSubmit].Breaker; got != "open" {
			t.Errorf("after hung probes: %s", got)
		}
		core.now(core.says(200, bodies["pending"]))
		time.Sleep(openMax)
		for range 2 {
			if got := submit(); got != "answer pending" {
				t.Errorf("probe: %s", got)
			}
		}
		if got := client.Guards()[dispatch.CallSubmit].Breaker; got != "closed" {
			t.Errorf("after good probes: %s", got)
		}
	})
}

// TestJammedBreakerIsReplaced loses both probes in a way that no deadline catches: they never return.
func TestJammedBreakerIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCalls(t)
		for range 5 {
			c.end(errDown)
		}
		time.Sleep(10 * openMax)
		c.want("half-open", 2) // being idle for long is no jam
		for range 2 {
			go func() { _ = c.do(t.Context(), func(context.Context) error { runtime.Goexit(); return nil }) }()
		}
		synctest.Wait()
		c.want("half-open", 0)
		time.Sleep(jamFactor * c.deadline)
		c.want("half-open", 0)
		if c.end(nil) {
			t.Error("let through while jammed")
		}
		time.Sleep(time.Millisecond)
		if !c.end(nil) {
			t.Error("still jammed")
		}
		c.want("closed", 32)
	})
}

// TestStatusStaysCallableWhileSubmitIsOpen: otherwise doubts never clear.
func TestStatusStaysCallableWhileSubmitIsOpen(t *testing.T) {
	core := newFakeCore(t, nil)
	core.now(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		core.says(200, bodies["refunded"])(w, r)
	})
	client := newClient(t, testConfig(t, onLoopback(t, core)))
	for range 6 {
		if _, err := client.Submit(t.Context(), vectorRefund(t)); err == nil {
			t.Fatal("the fault didn't happen")
		}
	}
	guards := client.Guards()
	if guards[dispatch.CallSubmit].Breaker != "open" || guards[dispatch.CallStatus].Breaker != "closed" ||
		guards[dispatch.CallInquiry].Breaker != "closed" || len(guards) != 3 {
		t.Errorf("guards %v", guards)
	}
	if got := word(client.Status(t.Context(), vectorRefund(t))); got != "answer refunded" {
		t.Errorf("status: %s", got)
	}
	if client.Admits(dispatch.CallSubmit) != 0 || client.Admits(dispatch.CallStatus) != 32 || client.Admits("tea") != 0 {
		t.Error("admits by another kind's breaker")
	}
	refund := vectorRefund(t)
	refund.CreditRefusal = "account_closed"
	if _, err := client.Return(t.Context(), refund); !errors.Is(err, gateway.ErrCutOff) {
		t.Errorf("return goes by the breaker of submit: %v", err)
	}
}

// TestBulkheadStandsOutside: a closed breaker alone would let all of them in.
func TestBulkheadStandsOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCalls(t)
		release := make(chan struct{})
		var under, most, cutOff atomic.Int32
		var callers sync.WaitGroup
		for range 1000 {
			callers.Go(func() {
				err := c.do(t.Context(), func(context.Context) error {
					most.Store(max(most.Load(), under.Add(1)))
					defer under.Add(-1)
					<-release
					return nil
				})
				if errors.Is(err, gateway.ErrCutOff) {
					cutOff.Add(1)
				}
			})
		}
		synctest.Wait()
		c.want("closed", 0) // closed, and yet no room
		if under.Load() != 32 || cutOff.Load() != 968 {
			t.Errorf("%d under way, %d cut off", under.Load(), cutOff.Load())
		}
		close(release)
		callers.Wait()
		if most.Load() > 32 {
			t.Errorf("%d at once", most.Load())
		}
		c.want("closed", 32) // those turned away count as no failures
	})
}

// TestQuestionsQueue: a moment's crowd of people who ask isn't turned away; one that lasts is, and isn't the core's doing.
func TestQuestionsQueue(t *testing.T) {
	for name, row := range map[string]struct {
		takes        time.Duration
		asked, saved int // callers, and how many of them get an answer
	}{
		"a moment's crowd":     {100 * time.Millisecond, 300, 300},
		"more than a second's": {time.Minute, 100, 32},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				settings, err := BreakerSettings{}.withDefaults()
				if err != nil {
					t.Fatal(err)
				}
				g := newGuard(dispatch.CallInquiry, 5*time.Minute, 32, settings, slog.New(slog.DiscardHandler))
				var answered, cutOff atomic.Int32
				var callers sync.WaitGroup
				for range row.asked {
					callers.Go(func() {
						switch err := g.do(t.Context(), func(context.Context) error { time.Sleep(row.takes); return nil }); {
						case err == nil:
							answered.Add(1)
						case errors.Is(err, gateway.ErrCutOff):
							cutOff.Add(1)
						}
					})
				}
				callers.Wait()
				if int(answered.Load()) != row.saved || int(cutOff.Load()) != row.asked-row.saved || g.state() != "closed" {
					t.Errorf("%d answered, %d cut off, %s", answered.Load(), cutOff.Load(), g.state())
				}
			})
		})
	}
}

// TestManyCallersOverTheWire does it once for all parts together, half of the answers being refusals to work.
func TestManyCallersOverTheWire(t *testing.T) {
	var turn atomic.Int32
	core := newFakeCore(t, nil)
	core.now(func(w http.ResponseWriter, r *http.Request) {
		if turn.Add(1)%2 == 0 {
			core.says(503, "{}")(w, r)
			return
		}
		core.says(200, bodies["pending"])(w, r)
	})
	client := newClient(t, testConfig(t, onLoopback(t, core)))
	var callers sync.WaitGroup
	var reached, cutOff atomic.Int32
	for range 1000 {
		callers.Go(func() {
			_, err := client.Submit(t.Context(), vectorRefund(t))
			switch {
			case errors.Is(err, gateway.ErrCutOff):
				cutOff.Add(1)
			case errors.Is(err, gateway.ErrNotSent):
				t.Errorf("not sent: %v", err)
			default:
				reached.Add(1)
			}
		})
	}
	callers.Wait()
	if n := int32(len(core.received())); n != reached.Load() || n+cutOff.Load() != 1000 {
		t.Errorf("%d requests, %d of 1000 callers reached the core, %d were cut off", n, reached.Load(), cutOff.Load())
	}
}

// nosyHandler asks the client for its states whenever something is logged.
type nosyHandler struct {
	slog.Handler
	ask func()
}

func (h nosyHandler) Handle(ctx context.Context, r slog.Record) error {
	h.ask()
	return h.Handler.Handle(ctx, r)
}

// TestLogMayAskTheBreaker: a hook that is called under the breaker's lock would deadlock here.
func TestLogMayAskTheBreaker(t *testing.T) {
	var log strings.Builder
	var client *Client
	cfg := testConfig(t, onLoopback(t, torn("", false)))
	cfg.Log = slog.New(nosyHandler{slog.NewTextHandler(&log, nil), func() { client.Guards() }})
	client = newClient(t, cfg)
	for range 6 {
		if _, err := client.Submit(t.Context(), vectorRefund(t)); err == nil {
			t.Fatal("the fault didn't happen")
		}
	}
	if !strings.Contains(log.String(), "from=closed to=open") {
		t.Errorf("the change isn't in the log:\n%s", log.String())
	}
}

// TestReadingTheBodyIsPartOfTheCall: an answer that breaks off late counts as a failure too.
func TestReadingTheBodyIsPartOfTheCall(t *testing.T) {
	client := newClient(t, testConfig(t, onLoopback(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "{")
	}))))
	for range 5 {
		if _, err := client.Status(t.Context(), vectorRefund(t)); err == nil {
			t.Fatal("the fault didn't happen")
		}
	}
	if got := client.Guards()[dispatch.CallStatus].Breaker; got != "open" {
		t.Errorf("breaker is %s", got)
	}
}
