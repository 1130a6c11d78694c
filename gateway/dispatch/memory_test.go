package dispatch_test

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
)

// memory is a store without a disk, for tests that live through hours. It compares and swaps as faithfully as the real
// one does; what only SQL checks, the tests that run on SQLite see.
type memory struct {
	mu      sync.Mutex
	refunds map[string]gateway.Refund
	events  map[string][]gateway.Event
}

func newMemory() *memory {
	return &memory{refunds: map[string]gateway.Refund{}, events: map[string][]gateway.Event{}}
}

func (m *memory) Accept(_ context.Context, a gateway.Acceptance) (gateway.Refund, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, known := m.refunds[a.ID]; known {
		return old, false, nil
	}
	r, event, err := a.Refund(0, 0)
	if err != nil {
		return gateway.Refund{}, false, err
	}
	m.refunds[r.ID], m.events[r.ID] = r, []gateway.Event{event}
	return r, true, nil
}

func (m *memory) Apply(_ context.Context, c gateway.Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.apply(c)
}

func (m *memory) apply(c gateway.Change) error {
	r := c.Refund()
	if m.refunds[r.ID].Version != c.From() {
		return gateway.ErrStale
	}
	m.refunds[r.ID] = r
	if event, moved := c.Event(); moved {
		m.events[r.ID] = append(m.events[r.ID], event)
	}
	return nil
}

func (m *memory) Claim(_ context.Context, now time.Time, c dispatch.Claim) ([]gateway.Refund, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var due []gateway.Refund
	for _, r := range m.refunds {
		if slices.Contains(c.States, r.State) && !r.Due.IsZero() && !r.Due.After(now) {
			due = append(due, r)
		}
	}
	slices.SortFunc(due, func(a, b gateway.Refund) int { return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.ID, b.ID)) })
	var claimed []gateway.Refund
	for _, r := range due[:min(c.Limit, len(due))] {
		change, err := c.Take(r)
		if err != nil {
			continue
		}
		if err := m.apply(change); err != nil {
			return nil, err
		}
		claimed = append(claimed, change.Refund())
	}
	return claimed, nil
}

func (m *memory) Reference(_ context.Context, reference string) (gateway.Refund, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.refunds {
		if r.Reference == reference {
			return r, nil
		}
	}
	return gateway.Refund{}, gateway.ErrNotFound
}

func (m *memory) Lookup(_ context.Context, id string) (gateway.Refund, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, known := m.refunds[id]
	if !known {
		return gateway.Refund{}, gateway.ErrNotFound
	}
	return r, nil
}

func (m *memory) Events(_ context.Context, id string) ([]gateway.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.events[id]), nil
}

func (m *memory) Each(_ context.Context, visit func(gateway.Refund) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.refunds {
		if err := visit(r); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) Close() error { return nil }
