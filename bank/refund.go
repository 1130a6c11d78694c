package bank

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// Asked is what the customer enters at step 9. All of it is as typed.
type Asked struct {
	RequestID     string
	AccountNumber string // an IBAN, the bank's 15-digit number, or the id of an account in the caller's profile
	IDNumber      string
	Key           string // Idempotency-Key
}

// Preview is steps 8 to 10: what will be given back, where to, and by when. The same key and body get the same preview
// again, with replay true.
func (p *Path) Preview(ctx context.Context, c Caller, a Asked) (preview Preview, replay bool, err error) {
	terms, proof, err := p.enter(ctx, c)
	if err != nil {
		return Preview{}, false, err
	}
	key := Key{Holder: c.Holder(), Client: c.Client, Value: a.Key, Body: a.digest()}
	switch id, err := p.Sessions.Begin(ctx, key); {
	case err != nil:
		return Preview{}, false, unavailable(err, ErrKeyReused, ErrKeyBusy)
	case id != "":
		preview, err := p.preview(ctx, c, id)
		if errors.Is(err, ErrNotFound) {
			err = ErrPreviewExpired // the key remembers it longer than the preview was kept
		}
		return preview, true, err
	}
	preview, err = p.draw(ctx, terms, c, a)
	preview.Proof = proof
	if err == nil {
		err = unavailable(p.Sessions.KeepPreview(ctx, key, preview), ErrKeyReused, ErrKeyBusy)
	}
	if err != nil {
		// A request that was refused doesn't burn its key. If this fails too, the key frees itself in half a minute.
		_ = p.Sessions.Abandon(context.WithoutCancel(ctx), key)
		return Preview{}, false, err
	}
	return preview, false, nil
}

// digest is of the body's meaning: other spaces or Arabic digits are the same request.
func (a Asked) digest() [32]byte {
	return otp.Bind(a.RequestID, saudi.Digits(a.AccountNumber), saudi.Digits(a.IDNumber))
}

// draw checks what was asked, in the order of api.md, and draws up the preview.
func (p *Path) draw(ctx context.Context, terms Terms, c Caller, a Asked) (Preview, error) {
	customer, err := p.customer(ctx, c.Customer())
	if err != nil {
		return Preview{}, err
	}
	switch id, err := saudi.ParsePerson(a.IDNumber); {
	case err != nil:
		return Preview{}, ErrIDInvalid
	case id != customer.Identity:
		return Preview{}, ErrIDMismatch
	}
	to, err := terms.typedAccount(customer, a.AccountNumber)
	if err != nil {
		return Preview{}, err
	}
	listed, err := p.request(ctx, terms, customer, a.RequestID)
	if err != nil {
		return Preview{}, err
	}
	if err := mayReceive(customer, listed, to); err != nil {
		return Preview{}, err
	}
	now := time.Now()
	rules := terms.rules(c, now)
	day, err := p.day(ctx, customer.ID, listed.Payment.Amount, now)
	switch {
	case err != nil:
		return Preview{}, err
	case rules.Exceeded(day):
		return Preview{}, gateway.ErrLimitExceeded
	}
	preview := Preview{
		ID: uuid.Must(uuid.NewV7()).String(), Origin: c.origin(), Payment: listed.Payment, To: to,
		CreatedAt: now, ExpiresAt: now.Add(PreviewLife),
		Promised:  terms.promise(now),
		NeedsCode: terms.needsCode(c, listed.Payment.Amount),
		Approval:  rules.Held(day) != "",
		Warnings:  listed.Warnings,
	}
	// Only what is flagged is kept: a release that doesn't know of it can't open a preview that has it.
	if terms.Thresholds.lately(customer.MobileChangedAt, now) {
		preview.MobileChangedAt = customer.MobileChangedAt
	}
	return preview, nil
}

func (t Terms) typedAccount(customer Customer, typed string) (saudi.IBAN, error) {
	for _, account := range customer.Accounts {
		if account.ID == typed {
			return account.IBAN, nil
		}
	}
	iban, err := saudi.ParseAccount(typed, t.BankCode)
	if err != nil {
		return saudi.IBAN{}, ErrIBANInvalid
	}
	return iban, nil
}

// request is one paid request with the customer's eyes. One that the customer neither paid nor benefits from is
// ErrNotFound, as one that doesn't exist.
func (p *Path) request(ctx context.Context, terms Terms, customer Customer, id string) (Listed, error) {
	requests, _, err := p.Inquiries.Search(ctx, Search{Party: customer.Identity, RequestID: id, Limit: 1})
	if err != nil {
		return Listed{}, unavailable(err, ErrCoreUnavailable)
	}
	if len(requests) != 1 || requests[0].RequestID != id {
		return Listed{}, ErrNotFound
	}
	listed, err := p.list(ctx, terms, customer, requests)
	if err != nil {
		return Listed{}, err
	}
	if l := listed[0]; !l.Refundable() {
		return Listed{}, p.inTheWay(ctx, customer.ID, id, &ReasonError{Reason: l.Reason, Text: l.ReasonText})
	}
	return listed[0], nil
}

// inTheWay adds to a refusal for which a refund of the customer's own is the reason which one that is. When it isn't
// theirs, or can't be looked up, err is all that they are told.
func (p *Path) inTheWay(ctx context.Context, customer, requestID string, err error) error {
	var reason *ReasonError
	if !errors.Is(err, gateway.ErrRefundExists) && !(errors.As(err, &reason) && reason.Reason == RefundExists) {
		return err
	}
	refunds, _, failed := p.Book.Refunds(ctx, customer, Page{Limit: 1, Request: requestID})
	if failed != nil || len(refunds) == 0 {
		return err
	}
	return &ExistsError{refunds[0].ID, err}
}

// mayReceive says whether the money may go to the account: only to the one that paid, if it is the caller's own.
func mayReceive(customer Customer, listed Listed, to saudi.IBAN) error {
	account, own := customer.account(to)
	switch {
	case !own:
		return ErrAccountNotOwned
	case to != listed.PaidFrom:
		return ErrAccountMismatch
	case account.Status == AccountClosed:
		return &ReasonError{Reason: AccountIsClosed}
	case account.Status != AccountActive:
		return &ReasonError{Reason: AccountIsFrozen}
	}
	return nil
}

// day is how much the customer would have asked for today, this amount included.
func (p *Path) day(ctx context.Context, customer string, amount money.Amount, now time.Time) (money.Amount, error) {
	spent, err := p.Book.Spent(ctx, customer, saudi.DateOf(now))
	return spent + amount, unavailable(err)
}

// recordingMax bounds the confirm's one transaction, which goes on when the client has gone.
const recordingMax = 5 * time.Second

// Confirm is step 11. The refund's id is its key for ever: whoever confirms again gets the first answer with replay
// true, and neither body nor code is looked at. It never asks the core.
func (p *Path) Confirm(ctx context.Context, c Caller, id, challengeID, code string) (r gateway.Refund, replay bool, err error) {
	switch r, err := p.Book.Accepted(ctx, c.Customer(), id); {
	case err == nil:
		return r, true, nil
	case !errors.Is(err, gateway.ErrNotFound):
		return gateway.Refund{}, false, unavailable(err)
	}
	preview, err := p.preview(ctx, c, id)
	if err != nil {
		return gateway.Refund{}, false, err
	}
	terms, now := p.Terms(), time.Now()
	rules := terms.rules(c, now)
	switch day, err := p.day(ctx, c.Customer(), preview.Payment.Amount, now); {
	case err != nil:
		return p.confirmed(ctx, c, id, err)
	case rules.Exceeded(day):
		return p.confirmed(ctx, c, id, gateway.ErrLimitExceeded)
	}
	flags, err := p.flagsInTime(ctx, terms, preview, now) // before the code: a confirm that fails here hasn't used it
	if err != nil {
		return p.confirmed(ctx, c, id, err)
	}
	proof, err := p.agreed(ctx, terms, c, preview, challengeID, code)
	if err != nil {
		return gateway.Refund{}, false, err
	}
	// From here on nothing may depend on whether the client still listens: a cancelled context in the middle of a
	// commit leaves nobody knowing how it ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordingMax)
	defer cancel()
	rules.Holds = append(rules.Holds, terms.holding(flags)...)
	r, first, err := p.Book.Accept(ctx, gateway.Acceptance{
		ID: preview.ID, Bank: terms.BankCode, Origin: preview.Origin, Payment: preview.Payment, To: preview.To,
		Challenge: challengeID, Proof: cmp.Or(proof, preview.Proof), At: now,
		Promised: terms.kept(preview, now),
		Trace:    c.Trace,
		Flags:    flags,
		Rules:    rules,
	})
	if err != nil {
		err = unavailable(err, gateway.ErrRefundExists, gateway.ErrLimitExceeded, gateway.ErrChallengeUsed, gateway.ErrNotFound)
		return gateway.Refund{}, false, p.inTheWay(ctx, c.Customer(), preview.Payment.RequestID, err)
	}
	p.Recorded()
	return r, !first, nil
}

// confirmed looks once more whether the refund was recorded while this confirm was on its way, so that of many at once
// all but the first are replays; otherwise it returns err.
func (p *Path) confirmed(ctx context.Context, c Caller, id string, err error) (gateway.Refund, bool, error) {
	if r, found := p.Book.Accepted(ctx, c.Customer(), id); found == nil {
		return r, true, nil
	}
	return gateway.Refund{}, false, err
}

// agreed says whether the phone's holder agreed: by a code bound to this preview, or, below the line that the bank
// drew, by the session's proof, which Proved tells of. A code that is given is always checked.
func (p *Path) agreed(
	ctx context.Context, terms Terms, c Caller, preview Preview, challengeID, code string,
) (proof string, err error) {
	switch {
	case code != "" && challengeID == "":
		return "", ErrNoChallenge
	case challengeID != "":
		h := c.Holder()
		return "", p.verify(ctx, terms, otp.Attempt{
			Customer: h.Customer, Session: h.Session, ChallengeID: challengeID,
			Purpose: otp.Refund, Ref: preview.ID, Binding: preview.binding(), Code: otp.Code(code),
		})
	case preview.NeedsCode:
		return "", ErrCodeNeeded
	}
	return p.Proved(ctx, c)
}

// Cancel withdraws a preview, or a refund of which nothing has left. Like a confirm it is carried to its end when the
// client has gone.
func (p *Path) Cancel(ctx context.Context, c Caller, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordingMax)
	defer cancel()
	for range 3 { // the dispatcher may move it between the look and the write; then look again
		r, err := p.Book.Refund(ctx, c.Customer(), id)
		if errors.Is(err, gateway.ErrNotFound) {
			var confirmed bool
			if r, confirmed, err = p.drop(ctx, c, id); err == nil && !confirmed {
				return nil
			}
		}
		switch {
		case err != nil:
			return unavailable(err, ErrNotFound)
		case r.State == gateway.Cancelled:
			return nil
		}
		by := gateway.By{At: time.Now(), Actor: c.origin().Actor()}
		change, err := r.Cancel(by, gateway.Withdrawn)
		if err != nil {
			return ErrTooLate
		}
		if err := p.Book.Apply(ctx, change); !errors.Is(err, gateway.ErrStale) {
			return unavailable(err)
		}
	}
	return ErrTooLate
}

// drop withdraws a preview. A confirm that has read it may be about to commit, so the book has the last word: either it
// never accepts this id from now on, or it has the refund already, which is then for the caller to cancel.
func (p *Path) drop(ctx context.Context, c Caller, id string) (r gateway.Refund, confirmed bool, err error) {
	if _, err := p.Sessions.Preview(ctx, c.Holder(), id); err != nil {
		return gateway.Refund{}, false, err
	}
	r, confirmed, err = p.Book.Withdraw(ctx, time.Now(), c.Customer(), id)
	if err != nil || confirmed {
		return r, confirmed, err
	}
	return gateway.Refund{}, false, p.Sessions.DropPreview(ctx, c.Holder(), id)
}

// View is a refund, or a preview that isn't one yet.
type View struct {
	Preview *Preview
	Refund  *gateway.Refund
	Events  []gateway.Event // of the refund, oldest first
	Late    Lateness
}

// Lateness is how late a refund is, if the caller is told: a teller is, and a customer has the day that they were
// promised.
type Lateness struct {
	Told bool
	Late gateway.Lateness
}

// Lateness returns how late each refund is, to this caller, at this moment.
func (p *Path) Lateness(c Caller) func(gateway.Refund) Lateness {
	if c.assisted == nil {
		return func(gateway.Refund) Lateness { return Lateness{} }
	}
	deadlines := gateway.DeadlinesAt(time.Now(), p.Terms().Calendar)
	return func(r gateway.Refund) Lateness { return Lateness{true, r.Lateness(deadlines)} }
}

// View returns the caller's refund or preview of this id.
func (p *Path) View(ctx context.Context, c Caller, id string) (View, error) {
	r, err := p.Book.Refund(ctx, c.Customer(), id)
	if errors.Is(err, gateway.ErrNotFound) {
		preview, err := p.preview(ctx, c, id)
		return View{Preview: &preview}, err
	}
	if err != nil {
		return View{}, unavailable(err)
	}
	events, err := p.Book.Events(ctx, id)
	// It may have moved on between the two reads; the timeline ends where the refund stands.
	events = slices.DeleteFunc(events, func(e gateway.Event) bool { return e.Version > r.Version })
	return View{Refund: &r, Events: events, Late: p.Lateness(c)(r)}, unavailable(err)
}

// Version counts what there has been to see, and rises with it; 0 of a preview.
func (v View) Version() int64 {
	if n := len(v.Events); n > 0 {
		return v.Events[n-1].Version
	}
	return 0
}

// Final reports whether nothing more is to be seen of it.
func (v View) Final() bool { return v.Refund != nil && v.Refund.State.Final() }

// Refund returns the caller's refund of this id; ErrNotFound of a preview.
func (p *Path) Refund(ctx context.Context, c Caller, id string) (gateway.Refund, error) {
	r, err := p.Book.Refund(ctx, c.Customer(), id)
	return r, unavailable(err, gateway.ErrNotFound)
}

// Refunds lists the caller's refunds, newest first. Previews are not listed.
func (p *Path) Refunds(ctx context.Context, c Caller, page Page) ([]gateway.Refund, string, error) {
	refunds, next, err := p.Book.Refunds(ctx, c.Customer(), page)
	return refunds, next, unavailable(err, ErrCursor)
}
