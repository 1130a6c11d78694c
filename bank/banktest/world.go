package banktest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/internal/sandbox"
	"github.com/istirdad/istirdad/internal/sandboxcore"
	"github.com/istirdad/istirdad/internal/sandboxfault"
)

// callMax bounds each call of a test. It is longer than anything that the gateway itself waits for.
const callMax = 30 * time.Second

// An Option says how a World is to be.
type Option func(*options)

type options struct {
	sandbox.Options
	hear func(*Response)
}

// Crowd adds n customers, c00001 and so on, with three iqama renewals of 163.00 each.
func Crowd(n int) Option { return func(o *options) { o.Crowd = n } }

// Hostile makes the government core awkward of its own accord, in the way that the seed draws.
func Hostile(seed uint64) Option {
	return func(o *options) { o.Polite, o.Seed = false, seed }
}

// Dir keeps everything in a folder, so that a later world can go on where this one stopped.
func Dir(path string) Option { return func(o *options) { o.Dir = path } }

// At takes the addresses of an earlier world, whose tokens then still hold.
func At(u sandbox.URLs) Option {
	return func(o *options) {
		for address, of := range map[*string]string{
			&o.Gateway: u.Gateway, &o.Ops: u.Ops, &o.Core: u.Core, &o.Bank: u.Bank, &o.Control: u.Control,
		} {
			*address = strings.TrimPrefix(of, "http://")
		}
	}
}

// Log is where the gateway logs; nowhere unless given.
func Log(log *slog.Logger) Option { return func(o *options) { o.Log = log } }

// Hear is called with every answer of the channel API to a customer, from the goroutine that made the call.
func Hear(hear func(*Response)) Option { return func(o *options) { o.hear = hear } }

// World is a running sandbox, seen by one goroutine of a test.
type World struct {
	t       testing.TB
	sandbox *sandbox.World
	client  *http.Client
	hear    func(*Response)
}

// Start brings a world up and takes it down when the test ends.
func Start(t testing.TB, how ...Option) *World {
	t.Helper()
	o := options{Options: sandbox.Options{Polite: true}, hear: func(*Response) {}}
	for _, option := range how {
		option(&o)
	}
	world, err := sandbox.Start(t.Context(), o.Options)
	if err != nil {
		t.Fatalf("the sandbox doesn't start: %v", err)
	}
	// Shorter than any server of the world keeps an idle connection: a POST on one that the server is just closing fails.
	transport := &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: 20 * time.Second}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		world.Close()
	})
	return &World{t: t, sandbox: world, client: &http.Client{Transport: transport, Timeout: callMax}, hear: o.hear}
}

// Close takes the world down before the test ends, as a machine is switched off for the night.
func (w *World) Close() { w.client.CloseIdleConnections(); w.sandbox.Close() }

// Sandbox is the world itself, for what the helpers don't offer.
func (w *World) Sandbox() *sandbox.World { return w.sandbox }

// URLs says where everything answers.
func (w *World) URLs() sandbox.URLs { return w.sandbox.URLs() }

// Reset puts everything back to the seed.
func (w *World) Reset() {
	w.t.Helper()
	w.control(http.MethodPost, "/reset", nil, nil)
}

// Forgive clears a customer's SMS budget and block.
func (w *World) Forgive(user string) {
	w.t.Helper()
	w.control(http.MethodPost, "/forgive", map[string]string{"user": user}, nil)
}

// A FaultOption narrows a fault down.
type FaultOption func(*sandboxfault.Fault)

// Count makes a fault happen to the next n matching calls.
func Count(n int) FaultOption { return func(f *sandboxfault.Fault) { f.Count = n } }

// Rate makes a fault happen to that share of the matching calls, 0 to 1.
func Rate(r float64) FaultOption { return func(f *sandboxfault.Fault) { f.Rate = r } }

// User makes a fault happen to one person's calls alone.
func User(user string) FaultOption { return func(f *sandboxfault.Fault) { f.Match.User = user } }

// Call makes a fault happen to one kind of call alone: submit, status, inquiry, credit, sms …
func Call(call string) FaultOption { return func(f *sandboxfault.Fault) { f.Match.Call = call } }

// Fault switches a fault on, beside those that are on already: until ClearFaults unless an option says otherwise.
func (w *World) Fault(kind string, options ...FaultOption) {
	w.t.Helper()
	fault := sandboxfault.Fault{Kind: kind}
	for _, o := range options {
		o(&fault)
	}
	var on list[sandboxfault.Fault]
	w.control(http.MethodGet, "/faults", nil, &on)
	w.control(http.MethodPut, "/faults", append(on.Items, fault), nil)
}

// ClearFaults switches all faults off.
func (w *World) ClearFaults() {
	w.t.Helper()
	w.control(http.MethodDelete, "/faults", nil, nil)
}

// Referee holds what customers were told, so far, against the books.
func (w *World) Referee() sandbox.Verdict {
	w.t.Helper()
	var v sandbox.Verdict
	w.control(http.MethodGet, "/referee", nil, &v)
	return v
}

// Exact fails the test unless the referee finds nothing lost, doubled or lied about.
func (w *World) Exact() sandbox.Verdict {
	w.t.Helper()
	v := w.Referee()
	if v.Verdict != "exact" {
		w.t.Errorf("the referee says %s: %d doubles, %d lost, %d lies\n%s",
			v.Verdict, v.Doubles, v.Lost, v.Lies, strings.Join(v.Details, "\n"))
	}
	return v
}

// Ops calls the ops listener as an operator does, and returns whatever it answers.
func (w *World) Ops(path string) *Response {
	w.t.Helper()
	header := http.Header{"Authorization": {"Bearer " + w.Customer("o01").Token}}
	r, err := w.send(http.MethodGet, w.URLs().Ops+path, header, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// History is what arrived at the core about a reference, and the callbacks that it made, oldest first.
func (w *World) History(reference string) []sandboxcore.Call {
	w.t.Helper()
	var calls list[sandboxcore.Call]
	w.control(http.MethodGet, "/core/history?reference="+url.QueryEscape(reference), nil, &calls)
	return calls.Items
}

// Together runs do n times at once and waits for all. Each gets a World of its own, whose helpers report to the test
// and stop that goroutine alone; customers come along by [Customer.In].
func (w *World) Together(n int, do func(i int, w *World)) {
	w.t.Helper()
	var (
		start = make(chan struct{})
		done  = make(chan struct{})
	)
	for i := range n {
		go func() {
			defer func() { done <- struct{}{} }()
			mine := *w
			mine.t = offside{w.t}
			<-start
			do(i, &mine)
		}()
	}
	close(start)
	for range n {
		<-done
	}
}

type list[T any] struct {
	Items []T `json:"items"`
}

// Control calls the control listener, as Do calls the channel API.
func (w *World) Control(method, path string, body any) *Response {
	w.t.Helper()
	r, err := w.send(method, w.URLs().Control+path, nil, body)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// control is Control for what the listener never refuses a test that asks rightly.
func (w *World) control(method, path string, body, answer any) {
	w.t.Helper()
	r := w.Control(method, path, body)
	if r.Status >= http.StatusBadRequest {
		w.t.Fatalf("%s %s: %d %s", method, path, r.Status, r.Body)
	}
	if answer != nil {
		r.JSON(answer)
	}
}

// send makes one call. Errors name method and path, never a header or a body.
func (w *World) send(method, address string, header http.Header, body any) (*Response, error) {
	payload, err := encode(body)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.t.Context()), callMax)
	defer cancel()
	var reader io.Reader
	if payload != nil {
		reader = bytes.NewReader(payload)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, reader)
	if err != nil {
		return nil, err
	}
	if payload != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range header {
		req.Header[name] = values
	}
	answer, err := w.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	r := &Response{t: w.t, call: method + " " + req.URL.Path, Status: answer.StatusCode, Header: answer.Header}
	if r.Body, err = io.ReadAll(answer.Body); err != nil {
		return nil, fmt.Errorf("%s: the answer breaks off: %w", r.call, err)
	}
	return r, nil
}

func encode(body any) ([]byte, error) {
	switch b := body.(type) {
	case nil:
		return nil, nil
	case string:
		return []byte(b), nil
	case []byte:
		return b, nil
	}
	return json.Marshal(body)
}
