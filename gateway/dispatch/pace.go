package dispatch

import (
	"sync"
	"time"
)

// pace holds the two brakes on what one gateway sends: the ramp after an outage, and the allowance of re-sends.
type pace struct {
	mu   sync.Mutex
	most int // how many first sends may be under way when all is well

	ramp int // how many may be now

	minute  time.Time // start of the minute that first and resends count
	first   int
	resends int
}

// resendsFree is how many re-sends a minute are allowed whatever else is sent; above it, a tenth of the first sends.
const resendsFree = 60

func newPace(most int) *pace { return &pace{most: most, ramp: most} }

// cut makes the next drain begin with a single refund under way.
func (p *pace) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ramp = 1
}

// sends is how many queued refunds a claim may take, given what the breaker admits and how many are under way. The
// ramp bounds those under way, not those of a claim: claims follow each other as fast as the store answers.
func (p *pace) sends(admits, under int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if admits == 0 {
		p.ramp = 1
	}
	return min(p.ramp-under, admits)
}

// went counts a first send that may have reached the core.
func (p *pace) went(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn(now)
	p.first++
}

// answered makes room for one more: when all that are under way are answered, twice as many follow. A send that
// nobody answered is no reason to send more.
func (p *pace) answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ramp = min(p.ramp+1, p.most)
}

// resend takes one re-send from this minute's allowance, if one is left.
func (p *pace) resend(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn(now)
	if p.resends >= max(resendsFree, p.first/10) {
		return false
	}
	p.resends++
	return true
}

func (p *pace) turn(now time.Time) {
	if m := now.Truncate(time.Minute); !m.Equal(p.minute) {
		p.minute, p.first, p.resends = m, 0, 0
	}
}
