package sqlite

import (
	"context"
	"errors"

	"github.com/istirdad/istirdad/gateway"
)

const (
	countLate = `SELECT count(*), count(CASE WHEN created_at < ? THEN 1 END) FROM refunds
		WHERE state NOT IN ('credited', 'rejected', 'cancelled', 'returned') AND created_at < ?`
	oldestUnfinished = selectRefund + `WHERE state NOT IN ('credited', 'rejected', 'cancelled', 'returned')
		AND created_at < ? ORDER BY created_at, id LIMIT 1`
)

// Late says how many refunds are late by these deadlines.
func (s *Store) Late(ctx context.Context, d gateway.Deadlines) (late gateway.Late, err error) {
	overdue, red := d.Overdue.UnixMicro(), d.Red.UnixMicro()
	if err := s.queries.one(ctx, countLate, []any{red, overdue}, into(&late.Overdue, &late.Red)); err != nil || late.Overdue == 0 {
		return gateway.Late{}, err
	}
	switch r, err := s.refund(ctx, s.queries, oldestUnfinished, overdue); {
	case err == nil:
		late.Oldest = &r
	case !errors.Is(err, gateway.ErrNotFound): // it may have ended meanwhile
		return gateway.Late{}, err
	}
	return late, nil
}
