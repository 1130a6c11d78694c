package storetest

import (
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
)

var countTests = map[string]func(*testing.T, Store){
	"refunds in each state":             counts,
	"the oldest that isn't final":       oldest,
	"those that are late":               late,
	"64 deliveries of one callback":     callbackAtOnce,
	"a store that is well says so":      check,
	"what isn't there can't be found":   nothing,
	"callbacks are told apart by event": callbacksApart,
}

func counts(t *testing.T, s Store) {
	want := make(map[gateway.State]int)
	for n, state := range gateway.States() {
		r := accept(t, s, begin(n, state == gateway.AwaitingApproval))
		if state != gateway.AwaitingApproval {
			drive(t, s, r, pathTo(t, state))
		}
		want[state] = 1
	}
	accept(t, s, acceptance(99))
	want[gateway.Queued]++
	got, _, err := s.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "counts", got, want)
}

func oldest(t *testing.T, s Store) {
	wantOldest := func(want time.Time) {
		t.Helper()
		if _, got, err := s.Counts(t.Context()); err != nil || !got.Equal(want) {
			t.Errorf("oldest unfinished: %v, want %v (%v)", got, want, err)
		}
	}
	wantOldest(time.Time{})
	first, second := accept(t, s, acceptance(1)), accept(t, s, acceptance(2))
	drive(t, s, accept(t, s, acceptance(3)), pathTo(t, gateway.Manual))
	wantOldest(first.CreatedAt)
	drive(t, s, first, pathTo(t, gateway.Credited))
	wantOldest(second.CreatedAt)
	die(t, s, second, gateway.Cancelled)
	wantOldest(acceptance(3).At)
}

// late: what isn't final and was confirmed before the deadline, to the microsecond.
func late(t *testing.T, s Store) {
	want := func(at time.Time, overdue, red int, first *gateway.Refund) {
		t.Helper()
		var oldest *gateway.Oldest
		if first != nil {
			oldest = &gateway.Oldest{ID: first.ID, Reference: first.Reference, State: first.State, CreatedAt: first.CreatedAt}
		}
		got, err := s.Late(t.Context(), gateway.Deadlines{Overdue: at, Red: at.Add(-10 * time.Millisecond)})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "late", got, gateway.Late{Overdue: overdue, Red: red, Oldest: oldest})
	}
	want(start.AddDate(1, 0, 0), 0, 0, nil)
	var refunds []gateway.Refund // a millisecond apart
	for n := range 20 {
		refunds = append(refunds, accept(t, s, acceptance(n)))
	}
	want(refunds[0].CreatedAt, 0, 0, nil)
	want(refunds[0].CreatedAt.Add(time.Microsecond), 1, 0, &refunds[0])
	want(refunds[12].CreatedAt, 12, 2, &refunds[0])
	for n, state := range []gateway.State{gateway.Credited, gateway.Rejected, gateway.Cancelled, gateway.Returned} {
		drive(t, s, refunds[n], pathTo(t, state))
	}
	for n, state := range []gateway.State{gateway.Manual, gateway.InDoubt, gateway.Pending, gateway.Refunded, gateway.Returning} {
		refunds[n+4] = drive(t, s, refunds[n+4], pathTo(t, state))
	}
	refunds[4] = lookup(t, s, refunds[4].ID)
	want(refunds[0].CreatedAt.Add(time.Second), 16, 16, &refunds[4])
	want(refunds[5].CreatedAt, 1, 0, &refunds[4])
}

func callbackAtOnce(t *testing.T, s Store) {
	var outcomes tally
	together(crowd, func(int) {
		switch first, err := s.Seen(t.Context(), "evt-1", start); {
		case err != nil:
			outcomes.add(err.Error())
		case first:
			outcomes.add("first")
		default:
			outcomes.add("again")
		}
	})
	outcomes.want(t, map[string]int{"first": 1, "again": crowd - 1})
}

func callbacksApart(t *testing.T, s Store) {
	for _, event := range []string{"evt-1", "evt-2", "EVT-1"} {
		if first, err := s.Seen(t.Context(), event, start); err != nil || !first {
			t.Errorf("%s: first %t, %v", event, first, err)
		}
	}
}

func check(t *testing.T, s Store) {
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func nothing(t *testing.T, s Store) {
	_, err := s.Refund(t.Context(), customer, "0198")
	wantOutcome(t, "Refund", err, "not found")
	_, err = s.Lookup(t.Context(), "")
	wantOutcome(t, "Lookup", err, "not found")
	_, err = s.Reference(t.Context(), "RF")
	wantOutcome(t, "Reference", err, "not found")
}
