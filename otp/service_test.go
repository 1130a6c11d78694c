package otp_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/otptest"
)

func TestNewRefusesWhatCannotWork(t *testing.T) {
	for name, spoil := range map[string]func(*otp.Config){
		"no pepper":      func(c *otp.Config) { c.Pepper = nil },
		"short pepper":   func(c *otp.Config) { c.Pepper = c.Pepper[:31] },
		"no codes":       func(c *otp.Config) { c.Codes = nil },
		"no ledger":      func(c *otp.Config) { c.Ledger = nil },
		"no sender":      func(c *otp.Config) { c.Sender = nil },
		"no policy":      func(c *otp.Config) { c.Policy = otp.Policy{} },
		"many tries":     func(c *otp.Config) { c.Policy.Tries = 6 },
		"no generations": func(c *otp.Config) { c.Policy.Generations = 0 },
		"no wait":        func(c *otp.Config) { c.Policy.ResendAfter = 0 },
		"no blocks":      func(c *otp.Config) { c.Policy.Blocks = nil },
		"falling blocks": func(c *otp.Config) { c.Policy.Blocks[0].Failures = 10 },
		"early closing":  func(c *otp.Config) { c.Policy.CloseAt = 25 },
		"no SMS":         func(c *otp.Config) { delete(c.Policy.SMS, otp.Refund) },
	} {
		c := (&desk{}).config()
		spoil(&c)
		if s, err := otp.New(c); err == nil || s != nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestIssueRefusesHalfAQuestion(t *testing.T) {
	d := newDesk(t)
	for name, spoil := range map[string]func(*otp.Issue){
		"no customer":         func(in *otp.Issue) { in.Customer = "" },
		"no session":          func(in *otp.Issue) { in.Session = "" },
		"no purpose":          func(in *otp.Issue) { in.Purpose = "" },
		"a refund of nothing": func(in *otp.Issue) { in.Ref = "" },
		"no mobile":           func(in *otp.Issue) { in.To = saudi.Mobile{} },
		"3 digits":            func(in *otp.Issue) { in.Form = otp.Form{Digits: 3, Life: time.Minute} },
		"9 digits":            func(in *otp.Issue) { in.Form = otp.Form{Digits: 9, Life: time.Minute} },
		"a short life":        func(in *otp.Issue) { in.Form = otp.Form{Digits: 6, Life: time.Minute - 1} },
		"a long life":         func(in *otp.Issue) { in.Form = otp.Form{Digits: 6, Life: 5*time.Minute + 1} },
		"half a form":         func(in *otp.Issue) { in.Form = otp.Form{Digits: 6} },
	} {
		in := forRefund(t, "r1")
		spoil(&in)
		if _, err := d.Issue(t.Context(), in); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if d.ledger.Writes() != 0 || len(d.phone.Messages()) != 0 {
		t.Error("something was written or sent")
	}
}

func TestFindAndResend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		in := forRefund(t, "r1")
		c := d.issue(t, in)
		first := d.phone.Code()
		d.wantWrong(t, attempt(in, c, otptest.WrongCode(first)), 2)

		for _, stranger := range [][3]string{{"p02", "s1", c.ID}, {"p01", "s2", c.ID}, {"p01", "s1", "unknown"}} {
			if _, err := d.Find(t.Context(), stranger[0], stranger[1], stranger[2]); !errors.Is(err, otp.ErrGone) {
				t.Fatalf("Find as %v: %v", stranger, err)
			}
			if _, err := d.Resend(t.Context(), stranger[0], stranger[1], stranger[2], in.To, otp.Message{}); !errors.Is(err, otp.ErrGone) {
				t.Fatalf("Resend as %v: %v", stranger, err)
			}
		}
		found, err := d.Find(t.Context(), "p01", "s1", c.ID)
		if err != nil || found.Ref != "r1" || found.Purpose != otp.Refund || found.AttemptsLeft != 2 || found.Generation != 1 {
			t.Fatalf("Find: %+v, %v", found, err)
		}

		resend := func() (otp.Challenge, error) {
			return d.Resend(t.Context(), "p01", "s1", c.ID, in.To, otp.Message{Language: otp.English})
		}
		time.Sleep(time.Until(c.ResendAfter) - time.Millisecond)
		_, err = resend()
		if soon, ok := errors.AsType[*otp.TooSoonError](err); !ok || soon.RetryAfter != time.Millisecond {
			t.Fatalf("Resend: %v", err)
		}
		time.Sleep(time.Millisecond)
		second, err := resend()
		if err != nil || second.ID != c.ID || second.Generation != 2 || second.AttemptsLeft != 2 || time.Until(second.ExpiresAt) != 3*time.Minute {
			t.Fatalf("Resend: %+v, %v", second, err)
		}
		if d.phone.Code() == first {
			t.Fatal("the new code is the old one")
		}
		d.wantWrong(t, attempt(in, c, first), 1) // the old code is dead, and a guess

		time.Sleep(time.Minute)
		if third, err := resend(); err != nil || third.Generation != 3 {
			t.Fatalf("Resend: %+v, %v", third, err)
		}
		time.Sleep(time.Minute)
		if _, err := resend(); !errors.Is(err, otp.ErrGone) {
			t.Fatalf("a fourth generation: %v", err)
		}
		d.want(t, attempt(in, c, d.phone.Code()), nil)
		if _, err := resend(); !errors.Is(err, otp.ErrGone) {
			t.Fatalf("resend of a used challenge: %v", err)
		}
		if n := len(d.phone.Messages()); n != 3 {
			t.Errorf("%d SMS sent, want 3", n)
		}
	})
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		in := forProfile(t)
		c := d.issue(t, in)
		time.Sleep(time.Until(c.ExpiresAt))
		d.want(t, attempt(in, c, d.phone.Code()), otp.ErrGone)
		if _, err := d.Find(t.Context(), "p01", "s1", c.ID); !errors.Is(err, otp.ErrGone) {
			t.Fatalf("Find: %v", err)
		}
		c = d.issue(t, in)
		time.Sleep(time.Until(c.ExpiresAt) - time.Millisecond)
		d.want(t, attempt(in, c, d.phone.Code()), nil)
	})
}

func TestANewChallengeSupersedes(t *testing.T) {
	d := newDesk(t)
	one, two := forRefund(t, "r1"), forRefund(t, "r2")
	first := d.issue(t, one)
	code := d.phone.Code()
	second := d.issue(t, two)
	d.want(t, attempt(one, first, code), otp.ErrGone)
	d.want(t, attempt(two, second, d.phone.Code()), nil)
	if _, err := d.Issue(t.Context(), one); !errors.Is(err, otp.ErrTooSoon) {
		t.Errorf("r1 again at once: %v", err)
	}
}

func TestDropAndFlush(t *testing.T) {
	d := newDesk(t)
	one, two := forRefund(t, "r1"), forRefund(t, "r2")
	c := d.issue(t, one)
	drop := func(customer, session string) {
		t.Helper()
		if err := d.Drop(t.Context(), customer, session); err != nil {
			t.Fatal(err)
		}
	}
	drop("p01", "s2") // another session's end
	drop("p02", "s1")
	if _, err := d.Find(t.Context(), "p01", "s1", c.ID); err != nil {
		t.Errorf("another's end took the challenge: %v", err)
	}
	for range 2 { // again is no error
		drop("p01", "s1")
		d.want(t, attempt(one, c, d.phone.Code()), otp.ErrGone)
	}
	c = d.issue(t, two)
	d.wantWrong(t, attempt(two, c, otptest.WrongCode(d.phone.Code())), 2)
	d.codes.Flush()
	d.want(t, attempt(two, c, d.phone.Code()), otp.ErrGone)
	if d.failures(t) != 1 {
		t.Error("the flush took the failures with it")
	}
}
