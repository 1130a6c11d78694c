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
	// settleAgain is how long between two looks.
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

// settle waits until a transaction whose COMMIT wasn't answered is over, one way or the other, and then has find look
// for its stamp. It returns nil when that is found.
//
// It has its own context, because the caller's may have run out over the COMMIT, and its own connection, because those
// of the pool may all be waiting for the same silent server.
func (p *pool) settle(ctx context.Context, lost *unknownError, find func(context.Context, look) (bool, error)) error {
	if lost.backend.pid == 0 {
		return lost
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.limits.settle)
	defer cancel()
	tick := time.NewTicker(settleAgain)
	defer tick.Stop()
	for {
		switch found, err := p.settleOnce(ctx, lost, find); {
		case err == nil && found:
			return nil
		case err == nil:
			return lost.notWritten()
		case errors.Is(err, errCantTell):
			return lost
		}
		select {
		case <-tick.C: // the server is on its way back, perhaps
		case <-ctx.Done():
			return lost
		}
	}
}

func (p *pool) settleOnce(ctx context.Context, lost *unknownError, find func(context.Context, look) (bool, error)) (found bool, err error) {
	conn, err := pgx.ConnectConfig(ctx, p.Config().ConnConfig)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close(ctx) }()
	one := func(ctx context.Context, query string, args []any, into ...any) (bool, error) {
		err := conn.QueryRow(ctx, query, args...).Scan(into...)
		if errors.Is(err, pgx.ErrNoRows) {
			return false, nil
		}
		return err == nil, err
	}
	for running := true; running; {
		var ended bool
		if running, err = one(ctx, endBackend, []any{lost.backend.pid, lost.backend.started}, &ended); err != nil {
			return false, err
		}
	}
	if found, err = find(ctx, one); err != nil || !found {
		return false, err
	}
	_, err = conn.Exec(ctx, ripple)
	return err == nil, err
}

// ripple is the smallest transaction whose commit waits for the synchronous standby, and so for all that was committed
// before it. What is merely there to be read may be on this machine alone: its own commit's wait was cut short.
const ripple = `SELECT pg_logical_emit_message(true, 'istirdad', '')`

// errCantTell: others have written over what the stamp was on.
var errCantTell = errors.New("postgres: written over since")

// settled is settle for a write that ended in err, whatever that is: other errors come back as they are.
func (s *Store) settled(ctx context.Context, p *pool, err error, find func(context.Context, look) (bool, error)) error {
	lost, ok := errors.AsType[*unknownError](err)
	if !ok {
		return err
	}
	err = p.settle(ctx, lost, find)
	s.log.WarnContext(ctx, "the answer to a COMMIT was lost", "cause", lost.cause, "committed", err == nil)
	return err
}
