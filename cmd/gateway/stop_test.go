package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// under opens a request whose body is yet to come: a request under way for as long as the test likes.
func under(t *testing.T, address string) (finish func() string) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	// "Expect" has the server say when its handler is at work on this one.
	fmt.Fprint(conn, "POST /core/callbacks HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
	answers := bufio.NewReader(conn)
	if line, err := answers.ReadString('\n'); !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("%q, %v", line, err)
	}
	_, _ = answers.ReadString('\n')
	return func() string {
		fmt.Fprint(conn, "{}")
		line, _ := answers.ReadString('\n')
		return line
	}
}

// until asks again and again, but not for ever.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("after 20 s it still isn't so that %s", what)
		}
	}
}

// TestStop: first it says that it stops and goes on serving, then it lets nobody in and finishes what is under way, and
// tells how it goes until the end.
func TestStop(t *testing.T) {
	c := onRealServers(t)
	c.Shutdown, c.ShutdownLead = 20*time.Second, 2*time.Second
	s := begin(t, c, usualLimits)
	finish := under(t, s.channel)

	s.stop()
	s.await(t, "stopping")
	var body string
	until(t, "/readyz says 503", func() bool { // a moment after the line
		var status int
		status, body = get(t, "http://"+s.ops+"/readyz")
		return status == http.StatusServiceUnavailable
	})
	if !strings.Contains(body, `"stopping"`) {
		t.Errorf("/readyz says %s", body)
	}
	if status, _ := get(t, "http://"+s.channel+"/v1/profile"); status != http.StatusUnauthorized {
		t.Errorf("in the lead the channel answers %d", status)
	}
	until(t, "the door is closed", func() bool {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.channel)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	select {
	case err := <-s.ended:
		t.Fatalf("it doesn't wait for the request: %v", err)
	default:
	}
	if status, _ := get(t, "http://"+s.ops+"/healthz"); status != http.StatusOK {
		t.Errorf("while it stops /healthz answers %d", status)
	}
	if answer := finish(); !strings.HasPrefix(answer, "HTTP/1.1 401 ") {
		t.Errorf("the request under way is answered %q", answer)
	}
	s.await(t, "stopped")
	if err := <-s.ended; err != nil {
		t.Errorf("it ends with %v", err)
	}
}

// TestStopCutsOff: what has no end is cut off when the time is up, and said in one line.
func TestStopCutsOff(t *testing.T) {
	c := onRealServers(t)
	c.Shutdown = time.Second
	s := begin(t, c, usualLimits)
	_ = under(t, s.channel)
	began := time.Now()
	s.stop()
	said := s.await(t, "cut off")
	if what, _ := said["unfinished"].([]any); !slices.Contains(what, any("requests")) || said["level"] != "ERROR" {
		t.Errorf("it says %v", said)
	}
	if err := <-s.ended; !errors.Is(err, errTold) {
		t.Errorf("it ends with %v", err)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("it gave up after %s", took)
	}
}
