package sandboxcore

import (
	"encoding/json"
	"sync"
	"time"
	"unicode/utf8"
)

// What the history remembers at most. A body above bodyMax is remembered by its
// length; the oldest calls go first.
const (
	historyCalls = 100_000
	historyBytes = 128 << 20
	bodyMax      = 16 << 10
)

// Call is one call that arrived, or a callback that was made.
type Call struct {
	At        time.Time       `json:"at"`
	Call      string          `json:"call"` // as in a fault's match
	Method    string          `json:"method"`
	Path      string          `json:"path"`
	Reference string          `json:"reference"`
	RequestID string          `json:"request_id"`
	Status    int             `json:"status"` // 0: no answer, or none yet
	Fault     string          `json:"fault"`  // kinds, with commas between them
	Effect    bool            `json:"effect"` // it changed the book
	Request   json.RawMessage `json:"request"`
	Answer    json.RawMessage `json:"answer"`
}

// history is in memory, and bounded. The zero history is empty.
type history struct {
	mu      sync.Mutex
	entries []*entry
	bytes   int
}

type entry struct {
	Call
	forgotten bool
}

func (e *entry) weight() int { return len(e.Request) + len(e.Answer) }

// begin notes a call on its arrival, so that one that hangs is seen too.
func (h *history) begin(c Call) *entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := &entry{Call: c}
	h.entries = append(h.entries, e)
	h.grow(e.weight())
	return e
}

// update changes an entry under the lock.
func (h *history) update(e *entry, change func(*Call)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := e.weight()
	change(&e.Call)
	if !e.forgotten {
		h.grow(e.weight() - before)
	}
}

func (h *history) grow(n int) {
	h.bytes += n
	for len(h.entries) > historyCalls || h.bytes > historyBytes && len(h.entries) > 1 {
		oldest := h.entries[0]
		oldest.forgotten = true
		h.bytes -= oldest.weight()
		h.entries[0] = nil
		h.entries = h.entries[1:]
	}
}

func (h *history) list(reference string) []Call {
	h.mu.Lock()
	defer h.mu.Unlock()
	calls := []Call{}
	for _, e := range h.entries {
		if reference == "" || e.Reference == reference {
			calls = append(calls, e.Call)
		}
	}
	return calls
}

func (h *history) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.entries {
		e.forgotten = true
	}
	h.entries, h.bytes = nil, 0
}

// recorded is a body as JSON: itself if it is JSON, a string otherwise, null if
// there is none.
func recorded(body []byte) json.RawMessage {
	switch {
	case len(body) == 0:
		return json.RawMessage("null")
	case len(body) > bodyMax:
		note, _ := json.Marshal(map[string]int{"omitted_bytes": len(body)})
		return note
	case json.Valid(body) && utf8.Valid(body):
		return json.RawMessage(body)
	}
	text, _ := json.Marshal(string(body))
	return text
}
