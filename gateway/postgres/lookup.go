package postgres

import (
	"context"
	"errors"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/kept"
	"github.com/istirdad/istirdad/internal/saudi"
)

const (
	// countLookup locks the employee's day; it writes nothing when the day has as many as it may.
	countLookup = `INSERT INTO lookup_days (employee, day, n) VALUES ($1, $2, 1)
		ON CONFLICT (employee, day) DO UPDATE SET n = lookup_days.n + 1 WHERE lookup_days.n < $3`
	insertLookup = `INSERT INTO lookups (id, at, login, employee, branch, session, client, number_index, outcome, customer,
		identity_check) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`
	addTally = `INSERT INTO lookup_tallies AS t (branch, day, employee, found, unknown, forbidden, refused)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (branch, day, employee) DO UPDATE SET found = t.found + excluded.found,
		unknown = t.unknown + excluded.unknown, forbidden = t.forbidden + excluded.forbidden, refused = t.refused + excluded.refused`
	insertUnblock = `INSERT INTO unblocks (lookup, note) VALUES ($1, $2)`
	lookupsWhole  = `SELECT id, at, login, employee, branch, session, client, outcome, customer, identity_check, note
		FROM lookups LEFT JOIN unblocks ON lookup = id `
	selectLookup  = lookupsWhole + `WHERE id = $1`
	selectLookups = lookupsWhole + `WHERE number_index = ANY ($1) ORDER BY at DESC, id DESC LIMIT $2`
	selectChecks  = `SELECT id, identity_check FROM lookups WHERE id = ANY ($1) AND length(identity_check) > 0`
)

// RecordLookup is as bank.Lookups says.
func (s *Store) RecordLookup(ctx context.Context, l bank.Lookup, most int) error {
	check, err := s.sealer.SealCheck(l)
	if err != nil {
		return err
	}
	refused := false
	err = s.main.write(ctx, func(ctx context.Context, tx *transaction) error {
		var counted int64
		on := day(saudi.DateOf(l.At))
		if err := tx.send(ctx, statement{query: countLookup, args: []any{l.Employee, on, most}, wrote: &counted}); err != nil {
			return err
		}
		if refused = counted == 0; refused {
			return tx.commit(ctx, exec(addTally, l.Branch, on, l.Employee, 0, 0, 0, 1))
		}
		found, unknown, forbidden := kept.Counts(l.Outcome)
		write := []statement{
			exec(addTally, l.Branch, on, l.Employee, found, unknown, forbidden, 0),
			exec(insertLookup, l.ID, l.At, l.Login, l.Employee, l.Branch, l.Session, l.Client,
				s.sealer.LookupIndex(l.Number), string(l.Outcome), l.Customer, check),
		}
		if l.Unblock != "" {
			write = append(write, exec(insertUnblock, l.ID, s.sealer.SealUnblock(l)))
		}
		return tx.commit(ctx, write...)
	})
	if err == nil && refused {
		return bank.ErrTooOften
	}
	return err
}

// Lookups are the most recent looks at whoever has the number, the latest first, for auditors.
func (s *Store) Lookups(ctx context.Context, number saudi.Party, most int) ([]bank.Lookup, error) {
	return all(ctx, s.main, selectLookups, []any{s.sealer.LookupIndexes(number), most}, func(_ context.Context, row scanner) (bank.Lookup, error) {
		l, err := s.scanLookup(ctx, row)
		l.Number = number
		return l, err
	})
}

// scanLookup reads all of a look-up but the number, which nobody can read.
func (s *Store) scanLookup(_ context.Context, row scanner) (l bank.Lookup, err error) {
	var check, note []byte
	err = row.Scan(&l.ID, &l.At, &l.Login, &l.Employee, &l.Branch, &l.Session, &l.Client, &l.Outcome, &l.Customer, &check, &note)
	if err != nil {
		return l, err
	}
	l.At = l.At.UTC()
	return l, s.sealer.OpenLookup(&l, check, note)
}

// IdentityChecks is as bank.Approvals says.
func (s *Store) IdentityChecks(ctx context.Context, sessions []string) (map[string]bank.IdentityCheck, error) {
	checks := make(map[string]bank.IdentityCheck)
	if len(sessions) == 0 {
		return checks, nil
	}
	err := s.main.each(ctx, selectChecks, []any{sessions}, func(row scanner) error {
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
