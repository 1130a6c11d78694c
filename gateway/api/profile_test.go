package api_test

import (
	"cmp"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api"
	"github.com/istirdad/istirdad/gateway/api/apitest"
	"github.com/istirdad/istirdad/internal/config"
)

// english asks for problems in English.
var english = http.Header{"Accept-Language": {"en"}}

type shownMenu struct {
	Name  api.Text
	Items []struct {
		ID   string
		Name api.Text
	}
	Notices []struct {
		Text        api.Text
		From, Until time.Time
	}
}

// TestShippedProfiles walks the path in the words of each profile that is shipped: menu, sectors, services, codes, messages.
func TestShippedProfiles(t *testing.T) {
	files, err := filepath.Glob("../../configs/profiles/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			profile, err := config.LoadProfile(file)
			if err != nil {
				t.Fatal(err)
			}
			terms := profile.Terms("80")
			w := apitest.Start(t, banktest.Profile(file))
			p := phoneOf(t, w, "p03")
			c, code, _ := p.challenge("profile", "")
			if c.Digits != terms.Code.Digits || len(code) != terms.Code.Digits {
				t.Errorf("%d digits announced, %d sent, want %d", c.Digits, len(code), terms.Code.Digits)
			}
			within(t, "expires_at", c.ExpiresAt, time.Now().Add(-10*time.Second), time.Now(), terms.Code.Life)
			sms := p.c.Phone().Messages(t)[0]
			if channel := terms.Brand.Channel; sms.Sender != terms.Brand.Sender || !strings.Contains(sms.Text, channel.EN) && !strings.Contains(sms.Text, channel.AR) {
				t.Errorf("from %s: %s", sms.Sender, sms.Text)
			}
			p.verify(c.ID, code).want(200)

			var menu shownMenu
			p.ask(ask{method: "GET", path: "/v1/payments", token: p.c.Token}).want(200).json(&menu)
			if menu.Name != api.Text(terms.Menu.Name) || len(menu.Items) != len(terms.Menu.Entries) || menu.Notices == nil {
				t.Errorf("the menu is %+v", menu)
			}
			ids := map[string]bool{}
			for i, item := range menu.Items {
				ids[item.ID] = true
				if item.ID != terms.Menu.Entries[i].ID || item.Name != api.Text(terms.Menu.Entries[i].Name) {
					t.Errorf("entry %d is %+v", i, item)
				}
			}
			if !ids["e-payments"] {
				t.Error("nothing leads to the services")
			}
			var services struct {
				Items []struct {
					Service      string
					Name, Sector api.Text
				}
			}
			p.ask(ask{method: "GET", path: "/v1/payments/e-payments", token: p.c.Token}).want(200).json(&services)
			named := terms.Describe("090-003")
			if len(services.Items) != 1 || services.Items[0].Name != api.Text(named.Name) || services.Items[0].Sector != api.Text(named.Sector) {
				t.Errorf("the services are %+v, want %+v", services.Items, named)
			}
			p.ask(ask{method: "GET", path: "/v1/payments/e-payments/090-003/requests", token: p.c.Token}).want(200)

			before := time.Now()
			preview := p.c.Preview("rq-p03-1")
			if by := terms.Calendar.Promise(before, terms.PromiseDays).String(); preview.PromisedBy != by {
				t.Errorf("promised by %s, want %s", preview.PromisedBy, by)
			}
			if needs := terms.ConfirmCodeAbove == 0; (preview.ConfirmRequires == "code") != needs {
				t.Errorf("650.00 needs %s", preview.ConfirmRequires)
			}
			p.c.Confirm(preview.RefundID).Want(202)
			p.c.Await(preview.RefundID, "credited")
		})
	}
}

// TestProfileChanges: what business people write in the file is what customers see a few seconds later, and a request that
// is on its way isn't in between.
func TestProfileChanges(t *testing.T) {
	file := filepath.Join(t.TempDir(), "profile.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte("sms: {sender: Istirdad}\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	w := apitest.Start(t, banktest.Profile(file))
	p := phoneOf(t, w, "p03")
	const back, suspended = "Back at three", "The bank has suspended this refund for now"
	p.words = []string{back, "نعود الساعة الثالثة", suspended, "أوقف البنك استرداد هذه الخدمة مؤقتًا"}
	p.c.Prove()
	preview, other := p.c.Preview("rq-p03-1").RefundID, phoneOf(t, w, "p09")
	other.c.Prove()
	spare := other.c.Preview("rq-p09-3").RefundID
	get := func(path string) answer {
		t.Helper()
		return p.ask(ask{method: "GET", path: path, token: p.c.Token, header: english})
	}
	// until waits for the change to arrive.
	until := func(arrived func() bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !arrived(); time.Sleep(100 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the change doesn't arrive")
			}
		}
	}
	soon := time.Now().Add(20 * time.Minute).UTC().Format(time.RFC3339)

	write("services: {090-003: {suspended: {ar: أوقف البنك استرداد هذه الخدمة مؤقتًا, en: " + suspended + "}}}\n" +
		"notices: [{text: {ar: تنبيه, en: Note}, from: 2026-01-01T00:00:00+03:00, until: 2099-01-01T00:00:00Z}]\n")
	var menu shownMenu
	until(func() bool { get("/v1/payments").want(200).json(&menu); return len(menu.Notices) > 0 })
	if n := menu.Notices[0]; n.Text != (api.Text{AR: "تنبيه", EN: "Note"}) || n.From.Format(time.RFC3339) != "2025-12-31T21:00:00Z" {
		t.Errorf("the notice is %+v", n)
	}
	var listed struct {
		Items []struct {
			Refundable bool
			Reason     string
			ReasonText api.Text `json:"reason_text"`
		}
	}
	get("/v1/payments/e-payments/090-003/requests").want(200).json(&listed)
	if l := listed.Items[0]; l.Refundable || l.Reason != "service_not_refundable" || l.ReasonText.EN != suspended {
		t.Errorf("the request is %+v", l)
	}
	refused := p.ask(ask{method: "POST", path: "/v1/refunds", token: p.c.Token, header: http.Header{
		"Accept-Language": {"en"}, "Idempotency-Key": {"another"},
	}, body: asked(p.c, "rq-p03-1")}).want(422, "service_not_refundable")
	if detail := refused.problem().Detail; detail != suspended {
		t.Errorf("a preview is refused with %q", detail)
	}
	p.confirm(preview, "", "").want(202) // which was there before

	write("closures: [{from: 2026-01-01T00:00:00+03:00, until: " + soon + ", text: {ar: نعود الساعة الثالثة, en: " + back + "}}]\n")
	until(func() bool { return get("/v1/payments").StatusCode == http.StatusServiceUnavailable })
	for _, a := range []ask{
		{method: "GET", path: "/v1/payments"}, {method: "GET", path: "/v1/payments/e-payments"},
		{method: "GET", path: "/v1/payments/e-payments/090-003/requests"},
		{method: "POST", path: "/v1/refunds", header: key(), body: asked(p.c, "rq-p03-1")},
		{method: "POST", path: "/v1/otp/challenges", body: map[string]string{"purpose": "profile"}},
		{method: "POST", path: "/v1/otp/challenges", body: map[string]string{"purpose": "refund", "refund_id": spare}},
		{method: "POST", path: "/v1/balance-inquiries", body: map[string]string{"id_number": p.c.IDNumber()}},
		{method: "POST", path: "/v1/assisted-sessions", token: w.Customer("t01").Token, body: map[string]any{
			"id_number": p.c.IDNumber(), "document_seen": true,
		}},
	} {
		a.token = cmp.Or(a.token, p.c.Token)
		got := p.ask(a).want(503, "maintenance").problem()
		if got.RetryAfter < 15*60 || got.RetryAfter > 20*60 || got.Detail != "نعود الساعة الثالثة" {
			t.Errorf("%s %s: retry after %d, %q", a.method, a.path, got.RetryAfter, got.Detail)
		}
	}
	if got := get("/v1/payments").want(503).problem(); got.Detail != back || got.Title != "Closed for maintenance" {
		t.Errorf("in English: %q, %q", got.Title, got.Detail)
	}
	get("/v1/profile").want(200)
	get("/v1/refunds").want(200)
	get("/v1/refunds/" + preview).want(200)
	p.confirm(preview, "", "").want(202)
	other.post("/v1/refunds/"+spare+"/confirm", nil).want(202)
	w.Exact()

	write("closures: [{until: Canary}]\n")
	until(func() bool { return strings.Contains(string(w.Ops("/readyz").Body), `"profile"`) })
	if ready := w.Ops("/readyz"); ready.Status != http.StatusOK || !strings.Contains(string(ready.Body), `"degraded"`) {
		t.Errorf("/readyz says %d %s", ready.Status, ready.Body)
	}
	if scrape := string(w.Ops("/metrics").Body); !strings.Contains(scrape, "istirdad_ready{reason=\"profile\"} 0\n") || !strings.Contains(scrape, "istirdad_profile_info{sha256=\"") {
		t.Error("a scrape doesn't tell")
	}
	get("/v1/payments").want(503, "maintenance") // the profile before is in force
	write("")
	until(func() bool { return get("/v1/payments").StatusCode == http.StatusOK })
	if ready := w.Ops("/readyz"); strings.Contains(string(ready.Body), "profile") {
		t.Errorf("/readyz says %s", ready.Body)
	}
}
