package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/istirdad/istirdad/internal/pgtest"
)

// bare serves the tests that begin with an empty database.
func bare(t *testing.T) (*pgtest.Server, pgtest.Database) {
	t.Helper()
	s := server.Server(t)
	db := server.Database(t)
	if _, err := s.SQL(db.Name, "DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION "+pgtest.Owner); err != nil {
		t.Fatal(err)
	}
	return s, db
}

// steps are migrations of a program that isn't ours, each with its first line.
func steps(texts ...string) fstest.MapFS {
	files := fstest.MapFS{}
	for i, text := range texts {
		files[fmt.Sprintf("migrations/%05d_step.sql", i+1)] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

func versions(t *testing.T, conn *pgx.Conn) string {
	t.Helper()
	return strings.Join(column(t, conn, `SELECT version || ' ' || name FROM schema_migrations ORDER BY version`), ", ")
}

func TestMigrateGoesOn(t *testing.T) {
	_, db := bare(t)
	conn := shell(t, db.Owner)
	one, two := "-- oldest: 1\nCREATE TABLE a (n int); CREATE TABLE b (n int)", "-- oldest: 2\nALTER TABLE a ADD m int NOT NULL DEFAULT 7"
	for _, files := range []fs.FS{steps(one), steps(one), steps(one, two), steps(one, two)} {
		if err := migrate(t.Context(), db.Owner, files, MigrateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	mustExec(t, conn, `INSERT INTO a (n) VALUES (1)`)
	if got := versions(t, conn); got != "1 step, 2 step" || column(t, conn, `SELECT m::text FROM a`)[0] != "7" {
		t.Errorf("versions: %s", got)
	}
	// The first program is too old for the second step, and says so.
	if err := migrate(t.Context(), db.Owner, steps(one), MigrateOptions{}); !errors.Is(err, ErrSchemaNewer) {
		t.Errorf("the older program migrates: %v", err)
	}
	// One that the newer schema still suits has nothing to do.
	mustExec(t, conn, `UPDATE schema_migrations SET oldest = 1`)
	if err := migrate(t.Context(), db.Owner, steps(one), MigrateOptions{}); err != nil {
		t.Errorf("an older program that may: %v", err)
	}
}

func TestMigrateFailsWhole(t *testing.T) {
	_, db := bare(t)
	files := steps("-- oldest: 1\nCREATE TABLE a (n int)", "-- oldest: 1\nCREATE TABLE b (n int); INSERT INTO a VALUES (1); CREATE TABLE a (n int)")
	err := migrate(t.Context(), db.Owner, files, MigrateOptions{})
	if err == nil || !strings.Contains(err.Error(), "migration 2, step") {
		t.Errorf("Migrate: %v", err)
	}
	conn := shell(t, db.Owner)
	if got := column(t, conn, `SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1`); strings.Join(got, " ") != "a schema_migrations" {
		t.Errorf("tables: %v", got)
	}
	if got := versions(t, conn); got != "1 step" || len(column(t, conn, `SELECT n::text FROM a`)) != 0 {
		t.Errorf("versions: %s", got)
	}
}

// TestMigrateAtOnce has several gateways come up together: one works, the others find nothing to do.
func TestMigrateAtOnce(t *testing.T) {
	_, db := bare(t)
	var together sync.WaitGroup
	for range 6 {
		together.Go(func() {
			if err := Migrate(t.Context(), db.Owner, MigrateOptions{Grant: pgtest.App}); err != nil {
				t.Errorf("Migrate: %v", err)
			}
		})
	}
	together.Wait()
	steps, err := readMigrations(migrations)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, step := range steps {
		want = append(want, fmt.Sprint(step.version, " ", step.name))
	}
	if got := versions(t, shell(t, db.Owner)); got != strings.Join(want, ", ") {
		t.Errorf("versions: %s", got)
	}
	mustAccept(t, openStore(t, db.App, Options{RequireRestricted: true}, patient, nil), fixture(1))
}

// TestMigrateKilled kills the server, and in another run the migration's own process there, in the middle of a step:
// nothing of it is left, and the next migration does it (cp23).
func TestMigrateKilled(t *testing.T) {
	for name, kill := range map[string]func(*testing.T, *pgtest.Server){
		"server": func(t *testing.T, s *pgtest.Server) {
			if err := s.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
		},
		"connection": func(t *testing.T, s *pgtest.Server) {
			if _, err := s.SQL("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'istirdad migrate'"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := pgtest.Start(t)
			db := own.Database(t)
			// The last thing that a step does is to write down that it is done.
			first := "-- oldest: 1\nCREATE TABLE a (n int)"
			files := steps(first, "-- oldest: 1\nCREATE TABLE b (n int); INSERT INTO a VALUES (1); SELECT pg_sleep(60)")
			ended := make(chan error, 1)
			go func() { ended <- migrate(context.Background(), db.Owner, files, MigrateOptions{}) }()
			for inside := ""; inside == ""; {
				var err error
				if inside, err = own.SQL("postgres", "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"); err != nil {
					t.Fatal(err)
				}
			}
			kill(t, own)
			if err := <-ended; err == nil {
				t.Error("a migration that was killed succeeded")
			}
			conn := shell(t, db.Owner)
			if got := versions(t, conn); got != "1 step" || len(column(t, conn, `SELECT n::text FROM a`)) != 0 {
				t.Errorf("versions: %s", got)
			}
			files = steps(first, "-- oldest: 1\nCREATE TABLE b (n int); INSERT INTO a VALUES (1)")
			if err := migrate(t.Context(), db.Owner, files, MigrateOptions{}); err != nil {
				t.Error(err)
			}
			if got := versions(t, conn); got != "1 step, 2 step" || len(column(t, conn, `SELECT n::text FROM a`)) != 1 {
				t.Errorf("afterwards: %s", got)
			}
		})
	}
}

func TestMigrateWaitsBriefly(t *testing.T) {
	t.Parallel()
	_, db := bare(t)
	conn := shell(t, db.Owner)
	first := "-- oldest: 1\nCREATE TABLE a (n int)"
	if err := migrate(t.Context(), db.Owner, steps(first), MigrateOptions{}); err != nil {
		t.Fatal(err)
	}
	// Somebody reads the table and takes his time.
	mustExec(t, conn, `BEGIN`)
	mustExec(t, conn, `SELECT FROM a`)
	files := steps(first, "-- oldest: 1\nALTER TABLE a ADD m int")
	brief, cancel := context.WithTimeout(t.Context(), migrateLockPause)
	defer cancel()
	if err := migrate(brief, db.Owner, files, MigrateOptions{}); code(err) != lockNotAvailable {
		t.Errorf("until the migration's own time is up: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- migrate(t.Context(), db.Owner, files, MigrateOptions{}) }()
	other := shell(t, db.Owner)
	mustExec(t, other, `SET lock_timeout = '`+lockTime+`'`)
	waitFor(t, func() bool {
		waiting := column(t, other, `SELECT 1::text FROM pg_locks WHERE NOT granted AND relation = 'a'::regclass`)
		return len(waiting) > 0
	})
	mustExec(t, other, `SELECT FROM a`) // a gateway's statement comes between its tries
	mustExec(t, conn, `COMMIT`)
	if err := <-ended; err != nil {
		t.Errorf("once nobody reads: %v", err)
	}
	if got := versions(t, conn); got != "1 step, 2 step" {
		t.Errorf("versions: %s", got)
	}
}

// TestMigrateOfAnOlderRelease runs an older release's migration on a newer one's schema: its gateways keep what they
// were granted there.
func TestMigrateOfAnOlderRelease(t *testing.T) {
	db := server.Database(t)
	owner := shell(t, db.Owner)
	all, err := readMigrations(migrations)
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, owner, `ALTER TABLE refunds ADD COLUMN note text NOT NULL DEFAULT ''`)
	mustExec(t, owner, `GRANT UPDATE (note) ON refunds TO `+pgtest.App)
	mustExec(t, owner, `INSERT INTO schema_migrations (version, name, oldest) VALUES ($1, 'note', 1)`, len(all)+1)
	if err := Migrate(t.Context(), db.Owner, MigrateOptions{Grant: pgtest.App}); err != nil {
		t.Fatal(err)
	}
	mustExec(t, shell(t, db.App), `UPDATE refunds SET note = ''`)
}

func TestMigrationFiles(t *testing.T) {
	for name, files := range map[string]fstest.MapFS{
		"no first line":   steps("CREATE TABLE a ()"),
		"oldest zero":     steps("-- oldest: 0\n"),
		"oldest to come":  steps("-- oldest: 2\n"),
		"not so numbered": {"migrations/1_step.sql": {Data: []byte("-- oldest: 1\n")}},
		"a gap":           {"migrations/00002_step.sql": {Data: []byte("-- oldest: 1\n")}},
	} {
		if _, err := readMigrations(files); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	if all, err := readMigrations(migrations); err != nil || len(all) < 2 {
		t.Errorf("ours: %d, %v", len(all), err)
	}
}

// TestF41Schema opens databases of other versions.
func TestF41Schema(t *testing.T) {
	db := server.Database(t)
	owner := shell(t, db.Owner)
	all, err := readMigrations(migrations)
	if err != nil {
		t.Fatal(err)
	}
	ours := len(all)
	wantOpen := func(what string, want error) {
		t.Helper()
		s, err := Open(t.Context(), db.App, testSealer(t, "k1"), Options{RequireRestricted: true})
		if err == nil {
			err = s.Close()
		}
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	wantOpen("ours", nil)
	mustExec(t, owner, `INSERT INTO schema_migrations (version, name, oldest) VALUES ($1, 'later', $2)`, ours+1, ours)
	wantOpen("newer, for us too", nil)
	mustExec(t, owner, `INSERT INTO schema_migrations (version, name, oldest) VALUES ($1, 'later', $2)`, ours+2, ours+1)
	wantOpen("newer, not for us", ErrSchemaNewer)
	mustExec(t, owner, `INSERT INTO schema_migrations (version, name, oldest) VALUES ($1, 'later', $2)`, ours+3, 1)
	wantOpen("one that went back on it", ErrSchemaNewer)
	mustExec(t, owner, `DELETE FROM schema_migrations WHERE version >= $1`, ours)
	wantOpen("older", ErrSchemaOlder)
	mustExec(t, owner, `DROP TABLE schema_migrations`)
	wantOpen("never migrated", ErrSchemaOlder)
}

// TestF41Role opens with roles that lack something, or have too much.
func TestF41Role(t *testing.T) {
	t.Parallel()
	s := server.Server(t)
	db := server.Database(t)
	owner := shell(t, db.Owner)
	open := func(url string, restricted bool) error {
		s, err := Open(t.Context(), url, testSealer(t, "k1"), Options{RequireRestricted: restricted})
		if err != nil {
			return err
		}
		return s.Close()
	}
	lost := map[string]string{
		"REVOKE SELECT ON refunds FROM ":                                "SELECT on refunds",
		"REVOKE UPDATE (state) ON refunds FROM ":                        "UPDATE on refunds.state",
		"REVOKE INSERT ON events FROM ":                                 "INSERT on events",
		"REVOKE SELECT ON schema_migrations FROM ":                      "permission denied for table schema_migrations",
		"REVOKE EXECUTE ON FUNCTION prune_callbacks(timestamptz) FROM ": "EXECUTE on prune_callbacks",
		"REVOKE SELECT ON ended_sessions FROM ":                         "SELECT on ended_sessions",
		"REVOKE USAGE ON SCHEMA public FROM PUBLIC, ":                   "",
	}
	for revoke, what := range lost {
		mustExec(t, owner, revoke+pgtest.App)
		err := open(db.App, false)
		want := ErrNotGranted
		if what == "" {
			want = ErrSchemaOlder // to such a role there is no schema at all
		}
		if !errors.Is(err, want) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", revoke, err)
		}
		// Migrating again gives back what is needed.
		if err := Migrate(t.Context(), db.Owner, MigrateOptions{Grant: pgtest.App}); err != nil {
			t.Fatal(err)
		}
		if err := open(db.App, true); err != nil {
			t.Errorf("after %s and a migration: %v", revoke, err)
		}
	}

	if err := open(db.Owner, false); err != nil {
		t.Errorf("the owner, where that is allowed: %v", err)
	}
	for grant, what := range map[string]string{
		"":                                            "", // the owner itself
		"GRANT DELETE ON refunds TO ":                 "DELETE on refunds",
		"GRANT TRUNCATE ON events TO ":                "TRUNCATE on events",
		"GRANT UPDATE ON events TO ":                  "UPDATE on events",
		"GRANT INSERT ON moves TO ":                   "INSERT on moves",
		"GRANT UPDATE ON ended_sessions TO ":          "UPDATE on ended_sessions",
		"GRANT CREATE ON SCHEMA public TO ":           "make tables",
		"GRANT " + pgtest.Owner + " TO ":              "owns refunds",
		"ALTER ROLE " + pgtest.App + " CREATEROLE --": "member of others",
		"ALTER ROLE " + pgtest.App + " SUPERUSER --":  "superuser",
	} {
		own := pgtest.Database{Owner: db.Owner, App: db.Owner}
		if grant != "" {
			own = freshRoles(t, s, grant)
		}
		err := open(own.App, true)
		if !errors.Is(err, ErrPrivileged) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", grant, err)
		}
		if grant == "" || strings.Contains(grant, "CREATE ON SCHEMA") || strings.Contains(grant, "ROLE") || strings.Contains(grant, "GRANT "+pgtest.Owner) {
			continue
		}
		// What somebody gave on the tables, the next migration takes back.
		if err := Migrate(t.Context(), own.Owner, MigrateOptions{Grant: "gateway_" + own.Name}); err != nil {
			t.Fatal(err)
		}
		if err := open(own.App, true); err != nil {
			t.Errorf("after %s and a migration: %v", grant, err)
		}
	}
}

// freshRoles makes a database whose gateway's role is nobody else's, and gives it something more.
func freshRoles(t *testing.T, s *pgtest.Server, grant string) pgtest.Database {
	t.Helper()
	db := server.Database(t)
	role := "gateway_" + db.Name
	if _, err := s.SQL(db.Name, "CREATE ROLE "+role+" LOGIN"); err != nil {
		t.Fatal(err)
	}
	if err := Migrate(t.Context(), db.Owner, MigrateOptions{Grant: role}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SQL(db.Name, strings.ReplaceAll(grant, pgtest.App, role)+role); err != nil {
		t.Fatal(err)
	}
	db.App = s.URL(role, db.Name)
	return db
}

// TestNotDurable has servers, and sessions, that would lose what they call committed.
func TestNotDurable(t *testing.T) {
	t.Parallel()
	open := func(url string) error {
		s, err := Open(t.Context(), url, testSealer(t, "k1"), Options{})
		if err == nil {
			err = s.Close()
		}
		return err
	}
	own := pgtest.Start(t, migrated)
	db := own.Database(t)
	for _, setting := range []string{"fsync", "full_page_writes"} {
		if _, err := own.SQL("postgres", "ALTER SYSTEM SET "+setting+" = off; SELECT pg_reload_conf()"); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { return errors.Is(open(db.App), ErrNotDurable) })
		if err := open(db.App); !strings.Contains(err.Error(), setting) {
			t.Errorf("%s off: %v", setting, err)
		}
		if _, err := own.SQL("postgres", "ALTER SYSTEM RESET "+setting+"; SELECT pg_reload_conf()"); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { return open(db.App) == nil })
	}
	for value, then := range map[string]string{"off": "", "local": "", "remote_write": "on", "on": "on", "remote_apply": "remote_apply"} {
		url := db.App + "&synchronous_commit=" + value
		if then == "" {
			if err := open(url); !errors.Is(err, ErrNotDurable) {
				t.Errorf("synchronous_commit=%s: %v", value, err)
			}
			continue
		}
		var is string
		s := openStore(t, url, Options{}, patient, nil)
		if _, err := s.main.one(t.Context(), `SELECT current_setting('synchronous_commit')`, nil, &is); err != nil || is != then {
			t.Errorf("synchronous_commit=%s becomes %s, want %s (%v)", value, is, then, err)
		}
	}
}

func waitFor(t *testing.T, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); {
		if time.Now().After(deadline) {
			t.Fatal("it doesn't come about")
		}
	}
}
