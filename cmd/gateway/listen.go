package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"

	"github.com/istirdad/istirdad/internal/config"
)

// limits are what a client may take of a listener (reliability.md §3.2): without them, whoever opens connections and says
// nothing has them all.
type limits struct {
	header time.Duration // for the headers of a request, and a TLS handshake
	read   time.Duration // for all of a request
	write  time.Duration // from the end of the headers to the end of the answer
	idle   time.Duration // between two requests of a connection
	bytes  int           // of a request's headers; net/http adds 4 KiB of its own to it
}

// usualLimits are everybody's; tests are in more of a hurry. The answer of a handler takes 10 s at most, so 30 s are for
// the slowest of readers.
var usualLimits = limits{
	header: 5 * time.Second, read: 10 * time.Second, write: 30 * time.Second, idle: time.Minute, bytes: 16 << 10,
}

// opsConnections bounds the private listener: probes, a scraper or two, some operators.
const opsConnections = 256

// listeners are the addresses that the gateway has taken.
type listeners struct{ channel, ops net.Listener }

// listen takes both addresses, so that a gateway that can't have them does nothing else.
func listen(ctx context.Context, c config.Config) (listeners, error) {
	secure, err := c.ChannelTLS()
	if err != nil {
		return listeners{}, err
	}
	var l listeners
	if l.channel, err = take(ctx, "listen.channel", c.Listen.Channel, c.Listen.Connections); err != nil {
		return listeners{}, err
	}
	if l.ops, err = take(ctx, "listen.ops", c.Listen.Ops, opsConnections); err != nil {
		l.channel.Close()
		return listeners{}, err
	}
	if secure != nil {
		l.channel = tls.NewListener(l.channel, secure)
	}
	return l, nil
}

func take(ctx context.Context, key, address string, connections int) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return netutil.LimitListener(l, connections), nil
}

func (l listeners) close() {
	l.channel.Close()
	l.ops.Close()
}

// newServer makes a server within limits. It speaks HTTP/1.1 alone: a connection is one request at a time, so that
// counting the connections bounds the work.
func newServer(handler http.Handler, l limits, log *slog.Logger) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: l.header,
		ReadTimeout:       l.read,
		WriteTimeout:      l.write,
		IdleTimeout:       l.idle,
		MaxHeaderBytes:    l.bytes,
		Protocols:         protocols,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}
