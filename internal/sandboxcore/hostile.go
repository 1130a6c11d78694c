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

	// A late effect comes when the client has given up and has perhaps been told,
	// truthfully, that the reference is unknown; at most as late as rule 3 allows.
	lateEffectAtLeast = 15 * time.Second
	lateEffectMax     = staleFor - time.Second

	reverseAtLeast = 2 * time.Second
	reverseMax     = 10 * time.Second

	tricklePause  = time.Second
	trickleBlanks = 600 // bytes before the first that means something: ten minutes

	maintenanceFor = 30 * time.Second
	clockOff       = 10 * time.Minute
)

// How much is too much.
const (
	hugeAnswer  = 32 << 20
	bombMember  = 16 << 20
	bombMembers = 70
)

// needy are the kinds that not every call can show: a visit or a delivery knows
// whether this one can.
var needy = []string{
	sandboxfault.LateEffect, sandboxfault.ReferenceReused, sandboxfault.Forgets, sandboxfault.StaleStatus,
	sandboxfault.Contradiction, sandboxfault.UnknownState, sandboxfault.EarlyCallback, sandboxfault.RejectedLater,
	sandboxfault.Reversed, sandboxfault.ConsumedMeanwhile, sandboxfault.AmountChanged,
}

// harmless are the kinds after which whoever asked knows what was said.
var harmless = []string{
	sandboxfault.Well, sandboxfault.Late, sandboxfault.SlowBody, sandboxfault.ShuffledFields, sandboxfault.UnknownFields,
	sandboxfault.EarlyCallback, sandboxfault.RejectedLater, sandboxfault.Reversed,
}

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

func (m mischief) harmless() bool {
	return !slices.ContainsFunc(m.kinds, func(kind string) bool { return !slices.Contains(harmless, kind) })
}

func (m mischief) String() string { return strings.Join(m.kinds, ",") }

// mischief chooses the faults of a call: what the board says, and otherwise, if
// the core is not polite, what the weather brings.
func (c *Core) mischief(call, user string, possible func(kind string) bool) mischief {
	m := mischief{dice: c.dice.fork()}
	if kind := c.cfg.Faults.PickPossible(call, user, possible); kind != "" {
		m.kinds = []string{kind}
		return m
	}
	if c.cfg.Polite {
		return m
	}
	if call == sandboxfault.CallCallback {
		m.draw(call, callbackWeather, 1, possible)
	} else {
		m.draw(call, outcomes, 1, possible)
		if m.among(instead) == nil && m.among(afterwards) == nil {
			m.draw(call, garnishes, len(garnishes), possible)
		}
	}
	for _, kind := range m.kinds {
		c.cfg.Faults.Record(kind)
	}
	return m
}

func (m *mischief) draw(call string, from []weather, atMost int, possible func(kind string) bool) {
	for _, w := range from {
		if w.calls != nil && !slices.Contains(w.calls, call) {
			continue
		}
		if m.dice.float() < w.rate && possible(w.kind) {
			if m.kinds = append(m.kinds, w.kind); atMost == 1 {
				return
			}
		}
	}
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

// crockford returns n characters of Crockford's base32.
func (d *dice) crockford(n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[d.below(32)]
	}
	return string(text)
}

// reference is one of nobody's.
func (d *dice) reference() string { return "RF" + d.crockford(16) }

// otherAmount is another one than that, above 0.
func (d *dice) otherAmount(amount int64) int64 {
	if amount < 2 || d.below(2) == 0 {
		return amount + 100
	}
	return amount - amount/2
}
