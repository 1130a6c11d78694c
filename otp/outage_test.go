package otp_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/otptest"
)

var errOutage = errors.New("outage")

// frail is a pair of stores of which any operation can fail, before its effect
// or after it.
type frail struct {
	otp.Codes
	otp.Ledger
	fails string // operation that fails
	after bool   // its effect has taken place
}

func (f *frail) around(operation string, do func() error) error {
	if f.fails != operation {
		return do()
	}
	if f.after {
		_ = do()
	}
	return errOutage
}

func (f *frail) Put(ctx context.Context, s otp.Stored, blockAt int) (tries int, err error) {
	err = f.around("put", func() (err error) { tries, err = f.Codes.Put(ctx, s, blockAt); return err })
	return tries, err
}

func (f *frail) Find(ctx context.Context, h otp.Holder, id string, now time.Time) (s otp.Stored, err error) {
	err = f.around("find", func() (err error) { s, err = f.Codes.Find(ctx, h, id, now); return err })
	return s, err
}

func (f *frail) Renew(ctx context.Context, next otp.Stored, now time.Time) error {
	return f.around("renew", func() error { return f.Codes.Renew(ctx, next, now) })
}

func (f *frail) Check(ctx context.Context, g otp.Guess) (v otp.Verdict, err error) {
	err = f.around("check", func() (err error) { v, err = f.Codes.Check(ctx, g); return err })
	return v, err
}

func (f *frail) Drop(ctx context.Context, h otp.Holder, id string) error {
	return f.around("drop", func() error { return f.Codes.Drop(ctx, h, id) })
}

func (f *frail) Update(ctx context.Context, now time.Time, customer string, change func(otp.Record) (otp.Record, error)) (r otp.Record, err error) {
	err = f.around("update", func() (err error) { r, err = f.Ledger.Update(ctx, now, customer, change); return err })
	return r, err
}

func (f *frail) Read(ctx context.Context, customer string) (r otp.Record, err error) {
	err = f.around("read", func() (err error) { r, err = f.Ledger.Read(ctx, customer); return err })
	return r, err
}

func newFrailDesk(t *testing.T) (*desk, *frail) {
	t.Helper()
	d := newDesk(t)
	stores := &frail{Codes: &d.codes, Ledger: &d.ledger}
	config := d.config()
	config.Codes, config.Ledger = stores, stores
	var err error
	if d.Service, err = otp.New(config); err != nil {
		t.Fatal(err)
	}
	return d, stores
}

// Each store operation fails, before its effect and after it. Nobody gets in,
// no SMS leaves, and when the store is back the customer gets on.
func TestOutages(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, operation := range []string{"put", "update"} {
			t.Run(fmt.Sprintf("issue, %s fails, after its effect: %v", operation, after), func(t *testing.T) {
				d, stores := newFrailDesk(t)
				stores.fails, stores.after = operation, after
				if _, err := d.Issue(t.Context(), forRefund(t, "r1")); !errors.Is(err, otp.ErrUnavailable) {
					t.Fatalf("Issue: %v", err)
				}
				if len(d.phone.Messages()) != 0 {
					t.Error("an SMS was sent for a challenge that may not exist")
				}
				stores.fails = ""
				in := forRefund(t, "r2")
				c := d.issue(t, in)
				d.want(t, attempt(in, c, d.phone.Code()), nil)
			})
		}
		for _, operation := range []string{"read", "check", "update"} {
			t.Run(fmt.Sprintf("verify, %s fails, after its effect: %v", operation, after), func(t *testing.T) {
				d, stores := newFrailDesk(t)
				in := forProfile(t)
				c := d.issue(t, in)
				d.wantWrong(t, attempt(in, c, otptest.WrongCode(d.phone.Code())), 2)
				stores.fails, stores.after = operation, after
				d.want(t, attempt(in, c, otptest.WrongCode(d.phone.Code())), otp.ErrUnavailable)
				right := attempt(in, c, d.phone.Code())
				if operation == "update" { // the failures stay, and the customer has their proof
					d.want(t, right, nil)
				} else {
					d.want(t, right, otp.ErrUnavailable)
				}
				stores.fails = ""
				if used := operation == "update" || operation == "check" && after; used {
					d.want(t, right, otp.ErrUsed)
				} else {
					d.want(t, right, nil)
				}
				in = forRefund(t, "r1") // a new code always works
				d.want(t, attempt(in, d.issue(t, in), d.phone.Code()), nil)
			})
			t.Run(fmt.Sprintf("confirm, %s fails, after its effect: %v", operation, after), func(t *testing.T) {
				d, stores := newFrailDesk(t)
				in := forRefund(t, "r1")
				right := attempt(in, d.issue(t, in), d.phone.Code())
				stores.fails, stores.after = operation, after
				want := otp.ErrUnavailable
				if operation == "update" { // nothing is written for a right one
					want = nil
				}
				d.want(t, right, want)
				stores.fails = ""
				d.want(t, right, nil)
			})
		}
		for _, operation := range []string{"read", "find", "update", "renew"} {
			t.Run(fmt.Sprintf("resend, %s fails, after its effect: %v", operation, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d, stores := newFrailDesk(t)
					in := forRefund(t, "r1")
					c := d.issue(t, in)
					time.Sleep(time.Minute)
					stores.fails, stores.after = operation, after
					if _, err := d.Resend(t.Context(), "p01", "s1", c.ID, in.To, otp.Message{}); !errors.Is(err, otp.ErrUnavailable) {
						t.Fatalf("Resend: %v", err)
					}
					if len(d.phone.Messages()) != 1 {
						t.Error("an SMS was sent for a code that may not be stored")
					}
				})
			})
		}
	}
}

func TestDropOutage(t *testing.T) {
	d, stores := newFrailDesk(t)
	d.issue(t, forRefund(t, "r1"))
	for _, stores.fails = range []string{"find", "drop"} {
		if err := d.Drop(t.Context(), "p01", "s1"); !errors.Is(err, otp.ErrUnavailable) {
			t.Errorf("%s fails: %v", stores.fails, err)
		}
	}
}

// No route took it: the challenge is void, the SMS given back, the wait too.
func TestSMSNotSent(t *testing.T) {
	d := newDesk(t)
	in := forProfile(t)
	var tried []string
	d.phone.Answer = func(_ context.Context, id string) error {
		tried = append(tried, id)
		return fmt.Errorf("no route: %w", otp.ErrNotSent)
	}
	for range 20 { // more often than the budget allows messages
		if _, err := d.Issue(t.Context(), in); !errors.Is(err, otp.ErrSMS) || !errors.Is(err, otp.ErrNotSent) {
			t.Fatalf("Issue: %v", err)
		}
	}
	for _, id := range tried {
		if _, err := d.Find(t.Context(), "p01", "s1", id[:len(id)-len(":1")]); !errors.Is(err, otp.ErrGone) {
			t.Fatalf("a challenge outlived its SMS: %v", err)
		}
	}
	d.phone.Answer = nil
	c := d.issue(t, in)
	d.want(t, attempt(in, c, d.phone.Code()), nil)
}

// Silence is not failure: the code may be on its way, and it works.
func TestSMSSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.phone.Answer = func(ctx context.Context, _ string) error {
			<-ctx.Done() // as the provider that never answers
			return ctx.Err()
		}
		in, began := forProfile(t), time.Now()
		c := d.issue(t, in)
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("silence cost the customer %v, want 3s", took)
		}
		if _, err := d.Issue(t.Context(), in); !errors.Is(err, otp.ErrTooSoon) {
			t.Errorf("silence was given back: %v", err)
		}
		if _, err := d.Find(t.Context(), "p01", "s1", c.ID); err != nil {
			t.Errorf("silence voided the challenge: %v", err)
		}
	})
}

// A resend that reaches nobody kills the challenge: the old code is dead too.
func TestResendNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		in := forProfile(t)
		c := d.issue(t, in)
		old := d.phone.Code()
		time.Sleep(time.Minute)
		d.phone.Answer = func(context.Context, string) error { return otp.ErrNotSent }
		if _, err := d.Resend(t.Context(), "p01", "s1", c.ID, in.To, otp.Message{}); !errors.Is(err, otp.ErrSMS) {
			t.Fatalf("Resend: %v", err)
		}
		d.want(t, attempt(in, c, old), otp.ErrGone)
		d.phone.Answer = nil
		d.issue(t, in) // and the wait was given back
	})
}

// A customer who hangs up between comparison and ledger saves no failure.
func TestHangingUpSavesNoFailure(t *testing.T) {
	d := newDesk(t)
	ctx, hangUp := context.WithCancel(t.Context())
	config := d.config()
	config.Codes = hangingUp{&d.codes, hangUp}
	service, err := otp.New(config)
	if err != nil {
		t.Fatal(err)
	}
	in := forProfile(t)
	c := d.issue(t, in)
	if err := service.Verify(ctx, attempt(in, c, otptest.WrongCode(d.phone.Code()))); !errors.Is(err, otp.ErrWrong) {
		t.Errorf("Verify: %v", err)
	}
	if ctx.Err() == nil || d.failures(t) != 1 {
		t.Errorf("%d failures on record, want 1", d.failures(t))
	}
}

// hangingUp cancels the caller as soon as the codes were compared.
type hangingUp struct {
	otp.Codes
	hangUp context.CancelFunc
}

func (h hangingUp) Check(ctx context.Context, g otp.Guess) (otp.Verdict, error) {
	defer h.hangUp()
	return h.Codes.Check(ctx, g)
}
