package sqlite

import (
	"context"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
)

// selectMisspent adds up the live refunds of each customer and day, which in Riyadh is three hours ahead of UTC.
const selectMisspent = `WITH live (customer, day, amount) AS (
		SELECT customer, date(created_at / 1000000 + 10800, 'unixepoch'), sum(amount) FROM refunds
		WHERE state NOT IN ('rejected', 'cancelled', 'returned') GROUP BY 1, 2
	)
	SELECT coalesce(d.customer, l.customer), coalesce(d.day, l.day), coalesce(spent, 0), coalesce(amount, 0)
	FROM day_limits AS d FULL JOIN live AS l ON d.customer = l.customer AND d.day = l.day
	WHERE coalesce(spent, 0) <> coalesce(amount, 0) ORDER BY 1, 2`

// Misspent visits every day of a customer whose limit is wrong: for auditors, who find none.
func (s *Store) Misspent(ctx context.Context, visit func(gateway.Misspent) error) error {
	return s.queries.each(ctx, selectMisspent, nil, func(row scanner) error {
		var (
			m   gateway.Misspent
			day string
		)
		err := row.Scan(&m.Customer, &day, &m.Spent, &m.Live)
		if err == nil {
			m.Day, err = saudi.ParseDate(day)
		}
		if err != nil {
			return err
		}
		return visit(m)
	})
}
