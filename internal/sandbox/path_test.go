package sandbox_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/internal/sandbox"
)

// TestPathD is the seed article's path of a refund through the bank, step by step, and what each answers to the letter.
func TestPathD(t *testing.T) {
	everywhere(t, 0, func(t *testing.T, w *banktest.World, _ int) { pathD(t, w) })
}

func pathD(t *testing.T, w *banktest.World) {
	openBank(t, w) // 1 open the bank's site, 2 sign in
	c := w.Customer("p03")
	openProfile(t, c)
	chooseRequest(t, c)
	id := continueWith(t, c, "rq-p03-1")
	reference := confirm(t, c, id)
	follow(t, c, id, reference)
	readReceipt(t, w)
	if v := w.Exact(); v.Confirmed != 1 || v.Effects != 1 || v.Unfinished != 0 {
		t.Errorf("the referee says %+v", v)
	}
}

// What the path shows of its refund at several steps.
var (
	iqamaYear  = object{"ar": "تجديد إقامة (سنة)", "en": "Renew Iqama, 12 months"}
	p03Person  = object{"kind": "iqama", "number": "2******015"}
	p03Account = "SA12 80** **** **** **** 0003"
)

func openBank(t *testing.T, w *banktest.World) {
	t.Helper()
	answer, err := http.Get(w.URLs().Bank + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var site struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&site); err != nil || site.Issuer != w.URLs().Bank || site.JWKS == "" {
		t.Fatalf("the bank says %+v of itself, %v", site, err)
	}
	grant, err := http.PostForm(w.URLs().Bank+"/token", url.Values{
		"grant_type": {"password"}, "username": {"p03"}, "password": {sandbox.Password},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer grant.Body.Close()
	var token struct {
		Token     string `json:"access_token"`
		Type      string `json:"token_type"`
		ExpiresIn int    `json:"expires_in"`
	}
	if err := json.NewDecoder(grant.Body).Decode(&token); err != nil || token.Type != "Bearer" || token.Token == "" || token.ExpiresIn <= 0 {
		t.Fatalf("the sign-in answers a %q for %d s, %v", token.Type, token.ExpiresIn, err)
	}
}

// openProfile is steps 3 and 4: the profile opens after a code.
func openProfile(t *testing.T, c *banktest.Customer) {
	t.Helper()
	matches(t, c.Do(http.MethodGet, "/v1/profile", nil), 403, refusal(403, "step_up_required", "/v1/profile", nil))
	matches(t, c.Do(http.MethodGet, "/v1/profile", nil, "Accept-Language", "en-GB, ar;q=0.5"), 403,
		refusal(403, "step_up_required", "/v1/profile", object{"title": latinWords, "detail": latinWords}))

	asked := time.Now()
	r := c.Do(http.MethodPost, "/v1/otp/challenges", `{"purpose":"profile"}`)
	matches(t, r, 201, object{
		"challenge_id": aChallenge, "purpose": "profile", "sent_to": "+9665*****003", "digits": 6,
		"expires_at": anInstant, "resend_after": anInstant, "attempts_left": 3,
	})
	var challenge struct {
		ID          string    `json:"challenge_id"`
		ExpiresAt   time.Time `json:"expires_at"`
		ResendAfter time.Time `json:"resend_after"`
	}
	r.JSON(&challenge)
	if life := challenge.ExpiresAt.Sub(asked).Round(time.Minute); life != 3*time.Minute {
		t.Errorf("a code lives %v, want three minutes", life)
	}
	if wait := challenge.ResendAfter.Sub(asked).Round(time.Minute); wait != time.Minute {
		t.Errorf("the next SMS may be asked for in %v, want a minute", wait)
	}

	code := c.Code()
	verify := "/v1/otp/challenges/" + challenge.ID + "/verify"
	matches(t, c.Do(http.MethodPost, verify, object{"code": notThe(code)}), 422,
		refusal(422, "code_wrong", verify, object{"attempts_left": 2}))
	matches(t, c.Do(http.MethodPost, verify, object{"code": eastern(code)}), 200,
		object{"verified": true, "proof_expires_at": anInstant})
	matches(t, c.Do(http.MethodPost, verify, object{"code": code}), 409, refusal(409, "code_used", verify, nil))

	matches(t, c.Do(http.MethodGet, "/v1/profile", nil), 200, object{
		"customer_id": "p03", "name": object{"ar": "أحمد حسن", "en": "Ahmed Hassan"}, "id": p03Person, "mobile": "+9665*****003",
		"accounts": array{object{
			"account_id": "acc-p03-1", "iban": p03Account, "label": object{"ar": "الحساب الجاري", "en": "Current account"},
			"currency": "SAR", "status": "active",
		}},
	})
}

// notThe is a code of the same length that isn't this one.
func notThe(code string) string {
	return code[:len(code)-1] + string('0'+(code[len(code)-1]-'0'+1)%10)
}

// eastern writes digits as people in Riyadh type them.
func eastern(digits string) string {
	return strings.Map(func(r rune) rune { return r - '0' + '٠' }, digits)
}

// chooseRequest is steps 5 to 8: payments, e-payments, the service, the request.
func chooseRequest(t *testing.T, c *banktest.Customer) {
	t.Helper()
	matches(t, c.Do(http.MethodGet, "/v1/payments", nil), 200, object{"name": object{"ar": "المدفوعات", "en": "Payments"}, "items": array{
		object{"id": "e-payments", "name": object{"ar": "المدفوعات الإلكترونية", "en": "e-payments"}},
	}, "notices": array{}})
	matches(t, c.Do(http.MethodGet, "/v1/payments/e-payments", nil), 200, object{"items": array{object{
		"service": "090-003", "name": object{"ar": "تجديد إقامة", "en": "Renew Iqama"}, "sector": texts(),
		"refundable_count": 1, "refundable_total": riyals("650.00"),
	}}})
	matches(t, c.Do(http.MethodGet, "/v1/payments/e-payments/090-003/requests", nil), 200, object{
		"items": array{object{
			"request_id": "rq-p03-1", "service": "090-003", "name": iqamaYear, "beneficiary": p03Person,
			"amount": riyals("650.00"), "paid_at": anInstant, "paid_from": object{"account_id": "acc-p03-1", "iban": p03Account},
			"refundable": true, "reason": nil, "reason_text": nil, "warnings": array{},
		}},
		"next_cursor": nil,
	})
}

// continueWith is steps 9 and 10: account and ID number are entered, and what will happen is shown.
func continueWith(t *testing.T, c *banktest.Customer, request string) (id string) {
	t.Helper()
	body := object{
		"request_id": request, "account_number": "sa12 8000 0555 6080 0000 0003", "id_number": eastern("2900000015"),
	}
	asked, day := time.Now(), promised()
	r := c.Do(http.MethodPost, "/v1/refunds", body, "Idempotency-Key", "path-d")
	shown := object{
		"refund_id": anID, "status": "preview", "service": "090-003", "name": iqamaYear, "amount": riyals("650.00"),
		"to_account": p03Account, "beneficiary": p03Person, "promised_by": day + "|" + promised(), "promised_by_hijri": aHijriDate,
		"expires_at": anInstant, "confirm_requires": "none", "approval_required": false, "warnings": array{},
	}
	matches(t, r, 201, shown)
	var preview struct {
		ID        string    `json:"refund_id"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	r.JSON(&preview)
	if life := preview.ExpiresAt.Sub(asked).Round(time.Minute); life != 5*time.Minute {
		t.Errorf("a preview lives %v, want five minutes", life)
	}
	// The same key and body: the same preview, wherever it is looked at.
	again := c.Do(http.MethodPost, "/v1/refunds", body, "Idempotency-Key", `"path-d"`)
	if !again.Replayed() || r.Replayed() {
		t.Errorf("Idempotent-Replay: %t, then %t", r.Replayed(), again.Replayed())
	}
	for _, same := range []*banktest.Response{again, c.Do(http.MethodGet, "/v1/refunds/"+preview.ID, nil)} {
		if string(same.Body) != string(r.Body) {
			t.Errorf("the preview is %s and then %s", r.Body, same.Body)
		}
	}
	return preview.ID
}

// promised is the third working day after today, Sunday to Thursday in Riyadh.
func promised() like {
	day := time.Now().In(time.FixedZone("Riyadh", 3*60*60))
	for left := 3; left > 0; {
		day = day.AddDate(0, 0, 1)
		if day.Weekday() != time.Friday && day.Weekday() != time.Saturday {
			left--
		}
	}
	return like(day.Format(time.DateOnly))
}

// confirm is step 11, twice: it is one refund.
func confirm(t *testing.T, c *banktest.Customer, id string) (reference string) {
	t.Helper()
	day := promised()
	r := c.Do(http.MethodPost, "/v1/refunds/"+id+"/confirm", nil)
	matches(t, r, 202, object{
		"refund_id": id, "reference": aReference, "status": "processing", "state": "queued", "amount": riyals("650.00"),
		"promised_by": day + "|" + promised(), "promised_by_hijri": aHijriDate,
	})
	var receipt struct {
		Reference string `json:"reference"`
	}
	r.JSON(&receipt)
	again := c.Do(http.MethodPost, "/v1/refunds/"+id+"/confirm", `{}`).Want(202)
	if r.Replayed() || !again.Replayed() || !strings.Contains(string(again.Body), receipt.Reference) {
		t.Errorf("confirmed twice, Idempotent-Replay is %t and %t: %s", r.Replayed(), again.Replayed(), again.Body)
	}
	return receipt.Reference
}

// follow watches the refund until the money is in the account.
func follow(t *testing.T, c *banktest.Customer, id, reference string) {
	t.Helper()
	refund := c.Await(id, "credited")
	switch got := strings.Join(refund.States(), " "); got {
	case "queued sending pending refunded credited", "queued sending refunded credited": // a core may release at once
	default:
		t.Errorf("it went through %s", got)
	}
	item := object{
		"refund_id": id, "reference": reference, "status": "completed", "state": "credited", "amount": riyals("650.00"),
		"service": "090-003", "name": iqamaYear, "to_account": p03Account, "beneficiary": p03Person,
		"created_at": anInstant, "updated_at": anInstant, "promised_by": like(`\d{4}-\d\d-\d\d`), "promised_by_hijri": aHijriDate,
		"reason": nil, "reason_text": nil,
	}
	list := object{"items": array{item}, "next_cursor": nil}
	matches(t, c.Do(http.MethodGet, "/v1/refunds", nil), 200, list)
	matches(t, c.Do(http.MethodGet, "/v1/refunds?reference="+reference, nil), 200, list)

	whole := maps.Clone(item)
	timeline := array{}
	for i, step := range refund.Timeline {
		timeline = append(timeline, object{"at": anInstant, "state": step.State, "text": texts()})
		if i > 0 && step.At.Before(refund.Timeline[i-1].At) {
			t.Errorf("its timeline goes back at %v", step)
		}
	}
	whole["timeline"] = timeline
	matches(t, c.Do(http.MethodGet, "/v1/refunds/"+id, nil), 200, whole)
}

// readReceipt waits for the SMS that says that the money is there: SAMA's title, masked account, no code, no balance.
func readReceipt(t *testing.T, w *banktest.World) {
	t.Helper()
	sms := w.Phone("p03").Wait(t, "استرجاع")
	lines := strings.Split(sms.Text, "\n")
	if len(lines) != 6 || lines[0] != "استرجاع مدفوعات وزارة الداخلية" || lines[1] != "مبلغ:SAR 650.00" || lines[2] != "الى:*0003" {
		t.Errorf("the SMS says\n%s", sms.Text)
	}
}
