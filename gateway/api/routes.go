package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
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
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Items of a page."`
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
	s.balances()
	s.refunds()
	s.events()
	s.receipt()
	s.counter()
	s.approvals()
	s.lookups()
	s.session()
}

// profile is step 3.
func (s *server) profile() {
	route(s, op("get-profile", http.MethodGet, "/v1/profile", "Who the caller is", "Profile and codes").
		says("The customer as the bank knows them, and their accounts: the first screen after signing in.\n\n"+
			"It is about a person, so the token isn't enough. Whoever gets `step_up_required` sends a code, has it entered, and "+
			"calls again. Everything that identifies somebody is masked; an account is offered, and chosen at step 9, by its "+
			"`account_id`.").
		refuses("step_up_required not_found").
		shows(
			example{name: "before-the-code", summary: "No code was entered in this session", as: "p03", refused: bank.ErrNoProof},
			example{name: "profile", summary: "After the code", as: "p03", answer: sampleProfile},
		),
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
		Purpose  string `json:"purpose" enum:"profile,refund" doc:"profile opens the session; refund is for one confirm."`
		RefundID string `json:"refund_id,omitempty" maxLength:"64" doc:"Of the preview to confirm; with purpose refund, and only then."`
	}
}

type resendInput struct {
	ChallengeID string    `path:"challenge_id" doc:"Of the challenge."`
	Body        *struct{} `required:"false" doc:"Nothing, or {}."`
}

type verifyInput struct {
	ChallengeID string `path:"challenge_id" doc:"Of the challenge."`
	Body        struct {
		Code string `json:"code" maxLength:"64" doc:"As typed: Arabic digits and spaces are understood." example:"482915"`
	}
}

type verified struct {
	Verified       bool    `json:"verified" doc:"Always true: a wrong code is a problem."`
	ProofExpiresAt Instant `json:"proof_expires_at" doc:"Unless it is used before; each use renews it, up to 15 minutes in all."`
}

// codes is step 4: a code to the customer's own phone, and the proof that it was in somebody's hand.
func (s *server) codes() {
	create := op("create-challenge", http.MethodPost, "/v1/otp/challenges", "Send a one-time code", "Profile and codes").
		says("Sends a code by SMS, of as many digits as the bank likes, to the mobile that the bank has of the customer; no other can be named.\n\n"+
			"With purpose `profile` the code opens the session: enter it at `verify`. With purpose `refund` it is the customer's "+
			"word on one preview, and goes into its `confirm`; the SMS then names amount, service and account. It is asked for "+
			"only where the preview says `confirm_requires: code`.\n\n"+
			"A customer has one live challenge. A new one ends the one before, whatever it was for. Of SMS there are 5 an hour and "+
			"10 a day for the profile, 10 and 20 for refunds.").
		refuses("maintenance not_found mobile_missing mobile_recent refund_exists preview_expired locked resend_too_soon rate_limited sms_unavailable").
		shows(
			example{name: "for-the-profile", summary: "At the start of a session", as: "p03", body: `{"purpose":"profile"}`, answer: sampleChallenge},
			example{
				name: "for-a-refund", summary: "For a preview that says confirm_requires: code", as: "p06",
				body: `{"purpose":"refund","refund_id":"` + sampleLargeID + `"}`, answer: sampleRefundChallenge,
			},
			example{
				name: "too-soon", summary: "Again, less than a minute later", as: "p03", body: `{"purpose":"profile"}`,
				refused: &otp.TooSoonError{RetryAfter: time.Minute},
			},
			example{
				name: "malformed", summary: "For a refund, but for which?", as: "p03", body: `{"purpose":"refund"}`,
				refused: malformed("/refund_id", FaultMissing),
			},
			example{
				name: "no-mobile", summary: "Of a customer who must visit a branch", as: "p12", body: `{"purpose":"profile"}`,
				refused: bank.ErrMobileMissing,
			},
		)
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
	routeThrough(s, waiting, op("resend-challenge", http.MethodPost, "/v1/otp/challenges/{challenge_id}/resend", "Send a new code", "Profile and codes").
		says("Sends a new code for the same challenge. The code before is dead; wrong codes stay counted. Not within a minute of "+
			"the code before (`resend_after` says when), and no more than twice.").
		refuses("locked challenge_gone not_found mobile_missing mobile_recent resend_too_soon rate_limited sms_unavailable").
		shows(
			example{
				name: "again", summary: "The first SMS didn't arrive", as: "p03",
				with: map[string]string{"challenge_id": sampleChallenge.ChallengeID}, body: `{}`, answer: sampleChallenge,
			},
			example{
				name: "unknown", summary: "Of a challenge that is over, or never was", as: "p03",
				with: map[string]string{"challenge_id": "none"}, refused: otp.ErrGone,
			},
		),
		func(ctx context.Context, c bank.Caller, in *resendInput) (*answer[Challenge], error) {
			challenge, err := s.Path.Resend(ctx, c, in.ChallengeID)
			if err != nil {
				return nil, err
			}
			return &answer[Challenge]{challengeOf(challenge)}, nil
		})
	route(s, op("verify-challenge", http.MethodPost, "/v1/otp/challenges/{challenge_id}/verify", "Enter the code", "Profile and codes").
		says("Takes the code of a challenge for the profile. The session then has its proof: for 5 minutes, which each call that "+
			"needs it begins anew, and for 15 in all.\n\n"+
			"A wrong code costs one of three tries (`attempts_left`). Too many, over all challenges, and the customer is `locked`, "+
			"first for half an hour. A code for a refund isn't entered here but in the `confirm`.").
		refuses("locked challenge_gone code_wrong code_used").
		shows(
			example{
				name: "wrong", summary: "Not the code of the SMS", as: "p03", with: map[string]string{"challenge_id": sampleChallenge.ChallengeID},
				body: `{"code":"` + sampleWrongCode + `"}`, refused: &otp.WrongError{AttemptsLeft: 2},
			},
			example{
				name: "right", summary: "The code of the SMS", as: "p03", with: map[string]string{"challenge_id": sampleChallenge.ChallengeID},
				body: `{"code":"` + sampleCode + `"}`, answer: verified{true, sampleAt(5 * time.Minute)},
			},
			example{
				name: "used", summary: "The same once more", as: "p03", with: map[string]string{"challenge_id": sampleChallenge.ChallengeID},
				body: `{"code":"` + sampleCode + `"}`, refused: otp.ErrUsed,
			},
		),
		func(ctx context.Context, c bank.Caller, in *verifyInput) (*answer[verified], error) {
			expires, err := s.Path.Verify(ctx, c, in.ChallengeID, in.Body.Code)
			if err != nil {
				return nil, err
			}
			return &answer[verified]{verified{Verified: true, ProofExpiresAt: Instant(expires)}}, nil
		})
}

type services struct {
	Items []Service `json:"items" nullable:"false" doc:"Ordered by code."`
}

type requestsInput struct {
	Paged
	Service string `path:"service" doc:"As the list of services names it." example:"090-003"`
}

// payments is steps 5 to 8: menu, services, requests.
func (s *server) payments() {
	route(s, op("list-payments", http.MethodGet, "/v1/payments", "The payments menu", "Payments").
		says("What the menu of payments holds, under the names that this bank uses. `e-payments` is the one that leads on. "+
			"With it comes what the bank tells everybody just now, such as that it will be closed.").
		refuses("maintenance step_up_required").
		shows(
			example{name: "menu", summary: "The menu of a bank that sets no other", as: "p03", answer: sampleMenu},
		),
		func(ctx context.Context, c bank.Caller, _ *none) (*answer[Menu], error) {
			menu, err := s.Path.Menu(ctx, c)
			if err != nil {
				return nil, err
			}
			return &answer[Menu]{menuOf(menu)}, nil
		})
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
		RequestID     string `json:"request_id" maxLength:"128" minLength:"1" doc:"Of the list of requests."`
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
		ChallengeID string `json:"challenge_id,omitempty" maxLength:"64" doc:"Of purpose refund, for this refund."`
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
	create := op("preview-refund", http.MethodPost, "/v1/refunds", "See what would be given back", "Refunds").
		says("Steps 9 and 10: the customer enters their account and ID number, and sees what will happen before they agree to it. "+
			"No money moves yet. The amount is never typed: it is the request's. The money goes only to the account "+
			"that paid.\n\n"+
			"A preview can be confirmed for 5 minutes. For that long the same `Idempotency-Key` with the same body gets the same "+
			"preview (`Idempotent-Replay: true`), so that a call without an answer can simply be made again. A call that was "+
			"refused leaves its key free.").
		refuses("idempotency_key_missing maintenance step_up_required idempotency_key_reused idempotency_in_progress preview_expired "+
			"not_found id_invalid id_mismatch iban_invalid core_unavailable "+
			"payer_mismatch service_not_refundable fee_consumed refund_exists other_bank account_closed account_frozen "+
			"account_not_owned account_mismatch limit_exceeded").
		shows(
			example{
				name: "by-account-number", summary: "As people type it", as: "p03", with: map[string]string{"Idempotency-Key": sampleKey},
				body:   `{"request_id":"rq-p03-1","account_number":"555608000000003","id_number":"٢٩٠٠٠٠٠٠١٥"}`,
				answer: samplePreview,
			},
			example{
				name: "by-account-id", summary: "The account was chosen from the profile; the amount asks for a code", as: "p06",
				with:   map[string]string{"Idempotency-Key": "6d7d9d0e-1f8c-4f7a-8f0a-5f3c2f1e0b77"},
				body:   `{"request_id":"rq-p05-1","account_number":"acc-p06-1","id_number":"2900000049"}`,
				answer: sampleLargePreview,
			},
			example{
				name: "used-fee", summary: "A fee that was used", as: "p04",
				with:    map[string]string{"Idempotency-Key": "c7d0b7c2-93a8-4b4b-8a43-1c2f7c0f6a11"},
				body:    `{"request_id":"rq-p04-1","account_number":"acc-p04-1","id_number":"2900000023"}`,
				refused: &bank.ReasonError{Reason: bank.FeeConsumed},
			},
			example{
				name: "mistyped", summary: "No ID number: its check digit is wrong", as: "p03", with: map[string]string{"Idempotency-Key": sampleKey},
				body:    `{"request_id":"rq-p03-1","account_number":"acc-p03-1","id_number":"2900000016"}`,
				refused: bank.ErrIDInvalid,
			},
		)
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
	confirm := op("confirm-refund", http.MethodPost, "/v1/refunds/{refund_id}/confirm", "Ask for the money back", "Refunds").
		says("Step 11: the customer agrees. The refund is written down before the answer, and can't be lost or doubled from there "+
			"on; `reference` is what the customer keeps. The government core isn't asked while the customer waits.\n\n"+
			"The refund's id is the key, for ever: whoever confirms again, after a time-out or a restart, gets the same refund "+
			"(`Idempotent-Replay: true`), as it stands by then. Where the preview said `confirm_requires: code`, challenge and code "+
			"go into the body; otherwise there need be none.").
		refuses("not_found preview_expired limit_exceeded step_up_required locked challenge_gone code_wrong refund_exists").
		shows(
			example{
				name: "without-a-code", summary: "The proof of step 4 is enough", as: "p03", with: map[string]string{"refund_id": sampleRefundID},
				body: `{}`, answer: sampleReceipt,
			},
			example{
				name: "code-missing", summary: "The amount asks for a code", as: "p06", with: map[string]string{"refund_id": sampleLargeID},
				refused: bank.ErrCodeNeeded,
			},
			example{
				name: "with-a-code", summary: "The code of the SMS that names this refund", as: "p06",
				with:   map[string]string{"refund_id": sampleLargeID},
				body:   `{"challenge_id":"` + sampleRefundChallenge.ChallengeID + `","code":"` + sampleCode + `"}`,
				answer: sampleLargeReceipt,
			},
		)
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
	route(s, op("list-refunds", http.MethodGet, "/v1/refunds", "The caller's refunds", "Refunds").
		says("The customer's refunds over all sessions and channels, newest first, a page at a time; or with `reference` the one. "+
			"Previews aren't listed. It needs no code: whoever asked for their money back may look after it.").
		shows(
			example{
				name: "all", summary: "One refund so far", as: "p03", with: map[string]string{"limit": "20"},
				answer: List[RefundItem]{Items: []RefundItem{sampleItem}},
			},
			example{
				name: "by-reference", summary: "The customer read their reference out", as: "p03",
				with: map[string]string{"reference": sampleReceipt.Reference}, answer: List[RefundItem]{Items: []RefundItem{sampleItem}},
			},
			example{name: "wrong-cursor", summary: "A cursor that was never given out", as: "p03", with: map[string]string{"cursor": "AAAA"}, refused: bank.ErrCursor},
		),
		func(ctx context.Context, c bank.Caller, in *listInput) (*answer[List[RefundItem]], error) {
			refunds, next, err := s.Path.Refunds(ctx, c, bank.Page{Limit: in.Limit, Cursor: in.Cursor, Reference: in.Reference})
			if err != nil {
				return nil, err
			}
			late := s.Path.Lateness(c)
			return &answer[List[RefundItem]]{listOf(refunds, next, func(r gateway.Refund) RefundItem {
				return lateItemOf(r, late(r))
			})}, nil
		})
	route(s, op("get-refund", http.MethodGet, "/v1/refunds/{refund_id}", "A refund and its timeline", "Refunds").
		says("What became of it. `status` is for customers and has five values; `state` is finer, and `timeline` tells each that "+
			"the refund went through, with words for the customer. Before the confirm the same id answers with the preview.").
		refuses("not_found preview_expired").
		shows(
			example{name: "preview", summary: "Before the confirm", as: "p03", with: map[string]string{"refund_id": sampleRefundID}, answer: samplePreview},
			example{name: "completed", summary: "The money is in the account", as: "p03", with: map[string]string{"refund_id": sampleRefundID}, answer: sampleRefund},
			example{
				name: "not-theirs", summary: "Somebody else's, or one that never was", as: "p06", with: map[string]string{"refund_id": sampleRefundID},
				refused: bank.ErrNotFound,
			},
		),
		func(ctx context.Context, c bank.Caller, in *WithID) (*answer[RefundOrPreview], error) {
			view, err := s.Path.View(ctx, c, in.RefundID)
			if err != nil {
				return nil, err
			}
			return &answer[RefundOrPreview]{refundOrPreviewOf(view)}, nil
		})
	withdraw := op("withdraw-refund", http.MethodDelete, "/v1/refunds/{refund_id}", "Withdraw it before it is sent", "Refunds").
		says("Drops a preview, or cancels a refund of which nothing was sent yet; of one that is cancelled it says so again. "+
			"A preview that was dropped is `not_found` from then on.").
		refuses("not_found too_late").
		shows(
			example{name: "preview", summary: "The customer thinks better of it", as: "p03", with: map[string]string{"refund_id": sampleDroppedID}},
			example{
				name: "too-late", summary: "It was sent", as: "p03", with: map[string]string{"refund_id": sampleRefundID},
				refused: bank.ErrTooLate,
			},
		)
	withdraw.DefaultStatus = http.StatusNoContent
	route(s, withdraw, func(ctx context.Context, c bank.Caller, in *WithID) (*none, error) {
		return &none{}, s.Path.Cancel(ctx, c, in.RefundID)
	})
}
