package sandboxcore

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/istirdad/istirdad/internal/sandboxseed"
)

func TestARefundFromSubmissionToRelease(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		ref := reference(1)
		first := w.submit(ref, "rq-p03-1")
		want := map[string]any{
			"reference": ref, "request_id": "rq-p03-1", "amount": 65000.0, "iban": "SA1280000555608000000003",
			"core_reference": "GC-1001", "state": "pending",
		}
		if diff := cmp.Diff(want, first.json(t, http.StatusCreated)); diff != "" {
			t.Errorf("POST /refunds (-want +got):\n%s", diff)
		}
		want["at"] = time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
		if diff := cmp.Diff(want, w.status(ref).json(t, http.StatusOK)); diff != "" {
			t.Errorf("GET while pending (-want +got):\n%s", diff)
		}
		if n := w.released("rq-p03-1"); n != 0 {
			t.Errorf("released %d while pending", n)
		}
		want["at"] = time.Now().Add(time.Second).UTC().Format("2006-01-02T15:04:05.000000Z")
		want["state"] = "refunded"
		w.settled()
		if diff := cmp.Diff(want, w.status(ref).json(t, http.StatusOK)); diff != "" {
			t.Errorf("GET when refunded (-want +got):\n%s", diff)
		}
		if n := w.released("rq-p03-1"); n != 1 {
			t.Errorf("released %d, want 1", n)
		}
		again := w.submit(ref, "rq-p03-1")
		again.json(t, http.StatusOK)
		if again.body != first.body {
			t.Errorf("repeated: %s\nat first: %s", again.body, first.body)
		}
	})
}

func TestNowAndThenARefundIsRefundedAtOnce(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.core.atOnce = 1
		wantField(t, w.submit(reference(1), "rq-p01-1").json(t, http.StatusCreated), "state", "refunded")
		wantField(t, w.status(reference(1)).json(t, http.StatusOK), "state", "refunded")
		w.settled()
		if n := w.released("rq-p01-1"); n != 1 {
			t.Errorf("released %d, want 1", n)
		}
	})
}

func TestRefusalsOfASubmission(t *testing.T) {
	change := func(f func(*submission)) func(*submission) { return f }
	for _, tt := range []struct {
		name, request string
		change        func(*submission)
		status        int
		code          string
	}{
		{"consumed", "rq-p04-1", nil, http.StatusConflict, "fee_consumed"},
		{"another amount", "rq-p01-1", change(func(s *submission) { s.Amount-- }), http.StatusConflict, "amount_changed"},
		{"another payer", "rq-p05-1", change(func(s *submission) { s.Payer.Number = "2900000031" }), http.StatusUnprocessableEntity, "payer_mismatch"},
		{"another kind of payer", "rq-p05-1", change(func(s *submission) { s.Payer.Kind = "national_id" }), http.StatusUnprocessableEntity, "payer_mismatch"},
		{"a fine", "rq-fine", nil, http.StatusUnprocessableEntity, "service_not_refundable"},
		{"a used fee of another payer tells nothing", "rq-p04-1", change(func(s *submission) { s.Payer.Number = "2900000015" }), http.StatusUnprocessableEntity, "payer_mismatch"},
		{"a used fee of another amount", "rq-p04-1", change(func(s *submission) { s.Amount++ }), http.StatusConflict, "fee_consumed"},
		{"to another account", "rq-p01-1", change(func(s *submission) { s.IBAN = "SA8280000555608000000004" }), http.StatusUnprocessableEntity, "payer_mismatch"},
		{"paid through another bank", "rq-p07-1", nil, http.StatusUnprocessableEntity, "payer_mismatch"},
		{"and to one of our accounts", "rq-p07-1", change(func(s *submission) { s.IBAN = "SA9880000555608000000007" }), http.StatusUnprocessableEntity, "payer_mismatch"},
		{"on the portal", "rq-p09-2", nil, http.StatusConflict, "already_refunded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, addFine, func(w *world) {
				ask := w.askFor(reference(1), tt.request)
				if tt.change != nil {
					tt.change(&ask)
				}
				want := map[string]any{"reference": ask.Reference, "request_id": ask.RequestID, "code": tt.code, "final": true}
				if tt.code == "already_refunded" {
					want["channel"] = "portal"
				}
				for range 2 { // the first time and for ever
					got := w.call(http.MethodPost, "/refunds", ask).json(t, tt.status)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("POST /refunds (-want +got):\n%s", diff)
					}
				}
				status := w.status(ask.Reference).json(t, http.StatusOK)
				wantField(t, status, "state", "rejected")
				wantField(t, status, "code", tt.code)
				w.settled()
				if n := w.released(ask.RequestID); n != 0 {
					t.Errorf("released %d, want 0", n)
				}
			})
		})
	}
}

// addFine adds a traffic fine, which p01 paid.
func addFine(cfg *Config) {
	fine := cfg.Requests[0]
	fine.ID, fine.Service, fine.Bucket = "rq-fine", "093-040", ""
	cfg.Requests = append(cfg.Requests, fine)
}

func TestAnUnknownRequestIsNoFinalRefusal(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		ask := w.askFor(reference(1), "rq-p01-1")
		ask.RequestID = "rq-nobody"
		got := w.call(http.MethodPost, "/refunds", ask).json(t, http.StatusNotFound)
		wantField(t, got, "final", nil)
		w.status(reference(1)).json(t, http.StatusNotFound)
	})
}

func TestAReferenceStandsForOneBody(t *testing.T) {
	for name, change := range map[string]func(*submission){
		"amount":  func(s *submission) { s.Amount = 1 },
		"request": func(s *submission) { s.RequestID = "rq-p01-1" },
		"iban":    func(s *submission) { s.IBAN = "SA8280000555608000000004" },
		"payer":   func(s *submission) { s.Payer.Number = "1900000017" },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(w *world) {
				w.submit(reference(1), "rq-p03-1").json(t, http.StatusCreated)
				ask := w.askFor(reference(1), "rq-p03-1")
				change(&ask)
				got := w.call(http.MethodPost, "/refunds", ask).json(t, http.StatusConflict)
				want := map[string]any{"reference": reference(1), "code": "reference_reused"}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				w.settled()
				wantField(t, w.status(reference(1)).json(t, http.StatusOK), "amount", 65000.0)
			})
		})
	}
}

func TestAnotherReferenceFindsTheRequestTaken(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.submit(reference(1), "rq-p03-1").json(t, http.StatusCreated)
		want := map[string]any{
			"request_id": "rq-p03-1", "code": "already_refunded", "final": true,
			"channel": "bank", "reference": reference(1),
		}
		for n, when := range []string{"while pending", "when refunded"} {
			if diff := cmp.Diff(want, w.submit(reference(n+2), "rq-p03-1").json(t, http.StatusConflict)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
			w.settled()
		}
		if n := w.released("rq-p03-1"); n != 1 {
			t.Errorf("released %d, want 1", n)
		}
	})
}

func TestSixtyFourAtOnceHaveOneEffect(t *testing.T) {
	for _, tt := range []struct {
		name string
		ref  func(n int) string
		want map[int]int // status → how many
	}{
		{"one reference", func(int) string { return reference(1) }, map[int]int{201: 1, 200: 63}},
		{"one request", reference, map[int]int{201: 1, 409: 63}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(cfg *Config) { cfg.Dir = t.TempDir() }, func(w *world) {
				var mu sync.Mutex
				got := make(map[int]int)
				var wg sync.WaitGroup
				for n := range 64 {
					wg.Go(func() {
						answer := w.submit(tt.ref(n), "rq-p01-1")
						mu.Lock()
						defer mu.Unlock()
						got[answer.status]++
					})
				}
				wg.Wait()
				w.settled()
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("answers (-want +got):\n%s", diff)
				}
				if n := w.released("rq-p01-1"); n != 1 {
					t.Errorf("released %d, want 1", n)
				}
				effects := 0
				for _, call := range w.core.History("") {
					if call.Effect {
						effects++
					}
				}
				if effects != 1 {
					t.Errorf("%d calls had an effect, want 1", effects)
				}
			})
		})
	}
}

func TestReturn(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		giveBack := func(ref string) reply {
			return w.call(http.MethodPost, "/refunds/"+ref+"/return", `{"reason":"AC04"}`)
		}
		notRefunded := func(ref, when string) {
			want := map[string]any{"reference": ref, "code": "not_refunded"}
			if diff := cmp.Diff(want, giveBack(ref).json(t, http.StatusConflict)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
		}
		notRefunded(reference(1), "unknown")
		w.submit(reference(1), "rq-p03-1")
		notRefunded(reference(1), "pending")
		w.submit(reference(2), "rq-p04-1")
		notRefunded(reference(2), "rejected")
		w.settled()

		first := giveBack(reference(1))
		wantField(t, first.json(t, http.StatusOK), "state", "returned")
		time.Sleep(time.Minute)
		if again := giveBack(reference(1)); again.body != first.body {
			t.Errorf("repeated: %s\nat first: %s", again.body, first.body)
		}
		if status := w.status(reference(1)); status.body != first.body {
			t.Errorf("GET: %s\nreturn: %s", status.body, first.body)
		}
		if n := w.released("rq-p03-1"); n != 0 {
			t.Errorf("net %d released, want 0", n)
		}
		w.submit(reference(1), "rq-p03-1").json(t, http.StatusOK)
		w.submit(reference(3), "rq-p03-1").json(t, http.StatusCreated) // it may be asked back again
		w.settled()
		if n := w.released("rq-p03-1"); n != 1 {
			t.Errorf("net %d released, want 1", n)
		}
		of := func(channel, ref, request string, released, returned int) Effect {
			ask := w.askFor(ref, request)
			return Effect{
				RequestID: request, Reference: ref, Channel: channel, Amount: ask.Amount, IBAN: ask.IBAN, Released: released, Returned: returned,
			}
		}
		want := []Effect{
			of("portal", "PT-rq-p09-2", "rq-p09-2", 0, 0), of("bank", reference(1), "rq-p03-1", 1, 1), of("bank", reference(3), "rq-p03-1", 1, 0),
		}
		if diff := cmp.Diff(want, w.core.Truth()); diff != "" {
			t.Errorf("Truth (-want +got):\n%s", diff)
		}
	})
}

func TestTheListIsOrderedByLastChange(t *testing.T) {
	inBubble(t, func(cfg *Config) { cfg.Requests = sandboxseed.New(150, start).Requests }, func(w *world) {
		w.core.cfg.SettleMin, w.core.cfg.SettleMax = time.Hour, time.Hour
		from := time.Now()
		for n := range 150 {
			w.submit(reference(n), fmt.Sprintf("rq-c%05d-1", n+1)).json(t, http.StatusCreated)
			time.Sleep(time.Millisecond)
		}
		to := time.Now()
		span := "?from=" + from.UTC().Format(time.RFC3339Nano) + "&to=" + to.UTC().Format(time.RFC3339Nano)
		one := w.call(http.MethodGet, "/refunds"+span, nil).json(t, http.StatusOK)
		refs := references(one)
		cursor, _ := one["next_cursor"].(string)
		two := w.call(http.MethodGet, "/refunds"+span+"&cursor="+cursor, nil).json(t, http.StatusOK)
		wantField(t, two, "next_cursor", nil)
		refs = append(refs, references(two)...)
		for n, ref := range refs {
			if ref != reference(n) {
				t.Fatalf("item %d is %s", n, ref)
			}
		}
		if len(refs) != 150 {
			t.Errorf("%d refunds, want 150", len(refs))
		}

		w.settled()
		if got := references(w.call(http.MethodGet, "/refunds"+span, nil).json(t, http.StatusOK)); len(got) != 0 {
			t.Errorf("%d refunds are still where they were before their last change", len(got))
		}
		later := w.call(http.MethodGet, "/refunds?from="+to.UTC().Format(time.RFC3339Nano), nil).json(t, http.StatusOK)
		if got := references(later); len(got) != listPage || got[0] != reference(0) {
			t.Errorf("%d refunds after the change, the first %v", len(got), got)
		}
	})
}

func TestTheListHasARefundOnceAndEndsBeforeTo(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.core.cfg.SettleMin, w.core.cfg.SettleMax = 0, 0 // settled in the same instant
		from := time.Now().UTC().Format(time.RFC3339Nano)
		w.submit(reference(1), "rq-p01-1").json(t, http.StatusCreated)
		synctest.Wait()
		time.Sleep(time.Second + 1) // finer than the book's time
		to := time.Now().UTC().Format(time.RFC3339Nano)
		w.submit(reference(2), "rq-p03-1").json(t, http.StatusCreated)
		for query, want := range map[string]int{"?from=" + from + "&to=" + to: 1, "?from=" + to: 1, "?to=" + from: 0, "": 2} {
			if got := references(w.call(http.MethodGet, "/refunds"+query, nil).json(t, http.StatusOK)); len(got) != want {
				t.Errorf("GET /refunds%s: %v, want %d", query, got, want)
			}
		}
	})
}

func references(list map[string]any) (refs []string) {
	for _, item := range list["items"].([]any) {
		refs = append(refs, item.(map[string]any)["reference"].(string))
	}
	return refs
}

func TestOneBankDoesNotSeeAnothers(t *testing.T) {
	inBubble(t, func(cfg *Config) {
		cfg.BankKeys = map[string]ed25519.PublicKey{"bank-80": bankKeys["bank-80"], "bank-10": bankKeys["bank-80"]}
	}, func(w *world) {
		w.submit(reference(1), "rq-p03-1").json(t, http.StatusCreated)
		w.settled()
		w.keyID = "bank-10"
		w.status(reference(1)).json(t, http.StatusNotFound)
		wantField(t, w.submit(reference(1), "rq-p03-1").json(t, http.StatusConflict), "code", "reference_reused")
		w.call(http.MethodPost, "/refunds/"+reference(1)+"/return", `{"reason":"AC06"}`).json(t, http.StatusConflict)
		if got := references(w.call(http.MethodGet, "/refunds", nil).json(t, http.StatusOK)); len(got) != 0 {
			t.Errorf("another bank's list: %v", got)
		}
		if got := w.call(http.MethodGet, "/settlements/2000-01-01", nil).body; !strings.HasSuffix(got, "T,0,0\n") {
			t.Errorf("another bank's settlement: %s", got)
		}
		w.submit(reference(2), "rq-p07-1").json(t, http.StatusCreated) // paid through it
		wantField(t, w.submit(reference(3), "rq-p01-1").json(t, http.StatusUnprocessableEntity), "code", "payer_mismatch")
	})
}

func TestSettlementFile(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		// The bubble begins at 2000-01-01T00:00:00Z; go to 20:59:50, just before midnight in Riyadh.
		time.Sleep(21*time.Hour - 10*time.Second)
		w.submit(reference(1), "rq-p01-1")
		w.submit(reference(2), "rq-p03-1")
		time.Sleep(2 * time.Second)
		w.call(http.MethodPost, "/refunds/"+reference(1)+"/return", `{"reason":"AC04"}`).json(t, http.StatusOK)
		time.Sleep(7 * time.Second) // one second before midnight
		w.submit(reference(3), "rq-p08-1")
		time.Sleep(2 * time.Second)
		w.submit(reference(4), "rq-p04-1")
		w.call(http.MethodPost, "/refunds/"+reference(2)+"/return", `{"reason":"AC06"}`).json(t, http.StatusOK)

		for date, want := range map[string]string{
			"2000-01-01": "reference,core_reference,request_id,amount,iban,state,at\n" +
				reference(1) + ",GC-1001,rq-p01-1,60000,SA6680000555608000000001,returned,2000-01-01T20:59:52.000000Z\n" +
				reference(2) + ",GC-1002,rq-p03-1,65000,SA1280000555608000000003,refunded,2000-01-01T20:59:51.000000Z\n" +
				"T,2,125000\n",
			"2000-01-02": "reference,core_reference,request_id,amount,iban,state,at\n" +
				reference(3) + ",GC-1003,rq-p08-1,16300,SA7180000555608000000008,refunded,2000-01-01T21:00:00.000000Z\n" +
				reference(4) + ",GC-1004,rq-p04-1,20000,SA8280000555608000000004,rejected,2000-01-01T21:00:01.000000Z\n" +
				reference(2) + ",GC-1002,rq-p03-1,65000,SA1280000555608000000003,returned,2000-01-01T21:00:01.000000Z\n" +
				"T,3,101300\n",
			"2000-01-03": "reference,core_reference,request_id,amount,iban,state,at\nT,0,0\n",
		} {
			got := w.call(http.MethodGet, "/settlements/"+date, nil)
			if got.signed != nil || got.header.Get("Content-Type") != "text/csv; charset=utf-8" {
				t.Errorf("%s: signed %v, %s", date, got.signed, got.header.Get("Content-Type"))
			}
			if diff := cmp.Diff(want, got.body); diff != "" {
				t.Errorf("%s (-want +got):\n%s", date, diff)
			}
		}
	})
}

func TestCallsNotInTheFormOfTheProtocol(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		good, err := json.Marshal(w.askFor(reference(1), "rq-p01-1"))
		if err != nil {
			t.Fatal(err)
		}
		but := func(old, new string) string {
			changed := strings.Replace(string(good), old, new, 1)
			if changed == string(good) {
				t.Fatalf("%q is not in %s", old, good)
			}
			return changed
		}
		for _, tt := range []struct{ method, path, body string }{
			{"POST", "/refunds", "{"},
			{"POST", "/refunds", ""},
			{"POST", "/refunds", string(good) + "{}"},
			{"POST", "/refunds", but(`"amount"`, `"Amounts"`)},
			{"POST", "/refunds", but("60000", "600.00")},
			{"POST", "/refunds", but("60000", "-60000")},
			{"POST", "/refunds", but("60000", "0")},
			{"POST", "/refunds", but("RF00", "RFOO")},
			{"POST", "/refunds", but("SA66", "sa66")},
			{"POST", "/refunds", but("national_id", "passport")},
			{"POST", "/refunds", but("rq-p01-1", "")},
			{"POST", "/refunds/" + reference(1) + "/return", `{"reason":"AC05"}`},
			{"POST", "/refunds/" + reference(1) + "/return", ``},
			{"POST", "/balances", `{"identifier":{"kind":"iqama","number":"x"}}`},
			{"POST", "/balances", `{"identifier":{"kind":"iqama","number":"2900000015"},"as":{"payer":{"kind":"","number":""}}}`},
			{"POST", "/requests/search", `{"identifier":{"kind":"iqama","number":"2900000015"},"limit":0}`},
			{"POST", "/requests/search", `{"identifier":{"kind":"iqama","number":"2900000015"},"limit":501}`},
			{"POST", "/requests/search", `{"identifier":{"kind":"iqama","number":"2900000015"},"cursor":"!"}`},
			{"POST", "/requests/search", `{"identifier":{"kind":"iqama","number":"2900000015"},"cursor":"AAAA"}`},
			{"GET", "/refunds?from=yesterday", ""},
			{"GET", "/refunds?cursor=LTE", ""}, // -1
			{"GET", "/settlements/2000-13-01", ""},
		} {
			got := w.call(tt.method, tt.path, tt.body)
			if got.status != http.StatusBadRequest || got.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s %s %s: %d %s", tt.method, tt.path, tt.body, got.status, got.body)
			}
		}
		w.status(reference(1)).json(t, http.StatusNotFound)
		long := w.call("POST", "/refunds", strings.Repeat(" ", maxBody)+string(good))
		if long.status != http.StatusRequestEntityTooLarge {
			t.Errorf("a body beyond 16 KiB: %d", long.status)
		}
	})
}

func TestWhoIsNotKnownGetsNothing(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		body, err := json.Marshal(w.askFor(reference(1), "rq-p01-1"))
		if err != nil {
			t.Fatal(err)
		}
		signed := func(stamped stamp) *http.Request {
			r := httptest.NewRequest(http.MethodPost, "https://core.example/core/v1/refunds", strings.NewReader(string(body)))
			r.Header.Set("Content-Digest", contentDigest(body))
			sign(requestMessage(r), requestComponents, stamped, TestKey())
			return r
		}
		now := func() stamp { return newStamp(time.Now(), newNonce(), "bank-80") }
		unsigned := signed(now())
		unsigned.Header.Del("Signature")
		stranger := signed(newStamp(time.Now(), newNonce(), "bank-99"))
		old := signed(newStamp(time.Now().Add(-61*time.Second), newNonce(), "bank-80"))
		elsewhere := signed(now())
		elsewhere.Host = "core.example.net"
		for name, r := range map[string]*http.Request{"unsigned": unsigned, "stranger": stranger, "old": old, "elsewhere": elsewhere} {
			got := w.send(r)
			if got.status != http.StatusUnauthorized || got.signed == nil || got.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s: %d, signed %v, %s", name, got.status, got.signed == nil, got.body)
			}
		}
		w.status(reference(1)).json(t, http.StatusNotFound)

		s := now()
		w.send(signed(s)).json(t, http.StatusCreated)
		if got := w.send(signed(s)); got.status != http.StatusUnauthorized {
			t.Errorf("a nonce used twice: %d", got.status)
		}
		w.settled()
		if n := w.released("rq-p01-1"); n != 1 {
			t.Errorf("released %d, want 1", n)
		}
		refusals := 0
		for _, call := range w.core.History("") {
			if call.Status == http.StatusUnauthorized && !call.Effect {
				refusals++
			}
		}
		if refusals != 5 {
			t.Errorf("%d refusals in the history, want 5", refusals)
		}
	})
}

func TestTheHistoryTellsWhatTheCoreReceived(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.submit(reference(1), "rq-p01-1")
		w.submit(reference(2), "rq-p03-1")
		w.status(reference(1))
		calls := w.core.History(reference(1))
		if len(calls) != 2 {
			t.Fatalf("%d calls, want 2", len(calls))
		}
		submit, status := calls[0], calls[1]
		if submit.Call != "submit" || submit.Method != "POST" || submit.Path != "/core/v1/refunds" ||
			submit.RequestID != "rq-p01-1" || submit.Status != 201 || !submit.Effect || submit.Fault != "" {
			t.Errorf("submit: %+v", submit)
		}
		var request submission
		if err := json.Unmarshal(submit.Request, &request); err != nil || request != w.askFor(reference(1), "rq-p01-1") {
			t.Errorf("request %s: %v", submit.Request, err)
		}
		if !strings.Contains(string(submit.Answer), `"core_reference":"GC-1001"`) {
			t.Errorf("answer %s", submit.Answer)
		}
		if status.Call != "status" || status.RequestID != "rq-p01-1" || status.Effect || string(status.Request) != "null" {
			t.Errorf("status: %+v", status)
		}
		if all := w.core.History(""); len(all) != 3 || all[1].Reference != reference(2) {
			t.Errorf("all: %+v", all)
		}
	})
}

func TestResetGoesBackToTheSeed(t *testing.T) {
	inBubble(t, func(cfg *Config) { cfg.Dir = t.TempDir() }, func(w *world) {
		before := w.core.Requests()
		for range 2 {
			wantField(t, w.submit(reference(1), "rq-p01-1").json(t, http.StatusCreated), "core_reference", "GC-1001")
			w.settled()
			w.submit(reference(2), "rq-p03-1").json(t, http.StatusCreated) // still pending
			if cmp.Equal(before, w.core.Requests()) {
				t.Fatal("the book did not change")
			}
			if err := w.core.Reset(); err != nil {
				t.Fatal(err)
			}
			w.settled()
			if diff := cmp.Diff(before, w.core.Requests()); diff != "" {
				t.Errorf("requests after Reset (-want +got):\n%s", diff)
			}
			if truth, history := w.core.Truth(), w.core.History(""); len(truth) != 1 || len(history) != 0 {
				t.Errorf("after Reset: truth %v, history %v", truth, history)
			}
			w.status(reference(1)).json(t, http.StatusNotFound)
			if err := w.core.Reset(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
