package sqlite

import (
	"context"
	"time"
)

const (
	insertEnded = `INSERT INTO ended_sessions (session, until) VALUES (?, ?) ON CONFLICT (session) DO NOTHING`
	selectEnded = `SELECT count(*) FROM ended_sessions WHERE session = ?`
	pruneEnded  = `DELETE FROM ended_sessions WHERE until < ?`
)

// End is as bank.Endings says.
func (s *Store) End(ctx context.Context, now time.Time, sid string, until time.Time) error {
	return s.writer.write(ctx, func(ctx context.Context, tx *session) error {
		if err := tx.exec(ctx, insertEnded, sid, until.UnixMicro()); err != nil {
			return err
		}
		return tx.exec(ctx, pruneEnded, now.UnixMicro())
	})
}

// Ended is as bank.Endings says.
func (s *Store) Ended(ctx context.Context, sid string) (ended bool, err error) {
	err = s.queries.one(ctx, selectEnded, []any{sid}, into(&ended))
	return ended && err == nil, err
}
