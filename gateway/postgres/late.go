package postgres

import (
	"context"
	"errors"

	"github.com/istirdad/istirdad/gateway"
)

const (
	countLate = `SELECT count(*), count(*) FILTER (WHERE created_at < $1) FROM refunds
		WHERE state IN (` + unfinished + `) AND created_at < $2`
	oldestUnfinished = selectRefund + `WHERE state IN (` + unfinished + `) AND created_at < $1 ORDER BY created_at, id LIMIT 1`
)

// Late says how many refunds are late by these deadlines.
func (s *Store) Late(ctx context.Context, d gateway.Deadlines) (late gateway.Late, err error) {
	_, err = s.main.one(ctx, countLate, []any{d.Red, d.Overdue}, &late.Overdue, &late.Red)
	if err != nil || late.Overdue == 0 {
		return gateway.Late{}, err
	}
	switch r, err := s.refund(ctx, s.main, oldestUnfinished, d.Overdue); {
	case err == nil:
		late.Oldest = &r
	case !errors.Is(err, gateway.ErrNotFound): // it may have ended meanwhile
		return gateway.Late{}, err
	}
	return late, nil
}
