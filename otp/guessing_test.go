package otp_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/otptest"
)

// A hundred challenges of three guesses each are still five guesses.
func TestBlockedAtFiveWhateverIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		compared, locked := 0, 0
		for i := range 100 {
			in := forRefund(t, fmt.Sprint(i))
			c, err := d.Issue(t.Context(), in)
			if errors.Is(err, otp.ErrLocked) {
				locked++
				continue
			} else if err != nil {
				t.Fatal(err)
			}
			for try := range 4 {
				err := d.Verify(t.Context(), attempt(in, c, otptest.WrongCode(d.phone.Code())))
				switch {
				case errors.Is(err, otp.ErrWrong):
					compared++
				case errors.Is(err, otp.ErrGone), errors.Is(err, otp.ErrLocked):
				default:
					t.Fatal(err)
				}
				if try == 0 {
					time.Sleep(61 * time.Second)
					_, _ = d.Resend(t.Context(), "p01", "s1", c.ID, in.To, otp.Message{})
				}
			}
			d.codes.Flush() // nor does losing the store help
		}
		if compared != 5 || locked != 98 {
			t.Errorf("%d codes compared and %d challenges refused, want 5 and 98", compared, locked)
		}
	})
}

func TestLocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		one, two := forRefund(t, "r1"), forRefund(t, "r2")
		c := d.issue(t, one)
		for left := 2; left >= 0; left-- {
			d.wantWrong(t, attempt(one, c, otptest.WrongCode(d.phone.Code())), left)
		}
		c = d.issue(t, two)
		if c.AttemptsLeft != 2 { // fewer failures are left before a block than tries
			t.Fatalf("%d attempts left, want 2", c.AttemptsLeft)
		}
		d.wantWrong(t, attempt(two, c, otptest.WrongCode(d.phone.Code())), 1)
		d.wantWrong(t, attempt(two, c, otptest.WrongCode(d.phone.Code())), 0)

		// Locked comes before gone, everywhere, and for the right code too.
		err := d.Verify(t.Context(), attempt(two, c, d.phone.Code()))
		if locked, ok := errors.AsType[*otp.LockedError](err); !ok || locked.RetryAfter != 30*time.Minute {
			t.Fatalf("Verify: %v", err)
		}
		for what, ask := range map[string]func() error{
			"verify": func() error { return d.Verify(t.Context(), attempt(one, otp.Challenge{ID: "unknown"}, "000000")) },
			"find":   func() error { _, err := d.Find(t.Context(), "p01", "s1", "unknown"); return err },
			"resend": func() error {
				_, err := d.Resend(t.Context(), "p01", "s1", "unknown", one.To, otp.Message{})
				return err
			},
			"issue": func() error { _, err := d.Issue(t.Context(), forRefund(t, "r3")); return err },
		} {
			if err := ask(); !errors.Is(err, otp.ErrLocked) {
				t.Errorf("%s: %v, want ErrLocked", what, err)
			}
		}
		time.Sleep(30 * time.Minute)
		three := forProfile(t)
		c = d.issue(t, three)
		d.want(t, attempt(three, c, d.phone.Code()), nil)
		if d.failures(t) != 0 {
			t.Error("success did not clear the failures")
		}
	})
}

func TestAboutToClose(t *testing.T) {
	d := newDesk(t)
	set := func(failures int) {
		_, err := d.ledger.Update(t.Context(), time.Now(), "p01", func(r otp.Record) (otp.Record, error) {
			r.Standing = otp.Standing{Failures: failures}
			return r, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	set(27)
	in := forRefund(t, "r1")
	c := d.issue(t, in)
	for _, want := range []bool{false, true, false} { // the 28th, 29th, 30th
		err := d.Verify(t.Context(), attempt(in, c, otptest.WrongCode(d.phone.Code())))
		if wrong, ok := errors.AsType[*otp.WrongError](err); !ok || wrong.AboutToClose != want {
			t.Fatalf("%+v, want about to close: %v", err, want)
		}
	}
	err := d.Verify(t.Context(), attempt(in, c, d.phone.Code()))
	if locked, ok := errors.AsType[*otp.LockedError](err); !ok || !locked.Closed {
		t.Fatalf("after 30: %v", err)
	}
}

func TestSixtyFourRightCodesAtOnce(t *testing.T) {
	d := newDesk(t)
	in := forProfile(t)
	c := d.issue(t, in)
	if ok, others := atOnce(t, 64, otp.ErrUsed, func() error { return d.Verify(t.Context(), attempt(in, c, d.phone.Code())) }); ok != 1 || others != 63 {
		t.Errorf("%d right and %d used, want 1 and 63", ok, others)
	}
}

// The same refund's confirm may go on however often; accepting once is the
// accepting transaction's business.
func TestSixtyFourConfirmsAtOnce(t *testing.T) {
	d := newDesk(t)
	in := forRefund(t, "r1")
	c := d.issue(t, in)
	if ok, _ := atOnce(t, 64, otp.ErrUsed, func() error { return d.Verify(t.Context(), attempt(in, c, d.phone.Code())) }); ok != 64 {
		t.Errorf("%d went on, want 64", ok)
	}
}

func TestTwoHundredWrongCodesAtOnce(t *testing.T) {
	d := newDesk(t)
	in := forProfile(t)
	c := d.issue(t, in)
	wrong := otptest.WrongCode(d.phone.Code())
	var mu sync.Mutex
	compared := 0
	_, gone := atOnce(t, 200, otp.ErrGone, func() error {
		err := d.Verify(t.Context(), attempt(in, c, wrong))
		if errors.Is(err, otp.ErrWrong) {
			mu.Lock()
			defer mu.Unlock()
			compared++
			return otp.ErrGone
		}
		return err
	})
	if compared != 3 || gone != 200 || d.failures(t) != 3 {
		t.Errorf("%d compared, %d on record, %d refused, want 3, 3, 200", compared, d.failures(t), gone)
	}
}

// atOnce calls f from n goroutines together; each must return nil or other.
func atOnce(t *testing.T, n int, other error, f func() error) (ok, others int) {
	t.Helper()
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		gate = make(chan struct{})
	)
	for range n {
		wg.Go(func() {
			<-gate
			err := f()
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				ok++
			case errors.Is(err, other):
				others++
			default:
				t.Errorf("unexpected: %v", err)
			}
		})
	}
	close(gate)
	wg.Wait()
	return ok, others
}
