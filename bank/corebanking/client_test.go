package corebanking_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/bank/corebanking"
	"github.com/istirdad/istirdad/internal/outbound/outboundtest"
)

func TestConfig(t *testing.T) {
	for _, url := range []string{"", "bank.example", "ftp://bank.example", "https://", "https://u:p@bank.example", "https://bank.example?x", "https://bank.example#x", "https://bank.example\x00"} {
		if _, err := corebanking.New(corebanking.Config{URL: url}); err == nil {
			t.Errorf("%q was taken", url)
		}
	}
	if _, err := corebanking.New(corebanking.Config{URL: "https://bank.example", Timeout: -1}); err == nil {
		t.Error("a timeout below zero was taken")
	}
	for _, under := range []string{"", "/", "/systems", "/systems/"} {
		var path string
		server := serve(t, func(_ http.ResponseWriter, r *http.Request) { path = r.RequestURI })
		_, _ = client(t, corebanking.Config{URL: server.URL + under}).Posting(t.Context(), refund(t))
		if want := strings.TrimSuffix(under, "/") + "/bank/v1/credits/" + reference; path != want {
			t.Errorf("under %q: %s, want %s", under, path, want)
		}
	}
}

// TestNotSent: these, and nothing else, prove that no byte left.
func TestNotSent(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it arrived") }))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("it arrived") })
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, row := range map[string]struct {
		ctx context.Context
		cfg corebanking.Config
	}{
		"connection refused":     {t.Context(), corebanking.Config{URL: closed.URL}},
		"unknown authority":      {t.Context(), corebanking.Config{URL: secure.URL}},
		"caller gone beforehand": {gone, corebanking.Config{URL: plain.URL}},
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, row.cfg)
			for range 2 {
				if got := outcome(t)(c.Post(row.ctx, refund(t))); got != "not sent" {
					t.Errorf("Post: %s", got)
				}
				if got := outcome(t)(c.Posting(row.ctx, refund(t))); got != "not sent" {
					t.Errorf("Posting: %s", got)
				}
			}
		})
	}
}

// TestBroken: from the moment a connection has the request, whatever happens is unknown.
func TestBroken(t *testing.T) {
	for name, answer := range map[string]string{
		"closed unanswered": "",
		"body cut short":    "HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n" + posted,
		"no HTTP":           "Sentinel " + iban + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			url := outboundtest.Raw(t, func(conn *net.TCPConn, _ int) bool {
				fmt.Fprint(conn, answer)
				return false
			})
			c := client(t, corebanking.Config{URL: url})
			if got := outcome(t)(c.Post(t.Context(), refund(t))); got != "unknown: broken" {
				t.Errorf("Post: %s", got)
			}
			if got := outcome(t)(c.Posting(t.Context(), refund(t))); got != "unknown: broken" {
				t.Errorf("Posting: %s", got)
			}
		})
	}
}

// TestNoReplay: a kept connection that dies under a POST must not make net/http send it again.
func TestNoReplay(t *testing.T) {
	var requests atomic.Int32
	url := outboundtest.Raw(t, func(conn *net.TCPConn, nth int) bool {
		requests.Add(1)
		if nth > 0 {
			return false // read whole, and dies before a byte of the answer
		}
		fmt.Fprint(conn, "HTTP/1.1 201 Created\r\nContent-Length: "+length(posted)+"\r\n\r\n"+posted)
		return true
	})
	c := client(t, corebanking.Config{URL: url})
	for range 5 {
		if got := outcome(t)(c.Post(t.Context(), refund(t))); got != "posted LG0000000001" {
			t.Fatalf("on a new connection: %s", got)
		}
		if got := outcome(t)(c.Post(t.Context(), refund(t))); got != "unknown: broken" {
			t.Fatalf("on the kept one: %s", got)
		}
	}
	if n := requests.Load(); n != 10 {
		t.Errorf("%d requests for 10 calls", n)
	}
}

func TestClientCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) == 1 {
			fmt.Fprint(w, posted)
		}
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	given := &tls.Config{RootCAs: roots, Certificates: server.TLS.Certificates, MinVersion: tls.VersionTLS12} // the server's own will do
	c := client(t, corebanking.Config{URL: server.URL, TLS: given})
	if got := outcome(t)(c.Post(t.Context(), refund(t))); got != "posted LG0000000001" {
		t.Error(got)
	}
}

// TestDeadline: a call ends when its time is up, wherever it stands then.
func TestDeadline(t *testing.T) {
	for name, row := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"silence":           {silence, "unknown: timeout"},
		"half an answer":    {halfAnswer, "unknown: timeout"},
		"a dial that hangs": {nil, "not sent"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := client(t, corebanking.Config{URL: "http://bank.example", Timeout: 3 * time.Second, Dial: outboundtest.Dial(t, row.handler)})
				began := time.Now()
				if got := outcome(t)(c.Post(t.Context(), refund(t))); got != row.want {
					t.Errorf("%s, want %s", got, row.want)
				}
				if took := time.Since(began); took != 3*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

func TestDefaultDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(t, corebanking.Config{URL: "http://bank.example", Dial: outboundtest.Dial(t, silence)})
		began := time.Now()
		_, err := c.Customer(t.Context(), "p01")
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != 5*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func TestCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := client(t, corebanking.Config{URL: "http://bank.example", Dial: outboundtest.Dial(t, silence)})
		time.AfterFunc(time.Second, cancel)
		if got := outcome(t)(c.Post(ctx, refund(t))); got != "unknown: caller_left" {
			t.Error(got)
		}
	})
}

// silence holds the caller until it gives up.
func silence(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // a server only sees its caller leave once the body is read
	<-r.Context().Done()
}

// halfAnswer begins to answer, and is silent then.
func halfAnswer(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusCreated)
	fmt.Fprint(w, posted[:20])
	w.(http.Flusher).Flush()
	silence(w, r)
}
