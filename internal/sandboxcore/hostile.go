package sandboxcore

import (
	"maps"
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
	dayLate         = 24 * time.Hour

	// A late effect comes when the client has given up and has perhaps been told,
	// truthfully, that the reference is unknown; at most as late as rule 3 allows.
	lateEffectAtLeast = 15 * time.Second
	lateEffectMax     = staleFor - time.Second

	reverseAtLeast = 2 * time.Second
	reverseMax     = 10 * time.Second

	tricklePause  = time.Second
	trickleBlanks = 600 // bytes before the first that means something: ten minutes

	clockOff = 10 * time.Minute
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

// A weather is how often a fault happens by itself, and to which calls.
type weather struct {
	kind  string
	rate  float64
	calls []string
}

// A climate is the weather of a core that is not polite.
type climate struct {
	outcomes  []weather // exclude each other: at most one happens to a call
	garnishes []weather // come on top of what is answered
	callbacks []weather // of callbacks; exclude each other
}

// usual are the rates of reliability.md, section 6.2, and where that has no
// number, ours.
var usual = climate{
	outcomes: []weather{
		{sandboxfault.EffectThenHang, 0.05, []string{sandboxfault.CallSubmit, sandboxfault.CallReturn}},
		{sandboxfault.Unavailable, 0.05, answered},
		{sandboxfault.ResetMidAnswer, 0.03, answered},
		{sandboxfault.Malformed, 0.02, answered},
		{sandboxfault.BadSignature, 0.01, answered},
		{sandboxfault.StaleStatus, 0.05, []string{sandboxfault.CallStatus}},
		{sandboxfault.UnknownState, 0.01, sandboxfault.Calls(sandboxfault.UnknownState)},
		{sandboxfault.SlowBody, 0.02, answered},
	},
	garnishes: []weather{
		{sandboxfault.Late, 0.50, answered},
		{sandboxfault.ShuffledFields, 0.50, answered},
		{sandboxfault.UnknownFields, 0.25, answered},
	},
	callbacks: []weather{
		{sandboxfault.DuplicateCallback, 0.10, []string{sandboxfault.CallCallback}},
		{sandboxfault.LateCallback, 0.10, []string{sandboxfault.CallCallback}},
	},
}

// answered are the calls that the core answers.
var answered = sandboxfault.Calls(sandboxfault.Late)

// climateOf is the usual climate with other rates for some kinds. Whatever was
// asked for comes before what is usual.
func climateOf(rates map[string]float64) climate {
	var c climate
	for _, part := range []struct{ from, to *[]weather }{
		{&usual.outcomes, &c.outcomes}, {&usual.garnishes, &c.garnishes}, {&usual.callbacks, &c.callbacks},
	} {
		for _, w := range *part.from {
			if _, other := rates[w.kind]; !other {
				*part.to = append(*part.to, w)
			}
		}
	}
	for _, kind := range slices.Backward(slices.Sorted(maps.Keys(rates))) {
		c.add(kind, rates[kind])
	}
	return c
}

// add puts a kind before the others of its sort.
func (c *climate) add(kind string, rate float64) {
	is := func(w weather) bool { return w.kind == kind }
	calls := sandboxfault.Calls(kind)
	if at := slices.IndexFunc(usual.outcomes, is); at >= 0 {
		calls = usual.outcomes[at].calls
	}
	sort := &c.outcomes
	switch {
	case slices.Equal(calls, []string{sandboxfault.CallCallback}):
		sort = &c.callbacks
	case slices.ContainsFunc(usual.garnishes, is):
		sort = &c.garnishes
	}
	*sort = slices.Insert(*sort, 0, weather{kind, rate, calls})
}

// rate is how often a kind happens of its own accord to the calls that it may
// happen to.
func (c climate) rate(kind string) float64 {
	for _, w := range slices.Concat(c.outcomes, c.garnishes, c.callbacks) {
		if w.kind == kind {
			return w.rate
		}
	}
	return 0
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
		m.drawOne(call, c.climate.callbacks, possible)
	} else {
		m.drawOne(call, c.climate.outcomes, possible)
		if m.among(instead) == nil && m.among(afterwards) == nil {
			m.drawEach(call, c.climate.garnishes)
		}
	}
	for _, kind := range m.kinds {
		c.cfg.Faults.Record(kind)
	}
	return m
}

// drawOne has at most one of them happen, each at its rate while they are not more
// than all calls together. One that is not possible makes room for nothing.
func (m *mischief) drawOne(call string, from []weather, possible func(kind string) bool) {
	at := m.dice.float()
	for _, w := range from {
		if !slices.Contains(w.calls, call) {
			continue
		}
		if at -= w.rate; at >= 0 {
			continue
		}
		if possible(w.kind) {
			m.kinds = append(m.kinds, w.kind)
		}
		return
	}
}

// drawEach has each of them happen at its rate.
func (m *mischief) drawEach(call string, from []weather) {
	for _, w := range from {
		if slices.Contains(w.calls, call) && m.dice.float() < w.rate {
			m.kinds = append(m.kinds, w.kind)
		}
	}
}

// dice are a seeded generator that many may share.
type dice struct {
	mu     sync.Mutex
	random *rand.Rand
}

// newDice are those of a seed; each restart has others.
func newDice(seed uint64, restarts int) *dice {
	return &dice{random: rand.New(rand.NewPCG(seed, 0xc04e+uint64(restarts)))}
}

func (d *dice) fork() *dice {
	d.mu.Lock()
	defer d.mu.Unlock()
	return newDice(d.random.Uint64(), 0)
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

// latency is how long an answer takes that is late: mostly not much.
func (d *dice) latency() time.Duration {
	share := d.float()
	return lateAtLeast + time.Duration(share*share*share*float64(lateMax-lateAtLeast))
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
