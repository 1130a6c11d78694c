package bank

import (
	"context"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
)

// Book is the durable record of refunds, as the path needs it. Reads are of the caller's own refunds alone; somebody
// else's are gateway.ErrNotFound. An error that isn't one of gateway's leaves open whether a write was done.
type Book interface {
	// Accept records a confirmed preview in one transaction: the day's limit, the refund, its first event, and, when
	// a code was given, the end of the customer's row of wrong codes. When the refund of this id is there already, of
	// the same customer, it is returned as it is now with first false, and nothing is written; so a retry after a lost
	// answer does no harm. It returns gateway.ErrRefundExists, ErrLimitExceeded, ErrChallengeUsed or ErrNotFound (the
	// id is somebody else's, or was withdrawn).
	Accept(ctx context.Context, a gateway.Acceptance) (r gateway.Refund, first bool, err error)
	// Accepted is Refund for whoever will be told that the refund was accepted: what it returns is as durable as what
	// Accept returns, although whoever accepted it may not have lived to hear so.
	Accepted(ctx context.Context, customer, id string) (gateway.Refund, error)
	// Withdraw settles, against a confirm that may be under way, that the preview of this id never becomes a refund:
	// Accept refuses the id from now on, as gateway.ErrNotFound. When the id is a refund of the customer's already, it
	// is returned with found true and nothing is written. It remembers for PreviewMemory, after which no preview is
	// left to confirm.
	Withdraw(ctx context.Context, now time.Time, customer, id string) (r gateway.Refund, found bool, err error)
	// Refund returns the customer's refund of this id.
	Refund(ctx context.Context, customer, id string) (gateway.Refund, error)
	// Refunds returns the customer's refunds, newest first, and the cursor of the next page, empty after the last. A
	// cursor that wasn't given out is ErrCursor.
	Refunds(ctx context.Context, customer string, p Page) (refunds []gateway.Refund, next string, err error)
	// Events returns the refund's events, oldest first.
	Events(ctx context.Context, id string) ([]gateway.Event, error)
	// Live says which of the requests have a refund of ours that is live or credited.
	Live(ctx context.Context, requestIDs []string) (map[string]bool, error)
	// Spent is what the customer's refunds have taken from the day's limit.
	Spent(ctx context.Context, customer string, day saudi.Date) (money.Amount, error)
	// Apply commits a change, or returns gateway.ErrStale.
	Apply(ctx context.Context, c gateway.Change) error
}

// Page is which part of a list is asked for.
type Page struct {
	Limit     int // 1–100
	Cursor    string
	Reference string // only the refund with this reference; empty: all
	Request   string // only the refund of this request that is live or credited; empty: all
}
