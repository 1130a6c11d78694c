package sandbox

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// door is one listener of the world that can be shut, so that connections are refused as by a machine that is down,
// and opened again at the same address.
type door struct {
	name      string
	handler   http.Handler
	drained   func() // called when it is drained: what goes on by itself may end; nil: nothing does
	log       *slog.Logger
	address   string // where it listens
	authority string // by what others call it

	mu     sync.Mutex
	server *http.Server // nil while shut
	done   chan struct{}
	wanted bool // to be open
	closed bool // for good
}

// listen takes the address at once, so that it is known before anything is served there.
func listen(ctx context.Context, name, address string, log *slog.Logger) (*door, net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, nil, err
	}
	taken := l.Addr().String()
	return &door{name: name, address: taken, authority: authority(address, taken), log: log}, l, nil
}

// authority is how others call the address that was taken: by the host's name if it was asked for by name, and by this
// machine's if it is open on all sides. On another machine the name means what the number doesn't.
func authority(asked, taken string) string {
	host, _, err := net.SplitHostPort(asked)
	if err != nil {
		return taken
	}
	_, port, err := net.SplitHostPort(taken)
	if err != nil {
		return taken
	}
	switch ip := net.ParseIP(host); {
	case host == "", ip != nil && ip.IsUnspecified():
		if host, err = os.Hostname(); err != nil {
			return taken
		}
	case ip != nil:
		return taken
	}
	return net.JoinHostPort(host, port)
}

// url is where others find it; empty when there is no such door.
func (d *door) url() string {
	if d == nil {
		return ""
	}
	return "http://" + d.authority
}

// serve answers on l from now on.
func (d *door) serve(l net.Listener, h http.Handler) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.handler = h
	d.start(l)
}

func (d *door) start(l net.Listener) {
	server := &http.Server{
		Handler:           d.handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(d.log.Handler(), slog.LevelDebug),
	}
	if d.drained != nil {
		server.RegisterOnShutdown(d.drained)
	}
	done := make(chan struct{})
	d.server, d.done, d.wanted = server, done, true
	go func() {
		defer close(done)
		if err := server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			d.log.Error("listener failed", "listener", d.name, "err", err)
		}
	}()
}

// shut closes listener and connections. Who calls then is refused.
func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = false
	if d.server == nil {
		return
	}
	_ = d.server.Close()
	<-d.done
	d.server = nil
}

// reopenAgain is how soon a door that couldn't be reopened is tried again.
const reopenAgain = 50 * time.Millisecond

// reopen listens at the same address again. While the door was shut the port may have gone to somebody's outgoing
// connection; then it opens as soon as that one is done.
func (d *door) reopen() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = true
	d.open()
}

// open is called with mu held.
func (d *door) open() {
	if d.server != nil || d.closed || !d.wanted {
		return
	}
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", d.address)
	if err != nil {
		d.log.Warn("listener not reopened yet", "listener", d.name, "err", err)
		time.AfterFunc(reopenAgain, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.open()
		})
		return
	}
	d.start(l)
}

// drain lets requests under way finish for a moment, then shuts for good.
func (d *door) drain(ctx context.Context) {
	d.mu.Lock()
	server := d.server
	d.closed = true
	d.mu.Unlock()
	if server != nil {
		_ = server.Shutdown(ctx)
	}
	d.shut()
}
