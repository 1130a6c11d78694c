package storetest

import (
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
)

var withdrawTests = map[string]func(*testing.T, Store){
	"a withdrawn preview is never accepted":   withdrawnIsRefused,
	"a refund is returned, and nothing noted": withdrawFindsTheRefund,
	"of a confirm and a withdraw one wins":    withdrawAgainstAccept,
	"it is remembered while it can matter":    withdrawnIsRemembered,
}

func withdrawnIsRefused(t *testing.T, s Store) {
	a := acceptance(1)
	for range 2 { // again is the same
		_, found, err := s.Withdraw(t.Context(), a.At, customer, a.ID)
		wantOutcome(t, "Withdraw", err, "ok")
		same(t, "found", found, false)
	}
	_, _, err := s.Accept(t.Context(), a)
	wantOutcome(t, "Accept of a withdrawn preview", err, outcome(gateway.ErrNotFound))
	wantSpent(t, s, a.At, 0)
	// The request itself is free for another preview.
	accept(t, s, with(acceptance(2), func(b *gateway.Acceptance) { b.Payment.RequestID = a.Payment.RequestID }))
}

func withdrawFindsTheRefund(t *testing.T, s Store) {
	a := acceptance(1)
	want := accept(t, s, a)
	r, found, err := s.Withdraw(t.Context(), a.At, customer, a.ID)
	wantOutcome(t, "Withdraw", err, "ok")
	same(t, "found", found, true)
	same(t, "refund", r, want)
	again, first, err := s.Accept(t.Context(), a)
	wantOutcome(t, "Accept again", err, "ok")
	same(t, "first", first, false)
	same(t, "the refund", again, want)
}

func withdrawAgainstAccept(t *testing.T, s Store) {
	for n := range crowd {
		a := acceptance(n)
		a.Payment.Amount = 1_00
		var accepted, found bool
		together(2, func(i int) {
			var err error
			if i == 0 {
				if _, _, err = s.Accept(t.Context(), a); err == nil {
					accepted = true
				}
				return
			}
			if _, found, err = s.Withdraw(t.Context(), a.At, customer, a.ID); err != nil {
				t.Errorf("Withdraw: %v", err)
			}
		})
		if accepted != found {
			t.Fatalf("accepted %t, and the withdraw found it %t", accepted, found)
		}
	}
}

func withdrawnIsRemembered(t *testing.T, s Store) {
	a := acceptance(1)
	_, _, err := s.Withdraw(t.Context(), a.At, customer, a.ID)
	wantOutcome(t, "Withdraw", err, "ok")
	// Others' withdrawals tidy up what is too old to matter, and nothing else.
	_, _, err = s.Withdraw(t.Context(), a.At.Add(bank.PreviewMemory-time.Second), customer, acceptance(2).ID)
	wantOutcome(t, "Withdraw", err, "ok")
	_, _, err = s.Accept(t.Context(), a)
	wantOutcome(t, "Accept", err, outcome(gateway.ErrNotFound))
}
