package postgres

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/pgtest"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/internal/seal"
)

// migrated has each test's database hold our schema.
var migrated = pgtest.Template(func(ctx context.Context, owner string) error {
	return Migrate(ctx, owner, MigrateOptions{Grant: pgtest.App})
})

// server serves all tests that don't break it. Its time zone is one that nobody may notice.
var server = pgtest.NewShared(migrated, pgtest.Setting("timezone", "Asia/Riyadh"))

func TestMain(m *testing.M) { os.Exit(server.Main(m)) }

var start = time.Date(2026, time.March, 8, 6, 10, 0, 0, time.UTC)

func testSealer(t testing.TB, id string) *seal.Sealer {
	t.Helper()
	sealer, err := seal.New(id, bytes.Repeat([]byte(id[:1]), seal.MasterLen))
	if err != nil {
		t.Fatal(err)
	}
	return sealer
}

// patient has crowds wait for their turn: what a test wants to know of them isn't how busy this machine is.
var patient = limits{acquire: time.Minute, write: time.Minute, settle: settleTime}

// newStore opens an empty store as the restricted role, as production does.
func newStore(t testing.TB) (*Store, pgtest.Database) {
	t.Helper()
	db := server.Database(t)
	return openStore(t, db.App, Options{RequireRestricted: true, Pool: 8, ClaimPool: 4}, patient, nil), db
}

// openStore opens a store that is closed with the test.
func openStore(t testing.TB, url string, o Options, l limits, between func(*pgxpool.Config)) *Store {
	t.Helper()
	s, err := open(t.Context(), url, testSealer(t, "k1"), o, l, between)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// shell is somebody else's connection, with nothing of ours.
func shell(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func mustExec(t testing.TB, conn *pgx.Conn, statement string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// listen is a log that a test can read.
func listen() (*slog.Logger, *bytes.Buffer) {
	var text bytes.Buffer
	return slog.New(slog.NewTextHandler(&text, nil)), &text
}

const (
	payerClear       = "1000000008"
	beneficiaryClear = "2000000006"
	accountClear     = "608010167519999"
)

func fixture(n int) gateway.Acceptance {
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
		Origin: gateway.Origin{Customer: fmt.Sprintf("c-%d", n), Session: "s", Client: "app", Channel: gateway.Online},
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

func mustApply(t testing.TB, s *Store, c gateway.Change, err error) gateway.Refund {
	t.Helper()
	if err == nil {
		err = s.Apply(t.Context(), c)
	}
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	return c.Refund()
}
