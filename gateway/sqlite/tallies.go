package sqlite

import (
	"context"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/kept"
	"github.com/istirdad/istirdad/internal/saudi"
)

const (
	selectTally = `SELECT day, branch, employee, found, unknown, forbidden, refused FROM lookup_tallies `
	// talliesOf is a branch's; each of the two goes through its own index backwards.
	talliesOf = selectTally + `WHERE branch = ? AND (day, employee) < (?, ?) ORDER BY day DESC, employee DESC LIMIT ?`
	tallies   = selectTally + `WHERE (day, branch, employee) < (?, ?, ?) ORDER BY day DESC, branch DESC, employee DESC LIMIT ?`

	addUse = `INSERT INTO account_uses (account_index, party_index, last_at) VALUES (?, ?, ?)
		ON CONFLICT (account_index, party_index) DO UPDATE SET last_at = max(last_at, excluded.last_at)`
	// forgetUse leaves it to pruneUses, which is next.
	forgetUse = `UPDATE account_uses SET last_at = 0 WHERE account_index = ? AND party_index = ?`
	// selectSeen takes its indexes as lists of hex.
	selectSeen = `SELECT (SELECT count(*) FROM account_uses
			WHERE account_index IN (SELECT unhex(value) FROM json_each(?1)) AND last_at >= ?2
				AND party_index NOT IN (SELECT unhex(value) FROM json_each(?3))),
		coalesce((SELECT n FROM lookup_days WHERE employee = ?4 AND day = ?5), 0)`
)

// Tallies is as bank.Lookups says. A limit outside of 1 to 100 is brought into it.
func (s *Store) Tallies(ctx context.Context, branch string, p bank.Page) ([]bank.LookupTally, string, error) {
	return kept.LookupsOf(branch).Page(s.sealer, p, kept.Last, func(behind kept.Position, most int) ([]bank.LookupTally, error) {
		day, at, who := behind.Tally()
		query, args := talliesOf, []any{branch, day.String(), who, most}
		if branch == "" {
			query, args = tallies, []any{day.String(), at, who, most}
		}
		return all(ctx, s.queries, query, args, func(_ context.Context, row scanner) (t bank.LookupTally, err error) {
			var day string
			err = row.Scan(&day, &t.Branch, &t.Employee, &t.Found, &t.Unknown, &t.Forbidden, &t.Refused)
			if err == nil {
				t.Day, err = saudi.ParseDate(day)
			}
			return t, err
		})
	})
}

// use notes whom a refund's account is used for.
func (s *Store) use(ctx context.Context, tx *session, r gateway.Refund) error {
	accounts, parties := s.sealer.Use(r)
	for i, account := range accounts {
		var err error
		if i == 0 {
			err = tx.exec(ctx, addUse, account, parties[i], r.CreatedAt.UnixMicro())
		} else {
			err = tx.exec(ctx, forgetUse, account, parties[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Seek is as bank.Sightings says.
func (s *Store) Seek(ctx context.Context, b bank.Sought) (seen bank.Seen, err error) {
	accounts, parties := s.sealer.Uses(b.To, b.Beneficiary)
	args := []any{hexes(accounts), b.Since.UnixMicro(), hexes(parties), b.Employee, b.Day.String()}
	err = s.queries.one(ctx, selectSeen, args, into(&seen.Others, &seen.Looks))
	return seen, err
}
