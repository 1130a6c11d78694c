package refundcore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/internal/outbound"
)

// torn hijacks the connection, writes what is given, and resets it or closes it in order.
func torn(write string, reset bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		fmt.Fprint(conn, write)
		if tcp, ok := conn.(*net.TCPConn); ok && reset {
			if err := tcp.SetLinger(0); err != nil { // closing then sends RST
				panic(err)
			}
		}
		conn.Close()
	}
}

// TestFaultsInPairs makes each fault happen before and after the effect. Nobody can tell the two apart from here, so
// both must come out alike: unknown, after exactly one request.
func TestFaultsInPairs(t *testing.T) {
	core := newFakeCore(t, nil)
	good := bodies["refunded"]
	head := "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
	plain := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); fmt.Fprint(w, body) }
	}
	faults := []struct {
		name, cause string
		act         http.HandlerFunc
	}{
		{"reset before an answer", outbound.CauseBroken, torn("", true)},
		{"closed before an answer", outbound.CauseBroken, torn("", false)},
		{"reset in the header", outbound.CauseBroken, torn("HTTP/1.1 200 OK\r\nContent-Le", true)},
		{"reset in the body", outbound.CauseBroken, torn(head+good[:40], true)},
		{"closed in the body", outbound.CauseBroken, torn(head+good[:40], false)},
		{"not HTTP", outbound.CauseBroken, torn("SA1280000555608000000003\r\n\r\n", false)},
		{"reset after a whole, unsigned answer", causeSignature,
			torn("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", false)},
		{"500", outbound.CauseServerError, plain(500, good)},
		{"503", outbound.CauseUnavailable, plain(503, good)},
		{"429", outbound.CauseRateLimited, plain(429, good)},
		{"401", outbound.CauseDenied, core.says(401, good)},
		{"a redirect", outbound.CauseRedirect, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", r.RequestURI)
			core.says(307, good)(w, r)
		}},
		{"unsigned", causeSignature, plain(200, good)},
		{"an unsigned refusal", causeSignature, plain(422, bodies["fee_consumed"])},
		{"an unsigned 404", causeSignature, plain(404, bodies["unknown_reference"])},
		{"HTML with 200", causeSignature, plain(200, "<html>OK</html>")},
		{"no body", causeSignature, plain(204, "")},
		{"malformed, signed", causeMalformed, core.says(200, good[:60])},
		{"of another refund, signed", causeMismatch, core.says(200, bodies["another reference"])},
		{"an unheard-of state, signed", causeState, core.says(200, bodies["state unheard of"])},
		{"signed over another status", causeSignature, func(w http.ResponseWriter, r *http.Request) {
			core.signed(w.Header(), r, 201, good)
			fmt.Fprint(w, good)
		}},
		{"packed", causeMalformed, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			core.says(200, "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x01\x00\x00\xff\xff")(w, r)
		}},
		{"huge", outbound.CauseOversize, func(w http.ResponseWriter, r *http.Request) {
			core.says(200, good+strings.Repeat(" ", 1<<20))(w, r)
		}},
		{"endless", outbound.CauseOversize, func(w http.ResponseWriter, _ *http.Request) {
			for chunk := make([]byte, 1<<16); ; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}},
		{"header without end", outbound.CauseBroken, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<17))
			core.says(200, good)(w, r)
		}},
	}
	base := onLoopback(t, core)
	effects := 0
	for _, fault := range faults {
		for _, after := range []bool{false, true} {
			name := fault.name + ", no effect"
			if after {
				name = fault.name + ", after the effect"
			}
			t.Run(name, func(t *testing.T) {
				client := newClient(t, testConfig(t, base)) // and so a closed breaker
				core.now(func(w http.ResponseWriter, r *http.Request) {
					if after {
						effects++
					}
					fault.act(w, r)
				})
				before := len(core.received())
				answer, err := client.Submit(t.Context(), vectorRefund(t))
				var unknown *gateway.UnknownError
				if !errors.As(err, &unknown) || unknown.Cause != fault.cause || answer.State != "" {
					t.Errorf("%+v, %v; want unknown, %s", answer, err, fault.cause)
				}
				if n := len(core.received()) - before; n != 1 {
					t.Errorf("%d requests", n)
				}
			})
		}
	}
	if effects != len(faults) {
		t.Errorf("%d effects of %d", effects, len(faults))
	}
}

// TestDyingConnectionIsNotReplayed lets a kept connection die under the second request. Once more would be a send that
// nobody wrote down, or a question with a nonce that the core has seen.
func TestDyingConnectionIsNotReplayed(t *testing.T) {
	refund := vectorRefund(t)
	for name, call := range map[string]func(*Client) (dispatch.Answer, error){
		"submit": func(c *Client) (dispatch.Answer, error) { return c.Submit(t.Context(), refund) },
		"status": func(c *Client) (dispatch.Answer, error) { return c.Status(t.Context(), refund) },
	} {
		t.Run(name, func(t *testing.T) {
			core := newFakeCore(t, nil)
			core.now(core.says(200, bodies["pending"]))
			client := newClient(t, testConfig(t, onLoopback(t, core)))
			if _, err := call(client); err != nil {
				t.Fatal(err)
			}
			core.now(torn("", false))
			var unknown *gateway.UnknownError
			if _, err := call(client); !errors.As(err, &unknown) || unknown.Cause != outbound.CauseBroken {
				t.Errorf("%v", err)
			}
			if n := len(core.received()); n != 2 {
				t.Errorf("%d requests for 2 calls", n)
			}
		})
	}
}

func TestNotSent(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	shut := listener.Addr().String()
	listener.Close()
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	nobody := testConfig(t, "http://core.example")
	nobody.Dial = func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "core.example", IsNotFound: true}
	}
	for name, cfg := range map[string]Config{
		"refused":          testConfig(t, "http://"+shut),
		"no such host":     nobody,
		"untrusted":        testConfig(t, untrusted.URL),
		"not speaking TLS": testConfig(t, strings.Replace(onLoopback(t, http.NotFoundHandler()), "http:", "https:", 1)),
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, cfg)
			for range 5 {
				if _, err := client.Submit(t.Context(), vectorRefund(t)); word(dispatch.Answer{}, err) != "not sent" ||
					errors.Is(err, gateway.ErrCutOff) {
					t.Fatalf("%v", err)
				}
			}
			if _, err := client.Submit(t.Context(), vectorRefund(t)); !errors.Is(err, gateway.ErrCutOff) {
				t.Errorf("the breaker didn't count them: %v", err)
			}
		})
	}
}

// TestSilence holds the deadline against every place where the other side can fall silent.
func TestSilence(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	drip := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		for r.Context().Err() == nil {
			if _, err := w.Write([]byte(" ")); err != nil {
				return
			}
			if err := http.NewResponseController(w).Flush(); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	}
	for _, test := range []struct {
		name, want string
		act        http.HandlerFunc
		noDial     bool
	}{
		{"no answer", "unknown", hang, false},
		{"a byte a second", "unknown", drip, false},
		{"no connection", "not sent", nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := inMemory(t, newFakeCore(t, test.act))
				if test.noDial {
					cfg.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
						<-ctx.Done()
						return nil, ctx.Err()
					}
				}
				client := newClient(t, cfg)
				began := time.Now()
				_, err := client.Submit(t.Context(), vectorRefund(t))
				if got := word(dispatch.Answer{}, err); got != test.want || time.Since(began) != 10*time.Second {
					t.Errorf("submit: %s (%v) after %s", got, err, time.Since(began))
				}
				var unknown *gateway.UnknownError
				if errors.As(err, &unknown) && unknown.Cause != outbound.CauseTimeout {
					t.Errorf("cause %s", unknown.Cause)
				}
				began = time.Now()
				_, err = client.Status(t.Context(), vectorRefund(t))
				if got := word(dispatch.Answer{}, err); got != test.want || time.Since(began) != 5*time.Second {
					t.Errorf("status: %s (%v) after %s", got, err, time.Since(began))
				}
			})
		})
	}
}

// TestNothingPersonalIsSaid has the other side repeat in odd places what it was sent.
func TestNothingPersonalIsSaid(t *testing.T) {
	var log bytes.Buffer
	core := newFakeCore(t, nil)
	base := onLoopback(t, core)
	const secret = `SA1280000555608000000003 2900000015`
	for _, act := range []http.HandlerFunc{
		torn(secret+"\r\n\r\n", false),
		torn("HTTP/1.1 200 OK\r\n"+secret+"\r\n\r\n", false),
		torn("HTTP/1.1 200 OK\r\nContent-Length: "+secret+"\r\n\r\n", false),
		torn("HTTP/1.1 302 OK\r\nLocation: http://%zz"+secret+"\r\nContent-Length: 0\r\n\r\n", false),
		core.says(200, vectorBody),
		core.says(200, `{"reference":`+secret),
		core.says(422, `{"reference":"`+secret+`","request_id":"rq-0001","code":"`+secret+`","final":true}`),
		core.says(200, bodies["another account"]),
		func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Signature-Input", secret)
			w.Header().Set("Retry-After", secret)
			fmt.Fprint(w, secret)
		},
	} {
		core.now(act)
		cfg := testConfig(t, base)
		cfg.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		_, err := newClient(t, cfg).Submit(t.Context(), vectorRefund(t))
		for ; err != nil; err = errors.Unwrap(err) {
			log.WriteString(err.Error() + "\n")
		}
	}
	for _, part := range strings.Fields(secret) {
		if strings.Contains(log.String(), part) {
			t.Errorf("%s was said:\n%s", part, log.String())
		}
	}
	if n := strings.Count(log.String(), "outcome unknown"); n != 9 {
		t.Errorf("%d of 9 outcomes in the log", n)
	}
}
