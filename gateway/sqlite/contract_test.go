package sqlite

import (
	"testing"

	"github.com/istirdad/istirdad/gateway/storetest"
	"github.com/istirdad/istirdad/internal/seal"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/otptest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Opened {
		s, path := newStore(t)
		return opened{s, path}
	})
}

// opened is a storetest.Opened.
type opened struct {
	*Store
	path string
}

func (o opened) Damage(t *testing.T, table, column, id string) {
	t.Helper()
	db := shell(t, o.path)
	for _, statement := range []string{
		`DROP TRIGGER IF EXISTS ` + table + `_unchanged`,
		`UPDATE ` + table + ` SET ` + column + ` = zeroblob(length(` + column + `)) WHERE id = '` + id + `'`,
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
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
