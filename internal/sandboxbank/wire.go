package sandboxbank

import (
	"encoding/json"
	"io"
	"net/http"

	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/sandboxjson"
)

const maxBody = 16 << 10 // bytes of a request

// reply is an answer that has been decided and not yet been given: between the
// two, a fault may swallow it.
type reply struct {
	status int
	body   any
}

func refusal(status int, code string) reply {
	return reply{status, map[string]string{"code": code}}
}

var (
	malformed   = refusal(http.StatusBadRequest, "malformed_request")
	unavailable = refusal(http.StatusServiceUnavailable, "unavailable")
)

func send(w http.ResponseWriter, a reply) {
	w.Header().Set("Content-Type", "application/json")
	if a.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(a.status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(a.body) // the reader is gone: nobody is left to tell
}

// readJSON answers itself when the body is not as it must be.
func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil || sandboxjson.Read(body, into) != nil {
		send(w, malformed)
		return false
	}
	return true
}

// underFaults makes a call as the board wants it. do has the effect.
func (b *Bank) underFaults(w http.ResponseWriter, r *http.Request, call, user string, do func() reply) {
	switch b.board.Pick(call, user) {
	case sandboxfault.HangBefore:
		b.hang(r)
	case sandboxfault.EffectThenHang:
		do()
		b.hang(r)
	case sandboxfault.Unavailable:
		send(w, unavailable)
	default:
		send(w, do())
	}
}

// hang says nothing until the caller gives up or the bank is closed, and then
// drops the connection. It does not return.
func (b *Bank) hang(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-b.closed:
	}
	panic(http.ErrAbortHandler)
}
