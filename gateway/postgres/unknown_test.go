package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/faultnet"
	"github.com/istirdad/istirdad/internal/pgtest"
	"github.com/istirdad/istirdad/otp"
)

// commits matches the requests that hold a transaction's COMMIT: it is bound by the name that pgx gave the statement.
func commits(request []byte) bool {
	digest := sha256.Sum256([]byte("commit"))
	return faultnet.Containing("\x00stmt_" + hex.EncodeToString(digest[:24]) + "\x00")(request)
}

// throughProxy opens a store whose connections go through a proxy, with little patience.
func throughProxy(t *testing.T, url string, target string) (*Store, *faultnet.Proxy) {
	t.Helper()
	proxy := faultnet.StartTest(t, target)
	s := openStore(t, strings.Replace(url, target, proxy.Addr(), 1), Options{},
		limits{acquire: 5 * time.Second, write: shortWrite, settle: settleTime}, nil)
	return s, proxy
}

const (
	shortWrite  = 250 * time.Millisecond
	shortSettle = 500 * time.Millisecond
)

// TestF34CommitReplyLost loses the request that holds a COMMIT, or its answer, in every way there is: what the store
// says is what the table holds, nothing is left open, and nothing is written twice.
func TestF34CommitReplyLost(t *testing.T) {
	faults := map[faultnet.Fault]bool{ // was it done?
		faultnet.ResetBefore: false, faultnet.SilentBefore: false,
		faultnet.ResetAfter: true, faultnet.SilentAfter: true, faultnet.ResetWithin: true,
	}
	server := server.Server(t)
	for fault, done := range faults {
		t.Run(fault.String(), func(t *testing.T) {
			t.Parallel()
			db := server.Database(t)
			s, proxy := throughProxy(t, db.App, server.Addr())
			mustAccept(t, s, fixture(100))
			held := mustAccept(t, s, awaiting(102))
			r := mustApply(t, s, mustAccept(t, s, fixture(101)).Lease(start.Add(time.Hour)), nil)
			move := func(r gateway.Refund) gateway.Change {
				c, err := r.Send(gateway.Dispatcher(start, nil), time.Minute)
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			r = mustApply(t, s, move(r), nil)
			fail := func(r otp.Record) (otp.Record, error) { r.Failures++; return r, nil }
			for range 2 {
				if _, err := s.Update(t.Context(), start, "c-ledger", fail); err != nil {
					t.Fatal(err)
				}
			}
			for name, write := range map[string]struct {
				do    func() error
				there func() bool
			}{
				"Accept": {
					func() error {
						got, first, err := s.Accept(t.Context(), fixture(1))
						if err == nil && (!first || got.ID != "r-1") {
							t.Errorf("Accept: %s, first %t", got.ID, first)
						}
						return err
					},
					func() bool { _, err := s.Lookup(t.Context(), "r-1"); return err == nil },
				},
				"a move": {
					func() error { return s.Apply(t.Context(), move(mustLookup(t, s, "r-100"))) },
					func() bool { return mustLookup(t, s, "r-100").State == gateway.Sending },
				},
				"a decision": {
					func() error {
						c, err := held.Approve(approver("a01"))
						if err != nil {
							t.Fatal(err)
						}
						return s.Apply(t.Context(), c)
					},
					func() bool {
						return mustLookup(t, s, "r-102").State == gateway.Queued && countEvents(t, s, "r-102") == 2
					},
				},
				"a lease": {
					func() error { return s.Apply(t.Context(), r.Lease(start.Add(2*time.Hour))) },
					func() bool { return mustLookup(t, s, "r-101").Version == r.Version+1 },
				},
				"Update": {
					func() error {
						got, err := s.Update(t.Context(), start, "c-ledger", fail)
						if err == nil && got.Failures != 3 {
							t.Errorf("Update: %+v", got)
						}
						return err
					},
					func() bool { got, err := s.Read(t.Context(), "c-ledger"); return err == nil && got.Failures == 3 },
				},
				"End": {
					func() error { return s.End(t.Context(), start, "sid", time.Now().Add(time.Hour)) },
					func() bool { ended, err := s.Ended(t.Context(), "sid"); return err == nil && ended },
				},
			} {
				lost := proxy.Once(commits, fault)
				err := write.do()
				select {
				case <-lost:
				default:
					t.Fatalf("%s: nothing was lost", name)
				}
				if (err == nil) != done || write.there() != done {
					t.Errorf("%s: %v, and it is there: %t; want done %t", name, err, write.there(), done)
				}
				if _, open := errors.AsType[*unknownError](err); open {
					t.Errorf("%s: left open: %v", name, err)
				}
			}
			if !done { // the client comes again
				mustAccept(t, s, fixture(1))
			}
			if n := countEvents(t, s, "r-1"); n != 1 {
				t.Errorf("%d events of r-1", n)
			}
		})
	}
}

func mustLookup(t *testing.T, s *Store, id string) gateway.Refund {
	t.Helper()
	r, err := s.Lookup(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func countEvents(t *testing.T, s *Store, id string) int {
	t.Helper()
	all, err := s.Events(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// TestF34LateCommit holds the request back for longer than the store waits, and delivers it after it gave up: by then
// the process that would have run it must be gone, or what was called "not written" would be.
func TestF34LateCommit(t *testing.T) {
	t.Parallel()
	server := server.Server(t)
	db := server.Database(t)
	proxy := faultnet.StartTest(t, server.Addr())
	// The first connection goes through the proxy; whoever looks what became of it goes around.
	around := faultnet.StartTest(t, server.Addr())
	writer := openStore(t, strings.Replace(db.App, server.Addr(), proxy.Addr(), 1), Options{Pool: 1},
		limits{acquire: 5 * time.Second, write: shortWrite, settle: settleTime}, nil)
	mustAccept(t, writer, fixture(1))
	looker := openStore(t, strings.Replace(db.App, server.Addr(), around.Addr(), 1), Options{}, patient, nil)

	proxy.Silence()
	a := &acceptance{Acceptance: fixture(2), stamp: newStamp()}
	err := writer.main.write(t.Context(), func(ctx context.Context, tx *transaction) error { return writer.acceptUnseen(ctx, tx, a) })
	if _, open := errors.AsType[*unknownError](err); !open {
		t.Fatalf("a write that nobody answers: %v", err)
	}
	err = looker.settle(t.Context(), looker.main, err, a.foundBy)
	if _, open := errors.AsType[*unknownError](err); err == nil || open {
		t.Fatalf("settled as %v", err)
	}
	if err := proxy.Heal(); err != nil {
		t.Fatal(err)
	}
	// What was held back arrives, and the connection's end with it.
	if _, err := writer.Lookup(t.Context(), "r-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := looker.Lookup(t.Context(), "r-2"); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("what was called not written: %v", err)
	}
}

// TestF34NobodyAnswers has the server fall silent for good: the store says that it doesn't know, and says so in time.
func TestF34NobodyAnswers(t *testing.T) {
	t.Parallel()
	server := server.Server(t)
	s, proxy := throughProxy(t, server.Database(t).App, server.Addr())
	mustAccept(t, s, fixture(1))
	proxy.Silence()
	began := time.Now()
	_, _, err := s.Accept(t.Context(), fixture(2))
	if _, open := errors.AsType[*unknownError](err); !open {
		t.Errorf("Accept: %v", err)
	}
	if took := time.Since(began); took > shortWrite+settleTime+time.Second {
		t.Errorf("it took %s", took)
	}
	if err := proxy.Heal(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Accept(t.Context(), fixture(2)); err != nil {
		t.Errorf("the client comes again: %v", err)
	}
	if n := countEvents(t, s, "r-2"); n != 1 {
		t.Errorf("%d events", n)
	}
}

// TestUnreplicated commits with a synchronous standby that never answers: by the time that anybody gives up waiting, the
// transaction is there to be read, and nobody may be told that it is done.
func TestUnreplicated(t *testing.T) {
	t.Parallel()
	lonely := pgtest.Start(t, migrated)
	url := lonely.Database(t).App
	s := openStore(t, url, Options{}, limits{acquire: 5 * time.Second, write: shortWrite, settle: shortSettle}, nil)
	mustAccept(t, s, fixture(1))
	if _, err := lonely.SQL("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'standby'; SELECT pg_reload_conf()"); err != nil {
		t.Fatal(err)
	}
	// It holds once the server's checkpointer has read it, which no session can see: until then commits wait for nobody.
	for i, open := 100, false; !open; i++ {
		_, _, err := s.Accept(t.Context(), fixture(i))
		if _, open = errors.AsType[*unknownError](err); !open && err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := s.Accept(t.Context(), fixture(2))
	if _, open := errors.AsType[*unknownError](err); !open {
		t.Errorf("Accept: %v", err)
	}
	mustLookup(t, s, "r-2")
	if _, err := s.Accepted(t.Context(), "c-2", "r-2"); err == nil {
		t.Error("Accepted of what the standby doesn't have")
	}
	if _, first, err := s.Accept(t.Context(), fixture(2)); err == nil {
		t.Errorf("Accept again: first %t and no error", first)
	}
	for range 2 { // the second finds it there
		if err := s.End(t.Context(), start, "sid", time.Now().Add(time.Hour)); err == nil {
			t.Error("End without the standby")
		}
	}

	// An operator may cut a wait short: the server warns, and says COMMIT as if nothing were. Other waits may be there still.
	cut := make(chan error, 1)
	cutShort := func() error {
		t.Helper()
		waitFor(t, func() bool {
			if _, err := lonely.SQL("postgres", "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"); err != nil {
				t.Fatal(err)
			}
			select {
			case err = <-cut:
				return true
			default:
				return false
			}
		})
		return err
	}
	waits := openStore(t, url, Options{}, patient, nil)
	go func() {
		_, _, err := waits.Accept(t.Context(), fixture(3))
		cut <- err
	}()
	if err := cutShort(); !errors.Is(err, errUnreplicated) {
		t.Errorf("Accept whose wait was cut short: %v", err)
	}
	// So may he that of whoever settles a lost answer, as often as it is tried again.
	lost := &unknownError{backend: backend{pid: 1}, cause: errors.New("lost")}
	go func() {
		cut <- s.settle(t.Context(), s.main, lost, func(context.Context, look) (bool, error) { return true, nil })
	}()
	if _, open := errors.AsType[*unknownError](cutShort()); !open {
		t.Errorf("settled without the standby: %v", err)
	}

	for _, id := range []string{"2", "3"} {
		if _, err := s.Accepted(t.Context(), "c-"+id, "r-"+id); err == nil {
			t.Errorf("Accepted of r-%s, which the standby doesn't have", id)
		}
	}
	if _, err := lonely.SQL("postgres", "ALTER SYSTEM RESET synchronous_standby_names; SELECT pg_reload_conf()"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { r, err := s.Accepted(t.Context(), "c-3", "r-3"); return err == nil && r.ID == "r-3" })
}

// TestOtherWarnings: a server that warns of everything, as one that runs out of transaction ids does, is still believed.
func TestOtherWarnings(t *testing.T) {
	s, db := newStore(t)
	owner := shell(t, db.Owner)
	mustExec(t, owner, `CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE WARNING ''vacuum me''; RETURN NEW; END'`)
	mustExec(t, owner, `CREATE TRIGGER warn BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION warn()`)
	mustAccept(t, s, fixture(1))
}

// TestSettlesAsThePoolWould looks at the connection on which a lost answer is settled: its commits wait for the disk and
// the standby whatever the URL says.
func TestSettlesAsThePoolWould(t *testing.T) {
	s := openStore(t, server.Database(t).App+"&synchronous_commit=remote_write", Options{}, patient, nil)
	var is string
	lost := &unknownError{backend: backend{pid: 1}, cause: errors.New("lost")}
	err := s.settle(t.Context(), s.main, lost, func(ctx context.Context, one look) (bool, error) {
		return one(ctx, `SELECT current_setting('synchronous_commit')`, nil, &is)
	})
	if err != nil || is != "on" {
		t.Errorf("synchronous_commit is %q, %v", is, err)
	}
}

// TestSettleDoesNotHammer has the process that is to be ended stay: one of the server's own, which nobody can end.
func TestSettleDoesNotHammer(t *testing.T) {
	t.Parallel()
	db := freshRoles(t, server.Server(t), "GRANT pg_read_all_stats TO ") // who may see when it started
	var counts trips
	s := openStore(t, db.App, Options{}, limits{acquire: 5 * time.Second, write: shortWrite, settle: shortSettle}, counts.between)
	lost := &unknownError{cause: errors.New("lost")}
	found, err := s.main.one(t.Context(), `SELECT pid, backend_start FROM pg_stat_activity WHERE backend_type = 'checkpointer'`, nil,
		&lost.backend.pid, &lost.backend.started)
	if err != nil || !found {
		t.Fatalf("the checkpointer: %t, %v", found, err)
	}
	before := counts.n.Load()
	err = s.settle(t.Context(), s.main, lost, func(context.Context, look) (bool, error) { return true, nil })
	if _, open := errors.AsType[*unknownError](err); !open {
		t.Errorf("settled while it runs: %v", err)
	}
	const most = 10 * int64(shortSettle/settleAgain) // a look is a round trip or two, a connection some more; without rests, thousands
	if got := counts.n.Load() - before; got < 3 || got > most {
		t.Errorf("%d round trips in %s, want %d at most", got, shortSettle, most)
	}
}

// TestStampsTellWritersApart has two writers make one and the same change: only one of them believes that it did.
func TestStampsTellWritersApart(t *testing.T) {
	s, _ := newStore(t)
	r := mustAccept(t, s, fixture(1))
	same, err := r.Send(gateway.Dispatcher(start, nil), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	mustApply(t, s, same, nil)
	other := &change{Change: same, stamp: newStamp()}
	if mine, err := other.foundBy(t.Context(), s.main.one); mine || err != nil {
		t.Errorf("another's move is mine: %t, %v", mine, err)
	}
	lease := same.Refund().Lease(start.Add(time.Hour))
	r = mustApply(t, s, lease, nil)
	other = &change{Change: lease, stamp: newStamp()}
	if mine, err := other.foundBy(t.Context(), s.main.one); mine || err != nil {
		t.Errorf("another's lease is mine: %t, %v", mine, err)
	}
	mustApply(t, s, r.Lease(start.Add(time.Hour)), nil)
	if _, err := other.foundBy(t.Context(), s.main.one); !errors.Is(err, errCantTell) {
		t.Errorf("a lease that was written over: %v", err)
	}
	a := &acceptance{Acceptance: fixture(1), stamp: newStamp()}
	if mine, err := a.foundBy(t.Context(), s.main.one); mine || err != nil {
		t.Errorf("another's accept is mine: %t, %v", mine, err)
	}
	u := &updating{customer: "c-9", stamp: newStamp()}
	if _, err := s.Update(t.Context(), start, "c-9", func(r otp.Record) (otp.Record, error) { r.Failures++; return r, nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := u.foundBy(t.Context(), s.main.one); !errors.Is(err, errCantTell) {
		t.Errorf("another's first record: %v", err)
	}
}

// TestWritersContextLeaves has a client hang up in the middle of a write: it is carried through.
func TestWritersContextLeaves(t *testing.T) {
	s, _ := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Update(ctx, start, "c-1", func(r otp.Record) (otp.Record, error) {
		cancel()
		r.Failures++
		return r, nil
	})
	got, read := s.Read(t.Context(), "c-1")
	if err != nil || read != nil || got.Failures != 1 {
		t.Errorf("Update: %v; %+v, %v", err, got, read)
	}
	if _, _, err := s.Accept(ctx, fixture(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Accept with a context that was done: %v", err)
	}
	if _, err := s.Lookup(t.Context(), "r-1"); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("after its caller was told that nothing was written: %v", err)
	}
}
