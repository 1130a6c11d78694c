package otp

import (
	"errors"
	"fmt"
	"time"
)

// What Service and the pure rules of Policy return. Each is recognised by
// errors.Is; those with details are of the pointer type named beside them.
var (
	// ErrGone: there is no such challenge to go on with. Unknown, somebody
	// else's, another session's, made for something else, expired, superseded,
	// used up: all alike, so that nobody learns which.
	ErrGone = errors.New("otp: challenge gone")

	// ErrLocked: too many wrong codes in a row. A *LockedError. It comes before
	// ErrGone.
	ErrLocked = errors.New("otp: customer locked")

	// ErrWrong: the code was compared, it is wrong, and that is on record. A
	// *WrongError.
	ErrWrong = errors.New("otp: wrong code")

	// ErrUsed: the right code of a profile challenge, given a second time.
	ErrUsed = errors.New("otp: code used already")

	// ErrMalformedCode: not as many digits as a code has. Nothing was compared
	// and no attempt was spent.
	ErrMalformedCode = errors.New("otp: malformed code")

	// ErrTooSoon: the last SMS for the same thing is too recent. A *TooSoonError.
	ErrTooSoon = errors.New("otp: resend too soon")

	// ErrBudget: the customer has been sent as many SMS as an hour or a day
	// allows. A *BudgetError.
	ErrBudget = errors.New("otp: SMS budget spent")

	// ErrSMS: no route took the message. The challenge is void and the SMS was
	// given back to the budget.
	ErrSMS = errors.New("otp: SMS not sent")

	// ErrUnavailable: a store failed. Nothing was decided in the customer's
	// favour, and it is safe to ask again; see Verify for what becomes of the code.
	ErrUnavailable = errors.New("otp: unavailable")
)

// LockedError says how long wrong codes keep a customer out.
type LockedError struct {
	RetryAfter time.Duration // until the block ends; 0 when Closed
	Closed     bool          // no time ends it, only a branch
}

func (e *LockedError) Error() string {
	if e.Closed {
		return "otp: customer locked until a branch reopens"
	}
	return fmt.Sprintf("otp: customer locked for %v", e.RetryAfter)
}

func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// WrongError says how many attempts the challenge has left; with none it is
// gone.
type WrongError struct {
	AttemptsLeft int

	// AboutToClose is set when one more wrong code closes the customer until a
	// branch reopens. Whoever knows the customer's mobile then calls
	// Service.Alert.
	AboutToClose bool
}

func (e *WrongError) Error() string {
	return fmt.Sprintf("otp: wrong code, %d attempts left", e.AttemptsLeft)
}

func (e *WrongError) Is(target error) bool { return target == ErrWrong }

// TooSoonError says when the next SMS for the same thing may be asked for.
type TooSoonError struct{ RetryAfter time.Duration }

func (e *TooSoonError) Error() string { return fmt.Sprintf("otp: resend only in %v", e.RetryAfter) }

func (e *TooSoonError) Is(target error) bool { return target == ErrTooSoon }

// BudgetError says when the budget has room for another SMS.
type BudgetError struct{ RetryAfter time.Duration }

func (e *BudgetError) Error() string {
	return fmt.Sprintf("otp: SMS budget spent for %v", e.RetryAfter)
}

func (e *BudgetError) Is(target error) bool { return target == ErrBudget }
