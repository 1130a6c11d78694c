// Package corebanking speaks to the bank's own systems (bank-protocol.md): who its customers are, and the ledger that
// credits their accounts.
//
// # Three outcomes
//
// A [Client] is strict about what it believes, because what it says of a credit becomes what a customer is told. A call
// ends in one of three ways:
//
//   - An answer: the documented status with the documented body, which for a credit repeats the reference, the account
//     and the amount that were asked about.
//   - gateway.ErrNotSent: no connection was ever handed the request, so that provably no byte of it left.
//   - gateway.UnknownError for everything else, foreseen or not, with a cause from the short lists of this package and of
//     internal/outbound, by which one call is one request on the wire.
//
// Errors hold no personal data: of what was sent nothing, and of what was received nothing but its shape.
package corebanking

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/outbound"
)

// It is also the dispatcher's Ledger and Recipients, which internal/program joins to it.
var _ bank.Directory = (*Client)(nil)

// ErrSandbox: what answered calls itself a stand-in, and this gateway was told to speak to none.
var ErrSandbox = errors.New("corebanking: the bank is a stand-in")

const (
	basePath       = "/bank/v1"
	defaultTimeout = 5 * time.Second
)

// Config is where the bank is and how to speak to it. Only URL has no default.
type Config struct {
	// URL is the bank's: "https://core.bank.example", with or without a path. The protocol's /bank/v1 is added.
	URL string
	// Timeout bounds each call from the dial to the last byte of the answer; a caller's own earlier deadline holds too.
	// Default 5 s.
	Timeout time.Duration
	// TLS holds roots and, in production, our client certificate. Nil: the system's roots and none. At least TLS 1.2 is
	// spoken whatever it says.
	TLS *tls.Config
	// RefuseSandbox believes no answer of a stand-in (header "Refund-Core: sandbox"): ErrSandbox. On in production.
	RefuseSandbox bool
	// Observe is told of every call by its name (customer, search, staff, credit, posting), of what came of it (ok,
	// refused, not_sent, unknown) and of how long it took. Nil: nobody is.
	Observe func(call, outcome string, took time.Duration)

	// Dial makes connections. Nil: TCP. In fake time there is no network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client is the bank as seen from here. It is safe for concurrent use.
type Client struct {
	http          *outbound.Client
	base          string // up to and including /bank/v1
	refuseSandbox bool
	observe       func(call, outcome string, took time.Duration)
}

// New returns a Client. It makes no call.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(cfg.URL)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" ||
		base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("corebanking: URL must be http(s) with a host, and without user, query and fragment")
	}
	if cfg.Timeout < 0 {
		return nil, errors.New("corebanking: timeout is below zero")
	}
	observe := cfg.Observe
	if observe == nil {
		observe = func(string, string, time.Duration) {}
	}
	return &Client{
		http: outbound.New(outbound.Config{
			Name: "bank", Timeout: cmp.Or(cfg.Timeout, defaultTimeout), TLS: cfg.TLS, Dial: cfg.Dial,
		}),
		base:          strings.TrimRight(base.String(), "/") + basePath,
		refuseSandbox: cfg.RefuseSandbox,
		observe:       observe,
	}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.Close() }

// answer is a whole answer, with a status that is no excuse, of which nothing else is believed yet.
type answer struct {
	status int
	body   []byte
}

// call makes exactly one request, which name names in traces. body is nil for a GET. Its error is gateway.ErrNotSent or
// a *gateway.UnknownError.
func (c *Client) call(ctx context.Context, name, method, path string, body any) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, nil)
	if err != nil {
		return answer{}, notSent(errors.New("not a request")) // its own words would quote the path
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "istirdad")
	var raw []byte
	if body != nil {
		if raw, err = json.Marshal(body); err != nil {
			return answer{}, notSent(err)
		}
		req.Header.Set("Content-Type", "application/json")
	}
	x := c.http.Call(ctx, name, req, raw)
	switch cause := x.Cause(); {
	case x.Err != nil && !x.Handed:
		return answer{}, notSent(x.Err)
	case c.refuseSandbox && outbound.FromSandbox(x.Header):
		return answer{}, &gateway.UnknownError{Cause: outbound.CauseSandbox, Err: ErrSandbox}
	case cause != "":
		return answer{}, &gateway.UnknownError{Cause: cause, Err: x.Err, After: x.After()}
	}
	return answer{status: x.Status, body: x.Body}, nil
}

// segment makes one segment of a path of a name that is the bank's to choose. Dots alone would be taken for a way up.
func segment(name string) (string, error) {
	if !printable(name) || name == "." || name == ".." {
		return "", errors.New("not a name")
	}
	return url.PathEscape(name), nil
}

func notSent(err error) error { return fmt.Errorf("corebanking: %w: %w", gateway.ErrNotSent, err) }
