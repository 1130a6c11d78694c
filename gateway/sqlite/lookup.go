package sqlite

import (
	"context"
	"encoding/json"
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
	selectLookups = `SELECT id, at, login, employee, branch, session, client, outcome, customer, identity_check, note
		FROM lookups LEFT JOIN unblocks ON lookup = id WHERE number_index IN (SELECT unhex(value) FROM json_each(?))
		ORDER BY at DESC, id DESC LIMIT ?`
	selectChecks = `SELECT id, identity_check FROM lookups
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
func (s *Store) Lookups(ctx context.Context, number saudi.Party, most int) (lookups []bank.Lookup, err error) {
	indexes, err := hexes(s.sealer.LookupIndexes(number))
	if err != nil {
		return nil, err
	}
	err = s.queries.each(ctx, selectLookups, []any{indexes, most}, func(row scanner) error {
		var (
			l           = bank.Lookup{Number: number}
			at          int64
			check, note []byte
		)
		err := row.Scan(&l.ID, &at, &l.Login, &l.Employee, &l.Branch, &l.Session, &l.Client, &l.Outcome, &l.Customer, &check, &note)
		if err != nil {
			return err
		}
		l.At = time.UnixMicro(at).UTC()
		err = s.sealer.OpenLookup(&l, check, note)
		lookups = append(lookups, l)
		return err
	})
	if err != nil {
		return nil, err
	}
	return lookups, nil
}

// IdentityChecks is as bank.Approvals says.
func (s *Store) IdentityChecks(ctx context.Context, sessions []string) (map[string]bank.IdentityCheck, error) {
	checks := make(map[string]bank.IdentityCheck)
	if len(sessions) == 0 {
		return checks, nil
	}
	list, err := json.Marshal(sessions)
	if err != nil {
		return nil, err
	}
	err = s.queries.each(ctx, selectChecks, []any{string(list)}, func(row scanner) error {
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
