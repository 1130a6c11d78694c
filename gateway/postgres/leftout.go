package postgres

import (
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// leftFor is how long a refund that a claim had to leave out is passed by.
	leftFor = 5 * time.Minute
	// leftMost is how many are remembered: each claim names them to the server.
	leftMost = 1000
)

// leftOut remembers the refunds that claims had to leave out. They stay due and the oldest, so without it each claim
// would begin with them, and never get to the others once they are more than one claim can leave out.
type leftOut struct {
	mu    sync.Mutex
	until map[string]time.Time
}

// ids are those that a claim passes by.
func (l *leftOut) ids(now time.Time) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.until, func(_ string, until time.Time) bool { return !now.Before(until) })
	return slices.Collect(maps.Keys(l.until))
}

// add reports whether the refund is remembered from now on, and wasn't before.
func (l *leftOut) add(id string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, there := l.until[id]; there || len(l.until) >= leftMost {
		return false
	}
	if l.until == nil {
		l.until = make(map[string]time.Time)
	}
	l.until[id] = now.Add(leftFor)
	return true
}
