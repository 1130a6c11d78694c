// Package outboundtest serves HTTP for tests of what is built on internal/outbound: without a network for those in fake
// time, and by hand ([Raw]) for those of what a proper server never says.
//
// A socket is outside of a synctest bubble, and a bubble that waits for one never goes idle, so its clock stands still; a
// pipe in memory is inside.
package outboundtest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Dial returns what makes connections to a server with this handler, whatever address they are meant for. Without a
// handler nobody ever answers the dial. The server, and the handlers that run, are gone when the test ends.
func Dial(t testing.TB, handler http.HandlerFunc) func(ctx context.Context, network, address string) (net.Conn, error) {
	t.Helper()
	if handler == nil {
		return func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
	}
	pipes := Listen()
	Serve(t, pipes, handler)
	return pipes.Dial
}

// Serve serves on a listener, which may be Pipes under TLS, until the test ends.
func Serve(t testing.TB, l net.Listener, handler http.HandlerFunc) {
	t.Helper()
	var running sync.WaitGroup
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			running.Add(1)
			defer running.Done()
			handler(w, r)
		}),
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, 0),
	}
	running.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serving: %v", err)
		}
	})
	t.Cleanup(func() {
		_ = server.Close()
		running.Wait()
	})
}

// Raw serves on a free port of 127.0.0.1 until the test ends. It reads whole requests and lets answer do the rest: nth
// counts those of the connection, from 0, and false closes it.
func Raw(t testing.TB, answer func(conn *net.TCPConn, nth int) bool) (base string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				reader := bufio.NewReader(conn)
				for nth := 0; ; nth++ {
					r, err := http.ReadRequest(reader)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					if !answer(conn.(*net.TCPConn), nth) {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		running.Wait()
	})
	return "http://" + listener.Addr().String()
}

// Pipes is a listener that is dialled in memory.
type Pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Listen returns a listener of its own.
func Listen() *Pipes { return &Pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

// Dial connects, whatever the address, once the listener accepts.
func (p *Pipes) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (p *Pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *Pipes) Close() error { p.once.Do(func() { close(p.closed) }); return nil }

// Addr implements net.Listener.
func (p *Pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }
