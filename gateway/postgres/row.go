package postgres

import (
	"errors"
	"fmt"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
)

// The columns of table refunds, in the order of its values and of stored.scan.
const (
	fixedColumns = `id, reference, ordinal, customer, session, client, channel, teller, employee, branch,
		request_id, service, name_ar, name_en, amount, payer_kind, payer_number, beneficiary_kind, beneficiary_number,
		to_iban, challenge, created_at, promised, trace`
	movingColumns = `state, version, due, updated_at, sends, misses, may_have_left, sent_at, doubt_since, asks,
		unknowns, unknown_at, core_reference, released_at, posts, credit_refusal, ledger_id, reason, notice`

	columns      = fixedColumns + `, ` + movingColumns
	selectRefund = `SELECT ` + columns + ` FROM refunds `
	insertRefund = `INSERT INTO refunds (` + columns + `, payer_index, to_iban_index, stamp)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
			$24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45,
			$46)`
	// updateRefund is the compare-and-swap: id and the version that the change was made from come last.
	updateRefund = `UPDATE refunds SET (` + movingColumns + `, stamp) =
		($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
		WHERE id = $21 AND version = $22`

	refundByID        = selectRefund + `WHERE id = $1`
	refundByReference = selectRefund + `WHERE reference = $1`
)

// The names under which values are sealed and indexed. They are part of the format.
const (
	payerNumber       = "refunds.payer_number"
	beneficiaryNumber = "refunds.beneficiary_number"
	toIBAN            = "refunds.to_iban"
)

// seal seals a value of a refund's column, so that it opens in that place alone.
func (s *Store) seal(id, column, value string) []byte {
	if value == "" {
		return []byte{}
	}
	return s.sealer.Seal([]byte(value), place(id, column))
}

func (s *Store) unseal(id, column string, sealed []byte) (string, error) {
	if len(sealed) == 0 {
		return "", nil
	}
	value, err := s.sealer.Open(sealed, place(id, column))
	if err != nil {
		return "", fmt.Errorf("postgres: %s of refund %s: %w", column, id, err)
	}
	return string(value), nil
}

func place(id, column string) []byte { return []byte(column + "\x00" + id) }

func (s *Store) insert(r gateway.Refund, mark stamp) statement {
	o, p := r.Origin, r.Payment
	args := []any{
		r.ID, r.Reference, r.Ordinal, o.Customer, o.Session, o.Client, string(o.Channel), o.Teller, o.Employee, o.Branch,
		p.RequestID, p.Service, p.Name.AR, p.Name.EN, int64(p.Amount),
		string(p.Payer.Kind()), s.seal(r.ID, payerNumber, p.Payer.Number()),
		string(p.Beneficiary.Kind()), s.seal(r.ID, beneficiaryNumber, p.Beneficiary.Number()),
		s.seal(r.ID, toIBAN, r.To.Compact()), r.Challenge, r.CreatedAt, day(r.Promised), r.Trace,
	}
	args = append(args, moving(r)...)
	args = append(args,
		s.sealer.BlindIndex(payerNumber, p.Payer.Number()), s.sealer.BlindIndex(toIBAN, r.To.Compact()), int64(mark))
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
	payerKind, beneficiaryKind    saudi.Kind
	payer, beneficiary, account   []byte
	promised                      time.Time
	due, sent, doubt, unknown, at *time.Time
}

func (s *stored) scan(row scanner) error {
	r := &s.refund
	o, p := &r.Origin, &r.Payment
	return row.Scan(
		&r.ID, &r.Reference, &r.Ordinal, &o.Customer, &o.Session, &o.Client, &o.Channel, &o.Teller, &o.Employee, &o.Branch,
		&p.RequestID, &p.Service, &p.Name.AR, &p.Name.EN, &p.Amount, &s.payerKind, &s.payer, &s.beneficiaryKind, &s.beneficiary,
		&s.account, &r.Challenge, &r.CreatedAt, &s.promised, &r.Trace,
		&r.State, &r.Version, &s.due, &r.UpdatedAt, &r.Sends, &r.Misses, &r.MayHaveLeft, &s.sent, &s.doubt, &r.Asks,
		&r.Unknowns, &s.unknown, &r.CoreReference, &s.at, &r.Posts, &r.CreditRefusal, &r.LedgerID, &r.Reason, &r.Notice)
}

// open makes the refund of a row.
func (s *Store) open(row stored) (gateway.Refund, error) {
	r := row.refund
	r.CreatedAt, r.UpdatedAt = r.CreatedAt.UTC(), r.UpdatedAt.UTC()
	r.Due, r.SentAt, r.DoubtSince = instant(row.due), instant(row.sent), instant(row.doubt)
	r.UnknownAt, r.ReleasedAt = instant(row.unknown), instant(row.at)
	year, month, dayOfMonth := row.promised.Date()
	r.Promised = saudi.Date{Year: year, Month: month, Day: dayOfMonth}
	var failed [3]error
	r.Payment.Payer, failed[0] = s.party(r.ID, payerNumber, row.payerKind, row.payer)
	r.Payment.Beneficiary, failed[1] = s.party(r.ID, beneficiaryNumber, row.beneficiaryKind, row.beneficiary)
	r.To, failed[2] = s.account(r.ID, row.account)
	if err := errors.Join(failed[:]...); err != nil {
		return gateway.Refund{}, err
	}
	return r, nil
}

func (s *Store) scanRefund(row scanner) (gateway.Refund, error) {
	var read stored
	if err := read.scan(row); err != nil {
		return gateway.Refund{}, err
	}
	return s.open(read)
}

func (s *Store) party(id, column string, kind saudi.Kind, sealed []byte) (saudi.Party, error) {
	number, err := s.unseal(id, column, sealed)
	if err != nil || kind == "" {
		return saudi.Party{}, err
	}
	return saudi.NewParty(kind, number)
}

func (s *Store) account(id string, sealed []byte) (saudi.IBAN, error) {
	compact, err := s.unseal(id, toIBAN, sealed)
	if err != nil {
		return saudi.IBAN{}, err
	}
	return saudi.ParseIBAN(compact)
}

// kept is the refund as the store gives it back: its times in microseconds and in UTC.
func kept(r gateway.Refund) gateway.Refund {
	for _, t := range []*time.Time{&r.CreatedAt, &r.Due, &r.UpdatedAt, &r.SentAt, &r.DoubtSince, &r.UnknownAt, &r.ReleasedAt} {
		if !t.IsZero() {
			*t = time.UnixMicro(t.UnixMicro()).UTC()
		}
	}
	return r
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

// day is a date as the driver takes it.
func day(d saudi.Date) time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }
