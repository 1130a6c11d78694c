package sandboxcore

import (
	"log/slog"

	"github.com/istirdad/istirdad/internal/sandboxfault"
)

// atOnceRate is how often an accepted refund is refunded in the first answer
// already, which the protocol allows. It is no fault: polite cores do it too.
const atOnceRate = 0.1

// plan draws what will become of a submission.
func (c *Core) plan(m mischief, ask submission) plan {
	p := plan{
		atOnce: c.dice.float() < c.atOnce,
		after:  c.dice.between(c.cfg.SettleMin, c.cfg.SettleMax),
		ending: stateRefunded,
	}
	switch {
	case m.is(sandboxfault.RejectedLater):
		p.atOnce, p.ending = false, stateRejected
	case m.is(sandboxfault.Reversed):
		p.reverseAfter = m.dice.between(reverseAtLeast, reverseMax)
	case m.is(sandboxfault.ConsumedMeanwhile):
		p.consumed = true
	case m.is(sandboxfault.AmountChanged):
		p.amount = m.dice.otherAmount(ask.Amount)
	}
	if !c.cfg.Polite {
		p.coreRef = "GC-" + m.dice.crockford(8)
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
		events, next := c.book.settle(references, c.eventID)
		if err := c.book.durable(); err != nil {
			c.log.Error("the core's book can't be written", slog.Any("error", err))
			return // nothing will be answered any more either
		}
		for _, e := range events {
			c.owe(e)
		}
		for _, n := range next {
			c.settling.add(n.at, n.reference)
		}
	}
}

// An arrival is a submission that comes late, and its entry in the history (nil:
// it is of an earlier run).
type arrival struct {
	reference string
	entry     *entry
}

// arrive lets submissions that come late have their effect. They are no calls any
// more: nobody waits for an answer, and nothing goes wrong with them again.
func (c *Core) arrive() {
	for {
		arrivals := c.arriving.due(c.ctx)
		if arrivals == nil {
			return
		}
		for _, a := range arrivals {
			m := mischief{dice: c.dice.fork()}
			verdict, came := c.book.arrive(a.reference, c.plan(m, submission{}))
			if err := c.book.durable(); err != nil {
				c.log.Error("the core's book can't be written", slog.Any("error", err))
				return // nothing will be answered any more either
			}
			if !came || !verdict.fresh {
				continue
			}
			c.follow(verdict)
			if a.entry != nil {
				c.history.update(a.entry, func(call *Call) { call.Effect = verdict.accepted() })
			}
		}
	}
}

// resume takes up what an earlier run left: refunds still pending, callbacks not
// delivered. Refunds of the portal that the seed has pending stay so.
func (c *Core) resume() {
	c.book.mu.Lock()
	defer c.book.mu.Unlock()
	for reference, f := range c.book.refunds {
		if due := f.due(); !due.IsZero() {
			c.settling.add(due, reference)
		}
	}
	for reference := range c.book.queued {
		if q, waits := c.book.underWay(reference); waits {
			c.arriving.add(q.arrives, arrival{reference: reference})
		}
	}
	if c.cfg.CallbackURL == "" {
		return
	}
	for _, e := range c.book.events {
		c.calling.add(e.due, delivery{event: e})
	}
}
