package corebanking_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/bank/corebanking"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
)

const (
	reference = "RFK5EWJTN6GVB8STYT"
	iban      = "SA6680000555608000000001"
	about     = `"reference":"` + reference + `","iban":"` + iban + `","amount":20000`
	posted    = `{` + about + `,"state":"posted","posted_at":"2026-03-08T06:10:00Z","ledger_id":"LG0000000001"}`
	refused   = `{` + about + `,"state":"refused","code":"account_closed","final":true}`
	frozen    = `{` + about + `,"state":"refused","code":"account_frozen","final":true}`
	reused    = `{"reference":"` + reference + `","code":"reference_reused"}`
	nowhere   = `{"reference":"` + reference + `","code":"unknown_reference"}`
)

// TestCredit is every answer to both calls about a credit, and what it is taken for.
func TestCredit(t *testing.T) {
	const undocumented, malformed, mismatch = "unknown: undocumented", "unknown: malformed", "unknown: mismatch"
	for _, row := range []struct {
		name        string
		status      int
		body        string
		post, asked string // outcomes of Post and of Posting
	}{
		{"posted, 201", 201, posted, "posted LG0000000001", undocumented},
		{"posted, 200", 200, posted, "posted LG0000000001", "posted LG0000000001"},
		{"refused, 409", 409, refused, "refused account_closed", undocumented},
		{"refused, 409, frozen", 409, frozen, "refused account_frozen", undocumented},
		{"refused, 200", 200, refused, undocumented, "refused account_closed"},
		{"refused, 201", 201, refused, undocumented, undocumented},
		{"posted, 409", 409, posted, undocumented, undocumented},
		{"reused, 409", 409, reused, "reference_reused", undocumented},
		{"reused, 200", 200, reused, mismatch, mismatch},
		{"unknown, 404", 404, nowhere, undocumented, "unknown_reference"},
		{"unknown, 200", 200, nowhere, mismatch, mismatch},
		{"unknown, 409", 409, nowhere, mismatch, undocumented},
		{"more fields", 200, strings.Replace(posted, `{`, `{"branch":{"id":7},`, 1), "posted LG0000000001", "posted LG0000000001"},

		{"reused, another reference", 409, strings.Replace(reused, "RFK", "RFJ", 1), mismatch, undocumented},
		{"reused and posted", 409, strings.Replace(posted, `}`, `,"code":"reference_reused"}`, 1), undocumented, undocumented},
		{"unknown, another reference", 404, strings.Replace(nowhere, "RFK", "RFJ", 1), undocumented, undocumented},
		{"404 of another server", 404, "404 page not found", undocumented, undocumented},
		{"404 without a body", 404, "", undocumented, undocumented},
		{"409 without a body", 409, "", malformed, undocumented},

		{"another reference", 200, strings.Replace(posted, "RFK", "RFJ", 1), mismatch, mismatch},
		{"another account", 200, strings.Replace(posted, "0001", "0002", 1), mismatch, mismatch},
		{"account in groups", 200, strings.Replace(posted, iban, "SA66 8000 0555 6080 0000 0001", 1), mismatch, mismatch},
		{"another amount", 200, strings.Replace(posted, "20000", "20001", 1), mismatch, mismatch},
		{"refused, another amount", 409, strings.Replace(refused, "20000", "20001", 1), mismatch, undocumented},
		{"no reference", 200, strings.Replace(posted, `"reference":"`+reference+`",`, "", 1), mismatch, mismatch},
		{"no account", 200, strings.Replace(posted, `"iban":"`+iban+`",`, "", 1), mismatch, mismatch},
		{"no amount", 200, strings.Replace(posted, `,"amount":20000`, "", 1), mismatch, mismatch},

		{"posted without a ledger id", 200, strings.Replace(posted, "LG0000000001", "", 1), undocumented, undocumented},
		{"posted with an invisible ledger id", 200, strings.Replace(posted, "LG0000000001", `\u200f`, 1), undocumented, undocumented},
		{"posted without a time", 200, strings.Replace(posted, `"posted_at":"2026-03-08T06:10:00Z",`, "", 1), undocumented, undocumented},
		{"posted with a code", 200, strings.Replace(posted, `}`, `,"code":"account_closed"}`, 1), undocumented, undocumented},
		{"refused, not final", 409, strings.Replace(refused, "true", "false", 1), undocumented, undocumented},
		{"refused, final unsaid", 409, strings.Replace(refused, `,"final":true`, "", 1), undocumented, undocumented},
		{"refused, another code", 409, strings.Replace(refused, "account_closed", "account_asleep", 1), undocumented, undocumented},
		{"refused with a ledger id", 409, strings.Replace(refused, `}`, `,"ledger_id":"LG1"}`, 1), undocumented, undocumented},
		{"another state", 200, strings.Replace(posted, `"posted",`, `"pending",`, 1), undocumented, undocumented},
		{"no state", 200, strings.Replace(posted, `"state":"posted",`, "", 1), undocumented, undocumented},

		{"no JSON", 200, "<html>", malformed, malformed},
		{"no body", 200, "", malformed, malformed},
		{"null", 200, "null", mismatch, mismatch},
		{"a list", 200, "[" + posted + "]", malformed, malformed},
		{"cut short", 200, posted[:len(posted)-1], malformed, malformed},
		{"something after it", 200, posted + "{}", malformed, malformed},
		{"a name twice", 200, strings.Replace(posted, `{`, `{"state":"refused",`, 1), malformed, malformed},
		{"a name twice, in another case", 200, strings.Replace(posted, `{`, `{"STATE":"refused",`, 1), malformed, malformed},
		{"a name twice, folded", 200, strings.Replace(posted, `{`, `{"ſtate":"refused",`, 1), malformed, malformed},
		{"not UTF-8", 200, strings.Replace(posted, "LG", "\xff", 1), malformed, malformed},
		{"amount in words", 200, strings.Replace(posted, "20000", `"20000"`, 1), malformed, malformed},
		{"amount with a fraction", 200, strings.Replace(posted, "20000", "20000.5", 1), malformed, malformed},
		{"time that is none", 200, strings.Replace(posted, "2026-03-08T06:10:00Z", "yesterday", 1), malformed, malformed},
		{"too deep", 200, strings.Repeat("[", 1000) + strings.Repeat("]", 1000), malformed, malformed},
		{"too large", 200, strings.Replace(posted, `{`, `{"x":"`+strings.Repeat("x", 1<<20)+`",`, 1), "unknown: oversize", "unknown: oversize"},

		{"no content", 204, "", undocumented, undocumented},
		{"accepted", 202, posted, undocumented, undocumented},
		{"redirect", 302, posted, "unknown: redirect", "unknown: redirect"},
		{"redirect of a POST", 307, posted, "unknown: redirect", "unknown: redirect"},
		{"malformed request", 400, `{"code":"malformed_request"}`, undocumented, undocumented},
		{"unauthorized", 401, posted, "unknown: denied", "unknown: denied"},
		{"forbidden", 403, refused, "unknown: denied", "unknown: denied"},
		{"gone", 410, nowhere, undocumented, undocumented},
		{"unprocessable", 422, refused, undocumented, undocumented},
		{"rate limited", 429, refused, "unknown: rate_limited, after 7s", "unknown: rate_limited, after 7s"},
		{"server error", 500, posted, "unknown: server_error", "unknown: server_error"},
		{"bad gateway", 502, posted, "unknown: server_error", "unknown: server_error"},
		{"unavailable", 503, refused, "unknown: unavailable, after 7s", "unknown: unavailable, after 7s"},
		{"gateway timeout", 504, posted, "unknown: server_error", "unknown: server_error"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var calls int
			client := dialled(t, func(w http.ResponseWriter, _ *http.Request) {
				calls++
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Retry-After", "7")
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(row.status)
				fmt.Fprint(w, row.body)
			})
			if got := outcome(t)(client.Post(t.Context(), refund(t))); got != row.post {
				t.Errorf("Post: %s, want %s", got, row.post)
			}
			if got := outcome(t)(client.Posting(t.Context(), refund(t))); got != row.asked {
				t.Errorf("Posting: %s, want %s", got, row.asked)
			}
			if calls != 2 {
				t.Errorf("%d requests for 2 calls", calls)
			}
		})
	}
}

func TestCreditOnTheWire(t *testing.T) {
	var got []string
	client := dialled(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+r.RequestURI+" "+r.Header.Get("Content-Type")+" "+string(body))
		fmt.Fprint(w, posted)
	})
	outcome(t)(client.Post(t.Context(), refund(t)))
	outcome(t)(client.Posting(t.Context(), refund(t)))
	want := []string{
		`POST /bank/v1/credits application/json {"reference":"` + reference + `","iban":"` + iban + `","amount":20000,` +
			`"narrative":{"ar":"استرجاع مدفوعات وزارة الداخلية ` + reference + `","en":"Refunding MOI Payments ` + reference + `"}}`,
		`GET /bank/v1/credits/` + reference + `  `,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestNoCreditLeavesWithoutItsParts(t *testing.T) {
	client := dialled(t, func(http.ResponseWriter, *http.Request) { t.Error("it left") })
	for name, spoil := range map[string]func(*gateway.Refund){
		"reference": func(r *gateway.Refund) { r.Reference = "" },
		"account":   func(r *gateway.Refund) { r.To = saudi.IBAN{} },
		"amount":    func(r *gateway.Refund) { r.Payment.Amount = 0 },
	} {
		r := refund(t)
		spoil(&r)
		if got := outcome(t)(client.Post(t.Context(), r)); got != "not sent" {
			t.Errorf("without %s: %s", name, got)
		}
	}
	r := refund(t)
	for _, r.Reference = range []string{"", ".", "..", "a\nb", strings.Repeat("a", 129)} {
		if got := outcome(t)(client.Posting(t.Context(), r)); got != "not sent" {
			t.Errorf("%q: %s", r.Reference, got)
		}
	}
}

// TestSandbox: whatever a stand-in says, production believes none of it.
func TestSandbox(t *testing.T) {
	for _, status := range []int{200, 201, 404, 409, 503} {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Refund-Core", "sandbox")
			w.WriteHeader(status)
			fmt.Fprint(w, posted)
		})
		client := client(t, corebanking.Config{URL: server.URL, RefuseSandbox: true})
		_, postErr := client.Post(t.Context(), refund(t))
		_, askErr := client.Posting(t.Context(), refund(t))
		_, customerErr := client.Customer(t.Context(), "p01")
		_, _, recipientErr := client.Recipient(t.Context(), "p01")
		for _, err := range []error{postErr, askErr, customerErr, recipientErr} {
			var unknown *gateway.UnknownError
			if !errors.Is(err, corebanking.ErrSandbox) || !errors.As(err, &unknown) || unknown.Cause != "sandbox" {
				t.Errorf("%d: %v", status, err)
			}
		}
	}
}

func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{posted, refused, reused, nowhere, "", "null", `{"a":{"a":[]}}`, posted + "x"} {
		f.Add(200, seed)
		f.Add(409, seed)
	}
	var status int
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	f.Cleanup(server.Close)
	f.Fuzz(func(t *testing.T, s int, b string) {
		status, body = 200+(s&0x7fffffff)%400, b
		posting, err := client(t, corebanking.Config{URL: server.URL}).Post(t.Context(), refund(t))
		if err != nil {
			return
		}
		// What it believed must be there for everybody to read.
		var m struct {
			Reference, IBAN, State, Code string
			Amount                       int64
			LedgerID                     string `json:"ledger_id"`
		}
		if json.Unmarshal([]byte(b), &m) != nil || m.Reference != reference || m.IBAN != iban || m.Amount != 20000 ||
			m.LedgerID != posting.LedgerID || m.Code != posting.Refusal {
			t.Errorf("%d %q was taken for %+v", status, b, posting)
		}
	})
}

// outcome names what a call about a credit came to, and looks for personal data in its error.
func outcome(t *testing.T) func(gateway.Posting, error) string {
	return func(p gateway.Posting, err error) string {
		t.Helper()
		if err != nil {
			checkPrivate(t, err)
			if p != (gateway.Posting{}) {
				t.Errorf("%+v beside %v", p, err)
			}
		}
		var unknown *gateway.UnknownError
		switch {
		case err == nil && p.Refused():
			return "refused " + p.Refusal + p.LedgerID
		case err == nil:
			return "posted " + p.LedgerID
		case errors.Is(err, gateway.ErrNotSent):
			return "not sent"
		case errors.Is(err, gateway.ErrReferenceReused):
			return "reference_reused"
		case errors.Is(err, gateway.ErrUnknownReference):
			return "unknown_reference"
		case errors.As(err, &unknown) && unknown.After > 0:
			return fmt.Sprintf("unknown: %s, after %v", unknown.Cause, unknown.After)
		case errors.As(err, &unknown):
			return "unknown: " + unknown.Cause
		default:
			return "unforeseen: " + err.Error()
		}
	}
}

// checkPrivate looks into an error, and into all that it wraps, for what nobody may read in a log.
func checkPrivate(t *testing.T, err error) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, text := range []string{e.Error(), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e)} {
			for _, canary := range []string{"SA66", "0005556080", "1900000017", "96650000", "p01", "credits", "customers", "Sentinel"} {
				if strings.Contains(text, canary) {
					t.Errorf("%q is in an error: %s", canary, text)
				}
			}
		}
	}
}

func refund(t *testing.T) gateway.Refund {
	t.Helper()
	to, err := saudi.ParseIBAN(iban)
	if err != nil {
		t.Fatal(err)
	}
	return gateway.Refund{Reference: reference, To: to, Payment: gateway.Payment{Amount: 20000}}
}

func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func client(t *testing.T, cfg corebanking.Config) *corebanking.Client {
	t.Helper()
	c, err := corebanking.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// dialled is a client of a server with this handler.
func dialled(t *testing.T, handler http.HandlerFunc) *corebanking.Client {
	t.Helper()
	return client(t, corebanking.Config{URL: serve(t, handler).URL})
}
