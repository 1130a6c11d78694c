package ops

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
)

// Book is the store's refunds, whoever's they are.
type Book interface {
	// List is those of one state, or with none all, the newest first; bank.ErrCursor for a cursor that wasn't given out.
	List(ctx context.Context, state gateway.State, p bank.Page) (refunds []gateway.Listed, next string, err error)
	// Lookup is the refund of this id, or gateway.ErrNotFound. With gateway.ErrUnreadable comes what isn't sealed of it.
	Lookup(ctx context.Context, id string) (gateway.Refund, error)
	// Events are the refund's, oldest first.
	Events(ctx context.Context, id string) ([]gateway.Event, error)
}

// What one page of a list holds.
const (
	pageUsual = 20
	pageMost  = 100
)

func (c Config) refunds(w http.ResponseWriter, r *http.Request, _ bank.Caller) {
	query := r.URL.Query()
	state, page := gateway.State(query.Get("state")), bank.Page{Limit: pageUsual, Cursor: query.Get("cursor")}
	if query.Has("limit") {
		n, err := strconv.Atoi(query.Get("limit"))
		if err != nil || n < 1 || n > pageMost {
			refuse(w, http.StatusBadRequest, "malformed_request")
			return
		}
		page.Limit = n
	}
	if state != "" && !slices.Contains(gateway.States(), state) {
		refuse(w, http.StatusBadRequest, "malformed_request")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), checkMax)
	defer cancel()
	refunds, next, err := c.Store.List(ctx, state, page)
	switch {
	case errors.Is(err, bank.ErrCursor):
		refuse(w, http.StatusBadRequest, "malformed_request")
		return
	case err != nil:
		refuse(w, http.StatusServiceUnavailable, "try_again")
		return
	}
	deadlines := gateway.DeadlinesAt(time.Now(), c.Calendar())
	list := struct {
		Items []refund `json:"items"`
		Next  *string  `json:"next_cursor"`
	}{Items: make([]refund, 0, len(refunds))}
	for _, r := range refunds {
		list.Items = append(list.Items, refundOf(r, deadlines))
	}
	if next != "" {
		list.Next = &next
	}
	write(w, http.StatusOK, list)
}

func (c Config) refund(w http.ResponseWriter, r *http.Request, _ bank.Caller) {
	ctx, cancel := context.WithTimeout(r.Context(), checkMax)
	defer cancel()
	stored, err := c.Store.Lookup(ctx, r.PathValue("id"))
	found := gateway.Listed{Refund: stored, Unreadable: errors.Is(err, gateway.ErrUnreadable)}
	var events []gateway.Event
	if err == nil || found.Unreadable {
		events, err = c.Store.Events(ctx, found.ID)
	}
	if err != nil {
		notFoundOr(w, err)
		return
	}
	write(w, http.StatusOK, struct {
		refund
		Events []event `json:"events"`
	}{refundOf(found, gateway.DeadlinesAt(time.Now(), c.Calendar())), eventsOf(events)})
}

func notFoundOr(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, gateway.ErrNotFound):
		refuse(w, http.StatusNotFound, "not_found")
	case errors.Is(err, gateway.ErrUnreadable):
		refuse(w, http.StatusConflict, "not_possible")
	default:
		refuse(w, http.StatusServiceUnavailable, "try_again")
	}
}

// text is what people read, in both languages.
type text struct {
	AR string `json:"ar"`
	EN string `json:"en"`
}

type amount struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

// party is a person or thing; its number is masked.
type party struct {
	Kind   saudi.Kind `json:"kind"`
	Number string     `json:"number"`
}

// refund is one as operators and auditors see it: all that is known of it, with numbers masked.
type refund struct {
	RefundID    string            `json:"refund_id"`
	Reference   string            `json:"reference"`
	Status      gateway.Status    `json:"status"`
	State       gateway.State     `json:"state"`
	Version     int64             `json:"version"`
	Overdue     *gateway.Lateness `json:"overdue"`              // null: it is final or in time
	Unreadable  bool              `json:"unreadable,omitempty"` // what is sealed of it can't be opened: payer, beneficiary and account
	RequestID   string            `json:"request_id"`
	Ordinal     int               `json:"ordinal"` // how many refunds of the request ended dead before
	Amount      amount            `json:"amount"`
	Service     string            `json:"service"`
	Name        text              `json:"name"`
	Payer       *party            `json:"payer"` // null with the account: it can't be read
	Beneficiary *party            `json:"beneficiary"`
	ToAccount   *string           `json:"to_account"`
	Origin      origin            `json:"origin"`
	Challenge   string            `json:"challenge,omitempty"` // of the code with which it was confirmed
	Held        []gateway.Mark    `json:"held"`                // why it had to be approved
	Flags       []gateway.Mark    `json:"flags"`               // what was seen of it at the confirm
	CreatedAt   string            `json:"created_at"`
	UpdatedAt   string            `json:"updated_at"`
	PromisedBy  saudi.Date        `json:"promised_by"`

	Sends         int            `json:"sends"`
	MayHaveLeft   bool           `json:"may_have_left"`
	CoreReference string         `json:"core_reference,omitempty"`
	ReleasedAt    string         `json:"released_at,omitempty"` // when a verified answer first said that the core released the money
	CreditRefusal string         `json:"credit_refusal,omitempty"`
	LedgerID      string         `json:"ledger_id,omitempty"` // the bank's name for the posted credit
	Reason        string         `json:"reason,omitempty"`
	Notice        gateway.Notice `json:"notice,omitempty"` // what became of the SMS that tells of the credit
}

// origin is who asked, where.
type origin struct {
	Channel  gateway.Channel `json:"channel"`
	Customer string          `json:"customer"` // the bank's id
	Session  string          `json:"session"`
	Client   string          `json:"client"`
	Teller   string          `json:"teller,omitempty"`
	Employee string          `json:"employee,omitempty"`
	Branch   string          `json:"branch,omitempty"`
}

func refundOf(r gateway.Listed, d gateway.Deadlines) refund {
	o := r.Origin
	told := refund{
		RefundID: r.ID, Reference: r.Reference, Status: r.State.Status(), State: r.State, Version: r.Version,
		RequestID: r.Payment.RequestID, Ordinal: r.Ordinal, Amount: amount{r.Payment.Amount.String(), money.Currency},
		Service: r.Payment.Service, Name: text(r.Payment.Name), Unreadable: r.Unreadable, Origin: origin{o.Channel, o.Customer, o.Session, o.Client, o.Teller, o.Employee, o.Branch},
		Challenge: r.Challenge, Held: marks(r.Held), Flags: marks(r.Flags), CreatedAt: instant(r.CreatedAt), UpdatedAt: instant(r.UpdatedAt), PromisedBy: r.Promised,
		Sends: r.Sends, MayHaveLeft: r.MayHaveLeft, CoreReference: r.CoreReference, CreditRefusal: r.CreditRefusal,
		LedgerID: r.LedgerID, Reason: r.Reason, Notice: r.Notice,
	}
	if !r.Unreadable {
		told.Payer, told.ToAccount = partyOf(r.Payment.Payer), new(r.To.Masked())
	}
	if b := r.Payment.Beneficiary; !b.IsZero() {
		told.Beneficiary = partyOf(b)
	}
	if r.Released() {
		told.ReleasedAt = instant(r.ReleasedAt)
	}
	if late := r.Lateness(d); late != gateway.InTime {
		told.Overdue = &late
	}
	return told
}

func partyOf(p saudi.Party) *party { return &party{p.Kind(), p.Masked()} }

func marks(m gateway.Marks) []gateway.Mark { return append([]gateway.Mark{}, m.List()...) } // never null

// event is one step of a refund's life.
type event struct {
	Version  int64            `json:"version"`
	At       string           `json:"at"`
	From     gateway.State    `json:"from,omitempty"`
	To       gateway.State    `json:"to"`
	Actor    actor            `json:"actor"`
	Evidence gateway.Evidence `json:"evidence"`
}

// actor is who made a step: a person, or the machine.
type actor struct {
	Role     gateway.Role `json:"role"`
	ID       string       `json:"id,omitempty"`
	Employee string       `json:"employee,omitempty"`
	Branch   string       `json:"branch,omitempty"`
	Session  string       `json:"session,omitempty"`
}

func eventsOf(events []gateway.Event) []event {
	told := make([]event, 0, len(events))
	for _, e := range events {
		told = append(told, event{
			Version: e.Version, At: instant(e.At), From: e.From, To: e.To, Actor: actor(e.Actor), Evidence: evidenceOf(e.Evidence),
		})
	}
	return told
}

// evidenceOf is what a step rests on. What people wrote may have numbers in it, which are masked.
func evidenceOf(e gateway.Evidence) gateway.Evidence {
	told := gateway.Evidence{}
	for name, value := range e {
		if name == gateway.Note || name == "evidence" {
			value = saudi.MaskNumbers(value)
		}
		if value != "" {
			told[name] = value
		}
	}
	return told
}
