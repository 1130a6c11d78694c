package sandboxcore

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxfault"
)

// maxBody is the longest body of a call, in bytes.
const maxBody = 16 << 10

// silentOnce is the person whose first refund is never answered, polite or not:
// so says their case in domain.md, section 7.
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
	about                string // the number of the person whose money it is
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
		c.attend(w, v, call, read)
	})
}

// attend serves a call whose signature held.
func (c *Core) attend(w http.ResponseWriter, v *visit, call string, read reader) {
	work, err := read(v)
	v.mischief = c.mischief(call, c.cfg.UserOf(v.about))
	v.identify()
	switch {
	case v.mischief.is(sandboxfault.HangBefore):
		v.hang()
	case v.mischief.is(sandboxfault.Unavailable):
		w.Header().Set("Retry-After", "1")
		sendUnsigned(w, v, problem(http.StatusServiceUnavailable, "unavailable", "try again later"))
		return
	case err != nil:
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
	if v.mischief.is(sandboxfault.EffectThenHang) {
		v.hang()
	}
	c.send(w, v, a)
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
		v.mischief.kinds = []string{sandboxfault.EffectThenHang}
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
