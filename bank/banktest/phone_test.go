package banktest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/bank/banktest"
)

// TestPhone: whoever asked for it, the code is on the customer's phone, and is given once.
func TestPhone(t *testing.T) {
	w := banktest.Start(t)
	c, phone := w.Customer("p03"), w.Phone("p03")
	if phone.Number() != "+966500000003" || len(phone.Messages(t)) != 0 {
		t.Errorf("the phone is %s, with %d messages", phone.Number(), len(phone.Messages(t)))
	}
	first := c.Challenge(map[string]string{"purpose": "profile"})
	unread := phone.Messages(t)[0]
	w.Forgive("p03")
	second := c.Challenge(map[string]string{"purpose": "profile"})
	code := phone.Code(t)
	if first == second || strings.Contains(unread.Text, code) && unread.ID == phone.Messages(t)[0].ID {
		t.Error("the code isn't the newest")
	}
	c.Do(http.MethodPost, "/v1/otp/challenges/"+second+"/verify", map[string]string{"code": code}).Want(http.StatusOK)

	// The next code is waited for, also by somebody who has another hold of the phone: neither the one that was given nor
	// the one before it is given again.
	w.Forgive("p03")
	w.Together(2, func(i int, w *banktest.World) {
		if i == 0 {
			c.In(w).Challenge(map[string]string{"purpose": "profile"})
			return
		}
		arrived := w.Phone("p03").Code(w.T())
		if newest := phone.Messages(w.T())[0]; !strings.Contains(newest.Text, ":"+arrived+"\n") {
			t.Error("the code that was waited for isn't the newest")
		}
	})
	if n := len(phone.Messages(t)); n != 3 {
		t.Errorf("on the phone are %d messages", n)
	}

	preview := c.Preview("rq-p03-1").RefundID
	c.Confirm(preview).Want(http.StatusAccepted)
	if paid := phone.Wait(t, preview650); paid.To != phone.Number() || paid.Sender != "Istirdad" || paid.Parts < 1 {
		t.Errorf("the SMS is to %s, from %s, of %d parts", paid.To, paid.Sender, paid.Parts)
	}
	if len(w.Messages()) != 4 || len(w.Phone("p01").Messages(t)) != 0 {
		t.Errorf("%d messages in all, %d on another phone", len(w.Messages()), len(w.Phone("p01").Messages(t)))
	}
}

const preview650 = "SAR 650.00"

// TestPhoneSays: whose phone there isn't, and what didn't arrive. What a message says is never told.
func TestPhoneSays(t *testing.T) {
	w := banktest.Start(t)
	if said := fails(t, func(t testing.TB) { w.For(t).Phone("p12") }); said != "p12 has no phone\n" {
		t.Errorf("it says %q", said)
	}
	if said := fails(t, func(t testing.TB) { w.For(t).Phone("nobody") }); !strings.Contains(said, `nobody is called "nobody"`) {
		t.Errorf("it says %q", said)
	}
	if said := fails(t, func(t testing.TB) { w.For(t).Customer("t01").Account() }); said != "t01 has no account\n" {
		t.Errorf("it says %q", said)
	}
}
