package dispatch

import (
	"math/rand/v2"
	"time"

	"github.com/istirdad/istirdad/gateway"
)

// The schedules of core-protocol.md rule 7 and reliability.md §8. All are arithmetic on what the row remembers, so any
// gateway that picks a refund up goes on where another stopped.
const (
	quietPeriod    = 60 * time.Second    // a 404 proves nothing while the send may still be under way (rule 3)
	unknownSpacing = 10 * time.Second    // between two "unknown reference" answers that both count
	unknownsNeeded = 2                   // before the same bytes may be sent again
	resendsMax     = 5                   // of one refund; then people
	resendAge      = 72 * 24 * time.Hour // 80 % of the 90 days for which the core remembers references (rule 1); then people
	doubtMax       = 24 * time.Hour      // then people
	contradictions = 3                   // "unknown reference" answers about a refund that the core had accepted; then people

	askFirst     = 2 * time.Second
	askMax       = 5 * time.Minute
	askLater     = 15 * time.Minute // after an hour of pending
	askLaterFrom = time.Hour

	noticeMax  = 24 * time.Hour // after that long the completion SMS is given up
	noticeCall = callMax        // for asking where it goes and sending it

	// callMax is the longest deadline of a call that is let finish when the process stops: that of a send.
	callMax = 10 * time.Second
)

// late reports whether people must look at a refund because of how long it has been in its state, by the bank's working
// days: when the bank hasn't settled a credit, or the core a return, in the three that customers are promised; and when
// the core itself is still working after seven (product.md).
func (a *attempt) late(r gateway.Refund, now time.Time) bool {
	late := gateway.DeadlinesAt(now, a.Calendar()).Lateness(r.UpdatedAt)
	switch r.State {
	case gateway.Refunded, gateway.Returning:
		return late != gateway.InTime
	case gateway.Pending:
		return late == gateway.Red
	default:
		return false
	}
}

// doubling is the wait after n tries: 2, 5, 10, 20, 40, 80, 160 and then 300 seconds.
func doubling(n int) time.Duration {
	if n <= 0 {
		return askFirst
	}
	if n > 7 {
		return askMax
	}
	return min(5*time.Second<<(n-1), askMax)
}

// askPending is when to ask next about a refund that the core has had for age, after n questions.
func askPending(n int, age time.Duration) time.Duration {
	if age >= askLaterFrom {
		return askLater
	}
	return doubling(n)
}

// spread moves d by up to half of it either way, so that a thousand refunds that failed together don't return together.
func spread(d time.Duration) time.Duration {
	return d/2 + rand.N(d) //nolint:gosec // spreading load needs no secrecy
}
