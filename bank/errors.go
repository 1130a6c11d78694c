package bank

import (
	"errors"
	"time"
)

// What the path says no with. gateway/api holds the one table that turns these, and those of otp and gateway, into
// answers.
var (
	// ErrUnauthenticated: there is no token, or it isn't one to be believed.
	ErrUnauthenticated = errors.New("not authenticated")
	// ErrCodeNeeded: the amount asks for a code and none was given.
	ErrCodeNeeded = errors.New("a code is needed to confirm")
	// ErrNoChallenge: a code was given, but not the challenge that it answers.
	ErrNoChallenge = errors.New("a code without its challenge")
	// ErrIDInvalid: what was typed is no ID number.
	ErrIDInvalid = errors.New("not an ID number")
	// ErrIDMismatch: what was typed is not the caller's own ID number.
	ErrIDMismatch = errors.New("not the caller's ID number")
	// ErrIBANInvalid: what was typed is neither an IBAN nor an account number.
	ErrIBANInvalid = errors.New("not an account")
	// ErrAccountNotOwned: the account isn't one of the caller's, whether or not it exists.
	ErrAccountNotOwned = errors.New("not the caller's account")
	// ErrAccountMismatch: the account is the caller's, but it isn't the one that paid.
	ErrAccountMismatch = errors.New("not the account that paid")
	// ErrMobileMissing: the bank has no mobile of the customer to send a code to.
	ErrMobileMissing = errors.New("no mobile on record")
	// ErrMobileRecent: the mobile changed too recently to be trusted with a code; a branch can help.
	ErrMobileRecent = errors.New("mobile changed recently")
	// ErrConfirmed: the preview was confirmed already, so there is nothing left to send a code for.
	ErrConfirmed = errors.New("refund confirmed already")
	// ErrTooLate: the refund may have left, so it can't be withdrawn.
	ErrTooLate = errors.New("too late to withdraw")
	// ErrSelfApproval: whoever asked for it doesn't approve it, by whatever login.
	ErrSelfApproval = errors.New("asked for by the same person")
	// ErrDecided: it doesn't await approval any more: somebody decided, withdrew it, or its day is over.
	ErrDecided = errors.New("already decided")
	// ErrOther: what was approved isn't what is there.
	ErrOther = errors.New("not what was approved")
	// ErrUnknownService: there is no such service, or the bank doesn't offer it.
	ErrUnknownService = errors.New("unknown service")
	// ErrTooOften: the caller has done it as often as one may.
	ErrTooOften = errors.New("too often")
	// ErrClosed: the bank has closed the service for a while.
	ErrClosed = errors.New("closed for maintenance")
	// ErrUnavailable: something of ours or the bank's couldn't be asked. Nothing was decided.
	ErrUnavailable = errors.New("try again")
)

// ExistsError says which refund of the caller's own stands in the way of asking for the same payment again. It is the
// error that it wraps.
type ExistsError struct {
	RefundID string
	Err      error
}

func (e *ExistsError) Error() string { return e.Err.Error() }

// Unwrap returns why the caller was refused.
func (e *ExistsError) Unwrap() error { return e.Err }

// RateError is ErrTooOften, and says for how long.
type RateError struct{ RetryAfter time.Duration }

func (e *RateError) Error() string { return ErrTooOften.Error() }

// Is makes errors.Is(err, ErrTooOften) hold.
func (e *RateError) Is(target error) bool { return target == ErrTooOften }

// ReasonError is the request's own reason why it can't come back.
type ReasonError struct {
	Reason Reason
	Text   Text // the bank's own words; zero: the reason's
}

func (e *ReasonError) Error() string { return "not refundable: " + string(e.Reason) }

// ClosedError is ErrClosed, and says for how long.
type ClosedError struct {
	Text       Text // the bank's own words; zero: it has none
	RetryAfter time.Duration
}

func (e *ClosedError) Error() string { return ErrClosed.Error() }

// Is makes errors.Is(err, ErrClosed) hold.
func (e *ClosedError) Is(target error) bool { return target == ErrClosed }
