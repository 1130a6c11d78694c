package postgres

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
)

// emptied are the tables that Reset empties, those with triggers against it first.
const (
	guarded = "refunds, events, unblocks, lookups, lookup_tallies, exchanges, takings, sms"
	emptied = guarded + ", day_limits, ledger, callbacks_seen, withdrawn, ended, lookup_days, account_uses, ended_sessions"
)

// resetLockTime is how long Reset waits for a table.
const resetLockTime = "5s"

// Reset deletes everything at url, in one transaction, as the owner of the schema: nobody else can. It is for the
// sandbox alone. The triggers that forbid it are taken down for as long as it lasts.
func Reset(ctx context.Context, url string) error {
	return asOwner(ctx, url, "istirdad reset", func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "SELECT set_config('lock_timeout', $1, false)", resetLockTime); err != nil {
			return err
		}
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			var statements []string
			for table := range strings.SplitSeq(guarded, ", ") {
				statements = append(statements, "ALTER TABLE "+table+" DISABLE TRIGGER USER")
			}
			statements = append(statements, "TRUNCATE "+emptied)
			for table := range strings.SplitSeq(guarded, ", ") {
				statements = append(statements, "ALTER TABLE "+table+" ENABLE TRIGGER USER")
			}
			for _, statement := range statements {
				if _, err := tx.Exec(ctx, statement); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// CreateSchema makes a schema with a name of its own in the database at base. It returns the URL by which everything
// here, and psql, works in that schema alone, and what drops it again with all it holds.
func CreateSchema(ctx context.Context, base string) (schemaURL string, drop func(context.Context) error, err error) {
	name := fmt.Sprintf("istirdad_%016x", draw())
	schemaURL, err = within(base, name)
	if err != nil {
		return "", nil, err
	}
	quoted := pgx.Identifier{name}.Sanitize()
	do := func(ctx context.Context, statement string) error {
		return asOwner(ctx, base, "istirdad schema", func(conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, statement)
			return err
		})
	}
	if err := do(ctx, "CREATE SCHEMA "+quoted); err != nil {
		return "", nil, err
	}
	return schemaURL, func(ctx context.Context) error { return do(ctx, "DROP SCHEMA "+quoted+" CASCADE") }, nil
}

// within is the URL with a search path of one schema.
func within(base, name string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return "", errURL
	}
	query := u.Query()
	query.Set("options", strings.TrimSpace(query.Get("options")+" -csearch_path="+name))
	query.Del("search_path") // it would win
	// PostgreSQL's own programs take a "+" for a plus.
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	return u.String(), nil
}
