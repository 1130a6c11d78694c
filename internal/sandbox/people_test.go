package sandbox_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api/apitest"
	"github.com/istirdad/istirdad/internal/sandbox"
)

// A person is one row of the table of people (domain.md §7): who they are at the bank, what they see on the way, and what
// becomes of each fee that they ask back.
type person struct {
	user, ar, en        string
	id, mobile, account string // as the profile shows them
	sms                 string // language
	services            []string
	requests            []string // of all services, as told before anything is asked: see request.String
	asks                []ask
}

// ask is one fee that somebody asks back, and what becomes of it: a refusal of the preview or of the confirm, or money.
type ask struct{ request, becomes string }

const (
	credited       = "credited"
	creditedByCode = "credited, by a code"
	creditedLate   = "in doubt, then credited"
	overTheLimit   = "422 limit_exceeded at the confirm"
)

var people = []person{
	// Happy path; and the payer of V01, who is known to the core alone.
	{
		"p01", "سلمان العتيبي", "Salman Alotaibi", "national_id 1******017", "+9665*****001", "SA66 80** **** **** **** 0001 active", "ar",
		[]string{"090-001 Extend Visitor Visa: 1 of 100.00", "092-037 Renew Passport: 1 of 600.00"},
		[]string{
			"rq-v01-1: Extend visitor visa for border 3******001, 100.00 from *0001, refundable",
			"rq-p01-1: Renew passport, 10 years for national_id 1******017, 600.00 from *0001, refundable",
		},
		[]ask{{"rq-p01-1", credited}, {"rq-v01-1", credited}, {"rq-p02-1", "404 not_found"}, {"rq-none", "404 not_found"}},
	},
	// A vehicle's registration that waits, and a licence that was issued.
	{
		"p02", "نورة القحطاني", "Noura Alqahtani", "national_id 1******025", "+9665*****002", "SA39 80** **** **** **** 0002 active", "ar",
		[]string{"091-025 Renew Driving Licence: 0 of 0.00", "094-026 Renew Vehicle Registration: 1 of 300.00"},
		[]string{
			"rq-p02-2: Renew driving licence, 10 years for national_id 1******025, 400.00 from *0002, fee_consumed",
			"rq-p02-1: Renew vehicle registration, private, 3 years for vehicle 9*****002, 300.00 from *0002, refundable",
		},
		[]ask{{"rq-p02-1", credited}, {"rq-p02-2", "409 fee_consumed"}},
	},
	// Happy path of a resident.
	{
		"p03", "أحمد حسن", "Ahmed Hassan", "iqama 2******015", "+9665*****003", "SA12 80** **** **** **** 0003 active", "ar",
		[]string{"090-003 Renew Iqama: 1 of 650.00"},
		[]string{"rq-p03-1: Renew Iqama, 12 months for iqama 2******015, 650.00 from *0003, refundable"},
		[]ask{{"rq-p03-1", credited}},
	},
	// The visa was issued and then cancelled: the fee is used all the same.
	{
		"p04", "محمد رفيق", "Mohammed Rafiq", "iqama 2******023", "+9665*****004", "SA82 80** **** **** **** 0004 active", "en",
		[]string{"090-004 Exit Re-entry Visa (Single): 0 of 0.00"},
		[]string{"rq-p04-1: Exit re-entry, single, up to 2 months for iqama 2******023, 200.00 from *0004, fee_consumed"},
		[]ask{{"rq-p04-1", "409 fee_consumed"}},
	},
	// Benefits from what p06 paid; sees neither the account nor what p06 makes of it.
	{
		"p05", "خالد عمر", "Khalid Omar", "iqama 2******031", "+9665*****005", "SA55 80** **** **** **** 0005 active", "ar",
		[]string{"090-007 Transfer of Sponsorship: 0 of 0.00"},
		[]string{"rq-p05-1: Transfer of sponsorship, 1st for iqama 2******031, 2000.00, payer_mismatch"},
		[]ask{{"rq-p05-1", "403 payer_mismatch"}},
	},
	// Paid it, so asks it back; above 1,000.00 by a code.
	{
		"p06", "يوسف إبراهيم", "Yousef Ibrahim", "iqama 2******049", "+9665*****006", "SA28 80** **** **** **** 0006 active", "ar",
		[]string{"090-007 Transfer of Sponsorship: 1 of 2000.00"},
		[]string{"rq-p05-1: Transfer of sponsorship, 1st for iqama 2******031, 2000.00 from *0006, refundable"},
		[]ask{{"rq-p05-1", creditedByCode}},
	},
	// Paid at another bank.
	{
		"p07", "راجيش كومار", "Rajesh Kumar", "iqama 2******056", "+9665*****007", "SA98 80** **** **** **** 0007 active", "en",
		[]string{"090-012 Change of Occupation: 0 of 0.00"},
		[]string{"rq-p07-1: Change of occupation for iqama 2******056, 1000.00, other_bank"},
		[]ask{{"rq-p07-1", "409 other_bank"}},
	},
	// An expired iqama is a warning and stands in nobody's way.
	{
		"p08", "ماريا سانتوس", "Maria Santos", "iqama 2******064", "+9665*****008", "SA71 80** **** **** **** 0008 active", "en",
		[]string{"090-003 Renew Iqama: 1 of 163.00"},
		[]string{"rq-p08-1: Renew Iqama, 3 months for iqama 2******064, 163.00 from *0008, refundable, id_expired"},
		[]ask{{"rq-p08-1", credited}},
	},
	// Three fees, of which the 1,200 is being refunded on the portal and stays so.
	{
		"p09", "طارق منصور", "Tariq Mansour", "iqama 2******072", "+9665*****009", "SA44 80** **** **** **** 0009 active", "ar",
		[]string{"090-003 Renew Iqama: 2 of 1150.00", "090-058 Dependent Fee (One Dependent): 0 of 0.00"},
		[]string{
			"rq-p09-3: Renew Iqama, family member for iqama 2******072, 500.00 from *0009, refundable",
			"rq-p09-1: Renew Iqama, 12 months for iqama 2******072, 650.00 from *0009, refundable",
			"rq-p09-2: Dependent fee, 3 months for iqama 2******072, 1200.00 from *0009, refund_exists",
		},
		[]ask{{"rq-p09-1", credited}, {"rq-p09-2", "409 refund_exists"}, {"rq-p09-3", credited}},
	},
	// The account that paid is closed.
	{
		"p10", "سامي خليل", "Sami Khalil", "iqama 2******080", "+9665*****010", "SA17 80** **** **** **** 0010 closed", "ar",
		[]string{"090-003 Renew Iqama: 0 of 0.00"},
		[]string{"rq-p10-1: Renew Iqama, 12 months for iqama 2******080, 650.00 from *0010, account_closed"},
		[]ask{{"rq-p10-1", "409 account_closed"}},
	},
	// No balance; and what is E01's is nobody's here.
	{
		"p11", "فهد الدوسري", "Fahad Aldosari", "national_id 1******033", "+9665*****011", "SA87 80** **** **** **** 0011 active", "ar",
		nil, nil,
		[]ask{{"rq-p01-1", "404 not_found"}, {"rq-e01-1", "404 not_found"}},
	},
	// No phone that a code could go to: only a branch helps.
	{
		"p12", "منيرة الشمري", "Munira Alshammari", "", "", "", "",
		nil, nil,
		[]ask{{"rq-p12-1", "403 step_up_required"}},
	},
	// An employer's two fees of 6,000: together more than an online day allows, so the second is for a branch.
	{
		"p13", "عبدالله الحربي", "Abdullah Alharbi", "national_id 1******058", "+9665*****013", "SA33 80** **** **** **** 0013 active", "ar",
		[]string{"090-007 Transfer of Sponsorship: 2 of 12000.00"},
		[]string{
			"rq-p13-2: Transfer of sponsorship, 3rd or later for iqama 2******106, 6000.00 from *0013, refundable",
			"rq-p13-1: Transfer of sponsorship, 3rd or later for iqama 2******098, 6000.00 from *0013, refundable",
		},
		[]ask{{"rq-p13-1", creditedByCode}, {"rq-p13-2", overTheLimit}},
	},
	// The first send has its effect and is never answered: nothing is sent again, and the money arrives.
	{
		"p14", "هند الغامدي", "Hind Alghamdi", "national_id 1******066", "+9665*****014", "SA06 80** **** **** **** 0014 active", "ar",
		[]string{"092-037 Renew Passport: 1 of 600.00"},
		[]string{"rq-p14-1: Renew passport, 10 years for national_id 1******066, 600.00 from *0014, refundable"},
		[]ask{{"rq-p14-1", creditedLate}},
	},
}

// TestPeople: each of the fourteen is one case, and behaves as its row says: told before anything is asked of them, told
// again if they ask all the same, and held to it by the books in the end.
func TestPeople(t *testing.T) { inProcess(t, 0, everybody) }

func everybody(t *testing.T, w *banktest.World) {
	t.Run("people", func(t *testing.T) { // returns when all of them have got there
		for _, p := range people {
			t.Run(p.user, func(t *testing.T) {
				t.Parallel()
				visit(t, w.For(t), p)
			})
		}
	})
	refunds := 0
	for _, p := range people {
		for _, a := range p.asks {
			if a.pays() {
				refunds++
			}
		}
	}
	if v := w.Exact(); v.Confirmed != refunds || v.Effects != refunds || v.Unfinished != 0 {
		t.Errorf("of %d refunds the referee says %+v", refunds, v)
	}
	for _, user := range []string{"v01", "e01"} { // at the core and its portal, and not at the bank
		form := url.Values{"grant_type": {"password"}, "username": {user}, "password": {sandbox.Password}}
		if answer, err := http.PostForm(w.URLs().Bank+"/token", form); err != nil || answer.StatusCode != http.StatusBadRequest {
			t.Errorf("%s signs in at the bank: %v, %v", user, answer, err)
		} else {
			_ = answer.Body.Close()
		}
	}
}

// TestPayerAlone: p05 benefits, p06 paid, and whatever p06 does, p05 learns nothing of it.
func TestPayerAlone(t *testing.T) { inProcess(t, 0, payerAlone) }

func payerAlone(t *testing.T, w *banktest.World) {
	p05, p06 := w.Customer("p05"), w.Customer("p06")
	p05.Prove()
	p06.Prove()
	before := p05.Do(http.MethodGet, "/v1/payments/e-payments/090-007/requests", nil).Want(200)
	preview := p06.Preview("rq-p05-1")
	p05.Do(http.MethodGet, "/v1/refunds/"+preview.RefundID, nil).Want(404, "not_found")
	p05.Do(http.MethodPost, "/v1/refunds/"+preview.RefundID+"/confirm", nil).Want(404, "not_found")
	p05.Do(http.MethodDelete, "/v1/refunds/"+preview.RefundID, nil).Want(404, "not_found")
	p06.Confirm(preview.RefundID).Want(202)
	p06.Await(preview.RefundID, "credited")
	p05.Do(http.MethodGet, "/v1/refunds/"+preview.RefundID, nil).Want(404, "not_found")
	after := p05.Do(http.MethodGet, "/v1/payments/e-payments/090-007/requests", nil).Want(200)
	if string(before.Body) != string(after.Body) {
		t.Errorf("p05 sees p06's refund: %s, before %s", after.Body, before.Body)
	}
	w.Exact()
}

// TestAccountsAndIDs: what is typed at step 9 must be the customer's own, in the order of the contract.
func TestAccountsAndIDs(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t)
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
