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

// TestApprover: a second person agrees to one refund and not to another, and lets a customer in again.
func TestApprover(t *testing.T) {
	w := banktest.Start(t)
	branch := w.Approver("a01")
	v := w.Teller("t01").Check("p12")
	refused := v.Preview("rq-p12-1").RefundID
	v.Confirm(refused).Want(202)
	branch.Reject(refused, "not yet").Want(200)
	approved := v.Preview("rq-p12-1").RefundID
	v.Confirm(approved).Want(202)
	a := branch.Awaiting(approved)
	if all := branch.List(); len(all) != 1 || all[0].RefundID != a.RefundID || *a.Note != "seen by both of us" || a.Reasons[0].Code != "identity_check" {
		t.Errorf("awaiting is %+v", all)
	}
	branch.Approve(approved, "seen", a.Digest).Want(200)
	w.Customer("p12").Await(approved, "credited")
	branch.Unblock(v.IDNumber(), "came by").Want(204)
	w.Exact()
}

// TestTogetherAtTheCounter: sessions of staff come along to a crowd's goroutines, as customers do.
func TestTogetherAtTheCounter(t *testing.T) {
	w := banktest.Start(t)
	teller, approver := w.Teller("t01"), w.Approver("a03")
	people := []string{"p01", "p03"}
	w.Together(len(people), func(i int, w *banktest.World) {
		v := teller.In(w).Serve(people[i])
		v.Confirm(v.Preview("rq-" + people[i] + "-1").RefundID).Want(202)
	})
	v := teller.Check("p12")
	refund := v.Preview("rq-p12-1").RefundID
	v.Confirm(refund).Want(202)
	digest := approver.Awaiting(refund).Digest
	answers := make([]*banktest.Response, 4)
	w.Together(len(answers), func(i int, w *banktest.World) { answers[i] = approver.In(w).Approve(refund, "seen", digest) })
	agreed := 0
	for _, r := range answers {
		if r.Status == 200 {
			agreed++
		} else {
			r.Want(409, "already_decided")
		}
	}
	if agreed != 1 {
		t.Errorf("%d of %d decided", agreed, len(answers))
	}
	w.Exact()
}
