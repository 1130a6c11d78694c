package bank

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// Terms are what a bank sets. They may change while the path is walked: each step asks for them once and keeps to what
// it was told, to its end. What is in maps and slices is shared by all who ask, and nobody's to change.
type Terms struct {
	BankCode string // two digits, as in its IBANs; part of every reference, so it never changes

	Calendar    saudi.Calendar // working week, holidays and cut-off
	PromiseDays int            // working days; the customer is told the date

	ConfirmCodeAbove money.Amount   // a confirm above it needs a code; zero: every confirm
	OnlineLimit      money.Amount   // of a customer and Riyadh day
	CounterLimit     money.Amount   // of a customer and Riyadh day, when a teller asks for them
	ApproveAbove     money.Amount   // at the counter: a confirm that brings the day above it awaits approval
	BackOffice       string         // the branch whose approvers decide for all branches, and for what comes from none
	Hold             []gateway.Mark // flags for which a confirm awaits approval, online too
	Thresholds       Thresholds     // from when on something is flagged

	Code       otp.Form      // of the codes to come; those under way keep theirs
	MobileRest time.Duration // how long a changed mobile gets no codes
	Brand      otp.Brand     // of every message

	Menu      Menu
	Services  map[string]Text // the bank's own names of services, by code
	Sectors   map[string]Text // and of sectors, by biller
	Suspended map[string]Text // services that the bank has switched off, by code, and what it says of each
	Notices   []Window        // what the bank tells everybody, and when
	Closures  []Window        // when nothing new is begun or looked for; what was begun goes on
}

// Menu is the bank's menu of payments.
type Menu struct {
	Name    Text // of the menu itself
	Entries []MenuEntry
	Notices []Window // those of the moment
}

// MenuEntry is one kind of payment.
type MenuEntry struct {
	ID   string
	Name Text
}

// Window is a time with something to say of it.
type Window struct {
	Text        Text // zero: nothing of the bank's own
	From, Until time.Time
}

// holds reports whether it is that time.
func (w Window) holds(now time.Time) bool { return !now.Before(w.From) && now.Before(w.Until) }

// EPayments is the entry that leads to the services. Every menu has it; where others lead is the channel's business.
const EPayments = "e-payments"

// Validate says what is missing.
func (t Terms) Validate() error {
	switch {
	case len(t.BankCode) != 2:
		return errors.New("the bank code is two digits")
	case t.PromiseDays < 1:
		return errors.New("a refund is promised in at least one working day")
	case t.OnlineLimit <= 0 || t.CounterLimit <= 0:
		return errors.New("the limits must be above zero")
	case t.ApproveAbove <= 0:
		return errors.New("the amount above which a second person approves must be above zero")
	case t.BackOffice == "":
		return errors.New("somebody approves what comes from no branch")
	case slices.ContainsFunc(t.Hold, func(m gateway.Mark) bool { return !slices.Contains(Flags(), m) }):
		return errors.New("what has a refund wait must be a flag")
	case t.ConfirmCodeAbove < 0 || t.MobileRest < 0:
		return errors.New("neither an amount nor a time is below zero")
	}
	return errors.Join(t.Thresholds.Validate(), t.Code.Validate())
}

// Describe is a service as the bank calls it.
func (t Terms) Describe(code string) moi.Service {
	s := moi.Describe(code)
	s.Name = cmp.Or(t.Services[code], s.Name)
	s.Sector = cmp.Or(t.Sectors[s.Biller()], s.Sector)
	return s
}

// menu is what is shown now.
func (t Terms) menu(now time.Time) Menu {
	menu := t.Menu
	for _, n := range t.Notices {
		if n.holds(now) {
			menu.Notices = append(menu.Notices, n)
		}
	}
	return menu
}

// closed returns a *ClosedError while the bank has closed the service.
func (t Terms) closed(now time.Time) error {
	for _, c := range t.Closures {
		if c.holds(now) {
			return &ClosedError{Text: c.Text, RetryAfter: min(c.Until.Sub(now), closedMax)}
		}
	}
	return nil
}

// closedMax is how long callers are told to stay away at most: the bank may open earlier than it said.
const closedMax = time.Hour

// promise is the day by which money that is asked for now is there.
func (t Terms) promise(now time.Time) saudi.Date { return t.Calendar.Promise(now, t.PromiseDays) }

// kept is the promise of a confirm: counted from now, unless the terms changed since the preview. Then it is the day that
// the customer was shown.
func (t Terms) kept(p Preview, now time.Time) saudi.Date {
	if t.promise(p.CreatedAt) != p.Promised {
		return p.Promised
	}
	return t.promise(now)
}
