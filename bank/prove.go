package bank

import (
	"context"
	"errors"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/otp"
)

// Challenge is step 4: a code goes to the customer's own phone, for the profile or for one preview.
func (p *Path) Challenge(ctx context.Context, c Caller, purpose otp.Purpose, refundID string) (otp.Challenge, error) {
	customer, err := p.reachable(ctx, c)
	if err != nil {
		return otp.Challenge{}, err
	}
	issue, err := p.issue(ctx, c, purpose, refundID)
	if err != nil {
		return otp.Challenge{}, err
	}
	issue.To, issue.Message.Language = customer.Mobile, customer.Language
	return p.Codes.Issue(ctx, issue)
}

// Resend sends a new code for a live challenge; the old one is dead from then on.
func (p *Path) Resend(ctx context.Context, c Caller, challengeID string) (otp.Challenge, error) {
	challenge, err := p.Codes.Find(ctx, c.Subject, c.Session, challengeID)
	if err != nil {
		return otp.Challenge{}, err
	}
	customer, err := p.reachable(ctx, c)
	if err != nil {
		return otp.Challenge{}, err
	}
	issue, err := p.issue(ctx, c, challenge.Purpose, challenge.Ref)
	switch {
	case errors.Is(err, ErrUnavailable):
		return otp.Challenge{}, err
	case err != nil: // what the code was for is gone, and the code with it
		return otp.Challenge{}, otp.ErrGone
	}
	issue.Message.Language = customer.Language
	return p.Codes.Resend(ctx, c.Subject, c.Session, challengeID, customer.Mobile, issue.Message)
}

// Verify takes a code for the profile and gives the session its proof.
func (p *Path) Verify(ctx context.Context, c Caller, challengeID, code string) (expires time.Time, err error) {
	err = p.verify(ctx, otp.Attempt{
		Customer: c.Subject, Session: c.Session, ChallengeID: challengeID,
		Purpose: otp.Profile, Binding: c.Holder().binding(), Code: otp.Code(code),
	})
	if err != nil {
		return time.Time{}, err
	}
	expires, err = p.Sessions.Prove(ctx, c.Holder())
	return expires, unavailable(err)
}

// verify takes a code. A customer whose next wrong code closes the door until a branch opens it is told so on their
// phone: whoever is guessing may not be them.
func (p *Path) verify(ctx context.Context, a otp.Attempt) error {
	err := p.Codes.Verify(ctx, a)
	var wrong *otp.WrongError
	if !errors.As(err, &wrong) || !wrong.AboutToClose {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordingMax)
	defer cancel()
	customer, lookup := p.customer(ctx, a.Customer)
	if lookup == nil && !customer.Mobile.IsZero() {
		lookup = p.Codes.Alert(ctx, customer.ID, customer.Mobile, customer.Language)
	}
	if lookup != nil {
		p.Log.WarnContext(ctx, "customer not warned of the closing", "err", lookup)
	}
	return err
}

// reachable is the customer with a mobile that may be trusted with a code.
func (p *Path) reachable(ctx context.Context, c Caller) (Customer, error) {
	customer, err := p.customer(ctx, c.Subject)
	switch {
	case err != nil:
		return Customer{}, err
	case customer.Mobile.IsZero():
		return Customer{}, ErrMobileMissing
	case p.recently(customer, time.Now()):
		return Customer{}, ErrMobileRecent
	}
	return customer, nil
}

// issue is what a code of this purpose is good for, and what its SMS says of it.
func (p *Path) issue(ctx context.Context, c Caller, purpose otp.Purpose, refundID string) (otp.Issue, error) {
	if purpose == otp.Profile {
		return otp.Issue{Customer: c.Subject, Session: c.Session, Purpose: otp.Profile, Binding: c.Holder().binding()}, nil
	}
	preview, err := p.open(ctx, c, refundID)
	if err != nil {
		return otp.Issue{}, err
	}
	service := moi.Describe(preview.Payment.Service)
	return otp.Issue{
		Customer: c.Subject, Session: c.Session, Purpose: otp.Refund, Ref: preview.ID, Binding: preview.binding(),
		Message: otp.Message{
			Amount: preview.Payment.Amount, Service: service.Name, Sector: service.Sector, AccountTail: preview.To.Tail(),
		},
	}, nil
}

// open returns a preview of the caller's that can still be confirmed.
func (p *Path) open(ctx context.Context, c Caller, id string) (Preview, error) {
	switch _, err := p.Book.Refund(ctx, c.Subject, id); {
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

// binding is of a code for the profile: to its customer and session.
func (h Holder) binding() otp.Binding { return otp.Bind(h.Customer, h.Session) }

// binding is of a code for a refund: to everything in the preview that matters. Change any of it and the code is
// worthless.
func (p Preview) binding() otp.Binding {
	return otp.Bind(
		p.Origin.Customer, p.Origin.Session, string(p.Origin.Channel), p.ID, p.Payment.RequestID,
		p.Payment.Amount.String(), money.Currency, p.To.Compact(), p.Payment.Service,
	)
}
