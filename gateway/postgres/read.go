package postgres

import (
	"context"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/kept"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
)

const (
	refundOfCustomer  = selectRefund + `WHERE id = $1 AND customer = $2`
	refundReferenceOf = selectRefund + `WHERE reference = $1 AND customer = $2`
	refundRequestOf   = selectRefund + `WHERE request_id = $1 AND customer = $2
		AND state NOT IN ('rejected', 'cancelled', 'returned')`
	refundsOfCustomer = selectRefund + `WHERE customer = $1 AND (created_at, id) < ($2, $3)
		ORDER BY created_at DESC, id DESC LIMIT $4`

	selectLive = `SELECT request_id FROM refunds
		WHERE state NOT IN ('rejected', 'cancelled', 'returned') AND request_id = ANY ($1)`
	selectSpent = `SELECT spent FROM day_limits WHERE customer = $1 AND day = $2`
)

const (
	unfinished = `'awaiting_approval', 'queued', 'sending', 'in_doubt', 'pending', 'refunded', 'returning', 'manual'`
	// selectCounts counts the refunds that haven't ended, which are few, and adds up the counters of those that have.
	// The list of states is there twice: to ask for each by itself, and to say that the partial index holds them all.
	selectCounts = `SELECT wanted, n, oldest FROM unnest(ARRAY[` + unfinished + `]) AS s(wanted) CROSS JOIN LATERAL (
			SELECT count(*) AS n, min(created_at) AS oldest FROM refunds WHERE state = s.wanted AND state IN (` + unfinished + `)
		) AS r WHERE n > 0
		UNION ALL SELECT state, sum(n)::bigint, NULL FROM ended GROUP BY state`
)

// refund returns the one refund that a query finds, or gateway.ErrNotFound.
func (s *Store) refund(ctx context.Context, p *pool, query string, args ...any) (gateway.Refund, error) {
	return get(ctx, p, query, args, s.scanRefund)
}

// Refund returns the customer's refund of this id.
func (s *Store) Refund(ctx context.Context, customer, id string) (gateway.Refund, error) {
	return s.refund(ctx, s.main, refundOfCustomer, id, customer)
}

// Lookup returns the refund of this id, whoever's it is: for referees and operators, never for a customer's request.
func (s *Store) Lookup(ctx context.Context, id string) (gateway.Refund, error) {
	return s.refund(ctx, s.main, refundByID, id)
}

// Reference returns the refund of this reference, whoever's it is, or gateway.ErrNotFound.
func (s *Store) Reference(ctx context.Context, reference string) (gateway.Refund, error) {
	return s.refund(ctx, s.dispatch, refundByReference, reference)
}

// Refunds is as bank.Book says. A limit outside of 1 to 100 is brought into it.
func (s *Store) Refunds(ctx context.Context, customer string, p bank.Page) ([]gateway.Refund, string, error) {
	return kept.RefundsOf(customer).Page(s.sealer, p, kept.Last, func(behind kept.Position, most int) ([]gateway.Refund, error) {
		query, args := refundsOfCustomer, []any{customer, behind.At, behind.ID, most}
		switch {
		case p.Reference != "":
			query, args = refundReferenceOf, []any{p.Reference, customer}
		case p.Request != "":
			query, args = refundRequestOf, []any{p.Request, customer}
		}
		return all(ctx, s.main, query, args, s.scanRefund)
	})
}

// Live says which of the requests have a refund of ours that is live or credited. The others are absent.
func (s *Store) Live(ctx context.Context, requestIDs []string) (map[string]bool, error) {
	live := make(map[string]bool)
	if len(requestIDs) == 0 {
		return live, nil
	}
	err := s.main.each(ctx, selectLive, []any{requestIDs}, func(row scanner) error {
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
	err = s.main.each(ctx, selectCounts, nil, func(row scanner) error {
		var (
			state   gateway.State
			n       int
			created *time.Time // of the oldest, if they haven't ended
		)
		if err := row.Scan(&state, &n, &created); err != nil {
			return err
		}
		counts[state] = n
		if at := instant(created); created != nil && (oldestUnfinished.IsZero() || at.Before(oldestUnfinished)) {
			oldestUnfinished = at
		}
		return nil
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	return counts, oldestUnfinished, nil
}

// Spent is what the customer's refunds have taken from the day's limit.
func (s *Store) Spent(ctx context.Context, customer string, on saudi.Date) (amount money.Amount, err error) {
	_, err = s.main.one(ctx, selectSpent, []any{customer, day(on)}, &amount)
	return amount, err
}
