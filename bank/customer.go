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

// Staff is the bank's record of one of its own people.
type Staff struct {
	Employee string // the person; several logins may be one
	Name     moi.Name
	Branch   string
	// Barred are the ID numbers of those whom they may not serve: their own and their relatives'.
	Barred []saudi.Party
}

// Directory is the bank's record of its customers and its staff. It returns ErrNotFound when the bank knows no such
// person, and any other error when it couldn't be asked.
type Directory interface {
	Customer(ctx context.Context, id string) (Customer, error)
	// Find returns the customer who has this national ID or iqama.
	Find(ctx context.Context, identity saudi.Party) (Customer, error)
	Staff(ctx context.Context, employee string) (Staff, error)
}

// ErrNotFound: there is no such thing, or it is somebody else's. The two are never told apart.
var ErrNotFound = errors.New("not found")
