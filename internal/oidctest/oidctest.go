// Package oidctest runs an OpenID Connect issuer for tests that is nothing of ours: npm's oidc-provider, a process of its
// own on a port of 127.0.0.1. What we believe of tokens was written from the same pages as the sandbox's issuer, by the
// same hands; whoever reads a page wrongly reads it so twice. This issuer was written from the standards alone, and its
// tokens come by the same flow as a bank's: authorization code and PKCE, the sign-in page included.
//
// [Issuer.Rotate] is the one thing that a real issuer does without a word and that a test must see: other keys, from one
// moment to the next.
package oidctest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/istirdad/istirdad/internal/child"
)

// What access tokens are asked for: how provider.mjs knows the programs that take them.
const (
	ForIstirdad = "https://istirdad.example"       // audience istirdad, ten minutes
	ForSeconds  = "https://istirdad.example/brief" // audience istirdad, three seconds
	ForPayroll  = "https://payroll.example"        // another program's
)

const (
	password = "istirdad"
	callback = "https://app.example/callback" // of the client bank-app; nobody is there
	scope    = "refunds"

	// patience is what anything here may take on a machine with much else to do.
	patience = 30 * time.Second
)

// Issuer is a running issuer.
type Issuer struct {
	URL string

	tb      testing.TB
	port    string
	running *child.Process
	said    *output
}

// Key is a private key that an issuer signs with or publishes.
type Key struct{ jwk jose.JSONWebKey }

// NewKey makes a key for an algorithm of bank-protocol.md.
func NewKey(tb testing.TB, id string, algorithm jose.SignatureAlgorithm) Key {
	tb.Helper()
	var (
		key crypto.Signer
		err error
	)
	switch algorithm {
	case jose.ES256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.RS256:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case jose.EdDSA:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		err = fmt.Errorf("oidctest: no keys for %s", algorithm)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return Key{jose.JSONWebKey{Key: key, KeyID: id, Algorithm: string(algorithm), Use: "sig"}}
}

// Start starts an issuer that publishes these keys and signs with the first, for the length of a test.
func Start(tb testing.TB, keys ...Key) *Issuer {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	i := &Issuer{URL: "http://" + l.Addr().String(), tb: tb, said: new(output)}
	_, i.port, _ = net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	tb.Cleanup(func() {
		i.stop()
		if tb.Failed() {
			tb.Logf("the issuer said\n%s", i.said)
		}
	})
	i.start(keys)
	return i
}

// Rotate puts these keys in the place of those before: the issuer is gone for a moment, and back at the same address. It
// forgets who was signed in; tokens that it gave out go on saying what they say.
func (i *Issuer) Rotate(keys ...Key) {
	i.tb.Helper()
	i.stop()
	i.start(keys)
}

func (i *Issuer) stop() {
	if i.running != nil {
		_ = i.running.Kill()
		i.running = nil
	}
}

func (i *Issuer) start(keys []Key) {
	i.tb.Helper()
	settings := map[string]any{"issuer": i.URL, "port": i.port, "password": password, "keys": jwks(keys)}
	given, err := json.Marshal(settings)
	if err != nil {
		i.tb.Fatal(err)
	}
	_, here, _, _ := runtime.Caller(0)
	cmd := exec.CommandContext(context.WithoutCancel(i.tb.Context()), "node", "--import", "./node18.mjs", "provider.mjs")
	cmd.Dir = filepath.Dir(here)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(string(given)), i.said, i.said
	if i.running, err = child.Start(cmd, nil, syscall.SIGKILL); err != nil {
		i.tb.Fatalf("oidctest: this needs Node: %v", err)
	}
	client := &http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	asked, err := http.NewRequestWithContext(i.tb.Context(), http.MethodGet, i.URL+"/.well-known/openid-configuration", nil)
	if err != nil {
		i.tb.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < patience; time.Sleep(10 * time.Millisecond) {
		answer, err := client.Do(asked)
		if err == nil {
			_ = answer.Body.Close()
			return
		}
		select {
		case <-i.running.Exited():
			i.tb.Fatalf("oidctest: the issuer ended, %v (.ci/setup installs its packages)\n%s", i.running.Err(), i.said)
		default:
		}
	}
	i.tb.Fatalf("oidctest: the issuer doesn't answer within %v", patience)
}

func jwks(keys []Key) []jose.JSONWebKey {
	var all []jose.JSONWebKey
	for _, k := range keys {
		all = append(all, k.jwk)
	}
	return all
}

// Tokens are what a sign-in gives.
type Tokens struct {
	Access string
	ID     string // for the client alone
}

// SignIn signs somebody in at the client bank-app, as a browser does, and asks for an access token for a resource; with an
// empty one for the issuer's own use. Each call is a new session.
func (i *Issuer) SignIn(user, resource string) Tokens {
	i.tb.Helper()
	tokens, err := i.signIn(user, resource)
	if err != nil {
		i.tb.Fatalf("oidctest: %s doesn't get in: %v", user, err)
	}
	return tokens
}

func (i *Issuer) signIn(user, resource string) (Tokens, error) {
	ctx, cancel := context.WithTimeout(i.tb.Context(), patience)
	defer cancel()
	app := oauth2.Config{
		ClientID: "bank-app", RedirectURL: callback, Scopes: []string{"openid", scope},
		Endpoint: oauth2.Endpoint{AuthURL: i.URL + "/auth", TokenURL: i.URL + "/token", AuthStyle: oauth2.AuthStyleInParams},
	}
	var forResource []oauth2.AuthCodeOption
	if resource != "" {
		forResource = append(forResource, oauth2.SetAuthURLParam("resource", resource))
	}
	state, verifier := rand.Text(), oauth2.GenerateVerifier()
	address := app.AuthCodeURL(state, append(forResource, oauth2.S256ChallengeOption(verifier))...)
	back, err := i.browse(ctx, address, url.Values{"user": {user}, "password": {password}})
	if err != nil {
		return Tokens{}, err
	}
	if back.Get("state") != state || back.Get("iss") != i.URL || back.Get("code") == "" {
		return Tokens{}, fmt.Errorf("the way back says %v", back)
	}
	token, err := app.Exchange(ctx, back.Get("code"), append(forResource, oauth2.VerifierOption(verifier))...)
	if err != nil {
		return Tokens{}, err
	}
	id, _ := token.Extra("id_token").(string)
	return Tokens{Access: token.AccessToken, ID: id}, nil
}

// browse opens the page that an address leads to, sends its form, and returns what the client is told in the end.
func (i *Issuer) browse(ctx context.Context, address string, form url.Values) (back url.Values, err error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	browser := &http.Client{
		Jar: jar, Timeout: patience,
		CheckRedirect: func(to *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(to.URL.String(), callback) {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
	defer browser.CloseIdleConnections()
	page, err := visit(ctx, browser, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	end, err := visit(ctx, browser, http.MethodPost, page.String(), form)
	if err != nil {
		return nil, err
	}
	return end.Query(), nil
}

// visit opens a page, or sends its form, and returns where that leads: to another page, or to the client.
func visit(ctx context.Context, browser *http.Client, method, address string, form url.Values) (*url.URL, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := browser.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return resp.Request.URL, nil
	case http.StatusSeeOther:
		return resp.Location()
	default:
		return nil, fmt.Errorf("%s %s answers %d", method, req.URL.Path, resp.StatusCode)
	}
}

// Machine is an access token for Istirdad in which nobody is signed in: the client night-job's own.
func (i *Issuer) Machine() string {
	i.tb.Helper()
	ctx, cancel := context.WithTimeout(i.tb.Context(), patience)
	defer cancel()
	job := clientcredentials.Config{
		ClientID: "night-job", ClientSecret: password, TokenURL: i.URL + "/token", Scopes: []string{scope},
		EndpointParams: url.Values{"resource": {ForIstirdad}},
	}
	token, err := job.Token(ctx)
	if err != nil {
		i.tb.Fatalf("oidctest: %v", err)
	}
	return token.AccessToken
}

// output is what a process says, to be read while it speaks.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
