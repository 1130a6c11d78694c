package postgres

import (
	"context"

	"github.com/istirdad/istirdad/gateway"
)

const (
	// countLate reads as many entries of the index as there are refunds that are late: it is asked at every scrape.
	countLate = `SELECT count(*), count(*) FILTER (WHERE created_at < $1) FROM refunds
		WHERE state IN (` + unfinished + `) AND created_at < $2`
	// oldestLate asks each state for its oldest, and takes the oldest of those.
	oldestLate = `SELECT id, reference, state, created_at FROM unnest(ARRAY[` + unfinished + `]) AS s(wanted) CROSS JOIN LATERAL (
			SELECT id, reference, state, created_at FROM refunds
			WHERE state = s.wanted AND state IN (` + unfinished + `) AND created_at < $1 ORDER BY created_at LIMIT 1
		) AS r ORDER BY created_at, id LIMIT 1`
)

// Late says how many refunds are late by these deadlines.
func (s *Store) Late(ctx context.Context, d gateway.Deadlines) (late gateway.Late, err error) {
	_, err = s.main.one(ctx, countLate, []any{d.Red, d.Overdue}, &late.Overdue, &late.Red)
	if err != nil || late.Overdue == 0 {
		return gateway.Late{}, err
	}
	var r gateway.Oldest
	switch found, err := s.main.one(ctx, oldestLate, []any{d.Overdue}, &r.ID, &r.Reference, &r.State, &r.CreatedAt); {
	case err != nil:
		return gateway.Late{}, err
	case found: // it may have ended meanwhile
		r.CreatedAt = r.CreatedAt.UTC()
		late.Oldest = &r
	}
	return late, nil
}
