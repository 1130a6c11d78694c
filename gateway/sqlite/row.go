package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
)

// The columns of table refunds, in the order of its values and of scanRefund.
const (
	fixedColumns = `id, reference, ordinal, customer, session, client, channel, teller, employee, branch,
		request_id, service, name_ar, name_en, amount, payer_kind, payer_number, beneficiary_kind, beneficiary_number,
		to_iban, challenge, created_at, promised, trace`
	movingColumns = `state, version, due, updated_at, sends, misses, may_have_left, sent_at, doubt_since, asks,
		unknowns, unknown_at, core_reference, released_at, posts, credit_refusal, ledger_id, reason, notice`

	selectRefund = `SELECT ` + fixedColumns + `, ` + movingColumns + ` FROM refunds `
	insertRefund = `INSERT INTO refunds (` + fixedColumns + `, ` + movingColumns + `, payer_index, to_iban_index)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
			?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	// updateRefund is the compare-and-swap: id and the version that the change was made from come last.
	updateRefund = `UPDATE refunds SET (` + movingColumns + `) =
		(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ? AND version = ?`

	refundByID        = selectRefund + `WHERE id = ?`
	refundByReference = selectRefund + `WHERE reference = ?`
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
		return "", fmt.Errorf("sqlite: %s of refund %s: %w", column, id, err)
	}
	return string(value), nil
}

func place(id, column string) []byte { return []byte(column + "\x00" + id) }

func (s *Store) insert(ctx context.Context, tx *session, r gateway.Refund) error {
	o, p := r.Origin, r.Payment
	args := []any{
		r.ID, r.Reference, r.Ordinal, o.Customer, o.Session, o.Client, string(o.Channel), o.Teller, o.Employee, o.Branch,
		p.RequestID, p.Service, p.Name.AR, p.Name.EN, int64(p.Amount),
		string(p.Payer.Kind()), s.seal(r.ID, payerNumber, p.Payer.Number()),
		string(p.Beneficiary.Kind()), s.seal(r.ID, beneficiaryNumber, p.Beneficiary.Number()),
		s.seal(r.ID, toIBAN, r.To.Compact()), r.Challenge, r.CreatedAt.UnixMicro(), r.Promised.String(), r.Trace,
	}
	args = append(args, moving(r)...)
	args = append(args,
		s.sealer.BlindIndex(payerNumber, p.Payer.Number()), s.sealer.BlindIndex(toIBAN, r.To.Compact()))
	return tx.exec(ctx, insertRefund, args...)
}

func moving(r gateway.Refund) []any {
	return []any{
		string(r.State), r.Version, nullable(r.Due), r.UpdatedAt.UnixMicro(), r.Sends, r.Misses, r.MayHaveLeft,
		nullable(r.SentAt), nullable(r.DoubtSince), r.Asks, r.Unknowns, nullable(r.UnknownAt), r.CoreReference,
		nullable(r.ReleasedAt), r.Posts, r.CreditRefusal, r.LedgerID, r.Reason, string(r.Notice),
	}
}

func (s *Store) scanRefund(row scanner) (gateway.Refund, error) {
	var (
		r                             gateway.Refund
		payerKind, beneficiaryKind    saudi.Kind
		payer, beneficiary, account   []byte
		promised                      string
		created, updated              int64
		due, sent, doubt, unknown, at sql.NullInt64
	)
	o, p := &r.Origin, &r.Payment
	if err := row.Scan(
		&r.ID, &r.Reference, &r.Ordinal, &o.Customer, &o.Session, &o.Client, &o.Channel, &o.Teller, &o.Employee, &o.Branch,
		&p.RequestID, &p.Service, &p.Name.AR, &p.Name.EN, &p.Amount, &payerKind, &payer, &beneficiaryKind, &beneficiary,
		&account, &r.Challenge, &created, &promised, &r.Trace,
		&r.State, &r.Version, &due, &updated, &r.Sends, &r.Misses, &r.MayHaveLeft, &sent, &doubt, &r.Asks,
		&r.Unknowns, &unknown, &r.CoreReference, &at, &r.Posts, &r.CreditRefusal, &r.LedgerID, &r.Reason, &r.Notice,
	); err != nil {
		return gateway.Refund{}, err
	}
	r.CreatedAt, r.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	r.Due, r.SentAt, r.DoubtSince = instant(due), instant(sent), instant(doubt)
	r.UnknownAt, r.ReleasedAt = instant(unknown), instant(at)
	var failed [4]error
	p.Payer, failed[0] = s.party(r.ID, payerNumber, payerKind, payer)
	p.Beneficiary, failed[1] = s.party(r.ID, beneficiaryNumber, beneficiaryKind, beneficiary)
	r.To, failed[2] = s.account(r.ID, account)
	r.Promised, failed[3] = saudi.ParseDate(promised)
	if err := errors.Join(failed[:]...); err != nil {
		return gateway.Refund{}, err
	}
	return r, nil
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
	return t.UnixMicro()
}

func instant(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.UnixMicro(n.Int64).UTC()
}
