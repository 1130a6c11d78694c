package sqlite

import (
	"reflect"
	"testing"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
)

// TestMisspent: an auditor finds a day of which too much or too little is on record, and one of which there is no record.
func TestMisspent(t *testing.T) {
	s, path := newStore(t)
	for n := range 4 {
		a := acceptance(n)
		a.Origin.Customer = []string{"c-1", "c-1", "c-2", "c-3"}[n]
		mustAccept(t, s, a)
	}
	db := shell(t, path)
	for _, statement := range []string{
		`UPDATE day_limits SET spent = spent - 1 WHERE customer = 'c-1'`, `DELETE FROM day_limits WHERE customer = 'c-2'`,
		`INSERT INTO day_limits (customer, day, spent) VALUES ('c-3', '2026-03-09', 5), ('c-3', '2026-03-10', 0)`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	var got []gateway.Misspent
	if err := s.Misspent(t.Context(), func(m gateway.Misspent) error { got = append(got, m); return nil }); err != nil {
		t.Fatal(err)
	}
	day := saudi.DateOf(start)
	want := []gateway.Misspent{
		{Customer: "c-1", Day: day, Spent: 599_99, Live: 600_00},
		{Customer: "c-2", Day: day, Spent: 0, Live: 300_00},
		{Customer: "c-3", Day: day.AddDays(1), Spent: 5, Live: 0},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
