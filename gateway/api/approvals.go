package api

import (
	"context"
	"net/http"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
)

// Maker is who asked for a refund at the counter.
type Maker struct {
	Login    string `json:"login" doc:"Of the teller." example:"t01"`
	Employee string `json:"employee" doc:"The person behind the login, who doesn't approve it by any." example:"E100"`
}

// Requester is the customer whose refund it is.
type Requester struct {
	CustomerID string `json:"customer_id" doc:"The bank's own."`
	ID         Party  `json:"id" doc:"National ID or iqama."`
}

// Mark is a word that a refund carries, and what an approver reads of it.
type Mark struct {
	Code string `json:"code" doc:"Stable." example:"above_limit"`
	Text Text   `json:"text" doc:"For the approver."`
}

// Approval is a refund that awaits a second person's approval.
type Approval struct {
	RefundID    string       `json:"refund_id" doc:"To decide on it."`
	Reference   string       `json:"reference" pattern:"^RF[0-9A-HJKMNP-TV-Z]{16}$" example:"RFK5EWJTN6GVB8STYT" doc:"Which the customer has, too."`
	Amount      Money        `json:"amount" doc:"That would come back."`
	Service     string       `json:"service" doc:"Its code."`
	Name        Text         `json:"name" doc:"Of the service, with the request's variant."`
	Customer    Requester    `json:"customer" doc:"Who asks, and paid."`
	Beneficiary Party        `json:"beneficiary" doc:"Whom the fee was paid for."`
	ToAccount   string       `json:"to_account" doc:"Masked."`
	Channel     string       `json:"channel" enum:"online,counter" doc:"Where it was asked for."`
	Maker       Maybe[Maker] `json:"maker" doc:"Null when the customer asked by themselves."`
	Branch      *string      `json:"branch" doc:"Of the maker; null with them." example:"101"`
	Note        *string      `json:"note" doc:"Of the identity check; null when the customer entered a code. Numbers in it are masked."`
	Method      *string      `json:"method" doc:"Of the identity check; null with the note." example:"passport"`
	Reasons     []Mark       `json:"reasons" nullable:"false" doc:"Why it awaits approval."`
	Flags       []Mark       `json:"flags" nullable:"false" doc:"What was seen of it at the confirm: no proof of anything. Neither the customer nor the teller is told."`
	CreatedAt   Instant      `json:"created_at" doc:"Of the confirm."`
	ExpiresAt   Instant      `json:"expires_at" doc:"The end of that day in Riyadh: from then on it is cancelled."`
	Digest      string       `json:"digest" pattern:"^[0-9a-f]{64}$" doc:"SHA-256, in hex, over all of what was previewed and accepted. Whoever approves says it back."`
}

func approvalOf(a bank.Awaiting) Approval {
	o := a.Origin
	approval := Approval{
		RefundID: a.ID, Reference: a.Reference, Amount: moneyOf(a.Payment.Amount), Service: a.Payment.Service,
		Name: Text(a.Payment.Name), Customer: Requester{CustomerID: o.Customer, ID: partyOf(a.Payment.Payer)},
		Beneficiary: partyOf(a.Payment.Beneficiary), ToAccount: a.To.Masked(), Channel: string(o.Channel),
		Reasons: marksOf(a.Held), Flags: marksOf(a.Flags), CreatedAt: Instant(a.CreatedAt), ExpiresAt: Instant(a.Expires()), Digest: a.Digest,
	}
	if o.Channel == gateway.Counter {
		approval.Maker.Value, approval.Branch = &Maker{Login: o.Teller, Employee: o.Employee}, &o.Branch
	}
	if a.Check != nil {
		approval.Note, approval.Method = &a.Check.Note, &a.Check.Method
	}
	return approval
}

func marksOf(marks gateway.Marks) []Mark {
	return listOf(marks.List(), "", func(m gateway.Mark) Mark { return Mark{Code: string(m), Text: Text(bank.MarkText(m))} }).Items
}

const (
	sampleCheckedID = "019cbcb8-4d10-7b6e-9c1a-5d2e7f8a9b10"
	sampleDigest    = "6c0f4f7a3b0b1f5f0f2e6a0c9d8e7f605142332415060718293a4b5c6d7e8f90"
	sampleNote      = "Passport and signature compared"
)

// Of p12, for whom t01 asked after an identity check.
var (
	sampleApproval = Approval{
		RefundID: sampleCheckedID, Reference: "RF7N2QH4XB9TK3WDYM", Amount: Money{"300.00", "SAR"}, Service: "092-037",
		Name:        Text{"تجديد جواز السفر السعودي (٥ سنوات)", "Renew passport, 5 years"},
		Customer:    Requester{"p12", Party{"national_id", "1******041"}},
		Beneficiary: Party{"national_id", "1******041"}, ToAccount: "SA60 80** **** **** **** 0012", Channel: "counter",
		Maker: Maybe[Maker]{&Maker{"t01", "E100"}}, Branch: new("101"), Note: new(sampleNote), Method: new("passport"),
		Reasons: marksOf(gateway.NewMarks(gateway.IdentityChecked)), Flags: []Mark{},
		CreatedAt: sampleAt(3 * time.Minute), ExpiresAt: sampleAt(14*time.Hour + 50*time.Minute), Digest: sampleDigest,
	}
	sampleApproved = Receipt{
		RefundID: sampleCheckedID, Reference: sampleApproval.Reference, Status: "processing", State: "queued",
		Amount: sampleApproval.Amount, Promise: samplePromise,
	}
	sampleRejected = Receipt{
		RefundID: sampleRejectedID, Reference: "RF1C8VG5ZP0RM6KJEA", Status: "cancelled", State: "cancelled",
		Amount: sampleApproval.Amount, Promise: samplePromise,
	}
)

const sampleRejectedID = "019cbcb9-6e20-7a5d-8f3b-6c1d0e9f8a72"

// Noted is the mandatory note of a decision.
type Noted struct {
	Note string `json:"note" minLength:"1" maxLength:"500" doc:"Why, for the record: more than spaces. Numbers that may be somebody's are masked."`
}

// check refuses a note in which there is nothing to be read.
func (n Noted) check() error {
	if saudi.IsBlank(n.Note) {
		return malformed("/note", FaultFormat)
	}
	return nil
}

type approveInput struct {
	WithID
	Body struct {
		Noted
		Digest string `json:"digest" minLength:"1" maxLength:"128" doc:"Of the list of approvals, as it was when the approver decided."`
	}
}

type rejectInput struct {
	WithID
	Body struct{ Noted }
}

type unblockInput struct {
	Body struct {
		IDNumber string `json:"id_number" maxLength:"128" doc:"As typed, from the customer's document."`
		Noted
	}
}

// listApprovals is what a second person at the bank has to decide on.
func (s *server) listApprovals() {
	routeThrough(s, approvers, op("list-approvals", http.MethodGet, "/v1/approvals", "What awaits approval", "Approvals").
		says("What awaits a decision at the approver's own branch, a page at a time, first what lapses first. The back office sees "+
			"that of all branches, and what customers asked for by themselves.\n\n"+
			"`reasons` says why one person at the bank isn't enough: the day comes to more than they decide (`above_limit`), or the "+
			"customer could be sent no code (`identity_check`), in which case `note` is what the teller wrote of how they made sure; "+
			"or the bank has refunds with one of its `flags` wait, online too. "+
			"What nobody has decided on by the end of the day is cancelled.\n\n"+
			"What the gateway can't read is left out, and its page is that much shorter: the last page is the one without a `next_cursor`.").
		shows(
			example{
				name: "after-an-identity-check", summary: "A customer without a phone", as: "a01", with: map[string]string{"limit": "20"},
				answer: List[Approval]{Items: []Approval{sampleApproval}},
			},
			example{name: "none", summary: "Everything is decided", as: "a03", with: map[string]string{"limit": "1"}, answer: List[Approval]{Items: []Approval{}}},
		),
		func(ctx context.Context, c bank.Caller, in *Paged) (*answer[List[Approval]], error) {
			return listed(approvalOf)(s.Path.AwaitingApproval(ctx, c, in.page()))
		})
}

// approveRefund is their yes.
func (s *server) approveRefund() {
	checked := map[string]string{"refund_id": sampleCheckedID}
	routeThrough(s, approvers, op("approve-refund", http.MethodPost, "/v1/approvals/{refund_id}/approve", "Let it go on", "Approvals").
		says("The second person agrees, and the refund goes on its way. They are another person than the one who asked for it, "+
			"whatever login that one has (`self_approval`), and neither the customer nor a relative (`forbidden`). They say back the "+
			"`digest` of what they were shown: of anything else it is `not_possible`.\n\n"+
			"Of two who decide at once one does. Once somebody has, or the customer has withdrawn it, or the day is over, it is "+
			"`already_decided`. Another branch's is `not_found`.").
		refuses("not_found self_approval already_decided not_possible").
		shows(
			example{
				name: "same-person", summary: "The teller, by their second login", as: "a02", with: checked,
				body: `{"note":"Fine with me","digest":"` + sampleDigest + `"}`, refused: bank.ErrSelfApproval,
			},
			example{
				name: "something-else", summary: "Not what the list shows", as: "a03", with: checked,
				body: `{"note":"Called the branch","digest":"0"}`, refused: bank.ErrOther,
			},
			example{
				name: "approve", summary: "The back office agrees", as: "a03", with: checked,
				body: `{"note":"Called the branch","digest":"` + sampleDigest + `"}`, answer: sampleApproved,
			},
			example{
				name: "decided", summary: "A little later, by somebody else", as: "a01", with: checked,
				body: `{"note":"Seen the passport, too","digest":"` + sampleDigest + `"}`, refused: bank.ErrDecided,
			},
		),
		func(ctx context.Context, c bank.Caller, in *approveInput) (*answer[Receipt], error) {
			if err := in.Body.check(); err != nil {
				return nil, err
			}
			return answered(receiptOf)(s.Path.Approve(ctx, c, in.RefundID, in.Body.Note, in.Body.Digest))
		})
}

// rejectRefund is their no.
func (s *server) rejectRefund() {
	routeThrough(s, approvers, op("reject-refund", http.MethodPost, "/v1/approvals/{refund_id}/reject", "Refuse it", "Approvals").
		says("The refund is cancelled, and gives back what it took of the customer's limit; the fee may be asked for again. Who may, "+
			"and when, is as with an approval.").
		refuses("not_found self_approval already_decided").
		shows(
			example{
				name: "reject", summary: "The branch doesn't agree", as: "a01", with: map[string]string{"refund_id": sampleRejectedID},
				body: `{"note":"The signature differs"}`, answer: sampleRejected,
			},
			example{
				name: "decided", summary: "Again", as: "a01", with: map[string]string{"refund_id": sampleRejectedID},
				body: `{"note":"The signature differs"}`, refused: bank.ErrDecided,
			},
		),
		func(ctx context.Context, c bank.Caller, in *rejectInput) (*answer[Receipt], error) {
			if err := in.Body.check(); err != nil {
				return nil, err
			}
			return answered(receiptOf)(s.Path.Reject(ctx, c, in.RefundID, in.Body.Note))
		})
}

// unblockCustomer lets in again whom wrong codes have kept out.
func (s *server) unblockCustomer() {
	routeThrough(s, approvers, op("unblock-customer", http.MethodPost, "/v1/unblocks", "Let a customer in again", "Approvals").
		answers(http.StatusNoContent).
		says("Ends what wrong codes have led to, a block for a time or one that only a branch ends: a branch has seen the customer. "+
			"It is a look at them: on record with the note, one of the employee's 50 in a day, and nobody lets themselves or a "+
			"relative in (`forbidden`).").
		refuses("id_invalid rate_limited not_found").
		shows(
			example{
				name: "unblock", summary: "The customer came with their passport", as: "a01",
				body: `{"id_number":"2900000064","note":"Came with her passport, and has her phone again"}`,
			},
			example{
				name: "unknown", summary: "Nobody has the number", as: "a01", body: `{"id_number":"1900000090","note":"Called"}`,
				refused: bank.ErrNotFound,
			},
		),
		func(ctx context.Context, c bank.Caller, in *unblockInput) (*none, error) {
			if err := in.Body.check(); err != nil {
				return nil, err
			}
			return &none{}, s.Path.Unblock(ctx, c, in.Body.IDNumber, in.Body.Note)
		})
}
