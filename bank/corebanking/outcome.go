package corebanking

import (
	"errors"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
)

// What the calls are called in metrics and traces.
const (
	callCustomer = "customer"
	callSearch   = "search"
	callStaff    = "staff"
	callCredit   = "credit"
	callPosting  = "posting"
)

// Why an outcome is unknown, beside the causes of package outbound: for logs, metrics and evidence.
const (
	causeMalformed    = "malformed"    // not JSON as it must be
	causeMismatch     = "mismatch"     // an answer to another question
	causeUndocumented = "undocumented" // a status, state or code that the protocol hasn't, or not with this call
)

// outcomeOf is the class of an outcome, for metrics: ok, an answer to what was asked, that there is no such thing
// included; refused, a verified no; not_sent; and unknown, which is also what nobody foresaw.
func outcomeOf(p gateway.Posting, err error) string {
	switch {
	case err == nil && p.Refused(), errors.Is(err, gateway.ErrReferenceReused):
		return "refused"
	case err == nil, errors.Is(err, gateway.ErrUnknownReference), errors.Is(err, bank.ErrNotFound):
		return "ok"
	case errors.Is(err, gateway.ErrNotSent):
		return "not_sent"
	default:
		return "unknown"
	}
}

// unknown is an outcome that decides nothing.
func unknown(cause string) error { return &gateway.UnknownError{Cause: cause} }
