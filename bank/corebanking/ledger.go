package corebanking

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/istirdad/istirdad/gateway"
)

// The title that SAMA's circular 42023876 gives a refund of this kind (domain.md §4.1), which the customer reads in the
// list of their account's movements. The reference follows it.
const (
	titleAR = "استرجاع مدفوعات وزارة الداخلية"
	titleEN = "Refunding MOI Payments"
)

// creditRequest is the body of POST /credits.
type creditRequest struct {
	Reference string `json:"reference"`
	IBAN      string `json:"iban"`
	Amount    int64  `json:"amount"` // halalas
	Narrative text   `json:"narrative"`
}

// creditAnswer is every body that the credit calls answer with; which fields it has depends on the outcome.
type creditAnswer struct {
	Reference string    `json:"reference"`
	IBAN      string    `json:"iban"`
	Amount    int64     `json:"amount"`
	State     string    `json:"state"`
	PostedAt  time.Time `json:"posted_at"`
	LedgerID  string    `json:"ledger_id"`
	Code      string    `json:"code"`
	Final     bool      `json:"final"`
}

// Post has the bank credit the refund's account, at most once for its reference whatever happens.
func (c *Client) Post(ctx context.Context, r gateway.Refund) (posting gateway.Posting, err error) {
	defer func(began time.Time) { c.observe(callCredit, outcomeOf(posting, err), time.Since(began)) }(time.Now())
	if !printable(r.Reference) || r.To.IsZero() || r.Payment.Amount <= 0 {
		return gateway.Posting{}, notSent(errors.New("not a credit"))
	}
	a, err := c.call(ctx, callCredit, http.MethodPost, "/credits", creditRequest{
		Reference: r.Reference, IBAN: r.To.Compact(), Amount: int64(r.Payment.Amount),
		Narrative: text{AR: titleAR + " " + r.Reference, EN: titleEN + " " + r.Reference},
	})
	if err != nil {
		return gateway.Posting{}, err
	}
	switch a.status {
	case http.StatusCreated, http.StatusOK:
		return a.posting(r, statePosted)
	case http.StatusConflict:
		if a.says(r.Reference, "reference_reused") {
			return gateway.Posting{}, fmt.Errorf("corebanking: %w", gateway.ErrReferenceReused)
		}
		return a.posting(r, stateRefused)
	default:
		return gateway.Posting{}, unknown(causeUndocumented)
	}
}

// Posting asks the bank what became of the refund's credit.
func (c *Client) Posting(ctx context.Context, r gateway.Refund) (posting gateway.Posting, err error) {
	defer func(began time.Time) { c.observe(callPosting, outcomeOf(posting, err), time.Since(began)) }(time.Now())
	reference, err := segment(r.Reference)
	if err != nil {
		return gateway.Posting{}, notSent(err)
	}
	a, err := c.call(ctx, callPosting, http.MethodGet, "/credits/"+reference, nil)
	if err != nil {
		return gateway.Posting{}, err
	}
	switch a.status {
	case http.StatusOK:
		return a.posting(r, statePosted, stateRefused)
	case http.StatusNotFound:
		// Any server answers 404 to a path that it doesn't know; only these words are the ledger's.
		if a.says(r.Reference, "unknown_reference") {
			return gateway.Posting{}, fmt.Errorf("corebanking: %w", gateway.ErrUnknownReference)
		}
		return gateway.Posting{}, unknown(causeUndocumented)
	default:
		return gateway.Posting{}, unknown(causeUndocumented)
	}
}

// The states of a credit.
const (
	statePosted  = "posted"
	stateRefused = "refused"
)

// posting is the answer as the bank's final word on the refund's credit, in one of the states that the status allows.
func (a answer) posting(r gateway.Refund, states ...string) (gateway.Posting, error) {
	var credit creditAnswer
	if decode(a.body, &credit) != nil {
		return gateway.Posting{}, unknown(causeMalformed)
	}
	if credit.Reference != r.Reference || credit.IBAN != r.To.Compact() || credit.Amount != int64(r.Payment.Amount) {
		return gateway.Posting{}, unknown(causeMismatch)
	}
	for _, state := range states {
		switch {
		case state != credit.State:
		case credit.posted():
			return gateway.Posting{LedgerID: credit.LedgerID}, nil
		case credit.refused():
			return gateway.Posting{Refusal: credit.Code}, nil
		}
	}
	return gateway.Posting{}, unknown(causeUndocumented)
}

// posted reports whether it says that the credit was posted, and nothing to the contrary.
func (c creditAnswer) posted() bool {
	return c.State == statePosted && printable(c.LedgerID) && !c.PostedAt.IsZero() && c.Code == "" && !c.Final
}

// refused reports whether it says that the credit was refused for good, and nothing to the contrary.
func (c creditAnswer) refused() bool {
	return c.State == stateRefused && c.Final && (c.Code == "account_closed" || c.Code == "account_frozen") &&
		c.LedgerID == "" && c.PostedAt.IsZero()
}

// says reports whether the answer is just the code about the reference.
func (a answer) says(reference, code string) bool {
	var credit creditAnswer
	return decode(a.body, &credit) == nil && credit == creditAnswer{Reference: reference, Code: code}
}
