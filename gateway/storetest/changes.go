package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
)

var changeTests = map[string]func(*testing.T, Store){
	"every move from every state":            everyMove,
	"what leaves the state as it is":         everyStay,
	"what becomes of the notice":             everyNotice,
	"64 changes of one version at once":      changesAtOnce,
	"a refund that isn't there":              changeNothing,
	"what is finer than a microsecond":       changeMicroseconds,
	"a change of what was changed before":    changeTwice,
	"what a store can't keep leaves nothing": refusedWhole,
}

func everyMove(t *testing.T, s Store) {
	for n, e := range edges() {
		r := drive(t, s, accept(t, s, begin(n, e.approval)), e.path)
		c, err := e.move.do(r)
		if err != nil {
			t.Fatalf("%s from %s: %v", e.move.name, r.State, err)
		}
		before := len(events(t, s, r.ID))
		if err := s.Apply(t.Context(), c); err != nil {
			t.Errorf("%s from %s: %v", e.move.name, r.State, err)
			continue
		}
		what := string(r.State) + ", " + e.move.name
		same(t, what, lookup(t, s, r.ID), c.Refund())
		all := events(t, s, r.ID)
		want, _ := c.Event()
		if len(all) != before+1 {
			t.Fatalf("%s: %d new events", what, len(all)-before)
		}
		same(t, what+": event", all[before], want)
	}
}

func everyStay(t *testing.T, s Store) {
	n := 0
	for _, state := range gateway.States() {
		if state.Final() || state == gateway.Manual {
			continue
		}
		n++
		r := accept(t, s, begin(n, state == gateway.AwaitingApproval))
		if state != gateway.AwaitingApproval {
			r = drive(t, s, r, pathTo(t, state))
		}
		before := len(events(t, s, r.ID))
		for _, v := range stays {
			r = drive(t, s, r, []verb{v})
			same(t, string(state)+", "+v.name, lookup(t, s, r.ID), r)
		}
		if after := len(events(t, s, r.ID)); after != before {
			t.Errorf("%s: %d events of what changed no state", state, after-before)
		}
	}
}

func everyNotice(t *testing.T, s Store) {
	for n, notice := range []gateway.Notice{gateway.NoticeSent, gateway.NoticeGiven} {
		r := drive(t, s, accept(t, s, acceptance(n)), pathTo(t, gateway.Credited))
		r = drive(t, s, r, stays[:1]) // it is still claimed, for its SMS
		c, err := r.Notify(notice)
		apply(t, s, c, err)
		same(t, string(notice), lookup(t, s, r.ID), c.Refund())
	}
}

func changesAtOnce(t *testing.T, s Store) {
	r := accept(t, s, acceptance(1))
	var outcomes tally
	together(crowd, func(i int) {
		c, err := r.Send(by(r), lease)
		if i%2 == 0 {
			c, err = r.Cancel(by(r), "withdrawn")
		}
		if err != nil {
			t.Error(err)
			return
		}
		outcomes.add(outcome(s.Apply(t.Context(), c)))
	})
	outcomes.want(t, map[string]int{"ok": 1, "stale": crowd - 1})
	if got := lookup(t, s, r.ID); got.Version != 2 {
		t.Errorf("version %d, want 2", got.Version)
	}
	if n := len(events(t, s, r.ID)); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
}

func changeNothing(t *testing.T, s Store) {
	r, _, err := acceptance(1).Refund(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.Send(by(r), lease)
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, "a move", s.Apply(t.Context(), c), "stale")
	wantOutcome(t, "a lease", s.Apply(t.Context(), r.Lease(later(r))), "stale")
	wantOutcome(t, "no change at all", s.Apply(t.Context(), gateway.Change{}), "stale")
	_, err = s.Lookup(t.Context(), r.ID)
	wantOutcome(t, "Lookup", err, "not found")
}

func changeMicroseconds(t *testing.T, s Store) {
	r := accept(t, s, acceptance(1))
	at := start.Add(time.Second + 999*time.Nanosecond)
	c, err := r.Send(gateway.Dispatcher(at, nil), lease)
	apply(t, s, c, err)
	got := lookup(t, s, r.ID)
	if want := start.Add(time.Second); got.SentAt != want || got.Due != want.Add(lease) {
		t.Errorf("SentAt %v, Due %v", got.SentAt, got.Due)
	}
}

func changeTwice(t *testing.T, s Store) {
	r := accept(t, s, acceptance(1))
	for _, c := range []gateway.Change{r.Lease(later(r)), r.Lease(later(r))} {
		if err := s.Apply(t.Context(), c); err != nil {
			wantOutcome(t, "the second", err, "stale")
			return
		}
	}
	t.Error("two changes of one version")
}

// never is a move that no store may keep: a refund in doubt at which no machine would ever look again.
func never(r gateway.Refund) (gateway.Change, error) { return r.Doubt(by(r), time.Time{}) }

func refusedWhole(t *testing.T, s Store) {
	r := drive(t, s, accept(t, s, acceptance(1)), pathTo(t, gateway.Sending))
	c, err := never(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), c); err == nil || errors.Is(err, gateway.ErrStale) {
		t.Errorf("Apply: %v", err)
	}
	same(t, "the refund", lookup(t, s, r.ID), r)
	if n := len(events(t, s, r.ID)); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
	c, err = r.Doubt(by(r), later(r)) // as it should have been; no trace of the other stands in its way
	apply(t, s, c, err)
}
