package otp_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/otptest"
)

// desk is a service over stores in memory, and what stands around it.
type desk struct {
	*otp.Service
	ledger otptest.Ledger
	codes  otptest.Codes
	phone  otptest.Phone
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{}
	var err error
	d.Service, err = otp.New(d.config())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) config() otp.Config {
	return otp.Config{
		Pepper: bytes.Repeat([]byte("p"), otp.PepperSize),
		Codes:  &d.codes, Ledger: &d.ledger, Sender: &d.phone, Policy: otp.DefaultPolicy(),
	}
}

func mobile(t *testing.T) saudi.Mobile {
	t.Helper()
	m, err := saudi.ParseMobile("+966500000001")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// forRefund asks for a code for a refund of p01; its bond is taken from ref.
func forRefund(t *testing.T, ref string) otp.Issue {
	return otp.Issue{
		Customer: "p01", Session: "s1", Purpose: otp.Refund, Ref: ref,
		Binding: otp.Bind("p01", "s1", ref, "20000"), To: mobile(t),
	}
}

func forProfile(t *testing.T) otp.Issue {
	return otp.Issue{Customer: "p01", Session: "s1", Purpose: otp.Profile, Binding: otp.Bind("p01", "s1"), To: mobile(t)}
}

// attempt is the honest attempt at the challenge that in was answered with.
func attempt(in otp.Issue, c otp.Challenge, code otp.Code) otp.Attempt {
	return otp.Attempt{
		Customer: in.Customer, Session: in.Session, ChallengeID: c.ID,
		Purpose: in.Purpose, Ref: in.Ref, Binding: in.Binding, Code: code,
	}
}

func (d *desk) issue(t *testing.T, in otp.Issue) otp.Challenge {
	t.Helper()
	c, err := d.Issue(t.Context(), in)
	if err != nil {
		t.Fatalf("Issue: %v", err)
	}
	return c
}

func (d *desk) want(t *testing.T, a otp.Attempt, want error) {
	t.Helper()
	if err := d.Verify(t.Context(), a); !errors.Is(err, want) {
		t.Fatalf("Verify: %v, want %v", err, want)
	}
}

func (d *desk) wantWrong(t *testing.T, a otp.Attempt, left int) {
	t.Helper()
	err := d.Verify(t.Context(), a)
	if wrong, ok := errors.AsType[*otp.WrongError](err); !ok || wrong.AttemptsLeft != left {
		t.Fatalf("Verify: %v, want wrong with %d left", err, left)
	}
}

func (d *desk) failures(t *testing.T) int {
	t.Helper()
	r, err := d.ledger.Read(t.Context(), "p01")
	if err != nil {
		t.Fatal(err)
	}
	return r.Failures
}
