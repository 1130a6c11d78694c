package postgres

import (
	"context"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
)

const (
	// selectDays reads a page of days with what the live refunds of each come to. A day in Riyadh is three hours ahead of
	// UTC. The days of $1 before $2 were on the pages before.
	selectDays = `SELECT d.customer, d.day, d.spent, live.amount FROM (
			SELECT customer, day, spent FROM day_limits WHERE (customer, day) > ($1, $2) ORDER BY customer, day LIMIT $3
		) AS d CROSS JOIN LATERAL (
			SELECT coalesce(sum(amount), 0)::bigint AS amount FROM refunds
			WHERE customer = d.customer AND state NOT IN ('rejected', 'cancelled', 'returned')
			AND created_at >= d.day::timestamp AT TIME ZONE interval '3 hours'
			AND created_at < (d.day + 1)::timestamp AT TIME ZONE interval '3 hours'
		) AS live ORDER BY customer, day`
	// selectDayless reads a page of refunds, and which live ones of them no day knows of.
	selectDayless = `SELECT r.id, r.customer, r.day, r.amount, r.live AND NOT EXISTS (
			SELECT FROM day_limits AS d WHERE d.customer = r.customer AND d.day = r.day
		) FROM (
			SELECT id, customer, (created_at AT TIME ZONE interval '3 hours')::date AS day, amount,
				state NOT IN ('rejected', 'cancelled', 'returned') AS live
			FROM refunds` + afterID + `
		) AS r ORDER BY id`
)

// Misspent visits every day of a customer whose limit is wrong: for auditors, who find none. It reads page by page, so
// of what is written meanwhile it may see a half.
func (s *Store) Misspent(ctx context.Context, visit func(gateway.Misspent) error) error {
	after := gateway.Misspent{Day: saudi.Date{Year: 1, Month: time.January, Day: 1}}
	for {
		args := []any{after.Customer, day(after.Day), eachPage}
		page, err := all(ctx, s.main, selectDays, args, func(_ context.Context, row scanner) (m gateway.Misspent, err error) {
			var on time.Time
			err = row.Scan(&m.Customer, &on, &m.Spent, &m.Live)
			m.Day = dateOf(on)
			return m, err
		})
		if err != nil {
			return err
		}
		for _, m := range page {
			if m.Spent != m.Live {
				if err := visit(m); err != nil {
					return err
				}
			}
		}
		if len(page) < eachPage {
			break
		}
		after = page[len(page)-1]
	}
	type taking struct {
		id, customer string
		day          time.Time
		amount       money.Amount
		dayless      bool
	}
	scan := func(_ context.Context, row scanner) (t taking, err error) {
		err = row.Scan(&t.id, &t.customer, &t.day, &t.amount, &t.dayless)
		return t, err
	}
	return pages(ctx, s.main, selectDayless, eachPage, scan, func(t taking) string { return t.id }, func(t taking) error {
		if !t.dayless {
			return nil
		}
		return visit(gateway.Misspent{Customer: t.customer, Day: dateOf(t.day), Live: t.amount})
	})
}
