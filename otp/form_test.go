package otp_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/otptest"
)

// TestForm: a bank sets how long a code is and how long it lives. A challenge keeps the form that it began with, when a new
// code is sent for it too, and whatever the bank has set meanwhile.
func TestForm(t *testing.T) {
	for _, form := range []otp.Form{
		{Digits: 4, Life: time.Minute}, {Digits: 5, Life: 90 * time.Second}, otp.DefaultForm(), {Digits: 7, Life: 4 * time.Minute},
		{Digits: 8, Life: 5 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk(t)
			in := forRefund(t, "r1")
			in.Form = form
			c := d.issue(t, in)
			code := d.phone.Code()
			if c.Digits != form.Digits || len(code.Reveal()) != form.Digits || time.Until(c.ExpiresAt) != form.Life {
				t.Fatalf("%+v: %d digits announced, %d sent, for %v", form, c.Digits, len(code.Reveal()), time.Until(c.ExpiresAt))
			}
			if found, err := d.Find(t.Context(), "p01", "s1", c.ID); err != nil || found.Digits != form.Digits {
				t.Errorf("%+v: found with %d digits, %v", form, found.Digits, err)
			}
			a := attempt(in, c, otp.Code(code.Reveal()+"0"))
			a.Form = otp.Form{Digits: form.Digits + 1} // what the bank has set meanwhile
			d.want(t, a, otp.ErrMalformedCode)
			a.Code = code[1:]
			d.want(t, a, otp.ErrMalformedCode)
			a.Code = otptest.WrongCode(code)
			d.wantWrong(t, a, 2)

			time.Sleep(time.Minute - time.Millisecond) // the shortest of them is about to expire
			if _, err := d.Resend(t.Context(), "p01", "s1", c.ID, in.To, otp.Message{}); err == nil {
				t.Errorf("%+v: sent again within the minute", form)
			}
			if form.Life == time.Minute {
				return // there is nothing to send again for
			}
			time.Sleep(time.Millisecond)
			again, err := d.Resend(t.Context(), "p01", "s1", c.ID, in.To, otp.Message{})
			if err != nil || again.Digits != form.Digits || time.Until(again.ExpiresAt) != form.Life || len(d.phone.Code().Reveal()) != form.Digits {
				t.Errorf("%+v: sent again with %d digits for %v, %v", form, again.Digits, time.Until(again.ExpiresAt), err)
			}
			a.Code = d.phone.Code()
			d.want(t, a, nil)
		})
	}
}

// TestDigitsInTheID: what the ID says of its codes can't be altered, and an ID that isn't ours says nothing.
func TestDigitsInTheID(t *testing.T) {
	d := newDesk(t)
	in := forProfile(t)
	in.Form = otp.Form{Digits: 4, Life: time.Minute}
	c := d.issue(t, in)
	code := d.phone.Code()
	if !strings.HasSuffix(c.ID, "4") {
		t.Fatalf("the ID is %s", c.ID)
	}
	a := attempt(in, c, code)
	a.ChallengeID = strings.TrimSuffix(c.ID, "4") + "6"
	d.want(t, a, otp.ErrMalformedCode)
	a.Code = code + "00"
	d.want(t, a, otp.ErrGone)
	for _, id := range []string{"", "x", strings.Repeat("x", 27), strings.Repeat("9", 27), strings.Repeat("x", 26) + "\xff"} {
		a.ChallengeID, a.Code, a.Form = id, "123456", otp.Form{}
		d.want(t, a, otp.ErrGone)
		a.Code = "1234"
		d.want(t, a, otp.ErrMalformedCode)
		a.Form.Digits = 4 // the bank's
		d.want(t, a, otp.ErrGone)
	}
	a.ChallengeID, a.Code = c.ID, code
	d.want(t, a, nil)
}
