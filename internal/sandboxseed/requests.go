package sandboxseed

import "time"

// The numbers in the cases that belong to nobody who can sign in.
const (
	p02Vehicle       = "900000002"
	p07ElsewhereIBAN = "SA4810000000055500001001" // at SNB, bank 10
	p13Worker1       = "2900000098"
	p13Worker2       = "2900000106"
	visitorV01       = "3900000001"
	companyE01       = "7000000005"
	companyIBAN      = "SA4020000000055500002001" // at Riyad Bank, bank 20
)

// requests are the cases of domain.md §7, one line or two each.
func requests(people []Person, now time.Time) []Request {
	by := make(map[string]Person, len(people))
	for _, p := range people {
		by[p.User] = p
	}
	pay := func(id, payer, fee string, daysAgo int) Request {
		at := now.Add(-time.Duration(daysAgo) * 24 * time.Hour)
		return paid(id, by[payer], known(fee, at), at)
	}
	return []Request{
		pay("rq-p01-1", "p01", "passport-10", 9),
		pay("rq-p02-1", "p02", "vehicle-3", 14).benefiting(vehicle, p02Vehicle),
		pay("rq-p02-2", "p02", "licence-10", 40).consumed(),
		pay("rq-p03-1", "p03", "iqama-year", 6),
		pay("rq-p04-1", "p04", "exit-reentry-single", 21).consumed(),
		pay("rq-p05-1", "p06", "sponsorship-1", 11).benefiting(by["p05"].IDKind, by["p05"].IDNumber),
		pay("rq-p07-1", "p07", "occupation", 17).through("10", p07ElsewhereIBAN),
		pay("rq-p08-1", "p08", "iqama-quarter", 33),
		pay("rq-p09-1", "p09", "iqama-year", 12),
		pay("rq-p09-2", "p09", "dependent-quarter", 8).refunding(),
		pay("rq-p09-3", "p09", "iqama-family", 5),
		pay("rq-p10-1", "p10", "iqama-year", 19),
		pay("rq-p12-1", "p12", "passport-5", 15),
		pay("rq-p13-1", "p13", "sponsorship-3", 4).benefiting(iqama, p13Worker1),
		pay("rq-p13-2", "p13", "sponsorship-3", 3).benefiting(iqama, p13Worker2),
		pay("rq-p14-1", "p14", "passport-10", 7),
		pay("rq-v01-1", "p01", "visitor-extension", 2).benefiting(border, visitorV01),
		pay("rq-e01-1", "", "labour-visa", 30).byCompany(),
		pay("rq-e01-2", "", "labour-visa", 29).byCompany(),
	}
}

// paid is a fee that the person paid for themselves from their first account,
// and that nothing was done with yet.
func paid(id string, payer Person, f Fee, at time.Time) Request {
	r := Request{
		ID: id, Service: f.Service, Variant: f.Variant, Amount: f.Amount, Bucket: f.Bucket,
		BeneficiaryKind: payer.IDKind, BeneficiaryNumber: payer.IDNumber,
		PayerKind: payer.IDKind, PayerNumber: payer.IDNumber,
		PaidAt: at, PaidThroughBank: BankCode,
		State: StateAvailable, Refundable: true,
	}
	if len(payer.Accounts) > 0 {
		r.PaidFromIBAN = payer.Accounts[0].IBAN
	}
	if RuleOf(f.Service, at).Refundable == Never {
		r.Refundable, r.Reason = false, "service_not_refundable"
	}
	return r
}

func (r Request) benefiting(kind, number string) Request {
	r.BeneficiaryKind, r.BeneficiaryNumber = kind, number
	return r
}

func (r Request) through(bank, iban string) Request {
	r.PaidThroughBank, r.PaidFromIBAN = bank, iban
	return r
}

// consumed: the service was carried out, the fee is used up.
func (r Request) consumed() Request {
	r.State, r.Refundable, r.Reason = StateConsumed, false, "fee_consumed"
	return r
}

// refunding: asked back on the portal, and it stays so.
func (r Request) refunding() Request {
	r.State, r.Refundable, r.Reason = StateRefunding, false, "already_refunded"
	return r
}

// byCompany: E01 paid for itself, at another bank. It is known to the core
// only, so no account of ours may appear to be its.
func (r Request) byCompany() Request {
	r.BeneficiaryKind, r.BeneficiaryNumber = establishment, companyE01
	r.PayerKind, r.PayerNumber = establishment, companyE01
	return r.through("20", companyIBAN)
}
