package fleet_test

import (
	"net/http"
	"testing"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/internal/fleet"
)

// TestEndedSessionStaysEnded: a customer signs out at one gateway. The other, which has just believed the same token,
// believes it no more; nor does any gateway after all of them were killed, nor while the database is away. What was
// confirmed in that session is carried to its end, and the customer's other session sees it.
func TestEndedSessionStaysEnded(t *testing.T) {
	t.Parallel()
	f := fleet.Start(t, fleet.Options{})
	c, other := f.World.Customer("p03"), f.World.Customer("p03")
	c.Prove()
	id := c.Preview("rq-p03-1").RefundID
	c.Confirm(id).Want(http.StatusAccepted)
	everywhere := func(c *banktest.Customer, status int, code ...string) {
		t.Helper()
		for _, g := range f.Gateways {
			for _, path := range []string{"/v1/refunds", "/v1/refunds/" + id} {
				c.Via(g.Channel).Do(http.MethodGet, path, nil).Want(status, code...)
			}
		}
	}
	everywhere(c, http.StatusOK)
	c.Via(f.Gateways[0].Channel).Do(http.MethodDelete, "/v1/session", nil).Want(http.StatusNoContent)
	everywhere(c, http.StatusUnauthorized, "unauthenticated")
	everywhere(other, http.StatusOK)

	for _, g := range f.Gateways {
		g.Kill()
	}
	for _, g := range f.Gateways {
		g.Start()
		g.AwaitReady()
	}
	everywhere(c, http.StatusUnauthorized, "unauthenticated")
	other.Await(id, "credited")

	if err := f.Postgres.Kill(); err != nil {
		t.Fatal(err)
	}
	everywhere(c, http.StatusServiceUnavailable, "try_again")
	everywhere(other, http.StatusServiceUnavailable, "try_again")
	if err := f.Postgres.Start(); err != nil {
		t.Fatal(err)
	}
	for _, g := range f.Gateways {
		g.AwaitReady()
	}
	everywhere(c, http.StatusUnauthorized, "unauthenticated")
	everywhere(other, http.StatusOK)
	f.World.Exact()
}
