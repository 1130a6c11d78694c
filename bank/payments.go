package bank

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/istirdad/istirdad/internal/moi"
)

// What a search may cost: api.md's pages are of at most 100, and an employer has thousands.
const (
	searchPage     = 500 // the protocol's most
	searchPagesMax = 100
)

// Menu is step 5: what can be paid for.
func (p *Path) Menu(ctx context.Context, c Caller) (Menu, error) {
	terms, _, err := p.enter(ctx, c)
	if err != nil {
		return Menu{}, err
	}
	return terms.menu(time.Now()), nil
}

// Services are step 6: the services of which the caller has requests in whatever state, ordered by code. Of somebody who has
// more than 50,000 requests the newest 50,000 count; the others are in their services' lists all the same.
func (p *Path) Services(ctx context.Context, c Caller) ([]ServiceTotal, error) {
	terms, _, err := p.enter(ctx, c)
	if err != nil {
		return nil, err
	}
	customer, err := p.customer(ctx, c.Customer())
	if err != nil {
		return nil, err
	}
	totals := map[string]*ServiceTotal{}
	err = p.each(ctx, terms, customer, searchPagesMax, func(l Listed) {
		t := totals[l.Service]
		if t == nil {
			t = &ServiceTotal{Service: terms.Describe(l.Service)}
			totals[l.Service] = t
		}
		if l.Refundable() {
			t.Refundable++
			t.Total += l.Amount
		}
	})
	if err != nil {
		return nil, err
	}
	services := make([]ServiceTotal, 0, len(totals))
	for _, t := range totals {
		services = append(services, *t)
	}
	slices.SortFunc(services, func(a, b ServiceTotal) int { return strings.Compare(a.Service.Code, b.Service.Code) })
	return services, nil
}

// each visits the requests of which the customer is payer or beneficiary, newest first, in as few calls as that takes and
// in no more than so many pages.
func (p *Path) each(ctx context.Context, terms Terms, customer Customer, pages int, visit func(Listed)) error {
	cursor := ""
	for range pages {
		requests, next, err := p.Inquiries.Search(ctx, Search{Party: customer.Identity, Limit: searchPage, Cursor: cursor})
		if err != nil { // a cursor that the core won't take back is its doing, not the caller's
			return unavailable(err, ErrCoreUnavailable)
		}
		listed, err := p.list(ctx, terms, customer, requests)
		if err != nil {
			return err
		}
		for _, l := range listed {
			visit(l)
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	return nil
}

// Requests are step 7: the caller's requests of one service, newest first, each with the reason why it can't come back
// if it can't, told before the customer is asked for anything.
func (p *Path) Requests(ctx context.Context, c Caller, service string, page Page) (listed []Listed, next string, err error) {
	terms, _, err := p.enter(ctx, c)
	if err != nil {
		return nil, "", err
	}
	code, err := moi.ParseCode(service)
	if err != nil {
		return nil, "", ErrUnknownService
	}
	customer, err := p.customer(ctx, c.Customer())
	if err != nil {
		return nil, "", err
	}
	scope := []byte("requests\x00" + c.Customer() + "\x00" + code)
	search := Search{Party: customer.Identity, Service: code, Limit: page.Limit}
	if page.Cursor != "" {
		if search.Cursor, err = p.openCursor(page.Cursor, scope); err != nil {
			return nil, "", err
		}
	}
	requests, next, err := p.Inquiries.Search(ctx, search)
	if err != nil {
		return nil, "", unavailable(err, ErrCoreUnavailable, ErrCursor)
	}
	if _, known := moi.Lookup(code); !known && len(requests) == 0 {
		return nil, "", ErrUnknownService
	}
	if next != "" {
		next = base64.RawURLEncoding.EncodeToString(p.Cursors.Seal([]byte(next), scope))
	}
	listed, err = p.list(ctx, terms, customer, requests)
	return listed, next, err
}

func (p *Path) openCursor(cursor string, scope []byte) (string, error) {
	sealed, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return "", ErrCursor
	}
	opened, err := p.Cursors.Open(sealed, scope)
	if err != nil {
		return "", ErrCursor
	}
	return string(opened), nil
}

// list looks at requests with the customer's eyes.
func (p *Path) list(ctx context.Context, terms Terms, customer Customer, requests []PaidRequest) ([]Listed, error) {
	ids := make([]string, len(requests))
	for i, r := range requests {
		ids[i] = r.RequestID
	}
	live, err := p.Book.Live(ctx, ids)
	if err != nil {
		return nil, unavailable(err)
	}
	listed := make([]Listed, len(requests))
	for i, r := range requests {
		listed[i] = terms.listed(customer, r, live[r.RequestID])
	}
	return listed, nil
}

func (t Terms) listed(customer Customer, r PaidRequest, live bool) Listed {
	l := Listed{PaidRequest: r, Reason: t.reason(customer, r, live)}
	l.ReasonText = l.Reason.Text()
	if text, suspended := t.Suspended[r.Payment.Service]; suspended && l.Reason == ServiceNotRefundable && offered(r) {
		l.ReasonText = text
	}
	if account, own := customer.account(r.PaidFrom); own && r.Payer == customer.Identity {
		l.PaidFromOwn = &account
	}
	if customer.IdentityExpired {
		l.Warnings = append(l.Warnings, IdentityExpired)
	}
	return l
}

// reason is the first reason, in api.md's order, why the customer can't have the request's fee back; empty if none.
// It begins with who paid, so that whoever didn't pay learns nothing of what the payer did.
func (t Terms) reason(customer Customer, r PaidRequest, live bool) Reason {
	_, suspended := t.Suspended[r.Payment.Service]
	account, own := customer.account(r.PaidFrom)
	switch {
	case r.Payer != customer.Identity, r.Refusal == PayerMismatch:
		return PayerMismatch
	case suspended, !offered(r):
		return ServiceNotRefundable
	case r.State == RequestConsumed, r.Refusal == FeeConsumed:
		return FeeConsumed
	case live, r.State == RequestRefunding, r.State == RequestRefunded, r.Refusal == AlreadyRefunded:
		return RefundExists
	case r.PaidBank != t.BankCode:
		return OtherBank
	case own && account.Status == AccountClosed:
		return AccountIsClosed
	case own && account.Status == AccountFrozen:
		return AccountIsFrozen
	case r.Refusal != "":
		return r.Refusal // the core knows more than its states say
	}
	return ""
}

// offered reports whether fees of the request's service are ever given back.
func offered(r PaidRequest) bool {
	return r.Refusal != ServiceNotRefundable && moi.Describe(r.Payment.Service).Refundable
}

// recently reports whether the customer's mobile changed within the rest that the bank asks for.
func (t Terms) recently(customer Customer, now time.Time) bool {
	return !customer.MobileChangedAt.IsZero() && now.Sub(customer.MobileChangedAt) < t.MobileRest
}
