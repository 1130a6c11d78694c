package sandbox_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/bank/banktest"
)

// listed is a request as its customer sees it at step 8, in one line: id, amount, reason or "refundable", warnings.
func listed(t *testing.T, c *banktest.Customer) []string {
	t.Helper()
	var services struct {
		Items []struct {
			Service         string
			RefundableCount int            `json:"refundable_count"`
			RefundableTotal banktest.Money `json:"refundable_total"`
		}
	}
	c.Do(http.MethodGet, "/v1/payments/e-payments", nil).Want(200).JSON(&services)
	lines := []string{}
	for _, s := range services.Items {
		lines = append(lines, requestsOf(t, c, s.Service, s.RefundableCount)...)
	}
	return lines
}

func requestsOf(t *testing.T, c *banktest.Customer, service string, refundable int) (lines []string) {
	t.Helper()
	var requests struct {
		Items []struct {
			RequestID  string `json:"request_id"`
			Amount     banktest.Money
			Refundable bool
			Reason     *string
			ReasonText *struct{ AR, EN string } `json:"reason_text"`
			PaidFrom   *struct{ IBAN string }   `json:"paid_from"`
			Warnings   []struct{ Code string }
		}
	}
	c.Do(http.MethodGet, "/v1/payments/e-payments/"+service+"/requests", nil).Want(200).JSON(&requests)
	for _, r := range requests.Items {
		line := r.RequestID + " " + r.Amount.Amount
		switch {
		case r.Refundable && r.Reason == nil && r.ReasonText == nil:
			line += " refundable"
			refundable--
		case !r.Refundable && r.Reason != nil && r.ReasonText.AR != "" && r.ReasonText.EN != "":
			line += " " + *r.Reason
		default:
			t.Errorf("%s: refundable %t, reason %v, %v", r.RequestID, r.Refundable, r.Reason, r.ReasonText)
		}
		for _, w := range r.Warnings {
			line += " " + w.Code
		}
		if r.PaidFrom != nil {
			line += " *" + r.PaidFrom.IBAN[len(r.PaidFrom.IBAN)-4:]
		}
		lines = append(lines, line)
	}
	if refundable != 0 {
		t.Errorf("service %s counts %d more as refundable than it lists", service, refundable)
	}
	return lines
}

// TestPeople: each of the fourteen is one case, told before anything is asked of them, and again if they ask all the
// same.
func TestPeople(t *testing.T) {
	t.Parallel()
	w := banktest.Start(t)
	type preview struct {
		request string
		status  int
		code    string
	}
	for _, person := range []struct {
		user     string
		listed   []string // at step 8, of all services
		previews []preview
	}{
		{"p01", []string{"rq-v01-1 100.00 refundable *0001", "rq-p01-1 600.00 refundable *0001"}, []preview{
			{"rq-p01-1", 201, ""}, {"rq-v01-1", 201, ""}, {"rq-p02-1", 404, "not_found"}, {"rq-none", 404, "not_found"},
		}},
		{"p02", []string{"rq-p02-2 400.00 fee_consumed *0002", "rq-p02-1 300.00 refundable *0002"}, []preview{
			{"rq-p02-1", 201, ""}, {"rq-p02-2", 409, "fee_consumed"},
		}},
		{"p03", []string{"rq-p03-1 650.00 refundable *0003"}, []preview{{"rq-p03-1", 201, ""}}},
		{"p04", []string{"rq-p04-1 200.00 fee_consumed *0004"}, []preview{{"rq-p04-1", 409, "fee_consumed"}}},
		{"p05", []string{"rq-p05-1 2000.00 payer_mismatch"}, []preview{{"rq-p05-1", 403, "payer_mismatch"}}},
		{"p06", []string{"rq-p05-1 2000.00 refundable *0006"}, []preview{{"rq-p05-1", 201, ""}}},
		{"p07", []string{"rq-p07-1 1000.00 other_bank"}, []preview{{"rq-p07-1", 409, "other_bank"}}},
		{"p08", []string{"rq-p08-1 163.00 refundable id_expired *0008"}, []preview{{"rq-p08-1", 201, ""}}},
		{"p09", []string{
			"rq-p09-3 500.00 refundable *0009", "rq-p09-1 650.00 refundable *0009", "rq-p09-2 1200.00 refund_exists *0009",
		}, []preview{{"rq-p09-1", 201, ""}, {"rq-p09-2", 409, "refund_exists"}, {"rq-p09-3", 201, ""}}},
		{"p10", []string{"rq-p10-1 650.00 account_closed *0010"}, []preview{{"rq-p10-1", 409, "account_closed"}}},
		{"p11", []string{}, []preview{{"rq-p01-1", 404, "not_found"}}},
		{"p13", []string{"rq-p13-2 6000.00 refundable *0013", "rq-p13-1 6000.00 refundable *0013"}, []preview{
			{"rq-p13-1", 201, ""}, {"rq-p13-2", 201, ""},
		}},
		{"p14", []string{"rq-p14-1 600.00 refundable *0014"}, []preview{{"rq-p14-1", 201, ""}}},
	} {
		t.Run(person.user, func(t *testing.T) {
			c := w.Customer(person.user)
			c.Prove()
			if got := listed(t, c); !slices.Equal(got, person.listed) {
				t.Errorf("step 8 lists\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(person.listed, "\n"))
			}
			for _, p := range person.previews {
				r := c.AskFor(p.request)
				if r.Want(p.status, p.code); p.status == http.StatusCreated {
					continue
				}
				path := "/v1/refunds"
				matches(t, r, p.status, refusal(p.status, p.code, path, nil))
			}
		})
	}
	if v := w.Exact(); v.Confirmed != 0 || v.Effects != 0 {
		t.Errorf("nobody confirmed anything, and the referee says %+v", v)
	}
}

// TestPayerAlone: p05 benefits, p06 paid. p06 gets the money back to their own account, after a code, and p05 learns
// nothing of it.
func TestPayerAlone(t *testing.T) { inProcess(t, 0, payerAlone) }

func payerAlone(t *testing.T, w *banktest.World) {
	p05, p06 := w.Customer("p05"), w.Customer("p06")
	p05.Prove()
	p06.Prove()
	before := p05.Do(http.MethodGet, "/v1/payments/e-payments/090-007/requests", nil).Want(200)
	preview := p06.Preview("rq-p05-1")
	if preview.ConfirmRequires != "code" || preview.ToAccount != "SA28 80** **** **** **** 0006" {
		t.Errorf("the preview is %+v", preview)
	}
	p05.Do(http.MethodGet, "/v1/refunds/"+preview.RefundID, nil).Want(404, "not_found")
	p05.Do(http.MethodPost, "/v1/refunds/"+preview.RefundID+"/confirm", nil).Want(404, "not_found")
	p05.Do(http.MethodDelete, "/v1/refunds/"+preview.RefundID, nil).Want(404, "not_found")
	p06.Do(http.MethodPost, "/v1/refunds/"+preview.RefundID+"/confirm", nil).Want(403, "step_up_required")
	p06.Confirm(preview.RefundID).Want(202)
	p06.Await(preview.RefundID, "credited")
	p05.Do(http.MethodGet, "/v1/refunds/"+preview.RefundID, nil).Want(404, "not_found")
	after := p05.Do(http.MethodGet, "/v1/payments/e-payments/090-007/requests", nil).Want(200)
	if string(before.Body) != string(after.Body) {
		t.Errorf("p05 sees p06's refund: %s, before %s", after.Body, before.Body)
	}
	if got := listed(t, p06); len(got) != 1 || got[0] != "rq-p05-1 2000.00 refund_exists *0006" {
		t.Errorf("p06 sees %v", got)
	}
	p06.AskFor("rq-p05-1").Want(409, "refund_exists")
	w.Exact()
}

// TestNoMobile: p12 has no phone that a code could go to; only a branch helps.
func TestNoMobile(t *testing.T) { inProcess(t, 0, noMobile) }

func noMobile(t *testing.T, w *banktest.World) {
	c := w.Customer("p12")
	c.Do(http.MethodPost, "/v1/otp/challenges", `{"purpose":"profile"}`).Want(409, "mobile_missing")
	for _, path := range []string{"/v1/profile", "/v1/payments", "/v1/payments/e-payments", "/v1/payments/e-payments/092-037/requests"} {
		c.Do(http.MethodGet, path, nil).Want(403, "step_up_required")
	}
	c.AskFor("rq-p12-1").Want(403, "step_up_required")
	if inbox := w.SMS(""); len(inbox) != 0 {
		t.Errorf("%d SMS went out", len(inbox))
	}
}

// TestLimit: p13's two refunds of 6,000.00 exceed the 10,000.00 of an online day together. One goes, with a code; the
// other is refused at its confirm, and from then on at its preview.
func TestLimit(t *testing.T) { inProcess(t, 0, dayLimit) }

func dayLimit(t *testing.T, w *banktest.World) {
	c := w.Customer("p13")
	c.Prove()
	first, second := c.Preview("rq-p13-1"), c.Preview("rq-p13-2")
	for _, p := range []banktest.Preview{first, second} {
		if p.ConfirmRequires != "code" || p.ApprovalRequired {
			t.Errorf("the preview of %s requires %q, approval %t", p.Amount.Amount, p.ConfirmRequires, p.ApprovalRequired)
		}
	}
	c.Confirm(first.RefundID).Want(202)
	matches(t, c.Do(http.MethodPost, "/v1/refunds/"+second.RefundID+"/confirm", nil), 422,
		refusal(422, "limit_exceeded", "/v1/refunds/"+second.RefundID+"/confirm", nil))
	c.AskFor("rq-p13-2").Want(422, "limit_exceeded")
	c.Await(first.RefundID, "credited")
	c.Do(http.MethodPost, "/v1/refunds/"+first.RefundID+"/confirm", nil).Want(202) // a replay, whatever is left of the day
	if v := w.Exact(); v.Effects != 1 {
		t.Errorf("the referee says %+v", v)
	}
}

// TestSilentCore: p14's first send has its effect and is never answered. The customer is shown that it is being worked
// on, nothing is sent again, and the money arrives.
func TestSilentCore(t *testing.T) { inProcess(t, 0, silentCore) }

func silentCore(t *testing.T, w *banktest.World) {
	c := w.Customer("p14")
	c.Prove()
	preview := c.Preview("rq-p14-1")
	c.Confirm(preview.RefundID).Want(202)
	if doubted := c.Await(preview.RefundID, "in_doubt"); doubted.Status != "processing" {
		t.Errorf("a refund in doubt is shown as %s", doubted.Status)
	}
	refund := c.Await(preview.RefundID, "credited")
	if got := strings.Join(refund.States()[:3], " "); got != "queued sending in_doubt" {
		t.Errorf("it went through %v", refund.States())
	}
	if got := submissions(w, refund.Reference); got != "effect" {
		t.Errorf("the core was sent: %s", got)
	}
	w.Exact()
}

// submissions says what became of each submission of a reference that arrived at the core.
func submissions(w *banktest.World, reference string) string {
	var all []string
	for _, call := range w.History(reference) {
		if call.Call != "submit" {
			continue
		}
		what := "no effect"
		if call.Effect {
			what = "effect"
		}
		all = append(all, what)
	}
	return strings.Join(all, ", ")
}

// TestAccountsAndIDs: what is typed at step 9 must be the customer's own, in the order of the contract.
func TestAccountsAndIDs(t *testing.T) {
	t.Parallel()
	w := banktest.Start(t)
	c := w.Customer("p01")
	c.Prove()
	const own, ownID = "555608000000001", "1900000017"
	for i, typed := range []struct {
		account, id string
		status      int
		code        string
	}{
		{"SA6680000555608000000001", ownID, 201, ""},
		{"acc-p01-1", ownID, 201, ""},
		{"\u2066٥٥٥٦٠٨-٠٠٠٠٠٠-٠٠١\u2069", "۱۹۰۰۰۰۰۰۱۷", 201, ""},
		{own, "1900000018", 422, "id_invalid"},
		{own, "not a number", 422, "id_invalid"},
		{own, "2900000015", 422, "id_mismatch"},
		{"SA6680000555608000000002", ownID, 422, "iban_invalid"},
		{"12", ownID, 422, "iban_invalid"},
		{"nothing", "1900000018", 422, "id_invalid"}, // the ID comes first
		{"555608000000003", ownID, 403, "account_not_owned"},
		{"555608999999999", ownID, 403, "account_not_owned"}, // nobody's: the same answer
		{"SA4810000000055500001001", ownID, 403, "account_not_owned"},
	} {
		body := object{"request_id": "rq-p01-1", "account_number": typed.account, "id_number": typed.id}
		r := c.Do(http.MethodPost, "/v1/refunds", body, "Idempotency-Key", fmt.Sprint("typed-", i))
		if r.Status != typed.status || r.Code() != typed.code {
			t.Errorf("%q, %q: %d %s, want %d %s", typed.account, typed.id, r.Status, r.Code(), typed.status, typed.code)
		}
	}
}
