// Package otptest is what the tests of package otp's neighbours stand on.
//
// [RunCodes] and [RunLedger] are the contracts that every store of codes and
// every ledger keeps; a backend's test calls them with a function that makes
// an empty store. [Codes] and [Ledger] keep everything in memory, pass the same
// contracts, and live inside a synctest bubble, where no real store can. [Phone]
// is the sender that remembers.
package otptest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

var (
	_ otp.Ledger = (*Ledger)(nil)
	_ otp.Codes  = (*Codes)(nil)
	_ otp.Sender = (*Phone)(nil)
)

// Ledger is an otp.Ledger in memory. It keeps each record as JSON, as the
// durable ones do, so that nothing can be kept that would not survive them. The
// zero value is empty and ready.
type Ledger struct {
	mu      sync.Mutex
	records map[string][]byte
	writes  int
}

func (l *Ledger) Read(ctx context.Context, customer string) (otp.Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.read(ctx, customer)
}

func (l *Ledger) read(ctx context.Context, customer string) (r otp.Record, err error) {
	if err := ctx.Err(); err != nil {
		return r, err
	}
	if row := l.records[customer]; row != nil {
		err = json.Unmarshal(row, &r)
	}
	return r, err
}

// Update implements otp.Ledger.
func (l *Ledger) Update(ctx context.Context, _ time.Time, customer string, change func(otp.Record) (otp.Record, error)) (otp.Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old, err := l.read(ctx, customer)
	if err != nil {
		return otp.Record{}, err
	}
	r, err := change(old)
	if err != nil || r.Equal(old) {
		return r, err
	}
	row, err := json.Marshal(r)
	if err != nil {
		return otp.Record{}, err
	}
	if l.records == nil {
		l.records = map[string][]byte{}
	}
	l.records[customer] = row
	l.writes++
	return r, nil
}

// Writes returns how many updates wrote something.
func (l *Ledger) Writes() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.writes
}

// Codes is an otp.Codes in memory. The zero value is empty and ready.
type Codes struct {
	mu   sync.Mutex
	live map[otp.Holder]*live
}

type live struct {
	otp.Stored
	burner string
	nonce  string // of the last wrong guess
	left   int    // and what it was told

	forgiven int // of the wrong codes compared
}

// compared is how many wrong codes in a row there were by now, as the next
// challenge has to know; a right one ended the row.
func (l *live) compared() int {
	if l == nil || l.burner != "" || time.Since(l.ExpiresAt) > remembered {
		return 0
	}
	return l.Base + l.Tried - l.forgiven
}

// remembered is how long a challenge that is over stays known, for what was
// compared on it.
const remembered = time.Minute

func (l *live) usable(now time.Time) bool {
	return now.Before(l.ExpiresAt) && l.burner == "" && l.Tried < l.Tries
}

// Flush forgets everything, as a store may.
func (c *Codes) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.live)
}

// Put implements otp.Codes.
func (c *Codes) Put(ctx context.Context, s otp.Stored, blockAt int) (tries int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live == nil {
		c.live = map[otp.Holder]*live{}
	}
	old := c.live[s.Holder]
	s.Base = max(s.Base, old.compared())
	s.Tries = min(s.Tries, blockAt-s.Base)
	if s.Tries < 1 {
		return 0, ctx.Err()
	}
	if old != nil && old.burner != "" {
		s.Base = 0
	}
	c.live[s.Holder] = &live{Stored: s}
	return s.Tries, ctx.Err()
}

// Find implements otp.Codes.
func (c *Codes) Find(ctx context.Context, h otp.Holder, id string, now time.Time) (otp.Stored, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.live[h]
	if l == nil || id != "" && l.ID != id || !l.usable(now) {
		return otp.Stored{}, otp.ErrGone
	}
	return l.Stored, ctx.Err()
}

// Renew implements otp.Codes.
func (c *Codes) Renew(ctx context.Context, next otp.Stored, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.live[next.Holder]
	if l == nil || l.ID != next.ID || l.Seal != next.Seal || l.Generation != next.Generation-1 || !l.usable(now) {
		return otp.ErrGone
	}
	l.Generation, l.MAC, l.ExpiresAt, l.ResendAfter = next.Generation, next.MAC, next.ExpiresAt, next.ResendAfter
	return ctx.Err()
}

// Check implements otp.Codes.
func (c *Codes) Check(ctx context.Context, g otp.Guess) (otp.Verdict, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.live[g.Holder]
	if l == nil || l.ID != g.ID || l.Seal != g.Seal || !g.Now.Before(l.ExpiresAt) || l.Generation > len(g.MACs) {
		return otp.Verdict{}, ctx.Err()
	}
	if l.nonce == g.Nonce {
		return otp.Verdict{Outcome: otp.Wrong, Left: l.left}, ctx.Err()
	}
	if l.Tried >= l.Tries {
		return otp.Verdict{}, ctx.Err()
	}
	right := l.MAC == g.MACs[l.Generation-1]
	switch {
	case !right:
		l.Tried++
		if l.burner != "" {
			return otp.Verdict{}, ctx.Err()
		}
		l.nonce, l.left = g.Nonce, l.Tries-l.Tried
		return otp.Verdict{Outcome: otp.Wrong, Left: l.left}, ctx.Err()
	case l.burner == "":
		l.burner = g.Burner
		return otp.Verdict{Outcome: otp.Right}, ctx.Err()
	case l.burner == g.Burner:
		return otp.Verdict{Outcome: otp.Again}, ctx.Err()
	default:
		return otp.Verdict{Outcome: otp.Used}, ctx.Err()
	}
}

// Forgive implements otp.Codes.
func (c *Codes) Forgive(ctx context.Context, h otp.Holder) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.live[h]; l != nil {
		l.Base, l.forgiven = 0, l.Tried
	}
	return ctx.Err()
}

// Drop implements otp.Codes.
func (c *Codes) Drop(ctx context.Context, h otp.Holder, id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.live[h]
	if l == nil || id != "" && l.ID != id {
		return ctx.Err()
	}
	delete(c.live, h)
	if compared := l.compared(); compared > 0 {
		c.live[h] = &live{Stored: otp.Stored{Base: compared, ExpiresAt: time.Now()}}
	}
	return ctx.Err()
}

// Phone is an otp.Sender that remembers what it was handed, newest last, one
// message per id like any provider. The zero value is ready.
type Phone struct {
	// Answer decides what Send returns; nil takes everything. It is called
	// before the message is remembered, and remembered it is only on nil.
	Answer func(ctx context.Context, id string) error

	mu   sync.Mutex
	ids  map[string]otp.Message
	sent []otp.Message
}

// Send implements otp.Sender.
func (p *Phone) Send(ctx context.Context, id string, _ saudi.Mobile, m otp.Message) error {
	if p.Answer != nil {
		if err := p.Answer(ctx, id); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if earlier, twice := p.ids[id]; twice {
		if earlier != m {
			return fmt.Errorf("otptest: id %s sent with other content", id)
		}
		return nil
	}
	if p.ids == nil {
		p.ids = map[string]otp.Message{}
	}
	p.ids[id] = m
	p.sent = append(p.sent, m)
	return nil
}

// Messages returns what was delivered so far, oldest first.
func (p *Phone) Messages() []otp.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]otp.Message(nil), p.sent...)
}

// Code returns the newest code delivered; empty when there is none.
func (p *Phone) Code() otp.Code {
	sent := p.Messages()
	if len(sent) == 0 {
		return ""
	}
	return sent[len(sent)-1].Code
}

// WrongCode returns a code of as many digits that differs from c.
func WrongCode(c otp.Code) otp.Code {
	wrong := bytes.Clone([]byte(c.Reveal()))
	wrong[len(wrong)-1] = '0' + (wrong[len(wrong)-1]-'0'+1)%10
	return otp.Code(wrong)
}
