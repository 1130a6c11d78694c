package api_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api"
	"github.com/istirdad/istirdad/gateway/api/apitest"
	"github.com/istirdad/istirdad/internal/saudi"
)

func inquiry(c *banktest.Customer, number string) ask {
	return ask{method: "POST", path: "/v1/balance-inquiries", token: c.Token, body: map[string]string{"id_number": number}}
}

const (
	visitor = "3900000001" // whose extension p01 paid
	company = "7000000005"
)

// TestBalanceInquiries: everything under one's own number; under another what one paid for it, and that alone.
func TestBalanceInquiries(t *testing.T) {
	w := apitest.Start(t)
	d := doorOf(t, w)
	numbers := map[string]string{"visitor": visitor, "company": company, "nobody": "190000009" + string(saudi.CheckDigit("190000009")), "worker": "2900000098"}
	for _, p := range w.People() {
		numbers[p.User] = p.IDNumber
	}
	for name, row := range map[string]struct {
		caller, about string
		kind          string
		want          map[string]string // without zeros
		total         string
	}{
		"own, national ID":                  {"p01", "p01", "national_id", map[string]string{"passports": "600.00"}, "600.00"},
		"own, iqama, several":               {"p09", "p09", "iqama", map[string]string{"passports": "650.00", "sponsorees": "500.00"}, "1150.00"},
		"own, with a vehicle":               {"p02", "p02", "national_id", map[string]string{"vehicles": "300.00"}, "300.00"},
		"own, that another paid":            {"p05", "p05", "iqama", map[string]string{"passports": "2000.00"}, "2000.00"},
		"own, nothing":                      {"p11", "p11", "national_id", nil, "0.00"},
		"another's, that the caller paid":   {"p06", "p05", "iqama", map[string]string{"passports": "2000.00"}, "2000.00"},
		"a worker's, that the caller paid":  {"p13", "worker", "iqama", map[string]string{"passports": "6000.00"}, "6000.00"},
		"another's, that somebody paid":     {"p03", "p05", "iqama", nil, "0.00"},
		"another's own":                     {"p03", "p01", "national_id", nil, "0.00"},
		"another's, who has none":           {"p03", "p11", "national_id", nil, "0.00"},
		"a visitor's, that the caller paid": {"p01", "visitor", "border", map[string]string{"passports": "100.00"}, "100.00"},
		"a visitor's, that somebody paid":   {"p03", "visitor", "border", nil, "0.00"},
		"a company's, that it paid itself":  {"p01", "company", "establishment", nil, "0.00"},
		"nobody's":                          {"p03", "nobody", "national_id", nil, "0.00"},
	} {
		t.Run(name, func(t *testing.T) {
			c, number := w.Customer(row.caller), numbers[row.about]
			c.Prove()
			var got api.Balance
			answered := d.in(t).ask(inquiry(c, number)).want(200)
			answered.json(&got)
			hidden(t, answered, number)
			masked := number[:1] + "******" + number[7:]
			if got.ID != (api.Party{Kind: row.kind, Number: masked}) || got.Total != (api.Money{Amount: row.total, Currency: "SAR"}) {
				t.Errorf("answered %s", answered.body)
			}
			var order []string
			named := map[string]string{}
			for _, b := range got.Buckets {
				order = append(order, b.Bucket)
				if b.Name.AR == "" || b.Name.EN == "" || b.Name.AR == b.Name.EN || b.Amount.Currency != "SAR" {
					t.Errorf("a bucket is %+v", b)
				}
				if b.Amount.Amount != "0.00" {
					named[b.Bucket] = b.Amount.Amount
				}
			}
			if strings.Join(order, " ") != "passports sponsorees vehicles driving_license labour civil" || !maps.Equal(named, row.want) {
				t.Errorf("buckets %v, %v; want %v", order, named, row.want)
			}
			// As people in Riyadh and in Tehran type it.
			for _, typed := range []string{arabic(number, '٠'), "\u200f" + arabic(number[:4]+" "+number[4:], '۰')} {
				if again := d.ask(inquiry(c, typed)).want(200); string(again.body) != string(answered.body) {
					t.Errorf("typed %q: %s", typed, again.body)
				}
			}
		})
	}

	// Somebody without a balance and nobody answer alike, but for the number that was asked about.
	c := w.Customer("p03")
	c.Prove()
	none, nobody := d.ask(inquiry(c, numbers["p11"])), d.ask(inquiry(c, numbers["nobody"]))
	mask := func(user string) string { return numbers[user][:1] + "******" + numbers[user][7:] }
	if strings.ReplaceAll(string(none.body), mask("p11"), mask("nobody")) != string(nobody.body) || !sameHeaders(none, nobody) {
		t.Errorf("somebody is told from nobody:\n%s\n%s", none.body, nobody.body)
	}
	// A refund that was asked for leaves the balance.
	refund := c.Preview("rq-p03-1").RefundID
	c.Confirm(refund).Want(202)
	c.Await(refund, "completed")
	var left api.Balance
	if d.ask(inquiry(c, c.IDNumber())).want(200).json(&left); left.Total.Amount != "0.00" {
		t.Errorf("after the refund there are %s left", left.Total.Amount)
	}
}

// TestBalanceInquiriesAreRationed: thirty an hour, whatever the session; what has no form doesn't count.
func TestBalanceInquiriesAreRationed(t *testing.T) {
	w := apitest.Start(t)
	d, c, other := doorOf(t, w), w.Customer("p03"), w.Customer("p01")
	c.Prove()
	other.Prove()
	for range 31 {
		for _, typed := range []string{"", "2900000016", "29000000150", "900000002", "+966500000003"} {
			d.ask(inquiry(c, typed)).want(422, "id_invalid")
		}
		d.ask(ask{method: "POST", path: "/v1/balance-inquiries", token: c.Token, body: "{}"}).want(400, "malformed_request")
		d.ask(inquiry(w.Customer("p03"), c.IDNumber())).want(403, "step_up_required")
	}
	w.Fault(banktest.Unavailable, banktest.OnInquiry, banktest.Count(1))
	d.ask(inquiry(c, c.IDNumber())).want(503, "core_unavailable") // counts: it was asked for
	for range 29 {
		d.ask(inquiry(c, c.IDNumber())).want(200)
	}
	for range 3 {
		if after := d.ask(inquiry(c, c.IDNumber())).want(429, "rate_limited").problem().RetryAfter; after < 3500 || after > 3600 {
			t.Errorf("retry after %d s", after)
		}
	}
	again := w.Customer("p03")
	again.Prove()
	d.ask(inquiry(again, c.IDNumber())).want(429, "rate_limited")
	d.ask(inquiry(c, "x")).want(422, "id_invalid")
	d.ask(inquiry(other, other.IDNumber())).want(200)
	d.ask(ask{method: "GET", path: "/v1/payments/e-payments", token: c.Token}).want(200) // everything else goes on
}
