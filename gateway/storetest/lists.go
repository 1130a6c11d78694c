package storetest

import (
	"encoding/base64"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
)

var listTests = map[string]func(*testing.T, Store){
	"newest first, page by page":         pages,
	"an employer's, page by page":        pagesOfMany,
	"what is added meanwhile":            pagesWhileAdding,
	"a cursor that wasn't given out":     badCursors,
	"by reference":                       listByReference,
	"by request":                         listByRequest,
	"another customer sees nothing":      isolation,
	"which requests have a live refund":  live,
	"live of many, and of none":          liveOfMany,
	"a limit outside of what is allowed": pageLimits,
}

func list(t *testing.T, s Store, p bank.Page) (ids []string, next string) {
	t.Helper()
	all, next, err := s.Refunds(t.Context(), customer, p)
	if err != nil {
		t.Fatalf("Refunds: %v", err)
	}
	for _, r := range all {
		ids = append(ids, r.ID)
	}
	return ids, next
}

// fill accepts refunds of the customer, three at a time in one microsecond, with a stranger's between them, and
// returns the customer's, newest first.
func fill(t *testing.T, s Store, n int) (ids []string) {
	t.Helper()
	var all []gateway.Acceptance
	for i := range n {
		at := start.Add(time.Duration(i/3) * time.Microsecond)
		mine := with(acceptance(i), func(a *gateway.Acceptance) { a.At = at })
		theirs := with(acceptance(10_000+i), func(a *gateway.Acceptance) { a.At, a.Origin.Customer = at, stranger })
		all = append(all, mine, theirs)
		ids = append(ids, mine.ID)
	}
	acceptAll(t, s, all)
	slices.Reverse(ids)
	return ids
}

func pages(t *testing.T, s Store) {
	want := fill(t, s, 23)
	for _, limit := range []int{1, 5, 22, 23, 24, 100} {
		var got []string
		cursor := ""
		for page := 0; ; page++ {
			ids, next := list(t, s, bank.Page{Limit: limit, Cursor: cursor})
			got = append(got, ids...)
			if len(ids) != limit && next != "" || page > len(want) {
				t.Fatalf("limit %d, page %d: %d refunds and more to come", limit, page, len(ids))
			}
			if cursor = next; next == "" {
				break
			}
		}
		same(t, fmt.Sprintf("pages of %d", limit), got, want)
	}
}

// pagesOfMany: each refund once, although others are added on the way.
func pagesOfMany(t *testing.T, s Store) {
	want := fill(t, s, 450)
	var got []string
	cursor, n := "", 0
	for page := 0; page == 0 || cursor != ""; page++ {
		var ids []string
		ids, cursor = list(t, s, bank.Page{Limit: 100, Cursor: cursor})
		if got = append(got, ids...); len(ids) != 100 && cursor != "" {
			t.Fatalf("page %d has %d refunds and isn't the last", page, len(ids))
		}
		n++
		accept(t, s, with(acceptance(5000+page), func(a *gateway.Acceptance) { a.At = start.Add(time.Hour) }))
	}
	same(t, fmt.Sprintf("%d pages", n), got, want)
}

func pagesWhileAdding(t *testing.T, s Store) {
	want := fill(t, s, 6)
	first, next := list(t, s, bank.Page{Limit: 3})
	accept(t, s, with(acceptance(50), func(a *gateway.Acceptance) { a.At = start.Add(time.Hour) }))
	second, _ := list(t, s, bank.Page{Limit: 3, Cursor: next})
	same(t, "both pages", append(first, second...), want)
}

func badCursors(t *testing.T, s Store) {
	fill(t, s, 3)
	_, next := list(t, s, bank.Page{Limit: 1})
	raw, err := base64.RawURLEncoding.DecodeString(next)
	if err != nil || next == "" {
		t.Fatalf("cursor %q: %v", next, err)
	}
	raw[len(raw)-1] ^= 1
	for _, cursor := range []string{"x", "%%%", next + "A", next[:len(next)-4], base64.RawURLEncoding.EncodeToString(raw), "AAAAAAAAAAAAAAAA"} {
		_, _, err := s.Refunds(t.Context(), customer, bank.Page{Limit: 1, Cursor: cursor})
		wantOutcome(t, "cursor "+cursor, err, "cursor")
	}
	_, _, err = s.Refunds(t.Context(), stranger, bank.Page{Limit: 1, Cursor: next})
	wantOutcome(t, "somebody else's cursor", err, "cursor")
}

func listByReference(t *testing.T, s Store) {
	mine := accept(t, s, acceptance(1))
	theirs := accept(t, s, with(acceptance(2), func(a *gateway.Acceptance) { a.Origin.Customer = stranger }))
	accept(t, s, acceptance(3))
	for reference, want := range map[string][]string{
		mine.Reference: {mine.ID}, theirs.Reference: nil, "RF0000000000000000": nil,
	} {
		ids, next := list(t, s, bank.Page{Limit: 10, Reference: reference})
		same(t, reference, ids, want)
		same(t, "cursor", next, "")
	}
}

// listByRequest: at most the one that is in the way of asking again.
func listByRequest(t *testing.T, s Store) {
	r := accept(t, s, acceptance(1))
	accept(t, s, acceptance(2))
	request := bank.Page{Limit: 10, Request: r.Payment.RequestID}
	ids, next := list(t, s, request)
	same(t, "live", ids, []string{r.ID})
	same(t, "cursor", next, "")
	if theirs, _, err := s.Refunds(t.Context(), stranger, request); err != nil || len(theirs) != 0 {
		t.Errorf("the stranger is shown %d, %v", len(theirs), err)
	}
	drive(t, s, r, pathTo(t, gateway.Cancelled))
	ids, _ = list(t, s, request)
	same(t, "dead", ids, nil)
	again := accept(t, s, with(acceptance(3), func(a *gateway.Acceptance) { a.Payment.RequestID = r.Payment.RequestID }))
	ids, _ = list(t, s, request)
	same(t, "asked for again", ids, []string{again.ID})
}

func isolation(t *testing.T, s Store) {
	r := accept(t, s, acceptance(1))
	for _, other := range []string{stranger, "cust-0000", ""} {
		_, err := s.Refund(t.Context(), other, r.ID)
		wantOutcome(t, "somebody else's refund", err, "not found")
	}
	_, err := s.Refund(t.Context(), stranger, r.ID)
	_, missing := s.Refund(t.Context(), stranger, acceptance(2).ID)
	wantOutcome(t, "a refund that isn't there", missing, "not found")
	if err != nil && missing != nil && err.Error() != missing.Error() {
		t.Errorf("told apart: %q, %q", err, missing)
	}
	all, next, err := s.Refunds(t.Context(), stranger, bank.Page{Limit: 10})
	if len(all) != 0 || next != "" || err != nil {
		t.Errorf("the stranger's list: %d, %q, %v", len(all), next, err)
	}
}

func live(t *testing.T, s Store) {
	var requests []string
	want := make(map[string]bool)
	for n, state := range gateway.States() {
		r := accept(t, s, begin(n, state == gateway.AwaitingApproval))
		if state != gateway.AwaitingApproval {
			drive(t, s, r, pathTo(t, state))
		}
		requests = append(requests, r.Payment.RequestID)
		want[r.Payment.RequestID] = !state.Dead()
	}
	requests = append(requests, "REQ-never-seen", `'"),`)
	got, err := s.Live(t.Context(), requests)
	if err != nil {
		t.Fatal(err)
	}
	for i, request := range requests {
		if got[request] != want[request] {
			t.Errorf("request %d: live %t, want %t", i, got[request], want[request])
		}
	}
}

func liveOfMany(t *testing.T, s Store) {
	r := accept(t, s, acceptance(1))
	requests := []string{r.Payment.RequestID, r.Payment.RequestID}
	for n := range 1000 {
		requests = append(requests, fmt.Sprintf("REQ-other-%d", n))
	}
	got, err := s.Live(t.Context(), requests)
	if err != nil || !got[r.Payment.RequestID] || got[requests[2]] {
		t.Errorf("Live of many: %d, %v", len(got), err)
	}
	if got, err := s.Live(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("Live of none: %v, %v", got, err)
	}
}

func pageLimits(t *testing.T, s Store) {
	want := fill(t, s, 3)
	for limit, n := range map[int]int{-1: 1, 0: 1, 101: 3, 1 << 40: 3} {
		ids, _ := list(t, s, bank.Page{Limit: limit})
		same(t, fmt.Sprintf("limit %d", limit), ids, want[:n])
	}
}
