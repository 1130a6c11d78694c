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

// Caller is who calls, as a verified token says, and for whom. The zero Caller may do nothing.
type Caller struct {
	Subject  string // sub: the customer's id, or the login of staff
	Session  string // sid: never empty in a verified token
	Client   string // azp: the program that calls
	Scopes   []Scope
	Employee string // staff: the person behind the login
	Branch   string // staff
	Expires  time.Time
	Trace    string // W3C traceparent of the call, not of the token; empty: none

	// assisted is the session in which a teller speaks for the customer before them, and Path.Assisted alone sets it.
	// Nil: the caller speaks for themselves.
	assisted *AssistedSession
}

// Has reports whether the token carries the scope.
func (c Caller) Has(s Scope) bool { return slices.Contains(c.Scopes, s) }

// Customer is whom the caller speaks for. Steps of the path are about this customer, whoever calls.
func (c Caller) Customer() string { return c.Holder().Customer }

// Holder is whom a proof, a preview or a key belongs to: one customer in one session.
type Holder struct {
	Customer string
	Session  string
}

// Holder is the customer whom the caller speaks for, in the session in which they do.
func (c Caller) Holder() Holder {
	if c.assisted != nil {
		return Holder{Customer: c.assisted.Customer, Session: c.assisted.ID}
	}
	return Holder{Customer: c.Subject, Session: c.Session}
}

// desk is where a teller works.
func (c Caller) desk() Desk { return Desk{Login: c.Subject, Session: c.Session} }

// accountable returns ErrBarred when the token of staff doesn't say which person they are, and at which branch: whatever
// they did would be nobody's.
func (c Caller) accountable() error {
	if c.Employee == "" || c.Branch == "" {
		return ErrBarred
	}
	return nil
}

// awaits reports whether the customer before the teller hasn't proved yet that they are there.
func (c Caller) awaits() bool { return c.assisted != nil && !c.assisted.Verified }

// identityChecked reports whether the customer before the teller can't be sent a code and showed who they are instead.
func (c Caller) identityChecked() bool { return c.assisted != nil && c.assisted.Challenge == "" }

// Proven returns ErrNoProof to a teller until the customer before them has proved that they are there. Only the resend
// of the code that they wait for goes on without.
func (c Caller) Proven() error {
	if c.awaits() {
		return ErrNoProof
	}
	return nil
}

// actor is a member of staff who acts by themselves.
func (c Caller) actor(role gateway.Role) gateway.Actor {
	return gateway.Actor{Role: role, ID: c.Subject, Employee: c.Employee, Branch: c.Branch, Session: c.Session}
}

// origin is where what the caller asks for comes from.
func (c Caller) origin() gateway.Origin {
	h := c.Holder()
	o := gateway.Origin{Customer: h.Customer, Session: h.Session, Client: c.Client, Channel: gateway.Online}
	if c.assisted != nil {
		o.Channel, o.Teller, o.Employee, o.Branch = gateway.Counter, c.Subject, c.Employee, c.Branch
	}
	return o
}
