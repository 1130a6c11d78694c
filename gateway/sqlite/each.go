package sqlite

import (
	"context"

	"github.com/istirdad/istirdad/gateway"
)

// Each visits every refund: for checks of the whole book, never for a customer's request. It reads one snapshot; what
// is written meanwhile isn't in it.
func (s *Store) Each(ctx context.Context, visit func(gateway.Refund) error) error {
	return s.queries.each(ctx, selectRefund, nil, func(row scanner) error {
		r, err := s.scanRefund(ctx, row)
		if err != nil {
			return err
		}
		return visit(r)
	})
}
