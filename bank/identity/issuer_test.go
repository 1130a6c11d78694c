package identity_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/istirdad/istirdad/bank/identity"
)

const issuerURL = "https://issuer.example"

// issuer is an OpenID Connect issuer as bank-protocol.md has it, small and without a network: it is the transport.
type issuer struct {
	mu        sync.Mutex
	published []jose.JSONWebKey
	answer    map[string]http.HandlerFunc // by path, in place of the usual
	down      bool
	looks     map[string]int // requests by path
}

func newIssuer(keys ...signer) *issuer {
	i := &issuer{answer: map[string]http.HandlerFunc{}, looks: map[string]int{}}
	i.publish(keys...)
	return i
}

func (i *issuer) publish(keys ...signer) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.published = nil
	for _, k := range keys {
		i.published = append(i.published, k.jwk())
	}
}

// setDown makes it not answer at all.
func (i *issuer) setDown(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}

func (i *issuer) answering(path string, with http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer[path] = with
}

func (i *issuer) looked(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.looks[path]
}

const (
	discoveryPath = "/.well-known/openid-configuration"
	keysPath      = "/keys"
)

// RoundTrip answers a request.
func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	i.looks[r.URL.Path]++
	down, handler := i.down, i.answer[r.URL.Path]
	keys := jose.JSONWebKeySet{Keys: i.published}
	i.mu.Unlock()
	if down {
		return nil, errors.New("connection refused")
	}
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case handler != nil:
		handler(w, r)
	case r.URL.Path == discoveryPath:
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": issuerURL, "jwks_uri": issuerURL + keysPath, "id_token_signing_alg_values_supported": []string{"none", "HS256"},
		})
	case r.URL.Path == keysPath:
		_ = json.NewEncoder(w).Encode(keys)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
	if err := r.Context().Err(); err != nil { // a handler that hangs
		return nil, err
	}
	return w.Result(), nil
}

// signer is a key with its id.
type signer struct {
	id  string
	alg jose.SignatureAlgorithm
	key crypto.Signer
}

func (s signer) jwk() jose.JSONWebKey {
	return jose.JSONWebKey{Key: s.key.Public(), KeyID: s.id, Algorithm: string(s.alg), Use: "sig"}
}

func es256(t testing.TB, id string) signer {
	t.Helper()
	return signer{id, jose.ES256, ecKey(t, elliptic.P256())}
}

func ecKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func eddsa(t testing.TB, id string) signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{id, jose.EdDSA, key}
}

func rs256(t testing.TB, id string, bits int) signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return signer{id, jose.RS256, key}
}

// sign makes a token of the claims, whatever they are.
func (s signer) sign(t testing.TB, claims any, header ...map[jose.HeaderKey]any) string {
	t.Helper()
	options := &jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{"typ": "JWT"}}
	for _, h := range header {
		maps.Copy(options.ExtraHeaders, h)
	}
	return signWith(t, s.alg, jose.JSONWebKey{Key: s.key, KeyID: s.id}, claims, options)
}

func signWith(t testing.TB, alg jose.SignatureAlgorithm, key any, claims any, options *jose.SignerOptions) string {
	t.Helper()
	js, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := js.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// claims are a customer's, with the changes; nil leaves one out.
func claims(changes map[string]any) map[string]any {
	now := time.Now()
	c := map[string]any{
		"iss": issuerURL, "aud": "istirdad", "sub": "p01", "sid": "session-1", "azp": "bank-app", "scope": "openid refunds",
		"iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
	}
	for name, value := range changes {
		if value == nil {
			delete(c, name)
		} else {
			c[name] = value
		}
	}
	return c
}

func verifier(t testing.TB, i *issuer) *identity.Verifier {
	t.Helper()
	return configured(t, identity.Config{Issuer: issuerURL}.Transport(i))
}

func configured(t testing.TB, cfg identity.Config) *identity.Verifier {
	t.Helper()
	v, err := identity.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
