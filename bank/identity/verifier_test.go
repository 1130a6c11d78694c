package identity_test

import (
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/bank/identity"
)

func TestConfig(t *testing.T) {
	for _, url := range []string{"", "issuer.example", "ftp://issuer.example", "https://", "https://u:p@issuer.example", "https://issuer.example?x", "https://issuer.example#x"} {
		if _, err := identity.New(identity.Config{Issuer: url}); err == nil {
			t.Errorf("%q was taken", url)
		}
	}
	if _, err := identity.New(identity.Config{Issuer: issuerURL, Timeout: -1}); err == nil {
		t.Error("a timeout below zero was taken")
	}
}

func TestCaller(t *testing.T) {
	expires := time.Now().Add(time.Hour).Truncate(time.Second)
	for name, key := range map[string]signer{
		"ES256": es256(t, "k"), "RS256": rs256(t, "k", 2048), "EdDSA": eddsa(t, "k"), "no key id": es256(t, ""),
	} {
		t.Run(name, func(t *testing.T) {
			v := verifier(t, newIssuer(key))
			customer := key.sign(t, claims(map[string]any{"exp": expires.Unix()}))
			staff := key.sign(t, claims(map[string]any{
				"sub": "t01", "employee": "E1", "branch": "B1", "scope": "  teller \t approver", "exp": expires.Unix(),
				"aud": []string{"sentinel", "istirdad"}, "nbf": time.Now().Unix(),
			}))
			for range 2 { // verified, then remembered
				wantCaller(t, v, customer, bank.Caller{
					Subject: "p01", Session: "session-1", Client: "bank-app", Expires: expires,
					Scopes: []bank.Scope{"openid", bank.ScopeRefunds},
				})
				wantCaller(t, v, staff, bank.Caller{
					Subject: "t01", Session: "session-1", Client: "bank-app", Expires: expires, Employee: "E1", Branch: "B1",
					Scopes: []bank.Scope{bank.ScopeTeller, bank.ScopeApprover},
				})
			}
		})
	}
}

// TestClientOfRFC9068: an issuer that follows RFC 9068 says client_id, one that follows OpenID Connect azp, and some say
// both.
func TestClientOfRFC9068(t *testing.T) {
	key := es256(t, "k")
	v := verifier(t, newIssuer(key))
	for name, changes := range map[string]map[string]any{
		"azp alone": nil,
		"client_id": {"azp": nil, "client_id": "bank-app"},
		"both":      {"client_id": "another"},
	} {
		caller, err := v.Verify(t.Context(), key.sign(t, claims(changes)))
		if err != nil || caller.Client != "bank-app" {
			t.Errorf("%s: client %q, %v", name, caller.Client, err)
		}
	}
}

func TestRefusedClaims(t *testing.T) {
	key := es256(t, "k")
	v := verifier(t, newIssuer(key))
	now := time.Now()
	for name, changes := range map[string]map[string]any{
		"expired":                    {"exp": now.Add(-time.Second).Unix()},
		"expires now":                {"exp": now.Unix()},
		"without expiry":             {"exp": nil},
		"expiry in words":            {"exp": "tomorrow"},
		"not valid yet":              {"nbf": now.Add(time.Minute).Unix()},
		"never valid":                {"nbf": 1e300},
		"another audience":           {"aud": "sentinel"},
		"audience that begins alike": {"aud": "istirdad2"},
		"no audience":                {"aud": nil},
		"empty audience":             {"aud": []string{}},
		"another issuer":             {"iss": "https://evil.example"},
		"issuer with a slash":        {"iss": issuerURL + "/"},
		"no issuer":                  {"iss": nil},
		"no sub":                     {"sub": nil},
		"empty sub":                  {"sub": ""},
		"sub with a line break":      {"sub": "p01\nlevel=info"},
		"sub of a mile":              {"sub": strings.Repeat("p", 256)},
		"sub is a number":            {"sub": 1},
		"no sid":                     {"sid": nil},
		"empty sid":                  {"sid": ""},
		"sid is a list":              {"sid": []string{"session-1"}},
		"no azp":                     {"azp": nil},
		"empty azp":                  {"azp": ""},
		"azp with a NUL":             {"azp": "bank-app\x00"},
		"neither azp nor client_id":  {"azp": "", "client_id": ""},
		"client_id with a NUL":       {"azp": nil, "client_id": "bank-app\x00"},
		"client_id behind a bad azp": {"azp": "bank-app\x00", "client_id": "bank-app"},
		"scope is a list":            {"scope": []string{"refunds"}},
		"employee with a line break": {"employee": "E1\n"},
		"branch with a line break":   {"branch": "B1\n"},
	} {
		t.Run(name, func(t *testing.T) { wantRefused(t, v, key.sign(t, claims(changes))) })
	}
	t.Run("no object", func(t *testing.T) { wantRefused(t, v, key.sign(t, "p01")) })
	if n := v.Remembered(); n != 0 {
		t.Errorf("%d refused tokens are remembered", n)
	}
}

func TestRefusedTokens(t *testing.T) {
	key, rsa := es256(t, "k"), rs256(t, "r", 2048)
	v := verifier(t, newIssuer(key, rsa))
	good := key.sign(t, claims(nil))
	wantVerified(t, v, good)
	header, payload, signature := cut(good)
	forged := encode(strings.Replace(decode(t, payload), `"p01"`, `"p02"`, 1))
	public, err := x509.MarshalPKIXPublicKey(rsa.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	impostor := es256(t, "k") // the same id, another key
	for name, token := range map[string]string{
		"nothing":               "",
		"dots":                  "..",
		"words":                 "not.a.token",
		"two parts":             header + "." + payload,
		"five parts":            good + "." + payload + "." + signature,
		"no signature":          header + "." + payload + ".",
		"another payload":       header + "." + forged + "." + signature,
		"another signature":     header + "." + payload + "." + encode(strings.Repeat("s", 64)),
		"signature of zeros":    header + "." + payload + "." + encode(strings.Repeat("\x00", 64)),
		"signature cut short":   good[:len(good)-4],
		"another spelling":      good[:len(good)-1] + respelt(good[len(good)-1]),
		"a space behind":        good + " ",
		"padding":               good + "==",
		"a line break":          header + ".\n" + payload + "." + signature,
		"JSON serialization":    `{"protected":"` + header + `","payload":"` + payload + `","signature":"` + signature + `"}`,
		"alg none":              encode(`{"alg":"none","kid":"k"}`) + "." + payload + ".",
		"alg none, signed":      encode(`{"alg":"none","kid":"k"}`) + "." + payload + "." + signature,
		"alg None":              encode(`{"alg":"None","kid":"k"}`) + "." + payload + ".",
		"no alg":                encode(`{"kid":"k"}`) + "." + payload + "." + signature,
		"alg of another key":    encode(`{"alg":"RS256","kid":"k"}`) + "." + payload + "." + signature,
		"unknown critical part": encode(`{"alg":"ES256","kid":"k","crit":["x"],"x":1}`) + "." + payload + "." + signature,
		"impostor":              impostor.sign(t, claims(nil)),
		"impostor without id":   signer{"", jose.ES256, impostor.key}.sign(t, claims(nil)),
		"impostor with its key": impostor.sign(t, claims(nil), map[jose.HeaderKey]any{"jwk": impostor.jwk()}),
		"impostor with a URL":   impostor.sign(t, claims(nil), map[jose.HeaderKey]any{"jku": "https://evil.example/keys"}),
		"HS256 by a public key": signWith(t, jose.HS256, public, claims(nil), (&jose.SignerOptions{}).WithHeader("kid", "r")),
		"RS512":                 signWith(t, jose.RS512, rsa.key, claims(nil), (&jose.SignerOptions{}).WithHeader("kid", "r")),
		"PS256":                 signWith(t, jose.PS256, rsa.key, claims(nil), (&jose.SignerOptions{}).WithHeader("kid", "r")),
		"of a mile":             key.sign(t, claims(map[string]any{"x": strings.Repeat("x", 8<<10)})),
	} {
		t.Run(name, func(t *testing.T) { wantRefused(t, v, token) })
	}
	wantVerified(t, v, good)
}

// TestUnfitKeys: what an issuer shouldn't publish is as if it weren't there.
func TestUnfitKeys(t *testing.T) {
	for name, jwk := range map[string]jose.JSONWebKey{
		"P-384":          signer{"k", "", ecKey(t, elliptic.P384())}.jwk(),
		"RSA, 1024 bits": {Key: &weakRSA, KeyID: "k", Use: "sig"},
		"symmetric":      {Key: []byte("0123456789abcdef0123456789abcdef"), KeyID: "k", Use: "sig"},
		"private":        {Key: ecKey(t, elliptic.P256()), KeyID: "k", Use: "sig"},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer()
			i.published = []jose.JSONWebKey{jwk}
			wantUnavailable(t, verifier(t, i), es256(t, "k").sign(t, claims(nil)))
		})
	}
	good := es256(t, "good")
	encryption := good.jwk()
	encryption.Use = "enc"
	mislabelled := good.jwk()
	mislabelled.Algorithm = "RS256"
	for name, jwk := range map[string]jose.JSONWebKey{"for encryption": encryption, "for another algorithm": mislabelled} {
		i := newIssuer()
		i.published = []jose.JSONWebKey{jwk, es256(t, "other").jwk()}
		t.Run(name, func(t *testing.T) { wantRefused(t, verifier(t, i), good.sign(t, claims(nil))) })
	}
	t.Run("beside a good one", func(t *testing.T) {
		i := newIssuer()
		i.answering(keysPath, func(w http.ResponseWriter, _ *http.Request) {
			raw, _ := good.jwk().MarshalJSON()
			fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed448","x":"AA"},{"kty":"quantum"},{},7,null,%s]}`, raw)
		})
		wantVerified(t, verifier(t, i), good.sign(t, claims(nil)))
	})
}

func TestRememberedForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, other := es256(t, "old"), es256(t, "new")
		i := newIssuer(old)
		v := verifier(t, i)
		token := old.sign(t, claims(nil))
		wantVerified(t, v, token)
		i.publish(other) // the old key is withdrawn
		wantVerified(t, v, other.sign(t, claims(nil)))
		time.Sleep(time.Minute - time.Nanosecond)
		wantVerified(t, v, token)
		time.Sleep(time.Nanosecond)
		wantRefused(t, v, token)
	})
}

func TestNotRememberedPastExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := es256(t, "k")
		v := verifier(t, newIssuer(key))
		token := key.sign(t, claims(map[string]any{"exp": time.Now().Add(10 * time.Second).Unix()}))
		wantVerified(t, v, token)
		time.Sleep(10*time.Second - time.Nanosecond)
		wantVerified(t, v, token)
		time.Sleep(time.Nanosecond)
		wantRefused(t, v, token)
		wantRefused(t, v, token)
		if n := v.Remembered(); n != 0 {
			t.Errorf("%d tokens are remembered", n)
		}
	})
}

func TestRemembersSoMany(t *testing.T) {
	key := es256(t, "k")
	v := configured(t, identity.Config{Issuer: issuerURL, Remember: 3}.Transport(newIssuer(key)))
	for n := range 10 {
		token := key.sign(t, claims(map[string]any{"sub": fmt.Sprint("c", n)}))
		for range 2 {
			caller, err := v.Verify(t.Context(), token)
			if err != nil || caller.Subject != fmt.Sprint("c", n) {
				t.Fatalf("%+v, %v", caller, err)
			}
		}
	}
	if n := v.Remembered(); n != 3 {
		t.Errorf("%d tokens are remembered", n)
	}
}

func TestCallersOwnTheirScopes(t *testing.T) {
	key := es256(t, "k")
	v := verifier(t, newIssuer(key))
	token := key.sign(t, claims(nil))
	for range 3 {
		caller, err := v.Verify(t.Context(), token)
		if err != nil || caller.Has(bank.ScopeOperator) {
			t.Fatal(caller, err)
		}
		caller.Scopes[0] = bank.ScopeOperator
	}
}

func TestParallel(t *testing.T) {
	key := es256(t, "k")
	i := newIssuer(key)
	v := verifier(t, i)
	tokens := make([]string, 8)
	for n := range tokens {
		tokens[n] = key.sign(t, claims(map[string]any{"sub": fmt.Sprint("c", n)}))
	}
	var wg sync.WaitGroup
	for n := range 128 {
		wg.Go(func() {
			caller, err := v.Verify(t.Context(), tokens[n%8])
			if err != nil || caller.Subject != fmt.Sprint("c", n%8) {
				t.Errorf("%+v, %v", caller, err)
			}
		})
	}
	wg.Wait()
	if d, k := i.looked(discoveryPath), i.looked(keysPath); d != 1 || k != 1 {
		t.Errorf("%d discoveries and %d looks at the keys, want one of each", d, k)
	}
}

// TestOverTheNetwork is the one test with a socket: the transport is our own.
func TestOverTheNetwork(t *testing.T) {
	key := es256(t, "k")
	i := newIssuer(key)
	var server *httptest.Server
	redirect, mile := false, ""
	server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case redirect:
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case r.URL.Path == discoveryPath:
			fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, server.URL, server.URL+keysPath)
		default:
			resp, err := i.RoundTrip(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			maps.Copy(w.Header(), resp.Header)
			w.WriteHeader(resp.StatusCode)
			_, _ = fmt.Fprint(w, strings.Replace(read(t, resp.Body), `{`, `{`+mile, 1))
		}
	}))
	t.Cleanup(server.Close)
	token := key.sign(t, claims(map[string]any{"iss": server.URL}))
	trusting := server.Client().Transport.(*http.Transport).TLSClientConfig
	redirecting := configured(t, identity.Config{Issuer: server.URL, TLS: trusting})
	redirect = true
	wantUnavailable(t, redirecting, token)
	redirect = false
	lengthy := configured(t, identity.Config{Issuer: server.URL, TLS: trusting})
	mile = `"x":"` + strings.Repeat("x", 1<<20) + `",` // around good keys
	wantUnavailable(t, lengthy, token)
	mile = ""
	wantVerified(t, lengthy, token)
	lengthy.Close()
	v := configured(t, identity.Config{Issuer: server.URL, TLS: trusting})
	wantVerified(t, v, token)
	v.Close()
	redirecting.Close()
	distrusting := configured(t, identity.Config{Issuer: server.URL})
	server.Config.ErrorLog = quiet
	wantUnavailable(t, distrusting, token)
}

func FuzzVerify(f *testing.F) {
	key := es256(f, "k")
	v := verifier(f, newIssuer(key))
	good := key.sign(f, claims(map[string]any{"exp": 4e9}))
	if _, err := v.Verify(f.Context(), good); err != nil {
		f.Fatal(err)
	}
	header, payload, signature := cut(good)
	for _, seed := range []string{
		"", "..", "a.b.c", good[1:], header + "." + payload + ".", header + "." + signature + "." + payload,
		encode(`{"alg":"none"}`) + "." + payload + ".", encode(`{"alg":"ES256","kid":"x"}`) + "." + payload + "." + signature,
		encode(`{"alg":"EdDSA","kid":1}`) + "." + encode(`{"exp":1e999}`) + "." + signature, "{}", "null",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, bearer string) {
		if bearer == good {
			return
		}
		caller, err := v.Verify(t.Context(), bearer)
		if !reflect.DeepEqual(caller, bank.Caller{}) || !errors.Is(err, bank.ErrUnauthenticated) && !errors.Is(err, bank.ErrUnavailable) {
			t.Errorf("%q is %+v, %v", bearer, caller, err)
		}
	})
}

func wantCaller(t *testing.T, v *identity.Verifier, token string, want bank.Caller) {
	t.Helper()
	got, err := v.Verify(t.Context(), token)
	if err != nil || !got.Expires.Equal(want.Expires) {
		t.Fatalf("%+v, %v", got, err)
	}
	got.Expires = want.Expires
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func wantVerified(t *testing.T, v *identity.Verifier, token string) {
	t.Helper()
	if caller, err := v.Verify(t.Context(), token); err != nil || caller.Subject != "p01" {
		t.Fatalf("%+v, %v", caller, err)
	}
}

func wantRefused(t *testing.T, v *identity.Verifier, token string) {
	t.Helper()
	wantNobody(t, v, token, bank.ErrUnauthenticated, bank.ErrUnavailable)
}

func wantUnavailable(t *testing.T, v *identity.Verifier, token string) {
	t.Helper()
	wantNobody(t, v, token, bank.ErrUnavailable, bank.ErrUnauthenticated)
}

// wantNobody wants the one error and not the other, with nothing of the token in it.
func wantNobody(t *testing.T, v *identity.Verifier, token string, want, not error) {
	t.Helper()
	caller, err := v.Verify(t.Context(), token)
	if !reflect.DeepEqual(caller, bank.Caller{}) || !errors.Is(err, want) || errors.Is(err, not) {
		t.Fatalf("%+v, %v; want %v", caller, err, want)
	}
	for _, canary := range []string{"p01", "session-1", "bank-app", "evil", "sentinel", "eyJ"} {
		if strings.Contains(err.Error(), canary) {
			t.Errorf("%q is in the error: %v", canary, err)
		}
	}
}

func cut(token string) (header, payload, signature string) {
	parts := strings.Split(token, ".")
	return parts[0], parts[1], parts[2]
}

// respelt is a base64url character that differs from c in a bit that says nothing at the end of 64 bytes.
func respelt(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)^1])
}

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func decode(t *testing.T, s string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
