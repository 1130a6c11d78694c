package api_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api/apitest"
)

// TestOrderOfPreviewChecks: of two things that are wrong at once, the one is told that api.md lists first.
func TestOrderOfPreviewChecks(t *testing.T) {
	w := apitest.Start(t)
	d, c := doorOf(t, w), w.Customer("p13")
	c.Prove()
	// The day's limit is nearly used up: of the two fees of 6,000.00 the second is too much.
	c.Confirm(c.Preview("rq-p13-1").RefundID).Want(202)

	set := func(field, value string) func(*ask) {
		return func(a *ask) { a.body.(map[string]string)[field] = value }
	}
	checks := []struct {
		field string // two faults of one field can't hold at once
		code  string
		spoil func(*ask)
	}{
		{"header", "400 idempotency_key_missing", func(a *ask) { a.header = nil }},
		{"id_number", "422 id_invalid", set("id_number", "1900000059")},
		{"id_number", "422 id_mismatch", set("id_number", "1900000017")},
		{"account_number", "422 iban_invalid", set("account_number", "SA0080000555608000000013")},
		{"request_id", "404 not_found", set("request_id", "rq-none")},
		{"request_id", "404 not_found", set("request_id", "rq-p01-1")}, // somebody else's
		{"request_id", "409 refund_exists", set("request_id", "rq-p13-1")},
		{"account_number", "403 account_not_owned", set("account_number", "555608000000001")},
		{"account_number", "403 account_not_owned", set("account_number", "555608999999999")}, // nobody's
		{"day", "422 limit_exceeded", func(*ask) {}},
	}
	one := key()
	asking := func() ask {
		return ask{method: "POST", path: "/v1/refunds", token: c.Token, header: one, body: asked(c, "rq-p13-2")}
	}
	for i, first := range checks {
		for _, second := range checks[i:] {
			if first.field == second.field && first.code != second.code {
				continue
			}
			a := asking()
			second.spoil(&a)
			first.spoil(&a)
			wantAnswer(t, d.ask(a), first.code)
		}
	}
	// Whoever has no proof learns nothing but that, unless the form is wrong already.
	stranger := w.Customer("p13")
	for _, check := range checks[1:] {
		a := asking()
		check.spoil(&a)
		a.token = stranger.Token
		d.ask(a).want(403, "step_up_required")
	}
}

// TestReasons: the request's own reason is the problem's code, in the words that the list had.
func TestReasons(t *testing.T) {
	w := apitest.Start(t)
	d := doorOf(t, w)
	for _, c := range []struct {
		user, request, service string
		status                 int
		reason                 string
	}{
		{"p02", "rq-p02-2", "091-025", 409, "fee_consumed"},
		{"p04", "rq-p04-1", "090-004", 409, "fee_consumed"},
		{"p05", "rq-p05-1", "090-007", 403, "payer_mismatch"},
		{"p07", "rq-p07-1", "090-012", 409, "other_bank"},
		{"p09", "rq-p09-2", "090-058", 409, "refund_exists"},
		{"p10", "rq-p10-1", "090-003", 409, "account_closed"},
	} {
		t.Run(c.user, func(t *testing.T) {
			d, who := d.in(t), w.Customer(c.user)
			who.Prove()
			list := d.ask(ask{method: "GET", path: "/v1/payments/e-payments/" + c.service + "/requests", token: who.Token}).want(200)
			var page struct {
				Items []struct {
					RequestID  string  `json:"request_id"`
					Refundable bool    `json:"refundable"`
					Reason     *string `json:"reason"`
					PaidFrom   *struct {
						AccountID string `json:"account_id"`
					} `json:"paid_from"`
					ReasonText *struct{ AR, EN string } `json:"reason_text"`
				}
			}
			list.json(&page)
			if len(page.Items) != 1 || page.Items[0].RequestID != c.request || page.Items[0].Refundable ||
				page.Items[0].Reason == nil || *page.Items[0].Reason != c.reason {
				t.Fatalf("listed is %s", list.body)
			}
			if own := page.Items[0].PaidFrom != nil; own != (c.reason != "payer_mismatch" && c.reason != "other_bank") {
				t.Errorf("paid_from is shown: %v", own)
			}
			refused := d.ask(ask{
				method: "POST", path: "/v1/refunds", token: who.Token, header: key(), body: asked(who, c.request),
			}).want(c.status, c.reason)
			if refused.problem().Detail != page.Items[0].ReasonText.AR {
				t.Errorf("refused with %q, listed with %q", refused.problem().Detail, page.Items[0].ReasonText.AR)
			}
		})
	}
	// An expired ID is a warning, in the list and in the preview, and stands in nobody's way.
	c := w.Customer("p08")
	c.Prove()
	for _, a := range []ask{
		{method: "GET", path: "/v1/payments/e-payments/090-003/requests"},
		{method: "POST", path: "/v1/refunds", header: key(), body: asked(c, "rq-p08-1")},
	} {
		a.token = c.Token
		if got := d.ask(a); !strings.Contains(string(got.body), `"code":"id_expired"`) {
			t.Errorf("%s: no warning in %s", got.call, got.body)
		}
	}
}

func TestIdempotencyKeyOfPreviews(t *testing.T) {
	w := apitest.Start(t)
	d, c := doorOf(t, w), w.Customer("p03")
	c.Prove()
	preview := func(header http.Header, body map[string]string) answer {
		return d.ask(ask{method: "POST", path: "/v1/refunds", token: c.Token, header: header, body: body})
	}
	body := asked(c, "rq-p03-1")

	// Refused requests leave the key free, whatever refused them.
	one := key("k-1")
	for field, value := range map[string]string{"id_number": "1", "account_number": "1", "request_id": "rq-none"} {
		bad := maps.Clone(body)
		bad[field] = value
		if preview(one, bad).StatusCode < 400 {
			t.Fatalf("%s was taken", field)
		}
	}
	w.Fault(banktest.Unavailable, banktest.OnInquiry, banktest.Count(1))
	preview(one, body).want(503, "core_unavailable")
	w.ClearFaults()

	first := preview(one, body).want(201)
	if first.replayed() {
		t.Error("the first answer is a replay")
	}
	arabicBody := maps.Clone(body)
	arabicBody["id_number"], arabicBody["account_number"] = arabic(c.IDNumber(), '٠'), arabic(c.Account(), '۰')
	for name, again := range map[string]answer{
		"the same":           preview(one, body),
		"quoted":             preview(key(`"k-1"`), body),
		"in Arabic digits":   preview(one, arabicBody),
		"in another order":   d.ask(ask{method: "POST", path: "/v1/refunds", token: c.Token, header: one, body: `{"id_number":"` + c.IDNumber() + `", "account_number":"` + c.Account() + `","request_id":"rq-p03-1"}`}),
		"in Arabic language": d.ask(ask{method: "POST", path: "/v1/refunds", token: c.Token, header: http.Header{"Idempotency-Key": one["Idempotency-Key"], "Accept-Language": {"ar"}}, body: body}),
	} {
		if again.StatusCode != 201 || !again.replayed() || string(again.body) != string(first.body) {
			t.Errorf("%s: %d, replayed %v\n%s\n%s", name, again.StatusCode, again.replayed(), first.body, again.body)
		}
	}
	byIBAN := maps.Clone(body)
	byIBAN["account_number"] = "SA1280000555608000000003"
	preview(one, byIBAN).want(422, "idempotency_key_reused")
	preview(key("k-1", "k-1"), body).want(400, "malformed_request")
	if other := preview(key("K-1"), body).want(201); other.field("refund_id") == first.field("refund_id") {
		t.Error("keys differ by more than their case")
	}

	// The key is the session's own.
	elsewhere := w.Customer("p03")
	w.Forgive("p03")
	elsewhere.Prove()
	apart := d.ask(ask{method: "POST", path: "/v1/refunds", token: elsewhere.Token, header: one, body: body}).want(201)
	if apart.replayed() || apart.field("refund_id") == first.field("refund_id") {
		t.Error("another session gets this one's preview")
	}

	// A preview that is deleted is gone to all, and its key is free for anything.
	id := first.field("refund_id")
	d.ask(ask{method: "DELETE", path: "/v1/refunds/" + id, token: c.Token}).want(204)
	for _, a := range []ask{
		{method: "GET", path: "/v1/refunds/" + id}, {method: "DELETE", path: "/v1/refunds/" + id},
		{method: "POST", path: "/v1/refunds/" + id + "/confirm"},
		{method: "POST", path: "/v1/otp/challenges", body: `{"purpose":"refund","refund_id":"` + id + `"}`},
	} {
		a.token = c.Token
		d.ask(a).want(404, "not_found")
	}
	fresh := preview(one, byIBAN).want(201)
	if fresh.replayed() || fresh.field("refund_id") == id {
		t.Error("the key wasn't free")
	}

	// A confirmed preview still answers its key; previews of the same request may live beside it, and lose.
	beside := apart.field("refund_id")
	c.Confirm(fresh.field("refund_id")).Want(202)
	if again := preview(one, byIBAN).want(201); string(again.body) != string(fresh.body) {
		t.Errorf("after the confirm the key answers %s", again.body)
	}
	elsewhere.Confirm(beside).Want(409, "refund_exists")
	preview(key(), body).want(409, "refund_exists")
}

// TestConfirmIsForEver: the refund's id is the key of a confirm; body and code are not looked at again.
func TestConfirmIsForEver(t *testing.T) {
	w := apitest.Start(t)
	d, c := doorOf(t, w), w.Customer("p06")
	c.Prove()
	id := c.Preview("rq-p05-1").RefundID
	confirm := ask{method: "POST", path: "/v1/refunds/" + id + "/confirm", token: c.Token}
	with := func(body any) ask { a := confirm; a.body = body; return a }

	d.ask(with(nil)).want(403, "step_up_required")
	d.ask(with("{}")).want(403, "step_up_required")
	right := c.RefundCode(id)
	d.ask(with(map[string]string{"code": right["code"]})).want(400, "malformed_request")
	d.ask(with(map[string]string{"challenge_id": right["challenge_id"]})).want(400, "malformed_request")
	d.ask(with(map[string]string{"challenge_id": "x", "code": right["code"]})).want(410, "challenge_gone")
	first := d.ask(with(map[string]string{"challenge_id": right["challenge_id"], "code": arabic(right["code"], '٠')})).want(202)
	if first.replayed() {
		t.Error("the first answer is a replay")
	}
	for name, body := range map[string]any{
		"the same": right, "nothing": nil, "an empty object": "{}", "another code": map[string]string{"challenge_id": "x", "code": "000000"},
		"no code": map[string]string{"challenge_id": "x"}, "no challenge": map[string]string{"code": "12"},
	} {
		again := d.ask(with(body)).want(202)
		if !again.replayed() || again.field("reference") != first.field("reference") || again.field("refund_id") != id {
			t.Errorf("%s: replayed %v\n%s\n%s", name, again.replayed(), first.body, again.body)
		}
	}
	c.Await(id, "completed")
	if late := d.ask(with(nil)).want(202); late.field("status") != "completed" || late.field("state") != "credited" {
		t.Errorf("the replay is as of then: %s", late.body)
	}
	d.ask(ask{method: "DELETE", path: "/v1/refunds/" + id, token: c.Token}).want(409, "too_late")
	if v := w.Exact(); v.Confirmed != 1 || v.Effects != 1 {
		t.Errorf("the referee says %+v", v)
	}
}

// TestWithdrawing: while nothing has left, and again once it is done.
func TestWithdrawing(t *testing.T) {
	w := apitest.Start(t)
	d, c := doorOf(t, w), w.Customer("p03")
	c.Prove()
	id := c.Preview("rq-p03-1").RefundID
	w.Fault(banktest.Stop, banktest.OnSubmit)
	c.Confirm(id).Want(202)
	withdraw := ask{method: "DELETE", path: "/v1/refunds/" + id, token: c.Token}
	for tries := 0; ; tries++ {
		got := d.ask(withdraw)
		if got.StatusCode == http.StatusNoContent {
			break
		}
		got.want(409, "too_late") // just then somebody tried whether the core is back
		if tries == 1000 {
			t.Fatal("nothing leaves, and yet it is always too late")
		}
	}
	d.ask(withdraw).want(204)
	if r := c.Refund(id); r.Status != "cancelled" {
		t.Errorf("withdrawn, and %s", r.Status)
	}
	// What was withdrawn can be asked for again.
	w.ClearFaults()
	again := c.Preview("rq-p03-1").RefundID
	c.Confirm(again).Want(202)
	c.Await(again, "completed")
	w.Exact()
}
