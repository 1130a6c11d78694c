package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	modernc "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/kept"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

const (
	countDead = `SELECT count(*) FROM refunds WHERE request_id = ? AND state IN ('rejected', 'cancelled', 'returned')`

	selectSpent = `SELECT spent FROM day_limits WHERE customer = ? AND day = ?`
	addSpent    = `INSERT INTO day_limits (customer, day, spent) VALUES (?, ?, ?)
		ON CONFLICT (customer, day) DO UPDATE SET spent = spent + excluded.spent`
	selectWithdrawn = `SELECT count(*) FROM withdrawn WHERE id = ?`
	insertWithdrawn = `INSERT INTO withdrawn (id, at) VALUES (?, ?) ON CONFLICT (id) DO NOTHING`
	pruneWithdrawn  = `DELETE FROM withdrawn WHERE at < ?`
	pruneUses       = `DELETE FROM account_uses WHERE last_at < min(?, (unixepoch() - 30 * 86400) * 1000000)`
	giveBack        = `UPDATE day_limits SET spent = spent - ? WHERE customer = ? AND day = ?`
)

// Accept is as bank.Book says. A change of otp.Record is part of the same transaction.
func (s *Store) Accept(ctx context.Context, a gateway.Acceptance) (gateway.Refund, bool, error) {
	var (
		accepted gateway.Refund
		first    bool
	)
	err := s.writer.write(ctx, func(ctx context.Context, tx *session) (err error) {
		accepted, first, err = s.accept(ctx, tx, a)
		return err
	})
	if err != nil {
		return gateway.Refund{}, false, err
	}
	return accepted, first, nil
}

func (s *Store) accept(ctx context.Context, tx *session, a gateway.Acceptance) (r gateway.Refund, first bool, err error) {
	switch r, err = s.refund(ctx, tx, refundByID, a.ID); {
	case err == nil && r.Origin.Customer != a.Origin.Customer:
		return gateway.Refund{}, false, gateway.ErrNotFound
	case err == nil || !errors.Is(err, gateway.ErrNotFound):
		return r, false, err
	}
	var dead, withdrawn int
	if err := tx.one(ctx, selectWithdrawn, []any{a.ID}, into(&withdrawn)); err != nil {
		return gateway.Refund{}, false, err
	}
	if withdrawn > 0 {
		return gateway.Refund{}, false, gateway.ErrNotFound
	}
	if err := tx.one(ctx, countDead, []any{a.Payment.RequestID}, into(&dead)); err != nil {
		return gateway.Refund{}, false, err
	}
	spent, err := spent(ctx, tx, a.Origin.Customer, a.Day())
	if err != nil {
		return gateway.Refund{}, false, err
	}
	r, event, err := a.Refund(dead, spent)
	if err != nil {
		return gateway.Refund{}, false, err
	}
	r = kept.Refund(r)
	if err := s.insert(ctx, tx, r); err != nil {
		return gateway.Refund{}, false, refused(err)
	}
	if _, err := s.record(ctx, tx, event, r.Version); err != nil {
		return gateway.Refund{}, false, err
	}
	if err := tx.exec(ctx, addSpent, a.Origin.Customer, a.Day().String(), int64(a.Payment.Amount)); err != nil {
		return gateway.Refund{}, false, err
	}
	if err := s.use(ctx, tx, r); err != nil {
		return gateway.Refund{}, false, err
	}
	if err := tx.exec(ctx, pruneUses, a.At.Add(-kept.UsesFor).UnixMicro()); err != nil {
		return gateway.Refund{}, false, err
	}
	if a.Challenge != "" {
		_, err = updateLedger(ctx, tx, a.At, a.Origin.Customer, func(r otp.Record) (otp.Record, error) { return r.Cleared(), nil })
	}
	return r, true, err
}

// Withdraw is as bank.Book says.
func (s *Store) Withdraw(ctx context.Context, now time.Time, customer, id string) (r gateway.Refund, found bool, err error) {
	err = s.writer.write(ctx, func(ctx context.Context, tx *session) error {
		var err error
		r, err = s.refund(ctx, tx, refundOfCustomer, id, customer)
		if found = err == nil; !errors.Is(err, gateway.ErrNotFound) {
			return err
		}
		if err := tx.exec(ctx, insertWithdrawn, id, now.UnixMicro()); err != nil {
			return err
		}
		return tx.exec(ctx, pruneWithdrawn, now.Add(-bank.PreviewMemory).UnixMicro())
	})
	return r, found && err == nil, err
}

// refused names the rule that an insert broke. SQLite names a unique index by its columns. A request's second live
// refund has the first one's ordinal and so its reference too, and SQLite may name either.
func refused(err error) error {
	failure, ok := errors.AsType[*modernc.Error](err)
	if !ok || failure.Code() != sqlite3.SQLITE_CONSTRAINT_UNIQUE {
		return err
	}
	switch message := failure.Error(); {
	case strings.Contains(message, "refunds.challenge"):
		return gateway.ErrChallengeUsed
	case strings.Contains(message, "refunds.request_id"), strings.Contains(message, "refunds.reference"):
		return gateway.ErrRefundExists
	}
	return err
}

// Spent is what the customer's refunds have taken from the day's limit.
func (s *Store) Spent(ctx context.Context, customer string, day saudi.Date) (money.Amount, error) {
	return spent(ctx, s.queries, customer, day)
}

func spent(ctx context.Context, in *session, customer string, day saudi.Date) (amount money.Amount, err error) {
	err = in.one(ctx, selectSpent, []any{customer, day.String()}, into(&amount))
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return amount, err
}
