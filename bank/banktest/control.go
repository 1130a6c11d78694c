package banktest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// What happens behind the scenes goes over the control listener, wherever the world is.

// Control calls the control listener, as Do calls the channel API: for what the helpers don't offer.
func (w *World) Control(method, path string, body any) *Response {
	w.t.Helper()
	r, err := w.send(w.client, method, w.urls.Control+path, nil, body)
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
		w.t.Fatalf("%s: %d %s: %s", r.call, r.Status, r.Code(), r.detail())
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

// Pay has a customer pay n iqama renewals of 163.00 more, until the next Reset, and returns their request ids in the order
// in which they were paid.
func (w *World) Pay(user string, n int) (requests []string) {
	w.t.Helper()
	var paid list[struct {
		RequestID string `json:"request_id"`
	}]
	w.control(http.MethodPost, "/core/payments", map[string]any{"user": user, "count": n}, &paid)
	for _, r := range paid.Items {
		requests = append(requests, r.RequestID)
	}
	return requests
}

// tell hands a confirm's 202 to the referee, which sees no wire of a gateway elsewhere.
func (w *World) tell(r *Response) {
	w.t.Helper()
	type answer struct {
		RefundID  string `json:"refund_id"`
		Reference string `json:"reference"`
		Status    string `json:"status"`
		State     string `json:"state"`
	}
	var told answer
	r.JSON(&told)
	w.control(http.MethodPost, "/referee/answers", list[answer]{[]answer{told}}, nil)
}

// CoreCall is a call that arrived at the government core, or a callback that it made.
type CoreCall struct {
	At        time.Time       `json:"at"`
	Call      Call            `json:"call"`
	Method    string          `json:"method"`
	Path      string          `json:"path"`
	Reference string          `json:"reference"`
	RequestID string          `json:"request_id"`
	Status    int             `json:"status"` // 0: no answer, or none yet
	Fault     string          `json:"fault"`  // the kind that happened to it, or several with commas between them
	Effect    bool            `json:"effect"` // it changed the core's book
	Request   json.RawMessage `json:"request"`
	Answer    json.RawMessage `json:"answer"`
}

// History is what arrived at the core about a reference, and the callbacks that it made, oldest first. An empty
// reference asks about all.
func (w *World) History(reference string) []CoreCall {
	w.t.Helper()
	var calls list[CoreCall]
	w.control(http.MethodGet, "/core/history?reference="+url.QueryEscape(reference), nil, &calls)
	return calls.Items
}
