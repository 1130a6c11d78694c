package sandboxcore

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/istirdad/istirdad/internal/sandboxseed"
)

func TestBalances(t *testing.T) {
	for _, tt := range []struct {
		name, ask string
		want      map[string]float64
	}{
		{"p03's own", `{"identifier":{"kind":"iqama","number":"2900000015"}}`, map[string]float64{"passports": 65000}},
		{"an empty as", `{"identifier":{"kind":"iqama","number":"2900000015"},"as":{}}`, map[string]float64{"passports": 65000}},
		{"p09's: what is being refunded does not count", `{"identifier":{"kind":"iqama","number":"2900000072"}}`, map[string]float64{"passports": 65000, "sponsorees": 50000}},
		{"p02's: the vehicle counts, the used licence does not", `{"identifier":{"kind":"national_id","number":"1900000025"}}`, map[string]float64{"vehicles": 30000}},
		{"p05's, paid by p06", `{"identifier":{"kind":"iqama","number":"2900000031"}}`, map[string]float64{"passports": 200000}},
		{"p05's as p06", `{"identifier":{"kind":"iqama","number":"2900000031"},"as":{"payer":{"kind":"iqama","number":"2900000049"}}}`, map[string]float64{"passports": 200000}},
		{"p05's as p03", `{"identifier":{"kind":"iqama","number":"2900000031"},"as":{"payer":{"kind":"iqama","number":"2900000015"}}}`, map[string]float64{}},
		{"p01's: not what they paid for a visitor", `{"identifier":{"kind":"national_id","number":"1900000017"}}`, map[string]float64{"passports": 60000}},
		{"the visitor's", `{"identifier":{"kind":"border","number":"3900000001"}}`, map[string]float64{"passports": 10000}},
		{"the company's", `{"identifier":{"kind":"establishment","number":"7000000005"}}`, map[string]float64{"labour": 400000}},
		{"the same number of another kind", `{"identifier":{"kind":"border","number":"2900000015"}}`, map[string]float64{}},
		{"p11's", `{"identifier":{"kind":"national_id","number":"1900000033"}}`, map[string]float64{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, nil, func(w *world) {
				fields := w.call(http.MethodPost, "/balances", tt.ask).json(t, http.StatusOK)
				got, total := map[string]float64{}, 0.0
				for _, item := range fields["buckets"].([]any) {
					bucket := item.(map[string]any)
					got[bucket["bucket"].(string)] = bucket["amount"].(float64)
					total += bucket["amount"].(float64)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				wantField(t, fields, "total", total)
			})
		})
	}
}

func TestARefundLeavesTheBalance(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		total := func() any {
			return w.call(http.MethodPost, "/balances", `{"identifier":{"kind":"iqama","number":"2900000015"}}`).json(t, http.StatusOK)["total"]
		}
		w.submit(reference(1), "rq-p03-1")
		if got := total(); got != 0.0 {
			t.Errorf("while pending: %v", got)
		}
		w.settled()
		w.call(http.MethodPost, "/refunds/"+reference(1)+"/return", `{"reason":"AC04"}`)
		if got := total(); got != 65000.0 {
			t.Errorf("when returned: %v", got)
		}
	})
}

func TestSearchShowsPayerAndBeneficiary(t *testing.T) {
	type row struct {
		id, state  string
		refundable bool
		reason     any
	}
	for _, tt := range []struct {
		name, ask string
		want      []row // newest paid first
	}{
		{"p01 paid for a visitor", `{"identifier":{"kind":"national_id","number":"1900000017"}}`,
			[]row{{"rq-v01-1", "available", true, nil}, {"rq-p01-1", "available", true, nil}}},
		{"p05 benefits", `{"identifier":{"kind":"iqama","number":"2900000031"}}`,
			[]row{{"rq-p05-1", "available", false, "payer_mismatch"}}},
		{"p06 paid", `{"identifier":{"kind":"iqama","number":"2900000049"}}`,
			[]row{{"rq-p05-1", "available", true, nil}}},
		{"p02", `{"identifier":{"kind":"national_id","number":"1900000025"}}`,
			[]row{{"rq-p02-1", "available", true, nil}, {"rq-p02-2", "consumed", false, "fee_consumed"}}},
		{"p02's vehicle", `{"identifier":{"kind":"vehicle","number":"900000002"}}`,
			[]row{{"rq-p02-1", "available", false, "payer_mismatch"}}},
		{"p09", `{"identifier":{"kind":"iqama","number":"2900000072"}}`,
			[]row{{"rq-p09-3", "available", true, nil}, {"rq-p09-2", "refunding", false, "already_refunded"}, {"rq-p09-1", "available", true, nil}}},
		{"p09, one service", `{"identifier":{"kind":"iqama","number":"2900000072"},"service":"090-058"}`,
			[]row{{"rq-p09-2", "refunding", false, "already_refunded"}}},
		{"p09, one request", `{"identifier":{"kind":"iqama","number":"2900000072"},"request_id":"rq-p09-1"}`,
			[]row{{"rq-p09-1", "available", true, nil}}},
		{"somebody else's request", `{"identifier":{"kind":"iqama","number":"2900000072"},"request_id":"rq-p01-1"}`, nil},
		{"nobody", `{"identifier":{"kind":"iqama","number":"2999999999"}}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, nil, func(w *world) {
				fields := w.call(http.MethodPost, "/requests/search", tt.ask).json(t, http.StatusOK)
				var got []row
				for _, item := range fields["items"].([]any) {
					f := item.(map[string]any)
					got = append(got, row{f["request_id"].(string), f["state"].(string), f["refundable"].(bool), f["reason"]})
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("\n got %v\nwant %v", got, tt.want)
				}
				wantField(t, fields, "next_cursor", nil)
			})
		})
	}
}

func TestAnItemOfTheSearch(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		fields := w.call(http.MethodPost, "/requests/search", `{"identifier":{"kind":"iqama","number":"2900000015"}}`).json(t, http.StatusOK)
		party := map[string]any{"kind": "iqama", "number": "2900000015"}
		want := map[string]any{
			"request_id": "rq-p03-1", "service": "090-003", "bucket": "passports",
			"variant":     fields["items"].([]any)[0].(map[string]any)["variant"],
			"beneficiary": party, "payer": party, "amount": 65000.0, "paid_at": "2026-02-27T06:00:00.000000Z",
			"paid_through_bank": "80", "paid_from_iban": "SA1280000555608000000003",
			"state": "available", "refundable": true, "reason": nil,
		}
		if diff := cmp.Diff([]any{want}, fields["items"]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if variant, ok := want["variant"].(map[string]any); !ok || variant["ar"] == "" || variant["en"] == "" {
			t.Errorf("variant = %v", want["variant"])
		}
	})
}

func TestSearchPages(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		ask := map[string]any{"identifier": party{"iqama", "2900000072"}, "limit": 1}
		var got []string
		for range 3 {
			fields := w.call(http.MethodPost, "/requests/search", ask).json(t, http.StatusOK)
			items := fields["items"].([]any)
			if len(items) != 1 {
				t.Fatalf("%d items, want 1", len(items))
			}
			got = append(got, items[0].(map[string]any)["request_id"].(string))
			ask["cursor"] = fields["next_cursor"]
			if got[len(got)-1] == "rq-p09-3" { // what happens between the pages moves nothing
				w.submit(reference(1), "rq-p09-1").json(t, http.StatusCreated)
			}
		}
		if want := []string{"rq-p09-3", "rq-p09-2", "rq-p09-1"}; !slices.Equal(got, want) || ask["cursor"] != nil {
			t.Errorf("pages %v, then cursor %v", got, ask["cursor"])
		}
	})
}

// pay has p08 pay their n-th fee, seconds after the seed was made.
func (w *world) pay(n int) {
	w.t.Helper()
	people := sandboxseed.New(0, start).People
	quarter, _ := sandboxseed.FeeOf("iqama-quarter", start)
	p08 := people[slices.IndexFunc(people, func(p sandboxseed.Person) bool { return p.User == "p08" })]
	for range 2 { // twice is once
		if err := w.core.Pay(sandboxseed.Payment(p08, n, quarter, start.Add(time.Duration(n)*time.Second))); err != nil {
			w.t.Fatal(err)
		}
	}
}

// TestAPaymentIsTheNewest: what is paid now stands before all that was paid before and behind no cursor that was given
// out. It can be asked back, until the book is put back to its seed.
func TestAPaymentIsTheNewest(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		search := func(cursor any) (ids string, next any) {
			fields := w.call(http.MethodPost, "/requests/search", map[string]any{
				"identifier": party{"iqama", "2900000064"}, "limit": 1, "cursor": cursor,
			}).json(t, http.StatusOK)
			for _, item := range fields["items"].([]any) {
				ids += item.(map[string]any)["request_id"].(string)
			}
			return ids, fields["next_cursor"]
		}
		w.pay(2)
		first, next := search("")
		w.pay(3)
		second, end := search(next)
		if first != "rq-p08-2" || second != "rq-p08-1" || end != nil {
			t.Errorf("paged through %s, %s, %v", first, second, end)
		}
		if newest, _ := search(""); newest != "rq-p08-3" {
			t.Errorf("the newest is %s", newest)
		}
		if err := w.core.RefundOnPortal("PT-1", "rq-p08-3", 163_00, w.party("iqama", "2900000064")); err != nil || w.released("rq-p08-3") != 1 {
			t.Errorf("asked back: %v, released %d times", err, w.released("rq-p08-3"))
		}
		if err := w.core.Reset(); err != nil {
			t.Fatal(err)
		}
		if all, next := search(""); all != "rq-p08-1" || next != nil {
			t.Errorf("after a reset: %s, %v", all, next)
		}
	})
}
