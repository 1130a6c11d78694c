package sandboxfault

import (
	"fmt"
	"slices"
	"time"
)

// A Window is a time during which the core is being worked on: from it until the
// other, which is outside.
type Window struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// MaintenanceFor is how long the fault maintenance, which has no window, says that it will be.
const MaintenanceFor = 30 * time.Second

// windowsMax is how many windows there may be: every call looks at each of them,
// for each.
const windowsMax = 100

// SetWindows replaces the core's maintenance windows. A list that is too long, or
// has one without a beginning or an end after it, is refused whole with ErrFault.
// Clear leaves windows alone, Reset takes them away.
func (b *Board) SetWindows(windows []Window) error {
	if len(windows) > windowsMax {
		return fmt.Errorf("%w: there may be %d windows", ErrFault, windowsMax)
	}
	for i, w := range windows {
		switch {
		case w.From.IsZero():
			return fmt.Errorf("window %d: %w: it has no beginning", i, ErrFault)
		case !w.Until.After(w.From):
			return fmt.Errorf("window %d: %w: it doesn't end after it begins", i, ErrFault)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.windows = slices.Clone(windows)
	return nil
}

// Windows returns the maintenance windows, those that are over too.
func (b *Board) Windows() []Window {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.windows)
}

// Closed reports whether the core is in a maintenance window, and when it will
// be in none any more: windows may touch and overlap.
func (b *Board) Closed(now time.Time) (until time.Time, closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	until = now
	for range b.windows { // each may lead to the next
		for _, w := range b.windows {
			if !w.From.After(until) && w.Until.After(until) {
				until = w.Until
			}
		}
	}
	return until, until.After(now)
}

// PortalClosed reports whether somebody finds the core's portal closed for
// maintenance, and until when: by a window or by the fault. It is counted.
func (b *Board) PortalClosed(user string, now time.Time) (until time.Time, closed bool) {
	if until, closed = b.Closed(now); closed {
		b.Record(Maintenance)
		return until, true
	}
	kind := b.PickPossible(CallPortal, user, func(kind string) bool { return kind == Maintenance })
	return now.Add(MaintenanceFor), kind != ""
}
