package sandboxcore

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxfault"
)

// Callbacks are made at least once: until the gateway answers 2xx, with pauses
// that double, and after a restart again. They come in any order.
const (
	callbackDeadline = 5 * time.Second
	callbackPause    = time.Second      // after the first try
	callbackPauseMax = 60 * time.Second // between later ones
	callbackTries    = 20               // then not before a restart: a quarter of an hour
	callbacksAtOnce  = 8
	stormCallbacks   = 10
	stoppedPause     = time.Second // how often a stopped core looks whether it still is
)

// An event is the body of a callback.
type event struct {
	EventID       string    `json:"event_id"`
	Reference     string    `json:"reference"`
	CoreReference string    `json:"core_reference"`
	State         string    `json:"state"`
	At            time.Time `json:"at"`

	payer  string    // whose money it is
	before *snapshot // what held before; nil: nothing
	due    time.Time // it has been put off until then; the zero time: it hasn't
}

// A delivery is a callback on its way.
type delivery struct {
	event
	tries int
}

// pause is how long to wait after so many tries.
func (d delivery) pause() time.Duration {
	return min(callbackPause<<min(d.tries-1, 10), callbackPauseMax)
}

func newCallbackClient(transport http.RoundTripper) *http.Client {
	if transport == nil {
		transport = &http.Transport{MaxIdleConnsPerHost: callbacksAtOnce, IdleConnTimeout: 30 * time.Second}
	}
	return &http.Client{
		Transport:     transport,
		Timeout:       callbackDeadline,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// eventID names the callback of a change; "" when nobody is called.
func (c *Core) eventID() string {
	if c.cfg.CallbackURL == "" {
		return ""
	}
	return newNonce()
}

func (c *Core) owe(e event) { c.calling.add(time.Now(), delivery{event: e}) }

// callBack makes the callbacks that are due, a few at a time.
func (c *Core) callBack() {
	places := make(chan struct{}, callbacksAtOnce)
	for {
		ready := c.calling.due(c.ctx)
		if ready == nil {
			return
		}
		for _, d := range ready {
			select {
			case <-c.ctx.Done():
				return
			case places <- struct{}{}:
			}
			c.work.Go(func() {
				defer func() { <-places }()
				c.deliver(d)
			})
		}
	}
}

// deliver makes one try, and puts the delivery back on the agenda if it has to
// be made again. What a Reset has made void is dropped.
func (c *Core) deliver(d delivery) {
	if !c.book.owes(d.EventID) {
		return
	}
	if c.cfg.Faults.Stopped(sandboxfault.CallCallback) {
		c.calling.add(time.Now().Add(stoppedPause), d)
		return
	}
	if until, closed := c.cfg.Faults.Closed(time.Now()); closed {
		c.calling.add(time.Now().Add(min(stoppedPause, time.Until(until))), d) // a window may be taken back
		return
	}
	m := c.mischief(sandboxfault.CallCallback, c.cfg.UserOf(d.payer), d.possible)
	if late := m.lateness(); late > 0 {
		d.due = c.book.putOff(d.EventID, late)
		c.calling.add(d.due, d)
		return
	}
	delivered := false
	if !m.is(sandboxfault.HangBefore) && !m.is(sandboxfault.Unavailable) {
		delivered = c.post(d.event, m)
	}
	switch {
	case m.is(sandboxfault.DuplicateCallback):
		delivered = c.post(d.event, m) || delivered
	case m.is(sandboxfault.CallbackStorm):
		c.storm(d.event, m)
	case m.is(sandboxfault.OrphanCallback):
		orphan := event{EventID: newNonce(), Reference: m.dice.reference(), CoreReference: d.CoreReference, State: d.State, At: d.At}
		c.post(orphan, m)
	case m.is(sandboxfault.UnorderedCallback):
		earlier := d.event
		earlier.EventID, earlier.State, earlier.At = newNonce(), d.before.state, d.before.at
		c.post(earlier, m)
	}
	if delivered && !m.is(sandboxfault.EffectThenHang) {
		c.book.delivered(d.EventID)
		return
	}
	if d.tries++; d.tries < callbackTries && c.ctx.Err() == nil {
		c.calling.add(time.Now().Add(d.pause()), d)
	}
}

// possible: nothing comes out of order where there was nothing before, and nothing
// is put off twice.
func (d delivery) possible(kind string) bool {
	switch kind {
	case sandboxfault.UnorderedCallback:
		return d.before != nil
	case sandboxfault.LateCallback, sandboxfault.DayLateCallback:
		return d.due.IsZero()
	}
	return true
}

// lateness is how much later than it could a callback is made.
func (m mischief) lateness() time.Duration {
	switch {
	case m.is(sandboxfault.LateCallback):
		return m.dice.between(0, lateCallbackMax)
	case m.is(sandboxfault.DayLateCallback):
		return dayLate
	}
	return 0
}

// storm makes the other nine of ten at once.
func (c *Core) storm(e event, m mischief) {
	var posts sync.WaitGroup
	for range stormCallbacks - 1 {
		posts.Go(func() { c.post(e, m) })
	}
	posts.Wait()
}

func (b *book) owes(eventID string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, owed := b.events[eventID]
	return owed
}

// delivered strikes the callback off the book. Nobody waits for the disk: a
// crash makes the callback twice, which it may be.
func (b *book) delivered(eventID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, owed := b.events[eventID]; owed {
		b.write(record{Op: opDelivered, At: b.now(), EventID: eventID})
	}
}

// putOff notes that a callback comes later than it could, and until when. Nobody
// waits for the disk: after a crash it may come at once.
func (b *book) putOff(eventID string, by time.Duration) (due time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	due = now.Add(by)
	b.write(record{Op: opPutOff, At: now, EventID: eventID, SettleAt: &due})
	return due
}

// post reports whether the gateway took the callback.
func (c *Core) post(e event, m mischief) bool {
	body, err := json.Marshal(e)
	if err != nil {
		panic("sandboxcore: " + err.Error()) // strings and a time
	}
	ctx, cancel := context.WithTimeout(c.ctx, callbackDeadline)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.CallbackURL, bytes.NewReader(body))
	if err != nil {
		c.log.Error("the callback URL is none", slog.Any("error", err))
		return false
	}
	req.GetBody = nil // one post is one try
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Content-Digest", contentDigest(body))
	sign(requestMessage(req), requestComponents, newStamp(time.Now(), newNonce(), c.cfg.KeyID), c.cfg.Key)

	entry := c.history.begin(Call{
		At: time.Now().UTC(), Call: sandboxfault.CallCallback, Method: req.Method, Path: req.URL.Path,
		Reference: e.Reference, Fault: m.String(), Request: recorded(body), Answer: recorded(nil),
	})
	resp, err := c.client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, bodyMax))
	c.history.update(entry, func(call *Call) { call.Status, call.Answer = resp.StatusCode, recorded(answer) })
	return err == nil && resp.StatusCode/100 == 2
}
