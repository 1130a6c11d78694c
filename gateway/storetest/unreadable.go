package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
)

var unreadableTests = map[string]func(*testing.T, Opened){
	"what awaits approval with it":        unreadableAwaiting,
	"operators see where it stands":       unreadableListed,
	"how a customer was identified":       unreadableCheck,
	"the oldest that is late":             unreadableLate,
	"it is counted once, with all others": unreadableCounted,
}

// sealed are the columns of a refund of which any one, damaged, makes it unreadable.
var sealed = []string{"payer_number", "beneficiary_number", "to_iban"}

func wantUnreadable(t *testing.T, s Store, want int) {
	t.Helper()
	if n := s.Unreadable(); n != want {
		t.Errorf("%d can't be read, want %d", n, want)
	}
}

// unreadableAwaiting: whichever of them it is, the others are served in their order, and by pages of whatever size.
func unreadableAwaiting(t *testing.T, s Opened) {
	var all, readable []string
	for n := range 9 {
		all = append(all, accept(t, s, waiting(n, "101")).ID)
	}
	damaged := map[int]string{0: sealed[0], 4: sealed[1], 5: sealed[2], 8: sealed[0]} // the first, two together, the last
	for n, id := range all {
		if column, is := damaged[n]; is {
			s.Damage(t, "refunds", column, id)
		} else {
			readable = append(readable, id)
		}
	}
	for _, branch := range []string{"101", ""} {
		for _, limit := range []int{1, 2, 3, 4, 5, 8, 9, 10} {
			var (
				got   []string
				pages int
			)
			for cursor := ""; ; pages++ {
				page, next := awaiting(t, s, start, branch, bank.Page{Limit: limit, Cursor: cursor})
				if got = append(got, page...); next == "" || pages > len(all) {
					break
				}
				cursor = next
			}
			same(t, fmt.Sprintf("branch %q by %d", branch, limit), got, readable)
		}
	}
	wantUnreadable(t, s, len(damaged))
	for n := range damaged {
		r, err := s.Lookup(t.Context(), all[n])
		if !errors.Is(err, gateway.ErrUnreadable) || r.ID != all[n] || !r.To.IsZero() {
			t.Errorf("by itself: %s, %v", r.ID, err)
		}
	}
}

// unreadableListed: all is there of it that isn't sealed, and nobody.
func unreadableListed(t *testing.T, s Opened) {
	var want []gateway.Listed
	for n := range 2 * len(sealed) {
		r := gateway.Listed{Refund: accept(t, s, acceptance(n))}
		if n%2 == 0 {
			s.Damage(t, "refunds", sealed[n/2], r.ID)
			r.Unreadable = true
			r.Payment.Payer, r.Payment.Beneficiary, r.To = saudi.Party{}, saudi.Party{}, saudi.IBAN{}
		}
		want = append(want, r)
	}
	slices.Reverse(want)
	for _, state := range []gateway.State{gateway.Queued, ""} {
		var got []gateway.Listed
		for cursor := ""; ; {
			page, next, err := s.List(t.Context(), state, bank.Page{Limit: 1, Cursor: cursor})
			if err != nil || len(page) != 1 {
				t.Fatalf("%d on a page: %v", len(page), err)
			}
			got = append(got, page...)
			if cursor = next; cursor == "" {
				break
			}
		}
		same(t, fmt.Sprintf("those of state %q", state), got, want)
	}
}

func unreadableCheck(t *testing.T, s Opened) {
	lost, stays := look(1), look(2)
	for _, l := range []bank.Lookup{lost, stays} {
		if err := record(t, s, l, 10); err != nil {
			t.Fatal(err)
		}
	}
	s.Damage(t, "lookups", "identity_check", lost.ID)
	got, err := s.IdentityChecks(t.Context(), []string{lost.ID, stays.ID})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "checks", got, map[string]bank.IdentityCheck{stays.ID: *stays.Check})
	wantUnreadable(t, s, 1)
}

// unreadableLate: a refund that can't be read is late like any other, and may be the oldest of them.
func unreadableLate(t *testing.T, s Opened) {
	first := accept(t, s, acceptance(1))
	accept(t, s, acceptance(2))
	s.Damage(t, "refunds", sealed[0], first.ID)
	at := start.Add(time.Hour)
	got, err := s.Late(t.Context(), gateway.Deadlines{Overdue: at, Red: at})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "late", got, gateway.Late{Overdue: 2, Red: 2, Oldest: &gateway.Oldest{
		ID: first.ID, Reference: first.Reference, State: first.State, CreatedAt: first.CreatedAt,
	}})
}

// unreadableCounted: however often and from wherever somebody comes upon it.
func unreadableCounted(t *testing.T, s Opened) {
	one, two := accept(t, s, acceptance(1)), accept(t, s, acceptance(2))
	for _, column := range sealed {
		s.Damage(t, "refunds", column, one.ID)
	}
	wantUnreadable(t, s, 0)
	for range 3 {
		if _, err := s.Refund(t.Context(), customer, one.ID); !errors.Is(err, gateway.ErrUnreadable) {
			t.Errorf("its customer: %v", err)
		}
		wantUnreadable(t, s, 1)
	}
	s.Damage(t, "refunds", sealed[0], two.ID)
	wantClaimed(t, claim(t, s, start.Add(time.Minute), queued(10)))
	wantUnreadable(t, s, 2)
}
