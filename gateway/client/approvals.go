package client

import (
	"context"
	"iter"
	"time"

	"github.com/istirdad/istirdad/gateway/client/internal/wire"
)

// Approval is a refund that awaits a second person's approval.
type Approval struct {
	RefundID    string    `json:"refund_id"`
	Reference   string    `json:"reference"`
	Amount      Halalas   `json:"amount"`
	Service     string    `json:"service"`
	Name        Text      `json:"name"`
	Customer    Requester `json:"customer"`
	Beneficiary Party     `json:"beneficiary"`
	ToAccount   string    `json:"to_account"` // masked
	Channel     string    `json:"channel"`    // online, counter
	Maker       *Maker    `json:"maker"`      // nil when the customer asked by themselves
	Branch      string    `json:"branch"`     // of the maker; empty with them
	Note        string    `json:"note"`       // of the identity check; empty when the customer entered a code
	Method      string    `json:"method"`     // of the identity check
	Reasons     []Mark    `json:"reasons"`    // why it awaits approval
	Flags       []Mark    `json:"flags"`      // what was seen of it at the confirm: no proof of anything
	CreatedAt   time.Time `json:"created_at"`
	ExpiresAt   time.Time `json:"expires_at"` // the end of that day in Riyadh
	Digest      string    `json:"digest"`     // for Approve
}

// Maker is who asked for a refund at the counter.
type Maker struct {
	Login    string `json:"login"`
	Employee string `json:"employee"` // the person behind it
}

// Requester is the customer whose refund it is.
type Requester struct {
	CustomerID string `json:"customer_id"`
	ID         Party  `json:"id"`
}

// Mark is a word that a refund carries, and what an approver reads of it.
type Mark struct {
	Code string `json:"code"`
	Text Text   `json:"text"`
}

// Looks is how often an employee looked at customers on a day, at one branch.
type Looks struct {
	Employee  string `json:"employee"`
	Branch    string `json:"branch"`
	Day       Date   `json:"day"`       // in Riyadh
	Looks     int    `json:"looks"`     // all of them but those that were refused
	Unknown   int    `json:"unknown"`   // of these
	Forbidden int    `json:"forbidden"` // of these: their own number, or a relative's
	Refused   int    `json:"refused"`   // beside these: there had been too many
	Limit     int    `json:"limit"`     // of a day, over all branches
}

// Lookups are how employees have looked at customers, under an approver's token: the latest day first.
func (c *Client) Lookups(ctx context.Context) iter.Seq2[Looks, error] {
	return all(func(cursor string) (*Page[Looks], error) { return c.LookupPage(ctx, pageMax, cursor) })
}

// LookupPage is one page of Lookups: at most limit (1 to 100) after a cursor, which is empty for the first.
func (c *Client) LookupPage(ctx context.Context, limit int, cursor string) (*Page[Looks], error) {
	size := int64(limit)
	req, err := wire.NewListLookupsRequest(c.base, &wire.ListLookupsParams{Limit: &size, Cursor: given(cursor)})
	return get[Page[Looks]](ctx, c, again, req, err)
}

// Approvals are all that await a decision of an approver's, under their token: first what lapses first.
func (c *Client) Approvals(ctx context.Context) iter.Seq2[Approval, error] {
	return all(func(cursor string) (*Page[Approval], error) { return c.ApprovalPage(ctx, pageMax, cursor) })
}

// ApprovalPage is one page of Approvals: at most limit (1 to 100) after a cursor, which is empty for the first.
func (c *Client) ApprovalPage(ctx context.Context, limit int, cursor string) (*Page[Approval], error) {
	size := int64(limit)
	req, err := wire.NewListApprovalsRequest(c.base, &wire.ListApprovalsParams{Limit: &size, Cursor: given(cursor)})
	return get[Page[Approval]](ctx, c, again, req, err)
}

// Approve lets a refund that awaits approval go on. digest is that of the Approval that was decided on. After ErrNoAnswer,
// or when this is one of many attempts, ErrAlreadyDecided may mean that an earlier one of these was the decision.
func (c *Client) Approve(ctx context.Context, refundID, note, digest string) (*Confirmation, error) {
	req, err := wire.NewApproveRefundRequest(c.base, refundID, wire.ApproveInputBody{Note: note, Digest: digest})
	return get[Confirmation](ctx, c, once, req, err)
}

// Reject cancels a refund that awaits approval. What it may mean that it was decided already is as of Approve.
func (c *Client) Reject(ctx context.Context, refundID, note string) (*Confirmation, error) {
	req, err := wire.NewRejectRefundRequest(c.base, refundID, wire.RejectInputBody{Note: note})
	return get[Confirmation](ctx, c, once, req, err)
}

// Unblock lets a customer in again whom wrong codes keep out, under an approver's token. It counts as a look at them, so
// one that fails isn't repeated.
func (c *Client) Unblock(ctx context.Context, idNumber, note string) error {
	req, err := wire.NewUnblockCustomerRequest(c.base, wire.UnblockInputBody{IDNumber: idNumber, Note: note})
	_, err = c.call(ctx, once, nil, req, err)
	return err
}
