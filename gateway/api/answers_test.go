package api_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api/apitest"
)

// TestAnswersAreMasked walks the path as everybody whose numbers there are, and finds none of them whole in any answer.
func TestAnswersAreMasked(t *testing.T) {
	w := apitest.Start(t)
	d := doorOf(t, w)
	var secrets []string
	for _, p := range w.People() {
		secrets = append(secrets, p.IDNumber, strings.TrimPrefix(p.Mobile, "+"))
		for _, a := range p.Accounts {
			secrets = append(secrets, a.AccountNumber, a.IBAN)
		}
		for _, r := range p.Requests {
			secrets = append(secrets, r.Beneficiary.Number)
		}
	}
	// What the masks leave, for one of each kind.
	shown := map[string]string{
		"p01": `"1******017" "SA66 80** **** **** **** 0001" "+9665*****001" "3******001"`, "p02": `"9*****002"`, "p03": `"2******015"`,
		"p07": `"2******056"`, "p13": `"2******098" "2******106"`,
	}
	for user, masks := range shown {
		t.Run(user, func(t *testing.T) {
			c, said := w.Customer(user), ""
			read := func(path string) answer {
				t.Helper()
				got := d.in(t).ask(ask{method: "GET", path: path, token: c.Token}).want(200)
				said += string(got.body) + fmt.Sprint(got.Header)
				return got
			}
			c.Prove()
			read("/v1/profile")
			read("/v1/payments")
			var services struct{ Items []struct{ Service string } }
			read("/v1/payments/e-payments").json(&services)
			for _, s := range services.Items {
				read("/v1/payments/e-payments/" + s.Service + "/requests")
			}
			for _, r := range c.Requests() {
				got := d.in(t).ask(ask{method: "POST", path: "/v1/refunds", token: c.Token, header: key(), body: asked(c, r.RequestID)})
				said += string(got.body)
				if got.StatusCode == http.StatusCreated {
					id := got.field("refund_id")
					read("/v1/refunds/" + id)
					if confirmed := c.Confirm(id); confirmed.Status == http.StatusAccepted {
						said += string(confirmed.Body)
						read("/v1/refunds/" + id)
					}
				}
			}
			read("/v1/refunds")
			for _, secret := range secrets {
				if len(secret) > 8 && strings.Contains(said, secret) {
					t.Errorf("%s is shown", secret)
				}
			}
			for mask := range strings.SplitSeq(masks, `" "`) {
				if mask = strings.Trim(mask, `"`); !strings.Contains(said, `"`+mask+`"`) {
					t.Errorf("%s isn't shown", mask)
				}
			}
			for _, at := range regexp.MustCompile(`"\w+_?(?:at|after)":"([^"]*)"`).FindAllStringSubmatch(said, -1) {
				if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`).MatchString(at[1]) {
					t.Errorf("an instant is %s", at[0])
				}
			}
		})
	}
}

// TestPages: each item once, newest first, and cursors that are good for nothing else.
func TestPages(t *testing.T) {
	w := apitest.Start(t, banktest.Crowd(2))
	d, c, other := doorOf(t, w), w.Customer("c00001"), w.Customer("c00002")
	c.Prove()
	other.Prove()
	for _, r := range c.Requests() {
		c.Confirm(c.Preview(r.RequestID).RefundID).Want(202)
	}
	const requests, refunds = "/v1/payments/e-payments/090-003/requests", "/v1/refunds"
	cursors := map[string]string{}
	for path, idName := range map[string]string{requests: "request_id", refunds: "refund_id"} {
		seen, cursor, previous := map[string]bool{}, "", "9999"
		for page := 0; page == 0 || cursor != ""; page++ {
			if page > 3 {
				t.Fatalf("%s has no end", path)
			}
			var list struct {
				Items      []map[string]any
				NextCursor *string `json:"next_cursor"`
			}
			d.ask(ask{method: "GET", path: path + "?limit=1&cursor=" + cursor, token: c.Token}).want(200).json(&list)
			for _, item := range list.Items {
				seen[fmt.Sprint(item[idName])] = true
				at := item["created_at"]
				if path == requests {
					at = item["paid_at"]
				}
				if fmt.Sprint(at) > previous {
					t.Errorf("%s: %v after %v", path, at, previous)
				}
				previous = fmt.Sprint(at)
				if _, told := item["timeline"]; told {
					t.Errorf("%s shows timelines", path)
				}
			}
			if cursor = ""; list.NextCursor != nil {
				cursor = *list.NextCursor
				cursors[path] = cursor
			}
		}
		if len(seen) != 3 {
			t.Errorf("%s: %v", path, seen)
		}
	}
	for name, a := range map[string]ask{
		"requests, another customer": {path: requests + "?cursor=" + cursors[requests], token: other.Token},
		"refunds, another customer":  {path: refunds + "?cursor=" + cursors[refunds], token: other.Token},
		"requests, another service":  {path: strings.Replace(requests, "090-003", "092-037", 1) + "?cursor=" + cursors[requests], token: c.Token},
		"a refunds' for requests":    {path: requests + "?cursor=" + cursors[refunds], token: c.Token},
		"a requests' for refunds":    {path: refunds + "?cursor=" + cursors[requests], token: c.Token},
		"changed":                    {path: refunds + "?cursor=A" + cursors[refunds][1:], token: c.Token},
		"cut":                        {path: refunds + "?cursor=" + cursors[refunds][:20], token: c.Token},
	} {
		t.Run(name, func(t *testing.T) {
			a.method = "GET"
			d.in(t).ask(a).want(400, "malformed_request")
		})
	}
	var one struct{ Items []map[string]any }
	reference := c.Do("GET", refunds, nil)
	reference.JSON(&one)
	d.ask(ask{method: "GET", path: refunds + "?reference=" + fmt.Sprint(one.Items[1]["reference"]), token: c.Token}).want(200).json(&one)
	if len(one.Items) != 1 {
		t.Errorf("by reference there are %d", len(one.Items))
	}
}

// TestNeighboursAway: whoever can't be asked, the customer is told to try again and when; and what is promised without
// them goes on.
func TestNeighboursAway(t *testing.T) {
	w := apitest.Start(t)
	d, c := doorOf(t, w), w.Customer("p03")
	c.Prove()
	preview := c.Preview("rq-p03-1").RefundID
	get := func(path string) ask { return ask{method: "GET", path: path, token: c.Token} }
	for _, away := range []struct {
		call   banktest.Call
		status int
		code   string
		asks   []ask
	}{
		{banktest.OnInquiry, 503, "core_unavailable", []ask{
			get("/v1/payments/e-payments"), get("/v1/payments/e-payments/090-003/requests"),
			{method: "POST", path: "/v1/balance-inquiries", token: c.Token, body: `{"id_number":"2900000015"}`},
			{method: "POST", path: "/v1/refunds", token: c.Token, header: key(), body: asked(c, "rq-p03-1")},
		}},
		{banktest.OnCustomer, 503, "try_again", []ask{
			get("/v1/profile"), get("/v1/payments/e-payments"),
			{method: "POST", path: "/v1/balance-inquiries", token: c.Token, body: `{"id_number":"2900000015"}`},
			{method: "POST", path: "/v1/refunds", token: c.Token, header: key(), body: asked(c, "rq-p03-1")},
			{method: "POST", path: "/v1/otp/challenges", token: c.Token, body: `{"purpose":"profile"}`},
		}},
		{banktest.OnSMS, 503, "sms_unavailable", []ask{
			{method: "POST", path: "/v1/otp/challenges", token: c.Token, body: `{"purpose":"refund","refund_id":"` + preview + `"}`},
		}},
	} {
		t.Run(string(away.call), func(t *testing.T) {
			w.Fault(banktest.Unavailable, away.call)
			defer w.ClearFaults()
			for _, a := range away.asks {
				d.in(t).ask(a).want(away.status, away.code)
			}
			d.in(t).ask(get("/v1/payments")).want(200)
			d.in(t).ask(get("/v1/refunds/" + preview)).want(200)
		})
	}
	w.Fault(banktest.Unavailable, banktest.OnInquiry)
	w.Fault(banktest.Unavailable, banktest.OnCustomer)
	w.Fault(banktest.Stop, banktest.OnSubmit)
	c.Confirm(preview).Want(202) // it never asks anybody
}
