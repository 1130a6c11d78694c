package bank

import (
	"context"
	"errors"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
)

// PaidRequest is a request that was paid for at the ministry, as the core tells it.
type PaidRequest struct {
	gateway.Payment
	PaidAt   time.Time
	PaidBank string     // two-digit code of the bank that it was paid through
	PaidFrom saudi.IBAN // the account that paid, the only one that money may go back to
	State    RequestState
	Refusal  Reason // the core's own reason why it can't come back; empty when it can
}

// RequestState is where a paid request stands at the core.
type RequestState string

// The states of core-protocol.md, "POST /requests/search".
const (
	RequestAvailable RequestState = "available"
	RequestConsumed  RequestState = "consumed"
	RequestRefunding RequestState = "refunding"
	RequestRefunded  RequestState = "refunded"
)

// Search is which paid requests are asked for: those of which Party is payer or beneficiary.
type Search struct {
	Party     saudi.Party
	Service   string // empty: every service
	RequestID string // empty: every request
	Limit     int    // 1–500
	Cursor    string // of the page before; empty for the first
}

// Inquiries are the questions to the core that have no effect. Every error but ErrCursor means that the core couldn't
// be asked or couldn't be believed: ErrCoreUnavailable.
type Inquiries interface {
	// Search returns a page, newest payment first, and the cursor of the next one, empty after the last.
	Search(ctx context.Context, s Search) (requests []PaidRequest, next string, err error)
	// Balances returns what is left unused under the identifier: with a payer only what that payer paid for it, with a
	// zero one everything.
	Balances(ctx context.Context, identifier, payer saudi.Party) (Balance, error)
}

// ErrCoreUnavailable: the government refund core can't be asked just now.
var ErrCoreUnavailable = errors.New("refund core unavailable")

// Reason is why a paid request can't come back, or why a refund ended without money. The codes are those of api.md.
type Reason string

// The reasons, in the order in which the first that holds is told.
const (
	PayerMismatch        Reason = "payer_mismatch" // somebody else paid; whoever paid may ask
	ServiceNotRefundable Reason = "service_not_refundable"
	FeeConsumed          Reason = "fee_consumed"
	RefundExists         Reason = "refund_exists"
	OtherBank            Reason = "other_bank"
	AccountIsClosed      Reason = "account_closed"
	AccountIsFrozen      Reason = "account_frozen"

	// Only of refunds that the core rejected.
	AlreadyRefunded Reason = "already_refunded"
	AmountChanged   Reason = "amount_changed"
)

// Warning is what a customer should know although nothing stands in the way.
type Warning string

// The warnings.
const IdentityExpired Warning = "id_expired"

// Listed is a paid request as its customer sees it.
type Listed struct {
	PaidRequest
	Reason      Reason   // empty: it can come back
	ReasonText  Text     // what the customer reads of the reason
	PaidFromOwn *Account // the caller's own account that paid; nil when it is somebody else's
	Warnings    []Warning
}

// Refundable reports whether the caller can ask for it now.
func (l Listed) Refundable() bool { return l.Reason == "" }

// ServiceTotal is one service of which the customer has requests, in whatever state.
type ServiceTotal struct {
	Service    moi.Service  // as the bank calls it
	Refundable int          // how many can come back
	Total      money.Amount // of those
}
