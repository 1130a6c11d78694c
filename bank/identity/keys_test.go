package identity_test

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/bank/identity"
)

func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := es256(t, "1"), eddsa(t, "2")
		i := newIssuer(first)
		v := verifier(t, i)
		wantVerified(t, v, first.sign(t, claims(nil)))
		wantRefused(t, v, second.sign(t, claims(nil))) // not published yet
		i.publish(first, second)
		wantVerified(t, v, second.sign(t, claims(nil))) // at once, however short ago the keys were looked at
		wantVerified(t, v, first.sign(t, claims(nil)))
		if d := i.looked(discoveryPath); d != 1 {
			t.Errorf("%d discoveries", d)
		}
	})
}

func TestGatewayStartsBeforeItsIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := es256(t, "k")
		i := newIssuer(key)
		i.setDown(true)
		v := verifier(t, i)
		token := key.sign(t, claims(nil))
		for range 3 {
			wantUnavailable(t, v, token)
			wantRefused(t, v, "garbage") // that much is known without the issuer
			wantRefused(t, v, key.sign(t, claims(map[string]any{"exp": 1})))
		}
		i.setDown(false)
		wantVerified(t, v, token)
	})
}

func TestIssuerGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := es256(t, "k")
		i := newIssuer(key)
		v := verifier(t, i)
		for began := time.Now(); time.Since(began) < time.Hour; time.Sleep(2 * time.Minute) {
			wantVerified(t, v, key.sign(t, claims(nil)))
			synctest.Wait()
			i.setDown(true)
		}
		wantUnavailable(t, v, key.sign(t, claims(nil)))
		wantUnavailable(t, v, es256(t, "other").sign(t, claims(nil))) // it might be good
		i.setDown(false)
		wantVerified(t, v, key.sign(t, claims(nil)))
	})
}

func TestWithdrawnKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key, other := es256(t, "k"), es256(t, "other")
		i := newIssuer(key)
		v := verifier(t, i)
		wantVerified(t, v, key.sign(t, claims(nil)))
		i.publish(other)
		time.Sleep(5 * time.Minute)
		wantVerified(t, v, key.sign(t, claims(nil))) // nobody waits for the look that this one causes
		synctest.Wait()
		wantRefused(t, v, key.sign(t, claims(nil)))
	})
}

// TestMadeUpKeys: tokens that name keys nobody knows can't make us hammer the issuer, nor lock out a real new key.
func TestMadeUpKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key, next := es256(t, "k"), es256(t, "next")
		i := newIssuer(key)
		v := verifier(t, i)
		wantVerified(t, v, key.sign(t, claims(nil)))
		flood := func(n int) {
			for range n {
				if _, err := v.Verify(t.Context(), es256(t, "made up").sign(t, claims(nil))); err == nil {
					t.Fatal("a made-up key")
				}
			}
		}
		flood(40)
		if n := i.looked(keysPath); n != 10 {
			t.Errorf("%d looks at the keys, want 10", n)
		}
		wantVerified(t, v, key.sign(t, claims(nil)))
		i.publish(key, next)
		token := next.sign(t, claims(nil))
		wantUnavailable(t, v, token) // not refused: nobody looked
		time.Sleep(time.Second)
		wantVerified(t, v, token)
		time.Sleep(time.Hour)
		before := i.looked(keysPath)
		flood(40)
		if n := i.looked(keysPath) - before; n != 10 {
			t.Errorf("%d looks after an hour's rest, want 10", n)
		}
	})
}

func TestExpiredTokensOfOldKeysCauseNoLook(t *testing.T) {
	key := es256(t, "k")
	i := newIssuer(key)
	v := verifier(t, i)
	wantVerified(t, v, key.sign(t, claims(nil)))
	old := es256(t, "old")
	for range 20 {
		wantRefused(t, v, old.sign(t, claims(map[string]any{"exp": time.Now().Add(-time.Minute).Unix()})))
		wantRefused(t, v, old.sign(t, claims(map[string]any{"iss": "https://sentinel.example"})))
	}
	if n := i.looked(keysPath); n != 1 {
		t.Errorf("%d looks at the keys", n)
	}
}

// TestJoinedLook: whoever joins a look that began before a key was published isn't refused for it.
func TestJoinedLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key, next := es256(t, "k"), es256(t, "next")
		i := newIssuer(key)
		v := verifier(t, i)
		wantVerified(t, v, key.sign(t, claims(nil)))
		release := make(chan struct{})
		i.answering(keysPath, func(w http.ResponseWriter, _ *http.Request) { // as of now, answered later
			<-release
			raw, _ := key.jwk().MarshalJSON()
			fmt.Fprintf(w, `{"keys":[%s]}`, raw)
		})
		var wg sync.WaitGroup
		wg.Go(func() { wantRefusedQuietly(t, v, es256(t, "made up").sign(t, claims(nil))) })
		synctest.Wait()
		token := next.sign(t, claims(nil))
		wg.Go(func() {
			if _, err := v.Verify(t.Context(), token); err != nil {
				t.Errorf("the real new key: %v", err)
			}
		})
		synctest.Wait()
		i.publish(key, next)
		i.answering(keysPath, nil)
		close(release)
		wg.Wait()
	})
}

func wantRefusedQuietly(t *testing.T, v *identity.Verifier, token string) {
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, bank.ErrUnauthenticated) {
		t.Errorf("a made-up key: %v", err)
	}
}

func TestIssuerHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := es256(t, "k")
		i := newIssuer(key)
		i.answering(keysPath, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		v := configured(t, identity.Config{Issuer: issuerURL, Timeout: 3 * time.Second}.Transport(i))
		began := time.Now()
		wantUnavailable(t, v, key.sign(t, claims(nil)))
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("it took %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		_, err := v.Verify(ctx, key.sign(t, claims(nil)))
		if took := time.Since(began); !errors.Is(err, bank.ErrUnavailable) || took != time.Second {
			t.Errorf("%v after %v", err, took)
		}
		time.Sleep(3 * time.Second) // the look ends by itself
	})
}

// TestStrangeIssuers: none of these is an answer, and none makes a token good or bad.
func TestStrangeIssuers(t *testing.T) {
	text := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	document := func(issuer, keys string) http.HandlerFunc {
		return text(http.StatusOK, fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, issuer, keys))
	}
	key := es256(t, "k")
	raw, err := key.jwk().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	published := fmt.Sprintf(`{"keys":[%s]}`, raw)
	for name, row := range map[string]struct {
		path string
		with http.HandlerFunc
	}{
		"discovery fails":          {discoveryPath, text(http.StatusInternalServerError, "p01 session-1")},
		"discovery is no JSON":     {discoveryPath, text(http.StatusOK, "<html>evil")},
		"discovery is empty":       {discoveryPath, text(http.StatusOK, "{}")},
		"another issuer":           {discoveryPath, document("https://evil.example", issuerURL+keysPath)},
		"no address of keys":       {discoveryPath, document(issuerURL, "")},
		"relative address of keys": {discoveryPath, document(issuerURL, keysPath)},
		"keys without TLS":         {discoveryPath, document(issuerURL, "http://issuer.example/keys")},
		"keys of a file":           {discoveryPath, document(issuerURL, "file:///keys")},
		"keys elsewhere":           {keysPath, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }},
		"keys fail":                {keysPath, text(http.StatusServiceUnavailable, published)},
		"keys are no JSON":         {keysPath, text(http.StatusOK, "<html>")},
		"no keys":                  {keysPath, text(http.StatusOK, `{"keys":[]}`)},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(key)
			i.answering(row.path, row.with)
			v := verifier(t, i)
			wantUnavailable(t, v, key.sign(t, claims(nil)))
			i.answering(row.path, nil)
			wantVerified(t, v, key.sign(t, claims(nil)))
		})
	}
}

func TestSandbox(t *testing.T) {
	key := es256(t, "k")
	i := newIssuer(key)
	i.answering(discoveryPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Refund-Core", "sandbox")
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, issuerURL, issuerURL+keysPath)
	})
	token := key.sign(t, claims(nil))
	wantVerified(t, verifier(t, i), token)
	v := configured(t, identity.Config{Issuer: issuerURL, RefuseSandbox: true}.Transport(i))
	wantUnavailable(t, v, token)
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, identity.ErrSandbox) {
		t.Error(err)
	}
}

// weakRSA has a modulus of 1024 bits.
var weakRSA = rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}

var quiet = log.New(io.Discard, "", 0)

func read(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
