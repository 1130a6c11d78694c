package sqlite

import (
	"context"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/kept"
)

const (
	refundOfCustomer  = selectRefund + `WHERE id = ? AND customer = ?`
	refundReferenceOf = selectRefund + `WHERE reference = ? AND customer = ?`
	refundRequestOf   = selectRefund + `WHERE request_id = ? AND customer = ?
		AND state NOT IN ('rejected', 'cancelled', 'returned')`
	refundsOfCustomer = selectRefund + `WHERE customer = ? AND (created_at, id) < (?, ?)
		ORDER BY created_at DESC, id DESC LIMIT ?`

	selectLive = `SELECT request_id FROM refunds
		WHERE state NOT IN ('rejected', 'cancelled', 'returned') AND request_id IN (SELECT value FROM json_each(?))`
	selectCounts = `SELECT state, count(*), min(created_at) FROM refunds GROUP BY state`
)

// refund returns the one refund that a query finds, or gateway.ErrNotFound.
func (s *Store) refund(ctx context.Context, in *session, query string, args ...any) (gateway.Refund, error) {
	return get(ctx, in, query, args, s.scanRefund)
}

// Refund returns the customer's refund of this id.
func (s *Store) Refund(ctx context.Context, customer, id string) (gateway.Refund, error) {
	return s.refund(ctx, s.queries, refundOfCustomer, id, customer)
}

// Accepted is Refund: what a reader sees in this file, its writer has flushed to the disk.
func (s *Store) Accepted(ctx context.Context, customer, id string) (gateway.Refund, error) {
	return s.Refund(ctx, customer, id)
}

// Lookup returns the refund of this id, whoever's it is: for referees and operators, never for a customer's request.
func (s *Store) Lookup(ctx context.Context, id string) (gateway.Refund, error) {
	return s.refund(ctx, s.queries, refundByID, id)
}

// Reference returns the refund of this reference, whoever's it is, or gateway.ErrNotFound.
func (s *Store) Reference(ctx context.Context, reference string) (gateway.Refund, error) {
	return s.refund(ctx, s.queries, refundByReference, reference)
}

// Refunds is as bank.Book says. A limit outside of 1 to 100 is brought into it.
func (s *Store) Refunds(ctx context.Context, customer string, p bank.Page) ([]gateway.Refund, string, error) {
	return kept.RefundsOf(customer).Page(s.sealer, p, kept.Last, func(behind kept.Position, most int) ([]gateway.Refund, error) {
		query, args := refundsOfCustomer, []any{customer, behind.At.UnixMicro(), behind.ID, most}
		switch {
		case p.Reference != "":
			query, args = refundReferenceOf, []any{p.Reference, customer}
		case p.Request != "":
			query, args = refundRequestOf, []any{p.Request, customer}
		}
		return all(ctx, s.queries, query, args, s.scanRefund)
	})
}

// Live says which of the requests have a refund of ours that is live or credited. The others are absent.
func (s *Store) Live(ctx context.Context, requestIDs []string) (map[string]bool, error) {
	live := make(map[string]bool)
	if len(requestIDs) == 0 {
		return live, nil
	}
	err := s.queries.each(ctx, selectLive, []any{list(requestIDs)}, func(row scanner) error {
		var id string
		err := row.Scan(&id)
		live[id] = true
		return err
	})
	if err != nil {
		return nil, err
	}
	return live, nil
}

// Counts is how many refunds stand in each state, and when the oldest one that isn't final was accepted; the zero time
// when all are.
func (s *Store) Counts(ctx context.Context) (counts map[gateway.State]int, oldestUnfinished time.Time, err error) {
	counts = make(map[gateway.State]int)
	err = s.queries.each(ctx, selectCounts, nil, func(row scanner) error {
		var (
			state   gateway.State
			n       int
			created int64
		)
		if err := row.Scan(&state, &n, &created); err != nil {
			return err
		}
		counts[state] = n
		if at := time.UnixMicro(created).UTC(); !state.Final() && (oldestUnfinished.IsZero() || at.Before(oldestUnfinished)) {
			oldestUnfinished = at
		}
		return nil
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	return counts, oldestUnfinished, nil
}
