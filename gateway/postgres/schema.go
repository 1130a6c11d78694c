package postgres

import (
	"bufio"
	"context"
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// The migrations, numbered without gaps. They only go forward: a ledger of money isn't unmade.
//
//go:embed migrations/*.sql
var migrations embed.FS

// migration is one step of the schema. The version of a program is that of its last one.
type migration struct {
	version int
	name    string
	oldest  int // version of the oldest program that can work with the schema after this step
	text    string
}

var (
	fileName   = regexp.MustCompile(`^([0-9]{5})_([a-z0-9_]+)\.sql$`)
	oldestLine = regexp.MustCompile(`^-- oldest: ([0-9]+)$`)
)

// readMigrations returns the steps in their order.
func readMigrations(files fs.FS) ([]migration, error) {
	entries, err := fs.ReadDir(files, "migrations")
	if err != nil {
		return nil, err
	}
	var steps []migration
	for i, entry := range entries { // sorted by name, and so by number
		name := fileName.FindStringSubmatch(entry.Name())
		if name == nil {
			return nil, fmt.Errorf("postgres: migration %s isn't named like 00001_what.sql", entry.Name())
		}
		text, err := fs.ReadFile(files, "migrations/"+entry.Name())
		if err != nil {
			return nil, err
		}
		step := migration{name: name[2], text: string(text)}
		step.version, _ = strconv.Atoi(name[1])
		first := bufio.NewScanner(strings.NewReader(step.text))
		first.Scan()
		oldest := oldestLine.FindStringSubmatch(first.Text())
		if oldest == nil {
			return nil, fmt.Errorf(`postgres: migration %s doesn't begin with "-- oldest: N"`, entry.Name())
		}
		step.oldest, _ = strconv.Atoi(oldest[1])
		if step.version != i+1 || step.oldest < 1 || step.oldest > step.version {
			return nil, fmt.Errorf("postgres: migration %s: version %d where %d is due, oldest %d", entry.Name(), step.version, i+1, step.oldest)
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// schema is what a database says of itself.
type schema struct {
	version int // of its last migration; 0: none
	oldest  int // version of the oldest program that can work with it
}

const selectSchema = `SELECT coalesce(max(version), 0), coalesce(max(oldest), 0) FROM schema_migrations`

// readSchema reads it. A database that was never migrated has the zero schema.
func readSchema(ctx context.Context, conn *pgx.Conn) (schema, error) {
	var is schema
	err := conn.QueryRow(ctx, selectSchema).Scan(&is.version, &is.oldest)
	if code(err) == undefinedTable {
		return schema{}, nil
	}
	return is, granted(err)
}

// granted says ErrNotGranted of an error that says so.
func granted(err error) error {
	if code(err) == insufficientPrivilege {
		return fmt.Errorf("%w: %w", ErrNotGranted, err)
	}
	return err
}

// suits reports whether a program of the given version can work with the schema.
func (is schema) suits(program int) error {
	switch {
	case is.version < program:
		return fmt.Errorf("%w: %d, not %d", ErrSchemaOlder, is.version, program)
	case is.oldest > program:
		return fmt.Errorf("%w: %d, and only for programs from %d, not %d", ErrSchemaNewer, is.version, is.oldest, program)
	}
	return nil
}

// refuse looks whether the database is one that this program can work with.
func (p *pool) refuse(ctx context.Context, restricted bool) error {
	steps, err := readMigrations(migrations)
	if err != nil {
		return err
	}
	conn, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	is, err := readSchema(ctx, conn.Conn())
	if err != nil {
		return err
	}
	if err := is.suits(len(steps)); err != nil {
		return err
	}
	return checkRole(ctx, conn.Conn(), restricted)
}
