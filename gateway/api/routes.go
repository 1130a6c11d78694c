package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/otp"
)

// none is the input of a route that takes nothing but the token.
type none struct{}

// answer is an output that is a body and nothing else.
type answer[T any] struct{ Body T }

// WithID names one refund or preview.
type WithID struct {
	RefundID string `path:"refund_id" doc:"Of the preview, and of the refund that it became."`
}

// Paged is which part of a list is asked for.
type Paged struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
	Cursor string `query:"cursor" maxLength:"1024" doc:"next_cursor of the page before."`
}

// Replayable says whether an answer was given before.
type Replayable struct {
	Replay string `header:"Idempotent-Replay" enum:"true" doc:"Present when this answer was given before."`
}

func replay(was bool) Replayable {
	if was {
		return Replayable{"true"}
	}
	return Replayable{}
}

// routes registers the path in the order in which a customer walks it.
func (s *server) routes() {
	s.profile()
	s.codes()
	s.payments()
	s.refunds()
	s.counter()
}

// profile is step 3.
func (s *server) profile() {
	route(s, op("get-profile", http.MethodGet, "/v1/profile", "Who the caller is", "Profile and codes"),
		func(ctx context.Context, c bank.Caller, _ *none) (*answer[Profile], error) {
			customer, err := s.Path.Profile(ctx, c)
			if err != nil {
				return nil, err
			}
			return &answer[Profile]{profileOf(customer)}, nil
		})
}

type challengeInput struct {
	Body struct {
		Purpose  string `json:"purpose" enum:"profile,refund"`
		RefundID string `json:"refund_id,omitempty" maxLength:"64" doc:"Of the preview to confirm; with purpose refund, and only then."`
	}
}

type resendInput struct {
	ChallengeID string    `path:"challenge_id"`
	Body        *struct{} `required:"false" doc:"Nothing, or {}."`
}

type verifyInput struct {
	ChallengeID string `path:"challenge_id"`
	Body        struct {
		Code string `json:"code" maxLength:"64" doc:"As typed: Arabic digits and spaces are understood." example:"482915"`
	}
}

type verified struct {
	Verified       bool    `json:"verified"`
	ProofExpiresAt Instant `json:"proof_expires_at" doc:"Unless it is used before; each use renews it, up to 15 minutes in all."`
}

// codes is step 4: a code to the customer's own phone, and the proof that it was in somebody's hand.
func (s *server) codes() {
	create := op("create-challenge", http.MethodPost, "/v1/otp/challenges", "Send a one-time code", "Profile and codes")
	create.DefaultStatus = http.StatusCreated
	route(s, create, func(ctx context.Context, c bank.Caller, in *challengeInput) (*answer[Challenge], error) {
		switch purpose, named := otp.Purpose(in.Body.Purpose), in.Body.RefundID != ""; {
		case purpose == otp.Refund && !named:
			return nil, malformed("/refund_id", FaultMissing)
		case purpose != otp.Refund && named:
			return nil, malformed("/refund_id", FaultUnknown)
		}
		challenge, err := s.Path.Challenge(ctx, c, otp.Purpose(in.Body.Purpose), in.Body.RefundID)
		if err != nil {
			return nil, err
		}
		return &answer[Challenge]{challengeOf(challenge)}, nil
	})
	routeThrough(s, waiting, op("resend-challenge", http.MethodPost, "/v1/otp/challenges/{challenge_id}/resend", "Send a new code", "Profile and codes"),
		func(ctx context.Context, c bank.Caller, in *resendInput) (*answer[Challenge], error) {
			challenge, err := s.Path.Resend(ctx, c, in.ChallengeID)
			if err != nil {
				return nil, err
			}
			return &answer[Challenge]{challengeOf(challenge)}, nil
		})
	route(s, op("verify-challenge", http.MethodPost, "/v1/otp/challenges/{challenge_id}/verify", "Enter the code", "Profile and codes"),
		func(ctx context.Context, c bank.Caller, in *verifyInput) (*answer[verified], error) {
			expires, err := s.Path.Verify(ctx, c, in.ChallengeID, in.Body.Code)
			if err != nil {
				return nil, err
			}
			return &answer[verified]{verified{Verified: true, ProofExpiresAt: Instant(expires)}}, nil
		})
}

type services struct {
	Items []Service `json:"items" nullable:"false"`
}

type requestsInput struct {
	Paged
	Service string `path:"service" doc:"As the list of services names it." example:"090-003"`
}

// payments is steps 5 to 8: menu, services, requests.
func (s *server) payments() {
	route(s, op("list-payments", http.MethodGet, "/v1/payments", "The payments menu", "Payments"),
		func(ctx context.Context, c bank.Caller, _ *none) (*answer[Menu], error) {
			menu, err := s.Path.Menu(ctx, c)
			if err != nil {
				return nil, err
			}
			return &answer[Menu]{menuOf(menu)}, nil
		})
	route(s, op("list-services", http.MethodGet, "/v1/payments/e-payments", "The services paid for", "Payments"),
		func(ctx context.Context, c bank.Caller, _ *none) (*answer[services], error) {
			totals, err := s.Path.Services(ctx, c)
			if err != nil {
				return nil, err
			}
			return &answer[services]{services{Items: listOf(totals, "", serviceOf).Items}}, nil
		})
	route(s, op("list-requests", http.MethodGet, "/v1/payments/e-payments/{service}/requests", "The requests of a service", "Payments"),
		func(ctx context.Context, c bank.Caller, in *requestsInput) (*answer[List[Request]], error) {
			listed, next, err := s.Path.Requests(ctx, c, in.Service, bank.Page{Limit: in.Limit, Cursor: in.Cursor})
			if err != nil {
				return nil, err
			}
			return &answer[List[Request]]{listOf(listed, next, requestOfListed)}, nil
		})
}

type previewInput struct {
	Key  string `header:"Idempotency-Key" required:"true" doc:"1 to 255 visible ASCII characters, bare or as an RFC 9651 string; the same key and body get the same preview." example:"0b9d3a56-7f0e-4f0a-9d6c-4a8b0f6c2f11"`
	Body struct {
		RequestID     string `json:"request_id" maxLength:"128" minLength:"1"`
		AccountNumber string `json:"account_number" maxLength:"128" doc:"An IBAN, the bank's 15-digit number, or an account_id of the profile."`
		IDNumber      string `json:"id_number" maxLength:"128" doc:"The caller's own."`
	}

	key string
}

// Resolve reads the key from the headers themselves, where a second one would show. That there is none, or an empty
// one, the schema has said already.
func (in *previewInput) Resolve(ctx huma.Context) []error {
	values := headers(ctx, keyHeader)
	if len(values) > 1 {
		return []error{keyFault("sent twice")}
	}
	if len(values) == 0 || values[0] == "" {
		return nil
	}
	key, ok := parseKey(values[0])
	switch {
	case !ok:
		return []error{keyFault("malformed")}
	case key == "":
		return []error{keyFault("required header parameter is missing")}
	}
	in.key = key
	return nil
}

func keyFault(message string) error {
	return &huma.ErrorDetail{Location: "header." + keyHeader, Message: message}
}

const keyMax = 255

// parseKey reads an Idempotency-Key, bare or as a string of RFC 9651 (section 3.3.3): both name the same key. The key is
// empty when there is nothing between the quotes.
func parseKey(s string) (string, bool) {
	if strings.HasPrefix(s, `"`) {
		inner, closed := strings.CutSuffix(s[1:], `"`)
		if !closed {
			return "", false
		}
		var key strings.Builder
		for i := 0; i < len(inner); i++ {
			switch c := inner[i]; {
			case c == '"':
				return "", false
			case c == '\\':
				if i++; i == len(inner) || (inner[i] != '"' && inner[i] != '\\') {
					return "", false
				}
			}
			key.WriteByte(inner[i])
		}
		s = key.String()
	}
	if len(s) > keyMax {
		return "", false
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return "", false
		}
	}
	return s, true
}

type previewOutput struct {
	Replayable
	Body Preview
}

type confirmInput struct {
	WithID
	Body *struct {
		ChallengeID string `json:"challenge_id,omitempty" maxLength:"64"`
		Code        string `json:"code,omitempty" maxLength:"64" doc:"As typed."`
	} `required:"false"`
}

type confirmOutput struct {
	Replayable
	Body Receipt
}

type listInput struct {
	Paged
	Reference string `query:"reference" maxLength:"64" doc:"Only the refund with this reference."`
}

// refunds is steps 9 to 11 and what comes after.
func (s *server) refunds() {
	create := op("preview-refund", http.MethodPost, "/v1/refunds", "See what would be given back", "Refunds")
	create.DefaultStatus = http.StatusCreated
	route(s, create, func(ctx context.Context, c bank.Caller, in *previewInput) (*previewOutput, error) {
		preview, again, err := s.Path.Preview(ctx, c, bank.Asked{
			RequestID: in.Body.RequestID, AccountNumber: in.Body.AccountNumber, IDNumber: in.Body.IDNumber, Key: in.key,
		})
		if err != nil {
			return nil, err
		}
		return &previewOutput{replay(again), previewOf(preview)}, nil
	})
	confirm := op("confirm-refund", http.MethodPost, "/v1/refunds/{refund_id}/confirm", "Ask for the money back", "Refunds")
	confirm.DefaultStatus = http.StatusAccepted
	route(s, confirm, func(ctx context.Context, c bank.Caller, in *confirmInput) (*confirmOutput, error) {
		var challenge, code string
		if in.Body != nil {
			challenge, code = in.Body.ChallengeID, in.Body.Code
		}
		refund, again, err := s.Path.Confirm(ctx, c, in.RefundID, challenge, code)
		if err != nil {
			return nil, err
		}
		return &confirmOutput{replay(again), receiptOf(refund)}, nil
	})
	route(s, op("list-refunds", http.MethodGet, "/v1/refunds", "The caller's refunds", "Refunds"),
		func(ctx context.Context, c bank.Caller, in *listInput) (*answer[List[RefundItem]], error) {
			refunds, next, err := s.Path.Refunds(ctx, c, bank.Page{Limit: in.Limit, Cursor: in.Cursor, Reference: in.Reference})
			if err != nil {
				return nil, err
			}
			return &answer[List[RefundItem]]{listOf(refunds, next, itemOf)}, nil
		})
	route(s, op("get-refund", http.MethodGet, "/v1/refunds/{refund_id}", "A refund and its timeline", "Refunds"),
		func(ctx context.Context, c bank.Caller, in *WithID) (*answer[RefundOrPreview], error) {
			view, err := s.Path.View(ctx, c, in.RefundID)
			if err != nil {
				return nil, err
			}
			if view.Preview != nil {
				preview := previewOf(*view.Preview)
				return &answer[RefundOrPreview]{RefundOrPreview{Preview: &preview}}, nil
			}
			refund := refundOf(view)
			return &answer[RefundOrPreview]{RefundOrPreview{Refund: &refund}}, nil
		})
	withdraw := op("withdraw-refund", http.MethodDelete, "/v1/refunds/{refund_id}", "Withdraw it before it is sent", "Refunds")
	withdraw.DefaultStatus = http.StatusNoContent
	route(s, withdraw, func(ctx context.Context, c bank.Caller, in *WithID) (*none, error) {
		return &none{}, s.Path.Cancel(ctx, c, in.RefundID)
	})
}
