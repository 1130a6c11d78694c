package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/gateway/kept"
	"github.com/istirdad/istirdad/internal/saudi"
)

// selectDue finds the oldest due work of one state, out of the queue's index alone.
const selectDue = `SELECT id, due FROM refunds WHERE state = ? AND due IS NOT NULL AND due <= ? ORDER BY due, id LIMIT ?`

// spare is how many refunds one claim may have to leave out without others being kept waiting behind them.
const spare = 100

// Apply commits a change, or returns gateway.ErrStale.
func (s *Store) Apply(ctx context.Context, c gateway.Change) error {
	return s.writer.write(ctx, func(ctx context.Context, tx *session) error { return s.apply(ctx, tx, c) })
}

// apply writes the event first: the schema lets no state change without one.
func (s *Store) apply(ctx context.Context, tx *session, c gateway.Change) error {
	r := c.Refund()
	event, moved := c.Event()
	if moved {
		switch ours, err := s.record(ctx, tx, event, c.From()); {
		case err != nil:
			return err
		case !ours:
			return gateway.ErrStale
		}
		if err := s.witness(ctx, tx, c); err != nil {
			return err
		}
	}
	switch n, err := tx.affect(ctx, updateRefund, append(moving(r), r.ID, c.From())...); {
	case err != nil:
		return err
	case n == 0:
		return gateway.ErrStale
	}
	if moved && event.To.Dead() {
		day := saudi.DateOf(r.CreatedAt) // Acceptance.Day, from which it was taken
		return tx.exec(ctx, giveBack, int64(r.Payment.Amount), r.Origin.Customer, day.String())
	}
	return nil
}

// Claim is as dispatch.Queue says. A refund that Take refuses, or that can't be read or written, is logged and left
// out; the others are claimed all the same.
func (s *Store) Claim(ctx context.Context, now time.Time, c dispatch.Claim) ([]gateway.Refund, error) {
	if c.Limit < 1 {
		return nil, nil
	}
	var claimed []gateway.Refund
	err := s.writer.write(ctx, func(ctx context.Context, tx *session) error {
		ids, err := due(ctx, tx, now, c.States, c.Limit+spare)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if len(claimed) == c.Limit {
				break
			}
			var r gateway.Refund
			failed, broken := tx.savepoint(ctx, func() (err error) {
				r, err = s.take(ctx, tx, id, c)
				return err
			})
			switch {
			case broken != nil:
				return broken
			case failed != nil:
				s.log.ErrorContext(ctx, "refund left out of a claim", "refund", id, "err", failed)
			default:
				claimed = append(claimed, r)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

func (s *Store) take(ctx context.Context, tx *session, id string, c dispatch.Claim) (gateway.Refund, error) {
	r, err := s.refund(ctx, tx, refundByID, id)
	if err != nil {
		return gateway.Refund{}, err
	}
	change, err := c.Take(r)
	if err != nil {
		return gateway.Refund{}, err
	}
	if after := change.Refund(); after.ID != r.ID || change.From() != r.Version {
		return gateway.Refund{}, fmt.Errorf("sqlite: claim took something else than refund %s at version %d", r.ID, r.Version)
	}
	return kept.Refund(change.Refund()), s.apply(ctx, tx, change)
}

// due lists the refunds that are due in any of the states, oldest first. Each state is asked for by itself and the
// answers are merged, so that a long queue in one of them isn't read through in search of another.
func due(ctx context.Context, tx *session, now time.Time, states []gateway.State, limit int) ([]string, error) {
	type work struct {
		id  string
		due int64
	}
	var found []work
	for _, state := range states {
		of, err := all(ctx, tx, selectDue, []any{string(state), now.UnixMicro(), limit}, func(_ context.Context, row scanner) (w work, err error) {
			err = row.Scan(&w.id, &w.due)
			return w, err
		})
		if err != nil {
			return nil, err
		}
		found = append(found, of...)
	}
	slices.SortFunc(found, func(a, b work) int { return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.id, b.id)) })
	found = slices.Compact(found) // a state that was named twice
	ids := make([]string, min(limit, len(found)))
	for i := range ids {
		ids[i] = found[i].id
	}
	return ids, nil
}
