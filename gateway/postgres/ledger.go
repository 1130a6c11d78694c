package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/istirdad/istirdad/gateway/kept"
	"github.com/istirdad/istirdad/otp"
)

const (
	selectRecord = `SELECT record FROM ledger WHERE customer = $1`
	lockRecord   = `SELECT record, stamp FROM ledger WHERE customer = $1 FOR UPDATE`
	insertRecord = `INSERT INTO ledger (customer, record, cleared, updated_at, stamp) VALUES ($1, $2, $3, $4, $5)`
	updateRecord = `UPDATE ledger SET record = $2, cleared = $3, updated_at = $4, stamp = $5 WHERE customer = $1`

	selectRecordStamp = `SELECT stamp FROM ledger WHERE customer = $1`

	insertSeen = `INSERT INTO callbacks_seen (event_id, at) VALUES ($1, $2) ON CONFLICT (event_id) DO NOTHING`
	pruneSeen  = `SELECT prune_callbacks($1)`
)

// updating is one call of Update.
type updating struct {
	customer      string
	before, after otp.Record
	there         bool // had a row
	was, stamp    stamp
}

// Update is as otp.Ledger says.
func (s *Store) Update(ctx context.Context, now time.Time, customer string, change func(otp.Record) (otp.Record, error)) (otp.Record, error) {
	u := &updating{customer: customer, stamp: newStamp()}
	attempt := func() error {
		return s.main.write(ctx, func(ctx context.Context, tx *transaction) error { return u.do(ctx, tx, now, change) })
	}
	err := attempt()
	if broke(err) == "ledger_customer" {
		err = attempt() // there was no row to lock, and somebody else made it first
	}
	err = s.settle(ctx, s.main, err, u.foundBy)
	if err != nil {
		return otp.Record{}, err
	}
	return u.after, nil
}

func (u *updating) do(ctx context.Context, tx *transaction, now time.Time, change func(otp.Record) (otp.Record, error)) error {
	u.before, u.there, u.was = otp.Record{}, false, 0
	err := tx.send(ctx, statement{query: lockRecord, args: []any{u.customer}, read: func(row scanner) error {
		u.there = true
		return scanRecord(row, &u.before, &u.was)
	}})
	if err != nil {
		return err
	}
	if u.after, err = change(u.before); err != nil || u.after.Equal(u.before) {
		return err
	}
	record, err := json.Marshal(u.after)
	if err != nil {
		return err
	}
	cleared, err := json.Marshal(u.after.Cleared())
	if err != nil {
		return err
	}
	query := insertRecord
	if u.there {
		query = updateRecord
	}
	return tx.commit(ctx, exec(query, u.customer, record, cleared, now, int64(u.stamp)))
}

// foundBy finds out what became of an update whose COMMIT wasn't answered.
func (u *updating) foundBy(ctx context.Context, one look) (bool, error) {
	var by stamp
	there, err := one(ctx, selectRecordStamp, []any{u.customer}, &by)
	switch {
	case err != nil:
		return false, err
	case there && by == u.stamp:
		return true, nil
	case there == u.there && by == u.was:
		return false, nil
	}
	return false, errCantTell
}

func scanRecord(row scanner, into *otp.Record, more ...any) error {
	var text []byte
	if err := row.Scan(append([]any{&text}, more...)...); err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("postgres: a record of the ledger: %w", err)
	}
	return nil
}

// Read returns the customer's record; the zero Record when there is none.
func (s *Store) Read(ctx context.Context, customer string) (record otp.Record, err error) {
	err = s.main.each(ctx, selectRecord, []any{customer}, func(row scanner) error { return scanRecord(row, &record) })
	if err != nil {
		return otp.Record{}, err
	}
	return record, nil
}

// Seen records that the core's callback of this event id was received. first is false when it had been before.
func (s *Store) Seen(ctx context.Context, eventID string, at time.Time) (first bool, err error) {
	var wrote int64
	err = s.main.write(ctx, func(ctx context.Context, tx *transaction) error {
		return tx.commit(ctx,
			statement{query: insertSeen, args: []any{eventID, at}, wrote: &wrote}, exec(pruneSeen, at.Add(-kept.SeenFor)))
	})
	return wrote == 1 && err == nil, err
}
