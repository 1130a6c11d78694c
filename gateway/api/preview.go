package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/istirdad/istirdad/bank"
)

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
