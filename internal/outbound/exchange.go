package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"syscall"
	"time"
)

// Exchange is all that is known of one request once it is over.
type Exchange struct {
	// Handed: a connection was given the request, so bytes of it may have left. False is the proof that none did.
	Handed bool
	// Err is why there is no whole answer, reduced to its kind; nil when there is one.
	Err error
	// Status and Header are there as soon as the other side sent them, also when the body broke off. Status 0: it
	// didn't.
	Status int
	Header http.Header
	Body   []byte // whole; nil beside an Err
	At     time.Time
}

// What an Err may match, beside context.DeadlineExceeded (the time was up, whoever's it was), io.EOF, io.ErrUnexpectedEOF
// and the syscall.Errno of a connection that was refused or broke.
var (
	// ErrCallerLeft: the caller cancelled its context. It says nothing about the other side.
	ErrCallerLeft = fmt.Errorf("the caller left: %w", context.Canceled)
	// ErrOversize: the body went on beyond 1 MiB.
	ErrOversize = errors.New("answer too large")
)

// The other kinds are told apart for whoever reads a log.
var (
	errName      = errors.New("the host's name doesn't resolve")
	errUntrusted = errors.New("the host's certificate isn't trusted")
	errExpired   = errors.New("the host's certificate has expired or isn't valid yet")
	errNoTLS     = errors.New("the host doesn't speak TLS")
	errBroken    = errors.New("the exchange broke")
)

// Do makes exactly one request, req with this body, and says what became of it. Context and body of req itself are not
// looked at, and req isn't changed.
func (c *Client) Do(ctx context.Context, req *http.Request, body []byte) Exchange {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var handed atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// net/http calls GotConn before it writes the first byte of a request, on new and on kept connections alike.
		// Resolving, dialling and the TLS handshake come before it.
		GotConn: func(httptrace.GotConnInfo) { handed.Store(true) },
	})
	resp, err := c.transport.RoundTrip(once(req.WithContext(traced), body))
	if err != nil {
		return Exchange{Handed: handed.Load(), Err: reduced(ctx, err), At: time.Now()}
	}
	defer resp.Body.Close()
	x := Exchange{Handed: true, Status: resp.StatusCode, Header: resp.Header}
	x.Body, err = io.ReadAll(io.LimitReader(resp.Body, bodyMax+1))
	x.At = time.Now()
	switch {
	case err != nil:
		x.Body, x.Err = nil, reduced(ctx, err)
	case len(x.Body) > bodyMax:
		x.Body, x.Err = nil, ErrOversize
	}
	return x
}

// once gives req a body that net/http can't read a second time, also when there is nothing in it: without one, a GET is
// sent again on a new connection when a kept one dies under it. An empty body goes out as none, with a GET.
func once(req *http.Request, body []byte) *http.Request {
	req.Body = io.NopCloser(bytes.NewReader(body))
	req.ContentLength = int64(len(body))
	req.GetBody = nil
	return req
}

// reduced is what an error is, in words of our own. ctx is the exchange's.
func reduced(ctx context.Context, err error) error {
	var timeout net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ErrCallerLeft
	case ctx.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		return context.DeadlineExceeded
	case errors.Is(err, io.ErrUnexpectedEOF):
		return io.ErrUnexpectedEOF
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	var errno syscall.Errno
	var name *net.DNSError
	if errors.As(err, &errno) {
		return errno
	}
	if errors.As(err, &name) {
		return errName
	}
	return reducedTLS(err)
}

func reducedTLS(err error) error {
	var invalid x509.CertificateInvalidError
	var untrusted *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var op *net.OpError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return errExpired
	case errors.As(err, &untrusted):
		return errUntrusted
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return errNoTLS
	case errors.As(err, &op) && op.Op == "remote error": // crypto/tls's for an alert, whose words are its own
		return op.Err
	default:
		return errBroken
	}
}
