package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

var acceptTests = map[string]func(*testing.T, Store){
	"every field comes back":              everyField,
	"times are kept to the microsecond":   microseconds,
	"again is the first one as it is now": acceptAgain,
	"64 times at once is once":            acceptAtOnce,
	"64 previews of one request at once":  previewsAtOnce,
	"one challenge leads to one refund":   challengeOnce,
	"64 refunds of one challenge at once": challengeAtOnce,
	"after a dead one the ordinal rises":  ordinalRises,
	"a credited one is the last":          creditedIsLast,
	"somebody else's id":                  somebodyElsesID,
	"a code ends the row of wrong ones":   codeClearsFailures,
	"no code, no end of wrong ones":       noCodeClearsNothing,
}

func everyField(t *testing.T, s Store) {
	online := with(acceptance(2), func(a *gateway.Acceptance) {
		a.Origin = gateway.Origin{Customer: customer, Session: "sid-2", Client: "app", Channel: gateway.Online}
		a.Payment.Beneficiary = saudi.Party{}
		a.Challenge = ""
	})
	for name, a := range map[string]gateway.Acceptance{
		"counter": acceptance(1), "online, for nobody, without a code": online, "awaiting approval": begin(3, true),
	} {
		want, event, err := a.Refund(0, 0)
		if err != nil {
			t.Fatal(err)
		}
		same(t, name+": accepted", accept(t, s, a), want)
		read, err := s.Refund(t.Context(), customer, a.ID)
		wantOutcome(t, name+": Refund", err, "ok")
		same(t, name+": Refund", read, want)
		read, err = s.Accepted(t.Context(), customer, a.ID)
		wantOutcome(t, name+": Accepted", err, "ok")
		same(t, name+": Accepted", read, want)
		_, err = s.Accepted(t.Context(), stranger, a.ID)
		wantOutcome(t, name+": Accepted, asked by a stranger", err, "not found")
		same(t, name+": Lookup", lookup(t, s, a.ID), want)
		read, err = s.Reference(t.Context(), want.Reference)
		wantOutcome(t, name+": Reference", err, "ok")
		same(t, name+": Reference", read, want)
		same(t, name+": events", events(t, s, a.ID), []gateway.Event{event})
	}
}

func microseconds(t *testing.T, s Store) {
	a := with(begin(1, true), func(a *gateway.Acceptance) {
		a.At = time.Date(2026, time.March, 8, 9, 10, 0, 123_456_789, saudi.Riyadh)
		a.Rules.ApprovalExpires = a.At.Add(time.Hour)
	})
	r := accept(t, s, a)
	cut := time.Date(2026, time.March, 8, 6, 10, 0, 123_456_000, time.UTC)
	for what, got := range map[string]time.Time{
		"CreatedAt": r.CreatedAt, "UpdatedAt": r.UpdatedAt, "Due": r.Due.Add(-time.Hour), "event": events(t, s, a.ID)[0].At,
	} {
		if got != cut {
			t.Errorf("%s = %v, want %v", what, got, cut)
		}
	}
	same(t, "what Accept returned", r, lookup(t, s, a.ID))
}

func acceptAgain(t *testing.T, s Store) {
	a := acceptance(1)
	c, err := accept(t, s, a).Send(by(gateway.Refund{UpdatedAt: a.At}), lease)
	sent := apply(t, s, c, err)
	again := with(acceptance(1), func(a *gateway.Acceptance) { a.Payment.Amount, a.At = 1_00, a.At.Add(time.Minute) })
	r, first, err := s.Accept(t.Context(), again)
	if err != nil || first {
		t.Fatalf("Accept again: first %t, %v", first, err)
	}
	same(t, "Accept again", r, sent)
	wantSpent(t, s, a.At, a.Payment.Amount)
	if n := len(events(t, s, a.ID)); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
}

func acceptAtOnce(t *testing.T, s Store) {
	var outcomes tally
	together(crowd, func(int) {
		switch r, first, err := s.Accept(t.Context(), acceptance(1)); {
		case err != nil:
			outcomes.add(err.Error())
		default:
			outcomes.add(fmt.Sprintf("%s first %t", r.State, first))
		}
	})
	outcomes.want(t, map[string]int{"queued first true": 1, "queued first false": crowd - 1})
	wantSpent(t, s, start, acceptance(1).Payment.Amount)
	if n := len(events(t, s, acceptance(1).ID)); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

func previewsAtOnce(t *testing.T, s Store) {
	var outcomes tally
	together(crowd, func(i int) {
		_, _, err := s.Accept(t.Context(), with(acceptance(i), func(a *gateway.Acceptance) { a.Payment.RequestID = "REQ-1" }))
		outcomes.add(outcome(err))
	})
	outcomes.want(t, map[string]int{"ok": 1, "exists": crowd - 1})
	wantSpent(t, s, start, acceptance(1).Payment.Amount)
	all, _, err := s.Refunds(t.Context(), customer, bank.Page{Limit: 100})
	if err != nil || len(all) != 1 {
		t.Errorf("%d refunds, %v", len(all), err)
	}
}

func challengeOnce(t *testing.T, s Store) {
	accept(t, s, acceptance(1))
	second := with(acceptance(2), func(a *gateway.Acceptance) { a.Challenge = acceptance(1).Challenge })
	_, _, err := s.Accept(t.Context(), second)
	wantOutcome(t, "Accept with a used challenge", err, "challenge")
	_, err = s.Lookup(t.Context(), second.ID)
	wantOutcome(t, "Lookup of the refused", err, "not found")
	wantSpent(t, s, start, acceptance(1).Payment.Amount)
	// Without a code there is nothing to use up.
	for n := 3; n < 6; n++ {
		accept(t, s, with(acceptance(n), func(a *gateway.Acceptance) { a.Challenge = "" }))
	}
}

func challengeAtOnce(t *testing.T, s Store) {
	var outcomes tally
	together(crowd, func(i int) {
		_, _, err := s.Accept(t.Context(), with(acceptance(i), func(a *gateway.Acceptance) { a.Challenge = "challenge" }))
		outcomes.add(outcome(err))
	})
	outcomes.want(t, map[string]int{"ok": 1, "challenge": crowd - 1})
	wantSpent(t, s, start, acceptance(1).Payment.Amount)
}

func ordinalRises(t *testing.T, s Store) {
	const request = "REQ-again"
	for ordinal, dead := range []gateway.State{gateway.Cancelled, gateway.Rejected, gateway.Returned} {
		r := accept(t, s, with(acceptance(ordinal), func(a *gateway.Acceptance) { a.Payment.RequestID = request }))
		if want := gateway.Reference(bankCode, request, ordinal); r.Ordinal != ordinal || r.Reference != want {
			t.Errorf("ordinal %d, reference %s, want %d, %s", r.Ordinal, r.Reference, ordinal, want)
		}
		die(t, s, r, dead)
	}
	for ordinal := range 3 {
		r, err := s.Reference(t.Context(), gateway.Reference(bankCode, request, ordinal))
		if err != nil || r.Ordinal != ordinal {
			t.Errorf("Reference of ordinal %d: %d, %v", ordinal, r.Ordinal, err)
		}
	}
}

func creditedIsLast(t *testing.T, s Store) {
	drive(t, s, accept(t, s, acceptance(1)), pathTo(t, gateway.Credited))
	_, _, err := s.Accept(t.Context(), with(acceptance(2), func(a *gateway.Acceptance) { a.Payment = acceptance(1).Payment }))
	wantOutcome(t, "Accept of a credited request", err, "exists")
}

func somebodyElsesID(t *testing.T, s Store) {
	accept(t, s, acceptance(1))
	_, _, err := s.Accept(t.Context(), with(acceptance(1), func(a *gateway.Acceptance) { a.Origin.Customer = stranger }))
	wantOutcome(t, "Accept of somebody else's id", err, "not found")
	got, err := s.Spent(t.Context(), stranger, saudi.DateOf(start))
	if err != nil || got != 0 {
		t.Errorf("the stranger's day: %s, %v", got, err)
	}
}

var wrongCodes = otp.Record{
	Standing: otp.Standing{Failures: 4, BlockedUntil: start.Add(time.Hour)},
	Sent:     []otp.SMS{{ID: "challenge-1:1", Purpose: otp.Refund, Ref: "r", At: start}},
}

func remember(t *testing.T, s Store, r otp.Record) {
	t.Helper()
	if _, err := s.Update(t.Context(), start, customer, func(otp.Record) (otp.Record, error) { return r, nil }); err != nil {
		t.Fatal(err)
	}
}

func wantRecord(t *testing.T, s Store, want otp.Record) {
	t.Helper()
	got, err := s.Read(t.Context(), customer)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "record", got, want)
}

func codeClearsFailures(t *testing.T, s Store) {
	remember(t, s, wrongCodes)
	// A confirm that is refused clears nothing: its transaction didn't happen.
	_, _, err := s.Accept(t.Context(), with(acceptance(1), func(a *gateway.Acceptance) { a.Rules.Limit = 1 }))
	wantOutcome(t, "Accept above the limit", err, "limit")
	wantRecord(t, s, wrongCodes)
	accept(t, s, acceptance(1))
	wantRecord(t, s, wrongCodes.Cleared())
}

func noCodeClearsNothing(t *testing.T, s Store) {
	remember(t, s, wrongCodes)
	accept(t, s, with(acceptance(1), func(a *gateway.Acceptance) { a.Challenge = "" }))
	wantRecord(t, s, wrongCodes)
}
