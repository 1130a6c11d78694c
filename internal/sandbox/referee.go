package sandbox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Answer is what a customer was told by a 202: the gateway's promise, as seen on the wire.
type Answer struct {
	RefundID  string `json:"refund_id"`
	Reference string `json:"reference"`
	Status    string `json:"status"`
	State     string `json:"state"`
}

// referee collects the 202s and judges them against the books.
type referee struct {
	confirming sync.RWMutex // read-locked from a confirm's arrival until its answer is heard

	mu      sync.Mutex
	answers map[string][]Answer // by refund, in the order told
	file    *os.File            // nil: memory only
}

const answersFile = "referee.jsonl"

// newReferee remembers in dir, also what it was told before; an empty dir is memory alone.
func newReferee(dir string) (*referee, error) {
	r := &referee{answers: map[string][]Answer{}}
	if dir == "" {
		return r, nil
	}
	path := filepath.Join(dir, answersFile)
	known, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	whole := bytes.LastIndexByte(known, '\n') + 1 // a line that was cut short was never answered
	lines := bufio.NewScanner(bytes.NewReader(known[:whole]))
	for lines.Scan() {
		var a Answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
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
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for _, a := range answers {
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
func (r *referee) told() map[string][]Answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.answers) // the slices are only ever appended to
}
