package otptest_test

import (
	"testing"

	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/otptest"
)

// The fakes keep the contracts they stand in for.
func TestInMemory(t *testing.T) {
	t.Run("codes", func(t *testing.T) {
		otptest.RunCodes(t, func(*testing.T) otp.Codes { return new(otptest.Codes) })
	})
	t.Run("ledger", func(t *testing.T) {
		otptest.RunLedger(t, func(*testing.T) otp.Ledger { return new(otptest.Ledger) })
	})
}
