package faultnet

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// dialTimeout is for a target that drops what it should refuse; in tests it is
// on this machine.
const dialTimeout = 5 * time.Second

// link is one client's connection and what it leads to.
type link struct {
	proxy  *Proxy
	client *net.TCPConn

	mu     sync.Mutex
	server *net.TCPConn // nil until it is dialled

	waiting atomic.Pointer[trap] // for the answer to what passed
	mute    atomic.Bool          // nothing passes, for good
	alive   context.Context
	end     context.CancelFunc
}

func (l *link) run() {
	defer l.reset()
	_, _, _, gate := l.proxy.weather()
	select { // a network that swallows bytes swallows those that connect too
	case <-gate:
	case <-l.alive.Done():
		return
	}
	target, _, _, _ := l.proxy.weather()
	dialer := net.Dialer{Timeout: dialTimeout}
	server, err := dialer.DialContext(l.alive, "tcp", target)
	if err != nil {
		return
	}
	if !l.reaches(server.(*net.TCPConn)) {
		return
	}
	var pumps sync.WaitGroup
	pumps.Go(func() { l.pump(l.client, l.server, l.upward) })
	pumps.Go(func() { l.pump(l.server, l.client, l.downward) })
	pumps.Wait()
	l.close(false) // both said farewell; what is on its way still arrives
}

// reaches is false when it is over before it began.
func (l *link) reaches(server *net.TCPConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.alive.Err() != nil {
		_ = server.Close()
		return false
	}
	l.server = server
	return true
}

// reset ends the link without a farewell; the peers see ECONNRESET.
func (l *link) reset() { l.close(true) }

func (l *link) close(abruptly bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.alive.Err() != nil {
		return
	}
	l.end()
	for _, conn := range []*net.TCPConn{l.client, l.server} {
		if conn == nil {
			continue
		}
		if abruptly {
			_ = conn.SetLinger(0)
		}
		_ = conn.Close()
	}
}

var errLost = errors.New("faultnet: lost on purpose")

// pump hands what it reads to pass until either end is done or pass has enough.
func (l *link) pump(from, to *net.TCPConn, pass func(chunk []byte) error) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !l.mute.Load() {
			if err := pass(buf[:n]); err != nil {
				l.reset()
				return
			}
		}
		switch {
		case err == nil:
		case l.mute.Load() && from == l.server:
			return // and the client hears nothing of it
		case errors.Is(err, io.EOF) && !l.mute.Load():
			_ = to.CloseWrite()
			return
		default:
			l.reset()
			return
		}
	}
}

func (l *link) upward(request []byte) error {
	_, delay, _, _ := l.proxy.weather()
	if t := l.proxy.spring(request); t != nil {
		if t.fault.before() {
			return l.lose(t)
		}
		l.waiting.Store(t)
	}
	return l.send(l.server, request, delay)
}

func (l *link) downward(answer []byte) error {
	_, _, delay, _ := l.proxy.weather()
	t := l.waiting.Swap(nil)
	if t == nil {
		return l.send(l.client, answer, delay)
	}
	if t.fault == ResetWithin {
		if err := l.send(l.client, answer[:len(answer)/2], delay); err != nil {
			return err
		}
	}
	return l.lose(t)
}

func (l *link) lose(t *trap) error {
	defer close(t.sprung)
	if t.fault.silent() {
		l.mute.Store(true)
		return nil
	}
	l.reset()
	return errLost
}

// send passes a chunk on when its time has come and the weather allows.
func (l *link) send(to *net.TCPConn, chunk []byte, delay time.Duration) error {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.alive.Done():
		return errLost
	}
	_, _, _, gate := l.proxy.weather()
	select {
	case <-gate:
	case <-l.alive.Done():
		return errLost
	}
	_, err := to.Write(chunk)
	return err
}
