package postgres

import (
	"context"

	"github.com/istirdad/istirdad/gateway"
)

const (
	afterID      = ` WHERE id > $1 ORDER BY id LIMIT $2`
	selectAfter  = selectRefund + afterID
	selectStates = `SELECT id, reference, state FROM refunds` + afterID
	// eachPage is how many refunds Each and States hold at a time.
	eachPage = 500
)

// Each visits every refund, in the order of their ids: for checks of the whole book, never for a customer's request. It
// reads page by page and keeps no transaction open, which would keep the database from tidying up: of what is written
// meanwhile it may see some and not other.
func (s *Store) Each(ctx context.Context, visit func(gateway.Refund) error) error {
	return s.each(ctx, eachPage, visit)
}

func (s *Store) each(ctx context.Context, size int, visit func(gateway.Refund) error) error {
	return pages(ctx, s.main, selectAfter, size, s.scanRefund, func(r gateway.Refund) string { return r.ID }, visit)
}

// States is Each for whoever may know where refunds stand and not whose they are: it unseals nothing, so a store that was
// opened with another key will do.
func (s *Store) States(ctx context.Context, visit func(id, reference string, state gateway.State) error) error {
	type standing struct {
		id, reference string
		state         gateway.State
	}
	scan := func(_ context.Context, row scanner) (r standing, err error) {
		err = row.Scan(&r.id, &r.reference, &r.state)
		return r, err
	}
	return pages(ctx, s.main, selectStates, eachPage, scan, func(r standing) string { return r.id },
		func(r standing) error { return visit(r.id, r.reference, r.state) })
}

// pages visits what a query finds behind an id, from the first id to the last.
func pages[T any](ctx context.Context, p *pool, query string, size int, scan reader[T], id func(T) string,
	visit func(T) error,
) error {
	for last := ""; ; {
		page, err := all(ctx, p, query, []any{last, size}, scan)
		if err != nil {
			return err
		}
		for _, t := range page {
			if err := visit(t); err != nil {
				return err
			}
		}
		if len(page) < size {
			return nil
		}
		last = id(page[len(page)-1])
	}
}
