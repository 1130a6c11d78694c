package corebanking_test

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/bank/corebanking"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

const record = `{"customer_id":"p01","name":{"ar":"سارة","en":"Sara"},"id":{"kind":"national_id","number":"1900000017"},` +
	`"id_expired":true,"mobile":"+966500000001","mobile_changed_at":"2026-03-01T09:00:00+03:00","language":"en","accounts":[` +
	`{"account_id":"a1","iban":"` + iban + `","label":{"ar":"جاري","en":"Current"},"currency":"SAR","status":"active"},` +
	`{"account_id":"a2","iban":"SA3980000555608000000002","label":{"ar":"ادخار","en":"Savings"},"currency":"USD","status":"frozen"}]}`

func TestCustomer(t *testing.T) {
	var path string
	c := dialled(t, func(w http.ResponseWriter, r *http.Request) {
		path = r.Method + " " + r.RequestURI
		fmt.Fprint(w, record)
	})
	got, err := c.Customer(t.Context(), "p01")
	if err != nil {
		t.Fatal(err)
	}
	want := bank.Customer{
		ID: "p01", Name: moi.Name{AR: "سارة", EN: "Sara"}, IdentityExpired: true, Language: otp.English,
		MobileChangedAt: time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC),
		Accounts: []bank.Account{
			{ID: "a1", Label: moi.Name{AR: "جاري", EN: "Current"}, Currency: "SAR", Status: bank.AccountActive},
			{ID: "a2", Label: moi.Name{AR: "ادخار", EN: "Savings"}, Currency: "USD", Status: bank.AccountFrozen},
		},
	}
	want.Identity, _ = saudi.NewParty(saudi.KindNationalID, "1900000017")
	want.Mobile, _ = saudi.ParseMobile("+966500000001")
	want.Accounts[0].IBAN, _ = saudi.ParseIBAN(iban)
	want.Accounts[1].IBAN, _ = saudi.ParseIBAN("SA3980000555608000000002")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if path != "GET /bank/v1/customers/p01" {
		t.Error(path)
	}
	mobile, language, err := c.Recipient(t.Context(), "p01")
	if mobile != want.Mobile || language != otp.English || err != nil {
		t.Errorf("Recipient = %v, %v, %v", mobile, language, err)
	}
}

// TestCustomerAnswers: a record is believed whole or not at all.
func TestCustomerAnswers(t *testing.T) {
	const undocumented, malformed = "unknown: undocumented", "unknown: malformed"
	with := func(old, replacement string) string {
		if !strings.Contains(record, old) {
			t.Fatalf("%q isn't in the record", old)
		}
		return strings.Replace(record, old, replacement, 1)
	}
	for _, row := range []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"as it is", 200, record, "found"},
		{"more fields", 200, with(`{`, `{"segment":"gold",`), "found"},
		{"no mobile", 200, with(`"+966500000001"`, `null`), "found"},
		{"change of mobile unknown", 200, with(`"2026-03-01T09:00:00+03:00"`, `null`), "found"},
		{"no accounts", 200, with(record[strings.Index(record, "[{"):], "[]}"), "found"},
		{"not found", 404, `{"code":"not_found"}`, "not found"},
		{"created", 201, record, undocumented},
		{"no content", 204, "", undocumented},
		{"redirect", 301, record, "unknown: redirect"},
		{"forbidden", 403, record, "unknown: denied"},
		{"gone", 410, record, undocumented},
		{"rate limited", 429, record, "unknown: rate_limited"},
		{"server error", 500, record, "unknown: server_error"},
		{"unavailable", 503, record, "unknown: unavailable"},
		{"somebody else", 200, with("p01", "p02"), "unknown: mismatch"},
		{"nobody", 200, "{}", "unknown: mismatch"},
		{"no JSON", 200, "<html>", malformed},
		{"cut short", 200, record[:len(record)-2], malformed},
		{"a name twice", 200, with(`{`, `{"mobile":"+966500000009",`), malformed},
		{"too large", 200, with(`{`, `{"x":"`+strings.Repeat("x", 1<<20)+`",`), "unknown: oversize"},
		{"no id", 200, with(`{"kind":"national_id","number":"1900000017"}`, `null`), undocumented},
		{"wrong check digit", 200, with("1900000017", "1900000018"), undocumented},
		{"id of another kind", 200, with("national_id", "iqama"), undocumented},
		{"an establishment", 200, with(`"national_id","number":"1900000017"`, `"establishment","number":"7001234567"`), undocumented},
		{"expiry unsaid", 200, with(`"id_expired":true,`, ``), undocumented},
		{"expiry null", 200, with(`"id_expired":true`, `"id_expired":null`), undocumented},
		{"expiry in words", 200, with(`"id_expired":true`, `"id_expired":"no"`), malformed},
		{"mobile as dialled", 200, with("+966500000001", "0500000001"), undocumented},
		{"mobile of elsewhere", 200, with("+966500000001", "+971500000001"), undocumented},
		{"empty mobile", 200, with("+966500000001", ""), undocumented},
		{"time that is none", 200, with("2026-03-01T09:00:00+03:00", "yesterday"), malformed},
		{"another language", 200, with(`"language":"en"`, `"language":"fr"`), undocumented},
		{"accounts unsaid", 200, with(`,"accounts":[`, `,"others":[`), undocumented},
		{"account without id", 200, with(`"account_id":"a1"`, `"account_id":""`), undocumented},
		{"account of another country", 200, with(iban, "GB29NWBK60161331926819"), undocumented},
		{"account in groups", 200, with(iban, "SA66 8000 0555 6080 0000 0001"), undocumented},
		{"account without currency", 200, with(`"currency":"SAR",`, ``), undocumented},
		{"account of another status", 200, with(`"active"`, `"dormant"`), undocumented},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := dialled(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(row.status)
				fmt.Fprint(w, row.body)
			})
			customer, err := c.Customer(t.Context(), "p01")
			if got := found(t, err); got != row.want {
				t.Errorf("%s, want %s", got, row.want)
			}
			if err != nil && !reflect.DeepEqual(customer, bank.Customer{}) {
				t.Errorf("%+v beside %v", customer, err)
			}
			mobile, language, err := c.Recipient(t.Context(), "p01")
			if row.want == "not found" {
				if !mobile.IsZero() || language != otp.Arabic || err != nil {
					t.Errorf("Recipient = %v, %v, %v; want no mobile", mobile, language, err)
				}
			} else if got := found(t, err); got != row.want || err != nil && !mobile.IsZero() {
				t.Errorf("Recipient: %s, %v; want %s", got, mobile, row.want)
			}
		})
	}
}

func found(t *testing.T, err error) string {
	t.Helper()
	var unknown *gateway.UnknownError
	switch {
	case err == nil:
		return "found"
	case errors.Is(err, bank.ErrNotFound):
		return "not found"
	case errors.As(err, &unknown):
		checkPrivate(t, err)
		return "unknown: " + unknown.Cause
	default:
		return err.Error()
	}
}

func TestCustomerIDStaysOneSegment(t *testing.T) {
	var path string
	c := dialled(t, func(w http.ResponseWriter, r *http.Request) {
		path = r.RequestURI
		w.WriteHeader(http.StatusNotFound)
	})
	for id, want := range map[string]string{
		"p01": "p01", "a/b": "a%2Fb", "../staff/E1": "..%2Fstaff%2FE1", "a?b#c": "a%3Fb%23c", "a%2Fb": "a%252Fb",
		"سارة": "%D8%B3%D8%A7%D8%B1%D8%A9", "...": "...",
		"": "", ".": "", "..": "", "a\nb": "", "\xff": "", strings.Repeat("a", 129): "",
	} {
		path = ""
		_, err := c.Customer(t.Context(), id)
		if want != "" {
			want = "/bank/v1/customers/" + want
		}
		if path != want || !errors.Is(err, bank.ErrNotFound) {
			t.Errorf("%q: asked %q, want %q; %v", id, path, want, err)
		}
	}
}

func TestCustomerOfABankThatIsDown(t *testing.T) {
	server := serve(t, nil)
	server.Close()
	c := client(t, corebanking.Config{URL: server.URL})
	if _, err := c.Customer(t.Context(), "p01"); err == nil || errors.Is(err, bank.ErrNotFound) {
		t.Error(err)
	}
	if mobile, _, err := c.Recipient(t.Context(), "p01"); err == nil || !mobile.IsZero() {
		t.Error("a bank that is down has no mobile of nobody")
	}
}

func length(s string) string { return strconv.Itoa(len(s)) }
