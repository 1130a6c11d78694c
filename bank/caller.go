package bank

import (
	"slices"
	"time"

	"github.com/istirdad/istirdad/gateway"
)

// Scope is what a token allows.
type Scope string

// The scopes of bank-protocol.md.
const (
	ScopeRefunds  Scope = "refunds" // a customer
	ScopeTeller   Scope = "teller"
	ScopeApprover Scope = "approver"
	ScopeOperator Scope = "operator"
)

// Caller is who calls, as a verified token says. The zero Caller may do nothing.
type Caller struct {
	Subject  string // sub: the customer's id, or the login of staff
	Session  string // sid: never empty in a verified token
	Client   string // azp: the program that calls
	Scopes   []Scope
	Employee string // staff: the person behind the login
	Branch   string // staff
	Expires  time.Time
	Trace    string // W3C traceparent of the call, not of the token; empty: none
}

// Has reports whether the token carries the scope.
func (c Caller) Has(s Scope) bool { return slices.Contains(c.Scopes, s) }

// Holder is whom a proof, a preview or a key belongs to: one customer in one session.
type Holder struct {
	Customer string
	Session  string
}

// Holder is the customer and session that a customer's own token speaks for.
func (c Caller) Holder() Holder { return Holder{Customer: c.Subject, Session: c.Session} }

func (c Caller) origin() gateway.Origin {
	return gateway.Origin{
		Customer: c.Subject, Session: c.Session, Client: c.Client, Channel: gateway.Online,
		Employee: c.Employee, Branch: c.Branch,
	}
}
