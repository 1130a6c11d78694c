package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
)

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

// previewRefund is steps 9 and 10.
func (s *server) previewRefund() {
	route(s, op("preview-refund", http.MethodPost, "/v1/refunds", "See what would be given back", "Refunds").
		answers(http.StatusCreated).
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
		),
		func(ctx context.Context, c bank.Caller, in *previewInput) (*previewOutput, error) {
			preview, again, err := s.Path.Preview(ctx, c, bank.Asked{
				RequestID: in.Body.RequestID, AccountNumber: in.Body.AccountNumber, IDNumber: in.Body.IDNumber, Key: in.key,
			})
			if err != nil {
				return nil, err
			}
			return &previewOutput{replay(again), previewOf(preview)}, nil
		})
}

// confirmRefund is step 11.
func (s *server) confirmRefund() {
	route(s, op("confirm-refund", http.MethodPost, "/v1/refunds/{refund_id}/confirm", "Ask for the money back", "Refunds").
		answers(http.StatusAccepted).
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
		),
		func(ctx context.Context, c bank.Caller, in *confirmInput) (*confirmOutput, error) {
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
}

// listRefunds is what the customer has asked for so far.
func (s *server) listRefunds() {
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
			page, late := in.page(), s.Path.Lateness(c)
			page.Reference = in.Reference
			return listed(func(r gateway.Refund) RefundItem { return lateItemOf(r, late(r)) })(s.Path.Refunds(ctx, c, page))
		})
}

// getRefund is what became of it.
func (s *server) getRefund() {
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
			return answered(refundOrPreviewOf)(s.Path.View(ctx, c, in.RefundID))
		})
}

// withdrawRefund is for second thoughts.
func (s *server) withdrawRefund() {
	route(s, op("withdraw-refund", http.MethodDelete, "/v1/refunds/{refund_id}", "Withdraw it before it is sent", "Refunds").
		answers(http.StatusNoContent).
		says("Drops a preview, or cancels a refund of which nothing was sent yet; of one that is cancelled it says so again. "+
			"A preview that was dropped is `not_found` from then on.").
		refuses("not_found too_late").
		shows(
			example{name: "preview", summary: "The customer thinks better of it", as: "p03", with: map[string]string{"refund_id": sampleDroppedID}},
			example{
				name: "too-late", summary: "It was sent", as: "p03", with: map[string]string{"refund_id": sampleRefundID},
				refused: bank.ErrTooLate,
			},
		),
		func(ctx context.Context, c bank.Caller, in *WithID) (*none, error) {
			return &none{}, s.Path.Cancel(ctx, c, in.RefundID)
		})
}
