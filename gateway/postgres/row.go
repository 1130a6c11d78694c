package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/kept"
	"github.com/istirdad/istirdad/internal/saudi"
)

// The columns of table refunds, in the order of its values and of stored.scan.
const (
	fixedColumns = `id, reference, ordinal, customer, session, client, channel, teller, employee, branch,
		request_id, service, name_ar, name_en, amount, payer_kind, payer_number, beneficiary_kind, beneficiary_number,
		to_iban, challenge, created_at, promised, trace, held, flags`
	movingColumns = `state, version, due, updated_at, sends, misses, may_have_left, sent_at, doubt_since, asks,
		unknowns, unknown_at, core_reference, released_at, posts, credit_refusal, ledger_id, reason, notice`

	columns      = fixedColumns + `, ` + movingColumns
	selectRefund = `SELECT ` + columns + ` FROM refunds `
	insertRefund = `INSERT INTO refunds (` + columns + `, payer_index, to_iban_index, stamp)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
			$24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45,
			$46, $47, $48)`
	// updateRefund is the compare-and-swap: id and the version that the change was made from come last.
	updateRefund = `UPDATE refunds SET (` + movingColumns + `, stamp) =
		($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
		WHERE id = $21 AND version = $22`

	refundByID        = selectRefund + `WHERE id = $1`
	refundByReference = selectRefund + `WHERE reference = $1`
)

func (s *Store) insert(r gateway.Refund, mark stamp) statement {
	o, p, people := r.Origin, r.Payment, s.sealer.Seal(r)
	args := []any{
		r.ID, r.Reference, r.Ordinal, o.Customer, o.Session, o.Client, string(o.Channel), o.Teller, o.Employee, o.Branch,
		p.RequestID, p.Service, p.Name.AR, p.Name.EN, int64(p.Amount),
		string(people.PayerKind), people.Payer, string(people.BeneficiaryKind), people.Beneficiary,
		people.To, r.Challenge, r.CreatedAt, day(r.Promised), r.Trace, string(r.Held), string(r.Flags),
	}
	args = append(args, moving(r)...)
	args = append(args, people.PayerIndex, people.ToIndex, int64(mark))
	return exec(insertRefund, args...)
}

// update is the compare-and-swap of a change; wrote is 0 when the refund has moved on.
func update(c gateway.Change, mark stamp, wrote *int64) statement {
	r := c.Refund()
	return statement{query: updateRefund, args: append(moving(r), int64(mark), r.ID, c.From()), wrote: wrote}
}

func moving(r gateway.Refund) []any {
	return []any{
		string(r.State), r.Version, nullable(r.Due), r.UpdatedAt, r.Sends, r.Misses, r.MayHaveLeft,
		nullable(r.SentAt), nullable(r.DoubtSince), r.Asks, r.Unknowns, nullable(r.UnknownAt), r.CoreReference,
		nullable(r.ReleasedAt), r.Posts, r.CreditRefusal, r.LedgerID, r.Reason, string(r.Notice),
	}
}

// stored is a row of refunds as it was read, some of it still sealed.
type stored struct {
	refund                        gateway.Refund
	people                        kept.People
	promised                      time.Time
	due, sent, doubt, unknown, at *time.Time
}

func (s *stored) scan(row scanner) error {
	r := &s.refund
	o, p := &r.Origin, &r.Payment
	return row.Scan(
		&r.ID, &r.Reference, &r.Ordinal, &o.Customer, &o.Session, &o.Client, &o.Channel, &o.Teller, &o.Employee, &o.Branch,
		&p.RequestID, &p.Service, &p.Name.AR, &p.Name.EN, &p.Amount, &s.people.PayerKind, &s.people.Payer,
		&s.people.BeneficiaryKind, &s.people.Beneficiary, &s.people.To, &r.Challenge, &r.CreatedAt, &s.promised, &r.Trace, &r.Held,
		&r.Flags,
		&r.State, &r.Version, &s.due, &r.UpdatedAt, &r.Sends, &r.Misses, &r.MayHaveLeft, &s.sent, &s.doubt, &r.Asks,
		&r.Unknowns, &s.unknown, &r.CoreReference, &s.at, &r.Posts, &r.CreditRefusal, &r.LedgerID, &r.Reason, &r.Notice)
}

// open makes the refund of a row. One that can't be read comes without its people, and with gateway.ErrUnreadable.
func (s *Store) open(ctx context.Context, row stored) (gateway.Refund, error) {
	r := row.refund
	r.CreatedAt, r.UpdatedAt = r.CreatedAt.UTC(), r.UpdatedAt.UTC()
	r.Due, r.SentAt, r.DoubtSince = instant(row.due), instant(row.sent), instant(row.doubt)
	r.UnknownAt, r.ReleasedAt = instant(row.unknown), instant(row.at)
	r.Promised = dateOf(row.promised)
	if err := s.sealer.Open(&r, row.people); err != nil {
		s.unread.Note(ctx, "refund", r.ID, err)
		return r, err
	}
	return r, nil
}

func (s *Store) scanRefund(ctx context.Context, row scanner) (gateway.Refund, error) {
	var read stored
	if err := read.scan(row); err != nil {
		return gateway.Refund{}, err
	}
	return s.open(ctx, read)
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
	return t
}

func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// dateOf is a date as the driver gives it.
func dateOf(t time.Time) saudi.Date {
	year, month, day := t.Date()
	return saudi.Date{Year: year, Month: month, Day: day}
}

// day is a date as the driver takes it.
func day(d saudi.Date) time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }
