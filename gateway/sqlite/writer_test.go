package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// hold begins a write that goes on until release is called; what comes meanwhile joins its batch. release returns how
// it ended.
func hold(t *testing.T, s *Store) (release func() error) {
	t.Helper()
	begun, end, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- s.writer.write(t.Context(), func(context.Context, *session) error {
			close(begun)
			<-end
			return nil
		})
	}()
	<-begun
	return func() error { close(end); return <-ended }
}

func TestWritesShareACommit(t *testing.T) { synctest.Test(t, writesShareACommit) }

func writesShareACommit(t *testing.T) {
	faults := &faults{}
	s := faulty(t, faults)
	before := faults.commits.Load()
	release := hold(t, s)
	var writes sync.WaitGroup
	for n := range 20 {
		writes.Go(func() {
			a := acceptance(n)
			if n%2 == 1 {
				a.Rules.Limit = 1 // refused, and undone by itself
			}
			_, _, err := s.Accept(t.Context(), a)
			if n%2 == 0 && err != nil || n%2 == 1 && !errors.Is(err, gateway.ErrLimitExceeded) {
				t.Errorf("Accept %d: %v", n, err)
			}
		})
	}
	synctest.Wait() // all of them wait for their turn
	if err := release(); err != nil {
		t.Error(err)
	}
	writes.Wait()
	if commits := faults.commits.Load() - before; commits != 1 {
		t.Errorf("%d commits of 21 writes", commits)
	}
	if counts, _, err := s.Counts(t.Context()); err != nil || counts[gateway.Queued] != 10 {
		t.Errorf("counts: %v, %v", counts, err)
	}
}

func TestContextBoundsTheWait(t *testing.T) { synctest.Test(t, contextBoundsTheWait) }

func contextBoundsTheWait(t *testing.T) {
	s, _ := newStore(t)
	release := hold(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, _, err := s.Accept(ctx, acceptance(1))
		left <- err
	}()
	synctest.Wait() // all of them wait for their turn
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("Accept: %v", err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	if _, _, err := s.Accept(ctx, acceptance(2)); !errors.Is(err, context.Canceled) {
		t.Errorf("Accept with a context that was done: %v", err)
	}
	// The next write comes after whatever became of those.
	mustAccept(t, s, acceptance(3))
	for _, id := range []string{"r-1", "r-2"} {
		if _, err := s.Lookup(t.Context(), id); !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("%s after its caller was told that nothing was written: %v", id, err)
		}
	}
}

func TestBegunIsCarriedThrough(t *testing.T) {
	s, _ := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Update(ctx, start, "c-1", func(r otp.Record) (otp.Record, error) {
		cancel() // the client hangs up in the middle
		r.Failures++
		return r, nil
	})
	if err != nil {
		t.Errorf("Update: %v", err)
	}
	if r, err := s.Read(t.Context(), "c-1"); err != nil || r.Failures != 1 {
		t.Errorf("record: %+v, %v", r, err)
	}
}

func TestPanicIsItsCallersAlone(t *testing.T) {
	s, _ := newStore(t)
	func() {
		defer func() {
			if p := recover(); p != "a mistake" {
				t.Errorf("recovered %v", p)
			}
		}()
		_, _ = s.Update(t.Context(), start, "c-1", func(otp.Record) (otp.Record, error) { panic("a mistake") })
	}()
	mustAccept(t, s, acceptance(1))
}

// faults makes commits fail, in either of the two ways.
type faults struct {
	commits atomic.Int64
	next    atomic.Int32 // what becomes of the next commit
}

const (
	notKept    int32 = iota + 1 // it fails and nothing is kept
	keptButBad                  // it is kept and reported as failed
)

var errDisk = errors.New("disk trouble")

type faultyConnector struct {
	driver.Connector
	faults *faults
}

func (c faultyConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	return faultyConn{conn, c.faults}, err
}

// faultyConn hands everything to the driver but COMMIT.
type faultyConn struct {
	driver.Conn
	faults *faults
}

func (c faultyConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	if query == "COMMIT" {
		return faultyCommit{stmt, c.faults}, err
	}
	return stmt, err
}

func (c faultyConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
}

type faultyCommit struct {
	driver.Stmt
	faults *faults
}

func (s faultyCommit) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.faults.commits.Add(1)
	fault := s.faults.next.Swap(0)
	if fault == notKept {
		return nil, errDisk
	}
	result, err := s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
	if fault == keptButBad && err == nil {
		return nil, errDisk
	}
	return result, err
}

func faulty(t *testing.T, f *faults) *Store {
	t.Helper()
	s, err := open(t.Context(), filepath.Join(t.TempDir(), "istirdad.db"), testSealer(t, "k1"), Options{Migrate: true},
		func(c driver.Connector) driver.Connector { return faultyConnector{c, f} })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestCommitFails has the same confirm repeated after each of the two ways in which a commit can fail. Its caller can't
// tell them apart, and needn't: the repeat ends in one refund.
func TestCommitFails(t *testing.T) {
	for name, c := range map[string]struct {
		fault int32
		first bool // of the repeat
	}{"not kept": {notKept, true}, "kept but reported as failed": {keptButBad, false}} {
		t.Run(name, func(t *testing.T) {
			f := &faults{}
			s := faulty(t, f)
			f.next.Store(c.fault)
			switch _, _, err := s.Accept(t.Context(), acceptance(1)); {
			case !errors.Is(err, errDisk):
				t.Fatalf("Accept: %v", err)
			case errors.Is(err, gateway.ErrRefundExists), errors.Is(err, gateway.ErrStale):
				t.Fatalf("Accept decided something: %v", err)
			}
			r, first, err := s.Accept(t.Context(), acceptance(1))
			if err != nil || first != c.first {
				t.Fatalf("again: first %t, %v", first, err)
			}
			if spent, err := s.Spent(t.Context(), "c-1", saudi.DateOf(start)); err != nil || spent != r.Payment.Amount {
				t.Errorf("spent %s, %v", spent, err)
			}

			change, err := r.Send(gateway.Dispatcher(start, nil), time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			f.next.Store(c.fault)
			if err := s.Apply(t.Context(), change); !errors.Is(err, errDisk) {
				t.Fatalf("Apply: %v", err)
			}
			err = s.Apply(t.Context(), change)
			if c.first && err != nil || !c.first && !errors.Is(err, gateway.ErrStale) {
				t.Errorf("Apply again: %v", err)
			}
			if events, err := s.Events(t.Context(), r.ID); err != nil || len(events) != 2 {
				t.Errorf("%d events, %v", len(events), err)
			}
		})
	}
}

// TestFailedCommitTellsNoTales: a write that was refused because of another one in its batch must not say so when
// that other one was never kept.
func TestFailedCommitTellsNoTales(t *testing.T) { synctest.Test(t, failedCommitTellsNoTales) }

func failedCommitTellsNoTales(t *testing.T) {
	f := &faults{}
	s := faulty(t, f)
	release := hold(t, s)
	f.next.Store(notKept)
	failed := make(chan error, 2)
	for n := range 2 {
		go func() {
			a := acceptance(n)
			a.Payment.RequestID = "REQ-one"
			_, _, err := s.Accept(t.Context(), a)
			failed <- err
		}()
	}
	synctest.Wait() // all of them wait for their turn
	if err := release(); !errors.Is(err, errDisk) {
		t.Errorf("the first of the batch: %v", err)
	}
	for range 2 {
		if err := <-failed; !errors.Is(err, errDisk) || errors.Is(err, gateway.ErrRefundExists) {
			t.Errorf("Accept: %v", err)
		}
	}
}

// TestDiskFull: SQLite ends the whole transaction by itself. Nothing of the batch is kept, and the store goes on.
func TestDiskFull(t *testing.T) {
	s, _ := newStore(t)
	mustAccept(t, s, acceptance(1))
	limit := func(pages string) {
		t.Helper()
		err := s.writer.write(t.Context(), func(ctx context.Context, tx *session) error {
			var got int
			return tx.one(ctx, `PRAGMA max_page_count = `+pages, nil, into(&got))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	limit("1") // as few as there are already
	var failed int
	for n := 2; n < 60; n++ {
		a := acceptance(n)
		a.Payment.Name.EN = strings.Repeat("long ", 1000)
		if _, _, err := s.Accept(t.Context(), a); err != nil {
			failed++
		}
	}
	limit("1000000")
	counts, _, err := s.Counts(t.Context())
	if err != nil || failed == 0 || counts[gateway.Queued] != 59-failed {
		t.Errorf("%d failed, %v, %v", failed, counts, err)
	}
	mustAccept(t, s, acceptance(100))
}
