package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/istirdad/istirdad/gateway/kept"
	"github.com/istirdad/istirdad/otp"
)

const (
	selectRecord = `SELECT record FROM ledger WHERE customer = ?`
	putRecord    = `INSERT INTO ledger (customer, record, updated_at) VALUES (?, ?, ?)
		ON CONFLICT (customer) DO UPDATE SET record = excluded.record, updated_at = excluded.updated_at`
	insertSeen = `INSERT INTO callbacks_seen (event_id, at) VALUES (?, ?) ON CONFLICT (event_id) DO NOTHING`
	pruneSeen  = `DELETE FROM callbacks_seen WHERE at < ?`
)

// Update is as otp.Ledger says. change is called once.
func (s *Store) Update(ctx context.Context, now time.Time, customer string, change func(otp.Record) (otp.Record, error)) (otp.Record, error) {
	var after otp.Record
	err := s.writer.write(ctx, func(ctx context.Context, tx *session) (err error) {
		after, err = updateLedger(ctx, tx, now, customer, change)
		return err
	})
	if err != nil {
		return otp.Record{}, err
	}
	return after, nil
}

func updateLedger(ctx context.Context, tx *session, now time.Time, customer string, change func(otp.Record) (otp.Record, error)) (otp.Record, error) {
	before, err := readLedger(ctx, tx, customer)
	if err != nil {
		return otp.Record{}, err
	}
	after, err := change(before)
	if err != nil || after.Equal(before) {
		return after, err
	}
	record, err := json.Marshal(after)
	if err != nil {
		return otp.Record{}, err
	}
	return after, tx.exec(ctx, putRecord, customer, string(record), now.UnixMicro())
}

// Read returns the customer's record; the zero Record when there is none.
func (s *Store) Read(ctx context.Context, customer string) (otp.Record, error) {
	return readLedger(ctx, s.queries, customer)
}

func readLedger(ctx context.Context, in *session, customer string) (otp.Record, error) {
	var (
		row    []byte
		record otp.Record
	)
	switch err := in.one(ctx, selectRecord, []any{customer}, into(&row)); {
	case errors.Is(err, sql.ErrNoRows):
		return otp.Record{}, nil
	case err != nil:
		return otp.Record{}, err
	}
	if err := json.Unmarshal(row, &record); err != nil {
		return otp.Record{}, err
	}
	return record, nil
}

// Seen records that the core's callback of this event id was received. first is false when it had been before.
func (s *Store) Seen(ctx context.Context, eventID string, at time.Time) (first bool, err error) {
	err = s.writer.write(ctx, func(ctx context.Context, tx *session) error {
		n, err := tx.affect(ctx, insertSeen, eventID, at.UnixMicro())
		if err != nil {
			return err
		}
		first = n == 1
		return tx.exec(ctx, pruneSeen, at.Add(-kept.SeenFor).UnixMicro())
	})
	return first && err == nil, err
}
