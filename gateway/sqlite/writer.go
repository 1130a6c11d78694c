package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
)

// batchMax is how many writes share a commit at most: it bounds how long the first of them waits for the others.
const batchMax = 64

var errClosed = errors.New("sqlite: store is closed")

// writer does all writing, on one connection and in one goroutine. It takes whatever waits for its turn into one
// transaction, so that many writes share one flush of the disk, and one that comes alone waits for nobody.
type writer struct {
	conn    *sql.Conn
	session *session
	waiting chan *write
	quit    chan struct{} // closed: no further write begins
	done    chan struct{} // closed: the goroutine has ended
}

// write is one caller's part of a transaction.
type write struct {
	do       func(context.Context, *session) error
	turn     atomic.Int32 // whoever moves it off waiting decides whether the write is done
	err      error
	panicked any
	done     chan struct{}
}

const (
	turnWaiting int32 = iota
	turnBegun
	turnLeft // its caller didn't wait
)

func newWriter(conn *sql.Conn) *writer {
	w := &writer{
		conn:    conn,
		session: newSession(conn),
		waiting: make(chan *write, batchMax),
		quit:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	go w.run()
	return w
}

// write runs do in a transaction and returns when it is committed, or when do has failed and is undone. do must touch
// nothing but the session it is given and what its caller reads after write has returned nil; it may not call write.
//
// An error of do comes back as it is, and nothing was written. So does the context's, which is only looked at before
// the write begins. Any other error leaves open whether the write was done.
func (w *writer) write(ctx context.Context, do func(context.Context, *session) error) error {
	job := &write{do: do, done: make(chan struct{})}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("sqlite: not written: %w", err)
	}
	select {
	case w.waiting <- job:
	case <-ctx.Done():
		return fmt.Errorf("sqlite: not written: %w", ctx.Err())
	case <-w.quit:
		return errClosed
	}
	select {
	case <-job.done:
	case <-ctx.Done():
		if job.turn.CompareAndSwap(turnWaiting, turnLeft) {
			return fmt.Errorf("sqlite: not written: %w", ctx.Err())
		}
		<-job.done // begun: how it ends is worth more than being on time
	case <-w.done:
		// Closed: the goroutine may have finished this write as its last one, or will never see it.
		if job.turn.CompareAndSwap(turnWaiting, turnLeft) {
			return errClosed
		}
		<-job.done
	}
	if job.panicked != nil {
		panic(job.panicked)
	}
	return job.err
}

// close lets the transaction under way end and begins no other. It is called once.
func (w *writer) close() error {
	close(w.quit)
	<-w.done
	return errors.Join(w.session.close(), w.conn.Close())
}

func (w *writer) run() {
	defer close(w.done)
	for {
		select {
		case <-w.quit:
			return
		case first := <-w.waiting:
			w.batch(first)
		}
	}
}

// batch commits first and all who wait, up to batchMax. Nobody is answered before the commit: what a write has seen,
// and refused because of it, another one of the same batch may have written. When the commit fails, nothing that any
// of them found holds, so all get that error.
func (w *writer) batch(first *write) {
	// No caller's context may interrupt a connection on which others' writes are under way.
	ctx := context.Background()
	var jobs []*write
	err := w.session.exec(ctx, "BEGIN IMMEDIATE")
	for job := first; job != nil; job = w.next(len(jobs)) {
		if !job.turn.CompareAndSwap(turnWaiting, turnBegun) {
			continue
		}
		jobs = append(jobs, job)
		if err == nil {
			err = w.part(ctx, job)
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		err = w.session.exec(ctx, "COMMIT")
	}
	if err != nil {
		// SQLite may have ended the transaction by itself, as it does when the disk is full. Then there is nothing to
		// roll back, and this error says so; the first one is what happened.
		_ = w.session.exec(ctx, "ROLLBACK")
		err = fmt.Errorf("sqlite: transaction: %w", err)
	}
	for _, job := range jobs {
		if err != nil {
			job.err = err
		}
		close(job.done)
	}
}

// next is the next write of a batch, nil when it is to be committed.
func (w *writer) next(taken int) *write {
	if taken == batchMax {
		return nil
	}
	select {
	case job := <-w.waiting:
		return job
	default:
		return nil
	}
}

// part does one write under a savepoint. The error it returns is of the whole transaction: it can't go on.
func (w *writer) part(ctx context.Context, job *write) error {
	var broken error
	job.err, broken = w.session.savepoint(ctx, func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				job.panicked = p // its caller's to die of; the others' writes go on
				err = errors.New("panicked")
			}
		}()
		return job.do(ctx, w.session)
	})
	return broken
}
