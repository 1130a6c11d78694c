package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// TokenSource returns the caller's access token, of the bank's own issuer: the customer's, or at the counter the teller's.
// It is asked before each request, so it is the place to renew one.
type TokenSource func(ctx context.Context) (string, error)

// Token is a source of always the same token.
func Token(token string) TokenSource {
	return func(context.Context) (string, error) { return token, nil }
}

// Client is one caller's way to a gateway. It is safe for concurrent use, and cheap: make one per session.
type Client struct {
	base     string // ends with a slash
	token    TokenSource
	http     *http.Client
	language string
	timeout  time.Duration
	attempts int
	assisted string // the assisted session at the counter, if it is one
}

// An Option says how a Client is to be.
type Option func(*Client)

// HTTPClient is what requests go through. Sessions that share one share its connections; the default is one for all, which
// keeps two of them per gateway, too few for a busy frontend. Redirects are never followed, whatever it says.
func HTTPClient(h *http.Client) Option { return func(c *Client) { c.http = h } }

// English has the title and detail of problems in English instead of Arabic. What is on screens comes in both anyway.
func English() Option { return func(c *Client) { c.language = "en" } }

// Timeout bounds one attempt of one call, 30 s unless given. It doesn't bound Events.
func Timeout(d time.Duration) Option { return func(c *Client) { c.timeout = d } }

// Attempts is how often a call is made that may be repeated, 4 unless given; 1 repeats nothing.
func Attempts(n int) Option { return func(c *Client) { c.attempts = n } }

// New returns the way to the gateway at a URL, such as https://refunds.bank.example, for the caller whose token it is.
func New(baseURL string, token TokenSource, options ...Option) (*Client, error) {
	base, err := url.Parse(baseURL)
	switch {
	case err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https":
		return nil, errors.New("client: the gateway's address is no http or https URL")
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("client: the gateway's address has more than a host and a path")
	case token == nil:
		return nil, errors.New("client: no source of tokens")
	}
	c := &Client{
		base: strings.TrimSuffix(baseURL, "/") + "/", token: token, language: "ar",
		http: &http.Client{}, timeout: 30 * time.Second, attempts: 4,
	}
	for _, option := range options {
		option(c)
	}
	if c.http == nil || c.timeout <= 0 || c.attempts < 1 {
		return nil, fmt.Errorf("client: an option is out of range (timeout %v, %d attempts)", c.timeout, c.attempts)
	}
	// A redirect would carry the token to wherever the answer says, and turn a POST into a GET.
	own := *c.http
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http = &own
	return c, nil
}

// String is where the client goes, and never as whom.
func (c *Client) String() string { return "client of " + c.base }

// GoString is String.
func (c *Client) GoString() string { return c.String() }
