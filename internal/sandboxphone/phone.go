// Package sandboxphone is every customer's phone at once: the SMS provider to
// which the gateway sends, and the inbox that a test or a person reads.
//
// A message is handed over with POST /phone/messages and is in the inbox when
// the 202 is answered. The sender's id makes the hand-over idempotent: an id
// seen before is answered 202 again and delivers nothing, also with another
// text, and also after the inbox was emptied, so that a provider's late retry
// never shows up in the middle of the next test. Only Reset forgets ids.
//
// The inbox numbers what arrives with its own rising ids, which are never used
// twice, not even after a reset: "the first message after number n" is a
// question that always has one answer, and Wait asks it. The parts that each
// message would cost on the air are computed here, independently of the
// gateway (segments.go).
//
// Memory is bounded: the newest Capacity messages are kept, with their ids.
//
// Faults of the board for the call "sms" are hang_before, effect_then_hang and
// unavailable, matched by the person whose number it is. While "sms" is stopped
// a hand-over's connection is cut without an answer; the inbox stays readable,
// because it shares its listener with the switches that end the fault.
package sandboxphone

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/sandboxseed"
)

// Capacity is how many messages the phone keeps; beyond it the oldest go.
const Capacity = 50_000

// Message is an SMS that arrived.
type Message struct {
	ID        int64     `json:"id"`         // the phone's own, rising
	MessageID string    `json:"message_id"` // the sender's
	At        time.Time `json:"at"`
	To        string    `json:"to"` // E.164
	Sender    string    `json:"sender"`
	Text      string    `json:"text"`
	Encoding  string    `json:"encoding"` // GSM7 or UCS2
	Parts     int       `json:"parts"`
}

// Phone is safe for concurrent use.
type Phone struct {
	board  *sandboxfault.Board
	users  map[string]string // mobile to user, for matching faults
	closed chan struct{}
	close  func()

	mu      sync.Mutex
	lastID  int64
	inbox   []*Message            // oldest first
	numbers map[string][]*Message // the same by receiver, oldest first
	seen    map[string]struct{}   // ids handed over, those of order
	order   []string              // the same, oldest first
	arrived chan struct{}         // closed and replaced at each arrival
}

// New is an empty phone for the people of a world.
func New(world sandboxseed.World, board *sandboxfault.Board) *Phone {
	closed := make(chan struct{})
	p := &Phone{
		board:   board,
		users:   make(map[string]string, len(world.People)),
		closed:  closed,
		close:   sync.OnceFunc(func() { close(closed) }),
		arrived: make(chan struct{}),
	}
	for _, person := range world.People {
		if person.Mobile != "" {
			p.users[person.Mobile] = person.User
		}
	}
	p.Reset()
	return p
}

// Close ends the calls that a fault holds in silence.
func (p *Phone) Close() { p.close() }

// Reset empties the inbox and forgets which ids were seen.
func (p *Phone) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.empty()
	p.seen, p.order = make(map[string]struct{}), nil
}

// Clear empties the inbox. What was seen stays seen.
func (p *Phone) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.empty()
}

// Messages are those to that number (E.164), or all when it is empty, newest
// first.
func (p *Phone) Messages(to string) []Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	from := p.listed(to)
	out := make([]Message, 0, len(from))
	for _, m := range slices.Backward(from) {
		out = append(out, *m)
	}
	return out
}

// Wait is the first message to that number (any, when it is empty) whose ID is
// greater than afterID. It waits for one until ctx ends, whose cause it then
// returns.
func (p *Phone) Wait(ctx context.Context, to string, afterID int64) (Message, error) {
	for {
		m, arrived := p.firstAfter(to, afterID)
		if m != nil {
			return *m, nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return Message{}, context.Cause(ctx)
		}
	}
}

func (p *Phone) firstAfter(to string, afterID int64) (*Message, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	from := p.listed(to)
	i, _ := slices.BinarySearchFunc(from, afterID+1, func(m *Message, id int64) int { return int(m.ID - id) })
	if i < len(from) {
		return from[i], nil
	}
	return nil, p.arrived
}

// listed is called with mu held.
func (p *Phone) listed(to string) []*Message {
	if to == "" {
		return p.inbox
	}
	return p.numbers[to]
}

// empty is called with mu held.
func (p *Phone) empty() {
	p.inbox, p.numbers = nil, make(map[string][]*Message)
}

// deliver puts a message into the inbox unless its id was seen.
func (p *Phone) deliver(in handover) {
	encoding, _, parts := segment(in.Text)
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, again := p.seen[in.ID]; again {
		return
	}
	p.remember(in.ID)
	p.lastID++
	m := &Message{
		ID: p.lastID, MessageID: in.ID, At: time.Now().UTC().Truncate(time.Millisecond),
		To: in.To, Sender: in.Sender, Text: in.Text, Encoding: encoding, Parts: parts,
	}
	p.inbox = append(p.inbox, m)
	p.numbers[m.To] = append(p.numbers[m.To], m)
	if len(p.inbox) > Capacity {
		p.dropOldest()
	}
	close(p.arrived)
	p.arrived = make(chan struct{})
}

// remember is called with mu held.
func (p *Phone) remember(id string) {
	p.seen[id] = struct{}{}
	p.order = append(p.order, id)
	if len(p.order) > Capacity {
		delete(p.seen, p.order[0])
		p.order = p.order[1:]
	}
}

// dropOldest is called with mu held. The oldest of all is the oldest of its
// receiver as well.
func (p *Phone) dropOldest() {
	to := p.inbox[0].To
	p.inbox[0], p.numbers[to][0] = nil, nil
	p.inbox, p.numbers[to] = p.inbox[1:], p.numbers[to][1:]
	if len(p.numbers[to]) == 0 {
		delete(p.numbers, to)
	}
}
