package sandboxphone

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"unicode"
	"unicode/utf8"

	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/sandboxjson"
	"github.com/istirdad/istirdad/internal/saudi"
)

const (
	maxBody = 16 << 10 // bytes of a hand-over
	maxText = 2000     // runes: far above any template, still thirty parts of Arabic
)

// Handler serves the three calls of the phone: POST, GET and DELETE
// /phone/messages.
func (p *Phone) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /phone/messages", p.post)
	mux.HandleFunc("GET /phone/messages", p.list)
	mux.HandleFunc("DELETE /phone/messages", func(w http.ResponseWriter, _ *http.Request) {
		p.Clear()
		w.WriteHeader(http.StatusNoContent)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Refund-Core", "sandbox")
		w.Header().Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	})
}

func (p *Phone) post(w http.ResponseWriter, r *http.Request) {
	if p.board.Stopped(sandboxfault.CallSMS) {
		panic(http.ErrAbortHandler)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refuse(w, http.StatusBadRequest, "malformed_request")
		return
	}
	in, err := parseHandover(body)
	if err != nil {
		refuse(w, http.StatusBadRequest, "malformed_request")
		return
	}
	switch p.board.Pick(sandboxfault.CallSMS, p.users[in.To]) {
	case sandboxfault.HangBefore:
		p.hang(r)
	case sandboxfault.EffectThenHang:
		p.deliver(in)
		p.hang(r)
	case sandboxfault.Unavailable:
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, "unavailable")
		return
	}
	p.deliver(in)
	w.WriteHeader(http.StatusAccepted)
}

// hang says nothing until the caller gives up or the phone is closed, and then
// drops the connection. It does not return.
func (p *Phone) hang(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-p.closed:
	}
	panic(http.ErrAbortHandler)
}

// list takes the number in any way a person writes one: a '+' that was not
// escaped in the URL arrives as a blank, and means the same.
func (p *Phone) list(w http.ResponseWriter, r *http.Request) {
	to := r.URL.Query().Get("to")
	if to != "" {
		mobile, err := saudi.ParseMobile(to)
		if err != nil {
			refuse(w, http.StatusBadRequest, "malformed_request")
			return
		}
		to = mobile.E164()
	}
	answer(w, http.StatusOK, struct {
		Items []Message `json:"items"`
	}{p.Messages(to)})
}

// handover is the body of POST /phone/messages.
type handover struct {
	ID     string `json:"id"`
	To     string `json:"to"`
	Sender string `json:"sender"`
	Text   string `json:"text"`
}

var (
	idShape = regexp.MustCompile(`^[!-~]{1,128}$`)
	// A registered name of domain.md §4.5: 3 to 11 characters, not a number.
	senderShape  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._-]{1,9}[A-Za-z0-9]$`)
	senderLetter = regexp.MustCompile(`[A-Za-z]`)
)

// parseHandover's errors say nothing of what was sent.
func parseHandover(body []byte) (handover, error) {
	var in handover
	if err := sandboxjson.Read(body, &in); err != nil {
		return handover{}, errors.New("sandboxphone: body is not a message")
	}
	return in, in.check()
}

func (in handover) check() error {
	field := ""
	mobile, err := saudi.ParseMobile(in.To)
	switch {
	case !idShape.MatchString(in.ID):
		field = "id"
	case err != nil || mobile.E164() != in.To:
		field = "to"
	case !senderShape.MatchString(in.Sender) || !senderLetter.MatchString(in.Sender):
		field = "sender"
	case !readable(in.Text):
		field = "text"
	default:
		return nil
	}
	return fmt.Errorf("sandboxphone: %s is not as it must be", field)
}

// readable: something to read, and nothing but what a phone can show.
func readable(text string) bool {
	n := 0
	for _, r := range text {
		n++
		if r == utf8.RuneError || (unicode.IsControl(r) && r != '\n' && r != '\r') {
			return false
		}
	}
	return n > 0 && n <= maxText
}

func refuse(w http.ResponseWriter, status int, code string) {
	answer(w, status, map[string]string{"code": code})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(body) // the reader is gone: nobody is left to tell
}
