package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/internal/seal"
	"github.com/istirdad/istirdad/otp"
)

var (
	byParty = cmp.Comparer(func(a, b saudi.Party) bool { return a == b })
	byIBAN  = cmp.Comparer(func(a, b saudi.IBAN) bool { return a == b })
)

func TestReopenKeepsEverything(t *testing.T) {
	s, path := newStore(t)
	r := mustAccept(t, s, acceptance(1))
	c, err := r.Send(gateway.Dispatcher(start.Add(time.Second), gateway.Evidence{"cause": "x"}), time.Minute)
	if err == nil {
		err = s.Apply(t.Context(), c)
	}
	if err != nil {
		t.Fatal(err)
	}
	record := otp.Record{Standing: otp.Standing{Failures: 3}}
	if _, err := s.Update(t.Context(), start, "c-1", func(otp.Record) (otp.Record, error) { return record, nil }); err != nil {
		t.Fatal(err)
	}
	if first, err := s.Seen(t.Context(), "evt", start); err != nil || !first {
		t.Fatal(first, err)
	}
	if err := s.End(t.Context(), start, "sid", start.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	before, err := s.Events(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the WAL after Close: %v", err)
	}

	again := reopen(t, path, testSealer(t, "k1"))
	got, err := again.Lookup(t.Context(), r.ID)
	if diff := cmp.Diff(c.Refund(), got, byParty, byIBAN); diff != "" || err != nil {
		t.Errorf("refund: %v\n%s", err, diff)
	}
	after, err := again.Events(t.Context(), r.ID)
	if diff := cmp.Diff(before, after); diff != "" || err != nil {
		t.Errorf("events: %v\n%s", err, diff)
	}
	if got, err := again.Read(t.Context(), "c-1"); err != nil || !got.Equal(record) {
		t.Errorf("record: %+v, %v", got, err)
	}
	if first, err := again.Seen(t.Context(), "evt", start); err != nil || first {
		t.Errorf("callback: first %t, %v", first, err)
	}
	if ended, err := again.Ended(t.Context(), "sid"); err != nil || !ended {
		t.Errorf("session: ended %t, %v", ended, err)
	}
	if spent, err := again.Spent(t.Context(), "c-1", saudi.DateOf(start)); err != nil || spent != r.Payment.Amount {
		t.Errorf("spent: %s, %v", spent, err)
	}
}

func TestOpenRefusesAnotherSchema(t *testing.T) {
	s, path := newStore(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db := shell(t, path)
	set := func(statement string) {
		t.Helper()
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	open := func(o Options, want error) {
		t.Helper()
		s, err := Open(t.Context(), path, testSealer(t, "k1"), o)
		if err == nil {
			err = s.Close()
		}
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("Open: %v, want %v", err, want)
		}
	}
	open(Options{}, nil)
	set(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	open(Options{}, ErrSchemaNewer)
	open(Options{Migrate: true}, ErrSchemaNewer)
	set(`DELETE FROM goose_db_version WHERE version_id > 0`)
	open(Options{}, ErrSchemaOlder)
	set(`DROP TABLE goose_db_version`)
	open(Options{}, ErrSchemaOlder)
}

func TestOpenCreatesOnlyWhenItMay(t *testing.T) {
	// A name that would end the path in a URI, or begin its parameters.
	path := filepath.Join(t.TempDir(), "a b?c#d%20e.db")
	if s, err := Open(t.Context(), path, testSealer(t, "k1"), Options{}); err == nil {
		_ = s.Close()
		t.Error("opened a file that isn't there")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file after a refusal: %v", err)
	}
	s, err := Open(t.Context(), path, testSealer(t, "k1"), Options{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	mustAccept(t, s, acceptance(1))
	for _, file := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s: mode %o", filepath.Base(file), mode)
		}
	}
	if _, err := Open(t.Context(), path, nil, Options{}); err == nil {
		t.Error("opened without a sealer")
	}
}

// TestDurability asks the connections themselves: a DSN with a typing error would be silent about it.
func TestDurability(t *testing.T) {
	s, _ := newStore(t)
	for pragma, want := range map[string]string{
		`PRAGMA journal_mode`: "wal", `PRAGMA synchronous`: "2", `PRAGMA foreign_keys`: "1", `PRAGMA busy_timeout`: "5000",
	} {
		var got string
		err := s.writer.write(t.Context(), func(ctx context.Context, tx *session) error { return tx.one(ctx, pragma, nil, into(&got)) })
		if err != nil || got != want {
			t.Errorf("the writer's %s = %s, want %s (%v)", pragma, got, want, err)
		}
	}
	if err := s.queries.exec(t.Context(), `DELETE FROM ledger`); err == nil {
		t.Error("a reader may write")
	}
}

func TestNothingClearInTheFile(t *testing.T) {
	s, path := newStore(t)
	mustAccept(t, s, acceptance(1))
	planted := [][]byte{[]byte(payerClear), []byte(beneficiaryClear), []byte(accountClear), []byte(acceptance(1).To.Compact())}
	control := []byte(acceptance(1).Payment.RequestID)
	found := false
	for _, file := range []string{path, path + "-wal"} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, secret := range planted {
			if bytes.Contains(content, secret) {
				t.Errorf("%s holds planted value %d in clear", filepath.Base(file), i)
			}
		}
		found = found || bytes.Contains(content, control)
	}
	if !found {
		t.Error("the scan finds nothing, not even what is clear")
	}
}

func TestSealedInPlace(t *testing.T) {
	s, path := newStore(t)
	one, two := mustAccept(t, s, acceptance(1)), mustAccept(t, s, acceptance(2))
	db := shell(t, path)
	for _, statement := range []string{
		`UPDATE refunds SET to_iban = (SELECT to_iban FROM refunds WHERE id = 'r-2') WHERE id = 'r-1'`, // another row
		`UPDATE refunds SET payer_number = beneficiary_number WHERE id = 'r-2'`,                        // another column
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{one.ID, two.ID} {
		if _, err := s.Lookup(t.Context(), id); !errors.Is(err, seal.ErrSealed) {
			t.Errorf("refund %s with a value from elsewhere: %v", id, err)
		}
	}
	// One that can't be read keeps no other from being claimed.
	three := mustAccept(t, s, acceptance(3))
	got, err := s.Claim(t.Context(), start.Add(time.Minute), dispatch.Claim{
		States: []gateway.State{gateway.Queued}, Limit: 1,
		Take: func(r gateway.Refund) (gateway.Change, error) { return r.Lease(start.Add(time.Hour)), nil },
	})
	if err != nil || len(got) != 1 || got[0].ID != three.ID {
		t.Errorf("claimed %v, %v", got, err)
	}
}

func TestBlindIndex(t *testing.T) {
	s, _ := newStore(t)
	mustAccept(t, s, acceptance(1))
	sealer := testSealer(t, "k1")
	var n int
	err := s.queries.one(t.Context(), `SELECT count(*) FROM refunds WHERE payer_index = ? AND to_iban_index = ?`, []any{
		sealer.BlindIndex("refunds.payer_number", payerClear), sealer.BlindIndex("refunds.to_iban", acceptance(1).To.Compact()),
	}, into(&n))
	if err != nil || n != 1 {
		t.Errorf("%d refunds found by blind index, %v", n, err)
	}
}

func TestEach(t *testing.T) {
	s, _ := newStore(t)
	want := map[string]bool{}
	for n := range 5 {
		want[mustAccept(t, s, acceptance(n)).ID] = true
	}
	got := map[string]bool{}
	err := s.Each(t.Context(), func(r gateway.Refund) error {
		got[r.ID] = true
		_, err := s.Events(t.Context(), r.ID) // a visitor may ask the store for more
		return err
	})
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("visited: %v\n%s", err, diff)
	}
	if err := s.Each(t.Context(), func(gateway.Refund) error { return errDisk }); !errors.Is(err, errDisk) {
		t.Errorf("Each: %v, want the visitor's error", err)
	}
}

// TestTwoProcesses has two stores on one file, as the gateway and an operator's tool would: what must have one winner
// has one over both.
func TestTwoProcesses(t *testing.T) {
	one, path := newStore(t)
	stores := []*Store{one, reopen(t, path, testSealer(t, "k1"))}
	var (
		callers           sync.WaitGroup
		accepted, refused atomic.Int64
	)
	for n := range 64 {
		callers.Go(func() {
			a := acceptance(n)
			a.Payment.RequestID = fmt.Sprintf("REQ-%d", n%8)
			switch _, _, err := stores[n/8%2].Accept(t.Context(), a); {
			case err == nil:
				accepted.Add(1)
			case errors.Is(err, gateway.ErrRefundExists):
				refused.Add(1)
			default:
				t.Errorf("Accept: %v", err)
			}
		})
	}
	callers.Wait()
	if accepted.Load() != 8 || refused.Load() != 56 {
		t.Errorf("%d accepted, %d refused", accepted.Load(), refused.Load())
	}
	for i, s := range stores {
		if counts, _, err := s.Counts(t.Context()); err != nil || counts[gateway.Queued] != 8 {
			t.Errorf("store %d: %v, %v", i, counts, err)
		}
	}
}

func TestUnchangedRecordIsNotWritten(t *testing.T) {
	s, _ := newStore(t)
	keep := func(at time.Time, failures int) {
		t.Helper()
		_, err := s.Update(t.Context(), at, "c-1", func(r otp.Record) (otp.Record, error) {
			r.Failures = failures
			return r, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	keep(start, 1)
	keep(start.Add(time.Hour), 1)
	var updated int64
	err := s.queries.one(t.Context(), `SELECT updated_at FROM ledger`, nil, into(&updated))
	if err != nil || updated != start.UnixMicro() {
		t.Errorf("updated at %d, want %d (%v)", updated, start.UnixMicro(), err)
	}
}

func TestReset(t *testing.T) {
	s, path := newStore(t)
	for range 2 {
		mustAccept(t, s, acceptance(1))
		if first, err := s.Seen(t.Context(), "evt", start); err != nil || !first {
			t.Fatal(first, err)
		}
		if err := s.End(t.Context(), start, "sid", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := s.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		if ended, err := s.Ended(t.Context(), "sid"); err != nil || ended {
			t.Fatalf("after Reset: the session is ended: %t, %v", ended, err)
		}
		if counts, _, err := s.Counts(t.Context()); err != nil || len(counts) != 0 {
			t.Fatalf("after Reset: %v, %v", counts, err)
		}
		if spent, err := s.Spent(t.Context(), "c-1", saudi.DateOf(start)); err != nil || spent != 0 {
			t.Fatalf("after Reset: spent %s, %v", spent, err)
		}
	}
	mustAccept(t, s, acceptance(1))
	if _, err := shell(t, path).Exec(`DELETE FROM events`); err == nil {
		t.Error("after Reset events can be deleted")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	plain := reopen(t, path, testSealer(t, "k1"))
	if err := plain.Reset(t.Context()); !errors.Is(err, errNotResettable) {
		t.Errorf("Reset of a store that isn't a sandbox's: %v", err)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	running := goleak.IgnoreCurrent()
	s, _ := newStore(t)
	mustAccept(t, s, acceptance(1))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	goleak.VerifyNone(t, running)
	if _, _, err := s.Accept(t.Context(), acceptance(2)); err == nil {
		t.Error("accepted after Close")
	}
	if _, err := s.Lookup(t.Context(), "r-1"); err == nil {
		t.Error("read after Close")
	}
	if err := s.Check(t.Context()); err == nil {
		t.Error("well after Close")
	}
}
