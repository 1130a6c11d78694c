package sqlite

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

const (
	mobileClear = "+966555555551"
	canary      = "canary"
)

// evidence has a message, an exchange and a taking on record, whose words, number and body must not be seen.
func evidence(t *testing.T, s *Store) {
	t.Helper()
	to, err := saudi.ParseMobile(mobileClear)
	if err != nil {
		t.Fatal(err)
	}
	r := mustAccept(t, s, acceptance(1))
	send, err := r.Send(gateway.Dispatcher(start, nil), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	said := gateway.Exchange{Call: "submit", Asked: gateway.Signed{Body: []byte(canary), Signature: canary}}
	for _, err := range []error{
		s.RecordSMS(t.Context(), otp.Sent{
			ID: "m-1", Message: "ch-1:1", About: "ch-1", At: time.Now(), Kind: otp.CodeForRefund, To: to, Text: canary, Route: "http", Outcome: otp.SendTaken,
		}),
		s.Apply(t.Context(), send.Witnessed(&said)),
		s.RecordTaking(t.Context(), gateway.Taking{ID: "t-1", RefundID: r.ID, At: start, By: gateway.Actor{ID: "o01"}}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestEvidenceIsKept has a person with a shell try what no program of ours does.
func TestEvidenceIsKept(t *testing.T) {
	s, path := newStore(t)
	evidence(t, s)
	db := shell(t, path)
	const sms, exchange, taking = `INSERT INTO sms VALUES `, `INSERT INTO exchanges VALUES `, `INSERT INTO takings VALUES `
	for statement, rule := range map[string]string{
		`UPDATE sms SET outcome = 'not_sent'`:                                       "sms_unchanged",
		`DELETE FROM sms`:                                                           "sms_kept",
		`INSERT OR REPLACE INTO sms SELECT * FROM sms`:                              "sms_once",
		sms + `('m-2', '', 'a', 0, 'k', 'r', 'taken', x'00', zeroblob(32), x'00')`:  "sms_names",
		sms + `('m-2', 'm', 'a', 0, 'k', 'r', 'lost', x'00', zeroblob(32), x'00')`:  "sms_outcome",
		sms + `('m-2', 'm', 'a', 0, 'k', 'r', 'taken', x'', zeroblob(32), x'00')`:   "sms_sealed",
		sms + `('m-2', 'm', 'a', 0, 'k', 'r', 'taken', x'00', zeroblob(31), x'00')`: "sms_sealed",
		sms + `('m-2', 'm', 'a', 0, 'k', 'r', 'taken', x'00', zeroblob(32), x'')`:   "sms_sealed",
		`UPDATE exchanges SET call = 'status'`:                                      "exchanges_unchanged",
		`DELETE FROM exchanges`:                                                     "exchanges_kept",
		`INSERT OR REPLACE INTO exchanges SELECT * FROM exchanges`:                  "exchanges_new",
		exchange + `('r-1', 1, 'search', x'00')`:                                    "exchanges_call",
		exchange + `('r-1', 1, 'status', x'')`:                                      "exchanges_sealed",
		exchange + `('r-1', 9, 'status', x'00')`:                                    "FOREIGN KEY",
		`UPDATE takings SET login = 'o02'`:                                          "takings_unchanged",
		`DELETE FROM takings`:                                                       "takings_kept",
		`INSERT OR REPLACE INTO takings SELECT * FROM takings`:                      "takings_once",
		taking + `('t-2', 'r-1', 0, '', 'E', 'B', 's', zeroblob(32))`:               "takings_names",
		taking + `('t-2', 'r-1', 0, 'o', 'E', 'B', 's', zeroblob(31))`:              "takings_digest",
		taking + `('t-2', 'r-9', 0, 'o', 'E', 'B', 's', zeroblob(32))`:              "FOREIGN KEY",
	} {
		if _, err := db.Exec(statement); err == nil || !strings.Contains(err.Error(), rule) {
			t.Errorf("%s: %v, want %s", statement, err, rule)
		}
	}
}

// TestEvidenceIsSealed: nothing of it is in the file, and what was moved to another row doesn't open.
func TestEvidenceIsSealed(t *testing.T) {
	s, path := newStore(t)
	evidence(t, s)
	for _, file := range []string{path, path + "-wal"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{canary, "Y2FuYXJ5", mobileClear[1:]} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s shows %q", file, secret)
			}
		}
	}
	db := shell(t, path)
	for _, statement := range []string{
		`INSERT INTO sms SELECT 'm-2', message, 'ch-2', at, kind, route, outcome, recipient, recipient_index, text FROM sms`,
		`INSERT INTO exchanges SELECT refund_id, 1, call, exchange FROM exchanges`,
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.SMS(t.Context(), []string{"ch-2"}, 1); err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("a message of another row: %v", err)
	}
	if _, err := s.Witnesses(t.Context(), "r-1"); err == nil {
		t.Error("an exchange of another move opens")
	}
	for query, index := range map[string]string{
		selectSMS: "sms_about (about=?)", selectExchanges: "PRIMARY KEY (refund_id=?)", selectTakings: "takings_of (refund_id=?)",
		selectLookup: "PRIMARY KEY (id=?)", allRefunds: "(id<?)",
	} {
		args := []any{"[]", 1}
		if plan := explain(t, s, query, args[:strings.Count(query, "?")]...); !strings.Contains(plan, index) || strings.Contains(plan, "SCAN refunds") {
			t.Errorf("%s\nplan: %s\nwant %s", query, plan, index)
		}
	}
}
