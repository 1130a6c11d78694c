package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// The migrations, numbered without gaps. They only go forward: a ledger of money isn't unmade.
//
//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema to this program's version, or, when it may not, makes sure that it is there already.
func migrate(ctx context.Context, db *sql.DB, allowed bool) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	sources := provider.ListSources()
	ours := sources[len(sources)-1].Version
	theirs, err := version(ctx, db)
	switch {
	case err != nil:
		return err
	case theirs > ours:
		return fmt.Errorf("%w: %d, not %d", ErrSchemaNewer, theirs, ours)
	case theirs == ours:
		return nil
	case !allowed:
		return fmt.Errorf("%w: %d, not %d", ErrSchemaOlder, theirs, ours)
	}
	_, err = provider.Up(ctx)
	return err
}

// version is the schema's; zero when there is none. goose would write its table into the file in order to answer.
func version(ctx context.Context, db *sql.DB) (int64, error) {
	var v int64
	err := db.QueryRowContext(ctx,
		`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'goose_db_version'`).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	err = db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&v)
	return v, err
}
