package refundcore

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/internal/outbound"
)

// The causes of an outcome that decides nothing. With those of package outbound they are all that a
// *gateway.UnknownError of this package ever carries.
const (
	causeSignature = "signature" // the signature is absent or doesn't hold

	// The core's own words, by its signature, which say nothing that we could go by.
	causeMalformed = "malformed"           // not of a documented form
	causeMismatch  = "mismatch"            // about something else than was asked
	causeStatus    = "undocumented_status" // the protocol has no such answer to this call
	causeState     = "undocumented_state"
	causeCode      = "undocumented_code"
)

// signed reports whether an outcome of this cause is the core's own word.
func signed(cause string) bool {
	switch cause {
	case causeMalformed, causeMismatch, causeStatus, causeState, causeCode:
		return true
	default:
		return false
	}
}

// alarming reports whether somebody has to look, because time alone mends none of these.
func alarming(cause string) bool {
	switch cause {
	case outbound.CauseCallerLeft, outbound.CauseTimeout, outbound.CauseBroken,
		outbound.CauseRateLimited, outbound.CauseUnavailable, outbound.CauseServerError:
		return false
	default:
		return true
	}
}

// question is what was asked about which refund.
type question struct {
	kind   ask
	refund gateway.Refund
}

type ask int

const (
	askSubmit ask = iota
	askStatus
	askReturn
)

// classify makes an outcome of what happened. What it can say, and when:
//
//	no connection was handed the request                        ErrNotSent
//	not believed (see believe)                                  Unknown
//	submit 200, 201  echo, core's reference, pending, refunded  Answer
//	submit 409, 422  echo, documented code, final               *Refusal
//	submit 409       reference_reused                           ErrReferenceReused
//	status 200       echo, core's reference, documented state   Answer
//	status 404       unknown_reference                          ErrUnknownReference
//	return 200       echo, core's reference, returned           Answer
//	return 409       not_refunded                               ErrNotRefunded
//	anything else                                               Unknown
func classify(q question, f facts) (dispatch.Answer, error) {
	if err := believe(f); err != nil {
		return dispatch.Answer{}, err
	}
	body, err := parseObject(f.Body)
	if err != nil {
		return dispatch.Answer{}, unknown(causeMalformed, err)
	}
	r := &reader{object: body}
	switch (cell{q.kind, f.Status}) {
	case cell{askSubmit, http.StatusOK}, cell{askSubmit, http.StatusCreated}:
		return answered(r, q.refund, dispatch.CorePending, dispatch.CoreRefunded)
	case cell{askSubmit, http.StatusConflict}, cell{askSubmit, http.StatusUnprocessableEntity}:
		return dispatch.Answer{}, refused(r, q.refund, f.Status)
	case cell{askStatus, http.StatusOK}:
		return answered(r, q.refund,
			dispatch.CorePending, dispatch.CoreRefunded, dispatch.CoreRejected, dispatch.CoreReturned)
	case cell{askStatus, http.StatusNotFound}:
		return dispatch.Answer{}, coded(r, q.refund, "unknown_reference", gateway.ErrUnknownReference)
	case cell{askReturn, http.StatusOK}:
		return answered(r, q.refund, dispatch.CoreReturned)
	case cell{askReturn, http.StatusConflict}:
		return dispatch.Answer{}, coded(r, q.refund, "not_refunded", dispatch.ErrNotRefunded)
	default:
		return dispatch.Answer{}, unknown(causeStatus, nil)
	}
}

// cell is one place of classify's table.
type cell struct {
	kind   ask
	status int
}

// believe returns nil when the answer is verifiably the core's and neither a redirect nor an excuse, and otherwise
// what its absence comes to. Whether anything left is decided here and by one fact alone. An excuse decides nothing,
// signed or not.
func believe(f facts) error {
	cause := f.Cause()
	switch {
	case f.Err != nil && !f.Handed:
		return fmt.Errorf("%w: %w", gateway.ErrNotSent, f.Err)
	case f.Err != nil:
		return unknown(cause, f.Err)
	case f.sandbox:
		return unknown(outbound.CauseSandbox, nil)
	case cause != "":
		return &gateway.UnknownError{Cause: cause, After: f.After()}
	case f.flaw != nil:
		return unknown(causeSignature, f.flaw)
	default:
		return nil
	}
}

// answered reads a refund as the core sees it, in one of the states that the call may answer.
func answered(r *reader, refund gateway.Refund, documented ...dispatch.CoreState) (dispatch.Answer, error) {
	echo := r.echoes(refund)
	core, state := r.text("core_reference"), dispatch.CoreState(r.text("state"))
	code := r.optional("code")
	switch {
	case r.err != nil:
		return dispatch.Answer{}, unknown(causeMalformed, r.err)
	case !echo:
		return dispatch.Answer{}, unknown(causeMismatch, nil)
	case !plain(core):
		return dispatch.Answer{}, unknown(causeMalformed, errMalformed)
	case !slices.Contains(documented, state):
		return dispatch.Answer{}, unknown(causeState, nil)
	case state != dispatch.CoreRejected:
		return dispatch.Answer{State: state, CoreReference: core}, nil
	case code != "" && !documentedCode(code):
		return dispatch.Answer{}, unknown(causeCode, nil)
	default:
		return dispatch.Answer{State: state, CoreReference: core, Code: code}, nil
	}
}

// refused reads a no to a send.
func refused(r *reader, refund gateway.Refund, status int) error {
	code := r.text("code")
	if r.err == nil && code == "reference_reused" && status == http.StatusConflict {
		return coded(r, refund, code, gateway.ErrReferenceReused)
	}
	reference, request, final := r.text("reference"), r.text("request_id"), r.flag("final")
	channel := r.optional("channel")
	switch {
	case r.err != nil:
		return unknown(causeMalformed, r.err)
	case request != refund.Payment.RequestID:
		return unknown(causeMismatch, nil)
	case !documentedCode(code):
		return unknown(causeCode, nil)
	case !final:
		return unknown(causeMalformed, errMalformed)
	}
	refusal := &dispatch.Refusal{Code: code}
	if code == codeAlreadyRefunded {
		switch channel {
		case "portal", "bank":
			refusal.Channel = channel
		default:
			return unknown(causeMalformed, errMalformed)
		}
		if channel == "bank" {
			// Here alone the reference is the other one, under which the request is being paid or was paid; that the
			// answer is to our question is then shown by its nonce and the request. Our own is for the dispatcher to weigh.
			if !isReference(reference) {
				return unknown(causeMismatch, nil)
			}
			refusal.Other = reference
			return refusal
		}
	}
	if reference != refund.Reference {
		return unknown(causeMismatch, nil)
	}
	return refusal
}

// coded reads an answer that consists of our reference and a code.
func coded(r *reader, refund gateway.Refund, code string, means error) error {
	reference, got := r.text("reference"), r.text("code")
	switch {
	case r.err != nil:
		return unknown(causeMalformed, r.err)
	case reference != refund.Reference:
		return unknown(causeMismatch, nil)
	case got != code:
		return unknown(causeCode, nil)
	default:
		return means
	}
}

const codeAlreadyRefunded = "already_refunded"

// documentedCode reports whether the code is one of those with which the core refuses a refund.
func documentedCode(code string) bool {
	switch code {
	case "fee_consumed", "amount_changed", "payer_mismatch", "service_not_refundable", codeAlreadyRefunded:
		return true
	default:
		return false
	}
}

// outcomeOf is the class of an outcome, for metrics: ok, an answer to what was asked; refused, a verified no; not_sent;
// cut_off, when breaker or bulkhead let nothing through; suspect, an unknown one of which somebody is told at once, because
// time alone doesn't mend it; and unknown, which is also what nobody foresaw.
func outcomeOf(err error) string {
	var refusal *dispatch.Refusal
	var unknown *gateway.UnknownError
	switch {
	case err == nil, errors.Is(err, gateway.ErrUnknownReference): // that one is an answer too
		return "ok"
	case errors.As(err, &refusal), errors.Is(err, dispatch.ErrNotRefunded), errors.Is(err, gateway.ErrReferenceReused),
		errors.Is(err, bank.ErrCursor):
		return "refused"
	case errors.Is(err, gateway.ErrCutOff):
		return "cut_off"
	case errors.Is(err, gateway.ErrNotSent):
		return "not_sent"
	case errors.As(err, &unknown) && alarming(unknown.Cause):
		return "suspect"
	default:
		return "unknown"
	}
}

func unknown(cause string, err error) error { return &gateway.UnknownError{Cause: cause, Err: err} }
