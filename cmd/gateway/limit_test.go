package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// hurried are limits that a test has the time for.
var hurried = limits{
	header: 300 * time.Millisecond, read: 600 * time.Millisecond, write: 2 * time.Second, idle: 300 * time.Millisecond,
	bytes: usualLimits.bytes,
}

// dial is a client's connection, which a test doesn't wait on for ever.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// closed reads until the other side has closed, and returns what came before.
func closed(t *testing.T, conn net.Conn) string {
	t.Helper()
	text, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the connection stays; it said %q", text)
	}
	return string(text)
}

// TestSlowClients: who opens connections and says little loses them (reliability.md §3.2).
func TestSlowClients(t *testing.T) {
	s := begin(t, onRealServers(t), hurried)
	for _, address := range []string{s.channel, s.ops} {
		t.Run("headers by the drop", func(t *testing.T) {
			conn := dial(t, address)
			fmt.Fprint(conn, "GET /v1/profile HTTP/1.1\r\nHost: gateway\r\n")
			drops, dropped := time.NewTicker(20*time.Millisecond), make(chan int)
			go func() {
				defer drops.Stop()
				n := 0
				for _, err := fmt.Fprint(conn, "X"); err == nil; _, err = fmt.Fprint(conn, "-") {
					<-drops.C
					n++
				}
				dropped <- n
			}()
			if said := closed(t, conn); strings.Contains(said, " 200 ") || strings.Contains(said, " 401 ") {
				t.Errorf("half a request is answered %q", said)
			}
			conn.Close()
			if n := <-dropped; n < 2 {
				t.Errorf("it was cut off after %d drops", n)
			}
		})
		t.Run("nothing", func(t *testing.T) { closed(t, dial(t, address)) })
		t.Run("nothing more", func(t *testing.T) {
			conn := dial(t, address)
			fmt.Fprint(conn, "GET /nowhere HTTP/1.1\r\nHost: gateway\r\n\r\n")
			if said := closed(t, conn); !strings.HasPrefix(said, "HTTP/1.1 404 ") {
				t.Errorf("it says %q", said)
			}
		})
	}
	t.Run("half a body", func(t *testing.T) {
		conn := dial(t, s.channel)
		fmt.Fprint(conn, "POST /core/callbacks HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{")
		if said := closed(t, conn); strings.HasPrefix(said, "HTTP/1.1 2") {
			t.Errorf("half a body is answered %q", said)
		}
	})
}

// TestHugeHeader: 16 KiB of headers are enough for anybody.
func TestHugeHeader(t *testing.T) {
	s := begin(t, onRealServers(t), usualLimits)
	for size, want := range map[int]string{15 << 10: "HTTP/1.1 401 ", 64 << 10: "HTTP/1.1 431 "} {
		conn := dial(t, s.channel)
		fmt.Fprintf(conn, "GET /v1/profile HTTP/1.1\r\nHost: gateway\r\nX-Long: %s\r\n\r\n", strings.Repeat("x", size))
		if line, _ := bufio.NewReader(conn).ReadString('\n'); !strings.HasPrefix(line, want) {
			t.Errorf("%d bytes: %q, want %q", size, line, want)
		}
		conn.Close()
	}
}

// TestConnectionsAreCounted: one too many waits at the door until somebody leaves, and is served then. No wait is long
// enough to show that somebody isn't served, so it is the order that shows it: a request's id begins with the time at
// which the gateway took it up (UUIDv7, counted on within a millisecond), and the one at the door is taken up after all
// those that somebody inside made meanwhile.
func TestConnectionsAreCounted(t *testing.T) {
	c := onRealServers(t)
	c.Listen.Connections = 2
	s := begin(t, c, usualLimits)
	first, second := enter(t, s.channel), enter(t, s.channel)
	first.ask(t)
	second.ask(t)

	third := enter(t, s.channel)
	third.send()
	var last string
	for range 50 {
		last = second.ask(t)
	}
	first.conn.Close()
	if id := third.answer(t); id <= last {
		t.Errorf("the third of two was served (%s) before one of them left (%s)", id, last)
	}
}

// guest is a connection that stays open between requests.
type guest struct {
	conn    net.Conn
	answers *bufio.Reader
}

func enter(t *testing.T, address string) guest {
	conn := dial(t, address)
	return guest{conn, bufio.NewReader(conn)}
}

func (g guest) send() { fmt.Fprint(g.conn, "GET /v1/profile HTTP/1.1\r\nHost: gateway\r\n\r\n") }

// answer is the id of the request that was answered.
func (g guest) answer(t *testing.T) string {
	t.Helper()
	answer, err := http.ReadResponse(g.answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusUnauthorized {
		t.Fatalf("answered %d: %v", answer.StatusCode, err)
	}
	return answer.Header.Get("X-Request-Id")
}

func (g guest) ask(t *testing.T) string {
	t.Helper()
	g.send()
	return g.answer(t)
}
