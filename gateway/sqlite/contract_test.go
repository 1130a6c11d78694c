package sqlite

import (
	"testing"

	"github.com/istirdad/istirdad/gateway/storetest"
	"github.com/istirdad/istirdad/internal/seal"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/otptest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store { s, _ := newStore(t); return s })
}

func TestRotationContract(t *testing.T) {
	storetest.RunRotation(t, func(t *testing.T) func(*seal.Sealer) storetest.Store {
		s, path := newStore(t)
		return func(keys *seal.Sealer) storetest.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = reopen(t, path, keys)
			return s
		}
	})
}

func TestLedgerContract(t *testing.T) {
	otptest.RunLedger(t, func(t *testing.T) otp.Ledger { s, _ := newStore(t); return s })
}
