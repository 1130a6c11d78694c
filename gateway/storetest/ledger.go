package storetest

import (
	"errors"
	"testing"

	"github.com/istirdad/istirdad/otp"
)

// The whole contract of otp.Ledger is otptest's. Here is what a store of refunds must not lose beside it.
var ledgerTests = map[string]func(*testing.T, Store){
	"64 wrong codes at once are 64":       wrongCodesAtOnce,
	"an error of change leaves it as was": ledgerError,
}

func wrong(r otp.Record) (otp.Record, error) {
	r.Failures++
	return r, nil
}

func wrongCodesAtOnce(t *testing.T, s Store) {
	together(crowd, func(int) {
		if _, err := s.Update(t.Context(), start, customer, wrong); err != nil {
			t.Errorf("Update: %v", err)
		}
	})
	wantRecord(t, s, otp.Record{Standing: otp.Standing{Failures: crowd}})
}

func ledgerError(t *testing.T, s Store) {
	remember(t, s, wrongCodes)
	refusal := errors.New("refused")
	_, err := s.Update(t.Context(), start, customer, func(r otp.Record) (otp.Record, error) {
		r.Failures++
		return r, refusal
	})
	if err != refusal { //nolint:errorlint // the very error, not one around it
		t.Errorf("Update: %v", err)
	}
	wantRecord(t, s, wrongCodes)
}
