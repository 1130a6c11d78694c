package postgres

import (
	"context"

	"github.com/istirdad/istirdad/gateway"
)

const (
	selectAfter = selectRefund + `WHERE id > $1 ORDER BY id LIMIT $2`
	// eachPage is how many refunds Each holds at a time.
	eachPage = 500
)

// Each visits every refund, in the order of their ids: for checks of the whole book, never for a customer's request. It
// reads page by page and keeps no transaction open, which would keep the database from tidying up: of what is written
// meanwhile it may see some and not other.
func (s *Store) Each(ctx context.Context, visit func(gateway.Refund) error) error {
	return s.each(ctx, eachPage, visit)
}

func (s *Store) each(ctx context.Context, size int, visit func(gateway.Refund) error) error {
	page := make([]gateway.Refund, 0, size)
	for last := ""; ; last = page[len(page)-1].ID {
		page = page[:0]
		err := s.main.each(ctx, selectAfter, []any{last, size}, func(row scanner) error {
			r, err := s.scanRefund(row)
			page = append(page, r)
			return err
		})
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := visit(r); err != nil {
				return err
			}
		}
		if len(page) < size {
			return nil
		}
	}
}
