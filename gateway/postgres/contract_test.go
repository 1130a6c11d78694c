package postgres

import (
	"testing"

	"github.com/istirdad/istirdad/gateway/storetest"
	"github.com/istirdad/istirdad/internal/seal"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/otptest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Store { s, _ := newStore(t); return s })
}

func TestRotationContract(t *testing.T) {
	t.Parallel()
	storetest.RunRotation(t, func(t *testing.T) func(*seal.Sealer) storetest.Store {
		db := server.Database(t)
		return func(keys *seal.Sealer) storetest.Store {
			s, err := open(t.Context(), db.App, keys, Options{RequireRestricted: true}, patient, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return s
		}
	})
}

func TestLedgerContract(t *testing.T) {
	otptest.RunLedger(t, func(t *testing.T) otp.Ledger { s, _ := newStore(t); return s })
}
