// Package httpsms delivers messages by the plainest protocol there is: one POST
// of {"id","to","sender","text"} per message, answered by any 2xx once the
// provider has taken it. The provider delivers an id once.
//
// The outcome is one of three, as [otp.Sender] asks. Taken: a 2xx. Not sent:
// no connection came about, or the provider answered anything else, a 5xx
// included, since it said itself that it did not take the message. A redirect
// is among them: a provider that moves is configured anew, and following it
// would carry the number and the code to wherever it says. Silence: the message
// left and no answer came.
package httpsms

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/istirdad/istirdad/internal/outbound"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/sms"
)

// Config is where messages go and what they carry.
type Config struct {
	// URL takes the POST. http or https, without credentials in it.
	URL string

	// Authorization is sent as the header of that name; none when empty.
	Authorization string

	// Timeout bounds one POST from dialling to the end of the answer; 3 s when
	// 0. The caller's deadline holds too.
	Timeout time.Duration

	// RefuseSandbox believes no stand-in (header "Refund-Core: sandbox"), which
	// takes messages and delivers them to nobody: ErrSandbox. On in production.
	RefuseSandbox bool

	TLS *tls.Config // nil: the system's authorities

	// Observe is told of every message that was tried ("send"), of what came of
	// it (ok, refused, not_sent, unknown) and of how long it took. Nil: nobody is.
	Observe func(call, outcome string, took time.Duration)
}

// Route is an otp.Sender over HTTP. It keeps connections; Close lets go of them.
type Route struct {
	config Config
	http   *outbound.Client
	ailing atomic.Bool // the last message that was tried wasn't taken
}

var _ otp.Sender = (*Route)(nil)

// ErrSandbox: what answered calls itself a stand-in, and this gateway was told
// to speak to none. It comes with otp.ErrNotSent, since no phone shows what a
// stand-in has taken.
var ErrSandbox = errors.New("httpsms: the provider is a stand-in")

const (
	defaultTimeout = 3 * time.Second
	maxConns       = 32
)

// New returns a route, or an error that says what the configuration lacks.
func New(c Config) (*Route, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("httpsms: the URL must be http or https, with a host and no credentials")
	}
	if c.Observe == nil {
		c.Observe = func(string, string, time.Duration) {}
	}
	return &Route{
		config: c,
		http: outbound.New(outbound.Config{
			Name: "sms", Timeout: cmp.Or(c.Timeout, defaultTimeout), TLS: c.TLS, Conns: maxConns,
		}),
	}, nil
}

// Close lets go of idle connections.
func (r *Route) Close() { r.http.Close() }

// Healthy reports whether the last message that was tried was taken; so it is
// before there was one.
func (r *Route) Healthy() bool { return !r.ailing.Load() }

type post struct {
	ID     string `json:"id"`
	To     string `json:"to"` // E.164
	Sender string `json:"sender"`
	Text   string `json:"text"`
}

// Send implements otp.Sender.
func (r *Route) Send(ctx context.Context, id string, to saudi.Mobile, m otp.Message) error {
	text := sms.Render(m)
	if text == "" || to.IsZero() || m.Brand.Sender == "" {
		return fmt.Errorf("httpsms: no words, no number or no sender for a message of kind %q: %w", m.Kind, otp.ErrNotSent)
	}
	body, err := json.Marshal(post{ID: id, To: to.E164(), Sender: m.Brand.Sender, Text: text})
	if err != nil {
		return fmt.Errorf("httpsms: %w: %w", otp.ErrNotSent, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.config.URL, nil)
	if err != nil { // its own words would quote the URL, which may hold a key
		return fmt.Errorf("httpsms: %w: not a request", otp.ErrNotSent)
	}
	req.Header.Set("Content-Type", "application/json")
	if r.config.Authorization != "" {
		req.Header.Set("Authorization", r.config.Authorization)
	}

	began := time.Now()
	x := r.http.Call(ctx, "send", req, body)
	outcome, err := r.judge(x)
	r.config.Observe("send", outcome, time.Since(began))
	if !errors.Is(err, outbound.ErrCallerLeft) { // which says nothing about the route
		r.ailing.Store(err != nil)
	}
	return err
}

// judge makes an outcome of what happened: its class, and nil when the message
// was taken.
func (r *Route) judge(x outbound.Exchange) (outcome string, err error) {
	switch {
	case !x.Handed:
		return "not_sent", fmt.Errorf("httpsms: no connection: %w: %w", otp.ErrNotSent, x.Err)
	case x.Status == 0:
		return "unknown", fmt.Errorf("httpsms: no answer: %w", x.Err)
	case r.config.RefuseSandbox && outbound.FromSandbox(x.Header):
		return "refused", fmt.Errorf("%w: %w", ErrSandbox, otp.ErrNotSent)
	case x.Status < 200 || x.Status > 299: // the status says it all, whatever became of the rest
		return "refused", fmt.Errorf("httpsms: the provider answered %d: %w", x.Status, otp.ErrNotSent)
	default:
		return "ok", nil
	}
}
