package refundcore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/internal/outbound"
)

func TestSubmitSendsTheSameBytesEachTime(t *testing.T) {
	core := newFakeCore(t, nil)
	core.now(core.says(201, bodies["pending"]))
	client := newClient(t, testConfig(t, onLoopback(t, core)))
	for range 2 {
		answer, err := client.Submit(t.Context(), vectorRefund(t))
		want := dispatch.Answer{State: dispatch.CorePending, CoreReference: "GC-778"}
		if answer.Exchange = nil; err != nil || answer != want {
			t.Fatalf("%+v, %v", answer, err)
		}
	}
	for _, got := range core.received() {
		if got.method != "POST" || got.uri != "/core/v1/refunds" || got.body != vectorBody {
			t.Errorf("%s %s %s", got.method, got.uri, got.body)
		}
		if got.header.Get("Accept-Encoding") != "" || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("header %v", got.header)
		}
	}
}

func TestCalls(t *testing.T) {
	refund := vectorRefund(t)
	closed, frozen, strange := refund, refund, refund
	closed.CreditRefusal, frozen.CreditRefusal, strange.CreditRefusal = "account_closed", "account_frozen", "no_account"
	core := newFakeCore(t, nil)
	client := newClient(t, testConfig(t, onLoopback(t, core)))
	status := func() (dispatch.Answer, error) { return client.Status(t.Context(), refund) }
	submit := func() (dispatch.Answer, error) { return client.Submit(t.Context(), refund) }
	giveBack := func() (dispatch.Answer, error) { return client.Return(t.Context(), closed) }
	for _, test := range []struct {
		name   string
		call   func() (dispatch.Answer, error)
		status int
		body   string
		want   string
		sent   string
	}{
		{"released at once", submit, 200, "refunded", "answer refunded", "POST /core/v1/refunds " + vectorBody},
		{"refused", submit, 422, "fee_consumed", "refusal fee_consumed", ""},
		{"refunded elsewhere", submit, 409, "refunded at a bank", "refusal already_refunded bank " + other, ""},
		{"reused", submit, 409, "reference_reused", "reused", ""},
		{"status", status, 200, "rejected", "answer rejected fee_consumed", "GET /core/v1/refunds/RF0123456789ABCDEF "},
		{"status of none", status, 404, "unknown_reference", "unknown reference", ""},
		{"return", giveBack, 200, "returned", "answer returned", `POST /core/v1/refunds/RF0123456789ABCDEF/return {"reason":"AC04"}`},
		{"return of a frozen account", func() (dispatch.Answer, error) { return client.Return(t.Context(), frozen) },
			200, "returned", "answer returned", `POST /core/v1/refunds/RF0123456789ABCDEF/return {"reason":"AC06"}`},
		{"return of what wasn't released", giveBack, 409, "not_refunded", "not refunded", ""},
		{"return for no known reason", func() (dispatch.Answer, error) { return client.Return(t.Context(), strange) },
			200, "returned", "not sent", "nothing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			core.now(core.says(test.status, bodies[test.body]))
			before := len(core.received())
			if got := word(test.call()); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			sent := core.received()[before:]
			if test.sent == "nothing" {
				if len(sent) != 0 {
					t.Errorf("sent %+v", sent)
				}
				return
			}
			if line := sent[0].method + " " + sent[0].uri + " " + sent[0].body; len(sent) != 1 ||
				(test.sent != "" && line != test.sent) {
				t.Errorf("sent %q, want %q", line, test.sent)
			}
		})
	}
}

func TestCallerThatLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core := newFakeCore(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		client := newClient(t, inMemory(t, core))
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		var unknown *gateway.UnknownError
		if _, err := client.Submit(ctx, vectorRefund(t)); !errors.As(err, &unknown) || unknown.Cause != outbound.CauseCallerLeft {
			t.Errorf("under way: %v", err)
		}
		if _, err := client.Submit(ctx, vectorRefund(t)); word(dispatch.Answer{}, err) != "not sent" {
			t.Errorf("before it began: %v", err)
		}
		if n := len(core.received()); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestSandboxIsRefusedInProduction(t *testing.T) {
	core := newFakeCore(t, nil)
	core.now(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Refund-Core", "sandbox")
		core.says(200, bodies["refunded"])(w, r)
	})
	cfg := testConfig(t, onLoopback(t, core))
	if _, err := newClient(t, cfg).Submit(t.Context(), vectorRefund(t)); err != nil {
		t.Errorf("outside of production: %v", err)
	}
	cfg.RefuseSandbox = true
	var unknown *gateway.UnknownError
	if _, err := newClient(t, cfg).Submit(t.Context(), vectorRefund(t)); !errors.As(err, &unknown) ||
		unknown.Cause != outbound.CauseSandbox {
		t.Errorf("in production: %v", err)
	}
}

func TestTLSWithClientCertificate(t *testing.T) {
	core := newFakeCore(t, nil)
	var protocol atomic.Value
	core.now(func(w http.ResponseWriter, r *http.Request) {
		protocol.Store(r.Proto)
		core.says(201, bodies["pending"])(w, r)
	})
	server := httptest.NewUnstartedServer(core)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())

	cfg := testConfig(t, server.URL)
	cfg.TLS = &tls.Config{RootCAs: roots, Certificates: server.TLS.Certificates}
	if _, err := newClient(t, cfg).Submit(t.Context(), vectorRefund(t)); err != nil {
		t.Fatal(err)
	}
	if got := protocol.Load(); got != "HTTP/1.1" {
		t.Errorf("spoke %v", got)
	}
	cfg.TLS = &tls.Config{RootCAs: roots}
	if _, err := newClient(t, cfg).Submit(t.Context(), vectorRefund(t)); err == nil {
		t.Error("accepted without a certificate")
	}
}

func TestConfigThatCannotBe(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"no base URL":       func(c *Config) { c.BaseURL = "" },
		"base URL is junk":  func(c *Config) { c.BaseURL = "http://%zz" },
		"another scheme":    func(c *Config) { c.BaseURL = "ftp://core.example" },
		"a path":            func(c *Config) { c.BaseURL = "https://core.example/core/v1" },
		"a query":           func(c *Config) { c.BaseURL = "https://core.example?x=1" },
		"a password":        func(c *Config) { c.BaseURL = "https://me:pw@core.example" },
		"no key id":         func(c *Config) { c.KeyID = "" },
		"key id with quote": func(c *Config) { c.KeyID = `a"b` },
		"no key":            func(c *Config) { c.Key = nil },
		"no key of theirs":  func(c *Config) { c.CoreKeys = nil },
		"half a key":        func(c *Config) { c.CoreKeys["core-1"] = c.CoreKeys["core-1"][:16] },
		"negative bulkhead": func(c *Config) { c.Bulkhead = -1 },
		"negative window":   func(c *Config) { c.Breaker.Window = -1 },
		"share above all":   func(c *Config) { c.Breaker.FailuresPct = 101 },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t, "https://core.example")
			spoil(&cfg)
			if _, err := New(cfg); err == nil || strings.Contains(err.Error(), "pw") {
				t.Errorf("got %v", err)
			}
		})
	}
	for base, authority := range map[string]string{
		"https://Core.Example:443/": "core.example",
		"http://core.example:80":    "core.example",
		"http://core.example:443":   "core.example:443",
		"https://[::1]:8443":        "[::1]:8443",
	} {
		if c := newClient(t, testConfig(t, base)); c.base.Host != authority {
			t.Errorf("%s: authority %s, want %s", base, c.base.Host, authority)
		}
	}
}
