package sandbox_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
)

// arabic is what the variants of the table are called by those who read Arabic.
var arabic = map[string]string{
	"Extend visitor visa":                          "تمديد تأشيرة زيارة",
	"Renew passport, 10 years":                     "تجديد جواز السفر السعودي (١٠ سنوات)",
	"Renew driving licence, 10 years":              "تجديد رخصة قيادة (١٠ سنوات)",
	"Renew vehicle registration, private, 3 years": "تجديد رخصة سير خاصة (٣ سنوات)",
	"Renew Iqama, 3 months":                        "تجديد إقامة (٣ أشهر)",
	"Renew Iqama, 12 months":                       "تجديد إقامة (سنة)",
	"Renew Iqama, family member":                   "تجديد إقامة تابع",
	"Exit re-entry, single, up to 2 months":        "تأشيرة خروج وعودة مفردة",
	"Transfer of sponsorship, 1st":                 "نقل خدمات (الأولى)",
	"Transfer of sponsorship, 3rd or later":        "نقل خدمات (الثالثة فأكثر)",
	"Change of occupation":                         "تغيير مهنة",
	"Dependent fee, 3 months":                      "المقابل المالي لمرافق (٣ أشهر)",

	// The services' own names, and who runs them.
	"Extend Visitor Visa":           "تمديد تأشيرة زيارة",
	"Renew Passport":                "تجديد جواز سفر",
	"Renew Driving Licence":         "تجديد رخصة قيادة",
	"Renew Vehicle Registration":    "تجديد رخصة سير",
	"Renew Iqama":                   "تجديد إقامة",
	"Exit Re-entry Visa (Single)":   "تأشيرة خروج وعودة مفردة",
	"Transfer of Sponsorship":       "نقل خدمات",
	"Change of Occupation":          "تغيير مهنة",
	"Dependent Fee (One Dependent)": "المقابل المالي لمرافق",
	"Resident Services":             "خدمات المقيمين",
	"Driving Licences":              "رخص القيادة",
	"Saudi Passports":               "جوازات السعوديين",
	"Motor Vehicles":                "المركبات",
}

// gist is what a refusal has to say in either language, so that whoever reads it knows where they stand.
var gist = map[string]struct{ ar, en string }{
	"step_up_required": {"رمز", "code"},
	"not_found":        {"لا يوجد", "no such"},
	"mobile_missing":   {"زيارة الفرع", "visit a branch"},
	"limit_exceeded":   {"للفرع أن يقبل أكثر", "a branch can do more"},
	"fee_consumed":     {"المستخدمة لا تُسترد", "used fee cannot be refunded"},
	"payer_mismatch":   {"من دفعه هو من يطلب", "whoever paid asks"},
	"refund_exists":    {"استُرد هذا الرسم أو يجري استرداده", "refunded or is being refunded"},
	"other_bank":       {"بنك آخر", "another bank"},
	"account_closed":   {"مغلق", "closed"},
}

// words are a text in both languages, as an answer has it.
type words struct{ AR, EN string }

// known returns the English of a name whose Arabic is the one that belongs to it.
func (n words) known(t *testing.T) string {
	t.Helper()
	if want := arabic[n.EN]; n.AR != want || want == "" {
		t.Errorf("%q is %q in Arabic, want %q", n.EN, n.AR, want)
	}
	return n.EN
}

type service struct {
	Service         string
	Name, Sector    words
	RefundableCount int            `json:"refundable_count"`
	RefundableTotal banktest.Money `json:"refundable_total"`
}

// request is a paid request as its customer sees it at step 8.
type request struct {
	RequestID   string `json:"request_id"`
	Service     string
	Name        words
	Beneficiary struct{ Kind, Number string }
	Amount      banktest.Money
	PaidAt      time.Time `json:"paid_at"`
	Refundable  bool
	Reason      *string
	ReasonText  *words                 `json:"reason_text"`
	PaidFrom    *struct{ IBAN string } `json:"paid_from"`
	Warnings    []struct {
		Code string
		Text words
	}
}

// String is all of it in one line.
func (r request) String() string {
	line := fmt.Sprintf("%s: %s for %s %s, %s", r.RequestID, r.Name.EN, r.Beneficiary.Kind, r.Beneficiary.Number, r.Amount.Amount)
	if r.PaidFrom != nil {
		line += " from *" + r.PaidFrom.IBAN[len(r.PaidFrom.IBAN)-4:]
	}
	if r.Reason == nil {
		line += ", refundable"
	} else {
		line += ", " + *r.Reason
	}
	for _, w := range r.Warnings {
		line += ", " + w.Code
	}
	return line
}

// spoken looks that everything which the customer may read is there in both languages.
func (r request) spoken(t *testing.T) {
	t.Helper()
	r.Name.known(t)
	switch {
	case r.Refundable != (r.Reason == nil), r.Refundable != (r.ReasonText == nil):
		t.Errorf("%s: refundable %t, reason %v, %v", r.RequestID, r.Refundable, r.Reason, r.ReasonText)
	case !r.Refundable:
		says := gist[*r.Reason]
		if !strings.Contains(r.ReasonText.AR, says.ar) || !strings.Contains(r.ReasonText.EN, says.en) || says.ar == "" {
			t.Errorf("%s: %s is told as %v", r.RequestID, *r.Reason, *r.ReasonText)
		}
	}
	for _, w := range r.Warnings {
		if !arabicWords.is(w.Text.AR) || !latinWords.is(w.Text.EN) {
			t.Errorf("%s: the warning %s reads %v", r.RequestID, w.Code, w.Text)
		}
	}
}

// servicesOf is step 6.
func servicesOf(c *banktest.Customer) []service {
	var list struct{ Items []service }
	c.Do(http.MethodGet, "/v1/payments/e-payments", nil).Want(200).JSON(&list)
	return list.Items
}

// requestsOf is steps 7 and 8, for all services.
func requestsOf(t *testing.T, c *banktest.Customer) (all []request) {
	t.Helper()
	for _, s := range servicesOf(c) {
		var list struct{ Items []request }
		c.Do(http.MethodGet, "/v1/payments/e-payments/"+s.Service+"/requests", nil).Want(200).JSON(&list)
		refundable := 0
		for _, r := range list.Items {
			if r.Refundable {
				refundable++
			}
		}
		if refundable != s.RefundableCount {
			t.Errorf("service %s counts %d as refundable and lists %d", s.Service, s.RefundableCount, refundable)
		}
		all = append(all, list.Items...)
	}
	return all
}

// listed is what requestsOf sees, a line each.
func listed(t *testing.T, c *banktest.Customer) []string {
	t.Helper()
	return lines(requestsOf(t, c), request.String)
}

func lines[T any](all []T, line func(T) string) []string {
	text := []string{}
	for _, a := range all {
		text = append(text, line(a))
	}
	return text
}

func wantLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s are\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// refused makes a call in both languages and looks that it is refused with that status and code, in words that say so.
func refused(t *testing.T, want string, call func(header ...string) *banktest.Response) {
	t.Helper()
	status, code, _ := strings.Cut(want, " ")
	says, known := gist[code]
	if !known {
		t.Fatalf("nobody knows what %s has to say", code)
	}
	for _, in := range []struct {
		header []string
		script like
		gist   string
	}{
		{nil, arabicWords, says.ar},
		{[]string{"Accept-Language", "en-GB, ar;q=0.5"}, latinWords, says.en},
	} {
		r := call(in.header...)
		var problem struct {
			Code, Title, Detail string
		}
		r.JSON(&problem)
		carriesHeaders(t, r)
		if fmt.Sprint(r.Status) != status || problem.Code != code {
			t.Errorf("answered %d %s, want %s", r.Status, problem.Code, want)
		}
		if !in.script.is(problem.Title) || !in.script.is(problem.Detail) || !strings.Contains(problem.Detail, in.gist) {
			t.Errorf("%s is told as %q, %q; it has to say %q", code, problem.Title, problem.Detail, in.gist)
		}
	}
}

// visit takes a person along the whole path.
func visit(t *testing.T, w *banktest.World, p person) {
	c := w.Customer(p.user)
	get := func(path string) func(...string) *banktest.Response {
		return func(header ...string) *banktest.Response { return c.Do(http.MethodGet, path, nil, header...) }
	}
	refused(t, "403 step_up_required", get("/v1/profile"))
	if p.mobile == "" {
		turnedAway(t, w, c, p)
		return
	}
	c.Prove()
	profile(t, c, p)
	wantLines(t, "the services", lines(servicesOf(c), func(s service) string {
		s.Sector.known(t)
		return fmt.Sprintf("%s %s: %d of %s", s.Service, s.Name.known(t), s.RefundableCount, s.RefundableTotal.Amount)
	}), p.services)
	before := requestsOf(t, c)
	for _, r := range before {
		r.spoken(t)
	}
	wantLines(t, "the requests", lines(before, request.String), p.requests)

	confirmed := askAll(t, w, c, p, before)

	// What became of it shows wherever one looks.
	after := slices.Clone(p.requests)
	for i, r := range before {
		if _, paid := confirmed[r.RequestID]; paid {
			after[i] = strings.Replace(after[i], "refundable", "refund_exists", 1)
		}
	}
	wantLines(t, "the requests afterwards", listed(t, c), after)
	var refunds struct {
		Items []struct {
			Status    string
			Reference string
			Name      words
		}
	}
	c.Do(http.MethodGet, "/v1/refunds", nil).Want(200).JSON(&refunds)
	if len(refunds.Items) != len(confirmed) {
		t.Errorf("%d refunds are listed, want %d", len(refunds.Items), len(confirmed))
	}
	for _, r := range refunds.Items {
		if r.Name.known(t); r.Status != "completed" {
			t.Errorf("%s is listed as %s", r.Reference, r.Status)
		}
	}
	inbox(t, w, c, p, before, confirmed)
}

// turnedAway: nobody without a phone gets further than being told that a branch helps.
func turnedAway(t *testing.T, w *banktest.World, c *banktest.Customer, p person) {
	refused(t, "409 mobile_missing", func(header ...string) *banktest.Response {
		return c.Do(http.MethodPost, "/v1/otp/challenges", `{"purpose":"profile"}`, header...)
	})
	for _, path := range []string{"/v1/profile", "/v1/payments", "/v1/payments/e-payments", "/v1/payments/e-payments/092-037/requests"} {
		c.Do(http.MethodGet, path, nil).Want(403, "step_up_required")
	}
	for _, a := range p.asks {
		refused(t, a.becomes, func(header ...string) *banktest.Response { return c.AskFor(a.request, header...) })
	}
}

func profile(t *testing.T, c *banktest.Customer, p person) {
	t.Helper()
	status := strings.TrimPrefix(p.account, p.iban()+" ")
	kind, number, _ := strings.Cut(p.id, " ")
	matches(t, c.Do(http.MethodGet, "/v1/profile", nil), 200, object{
		"customer_id": p.user, "name": object{"ar": p.ar, "en": p.en}, "id": object{"kind": kind, "number": number}, "mobile": p.mobile,
		"accounts": array{object{
			"account_id": "acc-" + p.user + "-1", "iban": p.iban(), "label": object{"ar": "الحساب الجاري", "en": "Current account"},
			"currency": "SAR", "status": status,
		}},
	})
}

// iban is the account's, without its status.
func (p person) iban() string { return p.account[:strings.LastIndex(p.account, " ")] }

// pays reports whether money comes of it.
func (a ask) pays() bool { return strings.Contains(a.becomes, credited) }

// askAll asks everything back, confirms what can be confirmed, and follows it to its end. It returns the refunds by the
// request.
func askAll(t *testing.T, w *banktest.World, c *banktest.Customer, p person, requests []request) map[string]banktest.Refund {
	previews := map[string]banktest.Preview{} // all before the first confirm: whoever hasn't decided yet looks at them
	for _, a := range p.asks {
		if !a.pays() && a.becomes != overTheLimit {
			refused(t, a.becomes, func(header ...string) *banktest.Response { return c.AskFor(a.request, header...) })
			continue
		}
		var preview banktest.Preview
		answer := c.AskFor(a.request)
		matches(t, answer, 201, previewed(p, a, requests))
		answer.JSON(&preview)
		previews[a.request] = preview
	}
	confirmed := map[string]banktest.Refund{}
	for _, a := range p.asks {
		preview, can := previews[a.request]
		if !can {
			continue
		}
		confirm := "/v1/refunds/" + preview.RefundID + "/confirm"
		if a.becomes == overTheLimit {
			refused(t, "422 limit_exceeded", func(header ...string) *banktest.Response {
				return c.Do(http.MethodPost, confirm, nil, header...)
			})
			refused(t, "422 limit_exceeded", func(header ...string) *banktest.Response { return c.AskFor(a.request, header...) })
			continue
		}
		if a.becomes == creditedByCode {
			refused(t, "403 step_up_required", func(header ...string) *banktest.Response {
				return c.Do(http.MethodPost, confirm, nil, header...)
			})
		}
		c.Confirm(preview.RefundID).Want(202)
		confirmed[a.request] = banktest.Refund{RefundID: preview.RefundID}
	}
	for _, a := range p.asks {
		if a.pays() {
			confirmed[a.request] = arrives(t, w, c, a, confirmed[a.request].RefundID)
			refused(t, "409 refund_exists", func(header ...string) *banktest.Response { return c.AskFor(a.request, header...) })
			c.Do(http.MethodPost, "/v1/refunds/"+confirmed[a.request].RefundID+"/confirm", nil).Want(202) // a replay
		}
	}
	return confirmed
}

// previewed is what step 10 shows: the fee as the list had it, and where the money will go.
func previewed(p person, a ask, requests []request) object {
	r := requests[slices.IndexFunc(requests, func(r request) bool { return r.RequestID == a.request })]
	requires := "none"
	if a.becomes == creditedByCode || a.becomes == overTheLimit { // both are of fees above 1,000.00
		requires = "code"
	}
	warnings := array{}
	for _, w := range r.Warnings {
		warnings = append(warnings, object{"code": w.Code, "text": object{"ar": w.Text.AR, "en": w.Text.EN}})
	}
	return object{
		"refund_id": anID, "status": "preview", "service": r.Service, "name": object{"ar": r.Name.AR, "en": r.Name.EN},
		"amount": riyals(r.Amount.Amount), "to_account": p.iban(),
		"beneficiary": object{"kind": r.Beneficiary.Kind, "number": r.Beneficiary.Number},
		"promised_by": like(`\d{4}-\d\d-\d\d`), "promised_by_hijri": aHijriDate, "expires_at": anInstant,
		"confirm_requires": requires, "approval_required": false, "warnings": warnings,
	}
}

// arrives follows a refund until the money is in the account: at the core one effect, whatever was answered.
func arrives(t *testing.T, w *banktest.World, c *banktest.Customer, a ask, id string) banktest.Refund {
	if a.becomes == creditedLate {
		if doubted := c.Await(id, "in_doubt"); doubted.Status != "processing" {
			t.Errorf("a refund in doubt is shown as %s", doubted.Status)
		}
	}
	refund := c.Await(id, "credited")
	states := strings.Join(refund.States(), " ")
	if late := strings.HasPrefix(states, "queued sending in_doubt "); refund.Status != "completed" || late != (a.becomes == creditedLate) {
		t.Errorf("%s is %s and went through %s", a.request, refund.Status, states)
	}
	if got := submissions(w, refund.Reference); got != "effect" {
		t.Errorf("%s: the core was sent: %s", a.request, got)
	}
	return refund
}

// submissions says what became of each submission of a reference that arrived at the core.
func submissions(w *banktest.World, reference string) string {
	var all []string
	for _, call := range w.History(reference) {
		if call.Call != "submit" {
			continue
		}
		what := "no effect"
		if call.Effect {
			what = "effect"
		}
		all = append(all, what)
	}
	return strings.Join(all, ", ")
}

// smsTexts are the SMS of the path: a code for the profile, one for each refund that needs it, and one for each that has arrived.
var smsTexts = map[string]struct{ profile, refund, done string }{
	"ar": {
		"رمز مؤقت:CODE\nلـ:الدخول - القناة الرقمية\nلا تشاركه مع أحد",
		"رمز مؤقت:CODE\nلـ:استرداد مدفوعات حكومية\nالمبلغ:SAR AMOUNT\nالخدمة:SERVICE\nالى:TAIL\nلا تشاركه مع أحد",
		"استرجاع مدفوعات وزارة الداخلية\nمبلغ:SAR AMOUNT\nالى:TAIL\nالجهة:SECTOR\nالخدمة:SERVICE\nفي:WHEN",
	},
	"en": {
		"Temp code:CODE\nFor:Sign in - Digital channel\nDo not share this code with anyone, including bank staff.",
		"Temp code:CODE\nFor:Government payment refund\nAmount:SAR AMOUNT\nService:SERVICE\nTo acct:TAIL\nDo not share this code with anyone, including bank staff.",
		"Refunding MOI Payments\nAmount:SAR AMOUNT\nTo:TAIL\nEntity:SECTOR\nService:SERVICE\nOn:WHEN",
	},
}

// inbox looks that all the SMS came that should, in the customer's language, and no others.
func inbox(t *testing.T, w *banktest.World, c *banktest.Customer, p person, asked []request, confirmed map[string]banktest.Refund) {
	t.Helper()
	in := smsTexts[p.sms]
	catalogue := map[string]service{}
	for _, s := range servicesOf(c) {
		catalogue[s.Service] = s
	}
	want := []string{in.profile}
	for _, r := range asked {
		i := slices.IndexFunc(p.asks, func(a ask) bool { return a.request == r.RequestID })
		if _, paid := confirmed[r.RequestID]; !paid {
			continue
		}
		s := catalogue[r.Service]
		name, sector := s.Name.EN, s.Sector.EN
		if p.sms == "ar" {
			name, sector = s.Name.AR, s.Sector.AR
		}
		fill := strings.NewReplacer("AMOUNT", r.Amount.Amount, "SERVICE", name, "SECTOR", sector, "TAIL", "*"+r.PaidFrom.IBAN[len(r.PaidFrom.IBAN)-4:])
		if p.asks[i].becomes == creditedByCode {
			want = append(want, fill.Replace(in.refund))
		}
		want = append(want, fill.Replace(in.done))
	}
	phone := w.Phone(p.user)
	got := phone.Messages(t)
	for began := time.Now(); len(got) < len(want) && time.Since(began) < smsMax; got = phone.Messages(t) {
		time.Sleep(20 * time.Millisecond)
	}
	arrived := make([]string, len(got))
	for i, sms := range got {
		arrived[i] = aMoment.ReplaceAllString(aCode.ReplaceAllString(sms.Text, ":CODE"), ":WHEN")
	}
	slices.Sort(arrived)
	slices.Sort(want)
	wantLines(t, "the SMS", arrived, want)
}

const smsMax = 10 * time.Second

var (
	aCode   = regexp.MustCompile(`:\d{6}\b`)
	aMoment = regexp.MustCompile(`:\d\d-\d\d-\d\d \d\d:\d\d$`)
)
