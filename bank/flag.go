package bank

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// The flags: what is seen of a confirm at which the bank may want to look twice (domain.md §6.10), from when on it says
// itself (Terms.Thresholds). None proves anything, and none holds a refund up unless the bank says so (Terms.Hold).
// Approvers and operators are told; the customer isn't, and neither is the teller: whoever knew what is looked at would
// know how not to be seen.
const (
	// FlagAccountOfMany: lately refunds for many ID numbers went to this account, as an agent's would.
	FlagAccountOfMany gateway.Mark = "account_of_many"
	// FlagMobileChanged: the customer's mobile changed a short while ago, beyond the time in which it gets no codes.
	FlagMobileChanged gateway.Mark = "mobile_changed"
	// FlagOtherBeneficiary: the fee was paid for another person, who gets nothing of it.
	FlagOtherBeneficiary gateway.Mark = "other_beneficiary"
	// FlagCodesResent: the customer was sent code after code, as somebody is who waits for one to be read out to them.
	FlagCodesResent gateway.Mark = "codes_resent"
	// FlagTellerLooks: the teller has looked at many customers on that day.
	FlagTellerLooks gateway.Mark = "teller_looks"
)

// Flags lists all of them.
func Flags() []gateway.Mark {
	return []gateway.Mark{FlagAccountOfMany, FlagMobileChanged, FlagOtherBeneficiary, FlagCodesResent, FlagTellerLooks}
}

// Thresholds are from when on something is flagged: what the people at a bank set who know its frauds.
type Thresholds struct {
	People       int           // ID numbers on one account
	PeopleWithin time.Duration // before a confirm; UsesKept at most
	MobileWithin time.Duration // of a confirm
	Codes        int           // sent to the customer within codesWithin
	Looks        int           // of the teller at customers on the day; LookupsMax are all that there can be
}

// DefaultThresholds returns those of a bank that sets none: more people on an account than a household has, more codes than
// a profile's and a refund's, each sent again, and nearly as many looks as one may have.
func DefaultThresholds() Thresholds {
	return Thresholds{
		People: 6, PeopleWithin: UsesKept, MobileWithin: 7 * 24 * time.Hour, Codes: 5, Looks: LookupsMax * 4 / 5,
	}
}

// UsesKept is how long stores know for whom an account was used. No bank can look back further.
const UsesKept = 30 * 24 * time.Hour

// codesWithin is how long before a confirm codes count: as long as two proofs live, one after the other.
const codesWithin = 30 * time.Minute

// Validate refuses what would be flagged of everybody, or couldn't be counted.
func (t Thresholds) Validate() error {
	switch {
	case t.People < 1 || t.PeopleWithin <= 0 || t.MobileWithin <= 0 || t.Codes < 1 || t.Looks < 1:
		return errors.New("what is flagged begins above zero")
	case t.PeopleWithin > UsesKept:
		return fmt.Errorf("for whom an account was used is forgotten after %v", UsesKept)
	}
	return nil
}

// flagsMax is how long a confirm waits to know its flags: two reads by key, which take milliseconds while the store is
// well, and somebody stands before a screen.
const flagsMax = 500 * time.Millisecond

// Sought is what is looked for before a confirm is recorded.
type Sought struct {
	To          saudi.IBAN
	Beneficiary saudi.Party // not counted among the others
	Since       time.Time
	Employee    string // who asks at the counter; empty: nobody
	Day         saudi.Date
}

// Seen is what was found.
type Seen struct {
	Others int // people that refunds to the account were for since then
	Looks  int // of the employee at customers that day
}

// Sightings is the record of what has to be seen over many refunds.
type Sightings interface {
	// Seek answers as of some moment: what is recorded meanwhile may be missing, so of many confirms at once none may see
	// the others.
	Seek(ctx context.Context, s Sought) (Seen, error)
	// Read is as otp.Ledger says: what codes a customer was sent.
	Read(ctx context.Context, customer string) (otp.Record, error)
}

// flagsInTime is flags within flagsMax, whether or not the client still listens. Where no flag holds anything up, a confirm
// doesn't fail for want of them.
func (p *Path) flagsInTime(ctx context.Context, terms Terms, preview Preview, now time.Time) ([]gateway.Mark, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flagsMax)
	defer cancel()
	flags, err := p.flags(ctx, terms.Thresholds, preview, now)
	if err != nil && len(terms.Hold) == 0 {
		p.Log.WarnContext(ctx, "a confirm goes on without its flags", "refund", preview.ID, "err", err)
		return nil, nil
	}
	return flags, err
}

// flags is what is seen of a preview that is about to be confirmed.
func (p *Path) flags(ctx context.Context, from Thresholds, preview Preview, now time.Time) (flags []gateway.Mark, err error) {
	o, payment := preview.Origin, preview.Payment
	seen, err := p.Sightings.Seek(ctx, Sought{
		To: preview.To, Beneficiary: payment.Beneficiary, Since: now.Add(-from.PeopleWithin), Employee: o.Employee, Day: saudi.DateOf(now),
	})
	if err != nil {
		return nil, unavailable(err)
	}
	record, err := p.Sightings.Read(ctx, o.Customer)
	if err != nil {
		return nil, unavailable(err)
	}
	codes := 0
	for _, sms := range record.Sent {
		if now.Sub(sms.At) < codesWithin {
			codes++
		}
	}
	person := payment.Beneficiary.IsPerson()
	if person {
		seen.Others++
	}
	for _, f := range []struct {
		flag gateway.Mark
		is   bool
	}{
		{FlagAccountOfMany, seen.Others >= from.People},
		{FlagMobileChanged, from.lately(preview.MobileChangedAt, now)},
		{FlagOtherBeneficiary, person && payment.Beneficiary != payment.Payer},
		{FlagCodesResent, codes >= from.Codes},
		{FlagTellerLooks, seen.Looks >= from.Looks},
	} {
		if f.is {
			flags = append(flags, f.flag)
		}
	}
	return flags, nil
}

// lately reports whether a mobile that changed then is flagged now.
func (t Thresholds) lately(changed, now time.Time) bool {
	return !changed.IsZero() && now.Sub(changed) < t.MobileWithin
}

// holding are those of the flags for which the bank has a refund wait.
func (t Terms) holding(flags []gateway.Mark) []gateway.Mark {
	var hold []gateway.Mark
	for _, f := range flags {
		if slices.Contains(t.Hold, f) {
			hold = append(hold, f)
		}
	}
	return hold
}

// besides are those of the marks that aren't flags: what a maker may see of their own.
func besides(marks gateway.Marks) gateway.Marks {
	return gateway.NewMarks(slices.DeleteFunc(marks.List(), func(m gateway.Mark) bool { return slices.Contains(Flags(), m) })...)
}
