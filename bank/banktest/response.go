package banktest

import (
	"encoding/json"
	"net/http"
	"testing"
)

// Response is an answer, read to its end.
type Response struct {
	Status int
	Header http.Header
	Body   []byte

	t    testing.TB
	call string // method and path
}

// JSON decodes the body.
func (r *Response) JSON(v any) {
	r.t.Helper()
	if err := json.Unmarshal(r.Body, v); err != nil {
		r.t.Fatalf("%s: %d: %v", r.call, r.Status, err)
	}
}

// Code is a problem's code; empty when the answer is none.
func (r *Response) Code() string { return r.problem().Code }

// detail is what a problem says; empty when the answer is none.
func (r *Response) detail() string { return r.problem().Detail }

func (r *Response) problem() (p struct{ Code, Detail string }) {
	if r.Status >= http.StatusBadRequest {
		_ = json.Unmarshal(r.Body, &p) // what is no problem has no code
	}
	return p
}

// Want fails the test unless the answer has this status and, if one is named, this problem's code.
func (r *Response) Want(status int, code ...string) *Response {
	r.t.Helper()
	want := ""
	if len(code) > 0 {
		want = code[0]
	}
	if r.Status != status || (want != "" && r.Code() != want) {
		r.t.Fatalf("%s answered %d %s, want %d %s", r.call, r.Status, r.Code(), status, want)
	}
	return r
}

// Replayed reports whether the answer repeats an earlier one.
func (r *Response) Replayed() bool { return r.Header.Get("Idempotent-Replay") == "true" }
