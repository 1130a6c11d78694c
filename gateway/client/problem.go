package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/istirdad/istirdad/gateway/client/internal/wire"
)

// Code says why the gateway refused. It is stable, and an error, so that errors.Is finds it in a [Problem]. A request that
// can't come back has the Code that a preview of it would be refused with.
type Code string

func (c Code) Error() string { return string(c) }

// The codes. A newer gateway may have more.
const (
	ErrMalformedRequest      = Code(wire.ProblemCodeMalformedRequest)      // 400, see Faults
	ErrIdempotencyKeyMissing = Code(wire.ProblemCodeIdempotencyKeyMissing) // 400
	ErrUnauthenticated       = Code(wire.ProblemCodeUnauthenticated)       // 401
	ErrStepUpRequired        = Code(wire.ProblemCodeStepUpRequired)        // 403: a code is needed first, or with this
	ErrForbidden             = Code(wire.ProblemCodeForbidden)             // 403
	ErrSelfApproval          = Code(wire.ProblemCodeSelfApproval)          // 403: asked for by the same person
	ErrPayerMismatch         = Code(wire.ProblemCodePayerMismatch)         // 403: who benefits didn't pay
	ErrAccountNotOwned       = Code(wire.ProblemCodeAccountNotOwned)       // 403
	ErrNotFound              = Code(wire.ProblemCodeNotFound)              // 404: none, or somebody else's
	ErrMethodNotAllowed      = Code(wire.ProblemCodeMethodNotAllowed)      // 405
	ErrRefundExists          = Code(wire.ProblemCodeRefundExists)          // 409: asked back already, see Links
	ErrAlreadyRefunded       = Code(wire.ProblemCodeAlreadyRefunded)       // 409, of a refund that was rejected
	ErrAmountChanged         = Code(wire.ProblemCodeAmountChanged)         // 409, of a refund that was rejected
	ErrFeeConsumed           = Code(wire.ProblemCodeFeeConsumed)           // 409
	ErrOtherBank             = Code(wire.ProblemCodeOtherBank)             // 409
	ErrAccountClosed         = Code(wire.ProblemCodeAccountClosed)         // 409
	ErrAccountFrozen         = Code(wire.ProblemCodeAccountFrozen)         // 409
	ErrMobileMissing         = Code(wire.ProblemCodeMobileMissing)         // 409
	ErrIdempotencyInProgress = Code(wire.ProblemCodeIdempotencyInProgress) // 409: the same preview is being made
	ErrTooLate               = Code(wire.ProblemCodeTooLate)               // 409: it may have been sent
	ErrAlreadyDecided        = Code(wire.ProblemCodeAlreadyDecided)        // 409: it awaits no approval any more
	ErrNotPossible           = Code(wire.ProblemCodeNotPossible)           // 409: of what was approved it isn't the digest
	ErrCodeUsed              = Code(wire.ProblemCodeCodeUsed)              // 409
	ErrPreviewExpired        = Code(wire.ProblemCodePreviewExpired)        // 410
	ErrChallengeGone         = Code(wire.ProblemCodeChallengeGone)         // 410: a new code is needed
	ErrIDInvalid             = Code(wire.ProblemCodeIDInvalid)             // 422
	ErrIDMismatch            = Code(wire.ProblemCodeIDMismatch)            // 422: not the caller's own
	ErrIBANInvalid           = Code(wire.ProblemCodeIbanInvalid)           // 422
	ErrAccountMismatch       = Code(wire.ProblemCodeAccountMismatch)       // 422: not the account that paid
	ErrServiceNotRefundable  = Code(wire.ProblemCodeServiceNotRefundable)  // 422
	ErrCodeWrong             = Code(wire.ProblemCodeCodeWrong)             // 422, see AttemptsLeft
	ErrIdempotencyKeyReused  = Code(wire.ProblemCodeIdempotencyKeyReused)  // 422
	ErrLimitExceeded         = Code(wire.ProblemCodeLimitExceeded)         // 422: the day's; a branch can do more
	ErrMobileRecent          = Code(wire.ProblemCodeMobileRecent)          // 422: the number changed a short while ago
	ErrLocked                = Code(wire.ProblemCodeLocked)                // 423: too many wrong codes, see RetryAfter
	ErrResendTooSoon         = Code(wire.ProblemCodeResendTooSoon)         // 429, see RetryAfter
	ErrRateLimited           = Code(wire.ProblemCodeRateLimited)           // 429, see RetryAfter
	ErrInternal              = Code(wire.ProblemCodeInternal)              // 500: quote RequestID
	ErrCoreUnavailable       = Code(wire.ProblemCodeCoreUnavailable)       // 503
	ErrSMSUnavailable        = Code(wire.ProblemCodeSmsUnavailable)        // 503
	ErrMaintenance           = Code(wire.ProblemCodeMaintenance)           // 503: the bank has closed it, see RetryAfter
	ErrTryAgain              = Code(wire.ProblemCodeTryAgain)              // 503: nothing was decided
)

// ErrNoAnswer is in the error of a call to which no answer came, or one that breaks off: what became of it is unknown.
var ErrNoAnswer = errors.New("client: no answer")

// Problem is a refusal (RFC 9457). What was typed is never in it.
type Problem struct {
	Code         Code // empty when somebody between us and the gateway answered
	Status       int  // of HTTP
	Title        string
	Detail       string        // what to do, for people, in the client's language
	RequestID    string        // what support asks for
	Faults       []Fault       // with ErrMalformedRequest: where
	AttemptsLeft int           // with ErrCodeWrong; 0: the code is used up
	RetryAfter   time.Duration // 0: not said
	Links        Links
}

// Fault is what is wrong with a request, and where.
type Fault struct {
	Pointer string `json:"pointer"` // RFC 6901, into the body; or the name of a header or parameter
	Code    string `json:"code"`
}

// Links lead out of a refusal.
type Links struct {
	Refund string `json:"refund"` // with ErrRefundExists: the path of the caller's own refund of this payment
}

// Error names the code and what support asks for.
func (p *Problem) Error() string {
	switch {
	case p.Code == "":
		return fmt.Sprintf("client: %d %s", p.Status, http.StatusText(p.Status))
	case p.RequestID == "":
		return fmt.Sprintf("client: %d %s", p.Status, p.Code)
	}
	return fmt.Sprintf("client: %d %s (request %s)", p.Status, p.Code, p.RequestID)
}

// Unwrap is the code.
func (p *Problem) Unwrap() error { return p.Code }

// problemOf reads a refusal. One that isn't the gateway's keeps its status and Retry-After alone.
func problemOf(status int, header http.Header, body []byte) *Problem {
	p := &Problem{Status: status, Title: http.StatusText(status), RequestID: header.Get("X-Request-Id")}
	var w wire.Problem
	if json.Unmarshal(body, &w) == nil && w.Code != "" {
		p.Code, p.Title, p.Detail, p.RequestID = Code(w.Code), w.Title, w.Detail, w.RequestID
		if w.Errors != nil {
			for _, f := range *w.Errors {
				p.Faults = append(p.Faults, Fault{f.Pointer, string(f.Code)})
			}
		}
		if w.AttemptsLeft != nil {
			p.AttemptsLeft = int(*w.AttemptsLeft)
		}
		if w.RetryAfter != nil {
			p.RetryAfter = time.Duration(*w.RetryAfter) * time.Second
		}
		if w.Links != nil && w.Links.Refund != nil {
			p.Links.Refund = *w.Links.Refund
		}
	}
	if p.RetryAfter == 0 {
		p.RetryAfter = retryAfter(header.Get("Retry-After"))
	}
	return p
}

// retryAfter reads the header (RFC 9110, 10.2.3): seconds, or a date.
func retryAfter(value string) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}
