package sandboxcore

import (
	"log/slog"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxfault"
)

// atOnceRate is how often an accepted refund is refunded in the first answer
// already, which the protocol allows. It is no fault: polite cores do it too.
const atOnceRate = 0.1

// plan draws what will become of a submission.
func (c *Core) plan(m mischief) plan {
	p := plan{
		atOnce: c.dice.float() < c.atOnce,
		after:  c.dice.between(c.cfg.SettleMin, c.cfg.SettleMax),
		ending: stateRefunded,
	}
	if m.is(sandboxfault.RejectedLater) {
		p.atOnce, p.ending = false, stateRejected
	}
	if p.atOnce {
		p.eventID = c.eventID()
	}
	return p
}

// settle gives every pending refund its end when its time has come.
func (c *Core) settle() {
	for {
		references := c.settling.due(c.ctx)
		if references == nil {
			return
		}
		events := c.book.settle(references, c.eventID)
		if err := c.book.durable(); err != nil {
			c.log.Error("the core's book can't be written", slog.Any("error", err))
			return // nothing will be answered any more either
		}
		for _, e := range events {
			c.owe(e)
		}
	}
}

// resume takes up what an earlier run left: refunds still pending, callbacks not
// delivered. Refunds of the portal that the seed has pending stay so.
func (c *Core) resume() {
	c.book.mu.Lock()
	defer c.book.mu.Unlock()
	for reference, f := range c.book.refunds {
		if f.state == statePending && f.channel == channelBank {
			c.settling.add(f.settleAt, reference)
		}
	}
	if c.cfg.CallbackURL == "" {
		return
	}
	for _, e := range c.book.events {
		c.calling.add(time.Now(), delivery{event: e})
	}
}
