package postgres

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

const (
	mobileClear = "+966555555551"
	canary      = "canary"
)

func mobile(t *testing.T) saudi.Mobile {
	t.Helper()
	to, err := saudi.ParseMobile(mobileClear)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// evidence has a message, an exchange and a taking on record, whose words, number and body must not be seen.
func evidence(t *testing.T, s *Store) {
	t.Helper()
	r := mustAccept(t, s, fixture(1))
	send, err := r.Send(gateway.Dispatcher(start, nil), time.Minute)
	said := gateway.Exchange{Call: "submit", Asked: gateway.Signed{Body: []byte(canary), Signature: canary}}
	mustApply(t, s, send.Witnessed(&said), err)
	for _, err := range []error{
		s.RecordSMS(t.Context(), otp.Sent{
			ID: "m-1", Message: "ch-1:1", About: "ch-1", At: time.Now(), Kind: otp.CodeForRefund, To: mobile(t), Text: canary, Route: "http", Outcome: otp.SendTaken,
		}),
		s.RecordTaking(t.Context(), gateway.Taking{ID: "t-1", RefundID: r.ID, At: start, By: gateway.Actor{ID: "o01"}}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestEvidenceIsKept has a person with a shell try what no program of ours does, as the owner and as the gateway's role.
func TestEvidenceIsKept(t *testing.T) {
	s, db := newStore(t)
	evidence(t, s)
	owner, app := shell(t, db.Owner), shell(t, db.App)
	const denied = "permission denied"
	const sms, exchange, taking = `INSERT INTO sms VALUES `, `INSERT INTO exchanges VALUES `, `INSERT INTO takings VALUES `
	const zeros = `decode(repeat('00', 32), 'hex')`
	for statement, rule := range map[string][2]string{
		`UPDATE sms SET outcome = 'not_sent'`: {"sms_unchanged", denied},
		`DELETE FROM sms`:                     {"sms_kept", denied},
		`TRUNCATE sms`:                        {"sms_kept", denied},
		`UPDATE exchanges SET version = 1`:    {"exchanges_unchanged", denied},
		`DELETE FROM exchanges`:               {"exchanges_kept", denied},
		`TRUNCATE exchanges`:                  {"exchanges_kept", denied},
		`UPDATE takings SET login = 'o02'`:    {"takings_unchanged", denied},
		`DELETE FROM takings`:                 {"takings_kept", denied},
		`TRUNCATE takings`:                    {"takings_kept", denied},

		sms + `('m-1', 'm', 'a', now(), 'k', 'r', 'taken', 'x', ` + zeros + `, 'x')`: {"sms_once"},
		sms + `('m-2', '', 'a', now(), 'k', 'r', 'taken', 'x', ` + zeros + `, 'x')`:  {"sms_names"},
		sms + `('m-2', 'm', 'a', now(), 'k', 'r', 'lost', 'x', ` + zeros + `, 'x')`:  {"sms_outcome"},
		sms + `('m-2', 'm', 'a', now(), 'k', 'r', 'taken', '', ` + zeros + `, 'x')`:  {"sms_sealed"},
		sms + `('m-2', 'm', 'a', now(), 'k', 'r', 'taken', 'x', 'x', 'x')`:           {"sms_sealed"},
		sms + `('m-2', 'm', 'a', now(), 'k', 'r', 'taken', 'x', ` + zeros + `, '')`:  {"sms_sealed"},
		exchange + `('r-1', 2, 'status', 'x')`:                                       {"exchanges_once"},
		exchange + `('r-1', 1, 'search', 'x')`:                                       {"exchanges_call"},
		exchange + `('r-1', 1, 'status', '')`:                                        {"exchanges_sealed"},
		exchange + `('r-1', 9, 'status', 'x')`:                                       {"exchanges_of_an_event"},
		taking + `('t-1', 'r-1', now(), 'o', 'E', 'B', 's', ` + zeros + `)`:          {"takings_once"},
		taking + `('t-2', 'r-1', now(), '', 'E', 'B', 's', ` + zeros + `)`:           {"takings_names"},
		taking + `('t-2', 'r-1', now(), 'o', 'E', 'B', 's', 'x')`:                    {"takings_digest"},
		taking + `('t-2', 'r-9', now(), 'o', 'E', 'B', 's', ` + zeros + `)`:          {"takings_of_a_refund"},
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
}

// TestEvidenceIsSealed: nothing of it is in the tables, and what was moved to another row doesn't open.
func TestEvidenceIsSealed(t *testing.T) {
	s, db := newStore(t)
	evidence(t, s)
	owner := shell(t, db.Owner)
	rows := column(t, owner, `SELECT sms::text || encode(recipient, 'escape') || encode(text, 'escape') FROM sms
		UNION ALL SELECT exchanges::text || encode(exchange, 'escape') FROM exchanges`)
	for _, row := range rows {
		for _, secret := range []string{canary, "63616e617279", "Y2FuYXJ5", mobileClear[1:]} {
			if strings.Contains(row, secret) {
				t.Errorf("a row shows %q: %q", secret, row)
			}
		}
	}
	mustExec(t, owner, `INSERT INTO sms SELECT 'm-2', message, 'ch-2', at, kind, route, outcome, recipient, recipient_index, text FROM sms`)
	mustExec(t, owner, `INSERT INTO exchanges SELECT refund_id, 1, call, exchange FROM exchanges`)
	if _, err := s.SMS(t.Context(), []string{"ch-2"}, 1); err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("a message of another row: %v", err)
	}
	if _, err := s.Witnesses(t.Context(), "r-1"); err == nil {
		t.Error("an exchange of another move opens")
	}
}

// TestOperatorsQueriesUseTheirIndex: no list of operators reads through all refunds in search of a few, nor does the count
// of those that are late.
func TestOperatorsQueriesUseTheirIndex(t *testing.T) {
	s, db := newStore(t)
	mustAccept(t, s, fixture(1))
	owner := shell(t, db.Owner)
	seedling(t, owner)
	const plant = `INSERT INTO refunds SELECT r.* FROM one, generate_series(%d, %d) AS n, jsonb_populate_record(one, jsonb_build_object(
		'id', n::text, 'reference', n::text, 'request_id', n::text, 'challenge', '', 'customer', (n %% 20)::text) || '%s') AS r`
	mustExec(t, owner, fmt.Sprintf(plant, 1, 100, `{}`))
	mustExec(t, owner, fmt.Sprintf(plant, 101, 200, `{"state": "cancelled", "due": null}`))
	mustExec(t, owner, fmt.Sprintf(plant, 201, 5000, `{"state": "credited", "due": null, "notice": "sent", "may_have_left": true,
		"released_at": "2026-03-08T00:00:00Z"}`))
	mustExec(t, owner, `VACUUM ANALYZE refunds`)
	conn := shell(t, db.App)
	mustExec(t, conn, `SET plan_cache_mode = force_generic_plan`)
	mustExec(t, conn, `SET enable_seqscan = off`) // of tables that are empty here
	for query, want := range map[string]struct {
		index string
		args  int
	}{
		allRefunds:        {"Index Scan Backward using refunds_id", 2},
		creditedRefunds:   {"Index Scan Backward using refunds_id", 2},
		refundsOfTheDead:  {"Index Scan Backward using refunds_dead_list", 3},
		refundsUnfinished: {"refunds_unfinished", 3},
		countLate:         {"refunds_unfinished", 2},
		selectSMS:         {"sms_about", 2},
		selectExchanges:   {"exchanges_once", 1},
		selectTakings:     {"takings_of", 1},
		selectLookup:      {"lookups_once", 1},
	} {
		if _, err := conn.Prepare(t.Context(), "q", query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		nulls := "(" + strings.TrimSuffix(strings.Repeat("NULL,", want.args), ",") + ")"
		plan := strings.Join(explain(t, conn, `EXPLAIN EXECUTE q`+nulls), "\n")
		if !strings.Contains(plan, want.index) || strings.Contains(plan, "Seq Scan") {
			t.Errorf("%s\nplan: %s\nwant %s", query, plan, want.index)
		}
		if err := conn.DeallocateAll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
