package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/money"
)

var approvalTests = map[string]func(*testing.T, Store){
	"a branch's, page by page":               awaitingPages,
	"nothing but what awaits approval now":   awaitingNow,
	"of two decisions at once one is made":   decidedOnce,
	"an approval against a withdrawal":       decidedOrWithdrawn,
	"an approval against the end of its day": decidedOrLapsed,
	"an identity check is found by session":  identityChecks,
}

// waiting is the n-th confirm, of a branch, of which the approval lapses an hour after.
func waiting(n int, branch string) gateway.Acceptance {
	return with(begin(n, true), func(a *gateway.Acceptance) {
		if a.Origin.Branch = branch; branch == "" {
			a.Origin = gateway.Origin{Customer: customer, Session: "sid-2", Client: "app", Channel: gateway.Online}
		}
	})
}

func awaiting(t *testing.T, s Store, now time.Time, branch string, p bank.Page) (ids []string, next string) {
	t.Helper()
	refunds, next, err := s.Awaiting(t.Context(), now, branch, p)
	if err != nil {
		t.Fatalf("Awaiting: %v", err)
	}
	for _, r := range refunds {
		if same(t, "a refund that awaits", r, lookup(t, s, r.ID)); r.State != gateway.AwaitingApproval || r.Held == "" {
			t.Errorf("%s awaits nothing: %s, %q", r.ID, r.State, r.Held)
		}
		ids = append(ids, r.ID)
	}
	return ids, next
}

// awaitingPages: what lapses first comes first; and a cursor is of its own list.
func awaitingPages(t *testing.T, s Store) {
	want := map[string][]string{}
	for n := range 30 {
		a := waiting(n, []string{"101", "202", ""}[n%3])
		a.At = start.Add(time.Duration(n/4) * time.Microsecond) // some at one time
		a.Rules.ApprovalExpires = a.At.Add(time.Hour)
		r := accept(t, s, a)
		want[a.Origin.Branch] = append(want[a.Origin.Branch], r.ID)
		want["all"] = append(want["all"], r.ID)
	}
	want[""] = want["all"]
	var cursors []string
	for branch, ids := range want {
		if branch == "all" {
			continue
		}
		for _, limit := range []int{0, 1, 3, 9, 10, 11, 30, 1000} {
			var got []string
			for cursor := ""; ; {
				page, next := awaiting(t, s, start, branch, bank.Page{Limit: limit, Cursor: cursor})
				if got = append(got, page...); next == "" || len(got) > len(ids) {
					break
				}
				cursor = next
			}
			same(t, fmt.Sprintf("branch %q by %d", branch, limit), got, ids)
		}
		if _, next := awaiting(t, s, start, branch, bank.Page{Limit: 1}); next != "" && branch != "303" {
			cursors = append(cursors, next)
		}
	}
	_, next, err := s.Refunds(t.Context(), customer, bank.Page{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, cursor := range append(cursors, next, "x", "AAAAAAAAAAAAAAAA") {
		_, _, err := s.Awaiting(t.Context(), start, "303", bank.Page{Limit: 1, Cursor: cursor})
		wantOutcome(t, "another list's cursor", err, "cursor")
	}
	_, _, err = s.Refunds(t.Context(), customer, bank.Page{Limit: 1, Cursor: cursors[0]})
	wantOutcome(t, "an approver's cursor for a customer", err, "cursor")
}

func awaitingNow(t *testing.T, s Store) {
	accept(t, s, acceptance(1))
	stays := accept(t, s, waiting(2, "101"))
	lapses := accept(t, s, with(waiting(3, "101"), func(a *gateway.Acceptance) { a.Rules.ApprovalExpires = a.At.Add(time.Minute) }))
	c, err := accept(t, s, waiting(4, "101")).Approve(by(stays))
	apply(t, s, c, err)
	c, err = accept(t, s, waiting(5, "101")).Cancel(by(stays), "approval_refused")
	apply(t, s, c, err)
	ids, _ := awaiting(t, s, lapses.Due.Add(-time.Microsecond), "101", bank.Page{Limit: 9})
	same(t, "before the one lapses", ids, []string{lapses.ID, stays.ID})
	ids, _ = awaiting(t, s, lapses.Due, "101", bank.Page{Limit: 9})
	same(t, "when it has", ids, []string{stays.ID})
	ids, _ = awaiting(t, s, stays.Due, "", bank.Page{Limit: 9})
	same(t, "when both have", ids, nil)
	ids, _ = awaiting(t, s, start, "202", bank.Page{Limit: 9})
	same(t, "another branch's", ids, nil)
}

// approver decides on it a while after.
func approver(r gateway.Refund, who string) gateway.By {
	return gateway.By{
		At:       r.UpdatedAt.Add(time.Second),
		Actor:    gateway.Actor{Role: gateway.RoleApprover, ID: who, Employee: "e-" + who, Branch: "101", Session: "sid-" + who},
		Evidence: gateway.Evidence{"note": "looked at it", "digest": "d"},
	}
}

// race has two moves of one version meet, many times over. One of them is made, with its event and no other, and what the
// refund took of the day's limit is there or given back by it.
func race(t *testing.T, s Store, rounds int, moves ...func(gateway.Refund, int) (gateway.Change, error)) {
	var (
		outcomes tally
		spent    money.Amount
	)
	for n := range rounds {
		a := waiting(n, "101")
		a.Payment.Amount = 1_00
		r := accept(t, s, a)
		var made [2]error
		var changes [2]gateway.Change
		together(2, func(i int) {
			var err error
			if changes[i], err = moves[i](r, (n+i)%2); err == nil {
				err = s.Apply(t.Context(), changes[i])
			}
			made[i] = err
		})
		for i, err := range made {
			outcomes.add(outcome(err))
			if err != nil {
				continue
			}
			want := changes[i].Refund()
			same(t, "the refund", lookup(t, s, r.ID), want)
			event, _ := changes[i].Event()
			same(t, "its events", events(t, s, r.ID)[1:], []gateway.Event{event})
			if !want.State.Dead() {
				spent += a.Payment.Amount
			}
		}
	}
	outcomes.want(t, map[string]int{"ok": rounds, "stale": rounds})
	wantSpent(t, s, start, spent)
}

func decidedOnce(t *testing.T, s Store) {
	decide := func(r gateway.Refund, which int) (gateway.Change, error) {
		if which == 0 {
			return r.Approve(approver(r, "a01"))
		}
		return r.Cancel(approver(r, "a03"), "approval_refused")
	}
	race(t, s, 200, decide, decide)
}

func decidedOrWithdrawn(t *testing.T, s Store) {
	race(t, s, 40,
		func(r gateway.Refund, _ int) (gateway.Change, error) { return r.Approve(approver(r, "a01")) },
		func(r gateway.Refund, _ int) (gateway.Change, error) {
			return r.Cancel(gateway.By{At: r.UpdatedAt.Add(time.Second), Actor: r.Origin.Actor()}, "withdrawn")
		})
}

func decidedOrLapsed(t *testing.T, s Store) {
	race(t, s, 40,
		func(r gateway.Refund, _ int) (gateway.Change, error) { return r.Approve(approver(r, "a01")) },
		func(r gateway.Refund, _ int) (gateway.Change, error) {
			return r.Cancel(gateway.Dispatcher(r.Due, nil), "approval_expired")
		})
}

func identityChecks(t *testing.T, s Store) {
	checked, unneeded := look(1), look(2)
	unneeded.Check = nil
	other := look(3)
	other.Check = &bank.IdentityCheck{Method: "signature", Note: "compared"}
	for _, l := range []bank.Lookup{checked, unneeded, other} {
		if err := record(t, s, l, 10); err != nil {
			t.Fatal(err)
		}
	}
	for n, asked := range [][]string{nil, {}, {checked.ID, unneeded.ID, "none"}, {other.ID, checked.ID, other.ID}} {
		want := map[string]bank.IdentityCheck{}
		for _, l := range []bank.Lookup{checked, other} {
			if slices.Contains(asked, l.ID) {
				want[l.ID] = *l.Check
			}
		}
		got, err := s.IdentityChecks(t.Context(), asked)
		if err != nil {
			t.Fatal(err)
		}
		same(t, fmt.Sprint("checks ", n), got, want)
	}
}
