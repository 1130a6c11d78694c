// Package faultnet is a TCP proxy that misbehaves on request, for tests: it
// stands between a client and a real server and does what networks do.
//
// A [Proxy] listens on a port of its own and passes bytes between each of its
// clients and the target. What it can be told to do wrong is of two kinds. Some
// of it lasts until [Proxy.Heal] and concerns every connection: [Proxy.Delay],
// [Proxy.Silence] and [Proxy.Refuse]. The rest happens once: [Proxy.Cut] resets
// what is connected now, and [Proxy.Once] waits for one particular request and
// loses it, or loses its answer, which is the fault that tells a program that
// knows what it doesn't know from one that guesses.
//
// A request is what one read from the client returned, and its answer is what
// the next read from the server returned. That holds for clients that send a
// request in one write and wait for the answer, which are all of ours, as long as
// either fits into a read of 64 KiB.
//
// All methods are safe for concurrent use. Nothing here is random: a test that
// wants chance draws it itself, from a seed that it prints.
package faultnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy is a listener whose connections lead to the target, if it lets them.
type Proxy struct {
	addr string

	mu       sync.Mutex
	target   string
	listener net.Listener  // nil while connections are refused
	gate     chan struct{} // closed while bytes may pass
	up, down time.Duration
	traps    []*trap
	links    map[*link]struct{}
	accepted int
	closed   bool

	running sync.WaitGroup
}

// Start returns a proxy to target, a TCP address, on a port of 127.0.0.1 that
// the kernel picked. Nobody needs to listen at the target yet. Close it.
func Start(target string) (*Proxy, error) {
	listener, err := listen("127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("faultnet: %w", err)
	}
	p := &Proxy{addr: listener.Addr().String(), target: target, links: map[*link]struct{}{}, gate: make(chan struct{})}
	close(p.gate)
	p.accept(listener)
	return p, nil
}

func listen(addr string) (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(context.Background(), "tcp", addr)
}

// StartTest is Start for the length of a test.
func StartTest(tb testing.TB, target string) *Proxy {
	tb.Helper()
	p, err := Start(target)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Close)
	return p
}

// Addr is where the proxy listens, or will again.
func (p *Proxy) Addr() string { return p.addr }

// Accepted is how many connections were taken so far.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// Delay holds every chunk back for so long, to the server and to the client.
func (p *Proxy) Delay(up, down time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up, p.down = up, down
}

// Silence lets nothing pass, in neither direction: connections are taken and
// stay open, and nobody is ever answered. What was sent is not lost: like a
// network that comes back, Heal delivers it, however late.
func (p *Proxy) Silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.gate:
		p.gate = make(chan struct{})
	default:
	}
}

// Refuse has new connections refused, as by a port that nobody listens on.
// Those that are there stay; see Cut.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
}

// Cut resets all connections there are. Later ones are not concerned.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.reset()
	}
}

// Redirect leads later connections to another target: a failover, as a client
// sees it that knows one address. Those that are there stay; see Cut.
func (p *Proxy) Redirect(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Heal ends what Delay, Silence and Refuse began. What Once waits for stays.
// It fails when somebody else took the port while connections were refused.
func (p *Proxy) Heal() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up, p.down = 0, 0
	p.openGate()
	if p.listener != nil || p.closed {
		return nil
	}
	listener, err := listen(p.addr)
	if err != nil {
		return fmt.Errorf("faultnet: %w", err)
	}
	p.accept(listener)
	return nil
}

// Close ends every connection and returns when nothing runs any more.
func (p *Proxy) Close() {
	p.Refuse()
	p.mu.Lock()
	p.closed = true
	p.openGate()
	for l := range p.links {
		l.reset()
	}
	p.mu.Unlock()
	p.running.Wait()
}

func (p *Proxy) openGate() {
	select {
	case <-p.gate:
	default:
		close(p.gate)
	}
}

func (p *Proxy) accept(listener net.Listener) {
	p.listener = listener
	p.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				p.take(conn.(*net.TCPConn))
			}
		}
	})
}

func (p *Proxy) take(client *net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = client.Close()
		return
	}
	p.accepted++
	l := &link{proxy: p, client: client}
	l.alive, l.end = context.WithCancel(context.Background())
	p.links[l] = struct{}{}
	p.running.Go(func() {
		l.run()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.links, l)
	})
}

// weather is what holds for a chunk that is to pass now.
func (p *Proxy) weather() (target string, up, down time.Duration, gate <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.target, p.up, p.down, p.gate
}
