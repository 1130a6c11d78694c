package storetest

import (
	"fmt"
	"testing"

	"github.com/istirdad/istirdad/gateway"
)

var eventTests = map[string]func(*testing.T, Store){
	"one for each change of state, in order": eventsInOrder,
	"none of a change that was refused":      noEventOfStale,
	"who, where and on what evidence":        eventsWhole,
	"of a refund that isn't there":           noEvents,
	"of an id that can't be":                 noSuchID,
	"the latest of many refunds":             latestEvents,
}

func eventsInOrder(t *testing.T, s Store) {
	r := drive(t, s, accept(t, s, acceptance(1)), pathTo(t, gateway.Sending))
	r = drive(t, s, r, stays[:3])
	c, err := r.Doubt(by(r), later(r))
	r = apply(t, s, c, err)
	r = drive(t, s, r, stays)
	c, err = r.Release(by(r), "CORE-1")
	r = apply(t, s, c, err)
	var path []gateway.State
	version := int64(0)
	for i, e := range events(t, s, r.ID) {
		if e.RefundID != r.ID || e.Version <= version || i > 0 && e.From != path[i-1] {
			t.Errorf("event %d: %+v", i, e)
		}
		version = e.Version
		path = append(path, e.To)
	}
	same(t, "path", path, []gateway.State{gateway.Queued, gateway.Sending, gateway.InDoubt, gateway.Refunded})
	if version != r.Version {
		t.Errorf("last event of version %d, refund of %d", version, r.Version)
	}
}

func noEventOfStale(t *testing.T, s Store) {
	r := accept(t, s, acceptance(1))
	apply(t, s, r.Lease(later(r)), nil)
	c, err := r.Cancel(by(r), "withdrawn")
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, "Apply", s.Apply(t.Context(), c), "stale")
	if n := len(events(t, s, r.ID)); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
	wantSpent(t, s, start, r.Payment.Amount)
}

func eventsWhole(t *testing.T, s Store) {
	for n, actor := range []gateway.Actor{
		{Role: gateway.RoleCustomer, ID: customer, Session: "sid-9"},
		{Role: gateway.RoleApprover, ID: "a.qahtani", Employee: "e-12", Branch: "jeddah-01", Session: "sid-10"},
		{Role: gateway.RoleDispatcher},
	} {
		r := accept(t, s, begin(n, true))
		evidence := gateway.Evidence{gateway.Note: "نقدًا \"at\" the counter\n\x00", "code": ""}
		if n == 2 {
			evidence = nil
		}
		c, err := r.Approve(gateway.By{At: by(r).At, Actor: actor, Evidence: evidence})
		apply(t, s, c, err)
		want, _ := c.Event()
		same(t, string(actor.Role), events(t, s, r.ID)[1], want)
	}
}

// noSuchID: an id comes from outside, and some are no text that a database takes.
func noSuchID(t *testing.T, s Store) {
	accept(t, s, acceptance(1))
	for _, id := range []string{"", "x", "'", "\x00", "\xff", "a\x00b"} {
		_, err := s.Lookup(t.Context(), id)
		wantOutcome(t, fmt.Sprintf("Lookup(%q)", id), err, "not found")
		_, err = s.Refund(t.Context(), customer, id)
		wantOutcome(t, fmt.Sprintf("Refund(%q)", id), err, "not found")
	}
}

func noEvents(t *testing.T, s Store) {
	_, err := s.Events(t.Context(), acceptance(1).ID)
	wantOutcome(t, "Events", err, "not found")
}

// latestEvents: a lease or a question is no step, and nobody's refund is asked about by whoever doesn't know its id.
func latestEvents(t *testing.T, s Store) {
	want := map[string]int64{}
	ids := []string{"", "no-refund", `"'),`, acceptance(999).ID}
	for n, state := range gateway.States() {
		r := accept(t, s, begin(n, state == gateway.AwaitingApproval))
		if state != gateway.AwaitingApproval {
			r = drive(t, s, r, pathTo(t, state))
		}
		want[r.ID] = r.Version
		ids = append(ids, r.ID, r.ID) // twice, as two that watch one refund would have it
		if !r.Due.IsZero() {
			apply(t, s, r.Lease(later(r)), nil)
		}
	}
	for n := range 1000 { // more than a statement has room for as arguments of their own
		ids = append(ids, acceptance(1000+n).ID)
	}
	accept(t, s, acceptance(500)) // and isn't asked about
	got, err := s.Latest(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "latest", got, want)
	if got, err := s.Latest(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("Latest of none: %v, %v", got, err)
	}
}
