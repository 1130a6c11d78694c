package sqlite

import (
	"context"
	"errors"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/kept"
	"github.com/istirdad/istirdad/internal/saudi"
)

const (
	countLookup = `INSERT INTO lookup_days (employee, day, n) VALUES (?, ?, 1)
		ON CONFLICT (employee, day) DO UPDATE SET n = n + 1 WHERE n < ?`
	insertLookup = `INSERT INTO lookups (id, at, login, employee, branch, session, client, number_index, outcome, customer,
		identity_check) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	addTally = `INSERT INTO lookup_tallies (branch, day, employee, found, unknown, forbidden, refused) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (branch, day, employee) DO UPDATE SET found = found + excluded.found, unknown = unknown + excluded.unknown,
		forbidden = forbidden + excluded.forbidden, refused = refused + excluded.refused`
	insertUnblock = `INSERT INTO unblocks (lookup, note) VALUES (?, ?)`
	lookupsWhole  = `SELECT id, at, login, employee, branch, session, client, outcome, customer, identity_check, note
		FROM lookups LEFT JOIN unblocks ON lookup = id `
	selectLookup  = lookupsWhole + `WHERE id = ?`
	selectLookups = lookupsWhole + `WHERE number_index IN (SELECT unhex(value) FROM json_each(?)) ORDER BY at DESC, id DESC LIMIT ?`
	selectChecks  = `SELECT id, identity_check FROM lookups
		WHERE id IN (SELECT value FROM json_each(?)) AND length(identity_check) > 0`
)

// RecordLookup is as bank.Lookups says.
func (s *Store) RecordLookup(ctx context.Context, l bank.Lookup, most int) error {
	check, err := s.sealer.SealCheck(l)
	if err != nil {
		return err
	}
	refused := false
	err = s.writer.write(ctx, func(ctx context.Context, tx *session) error {
		day := saudi.DateOf(l.At).String()
		counted, err := tx.affect(ctx, countLookup, l.Employee, day, most)
		if err != nil {
			return err
		}
		if refused = counted == 0; refused {
			return tx.exec(ctx, addTally, l.Branch, day, l.Employee, 0, 0, 0, 1)
		}
		found, unknown, forbidden := kept.Counts(l.Outcome)
		if err := tx.exec(ctx, addTally, l.Branch, day, l.Employee, found, unknown, forbidden, 0); err != nil {
			return err
		}
		err = tx.exec(ctx, insertLookup, l.ID, l.At.UnixMicro(), l.Login, l.Employee, l.Branch, l.Session, l.Client,
			s.sealer.LookupIndex(l.Number), string(l.Outcome), l.Customer, check)
		if err != nil || l.Unblock == "" {
			return err
		}
		return tx.exec(ctx, insertUnblock, l.ID, s.sealer.SealUnblock(l))
	})
	if err == nil && refused {
		return bank.ErrTooOften
	}
	return err
}

// Lookups are the most recent looks at whoever has the number, the latest first, for auditors.
func (s *Store) Lookups(ctx context.Context, number saudi.Party, most int) ([]bank.Lookup, error) {
	return all(ctx, s.queries, selectLookups, []any{hexes(s.sealer.LookupIndexes(number)), most}, func(_ context.Context, row scanner) (bank.Lookup, error) {
		l, err := s.scanLookup(ctx, row)
		l.Number = number
		return l, err
	})
}

// scanLookup reads all of a look-up but the number, which nobody can read.
func (s *Store) scanLookup(_ context.Context, row scanner) (l bank.Lookup, err error) {
	var (
		at          int64
		check, note []byte
	)
	err = row.Scan(&l.ID, &at, &l.Login, &l.Employee, &l.Branch, &l.Session, &l.Client, &l.Outcome, &l.Customer, &check, &note)
	if err != nil {
		return l, err
	}
	l.At = time.UnixMicro(at).UTC()
	return l, s.sealer.OpenLookup(&l, check, note)
}

// IdentityChecks is as bank.Approvals says.
func (s *Store) IdentityChecks(ctx context.Context, sessions []string) (map[string]bank.IdentityCheck, error) {
	checks := make(map[string]bank.IdentityCheck)
	if len(sessions) == 0 {
		return checks, nil
	}
	err := s.queries.each(ctx, selectChecks, []any{list(sessions)}, func(row scanner) error {
		var (
			l     bank.Lookup
			check []byte
		)
		if err := row.Scan(&l.ID, &check); err != nil {
			return err
		}
		switch err := s.sealer.OpenLookup(&l, check, nil); {
		case errors.Is(err, gateway.ErrUnreadable):
			s.unread.Note(ctx, "lookup", l.ID, err)
		case err != nil:
			return err
		default:
			checks[l.ID] = *l.Check
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return checks, nil
}
