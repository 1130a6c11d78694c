package postgres

import (
	"context"

	"github.com/istirdad/istirdad/gateway"
)

const (
	insertEvent = `INSERT INTO events
		(refund_id, version, at, from_state, to_state, role, actor, employee, branch, session, evidence, stamp)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
	selectEvents = `SELECT refund_id, version, at, from_state, to_state, role, actor, employee, branch, session, evidence
		FROM events WHERE refund_id = $1 ORDER BY version`
	selectLatest = `SELECT wanted, version FROM unnest($1::text[]) AS w(wanted) CROSS JOIN LATERAL (
			SELECT version FROM events WHERE refund_id = w.wanted ORDER BY version DESC LIMIT 1
		) AS latest`
)

// record appends an event. The schema lets in only that of the refund's next step.
func (s *Store) record(e gateway.Event, mark stamp) (statement, error) {
	evidence, err := s.sealer.Evidence(e)
	if err != nil {
		return statement{}, err
	}
	return exec(insertEvent,
		e.RefundID, e.Version, e.At, string(e.From), string(e.To), string(e.Actor.Role), e.Actor.ID, e.Actor.Employee,
		e.Actor.Branch, e.Actor.Session, evidence, int64(mark)), nil
}

// Events returns the refund's events, oldest first. A refund has at least one, so none is gateway.ErrNotFound.
func (s *Store) Events(ctx context.Context, id string) ([]gateway.Event, error) {
	events, err := all(ctx, s.main, selectEvents, []any{id}, s.scanEvent)
	if err == nil && len(events) == 0 {
		err = gateway.ErrNotFound
	}
	return events, err
}

func (s *Store) scanEvent(_ context.Context, row scanner) (e gateway.Event, err error) {
	var evidence []byte
	err = row.Scan(&e.RefundID, &e.Version, &e.At, &e.From, &e.To, &e.Actor.Role, &e.Actor.ID, &e.Actor.Employee,
		&e.Actor.Branch, &e.Actor.Session, &evidence)
	if err != nil {
		return e, err
	}
	e.At = e.At.UTC()
	return e, s.sealer.ReadEvidence(&e, evidence)
}

// Latest is as bank.Steps says.
func (s *Store) Latest(ctx context.Context, ids []string) (map[string]int64, error) {
	latest := make(map[string]int64, len(ids))
	if len(ids) == 0 {
		return latest, nil
	}
	err := s.main.each(ctx, selectLatest, []any{ids}, func(row scanner) error {
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
