package bank

import (
	"context"
	"errors"
	"time"

	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// Customer is the bank's record of the person who asks.
type Customer struct {
	ID              string // the bank's id; the token's sub
	Name            moi.Name
	Identity        saudi.Party // national ID or iqama
	IdentityExpired bool
	Mobile          saudi.Mobile // zero: none on record
	MobileChangedAt time.Time    // zero: not on record
	Language        otp.Language
	Accounts        []Account
}

// Account is one account of a customer.
type Account struct {
	ID       string // the bank's opaque name; safe to show
	IBAN     saudi.IBAN
	Label    moi.Name
	Currency string
	Status   AccountStatus
}

// AccountStatus is whether money can go to an account.
type AccountStatus string

// The statuses of an account.
const (
	AccountActive AccountStatus = "active"
	AccountClosed AccountStatus = "closed"
	AccountFrozen AccountStatus = "frozen"
)

func (c Customer) account(iban saudi.IBAN) (Account, bool) {
	for _, a := range c.Accounts {
		if a.IBAN == iban {
			return a, true
		}
	}
	return Account{}, false
}

// Directory is the bank's record of its customers. It returns ErrNotFound when the bank knows no such customer, and
// any other error when it couldn't be asked.
type Directory interface {
	Customer(ctx context.Context, id string) (Customer, error)
}

// ErrNotFound: there is no such thing, or it is somebody else's. The two are never told apart.
var ErrNotFound = errors.New("not found")
