package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/kept"
	"github.com/istirdad/istirdad/internal/saudi"
)

var sightingTests = map[string]func(*testing.T, Store){
	"whom an account was used for":            accountUses,
	"a use of an account is kept for 30 days": usesForgotten,
	"how often an employee looked":            looksSeen,
	"tallies say what came of looks":          talliesOfLooks,
	"tallies of a branch, page by page":       tallyPages,
	"64 at once are tallied as they counted":  talliesAtOnce,
}

// seek is what is seen of an account, apart from one party.
func seek(t *testing.T, s Store, to saudi.IBAN, but saudi.Party, since time.Time) int {
	t.Helper()
	seen, err := s.Seek(t.Context(), bank.Sought{To: to, Beneficiary: but, Since: since, Day: saudi.DateOf(start)})
	if err != nil {
		t.Fatalf("Seek: %v", err)
	}
	return seen.Others
}

func accountUses(t *testing.T, s Store) {
	worker := func(n int) saudi.Party { return party(saudi.KindBorder, fmt.Sprintf("300000%04d", n)) }
	for n := range 9 {
		accept(t, s, with(acceptance(n), func(a *gateway.Acceptance) {
			a.Payment.Beneficiary = worker(n / 2) // most of them twice
			a.At = start.AddDate(0, 0, n/2)
		}))
	}
	accept(t, s, with(acceptance(20), func(a *gateway.Acceptance) { a.Payment.Beneficiary = saudi.Party{} }))
	for n, kind := range []saudi.Kind{saudi.KindVehicle, saudi.KindEstablishment} { // no people
		number := map[saudi.Kind]string{saudi.KindVehicle: "900000002", saudi.KindEstablishment: "7000000001"}[kind]
		accept(t, s, with(acceptance(22+n), func(a *gateway.Acceptance) { a.Payment.Beneficiary = party(kind, number) }))
	}
	accept(t, s, with(acceptance(21), func(a *gateway.Acceptance) { a.To, a.Payment.Beneficiary = account(2), worker(7) }))
	for name, c := range map[string]struct {
		to    saudi.IBAN
		but   saudi.Party
		since time.Time
		want  int
	}{
		"all":                    {account(1), saudi.Party{}, start, 5},
		"apart from one of them": {account(1), worker(3), start, 4},
		"apart from another":     {account(1), worker(8), start, 5},
		"since the last":         {account(1), saudi.Party{}, start.AddDate(0, 0, 4), 1},
		"since after it":         {account(1), saudi.Party{}, start.AddDate(0, 0, 4).Add(time.Microsecond), 0},
		"of another account":     {account(2), saudi.Party{}, start, 1},
		"of an unused one":       {account(3), saudi.Party{}, start, 0},
	} {
		if got := seek(t, s, c.to, c.but, c.since); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	// What is accepted with a time of before doesn't make the last one older.
	accept(t, s, with(acceptance(30), func(a *gateway.Acceptance) { a.Payment.Beneficiary = worker(4) }))
	if got := seek(t, s, account(1), saudi.Party{}, start.AddDate(0, 0, 4)); got != 1 {
		t.Errorf("after an older one: %d", got)
	}
	// A confirm that is refused used nothing.
	_, _, err := s.Accept(t.Context(), with(acceptance(31), func(a *gateway.Acceptance) {
		a.Payment.Beneficiary, a.To, a.Rules.Limit = worker(9), account(4), 1
	}))
	wantOutcome(t, "Accept above the limit", err, "limit")
	if got := seek(t, s, account(4), saudi.Party{}, start); got != 0 {
		t.Errorf("a refused one is seen: %d", got)
	}
}

// usesForgotten is in the past for the same reason as messagesForgotten.
func usesForgotten(t *testing.T, s Store) {
	long := start.AddDate(-5, 0, 0)
	use := func(n int, at time.Time) {
		t.Helper()
		accept(t, s, with(acceptance(n), func(a *gateway.Acceptance) {
			a.Payment.Beneficiary, a.At = party(saudi.KindBorder, fmt.Sprintf("300000%04d", n)), at
		}))
	}
	want := func(want int) {
		t.Helper()
		if got := seek(t, s, account(1), saudi.Party{}, long); got != want {
			t.Errorf("%d are seen, want %d", got, want)
		}
	}
	use(1, long)
	use(2, long.Add(time.Microsecond))
	use(3, long.Add(kept.UsesFor))
	want(3)
	use(4, long.Add(kept.UsesFor+time.Microsecond))
	want(3)
	now := time.Now()
	use(5, now.Add(time.Hour-kept.UsesFor))
	want(1)
	use(6, now.AddDate(10, 0, 0))
	want(2)
}

func looksSeen(t *testing.T, s Store) {
	for n := range 3 {
		if err := record(t, s, look(n), 2); (err != nil) != (n == 2) {
			t.Fatal(err)
		}
	}
	day := saudi.DateOf(start)
	for _, c := range []struct {
		employee string
		day      saudi.Date
		want     int
	}{{"e-77", day, 2}, {"e-78", day, 0}, {"e-77", day.AddDays(1), 0}, {"", day, 0}} {
		seen, err := s.Seek(t.Context(), bank.Sought{To: account(1), Since: start, Employee: c.employee, Day: c.day})
		if err != nil || seen.Looks != c.want || seen.Others != 0 {
			t.Errorf("%s on %s: %+v, %v", c.employee, c.day, seen, err)
		}
	}
}

func wantTallies(t *testing.T, s Store, branch string, want ...bank.LookupTally) {
	t.Helper()
	got, next, err := s.Tallies(t.Context(), branch, bank.Page{Limit: 100})
	if err != nil || next != "" {
		t.Fatalf("Tallies: %q, %v", next, err)
	}
	same(t, "tallies of "+branch, got, append([]bank.LookupTally(nil), want...))
}

func talliesOfLooks(t *testing.T, s Store) {
	wantTallies(t, s, "")
	const most = 4
	outcomes := []bank.LookupOutcome{bank.LookupFound, bank.LookupUnknown, bank.LookupUnknown, bank.LookupForbidden, bank.LookupFound, bank.LookupFound}
	for n, o := range outcomes {
		l := look(n)
		if l.Outcome = o; o != bank.LookupFound {
			l.Customer, l.Check = "", nil
		}
		if l.Login = "t.harbi"; n == 2 {
			l.Login = "t.harbi.2" // the same person's other login
		}
		if err := record(t, s, l, most); (err != nil) != (n >= most) {
			t.Errorf("look %d: %v", n, err)
		}
	}
	elsewhere, tomorrow := look(20), look(21)
	elsewhere.Employee, elsewhere.Branch = "e-78", "riyadh-04"
	tomorrow.At = tomorrow.At.AddDate(0, 0, 1)
	for _, l := range []bank.Lookup{elsewhere, tomorrow} {
		if err := record(t, s, l, most); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.RecordLookup(t.Context(), look(21), 99); err == nil { // what fails isn't tallied
		t.Error("it is on record twice")
	}
	day := saudi.DateOf(start)
	first := bank.LookupTally{Day: day, Branch: "riyadh-03", Employee: "e-77", Found: 1, Unknown: 2, Forbidden: 1, Refused: 2}
	second := bank.LookupTally{Day: day, Branch: "riyadh-04", Employee: "e-78", Found: 1}
	third := bank.LookupTally{Day: day.AddDays(1), Branch: "riyadh-03", Employee: "e-77", Found: 1}
	wantTallies(t, s, "riyadh-03", third, first)
	wantTallies(t, s, "riyadh-04", second)
	wantTallies(t, s, "riyadh-05")
	wantTallies(t, s, "", third, second, first)
}

func tallyPages(t *testing.T, s Store) {
	want := map[string]int{}
	for n := range 24 {
		l := look(n)
		l.Employee, l.Branch, l.At = fmt.Sprintf("e-%d", n%4), []string{"101", "202"}[n%2], start.AddDate(0, 0, n/4)
		if err := record(t, s, l, 9); err != nil {
			t.Fatal(err)
		}
		want[l.Branch]++
		want[""]++
	}
	var cursors []string
	for branch, all := range want {
		whole, _, err := s.Tallies(t.Context(), branch, bank.Page{Limit: 100})
		if err != nil || len(whole) != all {
			t.Fatalf("branch %q: %d, %v", branch, len(whole), err)
		}
		for _, limit := range []int{0, 1, 5, 11, 12, 24} {
			var got []bank.LookupTally
			for cursor := ""; ; {
				page, next, err := s.Tallies(t.Context(), branch, bank.Page{Limit: limit, Cursor: cursor})
				if err != nil {
					t.Fatal(err)
				}
				if got = append(got, page...); next == "" || len(got) > all {
					break
				}
				cursor = next
			}
			same(t, fmt.Sprintf("branch %q by %d", branch, limit), got, whole)
		}
		_, next, _ := s.Tallies(t.Context(), branch, bank.Page{Limit: 1})
		cursors = append(cursors, next)
	}
	for _, cursor := range append(cursors, "x", "AAAAAAAAAAAAAAAA") {
		_, _, err := s.Tallies(t.Context(), "303", bank.Page{Limit: 1, Cursor: cursor})
		wantOutcome(t, "another list's cursor", err, "cursor")
	}
}

func talliesAtOnce(t *testing.T, s Store) {
	const most = 10
	together(crowd, func(n int) { _ = record(t, s, look(n), most) })
	wantTallies(t, s, "", bank.LookupTally{
		Day: saudi.DateOf(start), Branch: "riyadh-03", Employee: "e-77", Found: most, Refused: crowd - most,
	})
}
