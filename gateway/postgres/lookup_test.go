package postgres

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
)

// lookup is one on record, whose words and number must not be seen.
func lookup(t *testing.T, s *Store) bank.Lookup {
	t.Helper()
	number, err := saudi.ParsePerson("1900000017")
	if err != nil {
		t.Fatal(err)
	}
	l := bank.Lookup{
		ID: "l-1", At: time.Now(), Login: "t01", Employee: "E100", Branch: "101", Session: "s", Client: "desk", Number: number,
		Outcome: bank.LookupFound, Customer: "p01", Check: &bank.IdentityCheck{Method: "canary-method", Note: "canary-note"},
		Unblock: "canary-unblock",
	}
	if err := s.RecordLookup(t.Context(), l, 1); err != nil {
		t.Fatal(err)
	}
	return l
}

// TestLookupsAreKept has a person with a shell try what no program of ours does, as the owner and as the gateway's role.
func TestLookupsAreKept(t *testing.T) {
	s, db := newStore(t)
	lookup(t, s)
	owner, app := shell(t, db.Owner), shell(t, db.App)
	const denied = "permission denied"
	const insert = `INSERT INTO lookups VALUES `
	const index = `decode(repeat('00', 32), 'hex')`
	for statement, rule := range map[string][2]string{
		`UPDATE lookups SET customer = 'p02'`:                                               {"lookups_unchanged", denied},
		`DELETE FROM lookups`:                                                               {"lookups_kept", denied},
		`TRUNCATE lookups CASCADE`:                                                          {"lookups_kept", denied},
		`UPDATE lookup_tallies SET found = 0`:                                               {"lookup_tallies_rise"},
		`UPDATE lookup_tallies SET employee = 'x'; SELECT rule('undone', '')`:               {"undone", denied},
		`DELETE FROM lookup_tallies`:                                                        {"lookup_tallies_kept", denied},
		`TRUNCATE lookup_tallies`:                                                           {"lookup_tallies_kept", denied},
		`INSERT INTO lookup_tallies VALUES ('', '2026-03-08', 'E', 0, 0, 0, 0)`:             {"lookup_tallies_named"},
		`INSERT INTO account_uses VALUES ('x', '', now())`:                                  {"account_uses_indexes"},
		`DELETE FROM account_uses; SELECT rule('undone', '')`:                               {"undone", denied},
		`UPDATE unblocks SET note = 'x'`:                                                    {"unblocks_unchanged", denied},
		`DELETE FROM unblocks`:                                                              {"unblocks_kept", denied},
		`TRUNCATE unblocks`:                                                                 {"unblocks_kept", denied},
		`INSERT INTO unblocks VALUES ('l-1', 'x')`:                                          {"unblocks_once"},
		`INSERT INTO unblocks VALUES ('l-9', 'x')`:                                          {"unblocks_found"},
		`INSERT INTO unblocks VALUES ('l-1', '')`:                                           {"unblocks_note"},
		`UPDATE lookup_days SET employee = 'E101'; SELECT rule('undone', '')`:               {"undone", denied},
		`DELETE FROM lookup_days; SELECT rule('undone', '')`:                                {"undone", denied},
		`UPDATE lookup_days SET n = 0`:                                                      {"lookup_days_n"},
		insert + `('l-1', now(), 't', 'E', 'B', '', '', ` + index + `, 'unknown', '', '')`:  {"lookups_once"},
		insert + `('l-2', now(), '', 'E', 'B', '', '', ` + index + `, 'unknown', '', '')`:   {"lookups_names"},
		insert + `('l-2', now(), 't', '', 'B', '', '', ` + index + `, 'unknown', '', '')`:   {"lookups_names"},
		insert + `('l-2', now(), 't', 'E', 'B', '', '', '', 'unknown', '', '')`:             {"lookups_number"},
		insert + `('l-2', now(), 't', 'E', 'B', '', '', ` + index + `, 'gone', '', '')`:     {"lookups_outcome"},
		insert + `('l-2', now(), 't', 'E', 'B', '', '', ` + index + `, 'found', '', '')`:    {"lookups_outcome"},
		insert + `('l-2', now(), 't', 'E', 'B', '', '', ` + index + `, 'unknown', 'p', '')`: {"lookups_outcome"},
		insert + `('l-2', now(), 't', 'E', 'B', '', '', ` + index + `, 'unknown', '', 'x')`: {"lookups_check"},
	} {
		for i, conn := range []*pgx.Conn{owner, app} {
			want := rule[i]
			if want == "" {
				want = rule[0]
			}
			_, err := conn.PgConn().Exec(t.Context(), statement).ReadAll()
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, as %s: %v, want %s", statement, []string{"owner", "gateway"}[i], err, want)
			}
		}
	}
	if n := column(t, owner, `SELECT count(*)::text FROM lookups`)[0]; n != "1" {
		t.Errorf("%s are on record", n)
	}
}

// TestLookupsAreSealed: neither the number nor the teller's words are in the table, and its index finds the number.
func TestLookupsAreSealed(t *testing.T) {
	s, db := newStore(t)
	l := lookup(t, s)
	owner := shell(t, db.Owner)
	row := column(t, owner, `SELECT lookups::text || unblocks::text || encode(identity_check, 'escape') || encode(note, 'escape') FROM lookups, unblocks`)[0]
	for _, secret := range []string{l.Number.Number(), "canary", "63616e617279"} {
		if strings.Contains(row, secret) {
			t.Errorf("the row shows %q: %q", secret, row)
		}
	}
	app := shell(t, db.App)
	mustExec(t, app, `SET enable_seqscan = off`)
	mustExec(t, app, `SET plan_cache_mode = force_generic_plan`)
	if _, err := app.Prepare(t.Context(), "q", selectLookups); err != nil {
		t.Fatal(err)
	}
	if plan := strings.Join(explain(t, app, `EXPLAIN EXECUTE q(NULL, NULL)`), "\n"); !strings.Contains(plan, "lookups_of") || strings.Contains(plan, "Seq Scan") {
		t.Errorf("the plan is\n%s", plan)
	}
}

// TestNotesAreSealed: what an approver wrote is in no column that can be read.
func TestNotesAreSealed(t *testing.T) {
	s, db := newStore(t)
	by := approver("a01")
	by.Evidence = gateway.Evidence{gateway.Note: "canary"}
	c, err := mustAccept(t, s, awaiting(1)).Approve(by)
	if err == nil {
		err = s.Apply(t.Context(), c)
	}
	if err != nil {
		t.Fatal(err)
	}
	row := strings.Join(column(t, shell(t, db.Owner), `SELECT evidence::text FROM events`), " ")
	if strings.Contains(row, "canary") || !strings.Contains(row, "sealed_note") {
		t.Errorf("the events rest on %s", row)
	}
}
