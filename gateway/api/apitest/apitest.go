// Package apitest holds a running channel API to its contract: every answer that a test gets, and every request that
// was taken, is checked against the committed openapi.yaml.
//
// A status, a problem's code, a media type or a missing field that the document doesn't promise fails the test, and so
// does an answer to a call that it doesn't know. [Start] is how the tests of this repository start a world: all that its
// customers are answered is checked. [Check] takes one answer of whoever calls by hand. The schemas are compiled once in
// a process; a check then takes about as long as the call.
package apitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
	"github.com/pb33f/libopenapi/orderedmap"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api"
)

// Exchange is a request and its answer, both read to their ends.
type Exchange struct {
	Request  *http.Request
	Sent     []byte
	Response *http.Response
	Answer   []byte
}

// Check fails the test unless the contract allows the answer, and the request if that was taken. It may be called from
// any goroutine.
func Check(t testing.TB, e Exchange) {
	t.Helper()
	document, err := committed()
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range document.check(e) {
		t.Errorf("%s %s: %d isn't what the contract says: %s", e.Request.Method, e.Request.URL.EscapedPath(), e.Response.StatusCode, wrong)
	}
}

// Start is banktest.Start of a world whose channel API is held to its contract.
func Start(t testing.TB, how ...banktest.Option) *banktest.World {
	t.Helper()
	hold := func(through http.RoundTripper) http.RoundTripper { return Hold(t, through) }
	return banktest.Start(t, append(how, banktest.Through(hold))...)
}

// Hold checks everything that goes through a transport.
func Hold(t testing.TB, through http.RoundTripper) http.RoundTripper { return held{t, through} }

type held struct {
	t       testing.TB
	through http.RoundTripper
}

func (h held) RoundTrip(req *http.Request) (*http.Response, error) {
	h.t.Helper()
	e := Exchange{Request: req}
	if req.Body != nil {
		sent, err := io.ReadAll(req.Body)
		_ = req.Body.Close()
		if err != nil {
			return nil, err
		}
		e.Sent, req = sent, req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(sent))
	}
	resp, err := h.through.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	e.Response = resp
	if !streams(resp) {
		answer, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		resp.Body = io.NopCloser(&remainder{bytes.NewReader(answer), err})
		if err != nil {
			return resp, nil // the caller finds the same break
		}
		e.Answer = answer
	}
	Check(h.t, e)
	return resp, nil
}

// remainder is what was read of an answer, and how the reading ended.
type remainder struct {
	read *bytes.Reader
	err  error
}

func (r *remainder) Read(p []byte) (int, error) {
	n, err := r.read.Read(p)
	if err == io.EOF && r.err != nil {
		return n, r.err
	}
	return n, err
}

// streams reports whether an answer has no end that a test could wait for.
func streams(resp *http.Response) bool {
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return media == "text/event-stream"
}

// contract is the document, ready to be asked.
type contract struct {
	validator  validator.Validator
	operations []operation

	mu   sync.Mutex
	seen map[string]bool // problems, as Unseen has them
}

type operation struct {
	method, path string
	codes        map[int][]string // of problems, by status
	empty        map[int]bool     // has the answer of that status no body?
}

var committed = sync.OnceValues(func() (*contract, error) { return read(api.Document()) })

func read(source []byte) (*contract, error) {
	document, err := libopenapi.NewDocument(source)
	if err != nil {
		return nil, err
	}
	model, err := document.BuildV3Model()
	if err != nil {
		return nil, err
	}
	c := &contract{
		validator: validator.NewValidatorFromV3Model(&model.Model, config.WithFormatAssertions()),
		seen:      map[string]bool{},
	}
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		for method, o := range item.GetOperations().FromOldest() {
			op := operation{strings.ToUpper(method), path, map[int][]string{}, map[int]bool{}}
			for status, response := range o.Responses.Codes.FromOldest() {
				number, err := strconv.Atoi(status)
				if err != nil {
					return nil, fmt.Errorf("%s %s: %w", method, path, err)
				}
				op.empty[number] = orderedmap.Len(response.Content) == 0
				if op.codes[number], err = codesOf(response); err != nil {
					return nil, fmt.Errorf("%s %s: %s: %w", method, path, status, err)
				}
			}
			c.operations = append(c.operations, op)
		}
	}
	return c, nil
}

func codesOf(response *v3.Response) (codes []string, err error) {
	if node := response.Extensions.GetOrZero("x-problem-codes"); node != nil {
		err = node.Decode(&codes)
	}
	return codes, err
}

// check says what is wrong with an exchange.
func (c *contract) check(e Exchange) []string {
	if !strings.HasPrefix(e.Request.URL.Path, "/v1/") {
		return nil // the core's callbacks, and the pages about the contract, are no part of it
	}
	status := e.Response.StatusCode
	op, known := c.operation(e.Request)
	switch {
	case !known && slices.Contains([]int{http.StatusUnauthorized, http.StatusNotFound, http.StatusMethodNotAllowed}, status):
		return nil
	case !known:
		return []string{"it knows no such call"}
	}
	var wrongs []string
	e.Request = e.Request.Clone(e.Request.Context()) // the transport may still be holding the other
	if e.Request.Body = io.NopCloser(bytes.NewReader(e.Sent)); status < http.StatusBadRequest {
		_, errs := c.validator.ValidateHttpRequestSync(e.Request)
		for _, err := range errs {
			wrongs = append(wrongs, fmt.Sprintf("the request: %s: %s %v", err.Message, err.Reason, err.SchemaValidationErrors))
		}
		e.Request.Body = io.NopCloser(bytes.NewReader(e.Sent))
	}
	answer := *e.Response
	answer.Body = io.NopCloser(bytes.NewReader(e.Answer))
	_, errs := c.validator.ValidateHttpResponse(e.Request, &answer)
	for _, err := range errs {
		wrongs = append(wrongs, fmt.Sprintf("%s: %s %v", err.Message, err.Reason, err.SchemaValidationErrors))
	}
	if empty, said := op.empty[status]; said && empty != (len(e.Answer) == 0) && !streams(e.Response) {
		wrongs = append(wrongs, fmt.Sprintf("a body of %d bytes", len(e.Answer)))
	}
	return append(wrongs, c.problem(op, status, e.Answer)...)
}

// problem says what is wrong with the code of a refusal, and notes that it was seen.
func (c *contract) problem(op operation, status int, answer []byte) []string {
	codes := op.codes[status]
	if len(codes) == 0 {
		return nil
	}
	var problem struct{ Code string }
	if err := json.Unmarshal(answer, &problem); err != nil || !slices.Contains(codes, problem.Code) {
		return []string{fmt.Sprintf("the code is %q, promised are %q", problem.Code, codes)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[op.problem(status, problem.Code)] = true
	return nil
}

func (o operation) problem(status int, code string) string {
	return fmt.Sprintf("%s %s %d %s", o.method, o.path, status, code)
}

// operation is the call of the contract that a request is.
func (c *contract) operation(req *http.Request) (operation, bool) {
	for _, op := range c.operations {
		if op.method == req.Method && matches(op.path, req.URL.Path) {
			return op, true
		}
	}
	return operation{}, false
}

func matches(pattern, path string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if want[i] != got[i] && !(strings.HasPrefix(want[i], "{") && got[i] != "") {
			return false
		}
	}
	return true
}

// Unseen are the problems that the contract promises and that no answer in this process was, so far: as
// "POST /v1/refunds 422 iban_invalid".
func Unseen() ([]string, error) {
	c, err := committed()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	unseen := map[string]bool{}
	for _, op := range c.operations {
		for status, codes := range op.codes {
			for _, code := range codes {
				if problem := op.problem(status, code); !c.seen[problem] {
					unseen[problem] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(unseen)), nil
}
