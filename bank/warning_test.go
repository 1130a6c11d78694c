package bank_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/otptest"
)

// TestWarnedBeforeTheClosing: the wrong code before the last one is told to the phone's owner, who may not be whoever is
// guessing, and a warning that can't be sent changes nothing of what the guesser hears.
func TestWarnedBeforeTheClosing(t *testing.T) {
	warned := func(w *world) bool {
		return slices.ContainsFunc(w.phone.Messages(), func(m otp.Message) bool { return m.Kind == otp.AboutToBeBlocked })
	}
	for _, row := range []struct {
		name     string
		failures int
		trouble  string
		want     bool
	}{
		{"long before", 20, "", false},
		{"the last but one", otp.DefaultPolicy().CloseAt - 2, "", true},
		{"the bank can't be asked for the number", otp.DefaultPolicy().CloseAt - 2, "Customer", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.ledger.Update(t.Context(), time.Now(), caller.Subject, func(r otp.Record) (otp.Record, error) {
				r.Failures = row.failures
				return r, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			challenge, err := w.Challenge(t.Context(), caller, otp.Profile, "")
			if err != nil {
				t.Fatal(err)
			}
			if row.trouble != "" {
				w.set(row.trouble, context.DeadlineExceeded)
			}
			_, err = w.Verify(t.Context(), caller, challenge.ID, string(otptest.WrongCode(w.phone.Code())))
			if !errors.Is(err, otp.ErrWrong) {
				t.Fatalf("said %v, want a wrong code", err)
			}
			if warned(w) != row.want {
				t.Errorf("warned %t, want %t", warned(w), row.want)
			}
		})
	}
}
