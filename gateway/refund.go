package gateway

import (
	"time"

	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
)

// Payment is a fee that was paid and not used, as the core told it when the customer looked: what is asked back, whole.
// It is fixed by the preview; no person types any of it.
type Payment struct {
	RequestID   string // the core's name for the paid request
	Service     string // "090-003"
	Name        moi.Name
	Amount      money.Amount
	Payer       saudi.Party // who paid and therefore asks
	Beneficiary saudi.Party // for whom it was paid; often somebody else
}

// Channel is where the customer is.
type Channel string

// The channels.
const (
	Online  Channel = "online"
	Counter Channel = "counter"
)

// Origin is who asked for a refund, where, and in which session.
type Origin struct {
	Customer string // the bank's customer id
	Session  string // sid of the token; at the counter, id of the assisted session
	Client   string // azp of the token: the frontend or the teller system
	Channel  Channel
	Teller   string // login of the teller; empty online
	Employee string // the person behind that login
	Branch   string
}

// Actor is who acts when something is asked for from there: the customer, or the teller who serves them.
func (o Origin) Actor() Actor {
	if o.Channel == Counter {
		return Actor{Role: RoleTeller, ID: o.Teller, Employee: o.Employee, Branch: o.Branch, Session: o.Session}
	}
	return Actor{Role: RoleCustomer, ID: o.Customer, Session: o.Session}
}

// Notice says what became of the SMS that tells the customer of the credit.
type Notice string

// The notices. A refund has none before it is credited.
const (
	NoticeNone  Notice = ""
	NoticeDue   Notice = "due"
	NoticeSent  Notice = "sent"
	NoticeGiven Notice = "given_up" // no mobile, or the routes refused for a day; the money is there all the same
)

// Refund is one request for one payment's return, from the confirm to its end.
// Everything below State is changed only by the moves in change.go.
type Refund struct {
	ID        string // the id of the preview that was confirmed (UUIDv7)
	Reference string // see Reference
	Ordinal   int    // how many refunds of this request ended dead before this one
	Origin    Origin
	Payment   Payment
	To        saudi.IBAN // the account that paid
	Challenge string     // the one-time code's challenge; empty when the confirm needed none
	CreatedAt time.Time
	Promised  saudi.Date // the day by which the money is promised
	Trace     string     // W3C traceparent of the confirm, which what is done for it later joins; empty: none
	Held      Marks      // why it had to be approved; none: it hadn't
	Flags     Marks      // what was seen of it at the confirm; not for the customer, nor for their teller

	State     State
	Version   int64     // rises by one with every change; the compare-and-swap goes by it
	Due       time.Time // when the machine looks at it next; zero when no machine will
	UpdatedAt time.Time // when State last changed

	Sends       int       // sends to the core that were not proved to have stayed here
	Misses      int       // sends of which nothing left because the core couldn't be reached
	MayHaveLeft bool      // for ever true once a send may have reached the core
	SentAt      time.Time // the last send; the quiet period counts from here
	DoubtSince  time.Time // when the refund was first in doubt; zero before
	Asks        int       // questions put since State last changed; the schedule counts by it
	Unknowns    int       // "unknown reference" answers that count since State last changed
	UnknownAt   time.Time // the last of them

	CoreReference string
	ReleasedAt    time.Time // when a verified answer first said that the core released the money; zero before
	Posts         int       // requests to the bank's ledger to post the credit that may have left
	CreditRefusal string    // the bank's code when it refused the credit for good; empty otherwise
	LedgerID      string    // the bank's name for the posted credit
	Reason        string    // why it was rejected, cancelled, returned or handed to people
	Notice        Notice
}

// Released reports whether a verified answer of the core has said that it released the money.
func (r Refund) Released() bool { return !r.ReleasedAt.IsZero() }

// Actor is who made a change: a person or one of our machines.
type Actor struct {
	Role     Role
	ID       string // customer id, or login of staff; empty for machines
	Employee string // the person behind a login of staff
	Branch   string
	Session  string
}

// Role is in which capacity an Actor acts.
type Role string

// The roles.
const (
	RoleCustomer   Role = "customer"
	RoleTeller     Role = "teller"
	RoleApprover   Role = "approver"
	RoleOperator   Role = "operator"
	RoleDispatcher Role = "dispatcher"
)

// Event is one step of a refund's life, for auditors and for the customer's timeline: exactly one for each change of
// state, written with it, never altered. Evidence holds what the step rests on, and no personal data but in a Note.
type Event struct {
	RefundID string
	Version  int64
	At       time.Time
	From     State // empty for the first
	To       State
	Actor    Actor
	Evidence Evidence
}

// Evidence is what a step rests on, by name: the core's reference, the refusal's code, the cause of a doubt. A value is kept
// as it is, but for a Note.
type Evidence map[string]string

// Proof is the name, on the first step, of the challenge whose code let the customer in: by it they were known for who they
// are, also where the confirm had a code of its own.
const Proof = "proof"

// Note is the name of what a person wrote on a step. It may tell of people, so stores keep it sealed.
const Note = "note"
