package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
)

var claimTests = map[string]func(*testing.T, Store){
	"oldest first, up to the limit":                 claimOrder,
	"oldest first over several states":              claimStates,
	"due later isn't due":                           claimLater,
	"what a claim returns is committed":             claimCommitted,
	"claimers at once take each refund once":        claimersAtOnce,
	"a claim and a withdrawal at once":              claimOrWithdraw,
	"a refund that isn't taken stops no other":      claimSkips,
	"a refund that can't be written stops no other": claimSkipsUnwritable,
	"no states, no limit":                           claimNothing,
}

func claim(t *testing.T, s Store, now time.Time, c dispatch.Claim) []gateway.Refund {
	t.Helper()
	got, err := s.Claim(t.Context(), now, c)
	if err != nil {
		t.Fatalf("Claim: %v", err)
	}
	return got
}

func send(r gateway.Refund) (gateway.Change, error) { return r.Send(by(r), lease) }

func queued(limit int) dispatch.Claim {
	return dispatch.Claim{States: []gateway.State{gateway.Queued}, Limit: limit, Take: send}
}

func wantClaimed(t *testing.T, got []gateway.Refund, want ...gateway.Refund) {
	t.Helper()
	ids := func(all []gateway.Refund) []string {
		list := make([]string, len(all))
		for i, r := range all {
			list[i] = r.ID
		}
		return list
	}
	same(t, "claimed", ids(got), ids(want))
}

func claimOrder(t *testing.T, s Store) {
	// Accepted in another order than they are due, two of them at one time.
	var all [5]gateway.Refund
	for _, n := range []int{3, 1, 4, 0, 2} {
		all[n] = accept(t, s, with(acceptance(n), func(a *gateway.Acceptance) { a.At = start.Add(time.Duration(min(n, 3)) * time.Second) }))
	}
	now := start.Add(time.Minute)
	wantClaimed(t, claim(t, s, now, queued(2)), all[0], all[1])
	wantClaimed(t, claim(t, s, now, queued(10)), all[2], all[3], all[4])
	wantClaimed(t, claim(t, s, now, queued(10)))
}

func claimStates(t *testing.T, s Store) {
	one := accept(t, s, acceptance(1))
	doubted := drive(t, s, accept(t, s, acceptance(2)), pathTo(t, gateway.InDoubt))
	c := doubted.Lease(one.Due.Add(-time.Second))
	doubted = apply(t, s, c, nil)
	three := accept(t, s, acceptance(3))
	pending := drive(t, s, accept(t, s, acceptance(4)), pathTo(t, gateway.Pending))
	got := claim(t, s, pending.Due, dispatch.Claim{
		States: []gateway.State{gateway.Queued, gateway.InDoubt, gateway.Queued}, Limit: 10,
		Take: func(r gateway.Refund) (gateway.Change, error) { return r.Lease(r.Due.Add(time.Hour)), nil },
	})
	wantClaimed(t, got, doubted, one, three)
}

func claimLater(t *testing.T, s Store) {
	r := accept(t, s, acceptance(1))
	wantClaimed(t, claim(t, s, r.Due.Add(-time.Microsecond), queued(10)))
	same(t, "the refund", lookup(t, s, r.ID), r)
	wantClaimed(t, claim(t, s, r.Due, queued(10)), r)
}

func claimCommitted(t *testing.T, s Store) {
	r := accept(t, s, acceptance(1))
	at := start.Add(time.Minute + 789*time.Nanosecond)
	got := claim(t, s, at, dispatch.Claim{States: []gateway.State{gateway.Queued}, Limit: 1,
		Take: func(r gateway.Refund) (gateway.Change, error) { return r.Send(gateway.Dispatcher(at, nil), lease) }})
	wantClaimed(t, got, r)
	same(t, "as it is read", lookup(t, s, r.ID), got[0])
	if n := len(events(t, s, r.ID)); got[0].State != gateway.Sending || n != 2 {
		t.Errorf("%s with %d events", got[0].State, n)
	}
}

func claimersAtOnce(t *testing.T, s Store) {
	const refunds = 60
	var all []gateway.Acceptance
	for n := range refunds {
		all = append(all, acceptance(n))
	}
	acceptAll(t, s, all)
	var (
		mu    sync.Mutex
		taken = make(map[string]int)
	)
	together(8, func(int) {
		for {
			got, err := s.Claim(t.Context(), start.Add(time.Minute), queued(7))
			if err != nil {
				t.Errorf("Claim: %v", err)
				return
			}
			if len(got) == 0 {
				return
			}
			mu.Lock()
			for _, r := range got {
				taken[r.ID]++
			}
			mu.Unlock()
		}
	})
	if len(taken) != refunds {
		t.Errorf("%d refunds taken, want %d", len(taken), refunds)
	}
	for id, n := range taken {
		if n != 1 {
			t.Errorf("%s taken %d times", id, n)
		}
	}
}

func claimOrWithdraw(t *testing.T, s Store) {
	var outcomes tally
	for n := range 20 {
		r := accept(t, s, acceptance(n))
		together(2, func(i int) {
			if i == 0 {
				c, err := r.Cancel(by(r), "withdrawn")
				if err == nil {
					err = s.Apply(t.Context(), c)
				}
				outcomes.add("withdrawn: " + outcome(err))
				return
			}
			switch got, err := s.Claim(t.Context(), start.Add(time.Minute), queued(1)); {
			case err != nil:
				outcomes.add(err.Error())
			case len(got) == 0:
				outcomes.add("withdrawn first")
			default:
				outcomes.add("claimed")
			}
		})
	}
	got := outcomes.counts
	if got["withdrawn: ok"]+got["claimed"] != 20 || got["withdrawn: ok"] != got["withdrawn first"] || got["withdrawn: stale"] != got["claimed"] {
		t.Errorf("outcomes: %v", got)
	}
}

func claimSkips(t *testing.T, s Store) {
	var all []gateway.Refund
	for n := range 8 {
		all = append(all, accept(t, s, acceptance(n)))
	}
	refuse := queued(2)
	refuse.Take = func(r gateway.Refund) (gateway.Change, error) {
		switch r.ID {
		case all[0].ID, all[1].ID, all[4].ID:
			return gateway.Change{}, errors.New("not this one")
		case all[3].ID:
			return all[5].Send(by(all[5]), lease) // of another refund than was handed over
		}
		return send(r)
	}
	wantClaimed(t, claim(t, s, start.Add(time.Minute), refuse), all[2], all[5])
	for _, left := range []int{0, 1, 3, 4, 6} {
		same(t, "left out", lookup(t, s, all[left].ID), all[left])
	}
}

func claimSkipsUnwritable(t *testing.T, s Store) {
	first := drive(t, s, accept(t, s, acceptance(1)), pathTo(t, gateway.Sending))
	second := drive(t, s, accept(t, s, acceptance(2)), pathTo(t, gateway.Sending))
	lapsed := dispatch.Claim{States: []gateway.State{gateway.Sending}, Limit: 1,
		Take: func(r gateway.Refund) (gateway.Change, error) {
			if r.ID == first.ID {
				return never(r)
			}
			return r.Doubt(by(r), later(r))
		}}
	wantClaimed(t, claim(t, s, second.Due, lapsed), second)
	same(t, "left out", lookup(t, s, first.ID), first)
	if n := len(events(t, s, first.ID)); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
}

func claimNothing(t *testing.T, s Store) {
	accept(t, s, acceptance(1))
	wantClaimed(t, claim(t, s, start.Add(time.Minute), queued(0)))
	wantClaimed(t, claim(t, s, start.Add(time.Minute), dispatch.Claim{Limit: 10, Take: send}))
}
