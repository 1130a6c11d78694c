package apitest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/gateway/api/apitest"
)

// An exchange that the contract allows, for the tests to spoil.
const (
	asked    = `{"code":"482915"}`
	answered = `{"verified":true,"proof_expires_at":"2026-03-05T06:15:00.000000Z"}`
	refused  = `{"type":"urn:istirdad:problem:code_wrong","title":"Wrong code","status":422,"detail":"Check it.",` +
		`"instance":"/v1/otp/challenges/x/verify","code":"code_wrong","request_id":"1","attempts_left":2}`
)

func verify(t testing.TB) apitest.Exchange {
	req, err := http.NewRequest(http.MethodPost, "http://127.0.0.1:8080/v1/otp/challenges/x/verify", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer x"}}
	return apitest.Exchange{
		Request: req, Sent: []byte(asked), Answer: []byte(answered),
		Response: &http.Response{
			StatusCode: http.StatusOK,
			Header:     http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {"1"}},
		},
	}
}

// failing is a test that hears of its failures and goes on.
type failing struct {
	testing.TB
	said []string
}

func (f *failing) Errorf(format string, args ...any) {
	f.said = append(f.said, fmt.Sprintf(format, args...))
}

// TestCheck lets pass what the contract says, and nothing else.
func TestCheck(t *testing.T) {
	answer := func(status int, media, body string) func(*apitest.Exchange) {
		return func(e *apitest.Exchange) {
			e.Response.StatusCode, e.Answer = status, []byte(body)
			e.Response.Header.Set("Content-Type", media)
		}
	}
	const problem = "application/problem+json"
	for name, c := range map[string]struct {
		doctor func(*apitest.Exchange)
		says   string // empty: nothing is wrong
	}{
		"as it is":            {func(*apitest.Exchange) {}, ""},
		"a field more":        {answer(200, "application/json", strings.Replace(answered, "{", `{"new":1,`, 1)), ""},
		"a refusal":           {answer(422, problem, refused), ""},
		"a field less":        {answer(200, "application/json", `{"verified":true}`), "proof_expires_at"},
		"another type":        {answer(200, "application/json", strings.Replace(answered, "true", `"yes"`, 1)), "boolean"},
		"no instant":          {answer(200, "application/json", strings.Replace(answered, "T06", " 06", 1)), "date-time"},
		"not JSON":            {answer(200, "application/json", `<html>`), "200"},
		"no answer":           {answer(200, "application/json", ``), "0 bytes"},
		"no media type":       {answer(200, "", answered), "content type"},
		"another media type":  {answer(200, "text/html", answered), "text/html"},
		"a refusal as JSON":   {answer(422, "application/json", refused), "application/json"},
		"another status":      {answer(202, "application/json", answered), "202"},
		"a status of others":  {answer(429, problem, refused), "429"},
		"a code of others":    {answer(422, problem, strings.ReplaceAll(refused, "code_wrong", "id_invalid")), `"id_invalid"`},
		"a refusal less code": {answer(422, problem, strings.Replace(refused, `"code":"code_wrong",`, "", 1)), "code"},
		"another path": {func(e *apitest.Exchange) { e.Request.URL.Path = "/v1/otp/challenges/x/verified" },
			"it knows no such call"},
		"another method": {func(e *apitest.Exchange) { e.Request.Method = http.MethodPut }, "it knows no such call"},
		"no such path, as it should be": {func(e *apitest.Exchange) {
			e.Request.URL.Path, e.Response.StatusCode = "/v1/none", http.StatusNotFound
		}, ""},
		"not of the contract":   {func(e *apitest.Exchange) { e.Request.URL.Path = "/core/callbacks" }, ""},
		"taken without a field": {func(e *apitest.Exchange) { e.Sent = []byte(`{}`) }, "the request"},
		"taken with a field more": {func(e *apitest.Exchange) { e.Sent = []byte(`{"code":"482915","x":1}`) },
			"the request"},
		"refused without a field": {func(e *apitest.Exchange) {
			e.Sent = []byte(`{}`)
			answer(422, problem, refused)(e)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e, heard := verify(t), &failing{TB: t}
			c.doctor(&e)
			apitest.Check(heard, e)
			said := strings.Join(heard.said, "\n")
			if (said == "") != (c.says == "") || !strings.Contains(said, c.says) {
				t.Errorf("it says %q, and should have said %q", said, c.says)
			}
		})
	}
}

// TestStart: a world's answers are checked on their way, and arrive as they were.
func TestStart(t *testing.T) {
	heard := &failing{TB: t}
	c := apitest.Start(heard).Customer("p03")
	if got := c.Do(http.MethodGet, "/v1/profile", nil).Want(403, "step_up_required"); len(heard.said) != 0 {
		t.Errorf("%s: %q", got.Body, heard.said)
	}
	c.Do(http.MethodPost, "/v1/otp/challenges", `{"purpose":"profile","x":1}`).Want(400, "malformed_request")
	if len(heard.said) != 0 {
		t.Errorf("%q", heard.said)
	}
}

// TestHold: of a doctored answer the client gets every byte, and the test its failure.
func TestHold(t *testing.T) {
	heard := &failing{TB: t}
	e := verify(t)
	through := apitest.Hold(heard, roundTrip(func(req *http.Request) (*http.Response, error) {
		sent, err := io.ReadAll(req.Body)
		if err != nil || string(sent) != asked {
			t.Errorf("sent is %q, %v", sent, err)
		}
		e.Response.Body = io.NopCloser(strings.NewReader(`{"verified":true}`))
		return e.Response, nil
	}))
	e.Request.Body = io.NopCloser(strings.NewReader(asked))
	resp, err := through.RoundTrip(e.Request)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != `{"verified":true}` {
		t.Errorf("the client reads %q, %v", body, err)
	}
	if len(heard.said) != 1 || !strings.Contains(heard.said[0], "proof_expires_at") {
		t.Errorf("the test hears %q", heard.said)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// BenchmarkCheck is what a test pays for each call, beside what the call's own JSON costs.
func BenchmarkCheck(b *testing.B) {
	e := verify(b)
	for b.Loop() {
		apitest.Check(b, e)
	}
}
