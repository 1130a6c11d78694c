package postgres

import (
	"context"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
)

const (
	selectStamp      = `SELECT version, stamp FROM refunds WHERE id = $1`
	selectEventStamp = `SELECT stamp FROM events WHERE refund_id = $1 AND version = $2`
)

// change is a move on its way into the database.
type change struct {
	gateway.Change
	stamp stamp
	wrote int64
}

// Apply commits a change, or returns gateway.ErrStale.
func (s *Store) Apply(ctx context.Context, given gateway.Change) error {
	c := &change{Change: given, stamp: newStamp()}
	err := s.dispatch.write(ctx, func(ctx context.Context, tx *transaction) error {
		write, err := s.apply(c)
		if err != nil {
			return err
		}
		return tx.commit(ctx, write...)
	})
	err = s.settle(ctx, s.dispatch, err, c.foundBy)
	return stale(err, c)
}

// stale says gateway.ErrStale where a refund had moved on: its event was refused, or the compare-and-swap found nothing.
func stale(err error, c *change) error {
	if rule := broke(err); rule == "events_match" || rule == "events_once" {
		return gateway.ErrStale
	}
	if err == nil && c.wrote == 0 {
		return gateway.ErrStale
	}
	return err
}

// apply is what a change writes: the event first, which locks the refund and on which the schema has the move rest.
func (s *Store) apply(c *change) ([]statement, error) {
	event, moved := c.Event()
	if !moved {
		return []statement{update(c.Change, c.stamp, &c.wrote)}, nil
	}
	appended, err := s.record(event, c.stamp)
	if err != nil {
		return nil, err
	}
	witnessed, err := s.witness(c.Change)
	if err != nil {
		return nil, err
	}
	write := append([]statement{appended}, witnessed...)
	if event.To.Dead() {
		write = append(write, givenBack(c.Refund()))
	}
	return append(write, update(c.Change, c.stamp, &c.wrote)), nil
}

// givenBack gives back what a refund took from its day's limit.
func givenBack(r gateway.Refund) statement {
	taken := saudi.DateOf(r.CreatedAt) // Acceptance.Day
	return exec(giveBack, int64(r.Payment.Amount), r.Origin.Customer, day(taken))
}

// foundBy finds out what became of a change whose COMMIT wasn't answered. A move's event stays for ever; what changed
// no state leaves its stamp on the refund until the next one.
func (c *change) foundBy(ctx context.Context, one look) (bool, error) {
	r := c.Refund()
	var (
		by      stamp
		version int64
	)
	if _, moved := c.Event(); moved {
		found, err := one(ctx, selectEventStamp, []any{r.ID, r.Version}, &by)
		c.wrote = 1
		return found && by == c.stamp, err
	}
	_, err := one(ctx, selectStamp, []any{r.ID}, &version, &by)
	switch {
	case err != nil:
		return false, err
	case version > r.Version:
		return false, errCantTell
	}
	c.wrote = 1
	return version == r.Version && by == c.stamp, nil
}
