package sqlite

import (
	"context"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/internal/saudi"
)

const (
	countLookup = `INSERT INTO lookup_days (employee, day, n) VALUES (?, ?, 1)
		ON CONFLICT (employee, day) DO UPDATE SET n = n + 1 WHERE n < ?`
	insertLookup = `INSERT INTO lookups (id, at, login, employee, branch, session, client, number_index, outcome, customer,
		identity_check) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	selectLookups = `SELECT id, at, login, employee, branch, session, client, outcome, customer, identity_check FROM lookups
		WHERE number_index = ? ORDER BY at DESC, id DESC LIMIT ?`
)

// RecordLookup is as bank.Lookups says.
func (s *Store) RecordLookup(ctx context.Context, l bank.Lookup, most int) error {
	check, err := s.sealer.SealCheck(l)
	if err != nil {
		return err
	}
	return s.writer.write(ctx, func(ctx context.Context, tx *session) error {
		counted, err := tx.affect(ctx, countLookup, l.Employee, saudi.DateOf(l.At).String(), most)
		switch {
		case err != nil:
			return err
		case counted == 0:
			return bank.ErrTooOften
		}
		return tx.exec(ctx, insertLookup, l.ID, l.At.UnixMicro(), l.Login, l.Employee, l.Branch, l.Session, l.Client,
			s.sealer.LookupIndex(l.Number), string(l.Outcome), l.Customer, check)
	})
}

// Lookups are the most recent looks at whoever has the number, the latest first, for auditors.
func (s *Store) Lookups(ctx context.Context, number saudi.Party, most int) (lookups []bank.Lookup, err error) {
	for _, index := range s.sealer.LookupIndexes(number) {
		err := s.queries.each(ctx, selectLookups, []any{index, most - len(lookups)}, func(row scanner) error {
			var (
				l     = bank.Lookup{Number: number}
				at    int64
				check []byte
			)
			err := row.Scan(&l.ID, &at, &l.Login, &l.Employee, &l.Branch, &l.Session, &l.Client, &l.Outcome, &l.Customer, &check)
			if err != nil {
				return err
			}
			l.At = time.UnixMicro(at).UTC()
			lookups = append(lookups, l)
			return s.sealer.OpenCheck(&lookups[len(lookups)-1], check)
		})
		if err != nil {
			return nil, err
		}
	}
	return lookups, nil
}
