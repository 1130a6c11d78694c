package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/internal/outbound"
	"github.com/istirdad/istirdad/internal/outbound/outboundtest"
)

// silence holds the caller until it gives up.
func silence(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // a server only sees its caller leave once the body is read
	<-r.Context().Done()
}

// drip sends a byte a second, so that no pause is ever long.
func drip(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Length", "1000")
	for r.Context().Err() == nil {
		if _, err := w.Write([]byte(" ")); err != nil {
			return
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		select {
		case <-time.After(time.Second):
		case <-r.Context().Done():
		}
	}
}

// TestDeadline: an exchange ends when its time is up, wherever it stands then.
func TestDeadline(t *testing.T) {
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		cfg     outbound.Config
		callers time.Duration // the caller's own; zero: none
		want    string
		after   time.Duration
	}{
		"silence":                {silence, outbound.Config{}, 0, outbound.CauseTimeout, 10 * time.Second},
		"a byte a second":        {drip, outbound.Config{}, 0, outbound.CauseTimeout, 10 * time.Second},
		"less time":              {drip, outbound.Config{Timeout: 3 * time.Second}, 0, outbound.CauseTimeout, 3 * time.Second},
		"below zero":             {silence, outbound.Config{Timeout: -1, Conns: -1}, 0, outbound.CauseTimeout, 10 * time.Second},
		"the caller's, earlier":  {silence, outbound.Config{}, time.Second, outbound.CauseTimeout, time.Second},
		"the caller's, later":    {silence, outbound.Config{}, time.Hour, outbound.CauseTimeout, 10 * time.Second},
		"a dial that hangs":      {nil, outbound.Config{}, 0, "not sent", 10 * time.Second},
		"a dial, caller's time":  {nil, outbound.Config{}, time.Second, "not sent", time.Second},
		"a handshake that hangs": {nil, outbound.Config{Dial: mute}, 0, "not sent", 3 * time.Second},
		"a handshake, less time": {nil, outbound.Config{Dial: mute, Timeout: 3 * time.Second}, 0, "not sent", 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				base := "https://bank.example"
				if test.cfg.Dial == nil {
					test.cfg.Dial, base = outboundtest.Dial(t, test.handler), "http://bank.example"
				}
				ctx := t.Context()
				if test.callers > 0 {
					bounded, cancel := context.WithTimeout(ctx, test.callers)
					defer cancel()
					ctx = bounded
				}
				began := time.Now()
				x := do(t, ctx, client(t, test.cfg), "POST", base, []byte(canary))
				if word(x) != test.want || !errors.Is(x.Err, context.DeadlineExceeded) {
					t.Errorf("%s, %v; want %s", word(x), x.Err, test.want)
				}
				if took := time.Since(began); took != test.after || !x.At.Equal(time.Now()) {
					t.Errorf("it took %v, want %v", took, test.after)
				}
			})
		})
	}
}

// mute connects to somebody who takes all that comes and says nothing.
func mute(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go func() { _, _ = io.Copy(io.Discard, theirs) }()
	return ours, nil
}

func TestCallerLeaves(t *testing.T) {
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		handed  bool
	}{"while it dials": {nil, false}, "before an answer": {silence, true}, "in the body": {drip, true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, leave := context.WithCancelCause(t.Context())
				time.AfterFunc(1500*time.Millisecond, func() { leave(errors.New(canary)) })
				x := do(t, ctx, client(t, outbound.Config{Dial: outboundtest.Dial(t, test.handler)}), "POST", "http://bank.example", nil)
				if x.Handed != test.handed || x.Cause() != outbound.CauseCallerLeft ||
					!errors.Is(x.Err, outbound.ErrCallerLeft) || !errors.Is(x.Err, context.Canceled) {
					t.Errorf("%+v", x)
				}
			})
		})
	}
}

// TestFullHouse: who waits for one of the connections until the time is up was not sent.
func TestFullHouse(t *testing.T) {
	for conns, want := range map[int]int{0: 64, 3: 3} {
		synctest.Test(t, func(t *testing.T) {
			c := client(t, outbound.Config{Conns: conns, Dial: outboundtest.Dial(t, silence)})
			var callers sync.WaitGroup
			for range want {
				callers.Go(func() {
					if x := do(t, t.Context(), c, "POST", "http://bank.example", nil); word(x) != outbound.CauseTimeout {
						t.Errorf("inside: %s", word(x))
					}
				})
			}
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			for range 6 {
				callers.Go(func() {
					if x := do(t, ctx, c, "POST", "http://bank.example", nil); word(x) != "not sent" {
						t.Errorf("at the door: %s", word(x))
					}
				})
			}
			callers.Wait()
		})
	}
}

// TestConnectionsAreKept, until they were idle for longer than the other side is likely to keep them.
func TestConnectionsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int32
		dial := outboundtest.Dial(t, func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Second) // so that eight are under way at once
			fmt.Fprint(w, "kept")
		})
		c := client(t, outbound.Config{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			dials.Add(1)
			return dial(ctx, network, address)
		}})
		eight := func() {
			var callers sync.WaitGroup
			for range 8 {
				callers.Go(func() {
					if x := do(t, t.Context(), c, "GET", "http://bank.example", nil); word(x) != "200 kept" {
						t.Error(word(x))
					}
				})
			}
			callers.Wait()
			synctest.Wait()
		}
		for range 3 {
			eight()
		}
		if n := dials.Load(); n != 8 {
			t.Errorf("%d connections for 8 exchanges at a time", n)
		}
		time.Sleep(30*time.Second + time.Millisecond)
		eight()
		if n := dials.Load(); n != 16 {
			t.Errorf("%d connections after they were idle", n)
		}
	})
}
