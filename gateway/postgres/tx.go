package postgres

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// statement is one statement of a transaction.
type statement struct {
	query string
	args  []any
	read  func(scanner) error // for every row; nil: there are none
	wrote *int64              // how many rows it wrote; nil: nobody asks
}

func exec(query string, args ...any) statement { return statement{query: query, args: args} }

// transaction is one transaction on one connection.
type transaction struct {
	conn  *pgx.Conn
	begun bool
}

const (
	// tries is how often a transaction is begun that keeps losing to others.
	tries = 3
	// pause is about how long it rests before it is.
	pause = 10 * time.Millisecond
)

// write runs do in a transaction, which do ends with transaction.commit; if it doesn't get there, what it wrote is
// undone. do may be called again from the start, so it leaves nothing behind but what its caller reads after write has
// returned nil.
//
// An error of do's own comes back as it is, and nothing was written. An unknownError leaves open whether all of it was.
func (p *pool) write(ctx context.Context, do func(ctx context.Context, tx *transaction) error) error {
	for try := 1; ; try++ {
		err := p.try(ctx, do)
		if try == tries || !outrun(err) {
			return err
		}
		if !rest(ctx, time.Duration(try)*pause+time.Duration(draw()%uint64(pause))) {
			return err
		}
	}
}

// rest waits. It is false when the context ended before.
func rest(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// outrun reports whether a transaction failed for nothing but that others went first.
func outrun(err error) bool {
	return (code(err) == serializationFailure || code(err) == deadlockDetected) && definite(err)
}

func (p *pool) try(ctx context.Context, do func(ctx context.Context, tx *transaction) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("postgres: not written: %w", err)
	}
	conn, err := p.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	// From here its caller's leaving would only turn an answer into a lost one.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.limits.write)
	defer cancel()
	tx := &transaction{conn: conn.Conn()}
	defer tx.rollback(ctx)
	return do(ctx, tx)
}

// send has the server run the statements, in one round trip, and leaves the transaction open. After an error it can
// only be rolled back.
func (tx *transaction) send(ctx context.Context, statements ...statement) error {
	if !tx.begun {
		statements = append([]statement{exec("begin")}, statements...)
	}
	if err := tx.prepare(ctx, statements); err != nil {
		return err
	}
	tx.begun = true
	return tx.deliver(ctx, statements)
}

// commit is send, with the transaction's end in the same round trip. nil means committed.
func (tx *transaction) commit(ctx context.Context, statements ...statement) error {
	var tag string
	if !tx.begun {
		statements = append([]statement{exec("begin")}, statements...)
	}
	statements = append(statements, exec("commit"))
	if err := tx.prepare(ctx, statements); err != nil {
		return err
	}
	tx.begun = true
	known := tx.conn.PgConn().CustomData()
	delete(known, warningKey)
	err := tx.deliverTo(ctx, statements, &tag)
	switch {
	case tag == "COMMIT" && known[warningKey] != nil:
		return fmt.Errorf("%w: %s", errUnreplicated, known[warningKey])
	case tag == "COMMIT":
		return nil // whatever happened to the connection after it
	case err == nil:
		return fmt.Errorf("postgres: not written: %w", pgx.ErrTxCommitRollback)
	case definite(err):
		return err
	}
	b, _ := known[backendKey].(backend)
	return &unknownError{backend: b, cause: err}
}

// prepare makes the statements known to the connection, which costs a round trip for each that is new to it. They are
// kept beyond errors, unlike those that pgx prepares by itself.
func (tx *transaction) prepare(ctx context.Context, statements []statement) error {
	for _, s := range statements {
		if _, err := tx.conn.Prepare(ctx, s.query, s.query); err != nil {
			return fmt.Errorf("postgres: not written: %w", err)
		}
	}
	return nil
}

func (tx *transaction) deliver(ctx context.Context, statements []statement) error {
	var tag string
	return tx.deliverTo(ctx, statements, &tag)
}

// deliverTo notes the tag of the last statement that was done.
func (tx *transaction) deliverTo(ctx context.Context, statements []statement, tag *string) error {
	var batch pgx.Batch
	for _, s := range statements {
		queued := batch.Queue(s.query, s.args...)
		if s.read != nil {
			queued.Query(func(rows pgx.Rows) error {
				for rows.Next() {
					if err := s.read(rows); err != nil {
						return err
					}
				}
				return rows.Err()
			})
			continue
		}
		queued.Exec(func(done pgconn.CommandTag) error {
			if *tag = done.String(); s.wrote != nil {
				*s.wrote = done.RowsAffected()
			}
			return nil
		})
	}
	if err := tx.conn.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return nil
}

// rollback ends a transaction that wasn't committed. A connection on which that fails isn't used again.
func (tx *transaction) rollback(ctx context.Context) {
	if tx.conn.IsClosed() || tx.conn.PgConn().TxStatus() == 'I' {
		return
	}
	if _, err := tx.conn.Exec(ctx, "rollback"); err != nil {
		_ = tx.conn.Close(ctx)
	}
}

// definite reports whether an error says for certain that nothing was written: the server's own word about a statement
// or a COMMIT that failed, or one that was never sent. Not so when the server says goodbye (FATAL): it may do so
// between the commit and its answer.
func definite(err error) bool {
	if _, unsent := errors.AsType[pgx.ErrPreprocessingBatch](err); unsent {
		return true
	}
	failure, ok := errors.AsType[*pgconn.PgError](err)
	return ok && failure.SeverityUnlocalized == "ERROR"
}

// broke names the rule of the schema that an error says was broken: a constraint, a unique index or a trigger.
func broke(err error) string {
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok && class(err) == "23" {
		return failure.ConstraintName
	}
	return ""
}

// The codes of the server's errors that are acted on (appendix A of its manual).
const (
	serializationFailure  = "40001"
	deadlockDetected      = "40P01"
	insufficientPrivilege = "42501"
	undefinedTable        = "42P01"
	lockNotAvailable      = "55P03"
)

// code is the code of the server's error; empty when it isn't the server's.
func code(err error) string {
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok {
		return failure.Code
	}
	return ""
}

// class is the first two letters of an error's code.
func class(err error) string { return code(err)[:min(len(code(err)), 2)] }

// draw is a number that nobody else draws.
func draw() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return binary.BigEndian.Uint64(b[:])
}
