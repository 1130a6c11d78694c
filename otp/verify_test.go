package otp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/otptest"
)

func TestRefundCode(t *testing.T) {
	d := newDesk(t)
	in := forRefund(t, "r1")
	in.Message = otp.Message{Language: otp.English, Amount: 20000, AccountTail: "*0001"}
	c := d.issue(t, in)
	if c.Purpose != otp.Refund || c.Ref != "r1" || c.To != in.To || c.Digits != 6 || c.Generation != 1 || c.AttemptsLeft != 3 ||
		c.ExpiresAt.Sub(c.ResendAfter) != 2*time.Minute {
		t.Errorf("challenge %+v", c)
	}
	m := d.phone.Messages()[0]
	if m.Kind != otp.CodeForRefund || m.Language != otp.English || m.Amount != 20000 || m.AccountTail != "*0001" || len(m.Code) != 6 {
		t.Errorf("message %+v", m)
	}
	right := attempt(in, c, d.phone.Code())
	d.wantWrong(t, attempt(in, c, otptest.WrongCode(d.phone.Code())), 2)
	if d.failures(t) != 1 {
		t.Fatalf("%d failures on record, want 1", d.failures(t))
	}
	d.want(t, right, nil)
	if d.failures(t) != 1 {
		t.Error("the failures are cleared by the transaction that accepts the refund, and by nothing before it")
	}
	d.want(t, right, nil) // the same refund's confirm with the same code goes on
	d.want(t, attempt(in, c, otptest.WrongCode(d.phone.Code())), otp.ErrGone)
}

func TestProfileCode(t *testing.T) {
	d := newDesk(t)
	in := forProfile(t)
	c := d.issue(t, in)
	if kind := d.phone.Messages()[0].Kind; kind != otp.CodeForProfile {
		t.Errorf("message %v", kind)
	}
	writes := d.ledger.Writes()
	a := attempt(in, c, d.phone.Code())
	d.want(t, a, nil)
	if d.ledger.Writes() != writes {
		t.Error("a right code of a customer without failures wrote to the ledger")
	}
	d.want(t, a, otp.ErrUsed)
}

func TestArabicDigits(t *testing.T) {
	d := newDesk(t)
	in := forProfile(t)
	c := d.issue(t, in)
	typed := strings.Map(func(r rune) rune { return r - '0' + '٠' }, d.phone.Code().Reveal())
	d.want(t, attempt(in, c, otp.Code(typed)), nil)
}

func TestMalformedCodeSpendsNothing(t *testing.T) {
	d := newDesk(t)
	in := forProfile(t)
	c := d.issue(t, in)
	for range 10 {
		d.want(t, attempt(in, c, "12345"), otp.ErrMalformedCode)
	}
	if d.failures(t) != 0 {
		t.Error("a malformed code counted as a failure")
	}
	d.wantWrong(t, attempt(in, c, otptest.WrongCode(d.phone.Code())), 2)
}

// A right code is right for nothing but what it was made for, and trying it
// elsewhere spends no try.
func TestBoundToItsPurpose(t *testing.T) {
	d := newDesk(t)
	in := forRefund(t, "r1")
	c := d.issue(t, in)
	for name, spoil := range map[string]func(*otp.Attempt){
		"customer":  func(a *otp.Attempt) { a.Customer = "p02" },
		"session":   func(a *otp.Attempt) { a.Session = "s2" },
		"challenge": func(a *otp.Attempt) { a.ChallengeID = strings.ToLower(a.ChallengeID) },
		"nothing":   func(a *otp.Attempt) { a.ChallengeID = "" },
		"malformed": func(a *otp.Attempt) { a.ChallengeID = a.ChallengeID[:len(a.ChallengeID)-1] + "Z" },
		"no digits": func(a *otp.Attempt) { a.ChallengeID = a.ChallengeID[:len(a.ChallengeID)-1] + "0" },
		"purpose":   func(a *otp.Attempt) { a.Purpose = otp.Profile },
		"refund":    func(a *otp.Attempt) { a.Ref = "r2" },
		"binding":   func(a *otp.Attempt) { a.Binding = otp.Bind("p01", "s1", "r1", "20001") },
	} {
		t.Run(name, func(t *testing.T) {
			a := attempt(in, c, d.phone.Code())
			spoil(&a)
			d.want(t, a, otp.ErrGone)
		})
	}
	d.want(t, attempt(in, c, d.phone.Code()), nil)
}

func TestACodeIsNeverPrinted(t *testing.T) {
	d := newDesk(t)
	in := forRefund(t, "r1")
	c := d.issue(t, in)
	m, code := d.phone.Messages()[0], d.phone.Code()
	a := attempt(in, c, code)

	var out bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("m", "code", code, "message", m, "pointer", &m, "attempt", a, "challenge", c, "codes", []otp.Code{code})
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "% x", "%10s"} {
		fmt.Fprintf(&out, verb+"\n", code)
		fmt.Fprintf(&out, verb+"\n", m)
		fmt.Fprintf(&out, verb+"\n", &a)
		fmt.Fprintf(&out, verb+"\n", map[otp.Code]otp.Code{code: code})
	}
	text, err := json.Marshal(map[string]any{"code": code, "message": m, "attempt": a})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	for _, leak := range []string{code.Reveal(), fmt.Sprintf("%x", code.Reveal()), fmt.Sprintf("% x", code.Reveal()), fmt.Sprintf("%X", code.Reveal())} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the code was printed, as %q", leak)
		}
	}
	if !strings.Contains(out.String(), "******") {
		t.Error("nothing was masked")
	}
}

func TestCallerThatIsGone(t *testing.T) {
	d := newDesk(t)
	in := forProfile(t)
	c := d.issue(t, in)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Verify(gone, attempt(in, c, d.phone.Code())); !errors.Is(err, otp.ErrUnavailable) {
		t.Errorf("Verify: %v", err)
	}
	if _, err := d.Issue(gone, forRefund(t, "r1")); !errors.Is(err, otp.ErrUnavailable) {
		t.Errorf("Issue: %v", err)
	}
	d.want(t, attempt(in, c, d.phone.Code()), nil)
}
