package api

import (
	"context"
	"net/http"
	"time"

	"github.com/istirdad/istirdad/bank"
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

type services struct {
	Items []Service `json:"items" nullable:"false" doc:"Ordered by code."`
}

type requestsInput struct {
	Paged
	Service string `path:"service" doc:"As the list of services names it." example:"090-003"`
}

// listPayments is step 5.
func (s *server) listPayments() {
	route(s, op("list-payments", http.MethodGet, "/v1/payments", "The payments menu", "Payments").
		says("What the menu of payments holds, under the names that this bank uses. `e-payments` is the one that leads on. "+
			"With it comes what the bank tells everybody just now, such as that it will be closed.").
		refuses("maintenance step_up_required").
		shows(
			example{name: "menu", summary: "The menu of a bank that sets no other", as: "p03", answer: sampleMenu},
		),
		func(ctx context.Context, c bank.Caller, _ *none) (*answer[Menu], error) {
			return answered(menuOf)(s.Path.Menu(ctx, c))
		})
}

// listServices is step 6.
func (s *server) listServices() {
	route(s, op("list-services", http.MethodGet, "/v1/payments/e-payments", "The services paid for", "Payments").
		says("The services of which the customer has paid requests, or benefits from some, ordered by code. A service is listed "+
			"also when nothing of it can come back: `refundable_count` is then 0, and its requests say why.").
		refuses("maintenance step_up_required not_found core_unavailable").
		shows(
			example{name: "one-service", summary: "One fee waits to come back", as: "p03", answer: services{[]Service{sampleService}}},
			example{name: "core-away", summary: "The government core can't be asked", as: "p03", refused: bank.ErrCoreUnavailable},
		),
		func(ctx context.Context, c bank.Caller, _ *none) (*answer[services], error) {
			totals, err := s.Path.Services(ctx, c)
			if err != nil {
				return nil, err
			}
			return &answer[services]{services{Items: listOf(totals, "", serviceOf).Items}}, nil
		})
}

// listRequests is steps 7 and 8.
func (s *server) listRequests() {
	route(s, op("list-requests", http.MethodGet, "/v1/payments/e-payments/{service}/requests", "The requests of a service", "Payments").
		says("The customer's requests of one service, newest payment first, a page at a time. Each says whether its fee can come "+
			"back, and if not, why: `reason` is a stable code, `reason_text` its words. Show those, too: a customer who sees why "+
			"isn't asked for anything in vain.").
		refuses("maintenance step_up_required not_found core_unavailable").
		shows(
			example{
				name: "refundable", summary: "A fee that can come back", as: "p03", with: map[string]string{"service": "090-003", "limit": "20"},
				answer: List[Request]{Items: []Request{sampleRequest}},
			},
			example{
				name: "used", summary: "A fee that was used", as: "p04", with: map[string]string{"service": "090-004"},
				answer: List[Request]{Items: []Request{sampleConsumed}},
			},
			example{
				name: "unknown", summary: "There is no such service", as: "p03", with: map[string]string{"service": "999-999"},
				refused: bank.ErrUnknownService,
			},
		),
		func(ctx context.Context, c bank.Caller, in *requestsInput) (*answer[List[Request]], error) {
			return listed(requestOfListed)(s.Path.Requests(ctx, c, in.Service, in.page()))
		})
}
