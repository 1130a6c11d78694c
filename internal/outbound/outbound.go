// Package outbound makes exactly one HTTP request and says what is provable about it. Whoever speaks to a neighbour whose
// answer moves money, or may be asked for only once, does it through a [Client].
//
// # One call, one request
//
// net/http sends a request again by itself when a kept connection dies under it and the body can be read twice: a GET,
// and any POST with an Idempotency-Key. Here every request gets a body that can be read once, an empty one too. A
// redirect is an answer and leads nowhere, no proxy is taken from the environment, nothing is unpacked, and HTTP/2 is
// left out: one broken connection would put every call on it in doubt, and what proves that a request never left is
// written down for HTTP/1.1.
//
// # What is provable
//
// That a request did not leave has one proof, and [Exchange.Handed] is it: no connection was ever given the request. The
// name may not resolve, nobody may listen, the TLS handshake may fail, the time may be up before a connection is free;
// all of these come before it. From the moment a connection has the request, bytes may have left, whatever the error
// says. That an answer came has one proof too: Err is nil, and then the whole of it was read.
//
// # What is bounded
//
// One deadline covers everything from the wait for a connection to the last byte of the answer. An answer may have 64 KiB
// of headers and 1 MiB of body. The connections to one host are counted.
//
// # What is never said
//
// An error of net/http may quote the URL, and so a key or a reference in it; the address; or what the other side sent,
// and so anything that we had sent to it. None of that leaves this package: an error is reduced to its kind.
//
// # What is traced
//
// An exchange by [Client.Call] is a span of the trace that its context belongs to, and the other side is told of it by a
// traceparent (W3C Trace Context). There is no tracer to be handed in: the span comes from where its parent came from,
// and without a parent there is none.
package outbound

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	bodyMax   = 1 << 20  // bytes of an answer's body
	headerMax = 64 << 10 // bytes of its headers

	timeoutUsual = 10 * time.Second
	connsUsual   = 64
	// connectMax bounds dialling and, once more, the TLS handshake.
	connectMax = 3 * time.Second
	// idleMax closes idle connections before the other side is likely to: a request on one that was just closed ends
	// in doubt.
	idleMax = 30 * time.Second
)

// Config is how to speak to a neighbour. The zero value will do.
type Config struct {
	// Name is what the neighbour is called in traces: "core". Empty: it is told of no trace, and is in none.
	Name string
	// Timeout bounds each exchange from the wait for a connection to the last byte of the answer; a caller's own
	// earlier deadline holds too. Default 10 s.
	Timeout time.Duration
	// TLS holds roots and, if one is wanted, our certificate. Nil: the system's roots and none. At least TLS 1.2 is
	// spoken whatever it says. It isn't changed.
	TLS *tls.Config
	// Conns is how many connections to one host there may be. Who waits for one until the time is up was not sent.
	// Default 64.
	Conns int
	// Dial makes connections. Nil: TCP. In fake time there is no network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client makes exchanges and keeps connections between them. It is safe for concurrent use.
type Client struct {
	name      string
	transport *http.Transport
	timeout   time.Duration
}

var _ http.RoundTripper = (*Client)(nil)

// New returns a Client. It makes no call.
func New(cfg Config) *Client {
	timeout := cmp.Or(max(cfg.Timeout, 0), timeoutUsual)
	return &Client{name: cfg.Name, transport: transport(cfg, timeout), timeout: timeout}
}

// transport says everything that net/http would otherwise decide by itself.
func transport(cfg Config, timeout time.Duration) *http.Transport {
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.TLS != nil {
		secure = cfg.TLS.Clone()
		secure.MinVersion = max(secure.MinVersion, tls.VersionTLS12)
	}
	secure.NextProtos = nil
	// Less than the whole time, so that a host which swallows packets leaves some for another.
	connect := min(connectMax, timeout*2/3)
	dial := cfg.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: connect, KeepAlive: 15 * time.Second}).DialContext
	}
	conns := cmp.Or(max(cfg.Conns, 0), connsUsual)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  nil, // never from the environment
		DialContext:            dial,
		TLSClientConfig:        secure,
		TLSHandshakeTimeout:    connect,
		DisableCompression:     true, // an answer is as long as it looks, and a digest is of the bytes as sent
		MaxIdleConns:           conns,
		MaxIdleConnsPerHost:    conns,
		MaxConnsPerHost:        conns,
		IdleConnTimeout:        idleMax,
		MaxResponseHeaderBytes: headerMax,
		Protocols:              protocols,
	}
}

// Close closes idle connections. Exchanges under way are their callers' to end.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// CloseIdleConnections is Close under the name by which an http.Client looks for it.
func (c *Client) CloseIdleConnections() { c.Close() }

// RoundTrip is [Client.Do] for libraries that ask for an http.Client of their own: they get an answer that was read whole,
// or an error that was reduced to its kind. A redirect comes without its Location, which an http.Client would follow, or
// quote when it can't be read.
func (c *Client) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		defer req.Body.Close()
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	x := c.Do(req.Context(), req, body)
	if x.Err != nil {
		return nil, x.Err
	}
	if x.Cause() == CauseRedirect {
		x.Header.Del("Location")
	}
	return &http.Response{
		Status: http.StatusText(x.Status), StatusCode: x.Status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: x.Header, Body: io.NopCloser(bytes.NewReader(x.Body)), ContentLength: int64(len(x.Body)),
		Request: req,
	}, nil
}
