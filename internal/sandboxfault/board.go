// Package sandboxfault is the board on which a test switches faults of the
// stand-ins on and off.
//
// There is one Board for the whole sandbox: the control listener sets it, and
// each stand-in asks it, call by call, whether to misbehave now. The board
// decides and counts; doing it (hanging, answering 503, dripping a body) is the
// stand-in's work. What a stand-in does of its own accord, because the sandbox
// is not polite, it tells the board with Record, so that Kinds counts
// everything that ever went wrong on purpose.
//
// A fault names a kind, says how often (a rate, a count, or every time until it
// is cleared), and which calls it is for: those of one sandbox user, of one kind
// of call, or all. The first fault on the list that matches and fires is the one
// that happens. Rates are drawn from a seeded generator, so that a run with one
// caller at a time is repeated by its seed.
//
// Faults that have a count are steps of a script: those that match the same call
// are taken in the order of the list, each as often as it says, and Well is the
// step in which nothing happens. A step that can't happen to a call (there is
// nothing yet that a stale answer could tell) waits for one to which it can, and
// holds up nobody meanwhile.
//
// Stop and Flapping are different: they are not about a call but about a
// listener, which has to be closed before anybody connects. Stopped tells
// whether, OnChange tells when.
package sandboxfault

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrFault is what Set returns, wrapped, for a fault that can't be.
var ErrFault = errors.New("sandboxfault: no such fault")

// Match narrows a Fault down. Empty fields match everything.
type Match struct {
	User string `json:"user,omitempty"` // the sandbox person whose money or phone it is
	Call string `json:"call,omitempty"` // one of the Call… constants
}

// Fault is a fault that is switched on: at Rate (0 < rate ≤ 1) of the matching
// calls, the next Count of them, or with neither every time until cleared. With
// both it fires at Rate, Count times at most.
type Fault struct {
	Kind  string  `json:"kind"`
	Rate  float64 `json:"rate,omitempty"`
	Count int     `json:"count,omitempty"`
	Match Match   `json:"match"`
}

// Kind is what can be switched on, and how often it happened.
type Kind struct {
	Kind   string `json:"kind"`
	Effect string `json:"effect"` // one sentence
	Row    string `json:"row"`    // of the fault matrix, e.g. "F04"; "" where that has none
	Fired  int64  `json:"fired"`
}

// Board holds the faults that are switched on. It is safe for concurrent use.
type Board struct {
	seed     uint64
	restarts int

	mu     sync.Mutex
	random *rand.Rand
	active []*entry
	fired  map[string]int64
	tally  *tally
	flaps  flaps

	windows []Window

	notifying sync.Mutex // one round of watchers at a time, so that the last one sees the last state
	watchers  []func()   // guarded by mu
}

// An entry is a fault with what is left of its count (0: it had none).
type entry struct {
	Fault
	left int
}

// flapFor is how long a flapping listener is shut, and then open.
const flapFor = time.Second

// flaps is the clock of what is flapping.
type flaps struct {
	shut  bool
	clock *time.Timer // nil: nothing is flapping
	round int         // counts clocks, so that a tick of one that was stopped is known
}

// NewBoard returns an empty board.
func NewBoard(seed uint64) *Board {
	b := &Board{seed: seed}
	b.rewind()
	return b
}

// Open returns an empty board that keeps its counts in a folder, also across a
// kill. It does not draw again what it drew in earlier runs. The caller must
// Close it.
func Open(seed uint64, dir string) (*Board, error) {
	kept, sum, err := openTally(dir)
	if err != nil {
		return nil, fmt.Errorf("sandboxfault: %w", err)
	}
	b := &Board{seed: seed, restarts: sum.Restarts}
	b.rewind()
	b.fired, b.tally = sum.Fired, kept
	return b, nil
}

// Restarts is how often a board was opened in this folder before: with the seed,
// it says which of the runs of random numbers this is.
func (b *Board) Restarts() int { return b.restarts }

// rewind starts the generator, the counts and the windows anew.
func (b *Board) rewind() {
	b.random = rand.New(rand.NewPCG(b.seed, 0xfa017+uint64(b.restarts)))
	b.fired = make(map[string]int64)
	b.windows = nil
	_ = b.tally.clear(b.restarts) // what can't be written is what a kill forgets
}

// count notes that a kind fired.
func (b *Board) count(kind string) {
	b.fired[kind]++
	_ = b.tally.add(addition{Fired: map[string]int64{kind: 1}}) // as above
}

// Set replaces the whole list. A list with a fault that can't be (unknown kind
// or call, a kind that the call doesn't know, a bad rate or count) is refused
// whole with ErrFault.
func (b *Board) Set(faults []Fault) error {
	entries, err := entriesOf(faults)
	if err != nil {
		return err
	}
	b.change(func([]*entry) []*entry { return entries }, false)
	return nil
}

// Add puts faults below those that are on. It refuses what Set does.
func (b *Board) Add(faults []Fault) error {
	entries, err := entriesOf(faults)
	if err != nil {
		return err
	}
	b.change(func(active []*entry) []*entry { return append(active, entries...) }, false)
	return nil
}

func entriesOf(faults []Fault) ([]*entry, error) {
	entries := make([]*entry, 0, len(faults))
	for i, f := range faults {
		if err := check(f); err != nil {
			return nil, fmt.Errorf("fault %d: %w", i, err)
		}
		entries = append(entries, &entry{Fault: f, left: f.Count})
	}
	return entries, nil
}

// Clear switches everything off. The counts of what fired stay.
func (b *Board) Clear() { b.change(nothing, false) }

// Reset puts the board back to what NewBoard returned; watchers stay.
func (b *Board) Reset() { b.change(nothing, true) }

func nothing([]*entry) []*entry { return nil }

func (b *Board) change(to func(active []*entry) []*entry, rewind bool) {
	b.mu.Lock()
	before := b.stops()
	b.active = to(b.active)
	if rewind {
		b.rewind()
	}
	b.windFlaps()
	after := b.stops()
	for _, s := range after {
		if !slices.Contains(before, s) {
			b.count(s.kind)
		}
	}
	b.mu.Unlock()
	if !slices.Equal(before, after) {
		b.notify()
	}
}

// notify tells everybody who watches that what is stopped has changed.
func (b *Board) notify() {
	b.notifying.Lock()
	defer b.notifying.Unlock()
	b.mu.Lock()
	watchers := slices.Clone(b.watchers)
	b.mu.Unlock()
	for _, tell := range watchers {
		tell()
	}
}

// windFlaps starts or stops the clock. What begins to flap is shut first.
func (b *Board) windFlaps() {
	flapping := slices.ContainsFunc(b.active, func(e *entry) bool { return e.Kind == Flapping })
	switch {
	case flapping && b.flaps.clock == nil:
		round := b.flaps.round
		b.flaps.shut, b.flaps.clock = true, time.AfterFunc(flapFor, func() { b.flap(round) })
	case !flapping:
		b.stopFlaps()
	}
}

func (b *Board) stopFlaps() {
	if b.flaps.clock != nil {
		b.flaps.clock.Stop()
	}
	b.flaps = flaps{round: b.flaps.round + 1}
}

// flap opens what is shut and shuts what is open, unless that clock was stopped.
func (b *Board) flap(round int) {
	b.mu.Lock()
	if b.flaps.round != round {
		b.mu.Unlock()
		return
	}
	b.flaps.shut = !b.flaps.shut
	if b.flaps.shut {
		for _, e := range b.active {
			if e.Kind == Flapping {
				b.count(Flapping)
			}
		}
	}
	b.flaps.clock.Reset(flapFor)
	b.mu.Unlock()
	b.notify()
}

// Close ends the clock of what is flapping, and lets go of the folder.
func (b *Board) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopFlaps()
	kept := b.tally
	b.tally = nil
	return kept.close()
}

// A stopped is which listeners are shut, and why.
type stopped struct {
	kind string
	Match
}

// aboutListeners reports whether a kind is one of a listener, not of a call.
func aboutListeners(kind string) bool { return kind == Stop || kind == Flapping }

func (b *Board) stops() []stopped {
	var ss []stopped
	for _, e := range b.active {
		if e.Kind == Stop || e.Kind == Flapping && b.flaps.shut {
			ss = append(ss, stopped{e.Kind, e.Match})
		}
	}
	return ss
}

func check(f Fault) error {
	d, ok := find(f.Kind)
	switch {
	case !ok:
		return fmt.Errorf("%w: kind %q; there are %s", ErrFault, f.Kind, strings.Join(kinds(), ", "))
	case !(f.Rate >= 0 && f.Rate <= 1): // also NaN
		return fmt.Errorf("%w: rate %v is not between 0 and 1", ErrFault, f.Rate)
	case f.Count < 0:
		return fmt.Errorf("%w: count %d is negative", ErrFault, f.Count)
	case aboutListeners(f.Kind) && (f.Rate != 0 || f.Count != 0 || f.Match.User != ""):
		return fmt.Errorf("%w: %s closes a listener: it takes no rate, count or user", ErrFault, f.Kind)
	case f.Match.Call == "":
		return nil
	case standIns[f.Match.Call] == 0:
		return fmt.Errorf("%w: call %q; there are %s", ErrFault, f.Match.Call, strings.Join(slices.Sorted(maps.Keys(standIns)), ", "))
	case !d.happensTo(f.Match.Call):
		return fmt.Errorf("%w: %s does not happen to call %q; it does to %s", ErrFault, f.Kind, f.Match.Call, strings.Join(d.calls, ", "))
	}
	return nil
}

// CheckRate refuses, with ErrFault, a kind that can't happen of its own accord, and
// a rate that is none.
func CheckRate(kind string, rate float64) error {
	if aboutListeners(kind) || kind == Well {
		return fmt.Errorf("%w: %s does not happen at a rate", ErrFault, kind)
	}
	return check(Fault{Kind: kind, Rate: rate})
}

// Calls are those that a kind may happen to.
func Calls(kind string) []string {
	d, _ := find(kind)
	return slices.Clone(d.calls)
}

func (d definition) happensTo(call string) bool {
	return slices.Contains(d.calls, call)
}

// Active returns the faults that are on, each with what is left of its count.
func (b *Board) Active() []Fault {
	b.mu.Lock()
	defer b.mu.Unlock()
	faults := make([]Fault, 0, len(b.active))
	for _, e := range b.active {
		f := e.Fault
		f.Count = e.left
		faults = append(faults, f)
	}
	return faults
}

// Kinds returns every kind there is, in a fixed order.
func (b *Board) Kinds() []Kind {
	b.mu.Lock()
	defer b.mu.Unlock()
	kinds := make([]Kind, 0, len(definitions))
	for _, d := range definitions {
		kinds = append(kinds, Kind{Kind: d.kind, Effect: d.effect, Row: d.row, Fired: b.fired[d.kind]})
	}
	return kinds
}

// Pick returns the kind of fault to apply to a call for user now, "" for none,
// and counts it as fired. It never returns a kind that is about a listener. user
// is "" where a call is about nobody; faults that name a user pass such a call by.
func (b *Board) Pick(call, user string) string {
	return b.PickPossible(call, user, func(string) bool { return true })
}

// PickPossible is Pick among the kinds that are possible now. possible must not
// use the board.
func (b *Board) PickPossible(call, user string, possible func(kind string) bool) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, e := range b.active {
		if !e.matches(call, user) || !possible(e.Kind) {
			continue
		}
		if e.Rate > 0 && b.random.Float64() >= e.Rate {
			continue
		}
		if e.Count > 0 {
			if e.left--; e.left == 0 {
				b.active = slices.Delete(b.active, i, i+1)
			}
		}
		b.count(e.Kind)
		return e.Kind
	}
	return ""
}

func (e *entry) matches(call, user string) bool {
	if aboutListeners(e.Kind) || e.Match.Call != "" && e.Match.Call != call || e.Match.User != "" && e.Match.User != user {
		return false
	}
	d, _ := find(e.Kind)
	return d.happensTo(call)
}

// Record counts a fault that a stand-in applied of its own accord.
func (b *Board) Record(kind string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count(kind)
}

// Stopped reports whether the listener that answers call is to be closed. A stop
// without a call closes every listener, one with a call the listener of that
// call, which is also that of the stand-in's other calls. A stop of
// CallCallback closes no listener but keeps the core from calling back.
func (b *Board) Stopped(call string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.stops() {
		switch {
		case m.Call == "", m.Call == call:
			return true
		case m.Call != CallCallback && standIns[m.Call] == standIns[call]:
			return true
		}
	}
	return false
}

// OnChange has tell called after each change of what is stopped, before the Set,
// Clear or Reset that changed it returns: by then a listener can be closed. tell
// asks Stopped itself, and must not change the board.
func (b *Board) OnChange(tell func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchers = append(b.watchers, tell)
}
