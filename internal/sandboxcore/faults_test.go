package sandboxcore

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/sandboxseed"
)

// always switches a kind on for a call.
func (w *world) always(kind, call string) {
	w.t.Helper()
	w.fault(sandboxfault.Fault{Kind: kind, Match: sandboxfault.Match{Call: call}})
}

func (w *world) lastCall(ref string) Call {
	w.t.Helper()
	calls := w.core.History(ref)
	if len(calls) == 0 {
		w.t.Fatalf("no call of %s", ref)
	}
	return calls[len(calls)-1]
}

func TestSilenceWithAndWithoutEffect(t *testing.T) {
	for kind, effect := range map[string]bool{sandboxfault.HangBefore: false, sandboxfault.EffectThenHang: true} {
		t.Run(kind, func(t *testing.T) {
			inBubble(t, nil, func(w *world) {
				w.always(kind, sandboxfault.CallSubmit)
				began := time.Now()
				if got := w.submit(reference(1), "rq-p01-1"); got.status != 0 || got.body != "" {
					t.Fatalf("an answer: %d %s", got.status, got.body)
				}
				if waited := time.Since(began); waited != patience {
					t.Errorf("the silence lasted %v, want until the client went", waited)
				}
				if got := w.lastCall(reference(1)); got.Status != 0 || got.Fault != kind || got.Effect != effect || got.RequestID != "rq-p01-1" {
					t.Errorf("history: %+v", got)
				}
				want := 0
				if effect {
					want = 1
				}
				if n := w.released("rq-p01-1"); n != want {
					t.Errorf("released %d, want %d", n, want)
				}
				w.faults.Clear()
				status := http.StatusCreated
				if effect {
					status = http.StatusOK
				}
				w.submit(reference(1), "rq-p01-1").json(t, status)
				w.settled()
				if n := w.released("rq-p01-1"); n != 1 {
					t.Errorf("released %d after the re-send, want 1", n)
				}
			})
		})
	}
}

func TestClosingTheCoreLetsHungCallsGo(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.always(sandboxfault.HangBefore, sandboxfault.CallSubmit)
		time.AfterFunc(3*time.Second, func() { w.close() })
		began := time.Now()
		w.submit(reference(1), "rq-p01-1")
		if waited := time.Since(began); waited != 3*time.Second {
			t.Errorf("the silence lasted %v, want 3s", waited)
		}
	})
}

func TestUnavailableHasNoEffect(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.fault(sandboxfault.Fault{Kind: sandboxfault.Unavailable, Count: 1, Match: sandboxfault.Match{User: "p01"}})
		w.submit(reference(2), "rq-p03-1").json(t, http.StatusCreated) // p03's
		got := w.submit(reference(1), "rq-p01-1")
		if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
			t.Errorf("%d, Retry-After %q", got.status, got.header.Get("Retry-After"))
		}
		w.status(reference(1)).json(t, http.StatusNotFound)
		if got := w.core.History(reference(1))[0]; got.Status != 503 || got.Effect || got.Fault != sandboxfault.Unavailable {
			t.Errorf("history: %+v", got)
		}
		w.submit(reference(1), "rq-p01-1").json(t, http.StatusCreated)
	})
}

func TestFaultsFindThePersonOfEveryCall(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.submit(reference(1), "rq-p03-1").json(t, http.StatusCreated)
		w.settled()
		w.fault(sandboxfault.Fault{Kind: sandboxfault.Unavailable, Match: sandboxfault.Match{User: "p03"}})
		identifier := map[string]any{"identifier": party{"iqama", "2900000015"}}
		for name, got := range map[string]reply{
			"status":   w.status(reference(1)),
			"return":   w.call(http.MethodPost, "/refunds/"+reference(1)+"/return", `{"reason":"AC04"}`),
			"balances": w.call(http.MethodPost, "/balances", identifier),
			"search":   w.call(http.MethodPost, "/requests/search", identifier),
		} {
			if got.status != http.StatusServiceUnavailable {
				t.Errorf("%s: %d", name, got.status)
			}
		}
		w.call(http.MethodGet, "/refunds", nil).json(t, http.StatusOK) // nobody's
	})
}

func TestP14sFirstRefundIsNeverAnswered(t *testing.T) {
	inBubble(t, inDir(t), func(w *world) {
		for range 2 { // once per reset
			if got := w.submit(reference(1), "rq-p14-1"); got.status != 0 {
				t.Fatalf("answered %d", got.status)
			}
			if got := w.lastCall(reference(1)); got.Fault != sandboxfault.EffectThenHang || !got.Effect {
				t.Errorf("history: %+v", got)
			}
			after := killed(w, nil)
			after.submit(reference(1), "rq-p14-1").json(t, http.StatusOK)
			after.close()
			w.submit(reference(1), "rq-p14-1").json(t, http.StatusOK)
			w.settled()
			if n := w.released("rq-p14-1"); n != 1 {
				t.Errorf("released %d, want 1", n)
			}
			w.call(http.MethodPost, "/refunds/"+reference(1)+"/return", `{"reason":"AC04"}`).json(t, http.StatusOK)
			w.submit(reference(2), "rq-p14-1").json(t, http.StatusCreated)
			if err := w.core.Reset(); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.fired(sandboxfault.EffectThenHang); n != 2 {
			t.Errorf("fired %d, want 2", n)
		}
		w.always(sandboxfault.Well, sandboxfault.CallSubmit)
		w.submit(reference(1), "rq-p14-1").json(t, http.StatusCreated)
	})
}

func TestAnswersThatDecideNothing(t *testing.T) {
	for _, tt := range []struct {
		kind  string
		check func(t *testing.T, got reply)
	}{
		{sandboxfault.Malformed, func(t *testing.T, got reply) {
			if got.status != 201 || got.signed != nil || json.Valid([]byte(got.body)) {
				t.Errorf("%d, signed %v: %s", got.status, got.signed, got.body)
			}
		}},
		{sandboxfault.BadSignature, func(t *testing.T, got reply) {
			if got.status != 201 || got.signed == nil {
				t.Errorf("%d, and the signature holds", got.status)
			}
		}},
		{sandboxfault.UnknownState, func(t *testing.T, got reply) {
			if state := got.json(t, 201)["state"]; state == "pending" || state == "refunded" || state == nil {
				t.Errorf("state %v", state)
			}
		}},
		{sandboxfault.ResetMidAnswer, func(t *testing.T, got reply) {
			if got.status != 0 || got.body == "" || json.Valid([]byte(got.body)) {
				t.Errorf("%d %q", got.status, got.body)
			}
		}},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			inBubble(t, nil, func(w *world) {
				w.always(tt.kind, sandboxfault.CallSubmit)
				tt.check(t, w.submit(reference(1), "rq-p01-1"))
				if got := w.lastCall(reference(1)); !got.Effect || got.Fault != tt.kind || got.Status != 201 {
					t.Errorf("history: %+v", got)
				}
				w.settled()
				if n := w.released("rq-p01-1"); n != 1 {
					t.Errorf("released %d, want 1", n)
				}
			})
		})
	}
}

func TestAnswersThatAreOnlyAwkward(t *testing.T) {
	for _, kind := range []string{sandboxfault.Late, sandboxfault.SlowBody, sandboxfault.ShuffledFields, sandboxfault.UnknownFields} {
		t.Run(kind, func(t *testing.T) {
			inBubble(t, nil, func(w *world) {
				plain := w.call(http.MethodPost, "/requests/search", `{"identifier":{"kind":"iqama","number":"2900000072"}}`)
				w.always(kind, sandboxfault.CallInquiry)
				for range 20 {
					began := time.Now()
					got := w.call(http.MethodPost, "/requests/search", `{"identifier":{"kind":"iqama","number":"2900000072"}}`)
					fields := got.json(t, http.StatusOK)
					waited := time.Since(began)
					if slow := kind == sandboxfault.Late || kind == sandboxfault.SlowBody; slow != (waited > 0) || waited > 4*time.Second {
						t.Errorf("answered after %v", waited)
					}
					if shuffled := kind == sandboxfault.ShuffledFields || kind == sandboxfault.UnknownFields; shuffled == (got.body == plain.body) {
						t.Errorf("body: %s", got.body)
					}
					if n := len(fields["items"].([]any)); n != 3 {
						t.Errorf("%d items, want 3", n)
					}
					if more := len(fields) > 2; more != (kind == sandboxfault.UnknownFields) {
						t.Errorf("fields: %v", fields)
					}
				}
			})
		})
	}
}

func TestAStaleStatusTellsWhatWas(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.core.cfg.SettleMin, w.core.cfg.SettleMax = 5*time.Minute, 5*time.Minute
		w.always(sandboxfault.StaleStatus, sandboxfault.CallStatus)
		w.submit(reference(1), "rq-p01-1").json(t, http.StatusCreated)
		wantField(t, w.status(reference(1)).json(t, http.StatusNotFound), "code", "unknown_reference")
		time.Sleep(2 * time.Minute)
		wantField(t, w.status(reference(1)).json(t, http.StatusOK), "state", "pending") // a 404 would be a lie by now
		w.settled()
		wantField(t, w.status(reference(1)).json(t, http.StatusOK), "state", "pending")
		w.call(http.MethodPost, "/refunds/"+reference(1)+"/return", `{"reason":"AC04"}`)
		wantField(t, w.status(reference(1)).json(t, http.StatusOK), "state", "refunded")
		w.faults.Clear()
		wantField(t, w.status(reference(1)).json(t, http.StatusOK), "state", "returned")
	})
}

func TestRejectedLaterMovesNoMoney(t *testing.T) {
	inBubble(t, inDir(t), func(w *world) {
		w.core.atOnce = 1
		w.always(sandboxfault.RejectedLater, sandboxfault.CallSubmit)
		wantField(t, w.submit(reference(1), "rq-p01-1").json(t, http.StatusCreated), "state", "pending")
		after := killed(w, nil)
		defer after.close()
		w.settled()
		for _, w := range []*world{w, after} {
			status := w.status(reference(1)).json(t, http.StatusOK)
			wantField(t, status, "state", "rejected")
			wantField(t, status, "code", "fee_consumed")
			if n := w.released("rq-p01-1"); n != 0 {
				t.Errorf("released %d, want 0", n)
			}
		}
		w.faults.Clear()
		wantField(t, w.submit(reference(2), "rq-p01-1").json(t, http.StatusConflict), "code", "fee_consumed")
	})
}

func TestAPoliteCoreHasNoFaultsOfItsOwn(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		for range 200 {
			w.call(http.MethodPost, "/balances", map[string]any{"identifier": party{"iqama", "2900000015"}}).json(t, http.StatusOK)
		}
		for _, kind := range w.faults.Kinds() {
			if kind.Fired != 0 {
				t.Errorf("%s fired %d times", kind.Kind, kind.Fired)
			}
		}
	})
}

// A core that is not polite misbehaves in every way of its own, and still never
// lies in an answer that is whole, signed and documented, and never has a second
// effect.
func TestHostile(t *testing.T) {
	const crowd = 120
	inBubble(t, func(cfg *Config) {
		cfg.Polite, cfg.Requests = false, sandboxseed.New(crowd, start).Requests
		cfg.CallbackURL, cfg.Transport = "http://gateway.example/core/callbacks", acceptAll{}
	}, func(w *world) {
		w.core.atOnce = atOnceRate
		for n := range crowd {
			request := fmt.Sprintf("rq-c%05d-1", n+1)
			for range 4 {
				w.submit(reference(n), request)
				got := w.status(reference(n))
				if got.status == http.StatusOK && got.signed == nil && strings.Contains(got.body, `"refunded"`) && w.released(request) != 1 && json.Valid([]byte(got.body)) {
					if fields := got.json(t, 200); fields["state"] == "refunded" {
						t.Errorf("told refunded, released %d: %s", w.released(request), got.body)
					}
				}
			}
		}
		time.Sleep(time.Minute)
		for n := range crowd {
			if got := w.released(fmt.Sprintf("rq-c%05d-1", n+1)); got != 1 {
				t.Errorf("released %d times, want 1: four sends, of which one must have arrived", got)
			}
		}
		var own []string
		for _, ws := range [][]weather{usual.outcomes, usual.garnishes, usual.callbacks} {
			for _, w := range ws {
				own = append(own, w.kind)
			}
		}
		for _, kind := range own {
			if w.fired(kind) == 0 {
				t.Errorf("%s never fired", kind)
			}
		}
	})
}

type acceptAll struct{}

func (acceptAll) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: r}, nil
}

// TestTheWeather draws what 6.2 of reliability.md says, of 20,000 calls each.
func TestTheWeather(t *testing.T) {
	inBubble(t, func(cfg *Config) { cfg.Polite = false }, func(w *world) {
		const calls = 20_000
		drawn := func(core *Core, call string) map[string]float64 {
			share := make(map[string]float64)
			for range calls {
				for _, kind := range core.mischief(call, "", func(string) bool { return true }).kinds {
					share[kind] += 1. / calls
				}
			}
			return share
		}
		want := map[string]map[string]float64{
			sandboxfault.CallSubmit: {
				"effect_then_hang": 0.05, "unavailable": 0.05, "reset_mid_answer": 0.03, "malformed": 0.02, "bad_signature": 0.01,
				"unknown_state": 0.01, "slow_body": 0.02, "stale_status": 0,
			},
			sandboxfault.CallStatus:   {"stale_status": 0.05, "unavailable": 0.05, "effect_then_hang": 0, "unknown_state": 0.01},
			sandboxfault.CallCallback: {"duplicate_callback": 0.10, "late_callback": 0.10, "unavailable": 0},
		}
		for call, rates := range want {
			got := drawn(w.core, call)
			for kind, rate := range rates {
				if off := got[kind] - rate; off < -0.006 || off > 0.006 {
					t.Errorf("%s: %s at %.4f, want %.2f", call, kind, got[kind], rate)
				}
			}
			if call != sandboxfault.CallCallback && (got["late"] < 0.3 || got["shuffled_fields"] < 0.3 || got["unknown_fields"] < 0.1) {
				t.Errorf("%s: %v", call, got)
			}
		}

		cfg := testConfig()
		cfg.Polite, cfg.Rates = false, map[string]float64{"wrong_echo": 0.3, "late": 0, "unavailable": 0, "orphan_callback": 1, "shuffled_fields": 1, "hang_before": 0.1}
		other := open(t, cfg)
		defer other.close()
		got := drawn(other.core, sandboxfault.CallStatus)
		for kind, rate := range map[string]float64{"wrong_echo": 0.3, "late": 0, "unavailable": 0, "malformed": 0.02, "hang_before": 0.1} {
			if off := got[kind] - rate; off < -0.015 || off > 0.015 {
				t.Errorf("asked for, %s at %.4f, want %.2f", kind, got[kind], rate)
			}
		}
		if got := drawn(other.core, sandboxfault.CallCallback); got["orphan_callback"] < 0.999 || len(got) != 1 {
			t.Errorf("callbacks: %v", got)
		}

		cfg.Polite = true
		polite := open(t, cfg)
		defer polite.close()
		if got := drawn(polite.core, sandboxfault.CallStatus); len(got) != 0 {
			t.Errorf("polite: %v", got)
		}
	})
}

// TestARestartDrawsAnew: other faults, other references of its own.
func TestARestartDrawsAnew(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		dir := t.TempDir()
		var drawn []string
		for range 2 {
			cfg := testConfig()
			cfg.Polite = false
			board, err := sandboxfault.Open(1, dir)
			if err != nil {
				t.Fatal(err)
			}
			cfg.Faults = board
			again := open(t, cfg)
			var kinds []string
			for range 100 {
				kinds = append(kinds, again.core.mischief(sandboxfault.CallInquiry, "", func(string) bool { return true }).String())
			}
			drawn = append(drawn, strings.Join(kinds, " "))
			again.close()
			if err := board.Close(); err != nil {
				t.Error(err)
			}
		}
		if drawn[0] == drawn[1] {
			t.Errorf("twice %s", drawn[0])
		}
	})
}
