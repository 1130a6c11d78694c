package postgres

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/internal/faultnet"
	"github.com/istirdad/istirdad/internal/pgtest"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/internal/seal"
	"github.com/istirdad/istirdad/otp"
)

func TestNothingClearInTheDatabase(t *testing.T) {
	s, db := newStore(t)
	mustAccept(t, s, fixture(1))
	dump := strings.Join(column(t, shell(t, db.Owner), `SELECT encode(payer_number || beneficiary_number || to_iban, 'escape') || refunds::text FROM refunds
		UNION ALL SELECT events::text FROM events UNION ALL SELECT ledger::text FROM ledger`), "\n")
	for _, secret := range []string{payerClear, beneficiaryClear, accountClear, fixture(1).To.Compact()} {
		if strings.Contains(dump, secret) {
			t.Errorf("the database holds %s in clear", secret)
		}
	}
	if !strings.Contains(dump, fixture(1).Payment.RequestID) {
		t.Error("the scan finds nothing, not even what is clear")
	}
}

func TestSealedInPlace(t *testing.T) {
	log, heard := listen()
	db := server.Database(t)
	s := openStore(t, db.App, Options{Log: log}, patient, nil)
	one, two := mustAccept(t, s, fixture(1)), mustAccept(t, s, fixture(2))
	conn := shell(t, db.Owner)
	mustExec(t, conn, `ALTER TABLE refunds DISABLE TRIGGER refunds_fixed`)
	mustExec(t, conn, `UPDATE refunds SET to_iban = (SELECT to_iban FROM refunds WHERE id = 'r-2') WHERE id = 'r-1'`) // another row
	mustExec(t, conn, `UPDATE refunds SET payer_number = beneficiary_number WHERE id = 'r-2'`)                        // another column
	for _, id := range []string{one.ID, two.ID} {
		if _, err := s.Lookup(t.Context(), id); !errors.Is(err, seal.ErrSealed) {
			t.Errorf("refund %s with a value from elsewhere: %v", id, err)
		}
	}
	// One that can't be read keeps no other from being claimed.
	three := mustAccept(t, s, fixture(3))
	got, err := s.Claim(t.Context(), start.Add(time.Minute), dispatch.Claim{
		States: []gateway.State{gateway.Queued}, Limit: 1,
		Take: func(r gateway.Refund) (gateway.Change, error) { return r.Lease(start.Add(time.Hour)), nil },
	})
	if err != nil || len(got) != 1 || got[0].ID != three.ID {
		t.Errorf("claimed %v, %v", got, err)
	}
	if !strings.Contains(heard.String(), "refund=r-1") || !strings.Contains(heard.String(), "refund=r-2") {
		t.Errorf("log: %s", heard)
	}
}

func TestBlindIndex(t *testing.T) {
	s, db := newStore(t)
	mustAccept(t, s, fixture(1))
	sealer := testSealer(t, "k1")
	found := column(t, shell(t, db.App), `SELECT id FROM refunds WHERE payer_index = $1 AND to_iban_index = $2`,
		sealer.BlindIndex("refunds.payer_number", payerClear), sealer.BlindIndex("refunds.to_iban", fixture(1).To.Compact()))
	if len(found) != 1 {
		t.Errorf("found by blind index: %v", found)
	}
}

func TestOpenWantsASealer(t *testing.T) {
	if _, err := Open(t.Context(), server.Database(t).App, nil, Options{}); err == nil {
		t.Error("opened without a sealer")
	}
}

func TestEach(t *testing.T) {
	s, _ := newStore(t)
	var want []string
	for n := range 5 {
		want = append(want, mustAccept(t, s, fixture(n)).ID)
	}
	for _, page := range []int{1, 2, 4, 5, 6} {
		var got []string
		err := s.each(t.Context(), page, func(r gateway.Refund) error {
			got = append(got, r.ID)
			_, err := s.Events(t.Context(), r.ID) // a visitor may ask the store for more
			return err
		})
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("visited by pages of %d: %v\n%s", page, err, diff)
		}
	}
	enough := errors.New("enough")
	if err := s.Each(t.Context(), func(gateway.Refund) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("Each: %v, want the visitor's error", err)
	}
}

// TestStates: where refunds stand can be read by whoever can't read whose they are.
func TestStates(t *testing.T) {
	s, db := newStore(t)
	want := map[string]gateway.State{}
	for n := range 5 {
		r := mustAccept(t, s, fixture(n))
		want[r.ID+" "+r.Reference] = r.State
	}
	stranger, err := seal.New("other", bytes.Repeat([]byte("o"), seal.MasterLen))
	if err != nil {
		t.Fatal(err)
	}
	blind, err := Open(t.Context(), db.App, stranger, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = blind.Close() })
	got := map[string]gateway.State{}
	err = blind.States(t.Context(), func(id, reference string, state gateway.State) error {
		got[id+" "+reference] = state
		return nil
	})
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("States: %v\n%s", err, diff)
	}
	if err := blind.Each(t.Context(), func(gateway.Refund) error { return nil }); err == nil {
		t.Error("a stranger read whose refunds they are")
	}
}

// TestTwoGateways has two stores on one database: what must have one winner has one over both.
func TestTwoGateways(t *testing.T) {
	one, db := newStore(t)
	stores := []*Store{one, openStore(t, db.App, Options{}, patient, nil)}
	var (
		callers           sync.WaitGroup
		accepted, refused atomic.Int64
	)
	for n := range 64 {
		callers.Go(func() {
			a := fixture(n) // of a customer of its own, so that no day's row keeps them apart
			a.Payment.RequestID = fixture(n % 8).Payment.RequestID
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
}

// TestSameIDOnTwoDays has one preview confirmed many times around midnight: no day's row keeps them apart.
func TestSameIDOnTwoDays(t *testing.T) {
	s, _ := newStore(t)
	midnight := saudi.Date{Year: 2026, Month: time.March, Day: 9}.At(0, 0)
	var callers sync.WaitGroup
	var first atomic.Int64
	for n := range 32 {
		callers.Go(func() {
			a := fixture(1)
			a.At = midnight.Add(time.Duration(n%2*2-1) * time.Second)
			switch r, was, err := s.Accept(t.Context(), a); {
			case err != nil || r.ID != a.ID:
				t.Errorf("Accept: %v", err)
			case was:
				first.Add(1)
			}
		})
	}
	callers.Wait()
	one, err := s.Spent(t.Context(), "c-1", saudi.DateOf(midnight))
	two, err2 := s.Spent(t.Context(), "c-1", saudi.DateOf(midnight.Add(-time.Second)))
	if first.Load() != 1 || err != nil || err2 != nil || one+two != fixture(1).Payment.Amount {
		t.Errorf("%d times the first, spent %s and %s, %v, %v", first.Load(), one, two, err, err2)
	}
}

func TestUnchangedRecordIsNotWritten(t *testing.T) {
	s, db := newStore(t)
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
	if got := column(t, shell(t, db.Owner), `SELECT to_char(updated_at AT TIME ZONE 'UTC', 'HH24:MI') FROM ledger`)[0]; got != "06:10" {
		t.Errorf("updated at %s", got)
	}
}

func TestReset(t *testing.T) {
	s, db := newStore(t)
	for range 2 {
		c, err := mustAccept(t, s, fixture(1)).Cancel(gateway.Dispatcher(start, nil), "withdrawn")
		mustApply(t, s, c, err)
		if first, err := s.Seen(t.Context(), "evt", start); err != nil || !first {
			t.Fatal(first, err)
		}
		if err := s.End(t.Context(), start, "sid", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := Reset(t.Context(), db.Owner); err != nil {
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
	mustAccept(t, s, fixture(1))
	if _, err := shell(t, db.Owner).Exec(t.Context(), `DELETE FROM events`); err == nil {
		t.Error("after Reset events can be deleted")
	}
	if err := Reset(t.Context(), db.App); err == nil || !strings.Contains(err.Error(), "must be owner") {
		t.Errorf("the gateway's role resets: %v", err)
	}
}

func TestCreateSchema(t *testing.T) {
	t.Parallel()
	s, db := newStore(t)
	mustAccept(t, s, fixture(1))
	var urls []string
	for range 2 {
		url, drop, err := CreateSchema(t.Context(), db.Owner+"&search_path=public&options=-cwork_mem%3D5MB")
		if err != nil {
			t.Fatal(err)
		}
		urls = append(urls, url)
		if err := Migrate(t.Context(), url, MigrateOptions{Grant: pgtest.App}); err != nil {
			t.Fatal(err)
		}
		own := openStore(t, url, Options{}, patient, nil)
		if n := len(mustEach(t, own)); n != 0 {
			t.Errorf("%d refunds in a new schema", n)
		}
		mustAccept(t, own, fixture(1))
		if got := column(t, shell(t, url), `SELECT current_setting('work_mem')`)[0]; got != "5MB" {
			t.Errorf("work_mem %s", got)
		}
		// The gateway's role works in it by the same search path.
		mustAccept(t, openStore(t, strings.Replace(url, pgtest.Owner, pgtest.App, 1), Options{RequireRestricted: true}, patient, nil), fixture(2))
		if err := Reset(t.Context(), url); err != nil {
			t.Error(err)
		}
		defer func() {
			if err := drop(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := Open(t.Context(), url, testSealer(t, "k1"), Options{}); !errors.Is(err, ErrSchemaOlder) {
				t.Errorf("Open after drop: %v", err)
			}
		}()
	}
	if urls[0] == urls[1] {
		t.Error("the same schema twice")
	}
	if n := len(mustEach(t, s)); n != 1 {
		t.Errorf("%d refunds in the first schema", n)
	}
}

func TestCheckSeesAStandby(t *testing.T) {
	s := openStore(t, server.Database(t).App, Options{ClaimPool: 1}, patient, nil)
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	// As far as a session can tell, a server that takes no writes is a standby.
	if err := s.dispatch.each(t.Context(), `SET default_transaction_read_only = on`, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "takes no writes") {
		t.Errorf("Check: %v", err)
	}
}

// TestSeveralHosts names hosts of which one is dead and one takes no writes.
func TestSeveralHosts(t *testing.T) {
	t.Parallel()
	standby, primary := pgtest.Start(t, migrated), pgtest.Start(t, migrated)
	db := standby.Database(t)
	if other := primary.Database(t); other.Name != db.Name {
		t.Fatalf("databases %s and %s", db.Name, other.Name)
	}
	if _, err := standby.SQL("postgres", "ALTER DATABASE "+db.Name+" SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
	dead := faultnet.StartTest(t, standby.Addr())
	dead.Refuse()
	for _, attrs := range []string{"", "&target_session_attrs=read-write"} {
		url := strings.Replace(db.App, standby.Addr(), dead.Addr()+","+standby.Addr()+","+primary.Addr(), 1) + attrs
		s := openStore(t, url, Options{}, patient, nil)
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
		if got := column(t, shell(t, primary.URL(pgtest.App, db.Name)), `SELECT count(*)::text FROM pg_stat_activity WHERE application_name = 'istirdad main'`)[0]; got == "0" {
			t.Error("the store isn't at the primary")
		}
	}
}

func TestCloseEndsEverything(t *testing.T) {
	db := server.Database(t)
	running := goleak.IgnoreCurrent()
	s, err := Open(t.Context(), db.App, testSealer(t, "k1"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	mustAccept(t, s, fixture(1))
	if _, err := s.Reference(t.Context(), "x"); !errors.Is(err, gateway.ErrNotFound) {
		t.Error(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	goleak.VerifyNone(t, running)
	if _, _, err := s.Accept(t.Context(), fixture(2)); err == nil {
		t.Error("accepted after Close")
	}
	if _, err := s.Lookup(t.Context(), "r-1"); err == nil {
		t.Error("read after Close")
	}
	if err := s.Check(t.Context()); err == nil {
		t.Error("well after Close")
	}
}
