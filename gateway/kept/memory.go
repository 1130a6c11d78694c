package kept

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Memory is of ids, each from when it is noted first, and for a while. It is safe for concurrent use.
type Memory struct {
	keep  time.Duration
	most  int
	mu    sync.Mutex
	until map[string]time.Time
}

// NewMemory returns one that keeps an id for so long, and so many at most.
func NewMemory(keep time.Duration, most int) *Memory {
	return &Memory{keep: keep, most: most, until: make(map[string]time.Time)}
}

// IDs are those that are remembered.
func (m *Memory) IDs(now time.Time) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(now)
	return slices.Collect(maps.Keys(m.until))
}

// Note reports whether the id is remembered from now on, and wasn't before.
func (m *Memory) Note(id string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(now)
	if _, there := m.until[id]; there || len(m.until) >= m.most {
		return false
	}
	m.until[id] = now.Add(m.keep)
	return true
}

func (m *Memory) forget(now time.Time) {
	maps.DeleteFunc(m.until, func(_ string, until time.Time) bool { return !now.Before(until) })
}
