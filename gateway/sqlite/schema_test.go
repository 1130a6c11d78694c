package sqlite

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/storetest"
)

// states are the quoted words of a piece of SQL, in its order.
func states(sql string) []gateway.State {
	var all []gateway.State
	for _, word := range regexp.MustCompile(`'([a-z_]+)'`).FindAllStringSubmatch(sql, -1) {
		all = append(all, gateway.State(word[1]))
	}
	return all
}

func TestSchemaKnowsTheStates(t *testing.T) {
	_, path := newStore(t)
	sqlOf := func(name string) string {
		var text string
		if err := shell(t, path).QueryRow(`SELECT sql FROM sqlite_schema WHERE name = ?`, name).Scan(&text); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return text
	}
	var dead []gateway.State
	for _, state := range gateway.States() {
		if state.Dead() {
			dead = append(dead, state)
		}
	}
	_, check, _ := strings.Cut(sqlOf("refunds"), "CONSTRAINT refunds_state CHECK")
	check, _, _ = strings.Cut(check, "CONSTRAINT")
	for what, texts := range map[string]struct {
		sql  string
		want []gateway.State
	}{
		"CHECK of the state":         {check, gateway.States()},
		"index of live refunds":      {sqlOf("refunds_live"), dead},
		"index of dead refunds":      {sqlOf("refunds_dead"), dead},
		"query of dead refunds":      {countDead, dead},
		"query of requests in a way": {selectLive, dead},
		"query of one of them":       {refundRequestOf, dead},
	} {
		if diff := cmp.Diff(texts.want, states(texts.sql)); diff != "" {
			t.Errorf("%s (-gateway +SQL):\n%s", what, diff)
		}
	}
}

// TestSchemaKnowsTheMoves tries every state after every other, with an event as it would have to be: the schema lets
// through what package gateway allows, and nothing else.
func TestSchemaKnowsTheMoves(t *testing.T) {
	s, path := newStore(t)
	db := shell(t, path)
	var rows [][2]gateway.State
	err := s.queries.each(t.Context(), `SELECT from_state, to_state FROM moves`, nil, func(row scanner) error {
		var m [2]gateway.State
		err := row.Scan(&m[0], &m[1])
		rows = append(rows, m)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	sorted := func(m [][2]gateway.State) []string {
		var all []string
		for _, pair := range m {
			all = append(all, string(pair[0]+" to "+pair[1]))
		}
		slices.Sort(all)
		return all
	}
	if diff := cmp.Diff(sorted(storetest.Moves()), sorted(rows)); diff != "" {
		t.Errorf("moves (-gateway +SQL):\n%s", diff)
	}

	// Only the trigger is tried here; the CHECKs that tie columns to states would refuse most rows before it.
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	do := func(statement string, args ...any) error {
		_, err := conn.ExecContext(t.Context(), statement, args...)
		return err
	}
	mustAccept(t, s, acceptance(1))
	for _, statement := range []string{`PRAGMA ignore_check_constraints = 1`, `BEGIN IMMEDIATE`} {
		if err := do(statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := seedling(do); err != nil {
		t.Fatal(err)
	}
	for _, from := range gateway.States() {
		for _, to := range gateway.States() {
			if from == to {
				continue
			}
			id := string(from + ">" + to)
			if err := plant(do, id, from); err != nil {
				t.Fatal(err)
			}
			if err := appendEvent(do, id, from, to); err != nil {
				t.Fatal(err)
			}
			err := do(`UPDATE refunds SET state = ?, version = version + 1 WHERE id = ?`, to, id)
			allowed := slices.Contains(storetest.Moves(), [2]gateway.State{from, to})
			if allowed && err != nil || !allowed && (err == nil || !strings.Contains(err.Error(), "refunds_moves: no such move")) {
				t.Errorf("%s to %s: %v, allowed %t", from, to, err, allowed)
			}
		}
	}
	if err := do(`ROLLBACK`); err != nil {
		t.Fatal(err)
	}
}

type doer func(statement string, args ...any) error

// seedling prepares for plant, which copies refund r-1 into any state, past the trigger that says where refunds begin.
func seedling(do doer) error {
	return errors.Join(
		do(`DROP TRIGGER refunds_begin`),
		do(`CREATE TEMP TABLE one AS SELECT * FROM refunds WHERE id = 'r-1'`))
}

func plant(do doer, id string, state gateway.State) error {
	return errors.Join(
		do(`UPDATE one SET id = ?, reference = ?, request_id = ?, challenge = '', state = ?`, id, id, id, state),
		do(`INSERT INTO refunds SELECT * FROM one`))
}

func appendEvent(do doer, id string, from, to gateway.State) error {
	return do(`INSERT INTO events (refund_id, version, at, from_state, to_state, role, actor, employee, branch, session, evidence)
		VALUES (?, 2, 0, ?, ?, 'dispatcher', '', '', '', '', '{}')`, id, from, to)
}

// TestSchemaRefuses has a person with a shell try what no program of ours does.
func TestSchemaRefuses(t *testing.T) {
	s, path := newStore(t)
	for n := range 3 {
		mustAccept(t, s, acceptance(n))
	}
	db := shell(t, path)
	dump := func() string {
		var all bytes.Buffer
		for _, table := range []string{"refunds", "events", "day_limits"} {
			err := s.queries.each(t.Context(), `SELECT * FROM `+table, nil, func(row scanner) error {
				columns, err := row.(*sql.Rows).Columns()
				values, into := make([]any, len(columns)), make([]any, len(columns))
				for i := range values {
					into[i] = &values[i]
				}
				err = errors.Join(err, row.Scan(into...))
				fmt.Fprintln(&all, values)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return all.String()
	}
	before := dump()
	const event = `INTO events (refund_id, version, at, from_state, to_state, role, actor, employee, branch, session, evidence) `
	for statement, rule := range map[string]string{
		`UPDATE events SET at = 0`:                             "events_unchanged",
		`UPDATE events SET actor = 'nobody' WHERE version = 1`: "events_unchanged",
		`DELETE FROM events`:                                   "events_kept",
		`DELETE FROM refunds`:                                  "refunds_kept",
		`INSERT ` + event + `SELECT refund_id, version, at, from_state, to_state, role, 'x', '', '', '', '{}' FROM events`:            "events_match",
		`INSERT OR REPLACE ` + event + `SELECT refund_id, version, at, from_state, to_state, role, 'x', '', '', '', '{}' FROM events`: "events_match",
		`INSERT ` + event + `VALUES ('r-1', 3, 0, 'queued', 'sending', 'dispatcher', '', '', '', '', '{}')`:                           "events_match",
		`INSERT ` + event + `VALUES ('r-1', 2, 0, 'pending', 'refunded', 'dispatcher', '', '', '', '', '{}')`:                         "events_match",
		`INSERT ` + event + `VALUES ('r-9', 1, 0, '', 'queued', 'dispatcher', '', '', '', '', '{}')`:                                  "events_match",
		`INSERT ` + event + `VALUES ('r-1', 2, 0, 'queued', 'sending', 'wizard', '', '', '', '', '{}')`:                               "events_role",
		`INSERT ` + event + `VALUES ('r-1', 2, 0, 'queued', 'sending', 'operator', '', '', '', '', '[]')`:                             "events_evidence",
		`UPDATE refunds SET state = 'cancelled', due = NULL, version = 2`:                                                             "a move without its event",
		`UPDATE refunds SET state = 'credited', version = 2`:                                                                          "no such move",
		`UPDATE refunds SET version = 7`:                           "refunds_version",
		`UPDATE refunds SET state = 'queued'`:                      "refunds_version",
		`UPDATE refunds SET amount = 1`:                            "refunds_fixed",
		`UPDATE refunds SET request_id = 'x'`:                      "refunds_fixed",
		`UPDATE refunds SET reference = 'x'`:                       "refunds_fixed",
		`UPDATE refunds SET customer = 'x'`:                        "refunds_fixed",
		`UPDATE refunds SET held = 'x'`:                            "refunds_fixed",
		`UPDATE refunds SET flags = ''`:                            "refunds_fixed",
		`UPDATE refunds SET due = NULL`:                            "refunds_due",
		`UPDATE refunds SET may_have_left = 1`:                     "refunds_may_have_left",
		`UPDATE refunds SET released_at = 1`:                       "refunds_released",
		`UPDATE refunds SET credit_refusal = 'x'`:                  "refunds_credit_refusal",
		`UPDATE refunds SET ledger_id = 'x'`:                       "refunds_ledger_id",
		`UPDATE refunds SET notice = 'due'`:                        "refunds_notice",
		`UPDATE refunds SET unknowns = 1`:                          "refunds_unknowns",
		`UPDATE refunds SET asks = -1`:                             "refunds_counts",
		`UPDATE refunds SET to_iban = x''`:                         "refunds_account",
		`UPDATE refunds SET payer_number = x''`:                    "refunds_payer",
		`UPDATE refunds SET beneficiary_number = x''`:              "refunds_beneficiary",
		`UPDATE refunds SET due = 'soon'`:                          "cannot store TEXT value in INTEGER column",
		`UPDATE day_limits SET spent = -1`:                         "day_limits_spent",
		`INSERT OR REPLACE INTO refunds SELECT * FROM refunds`:     "refunds_once",
		`INSERT INTO ledger VALUES ('c-9', '[]', 0)`:               "ledger_record",
		`INSERT INTO ended_sessions VALUES ('', 0)`:                "ended_sessions_named",
		`INSERT INTO day_limits VALUES ('c-9', '2026-03-08', 1.5)`: "cannot store REAL value in INTEGER column",
	} {
		_, err := db.Exec(statement)
		if err == nil || !strings.Contains(err.Error(), rule) {
			t.Errorf("%s: %v, want %s", statement, err, rule)
		}
	}
	if diff := cmp.Diff(before, dump()); diff != "" {
		t.Errorf("the tables (-before +after):\n%s", diff)
	}
}

func TestSchemaNeverForgets(t *testing.T) {
	s, path := newStore(t)
	r := mustAccept(t, s, acceptance(1))
	for _, step := range []func(gateway.Refund) (gateway.Change, error){
		func(r gateway.Refund) (gateway.Change, error) {
			return r.Send(gateway.Dispatcher(start, nil), time.Minute)
		},
		func(r gateway.Refund) (gateway.Change, error) { return r.Release(gateway.Dispatcher(start, nil), "C") },
		func(r gateway.Refund) (gateway.Change, error) {
			return r.Escalate(gateway.Dispatcher(start, nil), "why")
		},
	} {
		c, err := step(r)
		if err == nil {
			err = s.Apply(t.Context(), c)
		}
		if err != nil {
			t.Fatal(err)
		}
		r = c.Refund()
	}
	for _, column := range []string{"may_have_left = 0", "released_at = NULL"} {
		_, err := shell(t, path).Exec(`UPDATE refunds SET ` + column)
		if err == nil || !strings.Contains(err.Error(), "refunds_memory") {
			t.Errorf("%s: %v", column, err)
		}
	}
}

// TestSchemaOneLiveRefund tries the index that nothing reaches while references are right: a second live refund of a
// request under another reference.
func TestSchemaOneLiveRefund(t *testing.T) {
	s, path := newStore(t)
	mustAccept(t, s, acceptance(1))
	conn, err := shell(t, path).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	do := func(statement string, args ...any) error {
		_, err := conn.ExecContext(t.Context(), statement, args...)
		return err
	}
	if err := errors.Join(seedling(do), plant(do, "r-2", gateway.Queued)); err != nil {
		t.Fatal(err)
	}
	for column, want := range map[string]error{"request_id": gateway.ErrRefundExists, "reference": gateway.ErrRefundExists, "challenge": gateway.ErrChallengeUsed} {
		err := errors.Join(
			do(`CREATE TEMP TABLE two AS SELECT * FROM refunds WHERE id = 'r-2'`),
			do(`UPDATE two SET id = 'r-3', reference = 'R3', request_id = 'REQ-3', challenge = 'ch-3'`),
			do(`UPDATE two SET `+column+` = (SELECT `+column+` FROM refunds WHERE id = 'r-1')`))
		if err != nil {
			t.Fatal(err)
		}
		if err := refused(do(`INSERT INTO refunds SELECT * FROM two`)); !errors.Is(err, want) {
			t.Errorf("the same %s: %v, want %v", column, err, want)
		}
		if err := do(`DROP TABLE two`); err != nil {
			t.Fatal(err)
		}
	}
}

// explain returns how SQLite would run a query.
func explain(t *testing.T, s *Store, query string, args ...any) string {
	t.Helper()
	var plan []string
	err := s.queries.each(t.Context(), `EXPLAIN QUERY PLAN `+query, args, func(row scanner) error {
		var (
			n    [3]int
			line string
		)
		err := row.Scan(&n[0], &n[1], &n[2], &line)
		plan = append(plan, line)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "\n")
}

func TestQueriesUseTheirIndex(t *testing.T) {
	s, _ := newStore(t)
	for query, want := range map[string]struct {
		index string
		args  int
	}{
		selectDue:         {"COVERING INDEX refunds_queue", 3},
		refundsOfCustomer: {"INDEX refunds_list (customer=? AND (created_at,id)<(?,?))", 4},
		refundReferenceOf: {"INDEX refunds_reference", 2},
		refundRequestOf:   {"INDEX refunds_live", 2},
		selectLive:        {"INDEX refunds_live (request_id=?)", 1},
		countDead:         {"INDEX refunds_dead", 1},
		selectCounts:      {"COVERING INDEX refunds_counted", 0},
		countLate:         {"COVERING INDEX refunds_counted (state=? AND created_at<?)", 2},
		selectAwaiting:    {"INDEX refunds_queue (state=? AND due>?)", 5},
		selectChecks:      {"PRIMARY KEY (id=?)", 1},
		talliesOf:         {"PRIMARY KEY (branch=? AND (day,employee)<(?,?))", 4},
		tallies:           {"INDEX lookup_tallies_all ((day,branch,employee)<(?,?,?))", 4},
		selectSeen:        {"PRIMARY KEY (account_index=?)", 5},
		forgetUse:         {"PRIMARY KEY (account_index=? AND party_index=?)", 2},
		selectEnded:       {"PRIMARY KEY", 1},
		pruneEnded:        {"INDEX ended_sessions_until", 1},
		pruneSMS:          {"INDEX sms_at (at<?)", 1},
		pruneUses:         {"INDEX account_uses_at (last_at<?)", 1},
		refundsOfTheDead:  {"INDEX refunds_dead_list (state=? AND id<?)", 3},
	} {
		plan := explain(t, s, query, slices.Repeat([]any{"[]"}, want.args)...)
		if !strings.Contains(plan, want.index) || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\nplan: %s\nwant %s", query, plan, want.index)
		}
	}
}
