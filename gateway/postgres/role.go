package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// need is what a gateway's role may do with a table.
type need struct {
	table   string
	may     string // as GRANT has it
	columns string // that it may update
}

var (
	needs = []need{
		{"schema_migrations", "SELECT", ""},
		{"refunds", "SELECT, INSERT", movingColumns + ", stamp"},
		{"events", "SELECT, INSERT", ""},
		{"moves", "SELECT", ""},
		{"day_limits", "SELECT, INSERT", "spent"},
		{"ledger", "SELECT, INSERT", "record, cleared, updated_at, stamp"},
		{"callbacks_seen", "SELECT, INSERT", ""},
		{"withdrawn", "SELECT, INSERT", ""},
		{"ended", "SELECT", ""},
		{"lookups", "SELECT, INSERT", ""},
		{"unblocks", "SELECT, INSERT", ""},
		{"lookup_days", "SELECT, INSERT", "n"},
		{"lookup_tallies", "SELECT, INSERT", "found, unknown, forbidden, refused"},
		{"account_uses", "SELECT, INSERT", "last_at"},
		{"ended_sessions", "SELECT, INSERT", ""},
		{"sms", "SELECT, INSERT", ""},
		{"exchanges", "SELECT, INSERT", ""},
		{"takings", "SELECT, INSERT", ""},
	}
	neededFunctions = []string{"prune_withdrawn(timestamptz)", "prune_callbacks(timestamptz)", "prune_ended_sessions(timestamptz)",
		"prune_sms(timestamptz)", "prune_account_uses(timestamptz)"}
)

// grant gives a role what a gateway needs, and takes away whatever else it had, in one transaction.
func grant(ctx context.Context, conn *pgx.Conn, role string) error {
	to := pgx.Identifier{role}.Sanitize()
	var schema string
	if err := conn.QueryRow(ctx, "SELECT current_schema()").Scan(&schema); err != nil {
		return err
	}
	in := pgx.Identifier{schema}.Sanitize()
	var tables []string
	for _, n := range needs {
		tables = append(tables, n.table)
	}
	statements := []string{
		// On servers older than 15 everybody may make tables in the schema public.
		"REVOKE CREATE ON SCHEMA " + in + " FROM PUBLIC, " + to,
		"GRANT USAGE ON SCHEMA " + in + " TO " + to,
		"REVOKE ALL ON " + strings.Join(tables, ", ") + " FROM PUBLIC, " + to,
	}
	for _, n := range needs {
		may := n.may
		if n.columns != "" {
			may += ", UPDATE (" + n.columns + ")"
		}
		statements = append(statements, "GRANT "+may+" ON "+n.table+" TO "+to)
	}
	for _, function := range neededFunctions {
		statements = append(statements,
			"REVOKE ALL ON FUNCTION "+function+" FROM PUBLIC", "GRANT EXECUTE ON FUNCTION "+function+" TO "+to)
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, statement := range statements {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}

const (
	// selectLacks names what the role may not do: $1 are tables, $2 columns or '' for the whole, $3 privileges.
	selectLacks = `SELECT privilege || ' on ' || needed || CASE WHEN col = '' THEN '' ELSE '.' || col END
		FROM unnest($1::text[], $2::text[], $3::text[]) AS n(needed, col, privilege)
		WHERE NOT CASE WHEN col = '' THEN has_table_privilege(needed, privilege)
			ELSE has_column_privilege(needed, col, privilege) END`
	selectLacksFunctions = `SELECT 'EXECUTE on ' || f FROM unnest($1::text[]) AS f WHERE NOT has_function_privilege(f, 'EXECUTE')`

	// selectExcess names what a gateway's role must not be able to do. A member of the owner's role can become it.
	selectExcess = `
		SELECT 'it is a superuser' FROM pg_roles WHERE rolname = current_user AND rolsuper
		UNION ALL SELECT 'it may make itself a member of others' FROM pg_roles WHERE rolname = current_user AND rolcreaterole
		UNION ALL SELECT 'it may make tables in schema ' || current_schema() WHERE has_schema_privilege(current_schema(), 'CREATE')
		UNION ALL SELECT 'it owns ' || relname FROM pg_class
			WHERE oid = ANY ($1::regclass[]) AND pg_has_role(relowner, 'MEMBER')
		UNION ALL SELECT privilege || ' on ' || relname FROM pg_class, unnest(ARRAY['DELETE', 'TRUNCATE', 'TRIGGER']) AS privilege
			WHERE oid = ANY ($1::regclass[]) AND has_table_privilege(oid, privilege)
		UNION ALL SELECT 'UPDATE on ' || relname FROM pg_class
			WHERE oid = ANY (ARRAY['events', 'moves', 'schema_migrations', 'ended', 'lookups', 'unblocks', 'ended_sessions',
				'sms', 'exchanges', 'takings']::regclass[]) AND has_any_column_privilege(oid, 'UPDATE')
		UNION ALL SELECT 'INSERT on ' || relname FROM pg_class
			WHERE oid = ANY (ARRAY['moves', 'schema_migrations', 'ended']::regclass[]) AND has_any_column_privilege(oid, 'INSERT')`
)

// checkRole refuses a role that can't do a gateway's work, and if asked one that can do more.
func checkRole(ctx context.Context, conn *pgx.Conn, restricted bool) error {
	var tables, columns, privileges, all []string
	for _, n := range needs {
		all = append(all, n.table)
		for privilege := range strings.SplitSeq(n.may, ", ") {
			tables, columns, privileges = append(tables, n.table), append(columns, ""), append(privileges, privilege)
		}
		for column := range strings.FieldsFuncSeq(n.columns, func(r rune) bool { return strings.ContainsRune(", \n\t", r) }) {
			tables, columns, privileges = append(tables, n.table), append(columns, column), append(privileges, "UPDATE")
		}
	}
	if err := none(ctx, conn, ErrNotGranted, selectLacks, tables, columns, privileges); err != nil {
		return err
	}
	if err := none(ctx, conn, ErrNotGranted, selectLacksFunctions, neededFunctions); err != nil {
		return err
	}
	if !restricted {
		return nil
	}
	return none(ctx, conn, ErrPrivileged, selectExcess, all)
}

// none returns an error that lists what a query finds, if it finds anything.
func none(ctx context.Context, conn *pgx.Conn, refusal error, query string, args ...any) error {
	rows, err := conn.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return granted(err)
	}
	if len(found) > 0 {
		return fmt.Errorf("%w: %s", refusal, strings.Join(found, ", "))
	}
	return nil
}
