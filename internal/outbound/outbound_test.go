package outbound_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/istirdad/istirdad/internal/outbound"
)

func TestWholeAnswers(t *testing.T) {
	var got string
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		got = fmt.Sprint(r.Method, " ", string(body), " ", r.ContentLength, " ", r.TransferEncoding, " ", r.Proto,
			" ", r.Header.Get("Accept-Encoding"), err)
		w.Header().Set("X", "y")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, "short and stout")
	})
	c := client(t, outbound.Config{})
	for _, test := range []struct{ method, body, want string }{
		{"POST", "{}", "POST {} 2 [] HTTP/1.1 <nil>"},
		{"PUT", "{}", "PUT {} 2 [] HTTP/1.1 <nil>"},
		{"GET", "", "GET  0 [] HTTP/1.1 <nil>"},
		{"DELETE", "", "DELETE  0 [] HTTP/1.1 <nil>"},
		{"POST", "", "POST  -1 [chunked] HTTP/1.1 <nil>"},
	} {
		x := do(t, t.Context(), c, test.method, base, []byte(test.body))
		if word(x) != "418 short and stout" || x.Header.Get("X") != "y" {
			t.Errorf("%s: %+v", test.method, x)
		}
		if got != test.want {
			t.Errorf("sent %q, want %q", got, test.want)
		}
	}
}

// TestRequestIsNotChanged: neither its context nor its body, which may be there to be read again by others.
func TestRequestIsNotChanged(t *testing.T) {
	base := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	gone, leave := context.WithCancel(t.Context())
	leave()
	req, err := http.NewRequestWithContext(gone, "POST", base, strings.NewReader("its own"))
	if err != nil {
		t.Fatal(err)
	}
	if x := client(t, outbound.Config{}).Do(t.Context(), req, []byte("ours")); word(x) != "200 ours" {
		t.Errorf("%+v", x)
	}
	if body, err := io.ReadAll(req.Body); err != nil || string(body) != "its own" || req.GetBody == nil || req.ContentLength != 7 {
		t.Errorf("%q, %v", body, err)
	}
}

// TestNotHanded: these, and nothing else, prove that no byte of a request left.
func TestNotHanded(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	shut := "http://" + listener.Addr().String()
	listener.Close()
	arrived := func(http.ResponseWriter, *http.Request) { t.Error("it arrived") }
	plain := serve(t, arrived)
	untrusted, _ := serveTLS(t, arrived, nil)
	old, oldRoots := serveTLS(t, arrived, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	strict, strictRoots := serveTLS(t, arrived, &tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12})
	other, otherRoots := serveTLS(t, arrived, nil)
	gone, leave := context.WithCancel(t.Context())
	leave()
	nobody := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: canary, IsNotFound: true}
	}
	for name, test := range map[string]struct {
		ctx  context.Context
		cfg  outbound.Config
		base string
		says string // in the error, for whoever reads the log
	}{
		"connection refused": {t.Context(), outbound.Config{}, shut, "refused"},
		"no such host":       {t.Context(), outbound.Config{Dial: nobody}, "http://" + canary + ".example", "resolve"},
		"unknown authority":  {t.Context(), outbound.Config{}, untrusted, "isn't trusted"},
		"another's name": {t.Context(), outbound.Config{TLS: &tls.Config{RootCAs: otherRoots, ServerName: canary + ".example"}},
			other, "isn't trusted"},
		"expired":            {t.Context(), outbound.Config{TLS: &tls.Config{RootCAs: otherRoots, Time: nextCentury}}, other, "expired"},
		"not TLS":            {t.Context(), outbound.Config{}, strings.Replace(plain, "http:", "https:", 1), "TLS"},
		"TLS 1.1":            {t.Context(), outbound.Config{TLS: &tls.Config{RootCAs: oldRoots, MinVersion: tls.VersionTLS10}}, old, "version"},
		"our certificate":    {t.Context(), outbound.Config{TLS: &tls.Config{RootCAs: strictRoots}}, strict, "handshake"},
		"caller gone before": {gone, outbound.Config{}, plain, "left"},
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, test.cfg)
			for _, method := range []string{"POST", "GET"} {
				x := do(t, test.ctx, c, method, test.base, []byte(canary))
				if word(x) != "not sent" || !strings.Contains(x.Err.Error(), test.says) {
					t.Errorf("%s: %s, %v; want it to say %q", method, word(x), x.Err, test.says)
				}
			}
		})
	}
	if x := do(t, t.Context(), client(t, outbound.Config{}), "GET", shut, nil); !errors.Is(x.Err, syscall.ECONNREFUSED) {
		t.Errorf("%#v", x.Err)
	}
	impossible, err := http.NewRequest("GET", plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	impossible.Header.Set("Authorization", canary+"\n")
	x := client(t, outbound.Config{}).Do(t.Context(), impossible, nil)
	if checkSilent(t, plain, x.Err); word(x) != "not sent" {
		t.Errorf("a header that can't be: %+v", x)
	}
}

// nextCentury is a clock by which every certificate has expired.
func nextCentury() time.Time { return time.Date(2126, 3, 5, 6, 0, 0, 0, time.UTC) }

// serveTLS returns the roots that trust it, too.
func serveTLS(t *testing.T, handler http.HandlerFunc, cfg *tls.Config) (base string, roots *x509.CertPool) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.EnableHTTP2 = true
	server.TLS = cfg
	server.StartTLS()
	t.Cleanup(server.Close)
	roots = x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return server.URL, roots
}

// TestTLS: our certificate is shown, HTTP/2 isn't spoken though it is offered, and the caller's configuration stays as
// it was.
func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto, " ", len(r.TLS.PeerCertificates))
	}))
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	given := &tls.Config{ // the server's own certificate will do
		RootCAs: roots, Certificates: server.TLS.Certificates, MinVersion: tls.VersionTLS10, NextProtos: []string{"h2"},
	}
	if x := do(t, t.Context(), client(t, outbound.Config{TLS: given}), "GET", server.URL, nil); word(x) != "200 HTTP/1.1 1" {
		t.Errorf("%s, %v", word(x), x.Err)
	}
	if given.MinVersion != tls.VersionTLS10 || !slices.Equal(given.NextProtos, []string{"h2"}) {
		t.Error("the caller's own configuration was changed")
	}
}

func TestNoProxyOfTheEnvironment(t *testing.T) {
	c := client(t, outbound.Config{Dial: func(_ context.Context, _, address string) (net.Conn, error) {
		if address != "bank.example:80" && address != "bank.example:443" {
			t.Errorf("dialled %s", address)
		}
		return nil, syscall.ECONNREFUSED
	}})
	for _, scheme := range []string{"http", "https"} {
		x := do(t, t.Context(), c, "POST", scheme+"://bank.example", nil)
		if word(x) != "not sent" || proxied.Load() != 0 {
			t.Errorf("%s; %d requests reached the proxy", word(x), proxied.Load())
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var elsewhere, here atomic.Int32
	target := serve(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	for _, location := range []string{target, "/elsewhere", "http://%zz" + canary, ""} {
		for _, status := range []int{300, 301, 302, 303, 304, 307, 308} {
			base := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				here.Add(1)
				w.Header().Set("Location", location)
				w.WriteHeader(status)
			})
			c := client(t, outbound.Config{})
			for _, method := range []string{"GET", "POST"} {
				if x := do(t, t.Context(), c, method, base, []byte("{}")); x.Err != nil || word(x) != outbound.CauseRedirect {
					t.Errorf("%s %d: %+v", method, status, x)
				}
			}
			resp, err := (&http.Client{Transport: c}).Get(base)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != status {
				t.Errorf("an http.Client got %d of %d", resp.StatusCode, status)
			}
		}
	}
	if here.Load() != 4*7*3 || elsewhere.Load() != 0 {
		t.Errorf("%d requests, and %d elsewhere", here.Load(), elsewhere.Load())
	}
}

// TestUnderAnHTTPClient: what libraries get.
func TestUnderAnHTTPClient(t *testing.T) {
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PUT" {
			w.Header().Set("Content-Length", "100")
		}
		_, _ = io.Copy(w, r.Body)
	})
	c := client(t, outbound.Config{})
	library := &http.Client{Transport: c}
	resp, err := library.Post(base, "text/plain", strings.NewReader("echo"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "echo" || resp.StatusCode != 200 || resp.ContentLength != 4 || resp.Request.Method != "POST" {
		t.Errorf("%q, %v, %+v", body, err, resp)
	}
	req, err := http.NewRequest("PUT", base, bytes.NewReader(nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.RoundTrip(req); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half an answer: %v", err)
	}
	library.CloseIdleConnections()
}
