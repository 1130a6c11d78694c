package banktest_test

import (
	"testing"

	"github.com/istirdad/istirdad/bank/banktest"
)

// TestTeller: the whole path at the counter, with the calls of a customer.
func TestTeller(t *testing.T) {
	w := banktest.Start(t)
	v := w.Teller("t01").Serve("p01")
	refund := v.Preview("rq-p01-1").RefundID
	v.Confirm(refund).Want(202)
	v.Await(refund, "credited")
	v.End().Want(204)
	v.End().Want(404, "not_found")
	v.Do("GET", "/v1/refunds/"+refund, nil).Want(404, "not_found")
	w.Customer("p01").Await(refund, "credited")
	w.Exact()
}
