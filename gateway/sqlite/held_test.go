package sqlite

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/istirdad/istirdad/gateway"
)

// TestMigrationSaysWhatHolds: what awaits approval when the schema learns why says so afterwards, and nothing else does.
func TestMigrationSaysWhatHolds(t *testing.T) {
	s, path := newStore(t)
	checked := lookup(t, s)
	for n, session := range []string{"s", checked.ID, "s"} {
		a := acceptance(n)
		if a.Origin.Session = session; n < 2 {
			a.Rules.Holds, a.Rules.ApprovalExpires = []gateway.Mark{"whatever"}, start.AddDate(0, 0, 1)
		}
		mustAccept(t, s, a)
	}

	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	db := shell(t, filepath.Join(t.TempDir(), "before.db"))
	db.SetMaxOpenConns(1) // to which the other file is attached
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`ATTACH ? AS now`, path); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"lookups", "refunds"} {
		var columns string
		if err := db.QueryRow(`SELECT group_concat(name) FROM pragma_table_info(?, 'main')`, table).Scan(&columns); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(`INSERT INTO main.` + table + ` (` + columns + `) SELECT ` + columns + ` FROM now.` + table); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := provider.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	var held string
	if err := db.QueryRow(`SELECT group_concat(held, ', ') FROM (SELECT held FROM main.refunds ORDER BY id)`).Scan(&held); err != nil || held != "above_limit, identity_check, " {
		t.Errorf("held for %s, %v", strings.TrimSpace(held), err)
	}
}
