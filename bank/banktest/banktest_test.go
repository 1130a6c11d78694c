package banktest_test

import (
	"net/http"
	"testing"

	"github.com/istirdad/istirdad/bank/banktest"
)

// TestPath is what the package comment shows.
func TestPath(t *testing.T) {
	w := banktest.Start(t)
	c := w.Customer("p03")
	c.Prove()
	preview := c.Preview("rq-p03-1")
	c.Confirm(preview.RefundID).Want(http.StatusAccepted)
	refund := c.Await(preview.RefundID, "completed")
	if v := w.Exact(); v.Confirmed != 1 || v.Effects != 1 || v.Unfinished != 0 {
		t.Errorf("the referee says %+v", v)
	}
	if calls := w.History(refund.Reference); len(calls) == 0 || !calls[0].Effect {
		t.Errorf("the core's history of the refund is %+v", calls)
	}
}

// TestConfirmEntersTheCode: above 1,000.00 a confirm needs a code, and the code comes from the phone.
func TestConfirmEntersTheCode(t *testing.T) {
	w := banktest.Start(t)
	c := w.Customer("p06")
	c.Prove()
	preview := c.Preview("rq-p05-1")
	if preview.ConfirmRequires != "code" {
		t.Fatalf("the preview of %s requires %q", preview.Amount.Amount, preview.ConfirmRequires)
	}
	c.Do(http.MethodPost, "/v1/refunds/"+preview.RefundID+"/confirm", nil).Want(http.StatusForbidden, "step_up_required")
	c.Confirm(preview.RefundID).Want(http.StatusAccepted)
	c.Await(preview.RefundID, "credited")
	w.Exact()
}

func TestFaults(t *testing.T) {
	w := banktest.Start(t, banktest.Crowd(2))
	w.Fault(banktest.Unavailable, banktest.OnCustomer, banktest.User("c00001"))
	w.Fault(banktest.Unavailable, banktest.OnSMS, banktest.Count(1))
	c := w.Customer("c00002")
	ask := map[string]string{"purpose": "profile"}
	c.Do(http.MethodPost, "/v1/otp/challenges", ask).Want(http.StatusServiceUnavailable, "sms_unavailable")
	w.Customer("c00001").Do(http.MethodPost, "/v1/otp/challenges", ask).Want(http.StatusServiceUnavailable, "try_again")
	w.ClearFaults()
	c.Prove()
}

// TestTogether: a helper that fails on another goroutine stops that one alone.
func TestTogether(t *testing.T) {
	w := banktest.Start(t)
	c := w.Customer("p01")
	got := make([]int, 8)
	w.Together(len(got), func(i int, w *banktest.World) {
		got[i] = c.In(w).Do(http.MethodGet, "/v1/profile", nil).Status
	})
	for i, status := range got {
		if status != http.StatusForbidden {
			t.Errorf("call %d answered %d", i, status)
		}
	}
}
