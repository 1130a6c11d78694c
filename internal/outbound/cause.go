package outbound

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The causes for which an exchange decides nothing, whatever was asked: words for logs, metrics and evidence.
const (
	CauseCallerLeft  = "caller_left"  // the caller cancelled after the request was handed to a connection
	CauseTimeout     = "timeout"      // the deadline passed after it
	CauseBroken      = "broken"       // the connection, or what came over it, broke after it
	CauseOversize    = "oversize"     // the answer went on beyond its limit
	CauseRedirect    = "redirect"     // 3xx, not followed
	CauseDenied      = "denied"       // 401, 403, 407: our key or certificate isn't accepted
	CauseRateLimited = "rate_limited" // 429
	CauseUnavailable = "unavailable"  // 503
	CauseServerError = "server_error" // any other 5xx

	// CauseSandbox is never one of [Exchange.Cause]; it is for whoever refuses what FromSandbox reports.
	CauseSandbox = "sandbox" // a stand-in answered where none may
)

// Cause is why the exchange decides nothing, or empty when an answer was read whole that isn't an excuse. It has no word
// for what was never handed to a connection: that is no doubt.
func (x Exchange) Cause() string {
	switch {
	case x.Err == nil:
		return excuse(x.Status)
	case errors.Is(x.Err, ErrCallerLeft):
		return CauseCallerLeft
	case errors.Is(x.Err, context.DeadlineExceeded):
		return CauseTimeout
	case errors.Is(x.Err, ErrOversize):
		return CauseOversize
	default:
		return CauseBroken
	}
}

// excuse names the statuses that say that the other side, or something before it, wouldn't or couldn't do its work. A 500
// may come before or after the effect.
func excuse(status int) string {
	switch {
	case status >= 300 && status <= 399:
		return CauseRedirect
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusProxyAuthRequired:
		return CauseDenied
	case status == http.StatusTooManyRequests:
		return CauseRateLimited
	case status == http.StatusServiceUnavailable:
		return CauseUnavailable
	case status >= 500:
		return CauseServerError
	default:
		return ""
	}
}

// After is how long the other side asked us to wait; zero when it didn't, or had no excuse to (429, RFC 6585 §4; 503,
// RFC 9110 §15.6.4).
func (x Exchange) After() time.Duration {
	switch x.Cause() {
	case CauseRateLimited, CauseUnavailable:
		return RetryAfter(x.Header, x.At)
	default:
		return 0
	}
}

// Retry-After is followed within these: less than a second is a hammer, and more than a quarter of an hour is as good
// as for ever (so is a date whose year has five digits).
const (
	afterLeast = time.Second
	afterMost  = 15 * time.Minute
)

// RetryAfter reads how long the other side asks to wait (RFC 9110 §10.2.3: seconds or a date), held between a second and
// a quarter of an hour; zero when it doesn't say it, or not in a form that can be read. It needn't be believed: all that
// it can do is to make us wait.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	values := h.Values("Retry-After")
	if len(values) != 1 || values[0] == "" {
		return 0
	}
	text := values[0]
	if strings.Trim(text, "0123456789") == "" {
		seconds, err := strconv.ParseUint(text, 10, 32)
		if err != nil || seconds > uint64(afterMost/time.Second) {
			return afterMost
		}
		return max(afterLeast, time.Duration(seconds)*time.Second)
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(afterLeast, at.Sub(now)), afterMost)
}

// FromSandbox reports whether a stand-in sent the header: "Refund-Core: sandbox", which all of them say.
func FromSandbox(h http.Header) bool {
	return slices.ContainsFunc(h.Values("Refund-Core"), func(field string) bool {
		return slices.ContainsFunc(strings.Split(field, ","), func(who string) bool {
			return strings.EqualFold(strings.TrimSpace(who), "sandbox")
		})
	})
}
