package sandboxseed_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/sandboxseed"
	"github.com/istirdad/istirdad/internal/saudi"
)

var now = time.Date(2026, 3, 8, 6, 10, 0, 0, time.UTC)

// The table of domain.md §7, typed again: number, mobile, IBAN, and the fees
// that wait for the person as "id service riyals state payer>beneficiary bank".
var customers = []struct {
	user, id, mobile, iban string
	requests               []string
}{
	{"p01", "1900000017", "+966500000001", "SA6680000555608000000001", []string{
		"rq-p01-1 092-037 600 available 1900000017>1900000017 80",
		"rq-v01-1 090-001 100 available 1900000017>3900000001 80",
	}},
	{"p02", "1900000025", "+966500000002", "SA3980000555608000000002", []string{
		"rq-p02-1 094-026 300 available 1900000025>900000002 80",
		"rq-p02-2 091-025 400 consumed 1900000025>1900000025 80",
	}},
	{"p03", "2900000015", "+966500000003", "SA1280000555608000000003", []string{
		"rq-p03-1 090-003 650 available 2900000015>2900000015 80",
	}},
	{"p04", "2900000023", "+966500000004", "SA8280000555608000000004", []string{
		"rq-p04-1 090-004 200 consumed 2900000023>2900000023 80",
	}},
	{"p05", "2900000031", "+966500000005", "SA5580000555608000000005", nil},
	{"p06", "2900000049", "+966500000006", "SA2880000555608000000006", []string{
		"rq-p05-1 090-007 2000 available 2900000049>2900000031 80",
	}},
	{"p07", "2900000056", "+966500000007", "SA9880000555608000000007", []string{
		"rq-p07-1 090-012 1000 available 2900000056>2900000056 10",
	}},
	{"p08", "2900000064", "+966500000008", "SA7180000555608000000008", []string{
		"rq-p08-1 090-003 163 available 2900000064>2900000064 80",
	}},
	{"p09", "2900000072", "+966500000009", "SA4480000555608000000009", []string{
		"rq-p09-1 090-003 650 available 2900000072>2900000072 80",
		"rq-p09-2 090-058 1200 refunding 2900000072>2900000072 80",
		"rq-p09-3 090-003 500 available 2900000072>2900000072 80",
	}},
	{"p10", "2900000080", "+966500000010", "SA1780000555608000000010", []string{
		"rq-p10-1 090-003 650 available 2900000080>2900000080 80",
	}},
	{"p11", "1900000033", "+966500000011", "SA8780000555608000000011", nil},
	{"p12", "1900000041", "", "SA6080000555608000000012", []string{
		"rq-p12-1 092-037 300 available 1900000041>1900000041 80",
	}},
	{"p13", "1900000058", "+966500000013", "SA3380000555608000000013", []string{
		"rq-p13-1 090-007 6000 available 1900000058>2900000098 80",
		"rq-p13-2 090-007 6000 available 1900000058>2900000106 80",
	}},
	{"p14", "1900000066", "+966500000014", "SA0680000555608000000014", []string{
		"rq-p14-1 092-037 600 available 1900000066>1900000066 80",
	}},
}

func TestEveryCaseIsAsTheDomainPageHasIt(t *testing.T) {
	w := sandboxseed.New(0, now)
	for _, want := range customers {
		p := person(t, w, want.user)
		if p.Role != sandboxseed.RoleCustomer || p.CustomerID != want.user || p.IDNumber != want.id || p.Mobile != want.mobile {
			t.Errorf("%s is %+v", want.user, p)
		}
		if len(p.Accounts) != 1 || p.Accounts[0].IBAN != want.iban || p.Accounts[0].Number != "555608000000"+"0"+want.user[1:] {
			t.Errorf("%s has accounts %+v", want.user, p.Accounts)
		}
		if diff := cmp.Diff(want.requests, paidBy(w, want.id)); diff != "" {
			t.Errorf("%s paid (-want +got):\n%s", want.user, diff)
		}
	}
	company := []string{
		"rq-e01-1 095-039 2000 available 7000000005>7000000005 20",
		"rq-e01-2 095-039 2000 available 7000000005>7000000005 20",
	}
	if diff := cmp.Diff(company, paidBy(w, "7000000005")); diff != "" {
		t.Errorf("E01 paid (-want +got):\n%s", diff)
	}
}

// paidBy lists what a payer paid, without what the cases do not settle.
func paidBy(w sandboxseed.World, payer string) []string {
	var lines []string
	for _, r := range w.Requests {
		if r.PayerNumber == payer {
			lines = append(lines, fmt.Sprintf("%s %s %d %s %s>%s %s",
				r.ID, r.Service, r.Amount/100, r.State, r.PayerNumber, r.BeneficiaryNumber, r.PaidThroughBank))
		}
	}
	return lines
}

func TestWhatMakesACaseAwkward(t *testing.T) {
	w := sandboxseed.New(3, now)
	for _, p := range w.People {
		if got, want := p.IDExpired, p.User == "p08"; got != want {
			t.Errorf("%s: id expired %v", p.User, got)
		}
		for _, a := range p.Accounts {
			want := sandboxseed.AccountActive
			if p.User == "p10" {
				want = sandboxseed.AccountClosed
			}
			if a.Status != want {
				t.Errorf("%s: account is %s, want %s", p.User, a.Status, want)
			}
		}
	}
	buckets := map[string]string{
		"rq-p09-1": moi.BucketPassports, "rq-p09-2": moi.BucketPassports, "rq-p09-3": moi.BucketSponsorees,
		"rq-p02-1": moi.BucketVehicles, "rq-p02-2": moi.BucketDrivingLicense, "rq-e01-1": moi.BucketLabour,
	}
	reasons := map[string]string{"rq-p02-2": "fee_consumed", "rq-p04-1": "fee_consumed", "rq-p09-2": "already_refunded"}
	for _, r := range w.Requests {
		if want, ok := buckets[r.ID]; ok && r.Bucket != want {
			t.Errorf("%s lies in %s, want %s", r.ID, r.Bucket, want)
		}
		if r.Reason != reasons[r.ID] || r.Refundable != (reasons[r.ID] == "") {
			t.Errorf("%s: refundable %v, reason %q", r.ID, r.Refundable, r.Reason)
		}
		if r.ID == "rq-p07-1" && r.PaidFromIBAN != "SA4810000000055500001001" {
			t.Errorf("p07 paid from %s", r.PaidFromIBAN)
		}
		if r.ID == "rq-p05-1" && r.PaidFromIBAN != person(t, w, "p06").Accounts[0].IBAN {
			t.Errorf("the sponsorship of p05 was paid from %s", r.PaidFromIBAN)
		}
	}
}

func TestStaff(t *testing.T) {
	want := map[string]string{
		"t01": "teller E100 101 [1900000074] [1900000033]",
		"t02": "teller E101 101 [1900000082] []",
		"t03": "teller E102 202 [1900000090] []",
		"a01": "approver E200 101 [] []",
		"a02": "approver E100 101 [1900000074] [1900000033]",
		"a03": "approver E201 back-office [] []",
		"o01": "operator E300 back-office [] []",
		"o02": "operator E301 back-office [] []",
	}
	got := map[string]string{}
	for _, p := range sandboxseed.New(1, now).People {
		if p.Role != sandboxseed.RoleCustomer {
			got[p.User] = fmt.Sprint(p.Role, " ", p.Employee, " ", p.Branch, " ", p.OwnIDs, " ", p.Relatives)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("staff (-want +got):\n%s", diff)
	}
}

// The crowd is big here because load tests use one this big: making and
// checking it must stay a matter of a moment.
func TestEverythingIsValidAndUnique(t *testing.T) {
	w := sandboxseed.New(10_000, now)
	seen := map[string]string{}
	unique := func(what, value, of string) {
		if other, dup := seen[what+value]; dup && value != "" {
			t.Fatalf("%s and %s share the %s %s", of, other, what, value)
		}
		seen[what+value] = of
	}
	ibans := map[string]bool{}
	for _, p := range w.People {
		unique("user", p.User, p.User)
		checkName(t, p.User, p.Name)
		if p.Role != sandboxseed.RoleCustomer {
			for _, id := range slices.Concat(p.OwnIDs, p.Relatives) {
				checkParty(t, p.User, string(saudi.KindNationalID), id)
			}
			continue
		}
		unique("id", p.IDNumber, p.User)
		unique("mobile", p.Mobile, p.User)
		checkParty(t, p.User, p.IDKind, p.IDNumber)
		if m, err := saudi.ParseMobile(p.Mobile); p.Mobile != "" && (err != nil || m.E164() != p.Mobile) {
			t.Fatalf("%s: mobile %s: %v", p.User, p.Mobile, err)
		}
		if p.Language != "ar" && p.Language != "en" {
			t.Fatalf("%s: language %q", p.User, p.Language)
		}
		for _, a := range p.Accounts {
			unique("account id", a.AccountID, p.User)
			unique("iban", a.IBAN, p.User)
			checkName(t, p.User, a.Label)
			if iban, err := saudi.ParseAccount(a.Number, sandboxseed.BankCode); err != nil || iban.Compact() != a.IBAN {
				t.Fatalf("%s: account %s is not %s: %v", p.User, a.Number, a.IBAN, err)
			}
			ibans[a.IBAN] = true
		}
	}
	for _, r := range w.Requests {
		unique("request", r.ID, r.ID)
		checkRequest(t, r)
		if ours := r.PaidThroughBank == sandboxseed.BankCode; ours != ibans[r.PaidFromIBAN] {
			t.Fatalf("%s: paid through bank %s from an account that contradicts it", r.ID, r.PaidThroughBank)
		}
	}
}

func checkRequest(t *testing.T, r sandboxseed.Request) {
	t.Helper()
	checkName(t, r.ID, r.Variant)
	checkParty(t, r.ID, r.BeneficiaryKind, r.BeneficiaryNumber)
	checkParty(t, r.ID, r.PayerKind, r.PayerNumber)
	if s, ok := moi.Lookup(r.Service); !ok || !s.Refundable {
		t.Fatalf("%s: service %s is not one that is refunded", r.ID, r.Service)
	}
	if !slices.ContainsFunc(moi.Buckets(), func(b moi.Bucket) bool { return b.ID == r.Bucket }) {
		t.Fatalf("%s: no bucket %q", r.ID, r.Bucket)
	}
	iban, err := saudi.ParseIBAN(r.PaidFromIBAN)
	if err != nil || iban.BankCode() != r.PaidThroughBank {
		t.Fatalf("%s: paid from %s through %s: %v", r.ID, r.PaidFromIBAN, r.PaidThroughBank, err)
	}
	if r.Amount <= 0 || !r.PaidAt.Before(now) || r.PaidAt.Location() != time.UTC {
		t.Fatalf("%s: %d halalas at %s", r.ID, r.Amount, r.PaidAt)
	}
}

func checkParty(t *testing.T, of, kind, number string) {
	t.Helper()
	if _, err := saudi.NewParty(saudi.Kind(kind), number); err != nil {
		t.Fatalf("%s: %s %s: %v", of, kind, number, err)
	}
}

func checkName(t *testing.T, of string, n sandboxseed.Name) {
	t.Helper()
	if n.AR == "" || n.EN == "" || strings.ContainsFunc(n.EN, func(r rune) bool { return r > 127 }) {
		t.Fatalf("%s: name %+v", of, n)
	}
}

func TestCrowd(t *testing.T) {
	w := sandboxseed.New(2, now)
	p := person(t, w, "c00002")
	if got, want := p.IDNumber[:9], "295000002"; got != want || p.Mobile != "+966510000002" || p.Accounts[0].Number != "555700000000002" {
		t.Errorf("c00002 is %+v", p)
	}
	n := 0
	for _, r := range w.Requests {
		if r.PayerNumber == p.IDNumber {
			n++
			if r.Amount != 163_00 || r.Service != "090-003" || r.BeneficiaryNumber != p.IDNumber || r.State != sandboxseed.StateAvailable {
				t.Errorf("c00002 paid %+v", r)
			}
		}
	}
	if n != 3 {
		t.Errorf("c00002 has %d requests, want 3", n)
	}
	if got, want := len(w.People), 14+8+2; got != want {
		t.Errorf("%d people, want %d", got, want)
	}
}

func TestEmployer(t *testing.T) {
	w := sandboxseed.New(0, now)
	people, requests := len(w.People), len(w.Requests)
	w.AddEmployer(0, now)
	if len(w.People) != people || len(w.Requests) != requests {
		t.Error("an employer of nobody is there all the same")
	}
	w.AddEmployer(1000, now)
	p := person(t, w, sandboxseed.Employer)
	checkParty(t, p.User, p.IDKind, p.IDNumber)
	if p.Role != sandboxseed.RoleCustomer || len(w.People) != people+1 || len(p.Accounts) != 1 {
		t.Errorf("the employer is %+v", p)
	}
	ids, consumed, services := map[string]bool{}, 0, map[string]int{}
	for _, r := range w.Requests[requests:] {
		checkRequest(t, r)
		if ids[r.ID] = true; r.PayerNumber != p.IDNumber || r.BeneficiaryNumber == p.IDNumber || r.PaidFromIBAN != p.Accounts[0].IBAN {
			t.Fatalf("the employer paid %+v", r)
		}
		services[r.Service]++
		if r.State == sandboxseed.StateConsumed {
			consumed++
		}
	}
	if len(ids) != 1000 || consumed != 142 || services["090-003"] != 500 || len(services) != 5 {
		t.Errorf("%d fees, %d of them used up, of %v", len(ids), consumed, services)
	}
	// The oldest is the first, as with everybody.
	if first, last := w.Requests[len(w.Requests)-1], w.Requests[requests]; first.ID != "rq-employer-1" || !first.PaidAt.Before(last.PaidAt) {
		t.Errorf("the first fee is %s, of %v, the last %s", first.ID, first.PaidAt, last.ID)
	}
	known := map[string]bool{}
	for _, other := range w.People {
		if known[other.Mobile] && other.Mobile != "" || known[other.IDNumber] && other.Role == sandboxseed.RoleCustomer {
			t.Errorf("%s shares a number", other.User)
		}
		known[other.Mobile], known[other.IDNumber] = true, true
	}
}

func TestSameWorldEveryTime(t *testing.T) {
	a, b := sandboxseed.New(5, now), sandboxseed.New(5, now.Add(time.Hour))
	for i := range b.Requests {
		if got := b.Requests[i].PaidAt.Sub(a.Requests[i].PaidAt); got != time.Hour {
			t.Errorf("%s moved by %s", b.Requests[i].ID, got)
		}
		b.Requests[i].PaidAt = a.Requests[i].PaidAt
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("worlds differ:\n%s", diff)
	}
	a.People[0].Accounts[0].Status = sandboxseed.AccountFrozen
	if c := sandboxseed.New(5, now); c.People[0].Accounts[0].Status != sandboxseed.AccountActive {
		t.Error("a change of one world shows in the next")
	}
}

func person(t *testing.T, w sandboxseed.World, user string) sandboxseed.Person {
	t.Helper()
	i := slices.IndexFunc(w.People, func(p sandboxseed.Person) bool { return p.User == user })
	if i < 0 {
		t.Fatalf("there is no %s", user)
	}
	return w.People[i]
}
