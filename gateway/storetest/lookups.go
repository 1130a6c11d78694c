package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/internal/saudi"
)

var lookupTests = map[string]func(*testing.T, Store){
	"a look-up comes back whole":       lookupsComeBack,
	"an employee has so many in a day": lookupsHaveALimit,
	"64 at once keep the limit":        lookupsAtOnce,
	"a look-up is on record once":      lookupOnce,
	"who isn't found isn't let in":     unblockNobody,
}

// look is the n-th of an employee. Every field is filled.
func look(n int) bank.Lookup {
	return bank.Lookup{
		ID: fmt.Sprintf("0198f0c0-0000-7000-8000-%012d", n), At: start.Add(time.Duration(n) * time.Microsecond),
		Login: "t.harbi", Employee: "e-77", Branch: "riyadh-03", Session: "sid-1", Client: "teller-desk",
		Number: party(saudi.KindNationalID, "1000000008"), Outcome: bank.LookupFound, Customer: customer,
		Check: &bank.IdentityCheck{Method: "جواز سفر", Note: "رآه المدير"},
	}
}

// record puts a look-up on record, of which an employee may have so many in a day.
func record(t *testing.T, s Store, l bank.Lookup, most int) error {
	t.Helper()
	err := s.RecordLookup(t.Context(), l, most)
	if err != nil && !errors.Is(err, bank.ErrTooOften) {
		t.Errorf("RecordLookup: %v", err)
	}
	return err
}

func wantLookups(t *testing.T, s Store, number saudi.Party, most int, want ...bank.Lookup) {
	t.Helper()
	got, err := s.Lookups(t.Context(), number, most)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "look-ups", got, want)
}

func lookupsComeBack(t *testing.T, s Store) {
	first, second, third, elsewhere := look(1), look(2), look(3), look(4)
	second.Outcome, second.Customer, second.Check = bank.LookupUnknown, "", nil
	third.Outcome, third.Customer, third.Check = bank.LookupForbidden, "", nil
	first.Unblock = "جاء بهويته"
	elsewhere.Number = party(saudi.KindIqama, "2900000015")
	for _, l := range []bank.Lookup{first, second, third, elsewhere} {
		if err := record(t, s, l, 10); err != nil {
			t.Fatal(err)
		}
	}
	wantLookups(t, s, first.Number, 10, third, second, first)
	wantLookups(t, s, first.Number, 2, third, second)
	wantLookups(t, s, elsewhere.Number, 10, elsewhere)
	wantLookups(t, s, party(saudi.KindNationalID, "1900000017"), 10)
}

func lookupsHaveALimit(t *testing.T, s Store) {
	const most = 3
	last := look(0)
	last.At = saudi.DateOf(start).At(23, 59).Add(time.Minute - time.Microsecond)
	want := []bank.Lookup{}
	for n := range most + 2 {
		l := last
		l.ID = look(n).ID
		if err := record(t, s, l, most); (err != nil) != (n >= most) {
			t.Errorf("look-up %d: %v", n, err)
		} else if err == nil {
			want = append([]bank.Lookup{l}, want...)
		}
	}
	wantLookups(t, s, last.Number, 10, want...)
	for n, change := range []func(*bank.Lookup){
		func(l *bank.Lookup) { l.At = l.At.Add(time.Microsecond) },   // the next day in Riyadh
		func(l *bank.Lookup) { l.At = l.At.Add(-24 * time.Hour) },    // the day before
		func(l *bank.Lookup) { l.Employee = "e-78" },                 // somebody else under the same login
		func(l *bank.Lookup) { l.Employee, l.Login = "e-78", "t.x" }, // and under another
	} {
		l := last
		l.ID = look(100 + n).ID
		change(&l)
		if err := record(t, s, l, most); err != nil {
			t.Errorf("%d: %v", n, err)
		}
	}
	last.ID, last.Login = look(200).ID, "t.harbi.2" // the same person's other login
	if err := record(t, s, last, most); err == nil {
		t.Error("another login is another allowance")
	}
}

func lookupsAtOnce(t *testing.T, s Store) {
	const most = 10
	var outcomes tally
	together(crowd, func(n int) {
		if err := record(t, s, look(n), most); err != nil {
			outcomes.add("too many")
			return
		}
		outcomes.add("ok")
	})
	outcomes.want(t, map[string]int{"ok": most, "too many": crowd - most})
	if got, err := s.Lookups(t.Context(), look(0).Number, crowd); err != nil || len(got) != most {
		t.Errorf("%d are on record, want %d (%v)", len(got), most, err)
	}
}

// lookupOnce: what is refused isn't counted either.
func lookupOnce(t *testing.T, s Store) {
	if err := record(t, s, look(1), 2); err != nil {
		t.Fatal(err)
	}
	if err := s.RecordLookup(t.Context(), look(1), 2); err == nil {
		t.Error("it is on record twice")
	}
	if err := record(t, s, look(2), 2); err != nil {
		t.Error(err)
	}
}

// unblockNobody: neither the look-up nor its count is there without the rest.
func unblockNobody(t *testing.T, s Store) {
	nobody := look(1)
	nobody.Outcome, nobody.Customer, nobody.Check, nobody.Unblock = bank.LookupUnknown, "", nil, "let them in"
	if err := s.RecordLookup(t.Context(), nobody, 1); err == nil {
		t.Error("nobody was let in")
	}
	wantLookups(t, s, nobody.Number, 10)
	if err := record(t, s, look(2), 1); err != nil {
		t.Error(err)
	}
}
