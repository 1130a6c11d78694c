package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
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
