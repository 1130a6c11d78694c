package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/internal/seal"
)

var start = time.Date(2026, time.March, 8, 6, 10, 0, 0, time.UTC)

func testSealer(t testing.TB, id string) *seal.Sealer {
	t.Helper()
	sealer, err := seal.New(id, bytes.Repeat([]byte(id[:1]), seal.MasterLen))
	if err != nil {
		t.Fatal(err)
	}
	return sealer
}

// migrated is an empty store's file, made once: each test opens a copy of its own.
var migrated = sync.OnceValues(func() (file []byte, err error) {
	dir, err := os.MkdirTemp("", "istirdad")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	sealer, err := seal.New("k1", bytes.Repeat([]byte("k"), seal.MasterLen))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "empty.db")
	s, err := Open(context.Background(), path, sealer, Options{Migrate: true})
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// newStore opens an empty store and returns the path of its file.
func newStore(t testing.TB) (*Store, string) {
	t.Helper()
	file, err := migrated()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "istirdad.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), path, testSealer(t, "k1"), Options{Resettable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s, path
}

// reopen opens a store that is there already.
func reopen(t testing.TB, path string, sealer *seal.Sealer) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, sealer, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// shell is somebody else's connection to the file, with no pragma of ours.
func shell(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_busy_timeout=5000&_foreign_keys=1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

const (
	payerClear       = "1000000008"
	beneficiaryClear = "2000000006"
	accountClear     = "608010167519999"
)

func acceptance(n int) gateway.Acceptance {
	payer, err := saudi.NewParty(saudi.KindNationalID, payerClear)
	if err != nil {
		panic(err)
	}
	beneficiary, err := saudi.NewParty(saudi.KindIqama, beneficiaryClear)
	if err != nil {
		panic(err)
	}
	iban, err := saudi.NewIBAN("80", accountClear)
	if err != nil {
		panic(err)
	}
	return gateway.Acceptance{
		ID: fmt.Sprintf("r-%d", n), Bank: "80",
		Origin: gateway.Origin{Customer: "c-1", Session: "s", Client: "app", Channel: gateway.Online},
		Payment: gateway.Payment{
			RequestID: fmt.Sprintf("REQ-%d", n), Service: "090-003", Name: moi.Name{AR: "رسوم", EN: "Fee"}, Amount: 300_00,
			Payer: payer, Beneficiary: beneficiary,
		},
		To: iban, Challenge: fmt.Sprintf("ch-%d", n), At: start, Promised: saudi.DateOf(start),
		Rules: gateway.Rules{Limit: 1_000_000_000_00},
	}
}

func mustAccept(t testing.TB, s *Store, a gateway.Acceptance) gateway.Refund {
	t.Helper()
	r, first, err := s.Accept(t.Context(), a)
	if err != nil || !first {
		t.Fatalf("Accept: first %t, %v", first, err)
	}
	return r
}
