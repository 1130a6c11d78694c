package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/istirdad/istirdad/gateway"
)

// Answer is what a customer was told by a 202: the gateway's promise, as seen on the wire.
type Answer struct {
	RefundID  string `json:"refund_id"`
	Reference string `json:"reference"`
	Status    string `json:"status"`
	State     string `json:"state"`
}

// check refuses what can't be judged: a misspelt status would be believed for ever.
func (a Answer) check() error {
	switch gateway.Status(a.Status) {
	case gateway.StatusProcessing, gateway.StatusCompleted, gateway.StatusRejected, gateway.StatusCancelled, gateway.StatusVisitBranch:
	default:
		return fmt.Errorf("no refund's status is %q", a.Status)
	}
	if a.RefundID == "" || a.Reference == "" {
		return errors.New("an answer names its refund and its reference")
	}
	return nil
}

// told is an answer, and what the books said against it at the time: a falsehood that comes true later was one all the
// same.
type told struct {
	Answer
	Caught string `json:"caught,omitempty"`
}

// referee collects the 202s and judges them against the books.
type referee struct {
	readBooks  func() books // nil: nothing is held against them before it is judged
	confirming sync.RWMutex // read-locked from a confirm's arrival until its answer is heard

	mu      sync.Mutex
	answers map[string][]told // by refund, in the order told
	file    *os.File          // nil: memory only
}

const answersFile = "referee.jsonl"

// newReferee remembers in dir, also what it was told before; an empty dir is memory alone.
func newReferee(dir string) (*referee, error) {
	r := &referee{answers: map[string][]told{}}
	if dir == "" {
		return r, nil
	}
	path := filepath.Join(dir, answersFile)
	known, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	whole := bytes.LastIndexByte(known, '\n') + 1 // a line that was cut short was never answered
	for line := range bytes.Lines(known[:whole]) {
		var a told
		if err := json.Unmarshal(line, &a); err != nil {
			return nil, fmt.Errorf("%s: %w", answersFile, err)
		}
		r.answers[a.RefundID] = append(r.answers[a.RefundID], a)
	}
	r.file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return r, r.file.Truncate(int64(whole))
}

// hear notes answers. What it has heard survives a kill once hear has returned.
func (r *referee) hear(answers ...Answer) error {
	heard := r.hold(answers)
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for _, a := range heard {
		if err := encoder.Encode(a); err != nil {
			return err
		}
		r.answers[a.RefundID] = append(r.answers[a.RefundID], a)
	}
	if r.file == nil {
		return nil
	}
	if _, err := r.file.Write(lines.Bytes()); err != nil {
		return err
	}
	return r.file.Sync()
}

// hold holds answers against the books of now, which are never behind what was told.
func (r *referee) hold(answers []Answer) []told {
	fs := files{}
	if r.readBooks != nil && slices.ContainsFunc(answers, func(a Answer) bool { return a.Status != string(gateway.StatusProcessing) }) {
		fs.enter(r.readBooks())
	}
	heard := make([]told, len(answers))
	for i, a := range answers {
		heard[i].Answer = a
		if r.readBooks != nil {
			heard[i].Caught = fs.open(a.Reference).contradict(gateway.Status(a.Status))
		}
	}
	return heard
}

func (r *referee) reset() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.answers)
	if r.file == nil {
		return nil
	}
	return r.file.Truncate(0)
}

func (r *referee) close() {
	if r.file != nil {
		_ = r.file.Close()
	}
}

// listenIn passes requests on to the channel API and hears every 202 to a confirm before the customer does.
func (r *referee) listenIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodPost || !strings.HasSuffix(req.URL.Path, "/confirm") {
			next.ServeHTTP(w, req)
			return
		}
		// A reset between a refund's row and its 202 would make it one that was lost.
		r.confirming.RLock()
		defer r.confirming.RUnlock()
		tap := &tap{ResponseWriter: w, hear: r.hear}
		next.ServeHTTP(tap, req)
		tap.flush()
	})
}

// tap holds an answer back until it is heard.
type tap struct {
	http.ResponseWriter
	hear   func(...Answer) error
	status int
	body   bytes.Buffer
}

func (t *tap) WriteHeader(status int) {
	if t.status == 0 {
		t.status = status
	}
}

func (t *tap) Write(b []byte) (int, error) {
	t.WriteHeader(http.StatusOK)
	return t.body.Write(b)
}

func (t *tap) flush() {
	if t.status == http.StatusAccepted {
		var a Answer
		err := json.Unmarshal(t.body.Bytes(), &a)
		if err == nil {
			err = t.hear(a)
		}
		if err != nil {
			t.status = http.StatusInternalServerError // a 202 that the referee missed would make it worthless
			t.body.Reset()
		}
	}
	t.ResponseWriter.WriteHeader(max(t.status, http.StatusOK))
	_, _ = t.ResponseWriter.Write(t.body.Bytes())
}

// told is a copy of the answers, so that no confirm waits for the judging.
func (r *referee) told() map[string][]told {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.answers) // the slices are only ever appended to
}
