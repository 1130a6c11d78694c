package api_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api/apitest"
	"github.com/istirdad/istirdad/internal/saudi"
)

// awaits has t01 ask for p12, who has no phone, so that somebody else must agree.
func awaits(w *banktest.World, teller string) (*banktest.Visit, string) {
	v := w.Teller(teller).Check("p12")
	refund := v.Preview("rq-p12-1").RefundID
	v.Confirm(refund).Want(202)
	return v, refund
}

// TestApproval: what t01 asked for with an identity check is shown with the note, approved by somebody else, and credited.
// The customer reads that the bank agreed.
func TestApproval(t *testing.T) {
	w := apitest.Start(t)
	branch, office, same := w.Approver("a01"), w.Approver("a03"), w.Approver("a02")
	_, refund := awaits(w, "t01")
	listed := branch.Do("GET", "/v1/approvals", nil).Want(200)
	hidden(t, answer{body: listed.Body}, "1900000041", "555608000000012", "session")
	a := branch.Awaiting(refund)
	midnight := saudi.DateOf(a.CreatedAt).AddDays(1).At(0, 0)
	if a.Amount.Amount != "300.00" || a.Service != "092-037" || a.Customer.CustomerID != "p12" || a.Customer.ID.Number != "1******041" ||
		a.Maker == nil || a.Maker.Login != "t01" || a.Maker.Employee != "E100" || *a.Branch != "101" || *a.Note != "seen by both of us" ||
		a.Channel != "counter" || len(a.Reasons) != 1 || a.Reasons[0].Code != "identity_check" || a.Reasons[0].Text.AR == "" || !a.ExpiresAt.Equal(midnight) {
		t.Errorf("it is shown as %s", listed.Body)
	}
	same.Awaiting(refund)
	same.Approve(refund, "fine", a.Digest).Want(403, "self_approval")
	same.Reject(refund, "no").Want(403, "self_approval")
	branch.Approve(refund, "fine", strings.Repeat("0", 64)).Want(409, "not_possible")
	branch.Approve(refund, "fine", strings.ToUpper(a.Digest)).Want(409, "not_possible")
	for _, note := range []string{"", " ", "\u200f\t", strings.Repeat("x", 501)} {
		branch.Approve(refund, note, a.Digest).Want(400, "malformed_request")
		branch.Reject(refund, note).Want(400, "malformed_request")
	}
	if n := len(office.List()); n != 1 {
		t.Errorf("the back office sees %d", n)
	}
	approved := office.Approve(refund, strings.Repeat("ن", 500), a.Digest).Want(200)
	if body := string(approved.Body); !strings.Contains(body, `"state":"queued"`) || !strings.Contains(body, a.Reference) {
		t.Errorf("approved is %s", body)
	}
	for _, by := range []*banktest.Approver{branch, office} {
		by.Approve(refund, "fine", a.Digest).Want(409, "already_decided")
		by.Reject(refund, "no").Want(409, "already_decided")
		if n := len(by.List()); n != 0 {
			t.Errorf("%d await approval", n)
		}
	}
	customer := w.Customer("p12")
	customer.Await(refund, "credited")
	if told := string(customer.Do("GET", "/v1/refunds/"+refund, nil).Want(200).Body); !strings.Contains(told, "Approved by the bank") {
		t.Errorf("the customer is told %s", told)
	}
	w.Exact()
}

// TestRejection: the customer's limit is whole again, the fee can be asked for anew, and the timeline says what happened.
func TestRejection(t *testing.T) {
	w := apitest.Start(t)
	branch, customer := w.Approver("a01"), w.Customer("p13")
	customer.Prove()
	customer.Confirm(customer.Preview("rq-p13-1").RefundID).Want(202)
	v := w.Teller("t01").Serve("p13")
	for range 2 { // the first leaves nothing behind
		refund := v.Preview("rq-p13-2").RefundID
		v.Confirm(refund).Want(202)
		if a := branch.Awaiting(refund); len(a.Reasons) != 1 || a.Reasons[0].Code != "above_limit" || a.Note != nil {
			t.Errorf("it awaits approval as %+v", a)
		}
		branch.Reject(refund, "the employer was not reached").Want(200)
		if r := customer.Refund(refund); r.State != "cancelled" || r.Status != "cancelled" {
			t.Errorf("to the customer it is %s, %s", r.State, r.Status)
		}
		told := string(customer.Do("GET", "/v1/refunds/"+refund, nil).Want(200).Body)
		paper := string(customer.Do("GET", "/v1/refunds/"+refund+"/receipt", nil).Want(200).Body)
		for _, text := range []string{told, paper} {
			if !strings.Contains(text, "The bank did not approve it") || strings.Contains(text, "the employer was not reached") {
				t.Errorf("the customer is told %s", text)
			}
		}
	}
	// Withdrawn before it was decided, it is nobody's to decide on any more.
	refund := v.Preview("rq-p13-2").RefundID
	v.Confirm(refund).Want(202)
	a := branch.Awaiting(refund)
	customer.Do("DELETE", "/v1/refunds/"+refund, nil).Want(204)
	branch.Approve(refund, "fine", a.Digest).Want(409, "already_decided")
	branch.Reject(refund, "no").Want(409, "already_decided")
	w.Exact()
}

// TestBranches: a branch's approver decides on that branch's, and anything else isn't there.
func TestBranches(t *testing.T) {
	w := apitest.Start(t)
	branch, office := w.Approver("a01"), w.Approver("a03")
	_, refund := awaits(w, "t03") // of branch 202
	queued := w.Customer("p03")
	queued.Prove()
	other := queued.Preview("rq-p03-1").RefundID
	queued.Confirm(other).Want(202)
	if n := len(branch.List()); n != 0 {
		t.Errorf("branch 101 sees %d of branch 202's", n)
	}
	digest := office.Awaiting(refund).Digest
	absent := branch.Approve(noRefund, "fine", digest).Want(404, "not_found")
	for _, id := range []string{refund, other} { // of another branch, and what awaits nobody's approval
		if got := branch.Approve(id, "fine", digest).Want(404, "not_found"); blank(got.Body) != blank(absent.Body) {
			t.Errorf("%s is told from one that never was: %s", id, got.Body)
		}
		branch.Reject(id, "no").Want(404, "not_found")
	}
	office.Approve(other, "fine", digest).Want(404, "not_found")
	office.Approve(refund, "fine", digest).Want(200)
	w.Exact()
}

// TestOneDecision: of many approvers at once one decides, whatever they decide.
func TestOneDecision(t *testing.T) {
	w := apitest.Start(t)
	_, refund := awaits(w, "t01")
	a := w.Approver("a01").Awaiting(refund)
	var (
		mu    sync.Mutex
		codes []string
	)
	w.Together(16, func(n int, w *banktest.World) {
		by := w.Approver([]string{"a01", "a03"}[n%2])
		var got *banktest.Response
		if n%4 < 2 {
			got = by.Approve(refund, "fine", a.Digest)
		} else {
			got = by.Reject(refund, "no")
		}
		mu.Lock()
		defer mu.Unlock()
		codes = append(codes, got.Code())
	})
	if slices.Sort(codes); codes[0] != "" || codes[1] != "already_decided" || len(slices.Compact(codes)) != 2 {
		t.Errorf("answered was %q", codes)
	}
	w.Exact()
}

// TestUnblock: p01 mistyped five codes. The branch sees them and lets them in again; nobody lets in themselves or theirs.
func TestUnblock(t *testing.T) {
	w := apitest.Start(t)
	p, branch := phoneOf(t, w, "p01"), w.Approver("a01")
	p.c.Prove()
	refund, other := p.c.Preview("rq-p01-1").RefundID, p.c.Preview("rq-v01-1").RefundID
	w.Forgive("p01")
	first, _, wrong := p.challenge("profile", "")
	for range 3 {
		p.verify(first.ID, wrong).want(422, "code_wrong")
	}
	second, right, wrong := p.challenge("refund", refund)
	for range 2 {
		p.confirm(refund, second.ID, wrong).want(422, "code_wrong")
	}
	p.confirm(refund, second.ID, right).want(423, "locked")

	branch.Unblock("1900000090", "who?").Want(404, "not_found")
	branch.Unblock("1900000018", "who?").Want(422, "id_invalid")
	branch.Unblock("1900000017", " ").Want(400, "malformed_request")
	w.Approver("a02").Unblock("1900000074", "myself").Want(403, "forbidden")
	w.Approver("a02").Unblock("1900000033", "my brother").Want(403, "forbidden")
	p.post("/v1/otp/challenges", map[string]string{"purpose": "profile"}).want(423, "locked")
	branch.Unblock("١٩٠٠٠٠٠٠١٧", "came with his ID").Want(204)
	third, right, _ := p.challenge("refund", other) // the code before it was sent a moment ago
	p.confirm(other, third.ID, right).want(202)
	for range 48 { // the branch's approver has looked at two already
		branch.Unblock("1900000090", "who?").Want(404, "not_found")
	}
	branch.Unblock("1900000017", "again").Want(429, "rate_limited")
	w.Approver("a03").Unblock("1900000017", "again").Want(204)
}

// TestFlags: p13 paid for others. Approvers are told, the teller isn't, by whichever login, and neither is the customer.
func TestFlags(t *testing.T) {
	w := apitest.Start(t)
	branch, same, v := w.Approver("a01"), w.Approver("a02"), w.Teller("t01").Serve("p13")
	v.Confirm(v.Preview("rq-p13-1").RefundID).Want(202)
	refund := v.Preview("rq-p13-2").RefundID
	confirmed := v.Confirm(refund).Want(202)
	if a := branch.Awaiting(refund); len(a.Flags) != 1 || a.Flags[0].Code != "other_beneficiary" || a.Flags[0].Text.AR == "" || len(a.Reasons) != 1 {
		t.Errorf("the approver is shown %+v", a)
	}
	if a := same.Awaiting(refund); len(a.Flags) != 0 || a.Reasons[0].Code != "above_limit" {
		t.Errorf("the teller is shown %+v", a)
	}
	for _, got := range []*banktest.Response{
		confirmed, v.Do("GET", "/v1/refunds/"+refund, nil), v.Do("GET", "/v1/refunds", nil), v.Do("GET", "/v1/refunds/"+refund+"/receipt", nil),
	} {
		hidden(t, answer{body: got.Body}, "other_beneficiary", "flags", "paid for another person")
	}
}

// TestHeldOnline: a bank that has such refunds wait gets them approved by its back office, for no branch has them.
func TestHeldOnline(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "profile.yaml")
	if err := os.WriteFile(profile, []byte("sms: {sender: Istirdad}\napprovals: {hold: [other_beneficiary]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := apitest.Start(t, banktest.Profile(profile))
	branch, office, p06, p01 := w.Approver("a01"), w.Approver("a03"), w.Customer("p06"), w.Customer("p01")
	for _, c := range []*banktest.Customer{p06, p01} {
		c.Prove()
	}
	own := p01.Preview("rq-p01-1").RefundID
	p01.Confirm(own).Want(202)
	p01.Await(own, "credited")
	preview := p06.Preview("rq-p05-1")
	if p06.Confirm(preview.RefundID).Want(202); preview.ApprovalRequired || p06.Refund(preview.RefundID).State != "awaiting_approval" {
		t.Errorf("it was announced as %+v", preview)
	}
	a := office.Awaiting(preview.RefundID)
	if a.Channel != "online" || a.Maker != nil || a.Branch != nil || a.Note != nil || len(a.Reasons) != 1 || a.Reasons[0].Code != "other_beneficiary" {
		t.Errorf("the back office is shown %+v", a)
	}
	branch.Approve(a.RefundID, "fine", a.Digest).Want(404, "not_found")
	office.Approve(a.RefundID, "fine", a.Digest).Want(200)
	p06.Await(a.RefundID, "credited")
	w.Exact()
}

// TestFlagsAsTheBankSetsThem: at the number that its profile says a refund waits, and before it it doesn't.
func TestFlagsAsTheBankSetsThem(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "profile.yaml")
	const text = `sms: {sender: Istirdad}
limits: {confirm_code_above: "50000.00", online_limit: "50000.00", counter_limit: "50000.00", approve_above: "50000.00"}
approvals: {hold: [account_of_many, codes_resent, teller_looks]}
flags: {account_of_many: {people: 2, days: 1}, codes_resent: 3, teller_looks: 2}
`
	if err := os.WriteFile(profile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w := apitest.Start(t, banktest.Profile(profile))
	office, teller := w.Approver("a03"), w.Teller("t01")
	wantHeld := func(refund, flag string) {
		t.Helper()
		if a := office.Awaiting(refund); len(a.Reasons) != 1 || a.Reasons[0].Code != flag {
			t.Errorf("it waits for %+v, want %s", a.Reasons, flag)
		}
	}

	p13 := w.Customer("p13") // paid for two people
	p13.Prove()
	first, second := p13.Preview("rq-p13-1").RefundID, p13.Preview("rq-p13-2").RefundID
	p13.Confirm(first).Want(202)
	p13.Confirm(second).Want(202)
	p13.Await(first, "credited")
	wantHeld(second, "account_of_many")

	p09 := w.Customer("p09")
	p09.Prove() // the first code
	first, second = p09.Preview("rq-p09-1").RefundID, p09.Preview("rq-p09-3").RefundID
	for _, refund := range []string{first, second} {
		p09.Do("POST", "/v1/refunds/"+refund+"/confirm", p09.RefundCode(refund)).Want(202)
	}
	p09.Await(first, "credited")
	wantHeld(second, "codes_resent")

	p01 := teller.Serve("p01")
	first = p01.Preview("rq-p01-1").RefundID
	p01.Confirm(first).Want(202)
	p01.Await(first, "credited")
	p03 := teller.Serve("p03")
	second = p03.Preview("rq-p03-1").RefundID
	p03.Confirm(second).Want(202)
	wantHeld(second, "teller_looks")
	w.Exact()
}

// TestLooksShown: who looked how often, and at what they may not; those at a branch to its supervisors, and all of them to
// the back office. Whom they looked at isn't told.
func TestLooksShown(t *testing.T) {
	w := apitest.Start(t)
	t01, t03 := w.Teller("t01"), w.Teller("t03")
	t01.Look("1900000017", nil).Want(201)
	t01.Look("1900000033", nil).Want(403, "forbidden")
	for range 48 {
		t01.Look("1900000090", nil).Want(404, "not_found")
	}
	for range 2 {
		t01.Look("1900000017", nil).Want(429, "rate_limited")
	}
	t03.Look("1900000074", nil).Want(404, "not_found") // of the staff, and no customer
	day := saudi.DateOf(time.Now()).String()
	here := banktest.Looks{Employee: "E100", Branch: "101", Day: day, Looks: 50, Unknown: 48, Forbidden: 1, Refused: 2, Limit: 50}
	there := banktest.Looks{Employee: "E102", Branch: "202", Day: day, Looks: 1, Unknown: 1, Limit: 50}
	if got := w.Approver("a01").Lookups(); !slices.Equal(got, []banktest.Looks{here}) {
		t.Errorf("the branch sees %+v", got)
	}
	if got := w.Approver("a03").Lookups(); !slices.Equal(got, []banktest.Looks{there, here}) {
		t.Errorf("the back office sees %+v", got)
	}
	t01.Do("GET", "/v1/lookups", nil).Want(403, "forbidden")
}
