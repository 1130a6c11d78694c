package api

import (
	"context"
	"net/http"

	"github.com/istirdad/istirdad/bank"
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
