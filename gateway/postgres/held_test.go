package postgres

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/pgtest"
)

// TestMigrationSaysWhatHolds: what awaits approval when the schema learns why says so afterwards, and nothing else does.
func TestMigrationSaysWhatHolds(t *testing.T) {
	s, db := newStore(t)
	checked := lookup(t, s)
	for n, session := range []string{"s", checked.ID, "s"} {
		a := fixture(n)
		if a.Origin.Session = session; n < 2 {
			a.Rules.Holds, a.Rules.ApprovalExpires = []gateway.Mark{"whatever"}, start.AddDate(0, 0, 1)
		}
		mustAccept(t, s, a)
	}
	owner := shell(t, db.Owner)
	lookups := column(t, owner, `SELECT to_json(l)::text FROM lookups AS l`)
	refunds := column(t, owner, `SELECT to_json(r)::text FROM refunds AS r`)

	if _, err := server.Server(t).SQL(db.Name, "DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION "+pgtest.Owner); err != nil {
		t.Fatal(err)
	}
	before := fstest.MapFS{}
	for _, name := range []string{"00001_refunds", "00002_trace", "00003_lookups", "00004_ended_sessions"} {
		text, err := fs.ReadFile(migrations, "migrations/"+name+".sql")
		if err != nil {
			t.Fatal(err)
		}
		before["migrations/"+name+".sql"] = &fstest.MapFile{Data: text}
	}
	if err := migrate(t.Context(), db.Owner, before, MigrateOptions{}); err != nil {
		t.Fatal(err)
	}
	mustExec(t, owner, `DROP TRIGGER refunds_first ON refunds`) // their events stay behind
	for _, row := range lookups {
		mustExec(t, owner, `INSERT INTO lookups SELECT * FROM json_populate_record(NULL::lookups, $1)`, row)
	}
	for _, row := range refunds {
		mustExec(t, owner, `INSERT INTO refunds SELECT * FROM json_populate_record(NULL::refunds, $1)`, row)
	}
	if err := Migrate(t.Context(), db.Owner, MigrateOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(column(t, owner, `SELECT held FROM refunds ORDER BY id`), ", "); got != "above_limit, identity_check, " {
		t.Errorf("held for %q", got)
	}
}
