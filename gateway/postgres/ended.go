package postgres

import (
	"context"
	"time"
)

const (
	insertEnded = `INSERT INTO ended_sessions (session, until) VALUES ($1, $2) ON CONFLICT (session) DO NOTHING`
	selectEnded = `SELECT true FROM ended_sessions WHERE session = $1`
	pruneEnded  = `SELECT prune_ended_sessions($1)`
)

// End is as bank.Endings says. The ripple is for a session that was ended already: whoever ends it again may do so
// because the first commit's wait for the standby was cut short.
func (s *Store) End(ctx context.Context, now time.Time, sid string, until time.Time) error {
	err := s.main.write(ctx, func(ctx context.Context, tx *transaction) error {
		return tx.commit(ctx, exec(insertEnded, sid, until), exec(pruneEnded, now), exec(emitNothing))
	})
	return s.settle(ctx, s.main, err, func(ctx context.Context, one look) (bool, error) {
		var there bool
		return one(ctx, selectEnded, []any{sid}, &there)
	})
}

// Ended is as bank.Endings says.
func (s *Store) Ended(ctx context.Context, sid string) (ended bool, err error) {
	_, err = s.main.one(ctx, selectEnded, []any{sid}, &ended)
	return ended, err
}
