package postgres

import (
	"context"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/kept"
)

const (
	selectTally = `SELECT day, branch, employee, found, unknown, forbidden, refused FROM lookup_tallies `
	// talliesOf is a branch's; each of the two goes through its own index backwards.
	talliesOf = selectTally + `WHERE branch = $1 AND (day, employee) < ($2, $3) ORDER BY day DESC, employee DESC LIMIT $4`
	tallies   = selectTally + `WHERE (day, branch, employee) < ($1, $2, $3) ORDER BY day DESC, branch DESC, employee DESC LIMIT $4`

	addUse = `INSERT INTO account_uses AS u (account_index, party_index, last_at) VALUES ($1, $2, $3)
		ON CONFLICT (account_index, party_index) DO UPDATE SET last_at = greatest(u.last_at, excluded.last_at)`
	// forgetUse leaves it to pruneUses, which is next.
	forgetUse  = `UPDATE account_uses SET last_at = '-infinity' WHERE account_index = $1 AND party_index = $2`
	selectSeen = `SELECT (SELECT count(*) FROM account_uses
			WHERE account_index = ANY ($1) AND last_at >= $2 AND party_index <> ALL ($3)),
		coalesce((SELECT n FROM lookup_days WHERE employee = $4 AND day = $5), 0)`
)

// Tallies is as bank.Lookups says. A limit outside of 1 to 100 is brought into it.
func (s *Store) Tallies(ctx context.Context, branch string, p bank.Page) ([]bank.LookupTally, string, error) {
	return kept.LookupsOf(branch).Page(s.sealer, p, kept.Last, func(behind kept.Position, most int) ([]bank.LookupTally, error) {
		before, at, who := behind.Tally()
		query, args := talliesOf, []any{branch, day(before), who, most}
		if branch == "" {
			query, args = tallies, []any{day(before), at, who, most}
		}
		return all(ctx, s.main, query, args, func(_ context.Context, row scanner) (t bank.LookupTally, err error) {
			var on time.Time
			err = row.Scan(&on, &t.Branch, &t.Employee, &t.Found, &t.Unknown, &t.Forbidden, &t.Refused)
			t.Day = dateOf(on)
			return t, err
		})
	})
}

// used notes whom a refund's account is used for: a statement for each key, or none.
func (s *Store) used(r gateway.Refund) (write []statement) {
	accounts, parties := s.sealer.Use(r)
	for i, account := range accounts {
		if i == 0 {
			write = append(write, exec(addUse, account, parties[i], r.CreatedAt))
		} else {
			write = append(write, exec(forgetUse, account, parties[i]))
		}
	}
	return write
}

// Seek is as bank.Sightings says.
func (s *Store) Seek(ctx context.Context, b bank.Sought) (seen bank.Seen, err error) {
	accounts, parties := s.sealer.Uses(b.To, b.Beneficiary)
	_, err = s.main.one(ctx, selectSeen, []any{accounts, b.Since, parties, b.Employee, day(b.Day)}, &seen.Others, &seen.Looks)
	return seen, err
}
