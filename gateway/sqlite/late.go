package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/istirdad/istirdad/gateway"
)

const (
	unfinished = `'awaiting_approval', 'queued', 'sending', 'in_doubt', 'pending', 'refunded', 'returning', 'manual'`
	// countLate reads as many entries of the index as there are refunds that are late: it is asked at every scrape.
	countLate = `SELECT count(*), count(CASE WHEN created_at < ? THEN 1 END) FROM refunds
		WHERE state IN (` + unfinished + `) AND created_at < ?`
	oldestLate = `SELECT id, reference, state, created_at FROM refunds
		WHERE state IN (` + unfinished + `) AND created_at < ? ORDER BY created_at, id LIMIT 1`
)

// Late says how many refunds are late by these deadlines.
func (s *Store) Late(ctx context.Context, d gateway.Deadlines) (late gateway.Late, err error) {
	overdue, red := d.Overdue.UnixMicro(), d.Red.UnixMicro()
	if err := s.queries.one(ctx, countLate, []any{red, overdue}, into(&late.Overdue, &late.Red)); err != nil || late.Overdue == 0 {
		return gateway.Late{}, err
	}
	var (
		r       gateway.Oldest
		created int64
	)
	switch err := s.queries.one(ctx, oldestLate, []any{overdue}, into(&r.ID, &r.Reference, &r.State, &created)); {
	case err == nil:
		r.CreatedAt = time.UnixMicro(created).UTC()
		late.Oldest = &r
	case !errors.Is(err, sql.ErrNoRows): // it may have ended meanwhile
		return gateway.Late{}, err
	}
	return late, nil
}
