package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// errUnreplicated: the synchronous standby didn't say in time that it has the transaction. It is committed here, it may
// be lost with this server, and nobody must be told that it is done.
var errUnreplicated = errors.New("postgres: committed here, but not on the synchronous standby")

// unknownError is a COMMIT that was sent and not answered.
type unknownError struct {
	backend backend
	cause   error
}

func (e *unknownError) Error() string { return fmt.Sprintf("postgres: outcome unknown: %v", e.cause) }

func (e *unknownError) Unwrap() error { return e.cause }

// notWritten is what an unknownError turns out to be when its stamp is nowhere.
func (e *unknownError) notWritten() error { return fmt.Errorf("postgres: not written: %w", e.cause) }

const (
	// settleTime is how long the end of a lost transaction is waited for.
	settleTime = 2 * time.Second
	// settleAgain is how long it rests between two looks.
	settleAgain = 20 * time.Millisecond

	// endBackend ends the process that had the transaction; no row: it is gone, and the transaction over. Waiting for
	// the transaction alone would not do: its statements may still be on their way to the server.
	endBackend = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2`
)

// stamp is the mark that a write leaves, see package doc.
type stamp int64

func newStamp() stamp { return stamp(draw()) }

// look is pool.one on some connection.
type look func(ctx context.Context, query string, args []any, into ...any) (found bool, err error)

// finder looks for the stamp of a write.
type finder func(ctx context.Context, one look) (found bool, err error)

// errCantTell: others have written over what the stamp was on.
var errCantTell = errors.New("postgres: written over since")

// settle is for a write that ended in err. One whose COMMIT wasn't answered is waited for until it is over, one way or
// the other, and then found or not: nil when it is. Any other error comes back as it is.
//
// It has its own context, because the caller's may have run out over the COMMIT, and its own connection, because those
// of the pool may all be waiting for the same silent server.
func (s *Store) settle(ctx context.Context, p *pool, err error, find finder) error {
	lost, ok := errors.AsType[*unknownError](err)
	if !ok || lost.backend.pid == 0 {
		return err
	}
	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.limits.settle)
	defer cancel()
	for again := true; again; {
		switch found, failure := p.settleOnce(settling, lost, find); {
		case failure != nil:
			// The server is on its way back, perhaps.
			again = !errors.Is(failure, errCantTell) && rest(settling, settleAgain)
		case found:
			err, again = nil, false
		default:
			err, again = lost.notWritten(), false
		}
	}
	s.log.WarnContext(ctx, "the answer to a COMMIT was lost", "cause", lost.cause, "committed", err == nil)
	return err
}

func (p *pool) settleOnce(ctx context.Context, lost *unknownError, find finder) (found bool, err error) {
	conn, err := pgx.ConnectConfig(ctx, p.Config().ConnConfig)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close(ctx) }()
	if err := acquaint(ctx, conn); err != nil {
		return false, err
	}
	one := func(ctx context.Context, query string, args []any, into ...any) (bool, error) {
		err := conn.QueryRow(ctx, query, args...).Scan(into...)
		if errors.Is(err, pgx.ErrNoRows) {
			return false, nil
		}
		return err == nil, err
	}
	for running := true; running; {
		var ended bool
		running, err = one(ctx, endBackend, []any{lost.backend.pid, lost.backend.started}, &ended)
		switch {
		case err != nil:
			return false, err
		case running && !rest(ctx, settleAgain):
			return false, ctx.Err()
		}
	}
	if found, err = find(ctx, one); err != nil || !found {
		return false, err
	}
	err = ripple(ctx, &transaction{conn: conn})
	return err == nil, err
}

const emitNothing = `SELECT pg_logical_emit_message(true, 'istirdad', '')`

// ripple is the smallest transaction whose commit waits for the synchronous standby, and so for all that was committed
// before it. What is merely there to be read may be on this machine alone: its own commit's wait was cut short.
func ripple(ctx context.Context, tx *transaction) error { return tx.commit(ctx, exec(emitNothing)) }
