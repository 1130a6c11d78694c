package client

import (
	"context"

	"github.com/istirdad/istirdad/gateway/client/internal/wire"
)

// Balance is what is left unused under a number.
type Balance struct {
	ID      Party    `json:"id"`
	Buckets []Bucket `json:"buckets"` // all six, always in the same order, zeros too
	Total   Halalas  `json:"total"`
}

// Bucket is one of the sums that a balance is divided into.
type Bucket struct {
	Bucket string  `json:"bucket"` // "passports", for example
	Name   Text    `json:"name"`
	Amount Halalas `json:"amount"`
}

// Balance asks what is left unused under a national ID, iqama, border or establishment number: everything under the
// customer's own, and under another only what the customer paid for it. Thirty an hour, each attempt counted:
// ErrRateLimited.
func (c *Client) Balance(ctx context.Context, idNumber string) (*Balance, error) {
	req, err := wire.NewInquireBalanceRequest(c.base, wire.BalanceInputBody{IDNumber: idNumber})
	return get[Balance](ctx, c, again, req, err)
}
