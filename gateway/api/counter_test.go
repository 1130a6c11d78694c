package api_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway/api"
	"github.com/istirdad/istirdad/gateway/api/apitest"
	"github.com/istirdad/istirdad/internal/saudi"
)

// TestCounter walks the path with p01 at the counter, from the document to the credit.
func TestCounter(t *testing.T) {
	w := apitest.Start(t)
	d, teller := doorOf(t, w), w.Teller("t01")
	as := func(method, path string, body any, session string) ask {
		a := ask{method: method, path: path, token: teller.Token(), body: body, header: key()}
		if session != "" {
			a.header.Set("Assisted-Session", session)
		}
		return a
	}
	var begun struct {
		Session  string `json:"assisted_session_id"`
		Customer struct {
			Name   api.Text
			ID     api.Party
			Mobile string
		}
		Overview  []map[string]any
		Challenge api.Challenge
	}
	got := d.ask(as("POST", "/v1/assisted-sessions", `{"id_number":"١٩٠٠٠٠٠٠١٧","document_seen":true}`, "")).want(201)
	got.json(&begun)
	if begun.Customer.Name.EN != "Salman Alotaibi" || begun.Customer.ID != (api.Party{Kind: "national_id", Number: "1******017"}) ||
		begun.Customer.Mobile != "+9665*****001" || begun.Challenge.SentTo != "+9665*****001" || begun.Challenge.Purpose != "profile" {
		t.Errorf("begun is %s", got.body)
	}
	hidden(t, got, "600.00", "amount", "paid_at", "beneficiary", "rq-p01", "1900000017", "555608000000001")
	for _, o := range begun.Overview {
		if len(o) != 4 || o["service"] == "" || o["name"] == nil {
			t.Errorf("an outlook is %v", o)
		}
	}

	sms := w.Phone("p01").Messages(t)[0].Text
	for _, says := range []string{"مصرف تجريبي", "101", "لوحة الأرقام", "عرض مدفوعاتك"} {
		if !strings.Contains(sms, says) {
			t.Errorf("the SMS doesn't say %q:\n%s", says, sms)
		}
	}
	code := strings.Fields(sms[strings.Index(sms, ":")+1:])[0]
	d.ask(as("GET", "/v1/profile", nil, begun.Session)).want(403, "step_up_required")
	if wrong := d.ask(as("POST", "/v1/assisted-sessions/"+begun.Session+"/verify", map[string]string{"code": "x" + code[1:]}, "")); wrong.StatusCode != 400 {
		t.Errorf("%s answered %d", wrong.call, wrong.StatusCode)
	}
	proved := d.ask(as("POST", "/v1/assisted-sessions/"+begun.Session+"/verify", map[string]string{"code": arabic(code, '٠')}, "")).want(200)
	expires, err := time.Parse(time.RFC3339, proved.field("proof_expires_at"))
	if left := time.Until(expires); err != nil || left < 14*time.Minute || left > 15*time.Minute {
		t.Errorf("proved is %s", proved.body)
	}
	d.ask(as("POST", "/v1/assisted-sessions/"+begun.Session+"/verify", map[string]string{"code": code}, "")).want(409, "code_used")

	for _, path := range []string{"/v1/profile", "/v1/payments", "/v1/payments/e-payments", "/v1/payments/e-payments/092-037/requests", "/v1/refunds"} {
		d.ask(as("GET", path, nil, begun.Session)).want(200)
	}
	asking := map[string]string{"request_id": "rq-p01-1", "account_number": "acc-p01-1", "id_number": "1900000074"}
	d.ask(as("POST", "/v1/refunds", asking, begun.Session)).want(422, "id_mismatch") // the teller's own
	asking["id_number"] = "1900000017"
	preview := d.ask(as("POST", "/v1/refunds", asking, begun.Session)).want(201)
	refund := preview.field("refund_id")
	d.ask(as("POST", "/v1/refunds/"+refund+"/confirm", nil, begun.Session)).want(202)
	own := w.Customer("p01")
	if done := own.Await(refund, "completed"); done.State != "credited" {
		t.Errorf("it is %s", done.State)
	}
	d.ask(as("GET", "/v1/refunds/"+refund, nil, begun.Session)).want(200)
	d.ask(as("DELETE", "/v1/assisted-sessions/"+begun.Session, nil, "")).want(204)
	d.ask(as("GET", "/v1/refunds/"+refund, nil, begun.Session)).want(404, "not_found")
	w.Exact()
}

// TestRefundCodeAtTheCounter: also the code of a large refund goes to the customer's own phone, and says where it is typed.
func TestRefundCodeAtTheCounter(t *testing.T) {
	w := apitest.Start(t)
	v := w.Teller("t02").Serve("p13")
	preview := v.Preview("rq-p13-1")
	if preview.ConfirmRequires != "code" || preview.ApprovalRequired {
		t.Errorf("the preview is %+v", preview)
	}
	v.Confirm(preview.RefundID).Want(202)
	if sms := w.Phone("p13").Messages(t)[0].Text; !strings.Contains(sms, "6000.00") || !strings.Contains(sms, "لوحة الأرقام") {
		t.Errorf("the SMS is %s", sms)
	}
}

// TestApprovals: p13's employer paid 6,000.00 twice, and both together are more than one person at the bank decides.
// Online the second is refused; at the counter it waits for somebody else.
func TestApprovals(t *testing.T) {
	w := apitest.Start(t)
	online := w.Customer("p13")
	online.Prove()
	online.Confirm(online.Preview("rq-p13-1").RefundID).Want(202)
	online.AskFor("rq-p13-2").Want(422, "limit_exceeded")
	v := w.Teller("t01").Serve("p13")
	second := v.Preview("rq-p13-2")
	if !second.ApprovalRequired || second.ConfirmRequires != "code" {
		t.Errorf("the second preview is %+v", second)
	}
	v.Confirm(second.RefundID).Want(202)
	if r := v.Refund(second.RefundID); r.State != "awaiting_approval" || r.Status != "processing" {
		t.Errorf("the second is %s, %s", r.State, r.Status)
	}
	if r := online.Refund(second.RefundID); r.State != "awaiting_approval" {
		t.Errorf("to the customer it is %s", r.State)
	}
	v.Do("DELETE", "/v1/refunds/"+second.RefundID, nil).Want(204)
	if r := online.Refund(second.RefundID); r.State != "cancelled" {
		t.Errorf("withdrawn it is %s", r.State)
	}
	w.Exact()
}

// TestIdentityCheck: p12 has no phone. The teller makes sure of them, and somebody else agrees to whatever they ask for.
func TestIdentityCheck(t *testing.T) {
	w := apitest.Start(t)
	teller := w.Teller("t01")
	teller.Look("1900000041", nil).Want(409, "mobile_missing")
	v := teller.Check("p12")
	if v.Sent != nil {
		t.Errorf("a code is on its way to %s", v.Sent.SentTo)
	}
	v.Type("000000").Want(410, "challenge_gone") // there is none
	preview := v.Preview("rq-p12-1")
	if preview.ConfirmRequires != "none" || !preview.ApprovalRequired {
		t.Errorf("the preview is %+v", preview)
	}
	v.Do("POST", "/v1/otp/challenges", map[string]string{"purpose": "refund", "refund_id": preview.RefundID}).Want(409, "mobile_missing")
	v.Confirm(preview.RefundID).Want(202)
	if r := v.Refund(preview.RefundID); r.State != "awaiting_approval" {
		t.Errorf("it is %s", r.State)
	}
	// Whoever can be sent a code is.
	if v := teller.Check("p01"); v.Sent == nil {
		t.Error("p01 was let in without a code")
	} else {
		v.Do("GET", "/v1/profile", nil).Want(403, "step_up_required")
	}
	w.Exact()
}

// TestOverviews: why not, before the customer is asked for anything.
func TestOverviews(t *testing.T) {
	w := apitest.Start(t)
	teller := w.Teller("t02")
	for user, want := range map[string][]string{
		"p01": {""}, "p02": {"", "fee_consumed"}, "p05": {"payer_mismatch"}, "p07": {"other_bank"}, "p10": {"account_closed"}, "p11": {},
	} {
		v, got := teller.Receive(user), []string{}
		for _, o := range v.Overview {
			reason := ""
			if o.Reason != nil {
				reason = *o.Reason
			}
			if o.Refundable != (reason == "") {
				t.Errorf("%s: %+v", user, o)
			}
			got = append(got, reason)
		}
		if slices.Sort(got); user == "p01" {
			got = slices.DeleteFunc(got, func(r string) bool { return r == "payer_mismatch" })
		}
		if len(got) < len(want) || !slices.Equal(slices.Compact(got), want) {
			t.Errorf("%s is told %q, want %q", user, got, want)
		}
	}
}

// TestWhomATellerServes: neither themselves nor a relative, nobody who isn't there, and nobody whose document they
// haven't seen.
func TestWhomATellerServes(t *testing.T) {
	w := apitest.Start(t)
	d, teller := doorOf(t, w), w.Teller("t01")
	sms := len(w.Messages())
	teller.Look("1900000033", nil).Want(403, "forbidden") // p11
	teller.Look("1900000074", nil).Want(403, "forbidden")
	teller.Look("1900000090", nil).Want(404, "not_found")
	teller.Look("1900000018", nil).Want(422, "id_invalid")
	for _, body := range []string{
		`{"id_number":"1900000017","document_seen":false}`, `{"id_number":"1900000041","document_seen":true,"identity_check":{}}`,
		`{"id_number":"1900000041","document_seen":true,"identity_check":{"method":"","note":"x"}}`,
		`{"id_number":"1900000041","document_seen":true,"identity_check":{"method":"x","note":"` + strings.Repeat("x", 501) + `"}}`,
		`{"id_number":"1900000041","document_seen":true,"identity_check":{"method":"x","note":"x","by":"x"}}`,
	} {
		d.ask(ask{method: "POST", path: "/v1/assisted-sessions", token: teller.Token(), body: body}).want(400, "malformed_request")
	}
	if n := len(w.Messages()); n != sms {
		t.Errorf("%d SMS were sent", n-sms)
	}
	w.Teller("t02").Serve("p11").Do("GET", "/v1/profile", nil).Want(200)
}

// TestLookups: an employee looks at so many in a day, whatever came of it.
func TestLookups(t *testing.T) {
	w := apitest.Start(t)
	teller := w.Teller("t01")
	for range 50 {
		teller.Look("1900000090", nil).Want(404, "not_found")
	}
	for _, number := range []string{"1900000090", "1900000017", "1900000033"} {
		refused := w.Teller("t01").Look(number, nil).Want(429, "rate_limited")
		left := time.Until(saudi.DateOf(time.Now()).AddDays(1).At(0, 0)).Seconds()
		if after, err := strconv.Atoi(refused.Header.Get("Retry-After")); err != nil || float64(after) < left || float64(after) > left+60 {
			t.Errorf("Retry-After is %d, want %.0f, %v", after, left, err)
		}
	}
	w.Teller("t02").Look("1900000090", nil).Want(404, "not_found")
}

// notAtTheCounter are the routes that are about the bearer of the token alone, whoever stands before them.
var notAtTheCounter = []string{"DELETE /v1/session"}

// TestWhoSpeaksForWhom: on each route of the path a teller is heard with a session of theirs in which the customer has
// proved that they are there; in no other, not even where a customer's token alone is enough.
func TestWhoSpeaksForWhom(t *testing.T) {
	w := apitest.Start(t)
	d, teller := doorOf(t, w), w.Teller("t01")
	own := w.Customer("p09")
	own.Prove()
	served := teller.Serve("p09")
	refund := served.Preview("rq-p09-1").RefundID
	served.Confirm(refund).Want(202)
	reference := served.Await(refund, "completed").Reference
	preview := served.Preview("rq-p09-3").RefundID
	challenge, code := challengeOf(served.Customer, preview)
	fill := map[string]string{
		"{preview}": preview, "{refund}": refund, "{reference}": reference, "{request}": "rq-p09-3",
		"{account}": own.Account(), "{id}": own.IDNumber(), "{challenge}": challenge, "{code}": code,
	}
	w.Forgive("p01")
	waiting := teller.Receive("p01")
	ended := teller.Check("p12")
	ended.End().Want(204)

	session := func(ids ...string) http.Header { return http.Header{"Assisted-Session": ids} }
	for name, c := range map[string]struct {
		token  string
		header http.Header
		want   string
	}{
		"unverified":                 {teller.Token(), session(waiting.ID), "403 step_up_required"},
		"unknown":                    {teller.Token(), session(noRefund), notFound},
		"malformed":                  {teller.Token(), session("' OR 1=1"), notFound},
		"empty":                      {teller.Token(), session(""), notFound},
		"ended":                      {teller.Token(), session(ended.ID), notFound},
		"another teller's":           {w.Teller("t02").Token(), session(served.ID), notFound},
		"of another session":         {w.Teller("t01").Token(), session(served.ID), notFound},
		"twice":                      {teller.Token(), session(served.ID, served.ID), "400 malformed_request"},
		"none":                       {teller.Token(), nil, "403 forbidden"},
		"of an approver":             {w.Customer("a01").Token, session(served.ID), "403 forbidden"},
		"of the teller as approver":  {w.Customer("a02").Token, session(served.ID), "403 forbidden"},
		"of the customer themselves": {own.Token, session(served.ID), "403 forbidden"},
		"and a customer's token":     {own.Token, session(noRefund), "403 forbidden"},
		"and nobody's token":         {"garbage", session(served.ID), "401 unauthenticated"},
	} {
		t.Run(name, func(t *testing.T) {
			d := d.in(t)
			for route, ps := range policies {
				for _, p := range ps {
					if p.none != "" || p.staff != "" {
						continue
					}
					a := p.ask(route, fill)
					a.token = c.token
					for name, values := range c.header {
						a.header[name] = values
					}
					want := c.want
					if slices.Contains(notAtTheCounter, route) && want != "401 unauthenticated" {
						if c.token == own.Token {
							continue // it ends the customer's own session, with or without the header
						}
						want = "403 forbidden"
					}
					wantAnswer(t, d.ask(a), want)
				}
			}
		})
	}
	// Before the code only its resend is open, and of no other.
	asking := func(method, path, token, id string) ask {
		return ask{method: method, path: path, token: token, header: session(id)}
	}
	again := "/v1/otp/challenges/" + waiting.Sent.ChallengeID + "/resend"
	d.ask(asking("POST", again, teller.Token(), waiting.ID)).want(429, "resend_too_soon")
	d.ask(asking("POST", again, teller.Token(), served.ID)).want(410, "challenge_gone")
	d.ask(asking("POST", "/v1/otp/challenges/x/resend", teller.Token(), waiting.ID)).want(403, "step_up_required")
	for _, token := range []string{w.Teller("t02").Token(), w.Teller("t01").Token()} {
		d.ask(ask{method: "POST", path: "/v1/assisted-sessions/" + waiting.ID + "/verify", token: token, body: `{"code":"000000"}`}).want(404, "not_found")
		d.ask(ask{method: "DELETE", path: "/v1/assisted-sessions/" + waiting.ID, token: token}).want(404, "not_found")
	}
	for _, id := range []string{"x", noRefund, "%00", "%FF", ended.ID, strings.Repeat("9", 4000)} {
		d.ask(ask{method: "POST", path: "/v1/assisted-sessions/" + id + "/verify", token: teller.Token(), body: `{"code":"000000"}`}).want(404, "not_found")
		d.ask(ask{method: "DELETE", path: "/v1/assisted-sessions/" + id, token: teller.Token()}).want(404, "not_found")
	}

	// With the right one each route does what it does for the customer. What takes something away comes last.
	inOrder := func(a, b string) int { return strings.Index("GPD", a[:1]) - strings.Index("GPD", b[:1]) }
	var all []string
	for route := range policies {
		all = append(all, route)
	}
	slices.Sort(all)
	slices.SortStableFunc(all, inOrder)
	for _, route := range all {
		for _, p := range policies[route] {
			if p.none != "" || p.staff != "" || slices.Contains(notAtTheCounter, route) {
				continue
			}
			if p.path == "/v1/refunds/{preview}/events" || p.path == "/v1/refunds/{preview}/receipt" {
				continue // the one ends with the preview, the other there isn't
			}
			a := p.ask(route, fill)
			a.token, a.header["Assisted-Session"] = teller.Token(), []string{served.ID}
			got := d.ask(a)
			if got.StatusCode == 401 || got.StatusCode == 403 || got.StatusCode == 404 || got.StatusCode >= 500 {
				t.Errorf("%s at the counter answered %d %s", got.call, got.StatusCode, got.problem().Code)
			}
		}
	}
	w.Exact()
}
