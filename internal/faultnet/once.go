package faultnet

import (
	"bytes"
	"sync/atomic"
)

// Fault is what becomes of one request.
type Fault int

const (
	// ResetBefore: the request never reaches the server; the connection is reset.
	ResetBefore Fault = iota
	// SilentBefore: the request never reaches the server, and the connection
	// stays open and silent.
	SilentBefore
	// ResetAfter: the server does what it is asked; the answer is lost and the
	// connection is reset.
	ResetAfter
	// SilentAfter: the server does what it is asked; the answer is lost, and the
	// connection stays open and silent.
	SilentAfter
	// ResetWithin: the server does what it is asked; half of the answer arrives,
	// then the connection is reset.
	ResetWithin
)

func (f Fault) String() string {
	return [...]string{"reset before", "silent before", "reset after", "silent after", "reset within"}[f]
}

func (f Fault) before() bool { return f == ResetBefore || f == SilentBefore }
func (f Fault) silent() bool { return f == SilentBefore || f == SilentAfter }

type trap struct {
	matches func(request []byte) bool
	fault   Fault
	sprung  chan struct{}
}

// Once has the fault happen to the next request that matches, once, on whichever
// connection it comes. Several may wait together; the one that waits longest
// gets the request. The returned channel is closed when it has happened, so that
// a test can know that it did.
func (p *Proxy) Once(matches func(request []byte) bool, f Fault) (happened <-chan struct{}) {
	t := &trap{matches: matches, fault: f, sprung: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.traps = append(p.traps, t)
	return t.sprung
}

// spring returns the trap that the request falls into, which is gone with it.
func (p *Proxy) spring(request []byte) *trap {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, t := range p.traps {
		if t.matches(request) {
			p.traps = append(p.traps[:i:i], p.traps[i+1:]...)
			return t
		}
	}
	return nil
}

// Any matches every request.
func Any(request []byte) bool { return true }

// Containing matches requests with this text in them, in small letters or in
// capitals.
func Containing(text string) func(request []byte) bool {
	lower := bytes.ToLower([]byte(text))
	return func(request []byte) bool { return bytes.Contains(bytes.ToLower(request), lower) }
}

// Nth matches the n-th request, from 1, of those that matches accepts.
func Nth(n int, matches func(request []byte) bool) func(request []byte) bool {
	var seen atomic.Int64
	return func(request []byte) bool { return matches(request) && seen.Add(1) == int64(n) }
}
