package fleet_test

import (
	"net/http"
	"testing"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/internal/fleet"
)

// TestInquiriesAreRationedTogether: gateways on one Redis count as one, and a Redis that is away lets nobody inquire.
func TestInquiriesAreRationedTogether(t *testing.T) {
	t.Parallel()
	f := fleet.Start(t, fleet.Options{})
	c := f.World.Customer("p06")
	c.Prove()
	about := object{"id_number": "2900000031"} // p05, for whom p06 paid
	ask := func(w *banktest.World) *banktest.Response {
		return c.In(w).Do(http.MethodPost, "/v1/balance-inquiries", about)
	}
	if counts := tally(together(f.World, 40, ask)); counts["200"] != 30 || counts["429 rate_limited"] != 10 {
		t.Errorf("40 inquiries at once: %v", counts)
	}
	if err := f.Redis.Kill(); err != nil {
		t.Fatal(err)
	}
	for range f.Gateways {
		ask(f.World).Want(http.StatusServiceUnavailable, "try_again")
	}
}
