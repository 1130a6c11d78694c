// Package storetest is the contract that every store of refunds keeps, whatever database is below it. A store's own
// test calls [Run] with a function that opens an empty one; what only one database can do (its schema, its files, its
// crashes) that store tests by itself.
//
// The contract goes through the ports alone and lets 64 callers at once do whatever must have one winner. A file is a
// topic: accept.go, limits.go and edge.go what a confirm records, withdraw.go what it may not record any more, ended.go the
// sessions that are over, changes.go the moves and their compare-and-swap, claim.go the queue, events.go the record of
// what happened, lists.go what a customer may see, ledger.go wrong codes, lookups.go who looked at whom, approvals.go
// what a second person decides, sightings.go what is seen over many of them, evidence.go what a dispute is settled by,
// rotation.go another key, unreadable.go what can't be read any more, counts.go the rest. walk.go finds every move that
// package gateway can make, so none is forgotten when one is added.
package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// Store is what a store is to its users, all of them together.
type Store interface {
	bank.Book
	bank.Lookups
	bank.Approvals
	bank.Sightings
	bank.Steps
	bank.Endings
	dispatch.Queue
	otp.Ledger
	otp.Records

	// SMS are the messages about any of these challenges and references, the oldest first.
	SMS(ctx context.Context, about []string, most int) ([]otp.Sent, error)
	// Witnesses are the exchanges that the refund's moves rest on, the oldest first.
	Witnesses(ctx context.Context, id string) ([]gateway.Witness, error)
	// RecordTaking puts on record that somebody took the evidence of a refund; Takings are those, the oldest first.
	RecordTaking(ctx context.Context, k gateway.Taking) error
	Takings(ctx context.Context, id string) ([]gateway.Taking, error)
	// LookedUp is the look-up of this id, but for the number that was looked for; gateway.ErrNotFound.
	LookedUp(ctx context.Context, id string) (bank.Lookup, error)
	// List is everybody's refunds of one state, or of all with none, the newest first; those that can't be read, too.
	List(ctx context.Context, state gateway.State, p bank.Page) (refunds []gateway.Listed, next string, err error)
	// Unreadable is how many of its rows it came upon lately and couldn't read.
	Unreadable() int
	// Lookups are the most recent looks at whoever has the number, the latest first.
	Lookups(ctx context.Context, number saudi.Party, most int) ([]bank.Lookup, error)
	// Seen records that a callback of the core was received; first is false when it had been before.
	Seen(ctx context.Context, eventID string, at time.Time) (first bool, err error)
	// Counts is how many refunds stand in each state, and when the oldest one that isn't final was accepted.
	Counts(ctx context.Context) (counts map[gateway.State]int, oldestUnfinished time.Time, err error)
	// Late says how many refunds are late by these deadlines, and which is the oldest of them.
	Late(ctx context.Context, d gateway.Deadlines) (gateway.Late, error)
	// Misspent visits every day of a customer whose limit isn't what their live refunds come to.
	Misspent(ctx context.Context, visit func(gateway.Misspent) error) error
	// Check reports whether the store can do its work.
	Check(ctx context.Context) error
}

// Opened is a store, and a way to it behind its back.
type Opened interface {
	Store
	// Damage alters what is sealed in a column of a row.
	Damage(t *testing.T, table, column, id string)
}

// crowd is how many callers at once fight for what must have one winner.
const crowd = 64

// Run runs the contract. open opens an empty store and closes it when the test ends.
func Run(t *testing.T, open func(t *testing.T) Opened) {
	for _, topic := range []struct {
		name  string
		tests map[string]func(*testing.T, Store)
	}{
		{"accept", acceptTests},
		{"withdraw", withdrawTests},
		{"ended", endedTests},
		{"limits", limitTests},
		{"changes", changeTests},
		{"claim", claimTests},
		{"events", eventTests},
		{"lists", listTests},
		{"ledger", ledgerTests},
		{"counts", countTests},
		{"lookups", lookupTests},
		{"approvals", approvalTests},
		{"sightings", sightingTests},
		{"evidence", evidenceTests},
	} {
		t.Run(topic.name, func(t *testing.T) {
			for name, test := range topic.tests {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					s := open(t)
					test(t, s)
					wantNoMisspent(t, s) // whatever was done
				})
			}
		})
	}
	t.Run("unreadable", func(t *testing.T) {
		for name, test := range unreadableTests {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, open(t))
			})
		}
	})
}

// together runs do that many times at once.
func together(n int, do func(i int)) {
	var (
		wg    sync.WaitGroup
		start = make(chan struct{})
	)
	for i := range n {
		wg.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	wg.Wait()
}

// tally counts outcomes that come from many goroutines.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (y *tally) add(outcome string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.counts == nil {
		y.counts = make(map[string]int)
	}
	y.counts[outcome]++
}

func (y *tally) want(t *testing.T, want map[string]int) {
	t.Helper()
	if diff := cmp.Diff(want, y.counts); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// outcome names an error of a store by what it promises; others by their text, which no test wants.
func outcome(err error) string {
	for name, known := range map[string]error{
		"exists": gateway.ErrRefundExists, "limit": gateway.ErrLimitExceeded, "challenge": gateway.ErrChallengeUsed,
		"stale": gateway.ErrStale, "not found": gateway.ErrNotFound, "cursor": bank.ErrCursor,
	} {
		if errors.Is(err, known) {
			return name
		}
	}
	if err == nil {
		return "ok"
	}
	return err.Error()
}

func wantOutcome(t *testing.T, what string, err error, want string) {
	t.Helper()
	if got := outcome(err); got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

// same compares refunds or events field by field; times by the instant they mean.
func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	diff := cmp.Diff(want, got,
		cmp.Comparer(func(a, b saudi.Party) bool { return a == b }),
		cmp.Comparer(func(a, b saudi.IBAN) bool { return a == b }))
	if diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
