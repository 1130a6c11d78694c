package sandboxbank_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func same(t *testing.T, got answer, status int, want string) {
	t.Helper()
	if got.status != status {
		t.Errorf("answered %d, want %d: %s", got.status, status, got.body)
		return
	}
	var w map[string]any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w, got.fields(t)); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

const (
	salman = `{"customer_id":"p01","name":{"ar":"سلمان العتيبي","en":"Salman Alotaibi"},
		"id":{"kind":"national_id","number":"1900000017"},"id_expired":false,
		"mobile":"+966500000001","mobile_changed_at":null,"language":"ar",
		"accounts":[{"account_id":"acc-p01-1","iban":"SA6680000555608000000001",
			"label":{"ar":"الحساب الجاري","en":"Current account"},"currency":"SAR","status":"active"}]}`
	notFound  = `{"code":"not_found"}`
	malformed = `{"code":"malformed_request"}`
)

func TestCustomers(t *testing.T) {
	r := start(t, "")
	same(t, r.get("/bank/v1/customers/p01"), http.StatusOK, salman)
	same(t, r.post("/bank/v1/customers/search", `{"id_number":"1900000017"}`), http.StatusOK, salman)

	for _, path := range []string{"/bank/v1/customers/p99", "/bank/v1/customers/t01", "/bank/v1/customers/search"} {
		same(t, r.get(path), http.StatusNotFound, notFound)
	}
	for _, id := range []string{"2000000006", "1900000074"} { // nobody's; a teller's, who is no customer
		same(t, r.post("/bank/v1/customers/search", `{"id_number":"`+id+`"}`), http.StatusNotFound, notFound)
	}
	for _, body := range []string{``, `{}`, `[]`, `{"id_number":"1900000016"}`, `{"id_number":1900000017}`,
		`{"id_number":"1900000017","x":1}`, `{"id_number":"1900000017"}{}`, "{\"id_number\":\"\xff\"}"} {
		same(t, r.post("/bank/v1/customers/search", body), http.StatusBadRequest, malformed)
	}
}

func TestAwkwardCustomers(t *testing.T) {
	r := start(t, "")
	if got := r.get("/bank/v1/customers/p12").fields(t)["mobile"]; got != nil {
		t.Errorf("p12 has mobile %v", got)
	}
	if got := r.get("/bank/v1/customers/p08").fields(t)["id_expired"]; got != true {
		t.Errorf("p08's id has expired: %v", got)
	}
	status := func(user string) any {
		accounts := r.get("/bank/v1/customers/" + user).fields(t)["accounts"].([]any)
		return accounts[0].(map[string]any)["status"]
	}
	if got := status("p10"); got != "closed" {
		t.Errorf("p10's account is %v", got)
	}
	if err := r.bank.SetAccountStatus("SA6680000555608000000001", "frozen"); err != nil {
		t.Fatal(err)
	}
	if got := status("p01"); got != "frozen" {
		t.Errorf("p01's account was frozen and is %v", got)
	}
	if err := r.bank.Reset(); err != nil {
		t.Fatal(err)
	}
	if got := status("p01"); got != "active" {
		t.Errorf("after a reset p01's account is %v", got)
	}
	if r.bank.SetAccountStatus("SA6680000555608000000001", "gone") == nil || r.bank.SetAccountStatus("SA4810000000055500001001", "closed") == nil {
		t.Error("an unknown status or account was taken")
	}
}

func TestStaff(t *testing.T) {
	r := start(t, "")
	same(t, r.get("/bank/v1/staff/E100"), http.StatusOK, `{"employee":"E100","name":{"ar":"ماجد السبيعي","en":"Majed Alsubaie"},
		"branch":"101","own_ids":["1900000074"],"relatives":["1900000033"]}`)
	same(t, r.get("/bank/v1/staff/E300"), http.StatusOK, `{"employee":"E300","name":{"ar":"دانة البقمي","en":"Dana Albaqami"},
		"branch":"back-office","own_ids":[],"relatives":[]}`)
	for _, id := range []string{"E999", "t01", "p01"} {
		same(t, r.get("/bank/v1/staff/"+id), http.StatusNotFound, notFound)
	}
}
