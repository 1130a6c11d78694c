package sandboxcore

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxfault"
)

// How long faults that delay take.
const (
	lateAtLeast     = 100 * time.Millisecond
	lateMax         = 3 * time.Second
	slowBodyMax     = 3 * time.Second
	lateCallbackMax = 10 * time.Second
)

// A weather is how often a fault happens by itself, and to which calls (nil: to
// any that arrives).
type weather struct {
	kind  string
	rate  float64
	calls []string
}

// outcomes exclude each other: of one call at most one happens, the first that
// fires. Rates of reliability.md, section 6.2.
var outcomes = []weather{
	{sandboxfault.EffectThenHang, 0.05, []string{sandboxfault.CallSubmit, sandboxfault.CallReturn}},
	{sandboxfault.Unavailable, 0.05, nil},
	{sandboxfault.ResetMidAnswer, 0.03, nil},
	{sandboxfault.Malformed, 0.02, nil},
	{sandboxfault.BadSignature, 0.01, nil},
	{sandboxfault.StaleStatus, 0.05, []string{sandboxfault.CallStatus}},
	{sandboxfault.UnknownState, 0.01, []string{sandboxfault.CallSubmit, sandboxfault.CallStatus, sandboxfault.CallReturn}},
	{sandboxfault.SlowBody, 0.02, nil},
	{sandboxfault.Late, 0.10, nil},
}

// garnishes come on top of what is answered.
var garnishes = []weather{
	{sandboxfault.ShuffledFields, 0.50, nil},
	{sandboxfault.UnknownFields, 0.25, nil},
}

// callbackWeather is that of callbacks.
var callbackWeather = []weather{
	{sandboxfault.DuplicateCallback, 0.10, nil},
	{sandboxfault.LateCallback, 0.10, nil},
}

// A mischief is what goes wrong with one call. It brings dice of its own, so
// that what it draws does not depend on other calls.
type mischief struct {
	kinds []string
	dice  *dice
}

func (m mischief) is(kind string) bool { return slices.Contains(m.kinds, kind) }

func (m mischief) String() string { return strings.Join(m.kinds, ",") }

// mischief chooses the faults of a call: what the board says, and otherwise, if
// the core is not polite, what the weather brings.
func (c *Core) mischief(call, user string) mischief {
	m := mischief{dice: c.dice.fork()}
	if kind := c.cfg.Faults.Pick(call, user); kind != "" {
		m.kinds = []string{kind}
		return m
	}
	if c.cfg.Polite {
		return m
	}
	if call == sandboxfault.CallCallback {
		m.draw(call, callbackWeather, 1)
	} else {
		m.draw(call, outcomes, 1)
		if !m.unanswered() {
			m.draw(call, garnishes, len(garnishes))
		}
	}
	for _, kind := range m.kinds {
		c.cfg.Faults.Record(kind)
	}
	return m
}

func (m *mischief) draw(call string, from []weather, atMost int) {
	for _, w := range from {
		if w.calls != nil && !slices.Contains(w.calls, call) {
			continue
		}
		if m.dice.float() < w.rate {
			if m.kinds = append(m.kinds, w.kind); atMost == 1 {
				return
			}
		}
	}
}

// unanswered: nothing that the call came to is sent.
func (m mischief) unanswered() bool {
	return m.is(sandboxfault.HangBefore) || m.is(sandboxfault.EffectThenHang) || m.is(sandboxfault.Unavailable)
}

// dice are a seeded generator that many may share.
type dice struct {
	mu     sync.Mutex
	random *rand.Rand
}

func newDice(seed uint64) *dice {
	return &dice{random: rand.New(rand.NewPCG(seed, 0xc04e))}
}

func (d *dice) fork() *dice {
	d.mu.Lock()
	defer d.mu.Unlock()
	return newDice(d.random.Uint64())
}

func (d *dice) float() float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.random.Float64()
}

// below returns 0 ≤ n < limit.
func (d *dice) below(limit int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.random.IntN(limit)
}

// between returns low ≤ t ≤ high.
func (d *dice) between(low, high time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return low + time.Duration(d.random.Int64N(int64(high-low)+1))
}
