package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

// MigrateOptions are what an operator decides about a migration.
type MigrateOptions struct {
	// Grant is the role that the gateway runs as. It is given what it needs, and whatever else it had on these tables
	// is taken away. Empty: nobody is given anything.
	Grant string
	// Log hears of each step. Nil: nobody does.
	Log *slog.Logger
}

const (
	// migrateLockTime is how long a step waits for a table. Everybody who comes after it waits too, and a gateway's
	// statement only for lockTime: behind a reader who takes his time, a backup say, it steps aside and comes again.
	migrateLockTime  = "200ms"
	migrateLockPause = time.Second
	migrateLockTries = 50

	// oneMigrator is one lock for each schema of a database. It is the session's, so that it is held over all steps.
	oneMigrator = `SELECT pg_advisory_lock(hashtextextended('istirdad migrate ' || current_schema(), 0))`

	createMigrations = `CREATE TABLE IF NOT EXISTS schema_migrations (
		version    integer     NOT NULL PRIMARY KEY,
		name       text        NOT NULL,
		oldest     integer     NOT NULL,
		applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
	)`
	insertMigration = `INSERT INTO schema_migrations (version, name, oldest) VALUES ($1, $2, $3)`

	// ownPath is what functions that are made in the transaction keep as their search path: nobody puts a table of
	// their own in front.
	ownPath = `SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)`
)

// Migrate brings the schema at url up to this program's version, as its owner, into the first schema of the search
// path. Each step is one transaction: a migration that is cut off leaves a whole schema of some version, and the next
// one goes on from there. Of several at once one works, and the others find nothing left to do. A schema that is newer
// is left as it is, if this program can work with it, and nobody is granted anything: its own program knows what a
// gateway needs there, and this one would take it away. A table that others use is waited for, for about a minute.
func Migrate(ctx context.Context, url string, o MigrateOptions) error {
	return migrate(ctx, url, migrations, o)
}

func migrate(ctx context.Context, url string, files fs.FS, o MigrateOptions) error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	steps, err := readMigrations(files)
	if err != nil {
		return err
	}
	return asOwner(ctx, url, "istirdad migrate", func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, oneMigrator); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, "SELECT set_config('lock_timeout', $1, false)", migrateLockTime); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, createMigrations); err != nil {
			return err
		}
		is, err := readSchema(ctx, conn)
		if err != nil {
			return err
		}
		if is.oldest > len(steps) {
			return is.suits(len(steps))
		}
		for _, step := range steps[min(is.version, len(steps)):] {
			began := time.Now()
			if err := step.applyBetween(ctx, conn); err != nil {
				return fmt.Errorf("migration %d, %s: %w", step.version, step.name, err)
			}
			o.Log.InfoContext(ctx, "migrated", "version", step.version, "name", step.name, "took", time.Since(began))
		}
		if o.Grant == "" || is.version > len(steps) {
			return nil
		}
		return grant(ctx, conn, o.Grant)
	})
}

// applyBetween applies the step between the others that use its tables.
func (m migration) applyBetween(ctx context.Context, conn *pgx.Conn) error {
	for try := 1; ; try++ {
		err := m.apply(ctx, conn)
		if code(err) != lockNotAvailable || try == migrateLockTries || !rest(ctx, migrateLockPause) {
			return err
		}
	}
}

func (m migration) apply(ctx context.Context, conn *pgx.Conn) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, ownPath); err != nil {
			return err
		}
		// The file's many statements, as they stand: there is no value in them.
		if _, err := conn.PgConn().Exec(ctx, m.text).ReadAll(); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, insertMigration, m.version, m.name, m.oldest)
		return err
	})
}

// asOwner does something on one connection, without the time limits of a gateway's.
func asOwner(ctx context.Context, url, name string, do func(*pgx.Conn) error) (err error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return errURL
	}
	session(config, name)
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTime)
		defer cancel()
		err = errors.Join(err, conn.Close(closing))
	}()
	if err := do(conn); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return nil
}
