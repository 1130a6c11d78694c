package sqlite

import (
	"context"
	"errors"
)

// errNotResettable: the store wasn't opened with Options.Resettable.
var errNotResettable = errors.New("sqlite: this store isn't a sandbox's")

// The tables that Reset empties, those that refer to others first.
var emptied = []string{
	`DELETE FROM exchanges`, `DELETE FROM takings`, `DELETE FROM sms`,
	`DELETE FROM events`, `DELETE FROM refunds`, `DELETE FROM day_limits`, `DELETE FROM ledger`, `DELETE FROM callbacks_seen`,
	`DELETE FROM withdrawn`, `DELETE FROM unblocks`, `DELETE FROM lookups`, `DELETE FROM lookup_days`, `DELETE FROM lookup_tallies`, `DELETE FROM account_uses`,
	`DELETE FROM ended_sessions`,
}

// Reset deletes everything, in one transaction, and only in a store that was opened for it. The triggers that forbid
// it are taken down for as long as it lasts.
func (s *Store) Reset(ctx context.Context) error {
	if !s.reset {
		return errNotResettable
	}
	return s.writer.write(ctx, func(ctx context.Context, tx *session) error {
		var drop, create []string
		err := tx.each(ctx, `SELECT 'DROP TRIGGER "' || name || '"', sql FROM sqlite_schema WHERE type = 'trigger'`, nil,
			func(row scanner) error {
				var d, c string
				err := row.Scan(&d, &c)
				drop, create = append(drop, d), append(create, c)
				return err
			})
		if err != nil {
			return err
		}
		for _, statements := range [][]string{drop, emptied, create} {
			for _, statement := range statements {
				if err := tx.exec(ctx, statement); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
