package bank

import (
	"context"
	"errors"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/otp"
)

// Challenge is step 4: a code goes to the customer's own phone, for the profile or for one preview.
func (p *Path) Challenge(ctx context.Context, c Caller, purpose otp.Purpose, refundID string) (otp.Challenge, error) {
	terms, err := p.whileOpen()
	if err != nil {
		return otp.Challenge{}, err
	}
	customer, err := p.customer(ctx, c.Customer())
	if err == nil {
		err = terms.reachable(customer)
	}
	if err != nil {
		return otp.Challenge{}, err
	}
	return p.send(ctx, terms, c, customer, purpose, refundID)
}

// send issues a code to the customer, whom the caller speaks for.
func (p *Path) send(
	ctx context.Context, terms Terms, c Caller, customer Customer, purpose otp.Purpose, refundID string,
) (otp.Challenge, error) {
	issue, err := p.issue(ctx, terms, c, purpose, refundID)
	if err != nil {
		return otp.Challenge{}, err
	}
	issue.To, issue.Message.Language = customer.Mobile, customer.Language
	return p.Codes.Issue(ctx, issue)
}

// Resend sends a new code for a live challenge; the old one is dead from then on.
func (p *Path) Resend(ctx context.Context, c Caller, challengeID string) (otp.Challenge, error) {
	if c.awaits() && challengeID != c.assisted.Challenge {
		return otp.Challenge{}, ErrNoProof
	}
	h := c.Holder()
	challenge, err := p.Codes.Find(ctx, h.Customer, h.Session, challengeID)
	if err != nil {
		return otp.Challenge{}, err
	}
	terms := p.Terms()
	customer, err := p.customer(ctx, h.Customer)
	if err == nil {
		err = terms.reachable(customer)
	}
	if err != nil {
		return otp.Challenge{}, err
	}
	issue, err := p.issue(ctx, terms, c, challenge.Purpose, challenge.Ref)
	switch {
	case errors.Is(err, ErrUnavailable):
		return otp.Challenge{}, err
	case err != nil: // what the code was for is gone, and the code with it
		return otp.Challenge{}, otp.ErrGone
	}
	issue.Message.Language = customer.Language
	return p.Codes.Resend(ctx, h.Customer, h.Session, challengeID, customer.Mobile, issue.Message)
}

// Verify takes a code for the profile and gives the session its proof.
func (p *Path) Verify(ctx context.Context, c Caller, challengeID, code string) (expires time.Time, err error) {
	h := c.Holder()
	err = p.verify(ctx, p.Terms(), otp.Attempt{
		Customer: h.Customer, Session: h.Session, ChallengeID: challengeID,
		Purpose: otp.Profile, Binding: c.binding(), Code: otp.Code(code),
	})
	if err != nil {
		return time.Time{}, err
	}
	if c.assisted != nil { // it is the proof
		expires, err = p.Counter.Verify(ctx, c.desk(), c.assisted.ID)
	} else {
		expires, err = p.Sessions.Prove(ctx, h, challengeID)
	}
	return expires, unavailable(err, ErrNotFound)
}

// verify takes a code. A customer whose next wrong code closes the door until a branch opens it is told so on their
// phone: whoever is guessing may not be them.
func (p *Path) verify(ctx context.Context, terms Terms, a otp.Attempt) error {
	a.Form = terms.Code
	err := p.Codes.Verify(ctx, a)
	var wrong *otp.WrongError
	if !errors.As(err, &wrong) || !wrong.AboutToClose {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordingMax)
	defer cancel()
	customer, lookup := p.customer(ctx, a.Customer)
	if lookup == nil && !customer.Mobile.IsZero() {
		alert := otp.Message{Language: customer.Language, Brand: terms.Brand}
		lookup = p.Codes.Alert(ctx, customer.ID, customer.Mobile, alert)
	}
	if lookup != nil {
		p.Log.WarnContext(ctx, "customer not warned of the closing", "err", lookup)
	}
	return err
}

// reachable reports why the customer has no mobile that may be trusted with a code; nil when they have.
func (t Terms) reachable(customer Customer) error {
	switch {
	case customer.Mobile.IsZero():
		return ErrMobileMissing
	case t.recently(customer, time.Now()):
		return ErrMobileRecent
	}
	return nil
}

// issue is what a code of this purpose is good for, and what its SMS says of it.
func (p *Path) issue(ctx context.Context, terms Terms, c Caller, purpose otp.Purpose, refundID string) (otp.Issue, error) {
	h := c.Holder()
	issue := otp.Issue{
		Customer: h.Customer, Session: h.Session, Purpose: otp.Profile, Binding: c.binding(), Form: terms.Code,
		Message: otp.Message{Brand: terms.Brand, Branch: c.origin().Branch},
	}
	if purpose == otp.Profile {
		return issue, nil
	}
	preview, err := p.open(ctx, c, refundID)
	if err != nil {
		return otp.Issue{}, err
	}
	service := terms.Describe(preview.Payment.Service)
	issue.Purpose, issue.Ref, issue.Binding = otp.Refund, preview.ID, preview.binding()
	issue.Message = otp.Message{
		Amount: preview.Payment.Amount, Service: service.Name, Sector: service.Sector, AccountTail: preview.To.Tail(),
		Brand: terms.Brand, Branch: preview.Origin.Branch,
	}
	return issue, nil
}

// open returns a preview of the caller's that can still be confirmed.
func (p *Path) open(ctx context.Context, c Caller, id string) (Preview, error) {
	switch _, err := p.Book.Refund(ctx, c.Customer(), id); {
	case err == nil:
		return Preview{}, &ExistsError{id, ErrConfirmed}
	case !errors.Is(err, gateway.ErrNotFound):
		return Preview{}, unavailable(err)
	}
	return p.preview(ctx, c, id)
}

func (p *Path) preview(ctx context.Context, c Caller, id string) (Preview, error) {
	preview, err := p.Sessions.Preview(ctx, c.Holder(), id)
	if err != nil {
		return Preview{}, unavailable(err, ErrNotFound)
	}
	if !time.Now().Before(preview.ExpiresAt) {
		return preview, ErrPreviewExpired
	}
	return preview, nil
}

// binding is of a code for the profile: to its customer, their session, and where they are.
func (c Caller) binding() otp.Binding {
	o := c.origin()
	return otp.Bind(o.Customer, o.Session, string(o.Channel))
}

// binding is of a code for a refund: to everything in the preview that matters. Change any of it and the code is
// worthless.
func (p Preview) binding() otp.Binding {
	return otp.Bind(
		p.Origin.Customer, p.Origin.Session, string(p.Origin.Channel), p.ID, p.Payment.RequestID,
		p.Payment.Amount.String(), money.Currency, p.To.Compact(), p.Payment.Service,
	)
}
