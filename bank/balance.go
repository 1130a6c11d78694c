package bank

import (
	"context"
	"time"

	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
)

// Balance is what is left unused under an identification number.
type Balance struct {
	Buckets []BucketSum // all of moi.Buckets, in their order, zeros too
	Total   money.Amount
}

// BucketSum is one line of a Balance.
type BucketSum struct {
	Bucket moi.Bucket
	Amount money.Amount
}

// Rate is how often a caller may do something: Most times in any period of length Per.
type Rate struct {
	Of   string // what is done; the name of the count
	Most int
	Per  time.Duration
}

// BalanceRate bounds balance inquiries (api.md): whoever tries numbers in turn doesn't get far.
var BalanceRate = Rate{Of: "balance", Most: 30, Per: time.Hour}

// Meter counts what callers may not do without end. What it knows may vanish; then a caller may begin anew.
type Meter interface {
	// Take counts one use, in one step over all processes, or, when there were as many as there may be, counts nothing
	// and returns how long it is until the next one. An error means that nobody may.
	Take(ctx context.Context, now time.Time, caller string, r Rate) (wait time.Duration, err error)
}

// Balance says what is left unused under the number, as typed: everything under the caller's own, and under any other
// only what the caller paid for it. So nobody learns more of another's number than what they did for it themselves: one
// that is nobody's and one without a balance are the same zeros, come by in the same way.
//
// What is no number at all doesn't count towards BalanceRate. All else does, also when the core can't be asked.
func (p *Path) Balance(ctx context.Context, c Caller, number string) (saudi.Party, Balance, error) {
	if _, _, err := p.enter(ctx, c); err != nil {
		return saudi.Party{}, Balance{}, err
	}
	party, err := saudi.ParseInquirer(number)
	if err != nil {
		return saudi.Party{}, Balance{}, ErrIDInvalid
	}
	customer, err := p.customer(ctx, c.Customer())
	if err != nil {
		return saudi.Party{}, Balance{}, err
	}
	switch wait, err := p.Meter.Take(ctx, time.Now(), c.Subject, BalanceRate); {
	case err != nil:
		return saudi.Party{}, Balance{}, unavailable(err)
	case wait > 0:
		return saudi.Party{}, Balance{}, &RateError{wait}
	}
	payer := customer.Identity
	if party == payer {
		payer = saudi.Party{}
	}
	balance, err := p.Inquiries.Balances(ctx, party, payer)
	return party, balance, unavailable(err, ErrCoreUnavailable)
}
