package api

import (
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// Text is for people, in both languages.
type Text struct {
	AR string `json:"ar" doc:"Arabic." example:"تجديد إقامة"`
	EN string `json:"en" doc:"English." example:"Renew Iqama"`
}

// Money is an amount in riyals.
type Money struct {
	Amount   string `json:"amount" pattern:"^[0-9]+\\.[0-9]{2}$" doc:"Riyals, with two decimals." example:"650.00"`
	Currency string `json:"currency" enum:"SAR" example:"SAR" doc:"Always riyals."`
}

func moneyOf(a money.Amount) Money { return Money{Amount: a.String(), Currency: money.Currency} }

// Party is a person or thing that a fee is about; its number is masked.
type Party struct {
	Kind   string `json:"kind" enum:"national_id,iqama,border,establishment,vehicle" doc:"What the number is."`
	Number string `json:"number" doc:"Masked." example:"2******015"`
}

func partyOf(p saudi.Party) Party { return Party{Kind: string(p.Kind()), Number: p.Masked()} }

// Instant is a point in time: RFC 3339 in UTC with six decimals.
type Instant time.Time

// MarshalJSON writes exactly six decimals, whatever the time has.
func (t Instant) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Time(t).UTC().Format("2006-01-02T15:04:05.000000Z"))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *Instant) UnmarshalJSON(b []byte) error { return (*time.Time)(t).UnmarshalJSON(b) }

// Schema is what the contract says of it.
func (Instant) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeString, Format: "date-time", Description: "RFC 3339, UTC, six decimals.",
		Examples: []any{"2026-03-05T06:10:00.000000Z"},
	}
}

// Maybe is a T, or null. huma would write a pointer to a struct into the contract as if it were never null.
type Maybe[T any] struct{ Value *T }

// MarshalJSON writes the value, or null.
func (m Maybe[T]) MarshalJSON() ([]byte, error) { return json.Marshal(m.Value) }

// Schema is what the contract says of it.
func (Maybe[T]) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{schemaOf[T](r), {Type: "null"}}}
}

// Promise is the day by which the money is promised, in both calendars.
type Promise struct {
	By      string `json:"promised_by" format:"date" doc:"Gregorian, in Riyadh." example:"2026-03-10"`
	ByHijri string `json:"promised_by_hijri" doc:"Umm al-Qura." example:"1447-09-21"`
}

func promiseOf(d saudi.Date) Promise {
	p := Promise{By: d.String()}
	if h, ok := d.Hijri(); ok {
		p.ByHijri = h.String()
	}
	return p
}

// Account is one of the caller's own.
type Account struct {
	AccountID string `json:"account_id" doc:"May be given as account_number at step 9."`
	IBAN      string `json:"iban" doc:"Masked." example:"SA12 80** **** **** **** 0003"`
	Label     Text   `json:"label" doc:"What the bank calls the account."`
	Currency  string `json:"currency" example:"SAR" doc:"ISO 4217."`
	Status    string `json:"status" enum:"active,closed,frozen" doc:"Money goes back to an active one alone."`
}

// Profile is who the caller is at the bank.
type Profile struct {
	CustomerID string    `json:"customer_id" doc:"The bank's own."`
	Name       Text      `json:"name" doc:"As the bank has it."`
	ID         Party     `json:"id" doc:"National ID or iqama."`
	Mobile     *string   `json:"mobile" doc:"Masked; null when the bank has none." example:"+9665*****003"`
	Accounts   []Account `json:"accounts" nullable:"false" doc:"The customer's own."`
}

func profileOf(c bank.Customer) Profile {
	p := Profile{CustomerID: c.ID, Name: Text(c.Name), ID: partyOf(c.Identity), Accounts: []Account{}}
	if !c.Mobile.IsZero() {
		masked := c.Mobile.Masked()
		p.Mobile = &masked
	}
	for _, a := range c.Accounts {
		p.Accounts = append(p.Accounts, Account{
			AccountID: a.ID, IBAN: a.IBAN.Masked(), Label: Text(a.Label), Currency: a.Currency, Status: string(a.Status),
		})
	}
	return p
}

var sampleProfile = Profile{
	CustomerID: "p03", Name: Text{"أحمد حسن", "Ahmed Hassan"}, ID: Party{"iqama", "2******015"}, Mobile: new("+9665*****003"),
	Accounts: []Account{{
		AccountID: "acc-p03-1", IBAN: "SA12 80** **** **** **** 0003", Label: Text{"الحساب الجاري", "Current account"},
		Currency: "SAR", Status: "active",
	}},
}

// Challenge is a code on its way to the customer's phone.
type Challenge struct {
	ChallengeID  string  `json:"challenge_id" doc:"For resend, verify and confirm."`
	Purpose      string  `json:"purpose" enum:"profile,refund" doc:"What the code is good for."`
	SentTo       string  `json:"sent_to" doc:"Masked." example:"+9665*****003"`
	Digits       int     `json:"digits" example:"6" doc:"How many a code has."`
	ExpiresAt    Instant `json:"expires_at" doc:"The code is dead from then on."`
	ResendAfter  Instant `json:"resend_after" doc:"Not before then is another code sent."`
	AttemptsLeft int     `json:"attempts_left" example:"3" doc:"Wrong codes that this challenge still takes."`
}

func challengeOf(c otp.Challenge) Challenge {
	return Challenge{
		ChallengeID: c.ID, Purpose: string(c.Purpose), SentTo: c.To.Masked(), Digits: c.Digits,
		ExpiresAt: Instant(c.ExpiresAt), ResendAfter: Instant(c.ResendAfter), AttemptsLeft: c.AttemptsLeft,
	}
}

var (
	sampleChallenge = Challenge{
		ChallengeID: "MHNNZZSGT72NJ6NSGFMQVHRNAS6", Purpose: "profile", SentTo: "+9665*****003", Digits: 6,
		ExpiresAt: sampleAt(180 * time.Second), ResendAfter: sampleAt(time.Minute), AttemptsLeft: 3,
	}
	sampleRefundChallenge = Challenge{
		ChallengeID: "TMWW66OMGXUMYPYW2Q7MLDNUXI6", Purpose: "refund", SentTo: "+9665*****006", Digits: 6,
		ExpiresAt: sampleAt(180 * time.Second), ResendAfter: sampleAt(time.Minute), AttemptsLeft: 3,
	}
)

// Menu is the bank's menu of payments.
type Menu struct {
	Name    Text        `json:"name" doc:"What the bank calls the menu."`
	Items   []MenuEntry `json:"items" nullable:"false" doc:"As the bank orders and names them. e-payments is always there; where others lead is the channel's business."`
	Notices []Notice    `json:"notices" nullable:"false" doc:"What the bank tells everybody just now."`
}

// MenuEntry is one kind of payment in the menu.
type MenuEntry struct {
	ID   string `json:"id" example:"e-payments" doc:"e-payments, or one of the bank's."`
	Name Text   `json:"name" doc:"What the customer reads."`
}

// Notice is something that the bank tells everybody for a while.
type Notice struct {
	Text  Text    `json:"text" doc:"What customers read."`
	From  Instant `json:"from" doc:"When it begins to be shown."`
	Until Instant `json:"until" doc:"When it is shown no more."`
}

func menuOf(m bank.Menu) Menu {
	menu := Menu{Name: Text(m.Name), Items: make([]MenuEntry, 0, len(m.Entries)), Notices: make([]Notice, 0, len(m.Notices))}
	for _, n := range m.Notices {
		menu.Notices = append(menu.Notices, Notice{Text: Text(n.Text), From: Instant(n.From), Until: Instant(n.Until)})
	}
	for _, e := range m.Entries {
		menu.Items = append(menu.Items, MenuEntry{ID: e.ID, Name: Text(e.Name)})
	}
	return menu
}

var sampleMenu = Menu{
	Name: Text{"المدفوعات", "Payments"}, Items: []MenuEntry{{bank.EPayments, Text{"المدفوعات الإلكترونية", "e-payments"}}},
	Notices: []Notice{},
}

// Service is one of which the caller has requests.
type Service struct {
	Service         string `json:"service" pattern:"^[0-9]{3}-[0-9]{3}$" example:"090-003" doc:"Its code."`
	Name            Text   `json:"name" doc:"Generic, without a request's variant."`
	Sector          Text   `json:"sector" doc:"To which it belongs."`
	RefundableCount int    `json:"refundable_count" doc:"Of the caller's newest 50,000 requests."`
	RefundableTotal Money  `json:"refundable_total" doc:"Of those."`
}

func serviceOf(t bank.ServiceTotal) Service {
	return Service{
		Service: t.Service.Code, Name: Text(t.Service.Name), Sector: Text(t.Service.Sector),
		RefundableCount: t.Refundable, RefundableTotal: moneyOf(t.Total),
	}
}

var sampleService = Service{
	Service: "090-003", Name: Text{"تجديد إقامة", "Renew Iqama"}, Sector: Text{"خدمات المقيمين", "Resident Services"},
	RefundableCount: 1, RefundableTotal: sampleAmount,
}

// PaidFrom is the caller's own account that paid.
type PaidFrom struct {
	AccountID string `json:"account_id" doc:"May be given as account_number at step 9."`
	IBAN      string `json:"iban" doc:"Masked."`
}

// Warning is something that the customer should know although nothing stands in the way.
type Warning struct {
	Code string `json:"code" enum:"id_expired" doc:"Stable."`
	Text Text   `json:"text" doc:"For the customer."`
}

func warningsOf(ws []bank.Warning) []Warning {
	warnings := make([]Warning, 0, len(ws))
	for _, w := range ws {
		warnings = append(warnings, Warning{Code: string(w), Text: Text(w.Text())})
	}
	return warnings
}

// Request is one paid request, and whether it can come back.
type Request struct {
	RequestID   string          `json:"request_id" doc:"For step 9."`
	Service     string          `json:"service" example:"090-003" doc:"Its code."`
	Name        Text            `json:"name" doc:"With its variant."`
	Beneficiary Party           `json:"beneficiary" doc:"Whom the fee was paid for."`
	Amount      Money           `json:"amount" doc:"The whole fee."`
	PaidAt      Instant         `json:"paid_at" doc:"When the fee was paid."`
	PaidFrom    Maybe[PaidFrom] `json:"paid_from" doc:"Null unless the caller's own."`
	Refundable  bool            `json:"refundable" doc:"Whether the caller can ask for it now."`
	Reason      *string         `json:"reason" doc:"Null when refundable." example:"fee_consumed"`
	ReasonText  Maybe[Text]     `json:"reason_text" doc:"Null when refundable."`
	Warnings    []Warning       `json:"warnings" nullable:"false" doc:"What the customer should read first."`
}

func requestOfListed(l bank.Listed) Request {
	r := Request{
		RequestID: l.RequestID, Service: l.Service, Name: Text(l.Name), Beneficiary: partyOf(l.Beneficiary),
		Amount: moneyOf(l.Amount), PaidAt: Instant(l.PaidAt), Refundable: l.Refundable(), Warnings: warningsOf(l.Warnings),
	}
	if l.PaidFromOwn != nil {
		r.PaidFrom.Value = &PaidFrom{AccountID: l.PaidFromOwn.ID, IBAN: l.PaidFromOwn.IBAN.Masked()}
	}
	r.Reason, r.ReasonText = reasonOf(l.Reason, l.ReasonText)
	return r
}

var (
	sampleRequest = Request{
		RequestID: "rq-p03-1", Service: "090-003", Name: sampleName, Beneficiary: sampleProfile.ID, Amount: sampleAmount,
		PaidAt:     sampleAt(-6 * 24 * time.Hour),
		PaidFrom:   Maybe[PaidFrom]{&PaidFrom{sampleProfile.Accounts[0].AccountID, sampleProfile.Accounts[0].IBAN}},
		Refundable: true, Warnings: []Warning{},
	}
	// Of p04, whose visa was issued.
	sampleConsumed = Request{
		RequestID: "rq-p04-1", Service: "090-004",
		Name:        Text{"تأشيرة خروج وعودة مفردة", "Exit re-entry, single, up to 2 months"},
		Beneficiary: Party{"iqama", "2******023"}, Amount: Money{"200.00", "SAR"}, PaidAt: sampleAt(-21 * 24 * time.Hour),
		PaidFrom: Maybe[PaidFrom]{&PaidFrom{"acc-p04-1", "SA82 80** **** **** **** 0004"}},
		Reason:   new(string(bank.FeeConsumed)), ReasonText: Maybe[Text]{new(Text(bank.FeeConsumed.Text()))},
		Warnings: []Warning{},
	}
)

// Overdue is how late a refund is. Only a teller's answers have it.
type Overdue bank.Lateness

// IsZero reports whether the caller isn't told.
func (o Overdue) IsZero() bool { return !o.Told }

// MarshalJSON writes how late it is, or null.
func (o Overdue) MarshalJSON() ([]byte, error) {
	if o.Late == gateway.InTime {
		return []byte("null"), nil
	}
	return json.Marshal(o.Late)
}

// Schema is what the contract says of it.
func (Overdue) Schema(huma.Registry) *huma.Schema {
	late := []any{string(gateway.Overdue), string(gateway.Red)}
	return &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeString, Enum: late}, {Type: "null"}}}
}

func reasonOf(reason bank.Reason, words bank.Text) (*string, Maybe[Text]) {
	if reason == "" || words == (bank.Text{}) { // none, or one that isn't for customers
		return nil, Maybe[Text]{}
	}
	code, text := string(reason), Text(words)
	return &code, Maybe[Text]{&text}
}

// Preview is what would be given back, and where to.
type Preview struct {
	RefundID         string    `json:"refund_id" doc:"Of the refund that this becomes."`
	Status           string    `json:"status" enum:"preview" doc:"Nothing is asked for yet."`
	Service          string    `json:"service" doc:"Its code."`
	Name             Text      `json:"name" doc:"Of the service, with the request's variant."`
	Amount           Money     `json:"amount" doc:"The whole fee; never typed."`
	ToAccount        string    `json:"to_account" doc:"Masked."`
	Beneficiary      Party     `json:"beneficiary" doc:"Whom the fee was paid for."`
	Promise                    // embedded: promised_by, promised_by_hijri
	ExpiresAt        Instant   `json:"expires_at" doc:"It can be confirmed until then."`
	ConfirmRequires  string    `json:"confirm_requires" enum:"none,code" doc:"code: a challenge of purpose refund comes first."`
	ApprovalRequired bool      `json:"approval_required" doc:"Whether somebody else at the bank has to agree after the confirm."`
	Warnings         []Warning `json:"warnings" nullable:"false" doc:"What the customer should read first."`
}

func previewOf(p bank.Preview) Preview {
	requires := "none"
	if p.NeedsCode {
		requires = "code"
	}
	return Preview{
		RefundID: p.ID, Status: "preview", Service: p.Payment.Service, Name: Text(p.Payment.Name),
		Amount: moneyOf(p.Payment.Amount), ToAccount: p.To.Masked(), Beneficiary: partyOf(p.Payment.Beneficiary),
		Promise: promiseOf(p.Promised), ExpiresAt: Instant(p.ExpiresAt), ConfirmRequires: requires,
		ApprovalRequired: p.Approval, Warnings: warningsOf(p.Warnings),
	}
}

var (
	samplePreview = Preview{
		RefundID: sampleRefundID, Status: "preview", Service: "090-003", Name: sampleName, Amount: sampleAmount,
		ToAccount: sampleProfile.Accounts[0].IBAN, Beneficiary: sampleProfile.ID, Promise: samplePromise,
		ExpiresAt: sampleAt(bank.PreviewLife), ConfirmRequires: "none", Warnings: []Warning{},
	}
	// Of p06, who paid for somebody else, above the line from which a code is asked for.
	sampleLargePreview = Preview{
		RefundID: sampleLargeID, Status: "preview", Service: "090-007",
		Name: Text{"نقل خدمات (الأولى)", "Transfer of sponsorship, 1st"}, Amount: Money{"2000.00", "SAR"},
		ToAccount: "SA28 80** **** **** **** 0006", Beneficiary: Party{"iqama", "2******031"}, Promise: samplePromise,
		ExpiresAt: sampleAt(bank.PreviewLife), ConfirmRequires: "code", Warnings: []Warning{},
	}
)

// Receipt is the answer to a confirm: the refund is recorded and can't be lost from here on.
type Receipt struct {
	RefundID  string `json:"refund_id" doc:"That of its preview."`
	Reference string `json:"reference" pattern:"^RF[0-9A-HJKMNP-TV-Z]{16}$" example:"RFK5EWJTN6GVB8STYT" doc:"For the customer to keep, and for the bank's people to find it by."`
	Status    string `json:"status" enum:"processing,completed,rejected,cancelled,visit_branch" doc:"For customers."`
	State     string `json:"state" doc:"Finer than the status; see the timeline." example:"queued"`
	Amount    Money  `json:"amount" doc:"That comes back."`
	Promise
}

func receiptOf(r gateway.Refund) Receipt {
	return Receipt{
		RefundID: r.ID, Reference: r.Reference, Status: string(r.State.Status()), State: string(r.State),
		Amount: moneyOf(r.Payment.Amount), Promise: promiseOf(r.Promised),
	}
}

var (
	sampleReceipt = Receipt{
		RefundID: sampleRefundID, Reference: "RFK5EWJTN6GVB8STYT", Status: "processing", State: "queued", Amount: sampleAmount,
		Promise: samplePromise,
	}
	sampleLargeReceipt = Receipt{
		RefundID: sampleLargeID, Reference: "RF3M9XW0QH7B2CD8VN", Status: "processing", State: "queued",
		Amount: sampleLargePreview.Amount, Promise: samplePromise,
	}
)

// RefundItem is a refund as lists show it.
type RefundItem struct {
	Receipt
	Service     string      `json:"service" doc:"Its code."`
	Name        Text        `json:"name" doc:"Of the service, with the request's variant."`
	ToAccount   string      `json:"to_account" doc:"Masked."`
	Beneficiary Party       `json:"beneficiary" doc:"Whom the fee was paid for."`
	CreatedAt   Instant     `json:"created_at" doc:"Of the confirm."`
	UpdatedAt   Instant     `json:"updated_at" doc:"Of the last step."`
	Reason      *string     `json:"reason" doc:"Of a rejected or returned refund."`
	ReasonText  Maybe[Text] `json:"reason_text" doc:"Of the reason."`
	Overdue     Overdue     `json:"overdue,omitzero" doc:"In a teller's answers alone: overdue when the refund isn't final after the third working day, red after the seventh; null when it is final or in time."`
}

func itemOf(r gateway.Refund) RefundItem {
	item := RefundItem{
		Receipt: receiptOf(r), Service: r.Payment.Service, Name: Text(r.Payment.Name), ToAccount: r.To.Masked(),
		Beneficiary: partyOf(r.Payment.Beneficiary), CreatedAt: Instant(r.CreatedAt), UpdatedAt: Instant(r.UpdatedAt),
	}
	if r.State == gateway.Rejected || r.State == gateway.Returned {
		reason := bank.Reason(r.Reason)
		item.Reason, item.ReasonText = reasonOf(reason, reason.Text())
	}
	return item
}

// lateItemOf is itemOf for a caller who is told how late the refund is.
func lateItemOf(r gateway.Refund, late bank.Lateness) RefundItem {
	item := itemOf(r)
	item.Overdue = Overdue(late)
	return item
}

// sampleItem is of the refund of sampleReceipt, when it has ended.
var sampleItem = RefundItem{
	Receipt: Receipt{
		sampleReceipt.RefundID, sampleReceipt.Reference, "completed", "credited", sampleAmount, samplePromise,
	},
	Service: "090-003", Name: sampleName, ToAccount: samplePreview.ToAccount, Beneficiary: samplePreview.Beneficiary,
	CreatedAt: sampleAt(30 * time.Second), UpdatedAt: sampleAt(32 * time.Second),
}

// Step is one entry of a refund's timeline.
type Step struct {
	At    Instant `json:"at" doc:"When."`
	State string  `json:"state" doc:"Into which the refund came."`
	Text  Text    `json:"text" doc:"For the customer."`
}

// Refund is a refund with its timeline, oldest step first.
type Refund struct {
	RefundItem
	Timeline []Step `json:"timeline" nullable:"false" doc:"Oldest step first."`
}

func refundOf(v bank.View) Refund {
	refund := Refund{RefundItem: lateItemOf(*v.Refund, v.Late), Timeline: make([]Step, 0, len(v.Events))}
	for _, e := range v.Events {
		refund.Timeline = append(refund.Timeline, Step{
			At: Instant(e.At), State: string(e.To), Text: Text(bank.StepText(e)),
		})
	}
	return refund
}

var sampleRefund = Refund{sampleItem, sampleTimeline(
	gateway.Queued, gateway.Sending, gateway.Pending, gateway.Refunded, gateway.Credited,
)}

func sampleTimeline(states ...gateway.State) []Step {
	steps := make([]Step, 0, len(states))
	for i, state := range states {
		at := sampleAt(30*time.Second + time.Duration(i)*500*time.Millisecond)
		steps = append(steps, Step{At: at, State: string(state), Text: Text(bank.StateText(state))})
	}
	return steps
}

// RefundOrPreview is whichever of the two an id belongs to.
type RefundOrPreview struct {
	Refund  *Refund
	Preview *Preview
}

func refundOrPreviewOf(v bank.View) RefundOrPreview {
	if v.Preview != nil {
		preview := previewOf(*v.Preview)
		return RefundOrPreview{Preview: &preview}
	}
	refund := refundOf(v)
	return RefundOrPreview{Refund: &refund}
}

// MarshalJSON writes the one that there is.
func (r RefundOrPreview) MarshalJSON() ([]byte, error) {
	if r.Preview != nil {
		return json.Marshal(r.Preview)
	}
	return json.Marshal(r.Refund)
}

// Schema is what the contract says of it.
func (RefundOrPreview) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{schemaOf[Refund](r), schemaOf[Preview](r)}}
}

// List is one page.
type List[T any] struct {
	Items      []T     `json:"items" nullable:"false" doc:"The page."`
	NextCursor *string `json:"next_cursor" doc:"Of the next page; null after the last."`
}

// listOf turns a page of the path's into one of the contract's.
func listOf[From, To any](from []From, next string, turn func(From) To) List[To] {
	list := List[To]{Items: make([]To, 0, len(from))}
	for _, f := range from {
		list.Items = append(list.Items, turn(f))
	}
	if next != "" {
		list.NextCursor = &next
	}
	return list
}

// What the samples in the contract have in common: they are of p03, unless they say otherwise, and of one morning.
const (
	sampleRefundID  = "019cbcb4-2a40-7f0e-8a0b-77c46a619221"
	sampleLargeID   = "019cbcb4-9f70-7bc4-bd59-44bed28ae5db"
	sampleDroppedID = "019cbcb5-3c10-7a1d-9e2f-6f0b1d2c3a45"
	sampleRequestID = "019cbcb3-d008-7306-ae41-bfe9cf5fb100"
	sampleKey       = "0b9d3a56-7f0e-4f0a-9d6c-4a8b0f6c2f11"
	sampleCode      = "482915" // of the newest SMS
	sampleWrongCode = "135790" // of none
)

var (
	sampleName    = Text{"تجديد إقامة (سنة)", "Renew Iqama, 12 months"}
	sampleAmount  = Money{"650.00", "SAR"}
	samplePromise = Promise{"2026-03-10", "1447-09-21"}
)

// sampleAt is an instant that long after the samples' own.
func sampleAt(after time.Duration) Instant {
	return Instant(time.Date(2026, 3, 5, 6, 10, 0, 0, time.UTC).Add(after))
}
