package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/sandboxbank"
	"github.com/istirdad/istirdad/internal/sandboxcore"
)

// Answer is what a customer was told by a 202: the gateway's promise, as seen on the wire.
type Answer struct {
	RefundID  string `json:"refund_id"`
	Reference string `json:"reference"`
	Status    string `json:"status"`
	State     string `json:"state"`
}

// Verdict is what the referee finds. All is well when doubles, lost and lies are zero.
type Verdict struct {
	Confirmed  int      `json:"confirmed"`  // refunds answered 202
	Effects    int      `json:"effects"`    // releases at the core under a bank's references
	Doubles    int      `json:"doubles"`    // requests released more than once net, references credited twice or both credited and returned
	Lost       int      `json:"lost"`       // answered 202, and no row
	Lies       int      `json:"lies"`       // final statuses that the books contradict
	Unfinished int      `json:"unfinished"` // rows that are not final yet
	Verdict    string   `json:"verdict"`    // exact or violated
	Details    []string `json:"details"`
}

// rows is the gateway's book, for the referee's eyes, which see nothing that is sealed.
type rows interface {
	States(ctx context.Context, visit func(id, reference string, state gateway.State) error) error
}

// row is what the referee needs of a refund.
type row struct {
	reference string
	state     gateway.State
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

// books are those of core and bank, by reference.
type books struct {
	released, returned map[string]int
	perRequest         map[string]int // net releases
	posted             map[string]int
}

func readBooks(truth []sandboxcore.Effect, credits []sandboxbank.Credit) books {
	b := books{map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}}
	for _, e := range truth {
		b.perRequest[e.RequestID] += e.Released - e.Returned
		if e.Channel == "bank" {
			b.released[e.Reference] += e.Released
			b.returned[e.Reference] += e.Returned
		}
	}
	for _, c := range credits {
		b.posted[c.Reference] += c.Posted
	}
	return b
}

// judge holds what was told and what the rows say against the books. It looks in the order in which things happen the
// other way round: what was told, then the rows, then the books, which only ever grow. So whatever it has heard of must
// be in what it reads next, also while refunds are on their way.
func (r *referee) judge(ctx context.Context, rows rows, readBooks func() books) (Verdict, error) {
	told := r.told()
	recorded := map[string]row{}
	err := rows.States(ctx, func(id, reference string, state gateway.State) error {
		recorded[id] = row{reference, state}
		return nil
	})
	if err != nil {
		return Verdict{}, err
	}
	b := readBooks()

	v := Verdict{Confirmed: len(told), Details: []string{}}
	v.countDoubles(b)
	v.readRows(b, recorded)
	v.readAnswers(b, recorded, told)
	sort.Strings(v.Details)
	v.Verdict = "exact"
	if v.Doubles+v.Lost+v.Lies > 0 {
		v.Verdict = "violated"
	}
	return v, nil
}

// told is a copy of the answers, so that no confirm waits for the judging.
func (r *referee) told() map[string][]Answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.answers) // the slices are only ever appended to
}

func (v *Verdict) note(count *int, format string, args ...any) {
	*count++
	v.Details = append(v.Details, fmt.Sprintf(format, args...))
}

func (v *Verdict) countDoubles(b books) {
	for request, net := range b.perRequest {
		if net > 1 {
			v.note(&v.Doubles, "double: request %s released %d times net", request, net)
		}
	}
	for reference, n := range b.released {
		v.Effects += n
		if b.posted[reference] > 0 && b.returned[reference] > 0 {
			v.note(&v.Doubles, "double: %s both credited and returned", reference)
		}
	}
	for reference, n := range b.posted {
		if n > 1 {
			v.note(&v.Doubles, "double: %s credited %d times", reference, n)
		}
	}
}

func (v *Verdict) readRows(b books, recorded map[string]row) {
	for _, r := range recorded {
		if !r.state.Final() {
			v.Unfinished++
		} else if contradiction := b.contradict(r.reference, r.state.Status()); contradiction != "" {
			v.note(&v.Lies, "lie: %s is %s, but %s", r.reference, r.state, contradiction)
		}
	}
}

// readAnswers looks at what customers were told.
func (v *Verdict) readAnswers(b books, recorded map[string]row, told map[string][]Answer) {
	for id, answers := range told {
		r, kept := recorded[id]
		if !kept {
			v.note(&v.Lost, "lost: %s was answered 202 and has no row", answers[0].Reference)
		}
		for _, a := range answers {
			if kept && a.Reference != r.reference {
				v.note(&v.Lies, "lie: told %s, recorded %s", a.Reference, r.reference)
			}
			if contradiction := b.contradict(a.Reference, gateway.Status(a.Status)); contradiction != "" {
				v.note(&v.Lies, "lie: %s was told %s, but %s", a.Reference, a.Status, contradiction)
			}
		}
	}
}

// contradict says what the books hold against a status that is final; empty when nothing.
func (b books) contradict(reference string, status gateway.Status) string {
	released, returned, posted := b.released[reference], b.returned[reference], b.posted[reference]
	switch status {
	case gateway.StatusCompleted:
		if released-returned != 1 || posted != 1 {
			return fmt.Sprintf("the core released it %d times net and the bank credited it %d times", released-returned, posted)
		}
	case gateway.StatusRejected, gateway.StatusCancelled:
		if released > 0 || posted > 0 {
			return fmt.Sprintf("the core released it %d times and the bank credited it %d times", released, posted)
		}
	case gateway.StatusVisitBranch:
		if released != returned || posted > 0 {
			return fmt.Sprintf("the core released it %d times, took it back %d times, and the bank credited it %d times", released, returned, posted)
		}
	case gateway.StatusProcessing:
		// Says nothing that a book could contradict.
	}
	return ""
}
