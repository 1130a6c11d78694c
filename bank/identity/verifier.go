// Package identity says who is calling: it verifies the access tokens of the bank's OpenID Connect issuer
// (bank-protocol.md, "Who is calling").
//
// # What is believed
//
// A [Verifier] believes a JWT with one signature, by a key that the issuer publishes now, under an algorithm that fits
// that key (ES256, RS256, EdDSA), which names the issuer, is meant for us, hasn't expired and says sub, sid and its client:
// azp, or client_id as RFC 9068 has it. All else is bank.ErrUnauthenticated, for whichever reason; the error's text names
// the reason for our logs and repeats nothing of the token.
//
// # When the issuer is away
//
// Discovery and keys are fetched when the first token asks for them, so a gateway may start before its issuer. Keys are
// looked at again every few minutes, behind the callers' backs, because they are withdrawn without notice; and at once
// when a token names one that isn't known, because they are added without notice. As long as the keys at hand aren't too
// old, an issuer that is away is noticed by nobody. After that, and whenever a key can't be looked for, the answer is
// bank.ErrUnavailable: nobody was found to be anybody.
//
// Anybody can make up tokens that name keys nobody knows, so looking is rationed: one fetch at a time, whose result all
// who wait share, and no more than a few in a row.
//
// # The cache
//
// Verifying a signature costs more than the rest of a request, so a verified token is believed again for at most a
// minute, and never past its expiry. It is remembered by its SHA-256; tokens themselves are kept nowhere.
package identity

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/istirdad/istirdad/bank"
)

// ErrSandbox: the issuer calls itself a stand-in, and this gateway was told to believe none. It comes with
// bank.ErrUnavailable.
var ErrSandbox = errors.New("identity: the issuer is a stand-in")

const (
	audience = "istirdad"
	tokenMax = 8 << 10 // bytes; the issuer's have under 1 KiB

	// cacheLife is how long a verified token is believed without another look at its signature (api.md).
	cacheLife = time.Minute
	// leeway forgives an issuer whose clock is ahead of ours when it says "not before". Expiry knows none.
	leeway = 5 * time.Second
)

// algorithms are the protocol's.
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.EdDSA}

// Config is whose tokens are verified. Only Issuer has no default.
type Config struct {
	// Issuer is the issuer's URL, exactly as its tokens say it in iss.
	Issuer string
	// Timeout bounds a look at the issuer, discovery and keys together. Default 5 s.
	Timeout time.Duration
	// TLS holds roots and a client certificate, if the issuer wants one. Nil: the system's roots and none. At least
	// TLS 1.2 is spoken whatever it says.
	TLS *tls.Config
	// Remember is how many verified tokens are remembered, the latest used. Default 10,000 (some 5 MiB).
	Remember int
	// RefuseSandbox believes no stand-in (header "Refund-Core: sandbox"). On in production.
	RefuseSandbox bool

	transport http.RoundTripper // of tests in fake time
}

// Verifier verifies tokens. It is safe for concurrent use.
type Verifier struct {
	issuer string
	keys   *keys
	cache  *cache
}

// New returns a Verifier. It makes no call.
func New(cfg Config) (*Verifier, error) {
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil || issuer.Host == "" || issuer.Scheme != "https" && issuer.Scheme != "http" ||
		issuer.User != nil || issuer.RawQuery != "" || issuer.Fragment != "" {
		return nil, errors.New("identity: issuer must be an http(s) URL with a host, and without user, query and fragment")
	}
	if cfg.Timeout < 0 || cfg.Remember < 0 {
		return nil, errors.New("identity: neither timeout nor remember is below zero")
	}
	return &Verifier{
		issuer: cfg.Issuer,
		keys:   newKeys(cfg.Issuer, issuer.Scheme, newClient(cfg), cmp.Or(cfg.Timeout, 5*time.Second)),
		cache:  newCache(cmp.Or(cfg.Remember, 10_000)),
	}, nil
}

// Close closes idle connections to the issuer.
func (v *Verifier) Close() { v.keys.http.CloseIdleConnections() }

// Verify returns who bears the token. It returns bank.ErrUnauthenticated when the token isn't to be believed, and
// bank.ErrUnavailable when the issuer couldn't be asked for the key that would tell.
func (v *Verifier) Verify(ctx context.Context, bearer string) (bank.Caller, error) {
	if len(bearer) > tokenMax {
		return bank.Caller{}, unauthenticated("not a signed token")
	}
	now, hash := time.Now(), sha256.Sum256([]byte(bearer))
	if caller, ok := v.cache.get(hash, now); ok {
		return caller, nil
	}
	token, err := v.verify(ctx, bearer, now)
	if err != nil {
		return bank.Caller{}, err
	}
	caller, err := callerOf(token, now)
	if err != nil {
		return bank.Caller{}, err
	}
	until := now.Add(cacheLife)
	if caller.Expires.Before(until) {
		until = caller.Expires
	}
	v.cache.put(hash, caller, until)
	return caller, nil
}

// verify checks signature, issuer, audience and expiry.
func (v *Verifier) verify(ctx context.Context, bearer string, now time.Time) (*oidc.IDToken, error) {
	if !compact(bearer) {
		return nil, unauthenticated("not a signed token")
	}
	// go-jose checks that the header's algorithm is one of these before anything else is done with it.
	parsed, err := jose.ParseSignedCompact(bearer, algorithms)
	if err != nil {
		return nil, unauthenticated("not a signed token")
	}
	header := parsed.Signatures[0].Header
	public, err := v.keys.find(ctx, name{header.KeyID, header.Algorithm}, func() bool {
		return v.worthAsking(parsed.UnsafePayloadWithoutVerification(), now)
	})
	if err != nil {
		return nil, err
	}
	verifier := oidc.NewVerifier(v.issuer, &oidc.StaticKeySet{PublicKeys: public}, &oidc.Config{
		ClientID: audience, SupportedSigningAlgs: []string{header.Algorithm}, Now: func() time.Time { return now },
	})
	token, err := verifier.Verify(ctx, bearer)
	var expired *oidc.TokenExpiredError
	switch {
	case errors.As(err, &expired):
		return nil, unauthenticated("expired")
	case err != nil: // its own words quote the claims
		return nil, unauthenticated("signature, issuer or audience is wrong")
	case !now.Before(token.Expiry):
		return nil, unauthenticated("expired")
	}
	return token, nil
}

// compact reports whether s is three parts in the one spelling of base64url. Loose decoders pass over line breaks and
// over bits that say nothing, and so take a token that was changed on its way for the one that was signed.
func compact(s string) bool {
	if strings.Count(s, ".") != 2 || strings.ContainsAny(s, "\r\n") {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if _, err := base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return false
		}
	}
	return true
}

func unauthenticated(why string) error { return fmt.Errorf("%w: %s", bank.ErrUnauthenticated, why) }

func unavailable(err error) error { return fmt.Errorf("%w: identity: %w", bank.ErrUnavailable, err) }
