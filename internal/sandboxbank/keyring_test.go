package sandboxbank_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxbank"
	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/sandboxseed"
)

func TestRotationKeepsOldTokensGood(t *testing.T) {
	r := start(t, "")
	c := discover(r)
	before, err := c.config.PasswordCredentialsToken(c.ctx, "p01", "istirdad")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.verify(before.AccessToken); err != nil { // and the client caches the keys
		t.Fatal(err)
	}
	if err := r.bank.Rotate(); err != nil {
		t.Fatal(err)
	}
	after, err := c.config.PasswordCredentialsToken(c.ctx, "p01", "istirdad")
	if err != nil {
		t.Fatal(err)
	}
	for _, seen := range []*client{c, discover(r)} { // one with cached keys, one new
		for _, token := range []string{before.AccessToken, after.AccessToken} {
			if _, _, err := seen.verify(token); err != nil {
				t.Error(err)
			}
		}
	}
	if kid(before.AccessToken) == kid(after.AccessToken) {
		t.Error("the key did not change")
	}
}

// kid is the token's header, which differs when its key does.
func kid(token string) string { return strings.SplitN(token, ".", 2)[0] }

func TestOldKeyIsPublishedUntilItsTokensHaveExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bank, err := sandboxbank.Open(sandboxbank.Config{Issuer: "http://127.0.0.1:1", World: sandboxseed.World{}, Board: sandboxfault.NewBoard(1)})
		if err != nil {
			t.Fatal(err)
		}
		if err := bank.Rotate(); err != nil {
			t.Fatal(err)
		}
		published := func() int {
			w := record(bank.Handler(), http.MethodGet, "/jwks")
			if strings.Contains(w, `"d":`) {
				t.Fatal("a private key is published")
			}
			return strings.Count(w, `"kid":`)
		}
		if got := published(); got != 2 {
			t.Errorf("%d keys after a rotation", got)
		}
		time.Sleep(time.Hour)
		if got := published(); got != 2 {
			t.Errorf("%d keys when the last token has just expired", got)
		}
		time.Sleep(2 * time.Minute)
		if got := published(); got != 1 {
			t.Errorf("%d keys when nothing needs the old one", got)
		}
	})
}

func TestKeysSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	c := discover(r)
	if err := r.bank.Rotate(); err != nil {
		t.Fatal(err)
	}
	token, err := c.config.PasswordCredentialsToken(c.ctx, "p01", "istirdad")
	if err != nil {
		t.Fatal(err)
	}
	jwks := r.get("/jwks").body
	if got := start(t, dir).get("/jwks").body; got != jwks || !strings.Contains(jwks, "kid") {
		t.Errorf("before %s\nafter %s", jwks, got)
	}
	if _, _, err := c.verify(token.AccessToken); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(filepath.Join(dir, "signing-keys.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
