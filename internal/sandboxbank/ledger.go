package sandboxbank

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Refusals of the ledger.
var (
	errReused  = errors.New("sandboxbank: reference was used for another credit")
	errUnknown = errors.New("sandboxbank: no credit under this reference")
	errNoBook  = errors.New("sandboxbank: the ledger does not record")
)

const (
	statePosted  = "posted"
	stateRefused = "refused"
)

// entry is an outcome, and a line of the ledger's file.
type entry struct {
	Reference string    `json:"reference"`
	IBAN      string    `json:"iban"`
	Amount    int64     `json:"amount"`
	State     string    `json:"state"`
	Code      string    `json:"code,omitempty"`      // why refused
	LedgerID  string    `json:"ledger_id,omitempty"` // of a posting
	At        time.Time `json:"at"`
}

// record is what the ledger remembers under a reference.
type record struct {
	entry
	posted int    // postings in the book
	batch  *batch // the sync that makes it durable
}

// batch is the entries that one sync makes durable. err is set before done is
// closed.
type batch struct {
	done chan struct{}
	err  error
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

// recorded does not wait.
func (b *batch) recorded() bool {
	select {
	case <-b.done:
		return b.err == nil
	default:
		return false
	}
}

// durable is a batch that is done already: what was read from the file, or is
// kept in memory only.
func durable() *batch {
	b := newBatch()
	close(b.done)
	return b
}

// ledger decides under mu and lets a single writer put on disk what was decided:
// everything decided while one sync runs goes into the next. Nothing is shown
// outside before its batch is done.
type ledger struct {
	file *os.File      // nil: memory only
	wake chan struct{} // one token: there is something to write
	gone chan struct{} // closed when the writer has ended

	disk sync.Mutex // held while the file changes; taken before mu

	mu       sync.Mutex
	records  map[string]*record
	postings int    // in the book, for numbering
	pending  []byte // lines decided and not yet on disk
	next     *batch // theirs
	broken   error  // set once, by a write that failed: the file is unknown
	closed   bool
}

// openLedger replays dir's ledger; with an empty dir it lives in memory.
func openLedger(dir string) (*ledger, error) {
	l := &ledger{records: make(map[string]*record), next: newBatch()}
	if dir == "" {
		return l, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("sandboxbank: ledger: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "credits.jsonl"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sandboxbank: ledger: %w", err)
	}
	if err := errors.Join(l.replay(file), syncDir(dir)); err != nil {
		return nil, errors.Join(fmt.Errorf("sandboxbank: ledger: %w", err), file.Close())
	}
	l.file, l.wake, l.gone = file, make(chan struct{}, 1), make(chan struct{})
	go l.write()
	return l, nil
}

// replay reads the book. What follows the last newline was cut short by a crash
// before its sync had ended, so nobody was told of it: it is cut off.
func (l *ledger) replay(file *os.File) error {
	book, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(book, '\n') + 1
	if whole < len(book) {
		if err := errors.Join(file.Truncate(int64(whole)), file.Sync()); err != nil {
			return err
		}
	}
	line := 0
	for text := range bytes.Lines(book[:whole]) {
		line++
		var e entry
		if err := json.Unmarshal(text, &e); err != nil || !e.sound() {
			return fmt.Errorf("line %d is damaged", line)
		}
		l.apply(e, durable())
	}
	return nil
}

func (e entry) sound() bool {
	return e.Reference != "" && e.IBAN != "" && e.Amount > 0 &&
		(e.State == statePosted || e.State == stateRefused && e.Code != "")
}

// apply puts an entry into the books in memory. Called with mu held, or before
// anybody else knows l.
func (l *ledger) apply(e entry, b *batch) *record {
	r := l.records[e.Reference]
	if r == nil {
		r = &record{entry: e, batch: b}
		l.records[e.Reference] = r
	}
	if e.State == statePosted {
		l.postings++
		r.posted++
	}
	return r
}

// post settles a credit: refused when refusal says why, else posted. first is
// whether this call had the effect; a call with a known reference gets what was
// recorded then, whatever would be decided today. It returns when the outcome is
// durable. errReused: the reference belongs to another credit. errNoBook: the
// outcome is unknown to the caller and to us.
func (l *ledger) post(reference, iban string, amount int64, refusal string) (e entry, first bool, err error) {
	l.mu.Lock()
	r, known := l.records[reference]
	if !known {
		if r, err = l.decide(reference, iban, amount, refusal); err != nil {
			l.mu.Unlock()
			return entry{}, false, err
		}
	}
	l.mu.Unlock()
	if known && (r.IBAN != iban || r.Amount != amount) {
		return entry{}, false, errReused
	}
	<-r.batch.done
	return r.entry, !known, r.batch.err
}

// decide is called with mu held.
func (l *ledger) decide(reference, iban string, amount int64, refusal string) (*record, error) {
	if err := l.usable(); err != nil {
		return nil, err
	}
	e := entry{
		Reference: reference, IBAN: iban, Amount: amount,
		State: statePosted, At: time.Now().UTC().Truncate(time.Millisecond),
	}
	if refusal != "" {
		e.State, e.Code = stateRefused, refusal
	} else {
		e.LedgerID = fmt.Sprintf("LG%010d", l.postings+1)
	}
	if l.file == nil {
		return l.apply(e, durable()), nil
	}
	line, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	l.pending = append(append(l.pending, line...), '\n')
	select {
	case l.wake <- struct{}{}:
	default: // the writer has been told already
	}
	return l.apply(e, l.next), nil
}

// find is the durable outcome under a reference, or errUnknown.
func (l *ledger) find(reference string) (entry, error) {
	l.mu.Lock()
	r, ok := l.records[reference]
	l.mu.Unlock()
	if !ok {
		return entry{}, errUnknown
	}
	<-r.batch.done
	return r.entry, r.batch.err
}

// credits are the durable records; one that waits for its sync is not yet.
func (l *ledger) credits() []Credit {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Credit, 0, len(l.records))
	for _, reference := range slices.Sorted(maps.Keys(l.records)) {
		if r := l.records[reference]; r.batch.recorded() {
			out = append(out, Credit{r.Reference, r.IBAN, r.Amount, r.State, r.posted})
		}
	}
	return out
}

// write is the single writer; it ends when wake is closed.
func (l *ledger) write() {
	defer close(l.gone)
	for range l.wake {
		l.flush()
	}
	l.flush()
}

func (l *ledger) flush() {
	l.disk.Lock()
	defer l.disk.Unlock()
	l.mu.Lock()
	lines, b, broken := l.pending, l.next, l.broken
	l.pending, l.next = nil, newBatch()
	l.mu.Unlock()
	if len(lines) == 0 {
		close(b.done)
		return
	}
	if broken == nil {
		_, err := l.file.Write(lines)
		if err == nil {
			err = l.file.Sync()
		}
		if err != nil {
			broken = fmt.Errorf("%w: %w", errNoBook, err)
		}
	}
	if broken != nil {
		l.mu.Lock()
		l.broken = broken
		l.mu.Unlock()
		b.err = broken
	}
	close(b.done)
}

// reset empties the book. Credits that wait for their sync are told that
// nothing is known of them.
func (l *ledger) reset() error {
	l.disk.Lock()
	defer l.disk.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	clear(l.records)
	l.postings, l.pending = 0, nil
	l.next.err = errNoBook
	close(l.next.done)
	l.next = newBatch()
	if l.file == nil {
		return nil
	}
	if err := errors.Join(l.file.Truncate(0), l.file.Sync()); err != nil {
		l.broken = fmt.Errorf("%w: %w", errNoBook, err)
		return l.broken
	}
	return nil
}

// close writes what was decided and records nothing more. It may be called
// twice.
func (l *ledger) close() error {
	l.mu.Lock()
	again := l.closed
	l.closed = true
	l.mu.Unlock()
	if again || l.file == nil {
		return nil
	}
	close(l.wake)
	<-l.gone
	return l.file.Close()
}

// usable is called with mu held.
func (l *ledger) usable() error {
	if l.closed {
		return fmt.Errorf("%w: %w", errNoBook, os.ErrClosed)
	}
	return l.broken
}

// syncDir makes a new file's name durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
