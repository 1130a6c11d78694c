package refundcore

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/internal/outbound"
)

var (
	_ dispatch.Core  = (*Client)(nil)
	_ bank.Inquiries = (*Client)(nil)
)

// basePath is the protocol's.
const basePath = "/core/v1"

// Config is what a Client needs. The fields without a default are BaseURL, KeyID, Key and CoreKeys.
type Config struct {
	// BaseURL is scheme, host and port of the core: "https://core.example". The protocol's /core/v1 is added.
	BaseURL string
	// KeyID is the name under which the core knows our key: "bank-80".
	KeyID string
	// Key signs our requests.
	Key ed25519.PrivateKey
	// CoreKeys are the keys whose signatures are the core's word, by key id. More than one while it changes them.
	CoreKeys map[string]ed25519.PublicKey
	// CallbackAuthority is host and port to which the core sends callbacks, as it signs them. Empty: what a request
	// says its host is, which holds only where no proxy rewrites it.
	CallbackAuthority string

	// SubmitTimeout (default 10 s, also of returns), StatusTimeout (5 s) and InquiryTimeout (5 s) bound a call from
	// the dial to the last byte of the answer. A caller's own earlier deadline holds too.
	SubmitTimeout, StatusTimeout, InquiryTimeout time.Duration
	// TLS holds roots and, in production, our client certificate. Nil: the system's roots and none. At least TLS 1.2
	// is spoken whatever it says.
	TLS *tls.Config
	// RefuseSandbox believes no answer of a stand-in (header "Refund-Core: sandbox"). On in production.
	RefuseSandbox bool

	// Bulkhead is how many calls of one kind may be under way at once. Default 32.
	Bulkhead int
	// Breaker is when a kind of call is cut off.
	Breaker BreakerSettings
	// Log gets outcomes that decide nothing and changes of the breakers. Nil: nobody does.
	Log *slog.Logger
	// Observe is told of every call by its name (submit, status, return, search, balance), of what came of it (see
	// outcomeOf) and of how long it took. Nil: nobody is.
	Observe func(call, outcome string, took time.Duration)

	// Dial makes connections. Nil: TCP. In fake time there is no network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client is the refund core as seen from here. It is safe for concurrent use.
type Client struct {
	http          *outbound.Client
	base          url.URL // scheme and authority, normalised as RFC 9421 §2.2.3 has it
	signer        signer
	verifier      verifier
	nonces        nonces
	callbackHost  string
	refuseSandbox bool
	submit        *guard
	status        *guard
	inquiry       *guard
	log           *slog.Logger
	observe       func(call, outcome string, took time.Duration)
}

// New returns a Client. It makes no call.
func New(cfg Config) (*Client, error) {
	base, err := parseBase(cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	if err := checkKeys(cfg); err != nil {
		return nil, err
	}
	breaker, err := cfg.Breaker.withDefaults()
	if err != nil {
		return nil, err
	}
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	observe := cfg.Observe
	if observe == nil {
		observe = func(string, string, time.Duration) {}
	}
	bulkhead := orDefault(cfg.Bulkhead, 32)
	if bulkhead < 1 {
		return nil, errors.New("refundcore: bulkhead must be at least 1")
	}
	kind := func(call dispatch.Call, timeout, usual time.Duration) *guard {
		return newGuard(call, orDefault(timeout, usual), bulkhead, breaker, log)
	}
	submit := kind(dispatch.CallSubmit, cfg.SubmitTimeout, 10*time.Second)
	status := kind(dispatch.CallStatus, cfg.StatusTimeout, 5*time.Second)
	inquiry := kind(dispatch.CallInquiry, cfg.InquiryTimeout, 5*time.Second)
	return &Client{
		http: outbound.New(outbound.Config{
			Name:    "core",
			Timeout: max(submit.deadline, status.deadline, inquiry.deadline), // each guard sets its own
			TLS:     cfg.TLS,
			Conns:   3 * bulkhead, // never reached by calls, which the bulkheads bound: it bounds forsaken dials
			Dial:    cfg.Dial,
		}),
		base:          base,
		signer:        signer{keyID: cfg.KeyID, key: cfg.Key},
		verifier:      verifier{keys: cfg.CoreKeys},
		callbackHost:  authority(cfg.CallbackAuthority, "http", "https"),
		refuseSandbox: cfg.RefuseSandbox,
		submit:        submit,
		status:        status,
		inquiry:       inquiry,
		log:           log,
		observe:       observe,
	}, nil
}

func parseBase(text string) (url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return url.URL{}, errors.New("refundcore: base URL can't be read") // the error would quote it
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return url.URL{}, errors.New("refundcore: base URL needs http or https and a host")
	case u.User != nil, u.Path != "" && u.Path != "/", u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return url.URL{}, fmt.Errorf("refundcore: base URL is scheme, host and port alone; %s is added", basePath)
	}
	return url.URL{Scheme: u.Scheme, Host: authority(u.Host, u.Scheme)}, nil
}

// defaultPorts are those that an authority leaves out, by scheme.
var defaultPorts = map[string]string{"http": ":80", "https": ":443"}

// authority normalises host and port as they are signed: in small letters, and without the default port of the scheme, or
// of any of several (RFC 9421 §2.2.3).
func authority(host string, schemes ...string) string {
	host = strings.ToLower(host)
	for _, scheme := range schemes {
		if name, found := strings.CutSuffix(host, defaultPorts[scheme]); found {
			return name
		}
	}
	return host
}

func checkKeys(cfg Config) error {
	switch {
	case !plain(cfg.KeyID):
		return errors.New("refundcore: key id must be 1 to 128 visible ASCII characters without quotes")
	case len(cfg.Key) != ed25519.PrivateKeySize:
		return errors.New("refundcore: our key is no Ed25519 private key")
	case len(cfg.CoreKeys) == 0:
		return errors.New("refundcore: no key of the core is known, so no answer could be believed")
	}
	for id, key := range cfg.CoreKeys {
		if !plain(id) || len(key) != ed25519.PublicKeySize {
			return fmt.Errorf("refundcore: key %q of the core is no Ed25519 public key", id)
		}
	}
	return nil
}

func orDefault[T comparable](value, usual T) T {
	var zero T
	if value == zero {
		return usual
	}
	return value
}

// Submit is part of [dispatch.Core].
func (c *Client) Submit(ctx context.Context, r gateway.Refund) (dispatch.Answer, error) {
	body, err := json.Marshal(newRefundRequest(r))
	if err != nil {
		return dispatch.Answer{}, fmt.Errorf("%w: %w", gateway.ErrNotSent, err)
	}
	out := outgoing{call: "submit", method: http.MethodPost, path: basePath + "/refunds", body: body}
	return c.ask(ctx, c.submit, question{askSubmit, r}, out)
}

// Status is part of [dispatch.Core].
func (c *Client) Status(ctx context.Context, r gateway.Refund) (dispatch.Answer, error) {
	out := outgoing{call: "status", method: http.MethodGet, path: basePath + "/refunds/" + r.Reference}
	return c.ask(ctx, c.status, question{askStatus, r}, out)
}

// returnReasons are the core's codes (ISO 20022) for the bank's.
var returnReasons = map[string]string{
	string(bank.AccountIsClosed): "AC04",
	string(bank.AccountIsFrozen): "AC06",
}

// Return is part of [dispatch.Core]. A refund whose CreditRefusal isn't one of the two that the core knows is never
// sent.
func (c *Client) Return(ctx context.Context, r gateway.Refund) (dispatch.Answer, error) {
	reason, known := returnReasons[r.CreditRefusal]
	if !known {
		return dispatch.Answer{}, fmt.Errorf("%w: the core has no code for the bank's refusal", gateway.ErrNotSent)
	}
	out := outgoing{
		call:   "return",
		method: http.MethodPost,
		path:   basePath + "/refunds/" + r.Reference + "/return",
		body:   []byte(`{"reason":"` + reason + `"}`),
	}
	return c.ask(ctx, c.submit, question{askReturn, r}, out)
}

// ask makes one call about one refund.
func (c *Client) ask(ctx context.Context, g *guard, q question, out outgoing) (answer dispatch.Answer, err error) {
	err = c.call(ctx, g, out, q.refund.Reference, func(f facts) error {
		var err error
		answer, err = classify(q, f)
		answer.Exchange = c.said(out, f)
		return err
	})
	return answer, err
}

// Admits is part of [dispatch.Core]. It counts what the bulkhead has room for, too.
func (c *Client) Admits(call dispatch.Call) int {
	if g := c.guard(call); g != nil {
		return g.admits()
	}
	return 0
}

// Guard is how one kind of call stands.
type Guard struct {
	Breaker     string // "closed", "half-open" or "open"
	InUse, Size int    // of the bulkhead
}

// Guards says for operators how each kind of call stands.
func (c *Client) Guards() map[dispatch.Call]Guard {
	guards := make(map[dispatch.Call]Guard, 3)
	for _, g := range []*guard{c.submit, c.status, c.inquiry} {
		guards[g.call] = Guard{Breaker: g.state(), InUse: len(g.slots), Size: cap(g.slots)}
	}
	return guards
}

func (c *Client) guard(call dispatch.Call) *guard {
	switch call {
	case dispatch.CallSubmit:
		return c.submit
	case dispatch.CallStatus:
		return c.status
	case dispatch.CallInquiry:
		return c.inquiry
	default:
		return nil
	}
}

// Close closes idle connections. Calls under way are their callers' to end.
func (c *Client) Close() { c.http.Close() }
