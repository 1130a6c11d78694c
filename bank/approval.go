package bank

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// Approvals is the durable record of refunds, as those need it who approve them: whoever's they are.
type Approvals interface {
	// Awaiting returns the refunds that await approval now, those that lapse first first: of one branch, or with none of
	// all, those of no branch among them. One that can't be read is left out, and its page is shorter. The cursor of the next
	// page is empty after the last; one that wasn't given out for that branch is ErrCursor.
	Awaiting(ctx context.Context, now time.Time, branch string, p Page) (refunds []gateway.Refund, next string, err error)
	// Lookup returns the refund of this id, or gateway.ErrNotFound.
	Lookup(ctx context.Context, id string) (gateway.Refund, error)
	// IdentityChecks are those with which the assisted sessions began, by session; others are absent, and those that can't
	// be read.
	IdentityChecks(ctx context.Context, sessions []string) (map[string]IdentityCheck, error)
}

// Awaiting is a refund that awaits a second person's approval, as that person sees it.
type Awaiting struct {
	gateway.Refund
	Check  *IdentityCheck // how the customer proved who they are, if it wasn't by a code
	Digest string         // of all that is to be decided on; whoever approves says it back
}

// Expires is when the approval lapses.
func (a Awaiting) Expires() time.Time { return a.Due }

// AwaitingApproval lists what awaits approval at the approver's branch, or at all of them for the back office. Their own
// and their relatives' are among it: the approval is refused, not the sight of what everybody at the branch sees. What
// can't be read nobody can decide on, so it is left out, also when that is only how the customer was identified.
func (p *Path) AwaitingApproval(ctx context.Context, approver Caller, page Page) ([]Awaiting, string, error) {
	if err := approver.accountable(); err != nil {
		return nil, "", err
	}
	branch := p.Terms().oversees(approver)
	refunds, next, err := p.Approvals.Awaiting(ctx, time.Now(), branch, page)
	if err != nil {
		return nil, "", unavailable(err, ErrCursor)
	}
	var sessions []string
	for _, r := range refunds {
		if r.Origin.Channel == gateway.Counter {
			sessions = append(sessions, r.Origin.Session)
		}
	}
	checks, err := p.Approvals.IdentityChecks(ctx, sessions)
	if err != nil {
		return nil, "", unavailable(err)
	}
	awaiting := make([]Awaiting, 0, len(refunds))
	for _, r := range refunds {
		a := Awaiting{Refund: r, Digest: digestOf(r)}
		if r.Origin.Employee == approver.Employee { // by another login they are still the teller
			a.Flags, a.Held = "", besides(r.Held)
		}
		switch check, checked := checks[r.Origin.Session]; {
		case checked:
			a.Check = &check
		case slices.Contains(r.Held.List(), gateway.IdentityChecked):
			p.Log.ErrorContext(ctx, "an approval left out: how the customer was identified can't be read", "refund", r.ID)
			continue
		}
		awaiting = append(awaiting, a)
	}
	return awaiting, next, nil
}

// oversees is the branch whose doings the caller may see; empty: all branches.
func (t Terms) oversees(c Caller) string {
	if c.Branch == t.BackOffice {
		return ""
	}
	return c.Branch
}

// LookupTallies lists how employees have looked at customers, the latest day first: at the approver's own branch, or at all
// of them for the back office. Nothing of it is about a customer.
func (p *Path) LookupTallies(ctx context.Context, approver Caller, page Page) ([]LookupTally, string, error) {
	if err := approver.accountable(); err != nil {
		return nil, "", err
	}
	tallies, next, err := p.Lookups.Tallies(ctx, p.Terms().oversees(approver), page)
	return tallies, next, unavailable(err, ErrCursor)
}

// digestOf is of all that was previewed and accepted, as the row has it. Nothing else can be approved by it, and a row
// that somebody altered can't be approved by the digest of what it was.
func digestOf(r gateway.Refund) string {
	o, p := r.Origin, r.Payment
	digest := otp.Bind(
		"approval", r.ID, r.Reference, strconv.Itoa(r.Ordinal),
		o.Customer, o.Session, o.Client, string(o.Channel), o.Teller, o.Employee, o.Branch,
		p.RequestID, p.Service, p.Name.AR, p.Name.EN, p.Amount.String(), money.Currency,
		string(p.Payer.Kind()), p.Payer.Number(), string(p.Beneficiary.Kind()), p.Beneficiary.Number(),
		r.To.Compact(), r.Challenge, r.CreatedAt.UTC().Format(time.RFC3339Nano), r.Promised.String(),
		string(r.Held), string(r.Flags),
	)
	return hex.EncodeToString(digest[:])
}

// Approve lets a refund that awaits approval go on its way. digest is of what the approver saw (Awaiting.Digest): of
// anything else it is ErrOther.
//
// A second person decides, and one alone: ErrSelfApproval to whoever asked for it, by whichever login; ErrBarred to the
// customer and their relatives; ErrDecided when it awaits nothing any more; ErrNotFound when it never did, or is another
// branch's.
func (p *Path) Approve(ctx context.Context, approver Caller, id, note, digest string) (gateway.Refund, error) {
	r, err := p.decide(ctx, approver, id, note, func(r gateway.Refund, by gateway.By) (gateway.Change, error) {
		if digest != by.Evidence["digest"] {
			return gateway.Change{}, ErrOther
		}
		return r.Approve(by)
	})
	if err == nil {
		p.Recorded()
	}
	return r, err
}

// Reject cancels a refund that awaits approval, and gives back what it took of the day's limit. Otherwise it is as Approve.
func (p *Path) Reject(ctx context.Context, approver Caller, id, note string) (gateway.Refund, error) {
	return p.decide(ctx, approver, id, note, func(r gateway.Refund, by gateway.By) (gateway.Change, error) {
		return r.Cancel(by, gateway.ApprovalRefused)
	})
}

// decide makes the one decision, with its event in the same transaction. Like a confirm it is carried to its end when the
// client has gone.
func (p *Path) decide(
	ctx context.Context, approver Caller, id, note string, decision func(gateway.Refund, gateway.By) (gateway.Change, error),
) (gateway.Refund, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordingMax)
	defer cancel()
	for range 2 { // once more where somebody else came first: then there is nothing left to decide
		r, err := p.awaited(ctx, approver, id)
		if err != nil {
			return gateway.Refund{}, err
		}
		now := time.Now()
		if r.State != gateway.AwaitingApproval || !now.Before(r.Due) {
			return gateway.Refund{}, ErrDecided
		}
		change, err := decision(r, gateway.By{
			At:       now,
			Actor:    approver.actor(gateway.RoleApprover),
			Evidence: gateway.Evidence{gateway.Note: saudi.MaskNumbers(note), "digest": digestOf(r)},
		})
		if err != nil {
			return gateway.Refund{}, err
		}
		if err := p.Book.Apply(ctx, change); !errors.Is(err, gateway.ErrStale) {
			return change.Refund(), unavailable(err)
		}
	}
	return gateway.Refund{}, fmt.Errorf("%w: it keeps changing", ErrUnavailable)
}

// awaited is a refund that awaits approval, or did, and that the approver may decide on.
func (p *Path) awaited(ctx context.Context, approver Caller, id string) (gateway.Refund, error) {
	if err := approver.accountable(); err != nil {
		return gateway.Refund{}, err
	}
	r, err := p.Approvals.Lookup(ctx, id)
	switch {
	case err != nil:
		return gateway.Refund{}, unavailable(err, gateway.ErrNotFound)
	case r.State != gateway.AwaitingApproval && r.Held == "", // it never awaited any
		approver.Branch != r.Origin.Branch && approver.Branch != p.Terms().BackOffice:
		return gateway.Refund{}, ErrNotFound
	}
	err = ErrSelfApproval
	if approver.Employee != r.Origin.Employee {
		var barred bool
		if barred, err = p.barred(ctx, approver.Employee, r.Payment.Payer); barred {
			err = ErrBarred
		}
	}
	if errors.Is(err, ErrSelfApproval) || errors.Is(err, ErrBarred) {
		p.Log.WarnContext(ctx, "an approval by whom it may not be", "refund", r.ID, "employee", approver.Employee,
			"branch", approver.Branch, "why", err)
	}
	return r, err
}

// Unblock lets a customer in again whom wrong codes have kept out, for a time or until a branch has seen them. It is a look
// at the customer like a teller's: of nobody, of oneself or of a relative it comes to nothing, an employee has so many in
// a day, and each is on record. Who was let in again, and why, is on record before they are.
func (p *Path) Unblock(ctx context.Context, approver Caller, idNumber, note string) error {
	identity, err := saudi.ParsePerson(idNumber)
	if err != nil {
		return ErrIDInvalid
	}
	if err := approver.accountable(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordingMax)
	defer cancel()
	lookup := approver.looksAt(identity)
	customer, err := p.lookUp(ctx, &lookup, func(Customer) { lookup.Unblock = saudi.MaskNumbers(note) })
	if err != nil {
		return err
	}
	return p.Codes.Reopen(ctx, customer.ID)
}
