package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
)

// start is when the tests' first refunds are accepted: the morning of a working day in Riyadh.
var start = time.Date(2026, time.March, 8, 6, 10, 0, 123_456_000, time.UTC)

const (
	bankCode = "80"
	customer = "cust-1001"
	stranger = "cust-2002"
)

// acceptance is the n-th confirm of the customer, of a request of its own. Every field is filled.
func acceptance(n int) gateway.Acceptance {
	return gateway.Acceptance{
		ID:   fmt.Sprintf("0198f0c0-0000-7000-8000-%012d", n),
		Bank: bankCode,
		Origin: gateway.Origin{
			Customer: customer, Session: "sid-1", Client: "teller-desk", Channel: gateway.Counter,
			Teller: "t.harbi", Employee: "e-77", Branch: "riyadh-03",
		},
		Payment: gateway.Payment{
			RequestID: fmt.Sprintf("REQ-%06d", n), Service: "090-003",
			Name: moi.Name{AR: "رسوم جواز السفر", EN: "Passport fee"}, Amount: 300_00,
			Payer: party(saudi.KindNationalID, "1000000008"), Beneficiary: party(saudi.KindVehicle, "123456789"),
		},
		To:        account(1),
		Challenge: fmt.Sprintf("challenge-%d", n),
		Proof:     "challenge-of-the-profile",
		At:        start.Add(time.Duration(n) * time.Millisecond),
		Promised:  saudi.Date{Year: 2026, Month: time.March, Day: 15},
		Trace:     fmt.Sprintf("00-4bf92f3577b34da6a3ce929d0e0e4736-%016x-01", n),
		Flags:     []gateway.Mark{"seen", "twice"},
		Rules:     gateway.Rules{Limit: 1_000_000_00},
	}
}

func party(kind saudi.Kind, number string) saudi.Party {
	p, err := saudi.NewParty(kind, number)
	if err != nil {
		panic(err)
	}
	return p
}

func account(n int) saudi.IBAN {
	iban, err := saudi.NewIBAN(bankCode, fmt.Sprintf("60801016751%04d", n))
	if err != nil {
		panic(err)
	}
	return iban
}

// with changes an acceptance for one test.
func with(a gateway.Acceptance, change func(*gateway.Acceptance)) gateway.Acceptance {
	change(&a)
	return a
}

// accept records the acceptance, which must be the first of its id.
func accept(t *testing.T, s Store, a gateway.Acceptance) gateway.Refund {
	t.Helper()
	r, first, err := s.Accept(t.Context(), a)
	if err != nil || !first {
		t.Fatalf("Accept: first %t, %v", first, err)
	}
	return r
}

// acceptAll records many acceptances at once.
func acceptAll(t *testing.T, s Store, all []gateway.Acceptance) {
	t.Helper()
	together(len(all), func(i int) {
		if _, first, err := s.Accept(t.Context(), all[i]); err != nil || !first {
			t.Errorf("Accept: first %t, %v", first, err)
		}
	})
}

// apply commits a move that must be legal and current, and returns the refund as it then is.
func apply(t *testing.T, s Store, c gateway.Change, err error) gateway.Refund {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), c); err != nil {
		t.Fatalf("Apply to %s: %v", c.Refund().State, err)
	}
	return c.Refund()
}

func lookup(t *testing.T, s Store, id string) gateway.Refund {
	t.Helper()
	r, err := s.Lookup(t.Context(), id)
	if err != nil {
		t.Fatalf("Lookup: %v", err)
	}
	return r
}

func events(t *testing.T, s Store, id string) []gateway.Event {
	t.Helper()
	all, err := s.Events(t.Context(), id)
	if err != nil {
		t.Fatalf("Events: %v", err)
	}
	return all
}

func wantSpent(t *testing.T, s Store, at time.Time, want money.Amount) {
	t.Helper()
	switch got, err := s.Spent(t.Context(), customer, saudi.DateOf(at)); {
	case err != nil:
		t.Errorf("Spent: %v", err)
	case got != want:
		t.Errorf("Spent = %s, want %s", got, want)
	}
}

// by is the machine, a while after the refund's last change.
func by(r gateway.Refund) gateway.By {
	return gateway.Dispatcher(r.UpdatedAt.Add(time.Second), gateway.Evidence{"cause": "test", "core_reference": "C-1"})
}

// die brings a fresh refund to a dead state.
func die(t *testing.T, s Store, r gateway.Refund, state gateway.State) gateway.Refund {
	t.Helper()
	return drive(t, s, r, pathTo(t, state))
}

// drive applies the verbs one after the other.
func drive(t *testing.T, s Store, r gateway.Refund, path []verb) gateway.Refund {
	t.Helper()
	for _, v := range path {
		c, err := v.do(r)
		r = apply(t, s, c, err)
	}
	return r
}
