package outbound_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/istirdad/istirdad/internal/outbound"
	"github.com/istirdad/istirdad/internal/outbound/outboundtest"
)

const answer = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n" + canary

// reset closes a connection with RST.
func reset(t *testing.T, conn *net.TCPConn) {
	if err := conn.SetLinger(0); err != nil {
		t.Error(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

// TestHandedAndBroken: from the moment a connection has the request, whatever happens is unknown; and it happens once.
func TestHandedAndBroken(t *testing.T) {
	for name, test := range map[string]struct {
		says   string
		reset  bool
		status int // that was heard before it broke
	}{
		"closed before an answer": {"", false, 0},
		"reset before an answer":  {"", true, 0},
		"closed in the header":    {answer[:20], false, 0},
		"reset in the header":     {answer[:20], true, 0},
		"closed in the body":      {answer[:len(answer)-3], false, 200},
		"closed in a chunk":       {"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n" + canary, false, 201},
		"no HTTP":                 {canary + "\r\n\r\n", false, 0},
		"no status":               {"HTTP/1.1 " + canary + "\r\n\r\n", false, 0},
		"no header":               {"HTTP/1.1 201 Created\r\n" + canary + "\r\n\r\n", false, 0},
		"no length":               {"HTTP/1.1 201 Created\r\nContent-Length: " + canary + "\r\n\r\n", false, 0},
		"no transfer coding":      {"HTTP/1.1 201 Created\r\nTransfer-Encoding: " + canary + "\r\n\r\n", false, 0},
		"no chunk":                {"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n" + canary + "\r\n", false, 201},
		"endless headers":         {"HTTP/1.1 201 Created\r\nX: " + strings.Repeat(canary, 1<<14) + "\r\n\r\n", false, 0},
	} {
		for _, method := range []string{"POST", "GET"} {
			t.Run(name+", "+method, func(t *testing.T) {
				var requests atomic.Int32
				base := outboundtest.Raw(t, func(conn *net.TCPConn, _ int) bool {
					requests.Add(1)
					fmt.Fprint(conn, test.says)
					if test.reset {
						reset(t, conn)
					}
					return false
				})
				x := do(t, t.Context(), client(t, outbound.Config{}), method, base, []byte(canary))
				if word(x) != outbound.CauseBroken || x.Status != test.status && !test.reset {
					t.Errorf("%s: %+v", word(x), x)
				}
				if n := requests.Load(); n != 1 {
					t.Errorf("%d requests", n)
				}
			})
		}
	}
}

// TestResetInTheBody resets once the header was read for certain.
func TestResetInTheBody(t *testing.T) {
	heard := make(chan struct{})
	base := outboundtest.Raw(t, func(conn *net.TCPConn, _ int) bool {
		fmt.Fprint(conn, answer[:len(answer)-3])
		<-heard
		reset(t, conn)
		return false
	})
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotFirstResponseByte: func() { close(heard) }})
	if x := do(t, ctx, client(t, outbound.Config{}), "POST", base, nil); word(x) != outbound.CauseBroken || x.Status != 200 {
		t.Errorf("%s: %+v", word(x), x)
	}
}

// TestResetAfterTheBody: the answer was whole, and the next request is made once or not at all.
func TestResetAfterTheBody(t *testing.T) {
	read, dead := make(chan struct{}), make(chan struct{})
	var requests atomic.Int32
	base := outboundtest.Raw(t, func(conn *net.TCPConn, _ int) bool {
		first := requests.Add(1) == 1
		fmt.Fprint(conn, answer)
		if first {
			<-read
			reset(t, conn)
			close(dead)
		}
		return !first
	})
	c := client(t, outbound.Config{})
	if x := do(t, t.Context(), c, "POST", base, nil); word(x) != "200 "+canary {
		t.Fatalf("%+v", x)
	}
	close(read)
	<-dead
	x := do(t, t.Context(), c, "POST", base, nil) // on the dead connection, or on a new one
	if n := requests.Load(); n != 2 && x.Err == nil || n > 2 {
		t.Errorf("%d requests, %+v", n, x)
	}
}

// TestNoReplay lets a kept connection die under the second request. For each of these net/http would send it again by
// itself if it could: it takes the method, or the header, for a promise that twice is as good as once.
func TestNoReplay(t *testing.T) {
	for _, test := range []struct{ method, header, body string }{
		{"GET", "", ""}, {"HEAD", "", ""}, {"OPTIONS", "", ""}, {"PUT", "", "{}"}, {"DELETE", "", ""}, {"POST", "", "{}"},
		{"POST", "Idempotency-Key", "{}"}, {"POST", "X-Idempotency-Key", "{}"}, {"POST", "Idempotency-Key", ""}, {"GET", "Idempotency-Key", ""},
	} {
		for _, rst := range []bool{false, true} {
			t.Run(fmt.Sprint(test.method, test.header, " ", len(test.body), rst), func(t *testing.T) {
				var requests atomic.Int32
				base := outboundtest.Raw(t, func(conn *net.TCPConn, nth int) bool {
					requests.Add(1)
					if nth == 0 {
						fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
						return true
					}
					if rst {
						reset(t, conn)
					}
					return false // it was read whole, and the connection dies before a byte of the answer
				})
				c := client(t, outbound.Config{})
				exchange := func() string {
					req, err := http.NewRequest(test.method, base, strings.NewReader(test.body)) // with GetBody
					if err != nil {
						t.Fatal(err)
					}
					if test.header != "" {
						req.Header.Set(test.header, "k")
					}
					return word(c.Do(t.Context(), req, []byte(test.body)))
				}
				for range 3 {
					if got := exchange(); got != "200 " {
						t.Fatalf("on a new connection: %s", got)
					}
					if got := exchange(); got != outbound.CauseBroken {
						t.Fatalf("on the kept one: %s", got)
					}
				}
				if n := requests.Load(); n != 6 {
					t.Errorf("%d requests for 6 exchanges", n)
				}
			})
		}
	}
}

func TestOversize(t *testing.T) {
	const most = 1 << 20
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"as long as may be": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat(" ", most)) }, ""},
		"a byte longer":     {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat(" ", most+1)) }, outbound.CauseOversize},
		"longer than it says": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000000000")
			fmt.Fprint(w, strings.Repeat(" ", most+1))
		}, outbound.CauseOversize},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			for chunk := make([]byte, 1<<16); ; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, outbound.CauseOversize},
		"packed": {func(w http.ResponseWriter, _ *http.Request) { // and not unpacked
			w.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(w, "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x01\x00\x00\xff\xff")
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			x := do(t, t.Context(), client(t, outbound.Config{}), "GET", serve(t, test.handler), nil)
			if x.Cause() != test.want || !x.Handed || x.Status != 200 || (x.Err == nil) != (len(x.Body) > 0) {
				t.Errorf("cause %q, %d bytes, %v", x.Cause(), len(x.Body), x.Err)
			}
		})
	}
}
