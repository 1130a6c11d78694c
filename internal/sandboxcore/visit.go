package sandboxcore

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxfault"
)

// maxBody is the longest body of a call, in bytes.
const maxBody = 16 << 10

// silentOnce is the person whose first refund is never answered, polite or not,
// unless a fault says that it is to go well: so says their case in domain.md,
// section 7.
const silentOnce = "p14"

// A visit is one call under way.
type visit struct {
	core     *Core
	request  *http.Request
	body     []byte
	bank     string // keyid of who calls
	nonce    string // of the request, for the answer
	mischief mischief
	entry    *entry

	// What the call is about, filled in by its reader.
	reference, requestID string
	about                string      // the number of the person whose money it is
	ask                  *submission // of a submission

	early *event // a callback that comes before the answer
}

// A reader understands a call: it fills in what the visit is about and returns
// the work, to be done only if no fault comes before it.
type reader func(*visit) (work func() answer, err error)

// errMalformed is a call that is not in the form of the protocol.
var errMalformed = errors.New("not in the form of the protocol")

// endpoint takes a call through its stations.
func (c *Core) endpoint(call string, read reader) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{core: c, request: r}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		v.body = body
		v.entry = c.history.begin(Call{
			At: time.Now().UTC(), Call: call, Method: r.Method, Path: r.URL.RequestURI(),
			Request: recorded(body), Answer: recorded(nil),
		})
		if err != nil {
			sendUnsigned(w, v, problem(http.StatusRequestEntityTooLarge, "malformed_request", "the body can't be read or is longer than 16 KiB"))
			return
		}
		if c.ctx.Err() != nil {
			sendUnsigned(w, v, problem(http.StatusServiceUnavailable, "closed", "the core is shutting down"))
			return
		}
		admitted, err := c.door.admit(r, body, time.Now())
		if err != nil {
			sendUnsigned(w, v, problem(http.StatusUnauthorized, "signature_invalid", err.Error()))
			return
		}
		v.bank, v.nonce = admitted.keyID, admitted.nonce
		c.attend(w, v, call, read) //nolint:contextcheck // a callback outlives the call that it is about
	})
}

// attend serves a call whose signature held.
func (c *Core) attend(w http.ResponseWriter, v *visit, call string, read reader) {
	work, err := read(v)
	if until, closed := c.cfg.Faults.Closed(time.Now()); closed {
		v.mischief.kinds = []string{sandboxfault.Maintenance}
		c.cfg.Faults.Record(sandboxfault.Maintenance)
		v.identify()
		v.maintain(w, until)
		return
	}
	v.mischief = c.mischief(call, c.cfg.UserOf(v.about), v.possible)
	v.identify()
	if do := v.mischief.among(instead); do != nil {
		do(v, w)
		return
	}
	if err != nil {
		c.send(w, v, problem(http.StatusBadRequest, "malformed_request", err.Error()))
		return
	}
	a := work()
	if err := c.book.durable(); err != nil {
		c.log.Error("the core's book can't be written", slog.Any("error", err))
		sendUnsigned(w, v, problem(http.StatusServiceUnavailable, "book_unavailable", "the book can't be written"))
		return
	}
	v.identify()
	c.history.update(v.entry, func(call *Call) { call.Effect = a.effect })
	if v.early != nil {
		c.post(*v.early, v.mischief)
	}
	if do := v.mischief.among(afterwards); do != nil {
		do(v, w)
		return
	}
	c.send(w, v, a)
	if a.tells && v.mischief.harmless() {
		c.book.tell(v.bank, v.reference)
	}
}

// possible reports whether a kind of fault can be seen in this call: some need
// something on the book that they can be about.
func (v *visit) possible(kind string) bool {
	if !slices.Contains(needy, kind) {
		return true
	}
	p := v.core.book.foresee(v.bank, v.reference, v.ask)
	old := p.found && time.Since(p.refund.accepted) > staleFor
	switch kind {
	case sandboxfault.LateEffect:
		return p.first
	case sandboxfault.ReferenceReused:
		return p.welcome || p.repeated
	case sandboxfault.Forgets:
		return p.repeated || p.found && v.ask == nil
	case sandboxfault.StaleStatus:
		return p.found && (p.before != nil || !old)
	case sandboxfault.Contradiction:
		return p.told && old
	case sandboxfault.UnknownState:
		return p.welcome || p.found && (v.ask == nil || p.repeated && p.refund.first.code == "")
	case sandboxfault.EarlyCallback:
		return p.welcome && v.core.cfg.CallbackURL != ""
	}
	return p.welcome
}

// identify writes into the history what the visit is about, and its fault.
func (v *visit) identify() {
	v.core.history.update(v.entry, func(call *Call) {
		call.Reference, call.RequestID, call.Fault = v.reference, v.requestID, v.mischief.String()
	})
}

// note writes the answer into the history, before it is sent: whoever has the
// answer finds it there.
func (v *visit) note(a answer) {
	v.core.history.update(v.entry, func(call *Call) { call.Status, call.Answer = a.status, recorded(a.body) })
}

// silence makes this call one that is carried out and never answered.
func (v *visit) silence() {
	if !v.mischief.is(sandboxfault.EffectThenHang) {
		v.mischief.kinds = []string{sandboxfault.EffectThenHang} // whatever else was to go wrong is not seen
		v.core.cfg.Faults.Record(sandboxfault.EffectThenHang)
	}
}

// hang keeps the connection until the client goes or the core is closed, and
// then breaks it. It does not return.
func (v *visit) hang() {
	select {
	case <-v.request.Context().Done():
	case <-v.core.ctx.Done():
	}
	v.abort()
}

// abort breaks the connection. It does not return.
func (v *visit) abort() { panic(http.ErrAbortHandler) }

// reset breaks the connection so that the client is told of it at once (RST),
// where there is one that can be. It does not return.
func (v *visit) reset(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		if over, ok := conn.(interface{ NetConn() net.Conn }); ok {
			conn = over.NetConn()
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
	v.abort()
}

// sleep reports whether anybody still waits afterwards.
func (v *visit) sleep(t time.Duration) bool {
	alarm := time.NewTimer(t)
	defer alarm.Stop()
	select {
	case <-alarm.C:
		return true
	case <-v.request.Context().Done():
	case <-v.core.ctx.Done():
	}
	return false
}
