package postgres

import (
	"testing"

	"github.com/istirdad/istirdad/gateway/storetest"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/otptest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Store { s, _ := newStore(t); return s })
}

func TestLedgerContract(t *testing.T) {
	otptest.RunLedger(t, func(t *testing.T) otp.Ledger { s, _ := newStore(t); return s })
}
