package refundcore

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/gateway/dispatch"
)

const callbackBody = `{"event_id":"ev-1","reference":"RF0123456789ABCDEF","core_reference":"GC-778","state":"refunded","at":"2026-03-05T06:10:00Z"}`

// callback is a request as the core makes it.
func callback(t testing.TB, url, body, nonce string) *http.Request {
	r := httptest.NewRequest("POST", url, strings.NewReader(body))
	signed, err := http.NewRequest("POST", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	signer{"core-1", testKey(t)}.sign(signed, []byte(body), stamp{time.Now(), nonce})
	r.Header = signed.Header
	return r
}

const callbackURL = "https://gateway.example/core/callbacks"

func TestCallback(t *testing.T) {
	client := newClient(t, testConfig(t, "https://core.example"))
	got, err := client.VerifyCallback(callback(t, callbackURL, callbackBody, "n-1"), []byte(callbackBody))
	want := Callback{
		EventID: "ev-1", Reference: "RF0123456789ABCDEF", CoreReference: "GC-778",
		State: dispatch.CoreRefunded, At: time.Date(2026, 3, 5, 6, 10, 0, 0, time.UTC),
	}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	unheard := strings.Replace(callbackBody, "refunded", "melted", 1)
	if got, err := client.VerifyCallback(callback(t, callbackURL, unheard, "n-2"), []byte(unheard)); err != nil ||
		got.State != "" {
		t.Errorf("a state unheard of is a hint all the same: %+v, %v", got, err)
	}
}

func TestCallbacksThatAreNotAccepted(t *testing.T) {
	for name, spoil := range map[string]func(r *http.Request, body *string){
		"another body":      func(_ *http.Request, body *string) { *body = strings.Replace(*body, "ev-1", "ev-2", 1) },
		"another path":      func(r *http.Request, _ *string) { r.URL.Path = "/elsewhere" },
		"another query":     func(r *http.Request, _ *string) { r.URL.RawQuery = "x=1" },
		"another host":      func(r *http.Request, _ *string) { r.Host = "other.example" },
		"another method":    func(r *http.Request, _ *string) { r.Method = "PUT" },
		"unsigned":          func(r *http.Request, _ *string) { r.Header.Del("Signature") },
		"of a stand-in":     func(r *http.Request, _ *string) { r.Header.Set("Refund-Core", "sandbox") },
		"signed as answer":  func(r *http.Request, _ *string) { r.Header = vectorExchange().Header },
		"by another's hand": func(r *http.Request, _ *string) { resign(t, r, "bank-80", callbackBody, time.Now()) },
		"too old": func(r *http.Request, _ *string) {
			resign(t, r, "core-1", callbackBody, time.Now().Add(-62*time.Second))
		},
		"not JSON": func(r *http.Request, body *string) { *body = "[]"; resign(t, r, "core-1", *body, time.Now()) },
		"no event": func(r *http.Request, body *string) {
			*body = strings.Replace(*body, `"event_id":"ev-1",`, ``, 1)
			resign(t, r, "core-1", *body, time.Now())
		},
		"no reference of ours": func(r *http.Request, body *string) {
			*body = strings.Replace(*body, "RF0123456789ABCDEF", "../etc/passwd", 1)
			resign(t, r, "core-1", *body, time.Now())
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t, "https://core.example")
			cfg.RefuseSandbox = true
			body := callbackBody
			r := callback(t, callbackURL, body, "n-1")
			spoil(r, &body)
			if got, err := newClient(t, cfg).VerifyCallback(r, []byte(body)); !errors.Is(err, ErrCallback) ||
				got != (Callback{}) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func resign(t *testing.T, r *http.Request, keyID, body string, at time.Time) {
	signed, err := http.NewRequest("POST", callbackURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	signer{keyID, testKey(t)}.sign(signed, []byte(body), stamp{at, "n-1"})
	r.Header = signed.Header
}

// TestCallbackBehindAProxy: by configuration the authority is what the core was told, whatever the proxy makes of it,
// and a callback that the core meant for somebody else isn't ours.
func TestCallbackBehindAProxy(t *testing.T) {
	cfg := testConfig(t, "https://core.example")
	cfg.CallbackAuthority = "Gateway.example"
	client := newClient(t, cfg)
	r := callback(t, callbackURL, callbackBody, "n-1")
	r.Host = "10.0.0.7:8080"
	if _, err := client.VerifyCallback(r, []byte(callbackBody)); err != nil {
		t.Errorf("rewritten by the proxy: %v", err)
	}
	r = callback(t, "https://bank-20.example/core/callbacks", callbackBody, "n-2")
	if _, err := client.VerifyCallback(r, []byte(callbackBody)); !errors.Is(err, ErrCallback) {
		t.Errorf("meant for another bank: %v", err)
	}
}

// TestCallbackAtADefaultPort: the port that a scheme has by default is not part of what the core signs, whoever adds it on
// the way (RFC 9421 §2.2.3). Another port is.
func TestCallbackAtADefaultPort(t *testing.T) {
	for i, test := range []struct {
		configured, host string
		want             bool
	}{
		{"", "gateway.example", true},
		{"", "Gateway.Example:443", true},
		{"", "gateway.example:80", true},
		{"", "gateway.example:8443", false},
		{"Gateway.example:443", "10.0.0.7:8080", true},
		{"gateway.example:80", "10.0.0.7:8080", true},
		{"gateway.example:8443", "gateway.example", false},
	} {
		cfg := testConfig(t, "https://core.example")
		cfg.CallbackAuthority = test.configured
		r := callback(t, callbackURL, callbackBody, fmt.Sprint("n-", i))
		r.Host = test.host
		if _, err := newClient(t, cfg).VerifyCallback(r, []byte(callbackBody)); (err == nil) != test.want {
			t.Errorf("configured %q, sent to %q: %v", test.configured, test.host, err)
		}
	}
}

func TestNonceIsAcceptedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, testConfig(t, "https://core.example"))
		verify := func(r *http.Request) error {
			_, err := client.VerifyCallback(r, []byte(callbackBody))
			return err
		}
		first := callback(t, callbackURL, callbackBody, "n-1")
		forged := callback(t, callbackURL, callbackBody, "n-1")
		forged.Header.Set("Signature", vectorSignature)
		if err := verify(forged); err == nil {
			t.Error("forged")
		}
		if err := verify(first); err != nil {
			t.Errorf("a forgery burnt the nonce: %v", err)
		}
		for range 240 { // until long after the signature lapsed
			if err := verify(first); !errors.Is(err, ErrCallback) {
				t.Fatal("accepted twice")
			}
			time.Sleep(time.Second)
		}
		if err := verify(callback(t, callbackURL, callbackBody, "n-2")); err != nil {
			t.Errorf("another nonce: %v", err)
		}
	})
}

func TestNoncesAreBounded(t *testing.T) {
	var n nonces
	now := time.Unix(1772690400, 0)
	for i := range noncesMax {
		if !n.first(fmt.Sprint(i), now) {
			t.Fatalf("number %d refused", i)
		}
	}
	if n.first("one more", now) {
		t.Error("grows without bound")
	}
	now = now.Add(nonceMemory)
	if n.first("0", now) {
		t.Error("forgot one within two generations")
	}
	if !n.first("one more", now) {
		t.Error("never recovers")
	}
	if now = now.Add(2 * nonceMemory); !n.first("0", now) || len(n.previous) != 0 {
		t.Error("never forgets")
	}
}

// FuzzCallback: nothing without the core's signature is a callback, and nothing panics.
func FuzzCallback(f *testing.F) {
	f.Add(callbackBody, vectorInput, vectorSignature)
	f.Add(`{}`, vectorAnswerInput, "")
	f.Fuzz(func(t *testing.T, body, input, signature string) {
		client := newClient(t, testConfig(t, "https://core.example"))
		r := httptest.NewRequest("POST", callbackURL, nil)
		r.Header = http.Header{
			"Content-Digest": {digest([]byte(body))}, "Signature-Input": {input}, "Signature": {signature},
		}
		if got, err := client.VerifyCallback(r, []byte(body)); !errors.Is(err, ErrCallback) {
			t.Fatalf("%+v", got)
		}
		if got, err := readCallback([]byte(body)); err == nil && (!plain(got.EventID) || !isReference(got.Reference)) {
			t.Fatalf("%+v", got)
		}
	})
}
