package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"iter"
	"net/http"

	"github.com/istirdad/istirdad/gateway/client/internal/wire"
)

// Profile is step 3. It needs a proof, as everything does up to the preview: see Challenge.
func (c *Client) Profile(ctx context.Context) (*Profile, error) {
	req, err := wire.NewGetProfileRequest(c.base)
	return get[Profile](ctx, c, again, req, err)
}

// Challenge is step 4: it has a code sent to the customer's phone. A new challenge is the end of an older one.
func (c *Client) Challenge(ctx context.Context) (*Challenge, error) {
	req, err := wire.NewCreateChallengeRequest(c.base, wire.ChallengeInputBody{Purpose: wire.ChallengeInputBodyPurposeProfile})
	return get[Challenge](ctx, c, once, req, err)
}

// ChallengeRefund has a code sent that is good for confirming this preview and nothing else. The SMS names the amount, the
// service and the end of the account.
func (c *Client) ChallengeRefund(ctx context.Context, refundID string) (*Challenge, error) {
	req, err := wire.NewCreateChallengeRequest(c.base, wire.ChallengeInputBody{
		Purpose: wire.ChallengeInputBodyPurposeRefund, RefundID: &refundID,
	})
	return get[Challenge](ctx, c, once, req, err)
}

// Resend has another code sent for a challenge; the one before is dead, its failures count. Not before ResendAfter.
func (c *Client) Resend(ctx context.Context, challengeID string) (*Challenge, error) {
	req, err := wire.NewResendChallengeRequest(c.base, challengeID, wire.ResendInputBody{})
	return get[Challenge](ctx, c, once, req, err)
}

// Verify enters a profile's code, as the customer typed it.
func (c *Client) Verify(ctx context.Context, challengeID, code string) (*Proof, error) {
	req, err := wire.NewVerifyChallengeRequest(c.base, challengeID, wire.VerifyInputBody{Code: code})
	return get[Proof](ctx, c, once, req, err)
}

// Payments is step 5, the menu.
func (c *Client) Payments(ctx context.Context) (*Menu, error) {
	req, err := wire.NewListPaymentsRequest(c.base)
	return get[Menu](ctx, c, again, req, err)
}

// Services is step 6: those that the customer has requests of, in any state.
func (c *Client) Services(ctx context.Context) ([]Service, error) {
	req, err := wire.NewListServicesRequest(c.base)
	return items[Service](get[Page[Service]](ctx, c, again, req, err))
}

// Requests is steps 7 and 8: all requests of a service, refundable or not. It asks for the next page when it is reached, and
// ends after an error.
func (c *Client) Requests(ctx context.Context, service string) iter.Seq2[Request, error] {
	return all(func(cursor string) (*Page[Request], error) { return c.RequestPage(ctx, service, pageMax, cursor) })
}

// RequestPage is one page of Requests: at most limit (1 to 100) after a cursor, which is empty for the first.
func (c *Client) RequestPage(ctx context.Context, service string, limit int, cursor string) (*Page[Request], error) {
	size := int64(limit)
	req, err := wire.NewListRequestsRequest(c.base, service, &wire.ListRequestsParams{Limit: &size, Cursor: given(cursor)})
	return get[Page[Request]](ctx, c, again, req, err)
}

// Preview is steps 9 and 10: what will happen if it is confirmed. Nothing has happened yet.
func (c *Client) Preview(ctx context.Context, ask Ask) (*Preview, error) {
	key := ask.Key
	if key == "" {
		key = rand.Text()
	}
	req, err := wire.NewPreviewRefundRequest(c.base, &wire.PreviewRefundParams{IdempotencyKey: key}, wire.PreviewInputBody{
		RequestID: ask.RequestID, AccountNumber: ask.AccountNumber, IDNumber: ask.IDNumber,
	})
	var p Preview
	a, err := c.call(ctx, again, &p, req, err)
	if err != nil {
		return nil, err
	}
	p.Replayed = a.replayed()
	return &p, nil
}

// Confirm is step 11, for a preview that needs no code. The refund's id is its key: confirming again, ever, is the same
// refund.
func (c *Client) Confirm(ctx context.Context, refundID string) (*Confirmation, error) {
	return c.confirm(ctx, again, refundID, wire.ConfirmInputBody{})
}

// ConfirmWithCode is step 11 with the code that ChallengeRefund had sent. After ErrNoAnswer, Refund tells what became of it.
func (c *Client) ConfirmWithCode(ctx context.Context, refundID, challengeID, code string) (*Confirmation, error) {
	return c.confirm(ctx, once, refundID, wire.ConfirmInputBody{ChallengeID: &challengeID, Code: &code})
}

func (c *Client) confirm(ctx context.Context, how repetition, refundID string, body wire.ConfirmInputBody) (*Confirmation, error) {
	req, err := wire.NewConfirmRefundRequest(c.base, refundID, body)
	var done Confirmation
	a, err := c.call(ctx, how, &done, req, err)
	if err != nil {
		return nil, err
	}
	done.Replayed = a.replayed()
	return &done, nil
}

// RefundOrPreview is whichever of the two an id belongs to; the other is nil.
type RefundOrPreview struct {
	Refund  *Refund
	Preview *Preview
}

// UnmarshalJSON tells the two apart by the status.
func (r *RefundOrPreview) UnmarshalJSON(b []byte) error {
	var which struct {
		Status Status `json:"status"`
	}
	if err := json.Unmarshal(b, &which); err != nil {
		return err
	}
	*r = RefundOrPreview{}
	switch which.Status {
	case "":
		return errors.New("neither a refund nor a preview")
	case Previewed:
		return json.Unmarshal(b, &r.Preview)
	default:
		return json.Unmarshal(b, &r.Refund)
	}
}

// Refund is what became of a preview.
func (c *Client) Refund(ctx context.Context, refundID string) (*RefundOrPreview, error) {
	req, err := wire.NewGetRefundRequest(c.base, refundID)
	return get[RefundOrPreview](ctx, c, again, req, err)
}

// Refunds are all of the customer's, newest first, without their timelines.
func (c *Client) Refunds(ctx context.Context) iter.Seq2[Refund, error] {
	return all(func(cursor string) (*Page[Refund], error) { return c.RefundPage(ctx, pageMax, cursor) })
}

// RefundPage is one page of Refunds: at most limit (1 to 100) after a cursor, which is empty for the first.
func (c *Client) RefundPage(ctx context.Context, limit int, cursor string) (*Page[Refund], error) {
	size := int64(limit)
	return c.listRefunds(ctx, &wire.ListRefundsParams{Limit: &size, Cursor: given(cursor)})
}

// FindRefund is the customer's refund with that reference (RF…), without its timeline. ErrNotFound when there is none.
func (c *Client) FindRefund(ctx context.Context, reference string) (*Refund, error) {
	page, err := c.listRefunds(ctx, &wire.ListRefundsParams{Reference: &reference})
	switch {
	case err != nil:
		return nil, err
	case len(page.Items) == 0:
		return nil, ErrNotFound
	}
	return &page.Items[0], nil
}

func (c *Client) listRefunds(ctx context.Context, p *wire.ListRefundsParams) (*Page[Refund], error) {
	req, err := wire.NewListRefundsRequest(c.base, p)
	return get[Page[Refund]](ctx, c, again, req, err)
}

// Receipt is a page to print, in Arabic and English: HTML in UTF-8. ErrNotFound for a preview.
func (c *Client) Receipt(ctx context.Context, refundID string) ([]byte, error) {
	req, err := wire.NewGetReceiptRequest(c.base, refundID)
	page, err := c.call(ctx, again, nil, req, err)
	return page.body, err
}

// Cancel withdraws a preview, or a refund that was never sent. ErrTooLate when it may have been.
func (c *Client) Cancel(ctx context.Context, refundID string) error {
	req, err := wire.NewWithdrawRefundRequest(c.base, refundID)
	return c.end(ctx, ErrNotFound, req, err)
}

// BalanceInquiry is what is left unused under a number: everything under the customer's own, and under another what the
// customer paid for it. There are thirty of them an hour, so one that fails isn't repeated.
func (c *Client) BalanceInquiry(ctx context.Context, idNumber string) (*Balance, error) {
	req, err := wire.NewInquireBalanceRequest(c.base, wire.BalanceInputBody{IDNumber: idNumber})
	return get[Balance](ctx, c, once, req, err)
}

// EndSession signs the customer out: no token of this session is believed from then on, at any gateway. A refund that was
// confirmed goes on.
func (c *Client) EndSession(ctx context.Context) error {
	req, err := wire.NewEndSessionRequest(c.base)
	return c.end(ctx, ErrUnauthenticated, req, err)
}

// get makes a call whose answer is a T.
func get[T any](ctx context.Context, c *Client, how repetition, req *http.Request, err error) (*T, error) {
	var v T
	if _, err := c.call(ctx, how, &v, req, err); err != nil {
		return nil, err
	}
	return &v, nil
}

func items[T any](page *Page[T], err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	return page.Items, nil
}

const (
	pageMax  = 100  // the most that the API gives at once
	pagesMax = 1000 // after a hundred thousand items something is wrong
)

var errEndless = errors.New("client: the list doesn't end")

// all goes through a list page by page.
func all[T any](page func(cursor string) (*Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		cursor := ""
		for range pagesMax {
			p, err := page(cursor)
			if err != nil {
				yield(zero, err)
				return
			}
			for _, item := range p.Items {
				if !yield(item, nil) {
					return
				}
			}
			if p.NextCursor == "" {
				return
			}
			if p.NextCursor == cursor {
				break
			}
			cursor = p.NextCursor
		}
		yield(zero, errEndless)
	}
}

// given is a parameter that is left out when it is empty.
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
