package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/internal/saudi"
)

var limitTests = map[string]func(*testing.T, Store){
	"64 confirms at once, room for ten":     limitAtOnce,
	"two at the edge, 200 times":            limitAtTheEdge,
	"a day ends at midnight in Riyadh":      riyadhDay,
	"a customer's limit is the customer's":  limitsApart,
	"a dead refund gives back":              givenBack,
	"a claim that ends a refund gives back": givenBackByClaim,
	"a credited refund gives nothing back":  notGivenBack,
	"above a line it awaits approval":       approvalLine,
}

// wantNoMisspent: the rows of the limits are the sums of what takes from them.
func wantNoMisspent(t *testing.T, s Store) {
	t.Helper()
	err := s.Misspent(t.Context(), func(m gateway.Misspent) error {
		t.Errorf("on %s %s spent %s, and live are %s", m.Day, m.Customer, m.Spent, m.Live)
		return nil
	})
	if err != nil {
		t.Errorf("Misspent: %v", err)
	}
}

func limitAtOnce(t *testing.T, s Store) {
	var outcomes tally
	together(crowd, func(i int) {
		_, _, err := s.Accept(t.Context(), with(acceptance(i), func(a *gateway.Acceptance) {
			a.Payment.Amount, a.Rules.Limit = 100_00, 1000_00
		}))
		outcomes.add(outcome(err))
	})
	outcomes.want(t, map[string]int{"ok": 10, "limit": crowd - 10})
	wantSpent(t, s, start, 1000_00)
}

func riyadhDay(t *testing.T, s Store) {
	midnight := saudi.Date{Year: 2026, Month: time.March, Day: 9}.At(0, 0)
	whole := func(n int, at time.Time) gateway.Acceptance {
		return with(acceptance(n), func(a *gateway.Acceptance) { a.At, a.Rules.Limit = at, a.Payment.Amount })
	}
	accept(t, s, whole(1, midnight.Add(-time.Microsecond)))
	_, _, err := s.Accept(t.Context(), whole(2, midnight.Add(-time.Microsecond)))
	wantOutcome(t, "a second one on the day", err, "limit")
	accept(t, s, whole(2, midnight))
	wantSpent(t, s, midnight.Add(-time.Microsecond), acceptance(1).Payment.Amount)
	wantSpent(t, s, midnight, acceptance(1).Payment.Amount)
}

func limitsApart(t *testing.T, s Store) {
	for n, who := range []string{customer, stranger} {
		accept(t, s, with(acceptance(n), func(a *gateway.Acceptance) {
			a.Origin.Customer, a.Rules.Limit = who, a.Payment.Amount
		}))
	}
}

func givenBack(t *testing.T, s Store) {
	amount := acceptance(1).Payment.Amount
	next := 0
	for _, state := range gateway.States() {
		if !state.Dead() {
			continue
		}
		yesterday := accept(t, s, with(acceptance(next), func(a *gateway.Acceptance) { a.At = a.At.AddDate(0, 0, -1) }))
		today := accept(t, s, acceptance(next+1))
		stays := accept(t, s, acceptance(next+2))
		next += 3
		wantSpent(t, s, start, 2*amount)
		die(t, s, today, state)
		wantSpent(t, s, start, amount)
		wantSpent(t, s, yesterday.CreatedAt, amount) // of another day
		// Once: the move was made from a version that is gone.
		c, err := today.Cancel(by(today), "withdrawn")
		if err != nil {
			t.Fatal(err)
		}
		wantOutcome(t, "a second end", s.Apply(t.Context(), c), "stale")
		wantSpent(t, s, start, amount)
		die(t, s, stays, state)
		die(t, s, yesterday, state)
		wantSpent(t, s, start, 0)
		wantSpent(t, s, yesterday.CreatedAt, 0)
	}
}

func givenBackByClaim(t *testing.T, s Store) {
	r := accept(t, s, begin(1, true))
	wantSpent(t, s, start, r.Payment.Amount)
	got := claim(t, s, r.Due, dispatch.Claim{
		States: []gateway.State{gateway.AwaitingApproval}, Limit: 1,
		Take: func(r gateway.Refund) (gateway.Change, error) { return r.Cancel(by(r), "approval_expired") },
	})
	if len(got) != 1 || got[0].State != gateway.Cancelled {
		t.Fatalf("claimed %+v", got)
	}
	wantSpent(t, s, start, 0)
}

func notGivenBack(t *testing.T, s Store) {
	r := drive(t, s, accept(t, s, acceptance(1)), pathTo(t, gateway.Credited))
	wantSpent(t, s, start, r.Payment.Amount)
	c, err := r.Notify(gateway.NoticeSent)
	apply(t, s, c, err)
	wantSpent(t, s, start, r.Payment.Amount)
}

func approvalLine(t *testing.T, s Store) {
	rules := gateway.Rules{Limit: 1000_00, ApproveAbove: 600_00, ApprovalExpires: start.Add(time.Hour)}
	for n, want := range []gateway.State{gateway.Queued, gateway.Queued, gateway.AwaitingApproval} {
		r := accept(t, s, with(acceptance(n), func(a *gateway.Acceptance) { a.Payment.Amount, a.Rules = 300_00, rules }))
		if r.State != want {
			t.Errorf("confirm %d of the day: %s, want %s", n+1, r.State, want)
		}
	}
	_, _, err := s.Accept(t.Context(), with(acceptance(3), func(a *gateway.Acceptance) { a.Payment.Amount, a.Rules = 300_00, rules }))
	if !errors.Is(err, gateway.ErrLimitExceeded) {
		t.Errorf("above the limit: %v", err)
	}
}
