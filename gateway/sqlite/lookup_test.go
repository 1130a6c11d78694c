package sqlite

import (
	"strings"
	"testing"
	"time"

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

// TestLookupsAreKept has a person with a shell try what no program of ours does.
func TestLookupsAreKept(t *testing.T) {
	s, path := newStore(t)
	lookup(t, s)
	db := shell(t, path)
	const insert = `INSERT INTO lookups VALUES `
	for statement, rule := range map[string]string{
		`UPDATE lookups SET customer = 'p02'`:                                              "lookups_unchanged",
		`DELETE FROM lookups`:                                                              "lookups_kept",
		`INSERT OR REPLACE INTO lookups SELECT * FROM lookups`:                             "lookups_once",
		insert + `('l-2', 0, '', 'E', 'B', '', '', zeroblob(32), 'unknown', '', x'')`:      "lookups_names",
		insert + `('l-2', 0, 't', '', 'B', '', '', zeroblob(32), 'unknown', '', x'')`:      "lookups_names",
		insert + `('l-2', 0, 't', 'E', 'B', '', '', zeroblob(10), 'unknown', '', x'')`:     "lookups_number",
		insert + `('l-2', 0, 't', 'E', 'B', '', '', zeroblob(32), 'gone', '', x'')`:        "lookups_outcome",
		insert + `('l-2', 0, 't', 'E', 'B', '', '', zeroblob(32), 'found', '', x'')`:       "lookups_outcome",
		insert + `('l-2', 0, 't', 'E', 'B', '', '', zeroblob(32), 'forbidden', 'p', x'')`:  "lookups_outcome",
		insert + `('l-2', 0, 't', 'E', 'B', '', '', zeroblob(32), 'forbidden', '', x'00')`: "lookups_check",
		`UPDATE lookup_tallies SET found = 0`:                                              "lookup_tallies_rise",
		`UPDATE lookup_tallies SET refused = -1`:                                           "lookup_tallies",
		`DELETE FROM lookup_tallies`:                                                       "lookup_tallies_kept",
		`INSERT INTO lookup_tallies VALUES ('', '2026-03-08', 'E', 0, 0, 0, 0)`:            "lookup_tallies_named",
		`INSERT INTO account_uses VALUES (x'01', zeroblob(32), 0)`:                         "account_uses_indexes",
		`INSERT INTO account_uses VALUES (zeroblob(32), zeroblob(32), unixepoch() * 1000000 - 29 * 86400000000);
			DELETE FROM account_uses`: "account_uses_kept",
		`UPDATE unblocks SET note = x'01'`:                       "unblocks_unchanged",
		`DELETE FROM unblocks`:                                   "unblocks_kept",
		`INSERT OR REPLACE INTO unblocks SELECT * FROM unblocks`: "unblocks_found",
		`INSERT INTO unblocks VALUES ('l-1', x'01')`:             "unblocks_found",
		`INSERT INTO unblocks VALUES ('l-9', x'01')`:             "unblocks_found",
		`UPDATE lookup_days SET n = 0`:                           "lookup_days_n",
	} {
		if _, err := db.Exec(statement); err == nil || !strings.Contains(err.Error(), rule) {
			t.Errorf("%s: %v, want %s", statement, err, rule)
		}
	}
}

// TestLookupsAreSealed: neither the number nor the teller's words are in the file.
func TestLookupsAreSealed(t *testing.T) {
	s, path := newStore(t)
	l := lookup(t, s)
	var row string
	err := shell(t, path).QueryRow(`SELECT hex(number_index) || ' ' || hex(identity_check) || ' ' || id || login || employee || branch ||
		session || client || outcome || customer || number_index || identity_check || hex(note) || note FROM lookups, unblocks`).Scan(&row)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{l.Number.Number(), "canary", "63616E617279"} {
		if strings.Contains(row, secret) {
			t.Errorf("the row shows %q: %q", secret, row)
		}
	}
	if plan := explain(t, s, selectLookups, "[]", 1); !strings.Contains(plan, "lookups_of (number_index=?)") || strings.Contains(plan, "SCAN lookups") {
		t.Errorf("the plan is %s", plan)
	}
}

// TestNotesAreSealed: what an approver wrote is in no column that can be read.
func TestNotesAreSealed(t *testing.T) {
	s, path := newStore(t)
	a := acceptance(1)
	a.Rules.Holds, a.Rules.ApprovalExpires = []gateway.Mark{gateway.IdentityChecked}, start.Add(time.Hour)
	by := gateway.By{At: start, Actor: gateway.Actor{Role: gateway.RoleApprover, ID: "a01"}, Evidence: gateway.Evidence{gateway.Note: "canary"}}
	c, err := mustAccept(t, s, a).Approve(by)
	if err == nil {
		err = s.Apply(t.Context(), c)
	}
	if err != nil {
		t.Fatal(err)
	}
	var row string
	if err := shell(t, path).QueryRow(`SELECT group_concat(evidence, ' ') FROM events`).Scan(&row); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(row, "canary") || !strings.Contains(row, "sealed_note") {
		t.Errorf("the events rest on %s", row)
	}
}
