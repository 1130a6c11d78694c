package bank

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// AssistedSession is one customer before one teller. Once the customer has proved that they are there, it is to the
// path what token and proof are online: whom the teller speaks for, for how long, and by what right.
type AssistedSession struct {
	ID       string // UUIDv7; also of the Lookup that it began with
	Desk     Desk   // nobody else can use it
	Customer string
	// Challenge is the code that the customer has to type on the teller's keypad. Empty: the teller checked their identity
	// instead, because there is no mobile to be trusted with a code.
	Challenge string
	Verified  bool
	Ends      time.Time // however often it is used
}

// Desk is where a teller works: a login, in one session of its token.
type Desk struct{ Login, Session string }

// Lifetimes of an assisted session (api.md, "Tellers").
const (
	AssistedIdle = 15 * time.Minute
	AssistedLife = 30 * time.Minute
)

// AssistedSessions keeps assisted sessions. They may vanish: losing one only takes away the ability to go on. ErrNotFound
// says that the desk has no such session (any more), and every other error that nothing was decided.
type AssistedSessions interface {
	// Open keeps a new session for AssistedIdle.
	Open(ctx context.Context, s AssistedSession) error
	// Use returns a session and keeps it for another AssistedIdle, though never beyond its end.
	Use(ctx context.Context, d Desk, id string) (AssistedSession, error)
	// Session returns a session, and isn't a use of it.
	Session(ctx context.Context, d Desk, id string) (AssistedSession, error)
	// Verify notes that the customer proved that they are there. It is a use; expires is when the session lapses if there
	// is no other.
	Verify(ctx context.Context, d Desk, id string) (expires time.Time, err error)
	// End ends a session.
	End(ctx context.Context, d Desk, id string) error
}

// Lookup is one look of a teller or approver at a customer: for auditors, who ask who looked at somebody, and why.
type Lookup struct {
	ID       string // UUIDv7; of the assisted session, if one came of it
	At       time.Time
	Login    string
	Employee string // the person behind the login; look-ups are counted by them
	Branch   string
	Session  string      // sid of the token
	Client   string      // azp of it
	Number   saudi.Party // that was looked for; kept as a blind index alone
	Outcome  LookupOutcome
	Customer string         // who was found; empty: nobody
	Check    *IdentityCheck // that took the place of a code; nil: none
	Unblock  string         // why the customer was let in again after wrong codes; empty: they weren't
}

// LookupOutcome is what became of a look-up.
type LookupOutcome string

// The outcomes of look-ups.
const (
	LookupFound     LookupOutcome = "found"
	LookupUnknown   LookupOutcome = "unknown"   // nobody has the number
	LookupForbidden LookupOutcome = "forbidden" // the employee's own number, or a relative's
)

// IdentityCheck is how a teller made sure of a customer who can't be sent a code. What it says is the teller's words, with
// the numbers in them masked.
type IdentityCheck struct{ Method, Note string }

// LookupsMax is how many look-ups an employee has in a Riyadh day. A counter serves some thirty customers in a shift,
// a few of them twice; whoever looks at more is browsing.
const LookupsMax = 50

// Lookups is the durable record of look-ups.
type Lookups interface {
	// RecordLookup counts a look-up and puts it on record in one transaction, or returns ErrTooOften when its
	// employee had at least most of them on its Riyadh day; then nothing is written but that it was refused. After any other
	// error it may be on record.
	RecordLookup(ctx context.Context, l Lookup, most int) error
	// Tallies returns how employees looked at customers, the latest day first: those at one branch, or with none at all. The
	// cursor of the next page is empty after the last; one that wasn't given out for that branch is ErrCursor.
	Tallies(ctx context.Context, branch string, p Page) (tallies []LookupTally, next string, err error)
}

// LookupTally is how often an employee looked at customers on a Riyadh day, at one branch. It names none of them.
type LookupTally struct {
	Day       saudi.Date
	Branch    string
	Employee  string
	Found     int
	Unknown   int // nobody had the number
	Forbidden int // it was the employee's own, or a relative's
	Refused   int // there had been LookupsMax of them
}

// Looks is how many of the day's LookupsMax these are.
func (t LookupTally) Looks() int { return t.Found + t.Unknown + t.Forbidden }

// ErrBarred: staff serve neither themselves nor their relatives, and approve for neither.
var ErrBarred = errors.New("not by this employee")

// Approach is what a teller enters when a customer comes to the counter.
type Approach struct {
	IDNumber string         // as typed, from a document that the teller has seen
	Check    *IdentityCheck // for a customer who can't be sent a code; with any other it counts for nothing
}

// Assistance is what a teller sees of a customer before these have proved that they are there.
type Assistance struct {
	Session   AssistedSession
	Customer  Customer
	Overview  []Outlook
	Challenge *otp.Challenge // on its way to the customer's phone; nil after an identity check
}

// Outlook is whether one paid request can come back, and nothing else of it.
type Outlook struct {
	Service moi.Service // as the bank calls it
	Reason  Reason      // empty: it can come back
}

// Refundable reports whether the customer can ask for it now.
func (o Outlook) Refundable() bool { return o.Reason == "" }

// Assist begins an assisted session: it finds the customer, tells what could come back and what not, and sends a code to
// the customer's own phone. Nobody is told anything of a look-up that isn't on record.
func (p *Path) Assist(ctx context.Context, teller Caller, a Approach) (Assistance, error) {
	terms, err := p.whileOpen()
	if err != nil {
		return Assistance{}, err
	}
	identity, err := saudi.ParsePerson(a.IDNumber)
	if err != nil {
		return Assistance{}, ErrIDInvalid
	}
	if err := teller.accountable(); err != nil {
		return Assistance{}, err
	}
	lookup := teller.looksAt(identity)
	customer, err := p.lookUp(ctx, &lookup, func(c Customer) {
		if a.Check != nil && terms.reachable(c) != nil {
			lookup.Check = &IdentityCheck{Method: saudi.MaskNumbers(a.Check.Method), Note: saudi.MaskNumbers(a.Check.Note)}
		}
	})
	if err != nil {
		return Assistance{}, err
	}
	seen := Assistance{Customer: customer, Session: AssistedSession{
		ID: lookup.ID, Desk: teller.desk(), Customer: customer.ID, Verified: lookup.Check != nil, Ends: lookup.At.Add(AssistedLife),
	}}
	if lookup.Check == nil {
		if err := terms.reachable(customer); err != nil {
			return Assistance{}, err
		}
	}
	if seen.Overview, err = p.overview(ctx, terms, customer); err != nil {
		return Assistance{}, err
	}
	if lookup.Check == nil {
		teller.assisted = &seen.Session
		challenge, err := p.send(ctx, terms, teller, customer, otp.Profile, "")
		if err != nil {
			return Assistance{}, err
		}
		seen.Session.Challenge, seen.Challenge = challenge.ID, &challenge
	}
	if err := p.Counter.Open(ctx, seen.Session); err != nil {
		return Assistance{}, unavailable(err)
	}
	return seen, nil
}

// looksAt is a look of the caller's at whoever has the number.
func (c Caller) looksAt(number saudi.Party) Lookup {
	return Lookup{
		ID: uuid.Must(uuid.NewV7()).String(), At: time.Now(), Login: c.Subject, Employee: c.Employee, Branch: c.Branch,
		Session: c.Session, Client: c.Client, Number: number,
	}
}

// lookUp finds the customer and has the look put on record, with what came of it. Of somebody who was found, why adds to
// the record before.
func (p *Path) lookUp(ctx context.Context, l *Lookup, why func(Customer)) (Customer, error) {
	barred, err := p.barred(ctx, l.Employee, l.Number)
	if err != nil {
		return Customer{}, err
	}
	var customer Customer
	found := ErrBarred
	if !barred {
		customer, found = p.Directory.Find(ctx, l.Number)
	}
	switch {
	case found == nil:
		l.Outcome, l.Customer = LookupFound, customer.ID
		why(customer)
	case errors.Is(found, ErrBarred):
		l.Outcome = LookupForbidden
	case errors.Is(found, ErrNotFound):
		l.Outcome = LookupUnknown
	default:
		return Customer{}, unavailable(found)
	}
	err = p.Lookups.RecordLookup(ctx, *l, LookupsMax)
	if errors.Is(err, ErrTooOften) {
		p.Log.WarnContext(ctx, "an employee looks at too many customers", "employee", l.Employee, "branch", l.Branch)
		return Customer{}, &RateError{RetryAfter: endOfDay(l.At).Sub(l.At)}
	}
	if err != nil {
		return Customer{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return customer, found
}

// barred reports whether the number is the employee's own or a relative's. Somebody whom the bank doesn't know as its own
// is ErrBarred from everybody.
func (p *Path) barred(ctx context.Context, employee string, number saudi.Party) (bool, error) {
	staff, err := p.Directory.Staff(ctx, employee)
	if errors.Is(err, ErrNotFound) {
		return false, ErrBarred
	}
	return slices.Contains(staff.Barred, number), unavailable(err)
}

// overviewPages bounds what a look-up asks of the core, and tells, of a customer who hasn't proved yet that they are
// there: their newest 1,000 requests, more than a teller looks through.
const overviewPages = 2

// overview is whether each of the customer's requests can come back, by service: in no order that would tell when each
// was paid.
func (p *Path) overview(ctx context.Context, terms Terms, customer Customer) ([]Outlook, error) {
	overview := []Outlook{}
	err := p.each(ctx, terms, customer, overviewPages, func(l Listed) {
		overview = append(overview, Outlook{terms.Describe(l.Service), l.Reason})
	})
	slices.SortFunc(overview, func(a, b Outlook) int {
		if c := strings.Compare(a.Service.Code, b.Service.Code); c != 0 {
			return c
		}
		return strings.Compare(string(a.Reason), string(b.Reason))
	})
	return overview, err
}

// Assisted is the teller, speaking for the customer of their assisted session: a use of the session. Until the customer
// has proved that they are there, Caller.Proven says so.
func (p *Path) Assisted(ctx context.Context, teller Caller, id string) (Caller, error) {
	if err := teller.accountable(); err != nil {
		return Caller{}, err
	}
	session, err := p.Counter.Use(ctx, teller.desk(), id)
	if err != nil {
		return Caller{}, unavailable(err, ErrNotFound)
	}
	teller.assisted = &session
	return teller, nil
}

// Still returns an error when the caller doesn't speak for their customer any more: ErrNotFound when their assisted session
// is over. To ask is no use of it.
func (p *Path) Still(ctx context.Context, c Caller) error {
	if c.assisted == nil {
		return nil
	}
	_, err := p.Counter.Session(ctx, c.desk(), c.assisted.ID)
	return unavailable(err, ErrNotFound)
}

// VerifyAssisted takes the code that the customer typed on the keypad. From then on the session is their proof.
func (p *Path) VerifyAssisted(ctx context.Context, teller Caller, id, code string) (expires time.Time, err error) {
	c, err := p.Assisted(ctx, teller, id)
	if err != nil {
		return time.Time{}, err
	}
	return p.Verify(ctx, c, c.assisted.Challenge, code)
}

// EndAssisted ends an assisted session: the customer leaves.
func (p *Path) EndAssisted(ctx context.Context, teller Caller, id string) error {
	return unavailable(p.Counter.End(ctx, teller.desk(), id), ErrNotFound)
}

// rules are what a confirm of the caller's has to keep.
func (t Terms) rules(c Caller, now time.Time) gateway.Rules {
	if c.assisted == nil {
		return gateway.Rules{Limit: t.OnlineLimit, ApprovalExpires: endOfDay(now)}
	}
	r := gateway.Rules{Limit: t.CounterLimit, ApproveAbove: t.ApproveAbove, ApprovalExpires: endOfDay(now)}
	if c.identityChecked() {
		r.Holds = []gateway.Mark{gateway.IdentityChecked}
	}
	return r
}

// needsCode reports whether a confirm needs a code of its own. A customer who can't be sent any needs none: somebody
// else at the bank agrees instead.
func (t Terms) needsCode(c Caller, amount money.Amount) bool {
	return !c.identityChecked() && (amount > t.ConfirmCodeAbove || t.ConfirmCodeAbove == 0)
}

// endOfDay is when the Riyadh day of t is over.
func endOfDay(t time.Time) time.Time { return saudi.DateOf(t).AddDays(1).At(0, 0) }
