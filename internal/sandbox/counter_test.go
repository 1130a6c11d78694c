package sandbox_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/bank/banktest"
)

// TestPathDAtTheCounter: the same path with a teller's help, for those of the table of people (domain.md §7) for whom the
// counter is there: what one person at the bank may do, and what takes two.
func TestPathDAtTheCounter(t *testing.T) { inProcess(t, 0, atTheCounter) }

func atTheCounter(t *testing.T, w *banktest.World) {
	t01 := w.Teller("t01")
	a02 := w.Approver("a02") // t01's own second login
	a01, a03 := w.Approver("a01"), w.Approver("a03")

	// p01 has a phone: they type its code on the keypad, and t01 does the rest.
	p01 := t01.Receive("p01")
	tells(t, p01, "090-001 refundable", "092-037 refundable")
	p01.Do(http.MethodGet, "/v1/profile", nil).Want(403, "step_up_required")
	p01.Prove()
	refund := p01.Preview("rq-p01-1").RefundID
	p01.Confirm(refund).Want(202)
	p01.Await(refund, "credited")
	p01.End().Want(204)

	// p12 has none: t01 compares their passport, and somebody else agrees. That isn't t01 under another login.
	t01.Look("1900000041", nil).Want(409, "mobile_missing")
	p12 := t01.Check("p12")
	tells(t, p12, "092-037 refundable")
	refund = p12.Preview("rq-p12-1").RefundID
	p12.Confirm(refund).Want(202)
	asked := a03.Awaiting(refund)
	says(t, asked, "t01 E100 of 101 for p12: 300.00, identity_check, seen by both of us")
	a02.Approve(refund, "it's right", asked.Digest).Want(403, "self_approval")
	a02.Reject(refund, "it's wrong").Want(403, "self_approval")
	a03.Approve(refund, "called the branch", asked.Digest).Want(200)
	p12.Await(refund, "credited")

	// p10's account is closed: they are told before they have typed anything.
	p10 := t01.Receive("p10")
	tells(t, p10, "090-003 account_closed")

	// p13 paid 6,000.00 twice. Both together are more than one person decides.
	p13 := t01.Serve("p13")
	first, second := p13.Preview("rq-p13-1"), p13.Preview("rq-p13-2")
	p13.Confirm(first.RefundID).Want(202)
	p13.Await(first.RefundID, "credited")
	p13.Confirm(second.RefundID).Want(202)
	asked = a01.Awaiting(second.RefundID)
	says(t, asked, "t01 E100 of 101 for p13: 6000.00, above_limit")
	a02.Approve(second.RefundID, "it's right", asked.Digest).Want(403, "self_approval")
	a03.Approve(second.RefundID, "the employer was asked", asked.Digest).Want(200)
	a01.Approve(second.RefundID, "here, too", asked.Digest).Want(409, "already_decided")
	steps := p13.Await(second.RefundID, "credited").States()
	if !slices.Equal(steps[:2], []string{"awaiting_approval", "queued"}) {
		t.Errorf("it went through %v", steps)
	}

	// p11 is t01's brother: a colleague serves them, and t01 doesn't, nor lets them in again.
	t01.Look("1900000033", nil).Want(403, "forbidden")
	a02.Unblock("1900000033", "my brother").Want(403, "forbidden")
	tells(t, w.Teller("t02").Serve("p11"))
	a01.Unblock("1900000033", "came with his ID").Want(204)

	if all := a03.List(); len(all) != 0 {
		t.Errorf("%d still await approval", len(all))
	}
	if v := w.Exact(); v.Confirmed != 4 || v.Effects != 4 || v.Unfinished != 0 {
		t.Errorf("the referee says %+v", v)
	}
}

// tells is what a teller is told of a customer before these have done anything: service and whether its fee comes back.
func tells(t *testing.T, v *banktest.Visit, want ...string) {
	t.Helper()
	got := []string{}
	for _, o := range v.Overview {
		outlook := "refundable"
		if o.Reason != nil {
			outlook = *o.Reason
		}
		got = append(got, o.Service+" "+outlook)
	}
	if !slices.Equal(got, want) {
		t.Errorf("of %s the teller is told %q, want %q", v.User(), got, want)
	}
}

// says is what an approver is shown, in one line.
func says(t *testing.T, a banktest.Approval, want string) {
	t.Helper()
	parts := []string{a.Amount.Amount}
	for _, reason := range a.Reasons {
		parts = append(parts, reason.Code)
	}
	if a.Note != nil {
		parts = append(parts, *a.Note)
	}
	got := a.Maker.Login + " " + a.Maker.Employee + " of " + *a.Branch + " for " + a.Customer.CustomerID + ": " + strings.Join(parts, ", ")
	if got != want {
		t.Errorf("the approver is shown %q, want %q", got, want)
	}
}
