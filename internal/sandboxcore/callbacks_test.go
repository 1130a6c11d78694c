package sandboxcore

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxfault"
)

// A gateway takes callbacks. Until answers run out it gives those, then 204.
type gateway struct {
	mu      sync.Mutex
	got     []map[string]any
	at      []time.Time
	forged  int
	slow    time.Duration // how long it takes to answer
	answers []int         // 0: no answer
}

func (g *gateway) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	slow := g.slow
	g.mu.Unlock()
	time.Sleep(slow)
	g.mu.Lock()
	defer g.mu.Unlock()
	s, err := verify(requestMessage(r), body, requestComponents, map[string]ed25519.PublicKey{"core-1": bankKeys["bank-80"]})
	if err != nil || s.check(time.Now()) != nil {
		g.forged++
	}
	var fields map[string]any
	if err := json.Unmarshal(body, &fields); err != nil {
		g.forged++
	}
	g.got, g.at = append(g.got, fields), append(g.at, time.Now())
	status := http.StatusNoContent
	if len(g.answers) > 0 {
		status, g.answers = g.answers[0], g.answers[1:]
	}
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: status, Header: make(http.Header), Body: http.NoBody, Request: r}, nil
}

func (g *gateway) seen(t *testing.T, want int) []map[string]any {
	t.Helper()
	synctest.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.got) != want {
		t.Fatalf("%d callbacks, want %d: %v", len(g.got), want, g.got)
	}
	if g.forged != 0 {
		t.Fatalf("%d callbacks were not signed or not JSON", g.forged)
	}
	return g.got
}

func calling(g *gateway) func(*Config) {
	return func(cfg *Config) { cfg.CallbackURL, cfg.Transport = "https://gateway.example/core/callbacks", g }
}

func TestACallbackTellsOfASettledRefund(t *testing.T) {
	g := new(gateway)
	inBubble(t, calling(g), func(w *world) {
		w.submit(reference(1), "rq-p01-1").json(t, http.StatusCreated)
		g.seen(t, 0)
		w.settled()
		status := w.status(reference(1)).json(t, http.StatusOK)
		got := g.seen(t, 1)[0]
		for _, field := range []string{"reference", "core_reference", "state"} {
			wantField(t, got, field, status[field])
		}
		if got["event_id"] == "" || got["at"] == nil {
			t.Errorf("callback: %v", got)
		}
		if call := w.core.History(reference(1))[1]; call.Call != "callback" || call.Status != 204 || call.Path != "/core/callbacks" {
			t.Errorf("history: %+v", call)
		}
		w.core.atOnce = 1
		w.submit(reference(2), "rq-p03-1").json(t, http.StatusCreated)
		wantField(t, g.seen(t, 2)[1], "reference", reference(2))
	})
}

func TestACallbackIsMadeUntilItIsTaken(t *testing.T) {
	g := &gateway{answers: []int{0, 500, 302, 401}}
	inBubble(t, calling(g), func(w *world) {
		w.submit(reference(1), "rq-p01-1")
		time.Sleep(time.Hour)
		got := g.seen(t, 5)
		for _, again := range got[1:] {
			wantField(t, again, "event_id", got[0]["event_id"])
		}
		for n, pause := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second} {
			if waited := g.at[n+1].Sub(g.at[n]); waited != pause {
				t.Errorf("pause %d lasted %v, want %v", n+1, waited, pause)
			}
		}
	})
}

func TestACallbackThatNobodyTakesIsGivenUp(t *testing.T) {
	g := &gateway{answers: make([]int, 1000)}
	inBubble(t, calling(g), func(w *world) {
		w.submit(reference(1), "rq-p01-1")
		time.Sleep(24 * time.Hour)
		g.seen(t, callbackTries)
	})
}

func TestACallbackIsOwedAcrossARestart(t *testing.T) {
	g := &gateway{answers: make([]int, 1000)}
	dir := t.TempDir()
	inBubble(t, func(cfg *Config) { calling(g)(cfg); cfg.Dir = dir }, func(w *world) {
		w.submit(reference(1), "rq-p01-1")
		w.submit(reference(2), "rq-p03-1")
		w.settled()
		lost := len(g.got)
		w.close()

		g.answers = nil
		cfg := testConfig()
		calling(g)(&cfg)
		cfg.Dir = dir
		for _, owed := range []int{2, 0} { // the second restart owes nothing any more
			w := open(t, cfg)
			lost += owed
			g.seen(t, lost)
			w.close()
		}
	})
}

func TestFaultsOfCallbacks(t *testing.T) {
	for _, tt := range []struct {
		kind      string
		atOnce    int           // callbacks as soon as the refund is settled
		later     int           // and in the hour after that, in all
		delivered time.Duration // the first, at most so long after
	}{
		{sandboxfault.DuplicateCallback, 2, 2, 0},
		{sandboxfault.HangBefore, 0, 1, time.Second},
		{sandboxfault.Unavailable, 0, 1, time.Second},
		{sandboxfault.EffectThenHang, 1, 2, 0},
		{sandboxfault.LateCallback, 0, 1, lateCallbackMax},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			g := new(gateway)
			inBubble(t, calling(g), func(w *world) {
				w.fault(sandboxfault.Fault{Kind: tt.kind, Count: 1, Match: sandboxfault.Match{User: "p01", Call: sandboxfault.CallCallback}})
				w.submit(reference(1), "rq-p01-1")
				time.Sleep(time.Second)
				settled := time.Now()
				g.seen(t, tt.atOnce)
				time.Sleep(time.Hour)
				if got := g.seen(t, tt.later); len(got) == 2 {
					wantField(t, got[1], "event_id", got[0]["event_id"])
				}
				if waited := g.at[0].Sub(settled); waited > tt.delivered {
					t.Errorf("delivered after %v", waited)
				}
				if n := w.fired(tt.kind); n != 1 {
					t.Errorf("fired %d, want 1", n)
				}
			})
		})
	}
}

func TestAStoppedCoreCallsNobody(t *testing.T) {
	g := new(gateway)
	inBubble(t, calling(g), func(w *world) {
		w.fault(sandboxfault.Fault{Kind: sandboxfault.Stop})
		w.submit(reference(1), "rq-p01-1")
		time.Sleep(time.Hour)
		g.seen(t, 0)
		w.faults.Clear()
		time.Sleep(2 * stoppedPause)
		g.seen(t, 1)
	})
}

func TestResetDropsCallbacks(t *testing.T) {
	g := &gateway{answers: make([]int, 1000)}
	inBubble(t, calling(g), func(w *world) {
		w.submit(reference(1), "rq-p01-1")
		time.Sleep(time.Second)
		g.seen(t, 1)
		g.mu.Lock()
		g.slow = 2 * time.Second
		g.mu.Unlock()
		time.Sleep(2 * time.Second) // the second try is under way
		if err := w.core.Reset(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		g.seen(t, 2)
	})
}
