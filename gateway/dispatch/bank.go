package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/otp"
)

// credit has the bank post what the core released. Once a request to the ledger may have left, the ledger is asked
// before it is asked to post again. What it refused once is not asked for again at all: people put the refund back in
// doubt, and a credit now could meet the return that the refusal led to.
func (a *attempt) credit(ctx context.Context, r gateway.Refund) {
	posting, err := gateway.Posting{Refusal: r.CreditRefusal}, error(nil)
	if !posting.Refused() {
		posting, err = a.post(ctx, r)
	}
	now := time.Now()
	switch {
	case err == nil && posting.Refused():
		a.apply(ctx)(r.RefuseCredit(gateway.Dispatcher(now, gateway.Evidence{"code": posting.Refusal}), posting.Refusal))
	case err == nil && posting.LedgerID != "":
		a.apply(ctx)(r.Credit(gateway.Dispatcher(now, gateway.Evidence{"ledger_id": posting.LedgerID}), posting.LedgerID))
	case errors.Is(err, errStopping):
		a.yield(ctx, r)
	case errors.Is(err, gateway.ErrReferenceReused):
		a.escalate(ctx, r, "credit_reference_reused")
	default:
		a.undecided(ctx, r, err, now)
	}
}

func (a *attempt) post(ctx context.Context, r gateway.Refund) (gateway.Posting, error) {
	if r.Posts > 1 {
		if posting, err := a.Ledger.Posting(ctx, r); !errors.Is(err, gateway.ErrUnknownReference) {
			return posting, err
		}
		if a.stopping() {
			return gateway.Posting{}, errStopping
		}
	}
	return a.Ledger.Post(ctx, r)
}

// errStopping: the credit wasn't asked for, because the process is asked to stop.
var errStopping = errors.New("stopping")

// notify sends the completion SMS under an id that a provider de-duplicates by. The money is there whatever becomes
// of it, so it is tried for a day and then given up.
func (a *attempt) notify(ctx context.Context, r gateway.Refund) {
	call, cancel := context.WithTimeout(ctx, noticeCall)
	defer cancel()
	mobile, language, err := a.Recipients.Recipient(call, r.Origin.Customer)
	if err == nil && mobile.IsZero() {
		a.apply(ctx)(r.Notify(gateway.NoticeGiven))
		return
	}
	if err == nil && a.stopping() {
		a.yield(ctx, r)
		return
	}
	if err == nil {
		service, brand := a.Wording(r.Payment.Service)
		err = a.SMS.Send(call, r.Reference+":credited", mobile, otp.Message{
			Kind: otp.RefundCompleted, Language: language, Brand: brand, Amount: r.Payment.Amount,
			Service: service.Name, Sector: service.Sector, AccountTail: r.To.Tail(),
			Reference: r.Reference, At: r.UpdatedAt,
		})
	}
	now := time.Now()
	switch {
	case err == nil:
		a.apply(ctx)(r.Notify(gateway.NoticeSent))
	case now.Sub(r.UpdatedAt) >= noticeMax:
		a.apply(ctx)(r.Notify(gateway.NoticeGiven))
	default:
		a.Log.WarnContext(ctx, "completion SMS not sent", "reference", r.Reference, "err", err)
		a.apply(ctx)(r.Ask(now.Add(spread(doubling(r.Asks)))), nil)
	}
}
