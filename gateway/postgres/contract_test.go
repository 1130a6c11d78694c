package postgres

import (
	"testing"

	"github.com/istirdad/istirdad/gateway/storetest"
	"github.com/istirdad/istirdad/internal/pgtest"
	"github.com/istirdad/istirdad/internal/seal"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/otptest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Opened {
		s, db := newStore(t)
		return opened{s, db}
	})
}

// opened is a storetest.Opened.
type opened struct {
	*Store
	db pgtest.Database
}

func (o opened) Damage(t *testing.T, table, column, id string) {
	t.Helper()
	conn := shell(t, o.db.Owner)
	mustExec(t, conn, `ALTER TABLE `+table+` DISABLE TRIGGER USER`)
	mustExec(t, conn, `UPDATE `+table+` SET `+column+` = set_byte(`+column+`, length(`+column+`) - 1,
		get_byte(`+column+`, length(`+column+`) - 1) # 1) WHERE id = $1`, id)
	mustExec(t, conn, `ALTER TABLE `+table+` ENABLE TRIGGER USER`)
}

func TestRotationContract(t *testing.T) {
	t.Parallel()
	storetest.RunRotation(t, func(t *testing.T) func(*seal.Sealer) storetest.Store {
		db := server.Database(t) // whose stores are all open until the end, so they make do with few connections each
		return func(keys *seal.Sealer) storetest.Store {
			s, err := open(t.Context(), db.App, keys, Options{RequireRestricted: true, Pool: 2, ClaimPool: 2}, patient, nil)
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
