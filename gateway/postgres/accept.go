package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/kept"
	"github.com/istirdad/istirdad/internal/money"
)

const (
	countDead = `SELECT count(*) FROM refunds WHERE request_id = $1 AND state IN ('rejected', 'cancelled', 'returned')`

	// insertSpent holds only if nothing was spent that day.
	insertSpent = `INSERT INTO day_limits (customer, day, spent) VALUES ($1, $2, $3)`
	// addSpent locks the day, whether it was there or not, and says what is spent with this.
	addSpent = `INSERT INTO day_limits (customer, day, spent) VALUES ($1, $2, $3)
		ON CONFLICT (customer, day) DO UPDATE SET spent = day_limits.spent + excluded.spent RETURNING spent`
	giveBack = `UPDATE day_limits SET spent = spent - $1 WHERE customer = $2 AND day = $3`

	selectWithdrawn = `SELECT true FROM withdrawn WHERE id = $1`
	insertWithdrawn = `INSERT INTO withdrawn (id, at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`
	pruneWithdrawn  = `SELECT prune_withdrawn($1)`
	pruneUses       = `SELECT prune_account_uses($1)`

	// clearRecord writes nothing where there is nothing to clear.
	clearRecord = `UPDATE ledger SET record = cleared, updated_at = $2, stamp = $3 WHERE customer = $1 AND record <> cleared`

	selectFirstStamp = `SELECT stamp FROM events WHERE refund_id = $1 AND version = 1`
)

// acceptance is one call of Accept.
type acceptance struct {
	gateway.Acceptance
	stamp  stamp
	refund gateway.Refund // the one that is there afterwards
}

// errReplay: the refund is there already; the transaction is given up.
var errReplay = errors.New("accepted before")

// Accept is as bank.Book says. The end of an otp.Record's failures is part of the same transaction.
//
// It first writes what is right when nothing was spent that day and no refund of the request has died, without looking:
// the day's row and the reference, which is that of ordinal 0, can each be inserted only if that is so. Whatever stands
// in the way, the day is then locked and everything looked at.
func (s *Store) Accept(ctx context.Context, given gateway.Acceptance) (r gateway.Refund, first bool, err error) {
	a := &acceptance{Acceptance: given, stamp: newStamp()}
	err = s.main.write(ctx, func(ctx context.Context, tx *transaction) error { return s.acceptUnseen(ctx, tx, a) })
	if errors.Is(err, gateway.ErrLimitExceeded) || broke(err) != "" {
		err = s.main.write(ctx, func(ctx context.Context, tx *transaction) error { return s.acceptLocked(ctx, tx, a) })
		if broke(err) != "" {
			err = s.refused(ctx, a, err)
		}
	}
	err = s.settle(ctx, s.main, err, a.foundBy)
	switch {
	case errors.Is(err, errReplay) && a.refund.Origin.Customer != given.Origin.Customer:
		return gateway.Refund{}, false, gateway.ErrNotFound
	case errors.Is(err, errReplay):
		// Who comes again may do so because the first commit's wait for the standby was cut short.
		err = s.main.write(ctx, ripple)
	case err == nil:
		first = true
	}
	if err != nil {
		return gateway.Refund{}, false, err
	}
	return a.refund, first, nil
}

func (s *Store) acceptUnseen(ctx context.Context, tx *transaction, a *acceptance) error {
	write, err := s.accept(a, 0, 0)
	if err != nil {
		return err
	}
	spend := exec(insertSpent, a.Origin.Customer, day(a.Day()), int64(a.Payment.Amount))
	return tx.commit(ctx, append([]statement{spend}, write...)...)
}

func (s *Store) acceptLocked(ctx context.Context, tx *transaction, a *acceptance) error {
	var (
		there     *gateway.Refund
		withdrawn bool
		dead      int
		spent     money.Amount
	)
	err := tx.send(ctx,
		statement{query: addSpent, args: []any{a.Origin.Customer, day(a.Day()), int64(a.Payment.Amount)},
			read: func(row scanner) error { return row.Scan(&spent) }},
		statement{query: refundByID, args: []any{a.ID}, read: func(row scanner) error {
			r, err := s.scanRefund(ctx, row)
			there = &r
			return err
		}},
		statement{query: selectWithdrawn, args: []any{a.ID}, read: func(row scanner) error { return row.Scan(&withdrawn) }},
		statement{query: countDead, args: []any{a.Payment.RequestID}, read: func(row scanner) error { return row.Scan(&dead) }},
	)
	switch {
	case err != nil:
		return err
	case there != nil:
		a.refund = *there
		return errReplay
	case withdrawn:
		return gateway.ErrNotFound
	}
	write, err := s.accept(a, dead, spent-a.Payment.Amount)
	if err != nil {
		return err
	}
	return tx.commit(ctx, write...)
}

// accept is what an accept writes, but for the day's limit.
func (s *Store) accept(a *acceptance, dead int, spent money.Amount) ([]statement, error) {
	r, event, err := a.Refund(dead, spent)
	if err != nil {
		return nil, err
	}
	a.refund = kept.Refund(r)
	appended, err := s.record(event, a.stamp)
	if err != nil {
		return nil, err
	}
	write := append([]statement{s.insert(a.refund, a.stamp), appended}, s.used(a.refund)...)
	if a.Challenge != "" {
		write = append(write, exec(clearRecord, a.Origin.Customer, a.At, int64(a.stamp)))
	}
	// The last, so that no row of another's is held for longer than the commit takes.
	return append(write, exec(pruneUses, a.At.Add(-kept.UsesFor))), nil
}

// refused says what an accept that broke a rule is told. Which of several broken rules the database names is its own
// choice, so the refund is looked for first: on a day of another lock somebody may just have accepted it.
func (s *Store) refused(ctx context.Context, a *acceptance, err error) error {
	switch there, missing := s.refund(ctx, s.main, refundByID, a.ID); {
	case missing == nil:
		a.refund = there
		return errReplay
	case !errors.Is(missing, gateway.ErrNotFound):
		return errors.Join(err, missing)
	}
	switch broke(err) {
	case "refunds_challenge":
		return gateway.ErrChallengeUsed
	case "refunds_live", "refunds_reference":
		// A request's second live refund has the first one's ordinal and so its reference too.
		return gateway.ErrRefundExists
	case "refunds_withdrawn":
		return gateway.ErrNotFound
	}
	return err
}

// foundBy finds out what became of an accept whose COMMIT wasn't answered.
func (a *acceptance) foundBy(ctx context.Context, one look) (bool, error) {
	var by stamp
	found, err := one(ctx, selectFirstStamp, []any{a.ID}, &by)
	return found && by == a.stamp, err
}

// Accepted is as bank.Book says: as Accept's word to whoever comes again.
func (s *Store) Accepted(ctx context.Context, customer, id string) (gateway.Refund, error) {
	r, err := s.Refund(ctx, customer, id)
	if err == nil {
		err = s.main.write(ctx, ripple)
	}
	if err != nil {
		return gateway.Refund{}, err
	}
	return r, nil
}

// Withdraw is as bank.Book says.
func (s *Store) Withdraw(ctx context.Context, now time.Time, customer, id string) (r gateway.Refund, found bool, err error) {
	err = s.main.write(ctx, func(ctx context.Context, tx *transaction) error {
		return tx.commit(ctx, exec(insertWithdrawn, id, now), exec(pruneWithdrawn, now.Add(-bank.PreviewMemory)))
	})
	if broke(err) != "withdrawn_free" {
		return gateway.Refund{}, false, err
	}
	// It is somebody's refund, so no preview of this id will be confirmed any more, whoever's it is.
	switch r, err = s.Accepted(ctx, customer, id); {
	case errors.Is(err, gateway.ErrNotFound):
		return gateway.Refund{}, false, nil
	case err != nil:
		return gateway.Refund{}, false, fmt.Errorf("postgres: withdraw: %w", err)
	}
	return r, true, nil
}
