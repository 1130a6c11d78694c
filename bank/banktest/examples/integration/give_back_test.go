// Package integration is an integration test of a bank's own code: here a few lines that give a customer everything back
// that can come back, tested against the whole world while parts of it fail.
package integration

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/client"
)

// giveBack is the bank's own code. It returns how many refunds were taken.
func giveBack(ctx context.Context, c *client.Client, account, id string) (taken int, err error) {
	services, err := c.Services(ctx)
	for _, service := range services {
		for request, err := range c.Requests(ctx, service.Service) {
			if err != nil {
				return taken, err
			}
			if !request.Refundable {
				continue
			}
			preview, err := c.Preview(ctx, client.Ask{RequestID: request.RequestID, AccountNumber: account, IDNumber: id})
			if err != nil {
				return taken, err
			}
			if _, err = c.Confirm(ctx, preview.RefundID); err != nil {
				return taken, err
			}
			taken++
		}
	}
	return taken, err
}

func TestGiveBack(t *testing.T) {
	world := banktest.Start(t, banktest.Crowd(1)) // with one customer more, who has paid for three renewals
	customer := world.Customer("c00001")
	c, err := client.New(world.URLs().Gateway, client.Token(customer.Token))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := giveBack(t.Context(), c, customer.Account(), customer.IDNumber()); !errors.Is(err, client.ErrStepUpRequired) {
		t.Fatalf("before a code was entered: %v", err)
	}
	customer.Prove()
	world.Fault(banktest.Unavailable, banktest.OnCustomer, banktest.Count(1))  // the bank's own systems, for a moment
	world.Fault(banktest.ResetMidAnswer, banktest.OnSubmit, banktest.Count(1)) // the core pays, and its answer breaks off
	if taken, err := giveBack(t.Context(), c, customer.Account(), customer.IDNumber()); err != nil || taken != 3 {
		t.Fatalf("%d were taken: %v", taken, err)
	}
	if v := world.Settled(time.Minute); v.Effects != 3 { // and nothing was lost, doubled or lied about
		t.Errorf("%d were paid", v.Effects)
	}
}
