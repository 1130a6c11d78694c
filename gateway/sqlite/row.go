package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/kept"
	"github.com/istirdad/istirdad/internal/saudi"
)

// The columns of table refunds, in the order of its values and of scanRefund.
const (
	fixedColumns = `id, reference, ordinal, customer, session, client, channel, teller, employee, branch,
		request_id, service, name_ar, name_en, amount, payer_kind, payer_number, beneficiary_kind, beneficiary_number,
		to_iban, challenge, created_at, promised, trace, held, flags`
	movingColumns = `state, version, due, updated_at, sends, misses, may_have_left, sent_at, doubt_since, asks,
		unknowns, unknown_at, core_reference, released_at, posts, credit_refusal, ledger_id, reason, notice`

	selectRefund = `SELECT ` + fixedColumns + `, ` + movingColumns + ` FROM refunds `
	insertRefund = `INSERT INTO refunds (` + fixedColumns + `, ` + movingColumns + `, payer_index, to_iban_index)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
			?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	// updateRefund is the compare-and-swap: id and the version that the change was made from come last.
	updateRefund = `UPDATE refunds SET (` + movingColumns + `) =
		(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ? AND version = ?`

	refundByID        = selectRefund + `WHERE id = ?`
	refundByReference = selectRefund + `WHERE reference = ?`
)

func (s *Store) insert(ctx context.Context, tx *session, r gateway.Refund) error {
	o, p, people := r.Origin, r.Payment, s.sealer.Seal(r)
	args := []any{
		r.ID, r.Reference, r.Ordinal, o.Customer, o.Session, o.Client, string(o.Channel), o.Teller, o.Employee, o.Branch,
		p.RequestID, p.Service, p.Name.AR, p.Name.EN, int64(p.Amount),
		string(people.PayerKind), people.Payer, string(people.BeneficiaryKind), people.Beneficiary,
		people.To, r.Challenge, r.CreatedAt.UnixMicro(), r.Promised.String(), r.Trace, string(r.Held), string(r.Flags),
	}
	args = append(args, moving(r)...)
	args = append(args, people.PayerIndex, people.ToIndex)
	return tx.exec(ctx, insertRefund, args...)
}

func moving(r gateway.Refund) []any {
	return []any{
		string(r.State), r.Version, nullable(r.Due), r.UpdatedAt.UnixMicro(), r.Sends, r.Misses, r.MayHaveLeft,
		nullable(r.SentAt), nullable(r.DoubtSince), r.Asks, r.Unknowns, nullable(r.UnknownAt), r.CoreReference,
		nullable(r.ReleasedAt), r.Posts, r.CreditRefusal, r.LedgerID, r.Reason, string(r.Notice),
	}
}

// scanRefund makes the refund of a row. One that can't be read comes without its people, and with gateway.ErrUnreadable.
func (s *Store) scanRefund(ctx context.Context, row scanner) (gateway.Refund, error) {
	var (
		r                             gateway.Refund
		people                        kept.People
		promised                      string
		created, updated              int64
		due, sent, doubt, unknown, at sql.NullInt64
	)
	o, p := &r.Origin, &r.Payment
	if err := row.Scan(
		&r.ID, &r.Reference, &r.Ordinal, &o.Customer, &o.Session, &o.Client, &o.Channel, &o.Teller, &o.Employee, &o.Branch,
		&p.RequestID, &p.Service, &p.Name.AR, &p.Name.EN, &p.Amount, &people.PayerKind, &people.Payer,
		&people.BeneficiaryKind, &people.Beneficiary, &people.To, &r.Challenge, &created, &promised, &r.Trace, &r.Held, &r.Flags,
		&r.State, &r.Version, &due, &updated, &r.Sends, &r.Misses, &r.MayHaveLeft, &sent, &doubt, &r.Asks,
		&r.Unknowns, &unknown, &r.CoreReference, &at, &r.Posts, &r.CreditRefusal, &r.LedgerID, &r.Reason, &r.Notice,
	); err != nil {
		return gateway.Refund{}, err
	}
	r.CreatedAt, r.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	r.Due, r.SentAt, r.DoubtSince = instant(due), instant(sent), instant(doubt)
	r.UnknownAt, r.ReleasedAt = instant(unknown), instant(at)
	var err error
	if r.Promised, err = saudi.ParseDate(promised); err != nil {
		return gateway.Refund{}, fmt.Errorf("refund %s: %w", r.ID, err)
	}
	if err := s.sealer.Open(&r, people); err != nil {
		s.unread.Note(ctx, "refund", r.ID, err)
		return r, err
	}
	return r, nil
}

// scanListed is scanRefund for a list that many share.
func (s *Store) scanListed(ctx context.Context, row scanner) (gateway.Listed, error) {
	r, err := s.scanRefund(ctx, row)
	if errors.Is(err, gateway.ErrUnreadable) {
		return gateway.Listed{Refund: r, Unreadable: true}, nil
	}
	return gateway.Listed{Refund: r}, err
}

// nullable keeps the zero time as NULL.
func nullable(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

func instant(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.UnixMicro(n.Int64).UTC()
}
