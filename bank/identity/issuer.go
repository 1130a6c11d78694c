package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/istirdad/istirdad/internal/outbound"
)

const (
	connsMax = 4 // to the issuer; a look at it takes one
	keysMax  = 64
	rsaMin   = 2048 // bits (RFC 7518 §3.3)
)

// fetch looks at the issuer once: where its keys are, if that isn't known, and which they are.
func (k *keys) fetch(ctx context.Context) (keySet, error) {
	if k.jwksURL == "" {
		found, err := k.discover(ctx)
		if err != nil {
			return nil, err
		}
		k.jwksURL = found
	}
	set, err := k.download(ctx)
	if err != nil {
		k.jwksURL = "" // they may have moved
	}
	return set, err
}

func (k *keys) discover(ctx context.Context) (jwksURL string, err error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, k.http), k.issuer)
	if err != nil {
		return "", fmt.Errorf("discovery: %w", reduced(err))
	}
	var document struct {
		JWKS string `json:"jwks_uri"`
	}
	if err := provider.Claims(&document); err != nil {
		return "", errors.New("discovery: no address of keys")
	}
	u, err := url.Parse(document.JWKS)
	if err != nil || u.Host == "" || u.Scheme != k.scheme && u.Scheme != "https" {
		return "", errors.New("discovery: no address of keys")
	}
	return document.JWKS, nil
}

func (k *keys) download(ctx context.Context) (keySet, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.jwksURL, nil)
	if err != nil {
		return nil, errors.New("keys: not an address")
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	req.Header.Set("Cache-Control", "no-cache")
	resp, err := k.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", reduced(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("keys: %w", err)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("keys: status %d", resp.StatusCode)
	}
	set := parseKeys(body)
	if len(set) == 0 {
		return nil, errNoKeys
	}
	return set, nil
}

// parseKeys takes what can verify a token and leaves out whatever else the issuer publishes, as RFC 7517 §5 asks.
func parseKeys(body []byte) keySet {
	var published struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(body, &published) != nil {
		return nil
	}
	var set keySet
	for _, raw := range published.Keys {
		var jwk jose.JSONWebKey
		if len(set) == keysMax || jwk.UnmarshalJSON(raw) != nil || jwk.Use != "" && jwk.Use != "sig" {
			continue
		}
		if algorithm := algorithmOf(jwk.Key); algorithm != "" && (jwk.Algorithm == "" || jwk.Algorithm == algorithm) {
			set = append(set, key{name{jwk.KeyID, algorithm}, jwk.Key})
		}
	}
	return set
}

// algorithmOf is the one algorithm that a public key is good for here; empty for a key that is good for none, a private
// or symmetric one above all.
func algorithmOf(public any) string {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return string(jose.ES256)
		}
	case *rsa.PublicKey:
		if k.N.BitLen() >= rsaMin {
			return string(jose.RS256)
		}
	case ed25519.PublicKey:
		return string(jose.EdDSA)
	}
	return ""
}

// reduced is what an error of the exchange is, without the URL in front of it and without the answer, up to all of it,
// that go-oidc quotes.
func reduced(err error) error {
	var exchange *url.Error
	var mismatch *oidc.IssuerMismatchError
	switch {
	case errors.As(err, &exchange):
		return exchange.Err
	case errors.As(err, &mismatch):
		return errors.New("it speaks for another issuer")
	default:
		return errors.New("not the answer of an issuer")
	}
}

// newClient makes the only client that speaks to the issuer.
func newClient(cfg Config) *http.Client {
	transport := cfg.transport
	if transport == nil {
		transport = outbound.New(outbound.Config{Timeout: cfg.Timeout, TLS: cfg.TLS, Conns: connsMax})
	}
	return &http.Client{
		Transport: guarded{transport, cfg.RefuseSandbox},
		// Keys are where discovery says, and nowhere that an answer points to.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// guarded refuses the answers of stand-ins, where go-oidc would believe them.
type guarded struct {
	http.RoundTripper
	refuseSandbox bool
}

// RoundTrip makes one request.
func (g guarded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := g.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if g.refuseSandbox && outbound.FromSandbox(resp.Header) {
		resp.Body.Close()
		return nil, ErrSandbox
	}
	return resp, nil
}

// CloseIdleConnections is what http.Client looks for.
func (g guarded) CloseIdleConnections() {
	if t, ok := g.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
