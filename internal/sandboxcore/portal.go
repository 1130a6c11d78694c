package sandboxcore

import (
	"github.com/istirdad/istirdad/internal/sandboxseed"
	"github.com/istirdad/istirdad/internal/saudi"
)

// What the government's own portal asks of the book. It is the book of the bank
// channel, under the same lock and the same rules: a request that is asked back
// on both at once is decided here, once. As on the wire, nobody is told what a
// crash could undo.

func partyOf(p saudi.Party) party { return party{string(p.Kind()), p.Number()} }

// Balance adds up what waits for a number, by bucket; a bucket without money
// isn't there. A number that nobody has is one without money.
func (c *Core) Balance(of saudi.Party) (map[string]int64, error) {
	totals := c.book.balances(partyOf(of), nil)
	return totals, c.book.durable()
}

// PaidBy returns the requests that somebody paid, newest first, as they are now:
// whether the payer can have each back and, if not, the code of why.
func (c *Core) PaidBy(payer saudi.Party) ([]sandboxseed.Request, error) {
	requests := c.book.paidBy(partyOf(payer))
	return requests, c.book.durable()
}

// CheckOnPortal returns the request and, as an error, the *Refusal that
// RefundOnPortal would answer with now.
func (c *Core) CheckOnPortal(requestID string, payer saudi.Party) (sandboxseed.Request, error) {
	r, no := c.book.check(requestID, partyOf(payer))
	if err := c.book.durable(); err != nil {
		return sandboxseed.Request{}, err
	}
	if no != nil {
		return sandboxseed.Request{}, no
	}
	return r, nil
}

// RefundOnPortal gives a request's money back to whoever paid it, under an id
// that the portal chose, if it is still the amount that they were shown. The id
// does for the portal what the reference does for a bank: given again, by the same
// payer for the same request, it answers as the first time and has no new effect.
// Everything else is a *Refusal.
func (c *Core) RefundOnPortal(id, requestID string, amount int64, payer saudi.Party) error {
	no := c.book.refundOnPortal(id, requestID, amount, partyOf(payer))
	if err := c.book.durable(); err != nil {
		return err
	}
	if no != nil {
		return no
	}
	return nil
}

// RefundedOnPortal returns the request that was given back to the payer under
// the portal's id, and whether there is one.
func (c *Core) RefundedOnPortal(id string, payer saudi.Party) (r sandboxseed.Request, found bool, err error) {
	r, found = c.book.refundedOnPortal(id, partyOf(payer))
	return r, found, c.book.durable()
}

func (b *book) paidBy(payer party) []sandboxseed.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	var paid []sandboxseed.Request
	for _, r := range b.byParty[payer] {
		if r.payer == payer {
			paid = append(paid, r.now())
		}
	}
	return paid
}

// now is the request as its payer sees it now.
func (r *request) now() sandboxseed.Request {
	seen := r.Request
	seen.State, seen.Refundable, seen.Reason = r.state, true, ""
	if no := r.refuse(r.payer, r.Amount); no != nil {
		seen.Refundable, seen.Reason = false, no.Code
	}
	return seen
}

func (b *book) check(requestID string, payer party) (sandboxseed.Request, *Refusal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.requests[requestID]
	if r == nil {
		return sandboxseed.Request{}, &Refusal{Code: codeUnknownRequest}
	}
	return r.now(), r.refuse(payer, r.Amount)
}

func (b *book) refundOnPortal(id, requestID string, amount int64, payer party) *Refusal {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f := b.refunds[id]; f != nil {
		if f.channel != channelPortal || f.RequestID != requestID || f.Payer != payer {
			return &Refusal{Code: codeReferenceReused}
		}
		return nil
	}
	r := b.requests[requestID]
	if r == nil {
		return &Refusal{Code: codeUnknownRequest}
	}
	if no := r.refuse(payer, amount); no != nil {
		return no
	}
	ask := submission{Reference: id, RequestID: r.ID, Amount: r.Amount, IBAN: r.PaidFromIBAN, Payer: r.payer}
	b.write(record{Op: opPortal, At: b.now(), Refund: &ask, CoreRef: b.nextCoreReference(), State: stateRefunded})
	return nil
}

func (b *book) refundedOnPortal(id string, payer party) (sandboxseed.Request, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.refunds[id]
	if f == nil || f.channel != channelPortal || f.Payer != payer || f.released == 0 {
		return sandboxseed.Request{}, false
	}
	r := b.requests[f.RequestID]
	if r == nil { // of a crowd that is smaller now
		return sandboxseed.Request{}, false
	}
	return r.now(), true
}
