package sandboxcore

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/saudi"
)

// payerOf is who paid a seeded request.
func (w *world) payerOf(requestID string) saudi.Party {
	w.t.Helper()
	p := w.askFor("", requestID).Payer
	return w.party(saudi.Kind(p.Kind), p.Number)
}

func (w *world) party(kind saudi.Kind, number string) saudi.Party {
	w.t.Helper()
	p, err := saudi.NewParty(kind, number)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// wantRefusal: err is just that refusal.
func wantRefusal(t *testing.T, what string, err error, want Refusal) {
	t.Helper()
	var no *Refusal
	if !errors.As(err, &no) || *no != want {
		t.Errorf("%s: %v, want %+v", what, err, want)
	}
}

// onPortal is a refund on the portal, of the amount that the seed has.
func (w *world) onPortal(id, requestID string, payer saudi.Party) error {
	var shown int64
	if at := slices.IndexFunc(w.core.cfg.Requests, isRequest(requestID)); at >= 0 {
		shown = w.core.cfg.Requests[at].Amount
	}
	return w.core.RefundOnPortal(id, requestID, shown, payer)
}

func TestThePortalIsOnTheSameBook(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		p03 := w.payerOf("rq-p03-1")
		if err := w.onPortal("PT-1", "rq-p03-1", p03); err != nil {
			t.Fatal(err)
		}
		wantField(t, w.submit(reference(1), "rq-p03-1").json(t, http.StatusConflict), "channel", "portal")
		w.status("PT-1").json(t, http.StatusNotFound) // not the bank's
		if err := w.onPortal("PT-1", "rq-p03-1", p03); err != nil {
			t.Errorf("again under the same id: %v", err)
		}

		w.submit(reference(2), "rq-p01-1").json(t, http.StatusCreated)
		for _, no := range []struct {
			id, request string
			payer       saudi.Party
			want        Refusal
		}{
			{"PT-2", "rq-p03-1", p03, Refusal{Code: "already_refunded", Channel: "portal", Reference: "PT-1"}},
			{"PT-2", "rq-p01-1", w.payerOf("rq-p01-1"), Refusal{Code: "already_refunded", Channel: "bank", Reference: reference(2)}},
			{"PT-2", "rq-p09-2", w.payerOf("rq-p09-2"), Refusal{Code: "already_refunded", Channel: "portal", Reference: "PT-rq-p09-2"}},
			{"PT-2", "rq-p04-1", w.payerOf("rq-p04-1"), Refusal{Code: "fee_consumed"}},
			{"PT-2", "rq-p04-1", p03, Refusal{Code: "payer_mismatch"}},
			{"PT-2", "rq-nobody", p03, Refusal{Code: "unknown_request"}},
			{"PT-1", "rq-p08-1", w.payerOf("rq-p08-1"), Refusal{Code: "reference_reused"}},
			{reference(2), "rq-p01-1", w.payerOf("rq-p01-1"), Refusal{Code: "reference_reused"}},
		} {
			wantRefusal(t, no.id+" "+no.request, w.onPortal(no.id, no.request, no.payer), no.want)
			if no.want.Code != "reference_reused" {
				_, err := w.core.CheckOnPortal(no.request, no.payer)
				wantRefusal(t, "before "+no.request, err, no.want)
			}
		}
		if n := w.released("rq-p03-1"); n != 1 {
			t.Errorf("released %d, want 1", n)
		}
		synctest.Wait()
	})
}

// TestThePortalRefundsWhatItShowed: of a balance that changed since it was shown nothing is refunded.
func TestThePortalRefundsWhatItShowed(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		p03 := w.payerOf("rq-p03-1")
		w.fault(sandboxfault.Fault{Kind: sandboxfault.AmountChanged, Count: 1})
		wantField(t, w.submit(reference(1), "rq-p03-1").json(t, http.StatusConflict), "code", codeAmountChanged)
		wantRefusal(t, "of what was shown before", w.onPortal("PT-1", "rq-p03-1", p03), Refusal{Code: codeAmountChanged})
		if _, found, err := w.core.RefundedOnPortal("PT-1", p03); err != nil || found {
			t.Errorf("it is refunded: %t, %v", found, err)
		}
		now, err := w.core.CheckOnPortal("rq-p03-1", p03)
		if err != nil || now.Amount == 65000 {
			t.Fatalf("shown now: %d, %v", now.Amount, err)
		}
		if err := w.core.RefundOnPortal("PT-2", "rq-p03-1", now.Amount, p03); err != nil || w.released("rq-p03-1") != 1 {
			t.Errorf("of what is shown now: %v, released %d", err, w.released("rq-p03-1"))
		}
		synctest.Wait()
	})
}

func TestWhatThePortalShows(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		p09 := w.payerOf("rq-p09-1")
		if err := w.onPortal("PT-1", "rq-p09-1", p09); err != nil {
			t.Fatal(err)
		}
		paid, err := w.core.PaidBy(p09)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, r := range paid {
			if got[r.ID] = r.State + " " + r.Reason; r.Refundable != (r.Reason == "") {
				t.Errorf("%s: refundable %t, reason %q", r.ID, r.Refundable, r.Reason)
			}
		}
		if diff := cmp.Diff(map[string]string{
			"rq-p09-1": "refunded already_refunded", "rq-p09-2": "refunding already_refunded", "rq-p09-3": "available ",
		}, got); diff != "" {
			t.Errorf("p09's (-want +got):\n%s", diff)
		}
		for of, want := range map[saudi.Party]map[string]int64{
			p09:                                     {"sponsorees": 500_00},
			w.party(saudi.KindBorder, "3900000001"): {"passports": 100_00},
			w.party(saudi.KindEstablishment, "7000000005"): {"labour": 4000_00},
			w.party(saudi.KindIqama, "2900000031"):         {"passports": 2000_00}, // paid by p06
			w.party(saudi.KindNationalID, "1900000033"):    {},                     // p11, who has none
			w.party(saudi.KindBorder, "4999999999"):        {},                     // nobody's
		} {
			got, err := w.core.Balance(of)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%v (-want +got):\n%s", of, diff)
			}
		}
	})
}

// A refund that the portal said had succeeded has, whatever happens then; and the id that was told is still good.
func TestAKillLosesNoRefundOfThePortal(t *testing.T) {
	inBubble(t, inDir(t), func(w *world) {
		p01, p03 := w.payerOf("rq-p01-1"), w.payerOf("rq-p03-1")
		if err := w.onPortal("PT-1", "rq-p03-1", p03); err != nil {
			t.Fatal(err)
		}
		after := killed(w, nil)
		defer after.close()
		if diff := cmp.Diff(w.core.Truth(), after.core.Truth()); diff != "" {
			t.Errorf("truth (-before +after):\n%s", diff)
		}
		if r, found, err := after.core.RefundedOnPortal("PT-1", p03); err != nil || !found || r.ID != "rq-p03-1" {
			t.Errorf("PT-1 is %q, %t, %v", r.ID, found, err)
		}
		if _, found, err := after.core.RefundedOnPortal("PT-1", p01); err != nil || found {
			t.Errorf("PT-1 is somebody else's too: %t, %v", found, err)
		}
		if err := after.onPortal("PT-1", "rq-p03-1", p03); err != nil {
			t.Errorf("again: %v", err)
		}
		wantRefusal(t, "another", after.onPortal("PT-2", "rq-p03-1", p03),
			Refusal{Code: "already_refunded", Channel: "portal", Reference: "PT-1"})
		wantField(t, after.submit(reference(1), "rq-p03-1").json(t, http.StatusConflict), "channel", "portal")
		if n := after.released("rq-p03-1"); n != 1 {
			t.Errorf("released %d, want 1", n)
		}
	})
}

// A book that can't be written answers the portal nothing either.
func TestThePortalIsToldNothingThatIsNotOnDisk(t *testing.T) {
	inBubble(t, inDir(t), func(w *world) {
		p03 := w.payerOf("rq-p03-1")
		if err := w.core.book.journal.file.Close(); err != nil { // the disk is gone
			t.Fatal(err)
		}
		var no *Refusal
		if err := w.onPortal("PT-1", "rq-p03-1", p03); err == nil || errors.As(err, &no) {
			t.Errorf("the refund: %v", err)
		}
		if _, _, err := w.core.RefundedOnPortal("PT-1", p03); err == nil {
			t.Error("the refund is known")
		}
		if _, err := w.core.CheckOnPortal("rq-p03-1", p03); err == nil || errors.As(err, &no) {
			t.Errorf("the request: %v", err)
		}
		if _, err := w.core.PaidBy(p03); err == nil {
			t.Error("the requests are told")
		}
		if _, err := w.core.Balance(p03); err == nil {
			t.Error("the balance is told")
		}
		_ = w.core.Close()
		w.core.close = func() error { return nil }
	})
}
