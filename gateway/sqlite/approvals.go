package sqlite

import (
	"context"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/kept"
)

// selectAwaiting reads them out of the queue's index, which holds what is due work and nothing else: those of all
// branches are few, since none outlasts its day. What lapsed and is still there is nobody's to approve.
const selectAwaiting = selectRefund + `WHERE state = 'awaiting_approval' AND due IS NOT NULL AND due > ?1
	AND (due, id) > (?2, ?3) AND (?4 = '' OR branch = ?4) ORDER BY due, id LIMIT ?5`

// Awaiting is as bank.Approvals says. A limit outside of 1 to 100 is brought into it.
func (s *Store) Awaiting(ctx context.Context, now time.Time, branch string, p bank.Page) ([]gateway.Refund, string, error) {
	page, next, err := kept.ApprovalsOf(branch).Page(s.sealer, p, kept.Position{At: now},
		func(behind kept.Position, most int) ([]gateway.Listed, error) {
			return all(ctx, s.queries, selectAwaiting, []any{now.UnixMicro(), behind.At.UnixMicro(), behind.ID, branch, most}, s.scanListed)
		})
	return kept.Readable(page), next, err
}
