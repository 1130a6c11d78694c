// Package sandboxseed is the world that every stand-in of the sandbox starts
// from: the people who can sign in, their accounts, and the fees that they
// have paid and may ask back.
//
// It is data, not behaviour. The bank's stand-in takes the people and accounts
// from it, the core's stand-in the requests, and both take them from the same
// call of New, so that an IBAN that the core says "paid" is an IBAN that the
// bank knows. Every identifier lies in a range far above the ones issued today
// (19…, 29…), every account is synthetic, and fees are sandbox data, not
// official prices.
//
// What can be paid for, and until when it can come back, is data with its
// sources: fees.csv and services.csv, by the day.
//
// Each person is one case: p01 is the happy path, p05 benefits from what
// somebody else paid, p10's account is closed, and so on (people.go tells each).
// The crowd (crowd.go) is for load: as many customers as asked for, all alike
// but for their numbers.
//
// A World is made anew by each New and shares nothing with other worlds;
// "reset" of a stand-in is simply going back to the world that it was given.
// Only the dates of payment depend on the clock: everything else is the same on
// every machine.
package sandboxseed

import (
	"time"

	"github.com/istirdad/istirdad/internal/moi"
)

// Password opens every sandbox person's session, at the bank and at the portal.
const Password = "istirdad"

// BankCode is the two-digit code, in IBANs, of the bank that runs the gateway.
const BankCode = "80"

// Roles of a Person.
const (
	RoleCustomer = "customer"
	RoleTeller   = "teller"
	RoleApprover = "approver"
	RoleOperator = "operator"
)

// Statuses of an Account.
const (
	AccountActive = "active"
	AccountClosed = "closed"
	AccountFrozen = "frozen"
)

// States of a Request.
const (
	StateAvailable = "available"
	StateConsumed  = "consumed"
	StateRefunding = "refunding"
	StateRefunded  = "refunded"
)

// Name is a text for people, in Arabic and English.
type Name = moi.Name

// Account is a bank account of a customer.
type Account struct {
	AccountID string // opaque, e.g. "acc-p01-1"
	Number    string // the bank's own 15 digits
	IBAN      string // compact
	Label     Name
	Status    string // one of the Account… constants
}

// Request is a fee that was paid and waits at the ministry, or did.
type Request struct {
	ID                string // stable and unique, e.g. "rq-p01-1"
	Service           string // "090-003"
	Variant           Name   // the service with what was chosen: "Renew Iqama, 12 months"
	BeneficiaryKind   string // a saudi.Kind
	BeneficiaryNumber string
	PayerKind         string
	PayerNumber       string
	Amount            int64 // halalas
	PaidAt            time.Time
	PaidThroughBank   string // two digits; BankCode when it was ours
	PaidFromIBAN      string // compact
	State             string // one of the State… constants
	Bucket            string // one of moi's balance buckets
	Refundable        bool   // as the core sees it: which account or bank paid is not its concern
	Reason            string // when not: the core's code ("fee_consumed", "already_refunded"); empty otherwise
}

// Person can sign in: a customer or one of the bank's staff. A customer's
// CustomerID is their User. Staff have Employee and Branch, and the numbers
// that they may not serve; two logins of one person share Employee.
type Person struct {
	User       string
	Role       string // one of the Role… constants
	CustomerID string
	Name       Name
	IDKind     string
	IDNumber   string
	Mobile     string // E.164; empty when the bank has none
	IDExpired  bool
	Language   string // "ar" or "en"
	Employee   string
	Branch     string
	OwnIDs     []string
	Relatives  []string
	Accounts   []Account
}

// World is everything that the stand-ins begin with. Whoever gets one owns it.
type World struct {
	People   []Person
	Requests []Request
}
