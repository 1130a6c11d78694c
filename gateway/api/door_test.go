package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api"
	"github.com/istirdad/istirdad/gateway/api/apitest"
)

// door is the channel API of a running world, called by hand: with any bytes, any headers, any token or none. Every
// answer is held to the committed contract and to what all answers have in common.
type door struct {
	t      testing.TB
	url    string
	client *http.Client
	words  []string // that a bank has beside those of the table
}

func doorOf(t testing.TB, w *banktest.World) door {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return door{t: t, url: w.URLs().Gateway, client: &http.Client{Transport: transport, Timeout: 30 * time.Second}}
}

// in is the same door, whose answers are judged by a test's subtest.
func (d door) in(t testing.TB) door {
	d.t = t
	return d
}

// ask is one request. The zero ask has no token and no body.
type ask struct {
	method, path string
	token        string
	body         any         // nil: none; string or []byte: as it is; anything else: as JSON
	media        string      // Content-Type; "application/json" when there is a body and this is empty; "-": none
	header       http.Header // more of them
}

// key is a fresh Idempotency-Key.
func key(values ...string) http.Header {
	if len(values) == 0 {
		values = []string{rand.Text()}
	}
	return http.Header{"Idempotency-Key": values}
}

// answer is an answer read to its end.
type answer struct {
	*http.Response
	body []byte
	t    testing.TB
	call string
}

func (d door) ask(a ask) answer {
	d.t.Helper()
	var body io.Reader
	payload := payloadOf(d.t, a.body)
	if payload != nil {
		body = bytes.NewReader(payload)
		if a.media == "" {
			a.media = "application/json"
		}
	}
	req, err := http.NewRequestWithContext(context.Background(), a.method, d.url+a.path, body)
	if err != nil {
		d.t.Fatal(err)
	}
	for name, values := range a.header {
		req.Header[name] = values
	}
	if a.media != "" && a.media != "-" {
		req.Header.Set("Content-Type", a.media)
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	resp, err := d.client.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	got := answer{Response: resp, t: d.t, call: a.method + " " + req.URL.EscapedPath()}
	if got.body, err = io.ReadAll(resp.Body); err != nil {
		d.t.Fatal(err)
	}
	got.isLikeAllAnswers(req, d.words)
	apitest.Check(d.t, apitest.Exchange{Request: req, Sent: payload, Response: resp, Answer: got.body})
	return got
}

func payloadOf(t testing.TB, body any) []byte {
	switch b := body.(type) {
	case nil:
		return nil
	case string:
		return []byte(b)
	case []byte:
		return b
	}
	payload, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// want fails the test unless the answer has this status and, if one is named, this problem's code.
func (a answer) want(status int, code ...string) answer {
	a.t.Helper()
	if len(code) == 0 {
		code = []string{""}
	}
	if a.StatusCode != status || (code[0] != "" && a.problem().Code != code[0]) {
		a.t.Fatalf("%s answered %d %s, want %d %s\n%s", a.call, a.StatusCode, a.problem().Code, status, code[0], a.body)
	}
	return a
}

// problem is what a refusal says; empty of an answer that is none.
func (a answer) problem() api.Problem {
	a.t.Helper()
	var p api.Problem
	if a.StatusCode >= http.StatusBadRequest {
		a.json(&p)
	}
	return p
}

func (a answer) json(v any) {
	a.t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		a.t.Fatalf("%s: %d: %v", a.call, a.StatusCode, err)
	}
}

// field is a text of the answer's body.
func (a answer) field(name string) string {
	a.t.Helper()
	var fields map[string]any
	a.json(&fields)
	text, _ := fields[name].(string)
	return text
}

// replayed reports whether the answer repeats an earlier one.
func (a answer) replayed() bool { return a.Header.Get("Idempotent-Replay") == "true" }

// isLikeAllAnswers is what api.md says of every answer, whatever it was asked.
func (a answer) isLikeAllAnswers(req *http.Request, words []string) {
	a.t.Helper()
	h := a.Header
	if h.Get("X-Request-Id") == "" || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
		a.t.Errorf("%s: %d with headers %v", a.call, a.StatusCode, h)
	}
	media := h.Get("Content-Type")
	switch {
	case req.Method == http.MethodHead:
		return
	case a.StatusCode == http.StatusNoContent:
		if len(a.body) != 0 {
			a.t.Errorf("%s: 204 with %q", a.call, a.body)
		}
		return
	case a.StatusCode < http.StatusBadRequest:
		if media != answersWith(req) {
			a.t.Errorf("%s: %d is %q", a.call, a.StatusCode, media)
		}
		return
	}
	p := a.problem()
	row := api.Rows()[p.Code]
	if media != "application/problem+json" || p.Status != a.StatusCode || row.Status != p.Status ||
		p.Type != "urn:istirdad:problem:"+p.Code || p.RequestID != h.Get("X-Request-Id") || p.Instance != req.URL.EscapedPath() {
		a.t.Errorf("%s: %d %q is %s", a.call, a.StatusCode, media, a.body)
	}
	said := func(text string, of bank.Text) bool {
		return text == of.AR || text == of.EN || slices.Contains(words, text)
	}
	if !said(p.Title, row.Title) || !said(p.Detail, row.Detail) {
		a.t.Errorf("%s: %s says %q, %q", a.call, p.Code, p.Title, p.Detail)
	}
	if (p.Code == "malformed_request") != (len(p.Errors) > 0) {
		a.t.Errorf("%s: %s with errors %v", a.call, p.Code, p.Errors)
	}
	if (p.Status == http.StatusUnauthorized) != (h.Get("WWW-Authenticate") != "") {
		a.t.Errorf("%s: %d with WWW-Authenticate %q", a.call, p.Status, h.Get("WWW-Authenticate"))
	}
	waits := p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests || p.Status == http.StatusLocked
	if told := h.Get("Retry-After"); (p.RetryAfter > 0) != (told != "") || waits && p.RetryAfter == 0 ||
		told != "" && told != strconv.Itoa(p.RetryAfter) {
		a.t.Errorf("%s: %s with retry_after %d and Retry-After %q", a.call, p.Code, p.RetryAfter, told)
	}
}

// answersWith is what a route answers with that doesn't refuse.
func answersWith(req *http.Request) string {
	switch path.Base(req.URL.Path) {
	case "events":
		return "text/event-stream"
	case "receipt":
		return "text/html; charset=utf-8"
	default:
		return "application/json"
	}
}

// routes are all routes of the server, as "POST /v1/refunds/:refund_id/confirm". New needs nothing that they don't use.
var routes = sync.OnceValue(func() []string {
	handler, err := api.New(api.Config{Reference: true})
	if err != nil {
		panic(err)
	}
	var all []string
	for _, r := range handler.(*gin.Engine).Routes() {
		all = append(all, r.Method+" "+r.Path)
	}
	return all
})

// everyRoute fails the test when a route has no row, or a row no route.
func everyRoute[Row any](t *testing.T, rows map[string]Row) {
	t.Helper()
	known := map[string]bool{}
	for _, route := range routes() {
		known[route] = true
		if _, ok := rows[route]; !ok {
			t.Errorf("%s has no row here: say what it must refuse", route)
		}
	}
	for route := range rows {
		if !known[route] {
			t.Errorf("%s is no route any more", route)
		}
	}
}
