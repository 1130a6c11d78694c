package bank_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
)

// TestBalance: everything under one's own number, under another only what one paid for it.
func TestBalance(t *testing.T) {
	w := newWorld(t)
	p01, p02 := w.directory.customers["p01"].Identity, w.directory.customers["p02"].Identity
	pays := func(payer, beneficiary saudi.Party) func(*bank.PaidRequest) {
		return func(r *bank.PaidRequest) { r.Payer, r.Beneficiary = payer, beneficiary }
	}
	visitor, err := saudi.ParseInquirer("3900000001")
	if err != nil {
		t.Fatal(err)
	}
	w.paid("own", 100_00)
	w.paid("by another", 20_00, pays(p02, p01))
	w.paid("for another", 3_00, pays(p01, p02))
	w.paid("another's", 4000_00, pays(p02, p02))
	w.paid("for a visitor", 5_00, pays(p01, visitor))
	for typed, row := range map[string]struct {
		kind  saudi.Kind
		payer saudi.Party
		want  money.Amount
	}{
		"1900000017":            {saudi.KindNationalID, saudi.Party{}, 120_00},
		" ۱۹۰۰۰۰۰۰۱۷\u200f":     {saudi.KindNationalID, saudi.Party{}, 120_00},
		"1900000025":            {saudi.KindNationalID, p01, 3_00},
		"٣٩٠٠٠٠٠٠٠١":            {saudi.KindBorder, p01, 5_00},
		"2900000015":            {saudi.KindIqama, p01, 0}, // somebody's, without a balance
		"2900000\u00a0" + "023": {saudi.KindIqama, p01, 0},
		"7000000005":            {saudi.KindEstablishment, p01, 0},
	} {
		w.inquiries.balances = nil
		party, balance, err := w.Balance(t.Context(), caller, typed)
		if err != nil || party.Kind() != row.kind || balance.Total != row.want || len(balance.Buckets) != len(moi.Buckets()) {
			t.Errorf("%q: %v, %+v, %v", typed, party, balance, err)
		}
		if want := [][2]saudi.Party{{party, row.payer}}; !reflect.DeepEqual(w.inquiries.balances, want) {
			t.Errorf("%q: the core was asked %v, want %v", typed, w.inquiries.balances, want)
		}
	}
}

// TestBalanceIsRationed: what is no number doesn't count, everybody has their own count, and whoever has used it up is
// told how long to wait, and the core isn't asked.
func TestBalanceIsRationed(t *testing.T) {
	w := newWorld(t)
	if _, err := w.sessions.Prove(t.Context(), other.Holder(), "proof-1"); err != nil {
		t.Fatal(err)
	}
	ask := func(c bank.Caller, number string) error {
		_, _, err := w.Balance(t.Context(), c, number)
		return err
	}
	w.meter.left["p01"] = 1
	for _, typed := range []string{"", "x", "1900000018", "8900000017", "190000001", "19000000170", "900000002", "0900000017"} {
		w.wantErr(ask(caller, typed), bank.ErrIDInvalid)
	}
	w.wantErr(ask(caller, "1900000017"), nil)
	asked := len(w.inquiries.balances)
	err := ask(caller, "1900000017")
	w.wantErr(err, bank.ErrTooOften)
	if rate, is := errors.AsType[*bank.RateError](err); !is || rate.RetryAfter != time.Minute {
		t.Errorf("said %v", err)
	}
	w.wantErr(ask(caller, "x"), bank.ErrIDInvalid)
	if len(w.inquiries.balances) != asked {
		t.Error("the core was asked")
	}
	w.wantErr(ask(other, "1900000025"), nil)
	clear(w.sessions.proofs)
	w.wantErr(ask(caller, "x"), bank.ErrNoProof)
}
