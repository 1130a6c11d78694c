package banktest

import (
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/istirdad/istirdad/internal/sandbox"
	"github.com/istirdad/istirdad/internal/sandboxcore"
	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/sandboxphone"
)

// What happens behind the scenes goes over the control listener, wherever the world is.

// Control calls the control listener, as Do calls the channel API.
func (w *World) Control(method, path string, body any) *Response {
	w.t.Helper()
	r, err := w.send(method, w.urls.Control+path, nil, body)
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

type list[T any] struct {
	Items []T `json:"items"`
}

// Reset puts everything back to the seed. With gateways elsewhere it is for a moment in which nobody confirms: their
// breakers and caches are theirs, and a confirm that is answered meanwhile may count as lost.
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

// tell hands a confirm's 202 to the referee, which sees no wire of a gateway elsewhere.
func (w *World) tell(r *Response) {
	w.t.Helper()
	var told sandbox.Answer
	r.JSON(&told)
	w.control(http.MethodPost, "/referee/answers", list[sandbox.Answer]{[]sandbox.Answer{told}}, nil)
}

// History is what arrived at the core about a reference, and the callbacks that it made, oldest first. An empty
// reference asks about all.
func (w *World) History(reference string) []sandboxcore.Call {
	w.t.Helper()
	var calls list[sandboxcore.Call]
	w.control(http.MethodGet, "/core/history?reference="+url.QueryEscape(reference), nil, &calls)
	return calls.Items
}

// SMS are the messages on the phone of that number (E.164), or on all phones when it is empty, newest first.
func (w *World) SMS(mobile string) []sandboxphone.Message {
	w.t.Helper()
	var inbox list[sandboxphone.Message]
	w.control(http.MethodGet, "/phone/messages?to="+url.QueryEscape(mobile), nil, &inbox)
	return inbox.Items
}

// People are all whom one can sign in as, with their requests as the core's book has them now.
func (w *World) People() []sandbox.Person {
	w.t.Helper()
	var people list[sandbox.Person]
	w.control(http.MethodGet, "/people", nil, &people)
	w.known.remember(people.Items)
	return people.Items
}

// acquaintances are the people of a world once they have been asked for: of a large crowd it is a long list. Nothing of
// a person but their requests ever changes.
type acquaintances struct {
	mu     sync.Mutex
	people map[string]sandbox.Person
}

func (a *acquaintances) remember(people []sandbox.Person) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.people = make(map[string]sandbox.Person, len(people))
	for _, p := range people {
		a.people[p.User] = p
	}
}

func (a *acquaintances) find(user string) (sandbox.Person, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, found := a.people[user]
	return p, found
}

// person is somebody, with the requests of when people were last asked for.
func (w *World) person(user string) sandbox.Person {
	w.t.Helper()
	if p, found := w.known.find(user); found {
		return p
	}
	w.People()
	p, found := w.known.find(user)
	if !found {
		w.t.Fatalf("nobody is called %s", user)
	}
	return p
}
