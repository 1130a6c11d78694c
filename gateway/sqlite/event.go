package sqlite

import (
	"context"
	"time"

	"github.com/istirdad/istirdad/gateway"
)

const (
	// insertEvent writes nothing unless the refund still has the version that comes last.
	insertEvent = `INSERT INTO events
		(refund_id, version, at, from_state, to_state, role, actor, employee, branch, session, evidence)
		SELECT id, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM refunds WHERE id = ? AND version = ?`
	selectEvents = `SELECT refund_id, version, at, from_state, to_state, role, actor, employee, branch, session, evidence
		FROM events WHERE refund_id = ? ORDER BY version`
	selectLatest = `SELECT refund_id, max(version) FROM events
		WHERE refund_id IN (SELECT value FROM json_each(?)) GROUP BY refund_id`
)

// record appends the event of a refund that has the given version; false when it hasn't.
func (s *Store) record(ctx context.Context, tx *session, e gateway.Event, version int64) (bool, error) {
	evidence, err := s.sealer.Evidence(e)
	if err != nil {
		return false, err
	}
	n, err := tx.affect(ctx, insertEvent,
		e.Version, e.At.UnixMicro(), string(e.From), string(e.To), string(e.Actor.Role), e.Actor.ID, e.Actor.Employee,
		e.Actor.Branch, e.Actor.Session, string(evidence), e.RefundID, version)
	return n == 1, err
}

// Events returns the refund's events, oldest first. A refund has at least one, so none is gateway.ErrNotFound.
func (s *Store) Events(ctx context.Context, id string) ([]gateway.Event, error) {
	events, err := all(ctx, s.queries, selectEvents, []any{id}, s.scanEvent)
	if err == nil && len(events) == 0 {
		err = gateway.ErrNotFound
	}
	return events, err
}

func (s *Store) scanEvent(_ context.Context, row scanner) (e gateway.Event, err error) {
	var (
		at       int64
		evidence []byte
	)
	err = row.Scan(&e.RefundID, &e.Version, &at, &e.From, &e.To, &e.Actor.Role, &e.Actor.ID, &e.Actor.Employee,
		&e.Actor.Branch, &e.Actor.Session, &evidence)
	if err != nil {
		return e, err
	}
	e.At = time.UnixMicro(at).UTC()
	return e, s.sealer.ReadEvidence(&e, evidence)
}

// Latest is as bank.Steps says.
func (s *Store) Latest(ctx context.Context, ids []string) (map[string]int64, error) {
	latest := make(map[string]int64, len(ids))
	if len(ids) == 0 {
		return latest, nil
	}
	err := s.queries.each(ctx, selectLatest, []any{list(ids)}, func(row scanner) error {
		var (
			id      string
			version int64
		)
		err := row.Scan(&id, &version)
		latest[id] = version
		return err
	})
	if err != nil {
		return nil, err
	}
	return latest, nil
}
