package postgres

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/storetest"
	"github.com/istirdad/istirdad/internal/pgtest"
)

// states are the quoted words of a piece of SQL, in its order.
func states(sql string) []gateway.State {
	var all []gateway.State
	for _, word := range regexp.MustCompile(`'([a-z_]+)'`).FindAllStringSubmatch(sql, -1) {
		all = append(all, gateway.State(word[1]))
	}
	return all
}

func column(t *testing.T, conn *pgx.Conn, query string, args ...any) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return all
}

func TestSchemaKnowsTheStates(t *testing.T) {
	_, db := newStore(t)
	owner := shell(t, db.Owner)
	constraint := func(name string) string {
		return column(t, owner, `SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = $1`, name)[0]
	}
	index := func(name string) string { return column(t, owner, `SELECT pg_get_indexdef($1::regclass)`, name)[0] }
	trigger := func(name string) string {
		return column(t, owner, `SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = $1`, name)[0]
	}
	var dead, final, live []gateway.State
	for _, state := range gateway.States() {
		if state.Dead() {
			dead = append(dead, state)
		}
		if state.Final() {
			final = append(final, state)
		} else {
			live = append(live, state)
		}
	}
	for what, texts := range map[string]struct {
		sql  string
		want []gateway.State
	}{
		"CHECK of the state":         {constraint("refunds_state"), gateway.States()},
		"index of live refunds":      {index("refunds_live"), dead},
		"index of dead refunds":      {index("refunds_dead"), dead},
		"index of a list of them":    {index("refunds_dead_list"), dead},
		"query of a list of them":    {refundsOfTheDead, dead},
		"index of unfinished ones":   {index("refunds_unfinished"), live},
		"query of unfinished ones":   {unfinished, live},
		"trigger at the end":         {trigger("refunds_ended"), final},
		"query of dead refunds":      {countDead, dead},
		"query of requests in a way": {selectLive, dead},
		"query of one of them":       {refundRequestOf, dead},
	} {
		if diff := cmp.Diff(texts.want, states(texts.sql)); diff != "" {
			t.Errorf("%s (-gateway +SQL):\n%s", what, diff)
		}
	}
	// Every column says what it holds, or its name and its checks do.
	bare := column(t, owner, `SELECT attname::text FROM pg_attribute
		WHERE attrelid = 'refunds'::regclass AND attnum > 0 AND col_description(attrelid, attnum) IS NULL ORDER BY 1`)
	if len(bare) > 20 {
		t.Errorf("columns without a comment: %v", bare)
	}
}

// TestSchemaKnowsTheMoves tries every state after every other, with an event as it would have to be: the schema lets
// through what package gateway allows, and nothing else.
func TestSchemaKnowsTheMoves(t *testing.T) {
	s, db := newStore(t)
	owner := shell(t, db.Owner)
	var moves []string
	for _, pair := range storetest.Moves() {
		moves = append(moves, string(pair[0]+" to "+pair[1]))
	}
	slices.Sort(moves)
	if diff := cmp.Diff(moves, column(t, owner, `SELECT from_state || ' to ' || to_state FROM moves ORDER BY 1`)); diff != "" {
		t.Errorf("moves (-gateway +SQL):\n%s", diff)
	}

	// Only the triggers are tried here; the CHECKs that tie columns to states would refuse most rows before them.
	mustAccept(t, s, fixture(1))
	mustExec(t, owner, `BEGIN`)
	for _, check := range column(t, owner, `SELECT conname::text FROM pg_constraint WHERE conrelid = 'refunds'::regclass AND contype = 'c'`) {
		mustExec(t, owner, `ALTER TABLE refunds DROP CONSTRAINT `+check)
	}
	seedling(t, owner)
	for _, from := range gateway.States() {
		for _, to := range gateway.States() {
			if from == to {
				continue
			}
			id := string(from + ">" + to)
			plant(t, owner, id, from)
			appendEvent(t, owner, id, from, to)
			mustExec(t, owner, `SAVEPOINT move`)
			_, err := owner.Exec(t.Context(), `UPDATE refunds SET state = $1, version = version + 1 WHERE id = $2`, string(to), id)
			allowed := slices.Contains(storetest.Moves(), [2]gateway.State{from, to})
			if allowed && err != nil || !allowed && (err == nil || !strings.Contains(err.Error(), "refunds_moves: no such move")) {
				t.Errorf("%s to %s: %v, allowed %t", from, to, err, allowed)
			}
			mustExec(t, owner, `ROLLBACK TO move`)
		}
	}
	mustExec(t, owner, `ROLLBACK`)
}

// seedling prepares for plant, which copies refund r-1 into any state, past the triggers that say where refunds begin.
func seedling(t *testing.T, owner *pgx.Conn) {
	t.Helper()
	mustExec(t, owner, `DROP TRIGGER refunds_begin ON refunds`)
	mustExec(t, owner, `DROP TRIGGER refunds_first ON refunds`)
	mustExec(t, owner, `CREATE TEMP TABLE one AS SELECT * FROM refunds WHERE id = 'r-1'`)
}

func plant(t *testing.T, owner *pgx.Conn, id string, state gateway.State) {
	t.Helper()
	mustExec(t, owner, `UPDATE one SET id = $1, reference = $1, request_id = $1, challenge = '', state = $2`, id, string(state))
	mustExec(t, owner, `INSERT INTO refunds SELECT * FROM one`)
}

func appendEvent(t *testing.T, owner *pgx.Conn, id string, from, to gateway.State) {
	t.Helper()
	mustExec(t, owner, `INSERT INTO events VALUES ($1, 2, 'epoch', $2, $3, 'dispatcher', '', '', '', '', '{}', 0)`, id, string(from), string(to))
}

const eventValues = `INSERT INTO events (refund_id, version, at, from_state, to_state, role, actor, employee, branch, session, evidence, stamp) VALUES `

// TestSchemaRefuses has a person with a shell try what no program of ours does, as the owner, who may, and as the
// gateway's role, which mostly may not even try.
func TestSchemaRefuses(t *testing.T) {
	s, db := newStore(t)
	for n := range 3 {
		mustAccept(t, s, fixture(n))
	}
	owner, app := shell(t, db.Owner), shell(t, db.App)
	dump := func() []string {
		return append(append(column(t, owner, `SELECT refunds::text FROM refunds ORDER BY id`),
			column(t, owner, `SELECT events::text FROM events ORDER BY refund_id, version`)...),
			column(t, owner, `SELECT day_limits::text FROM day_limits UNION ALL SELECT ended::text FROM ended ORDER BY 1`)...)
	}
	before := dump()
	const denied = "permission denied"
	// For the owner, and for the gateway's role if it is another. What the owner may do is undone at its end.
	for statement, rule := range map[string][2]string{
		`UPDATE events SET at = now()`:                                               {"events_unchanged", denied},
		`UPDATE events SET actor = 'nobody' WHERE version = 1`:                       {"events_unchanged", denied},
		`DELETE FROM events`:                                                         {"events_kept", denied},
		`DELETE FROM refunds`:                                                        {"refunds_kept", denied},
		`TRUNCATE events, exchanges`:                                                 {"events_kept", denied},
		`TRUNCATE refunds CASCADE`:                                                   {"refunds_kept", denied},
		`DELETE FROM withdrawn; SELECT rule('undone', '')`:                           {"undone", denied},
		`DROP TABLE moves; DELETE FROM refunds`:                                      {"refunds_kept", "must be owner"},
		`ALTER TABLE refunds DISABLE TRIGGER USER; UPDATE events SET at=at`:          {"events_unchanged", "must be owner"},
		`INSERT INTO moves VALUES ('queued', 'credited'); SELECT rule('undone', '')`: {"undone", denied},
		`INSERT INTO events SELECT refund_id, version, at, from_state, to_state, role, 'x', '', '', '', '{}', 0 FROM events
			ON CONFLICT (refund_id, version) DO UPDATE SET actor = 'x'`: {"events_unchanged", denied},
		eventValues + `('r-1', 1, now(), '', 'queued', 'dispatcher', '', '', '', '', '{}', 0)`:          {"events_once"},
		eventValues + `('r-1', 3, now(), 'queued', 'sending', 'dispatcher', '', '', '', '', '{}', 0)`:   {"events_match"},
		eventValues + `('r-1', 2, now(), 'pending', 'refunded', 'dispatcher', '', '', '', '', '{}', 0)`: {"events_match"},
		eventValues + `('r-9', 1, now(), '', 'queued', 'dispatcher', '', '', '', '', '{}', 0)`:          {"events_match"},
		eventValues + `('r-1', 2, now(), 'queued', 'sending', 'wizard', '', '', '', '', '{}', 0)`:       {"events_role"},
		eventValues + `('r-1', 2, now(), 'queued', 'sending', 'operator', '', '', '', '', '[]', 0)`:     {"events_evidence"},
		eventValues + `('r-1', 2, now(), 'queued', 'sending', 'operator', '', '', '', '', '{}', 0)`:     {"events_moved: an event without its move"},
		`UPDATE refunds SET state = 'cancelled', due = NULL, version = 2`:                               {"a move without its event"},
		`UPDATE refunds SET state = 'credited', version = 2`:                                            {"no such move"},
		`UPDATE refunds SET version = 7`:                                              {"refunds_version"},
		`UPDATE refunds SET state = 'sending', sends = 1`:                             {"refunds_version"},
		`UPDATE refunds SET amount = 1`:                                               {"refunds_fixed", denied},
		`UPDATE refunds SET request_id = 'x'`:                                         {"refunds_fixed", denied},
		`UPDATE refunds SET reference = 'x'`:                                          {"refunds_fixed", denied},
		`UPDATE refunds SET customer = 'x'`:                                           {"refunds_fixed", denied},
		`UPDATE refunds SET trace = 'x'`:                                              {"refunds_fixed", denied},
		`UPDATE refunds SET held = 'x'`:                                               {"refunds_fixed", denied},
		`UPDATE refunds SET flags = ''`:                                               {"refunds_fixed", denied},
		`UPDATE refunds SET due = NULL`:                                               {"refunds_due"},
		`UPDATE refunds SET may_have_left = true`:                                     {"refunds_may_have_left"},
		`UPDATE refunds SET released_at = now()`:                                      {"refunds_released"},
		`UPDATE refunds SET credit_refusal = 'x'`:                                     {"refunds_credit_refusal"},
		`UPDATE refunds SET ledger_id = 'x'`:                                          {"refunds_ledger_id"},
		`UPDATE refunds SET notice = 'due'`:                                           {"refunds_notice"},
		`UPDATE refunds SET unknowns = 1`:                                             {"refunds_unknowns"},
		`UPDATE refunds SET asks = -1`:                                                {"refunds_counts"},
		`UPDATE refunds SET to_iban = ''`:                                             {"refunds_fixed", denied},
		`UPDATE refunds SET payer_number = ''`:                                        {"refunds_fixed", denied},
		`UPDATE refunds SET payer_index = ''`:                                         {"refunds_fixed", denied},
		`UPDATE refunds SET beneficiary_number = ''`:                                  {"refunds_fixed", denied},
		`INSERT INTO ended VALUES ('credited', 0, 1); SELECT rule('undone', '')`:      {"undone", denied},
		`UPDATE ended SET n = 0; SELECT rule('undone', '')`:                           {"undone", denied},
		`UPDATE day_limits SET spent = -1`:                                            {"day_limits_spent"},
		`UPDATE day_limits SET customer = customer || 'x'; SELECT rule('undone', '')`: {"undone", denied},
		`INSERT INTO ledger VALUES ('c-9', '[]', '{}', now(), 0)`:                     {"ledger_record"},
		`INSERT INTO withdrawn VALUES ('r-1', now())`:                                 {"withdrawn_free"},
		`INSERT INTO ended_sessions VALUES ('', now())`:                               {"ended_sessions_named"},
		`DELETE FROM ended_sessions; SELECT rule('undone', '')`:                       {"undone", denied},
		`UPDATE ended_sessions SET until = now(); SELECT rule('undone', '')`:          {"undone", denied},
		// Nor does a table of one's own count refunds.
		`CREATE TEMP TABLE mine (state text); CREATE TRIGGER mine AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION refunds_ended();
			INSERT INTO mine VALUES ('credited'); SELECT rule('undone', '')`: {"undone", denied},
		`CREATE TABLE mine (n int); SELECT rule('undone', '')`: {"undone", denied},
		// A table of one's own in front of the schema's doesn't deceive its triggers.
		`CREATE TEMP TABLE moves (from_state text, to_state text); INSERT INTO moves VALUES ('queued', 'credited');
			SET search_path = pg_temp, public; UPDATE public.refunds SET state = 'credited', version = 2`: {"no such move"},
	} {
		for i, conn := range []*pgx.Conn{owner, app} {
			want := rule[min(i, len(rule)-1)]
			if want == "" {
				want = rule[0]
			}
			_, err := conn.PgConn().Exec(t.Context(), statement).ReadAll() // many statements are one transaction
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, as %s: %v, want %s", statement, []string{"owner", "gateway"}[i], err, want)
			}
		}
	}
	if diff := cmp.Diff(before, dump()); diff != "" {
		t.Errorf("the tables (-before +after):\n%s", diff)
	}

	// A refund without its first event is refused at the end of its transaction.
	mustExec(t, owner, `CREATE TEMP TABLE one AS SELECT * FROM refunds WHERE id = 'r-1'`)
	mustExec(t, owner, `UPDATE one SET id = 'r-8', reference = 'x', request_id = 'x', challenge = ''`)
	for _, test := range [][2]string{
		{`state = 'queued'`, "refunds_first"},
		{`to_iban = ''`, "refunds_account"}, {`payer_number = ''`, "refunds_payer"}, {`beneficiary_number = ''`, "refunds_beneficiary"},
	} {
		mustExec(t, owner, `BEGIN`)
		mustExec(t, owner, `UPDATE one SET `+test[0])
		_, err := owner.Exec(t.Context(), `INSERT INTO refunds SELECT * FROM one; SET CONSTRAINTS ALL IMMEDIATE`, pgx.QueryExecModeSimpleProtocol)
		if broke(err) != test[1] {
			t.Errorf("a refund without an event, with %s: %v", test[0], err)
		}
		mustExec(t, owner, `ROLLBACK`)
	}
}

func TestSchemaNeverForgets(t *testing.T) {
	s, db := newStore(t)
	r := mustAccept(t, s, fixture(1))
	by := gateway.Dispatcher(start, nil)
	c, err := r.Send(by, 1)
	r = mustApply(t, s, c, err)
	c, err = r.Release(by, "C")
	r = mustApply(t, s, c, err)
	c, err = r.Escalate(by, "why")
	mustApply(t, s, c, err)
	for _, column := range []string{"may_have_left = false", "released_at = NULL"} {
		_, err := shell(t, db.App).Exec(t.Context(), `UPDATE refunds SET `+column)
		if err == nil || !strings.Contains(err.Error(), "refunds_memory") {
			t.Errorf("%s: %v", column, err)
		}
	}
}

// TestSchemaOneLiveRefund tries the index that nothing reaches while references are right: a second live refund of a
// request under another reference.
func TestSchemaOneLiveRefund(t *testing.T) {
	s, db := newStore(t)
	mustAccept(t, s, fixture(1))
	owner := shell(t, db.Owner)
	seedling(t, owner)
	for column, want := range map[string]error{
		"request_id": gateway.ErrRefundExists, "reference": gateway.ErrRefundExists, "challenge": gateway.ErrChallengeUsed,
	} {
		mustExec(t, owner, `UPDATE one SET id = 'r-3', reference = 'R3', request_id = 'REQ-3', challenge = 'ch-3'`)
		mustExec(t, owner, `UPDATE one SET `+column+` = (SELECT `+column+` FROM refunds WHERE id = 'r-1')`)
		_, err := owner.Exec(t.Context(), `INSERT INTO refunds SELECT * FROM one`)
		if err := s.refused(t.Context(), &acceptance{Acceptance: fixture(3)}, err); !errors.Is(err, want) {
			t.Errorf("the same %s: %v, want %v", column, err, want)
		}
	}
}

func TestQueriesUseTheirIndex(t *testing.T) {
	s, db := newStore(t)
	mustAccept(t, s, fixture(1))
	owner := shell(t, db.Owner)
	seedling(t, owner)
	mustExec(t, owner, `INSERT INTO refunds SELECT r.* FROM one, generate_series(1, 2000) AS n, jsonb_populate_record(one, jsonb_build_object(
		'id', n::text, 'reference', n::text, 'request_id', n::text, 'challenge', '', 'customer', (n % 20)::text)) AS r`)
	mustExec(t, owner, `VACUUM ANALYZE refunds`)
	conn := shell(t, db.App)
	mustExec(t, conn, `SET plan_cache_mode = force_generic_plan`)
	for query, want := range map[string]struct {
		index string
		args  int
	}{
		selectDue:         {"refunds_queue", 4},
		refundsOfCustomer: {"refunds_list", 4},
		refundReferenceOf: {"refunds_reference", 2},
		refundRequestOf:   {"refunds_live", 2},
		selectLive:        {"refunds_live", 1},
		countDead:         {"refunds_dead", 1},
		selectCounts:      {"Only Scan using refunds_unfinished", 0},
		countLate:         {"Only Scan using refunds_unfinished", 2},
		oldestLate:        {"refunds_unfinished", 1},
		selectAwaiting:    {"refunds_queue", 5},
		talliesOf:         {"lookup_tallies_once", 4},
		tallies:           {"lookup_tallies_all", 4},
		selectSeen:        {"account_uses_once", 5},
		forgetUse:         {"account_uses_once", 2},
		selectAfter:       {"refunds_id", 2},
		selectLatest:      {"events_once", 1},
		selectEnded:       {"ended_sessions_once", 1},
		refundsOfTheDead:  {"refunds_dead_list", 3},
	} {
		if _, err := conn.Prepare(t.Context(), "q", query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		nulls := strings.TrimSuffix("("+strings.Repeat("NULL,", want.args), ",") + ")"
		if want.args == 0 {
			nulls = ""
		}
		plan := strings.Join(explain(t, conn, `EXPLAIN EXECUTE q`+nulls), "\n")
		sorts := strings.Count(plan, "Sort Key")
		if query == selectDue || query == oldestLate {
			sorts-- // what the states gave, a few rows each
		}
		if !strings.Contains(plan, want.index) || strings.Contains(plan, "Seq Scan on refunds") || sorts > 0 {
			t.Errorf("%s\nplan: %s\nwant %s", query, plan, want.index)
		}
		mustExec(t, conn, `DEALLOCATE q`)
		if err := conn.DeallocateAll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func explain(t *testing.T, conn *pgx.Conn, statement string) (plan []string) {
	t.Helper()
	results, err := conn.PgConn().Exec(t.Context(), statement).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range results[0].Rows {
		plan = append(plan, string(row[0]))
	}
	return plan
}

// TestErrorsShowNoValues breaks a rule with a value that must not be seen.
func TestErrorsShowNoValues(t *testing.T) {
	s, _ := newStore(t)
	mustAccept(t, s, fixture(1))
	a := fixture(2)
	a.Payment.Service = ""
	_, _, err := s.Accept(context.Background(), a)
	failure, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || broke(err) != "refunds_names" || failure.Detail == "" {
		t.Fatalf("Accept: %v", err)
	}
	for _, secret := range []string{a.Origin.Customer, a.Challenge, payerClear} {
		if strings.Contains(fmt.Sprintf("%v", err), secret) {
			t.Errorf("the error shows %q: %v", secret, err)
		}
	}
	for _, url := range []string{"postgres://u:hunter2@[::1/x", "postgres://u:hunter2@h:x/y", "host=h password='hunter2", "postgres://u:hunter2@h/d?sslmode=perhaps"} {
		for name, err := range map[string]error{
			"Open":         func() error { _, err := Open(t.Context(), url, testSealer(t, "k1"), Options{}); return err }(),
			"Migrate":      Migrate(t.Context(), url, MigrateOptions{}),
			"Reset":        Reset(t.Context(), url),
			"CreateSchema": func() error { _, _, err := CreateSchema(t.Context(), url); return err }(),
		} {
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	nobody := strings.Replace(server.Server(t).URL(pgtest.App, "nowhere"), "@", ":hunter2@", 1)
	if _, err := Open(t.Context(), nobody, testSealer(t, "k1"), Options{}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Open of a database that isn't there: %v", err)
	}
}
