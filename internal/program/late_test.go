package program_test

import (
	"fmt"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/sqlite"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/sandboxseed"
	"github.com/istirdad/istirdad/internal/saudi"
)

// recorded puts the n-th refund into a store, confirmed at that time and never carried.
func recorded(t *testing.T, store *sqlite.Store, n int, at time.Time, change func(*gateway.Acceptance)) gateway.Refund {
	t.Helper()
	payer, err := saudi.NewParty(saudi.KindNationalID, "1000000008")
	if err != nil {
		t.Fatal(err)
	}
	to, err := saudi.NewIBAN(sandboxseed.BankCode, "608010167519999")
	if err != nil {
		t.Fatal(err)
	}
	a := gateway.Acceptance{
		ID: fmt.Sprintf("0198f0c0-0000-7000-8000-%012d", n), Bank: sandboxseed.BankCode,
		Origin: gateway.Origin{Customer: "c-1", Session: "s", Client: "app", Channel: gateway.Online},
		Payment: gateway.Payment{
			RequestID: fmt.Sprintf("REQ-%d", n), Service: "090-003", Name: moi.Name{AR: "رسوم", EN: "Fee"}, Amount: 300_00,
			Payer: payer, Beneficiary: payer,
		},
		To: to, Challenge: fmt.Sprintf("ch-%d", n), At: at, Promised: saudi.DateOf(at), Rules: gateway.Rules{Limit: 1_000_000_00},
	}
	if change != nil {
		change(&a)
	}
	refund, first, err := store.Accept(t.Context(), a)
	if err != nil || !first {
		t.Fatalf("accept: first %t, %v", first, err)
	}
	return refund
}

// TestLate: the metric that alerts go by and the operators' summary say the same of what is late, by working days: of
// eight days five are such, wherever they begin.
func TestLate(t *testing.T) {
	r := newRig(t)
	r.open() // and nobody carries them
	now := time.Now()
	for n, days := range []int{0, 1, 8, 8, 30} {
		recorded(t, r.store, n, now.AddDate(0, 0, -days), nil)
	}
	_, scrape := r.ask("/metrics")
	for level, want := range map[string]string{"overdue": "3", "red": "1"} {
		if got := series(scrape, `istirdad_refunds_late{level="`+level+`"}`); got != want {
			t.Errorf("%s are %s, want %s", level, got, want)
		}
	}
	var summary struct {
		Overdue map[string]any
	}
	r.world.Customer("o01").Via(r.ops).Do(http.MethodGet, "/ops/api/summary", nil).Want(200).JSON(&summary)
	delete(summary.Overdue, "oldest")
	if want := (map[string]any{"overdue": 3.0, "red": 1.0}); !reflect.DeepEqual(summary.Overdue, want) {
		t.Errorf("the summary says %v, want %v", summary.Overdue, want)
	}
}
