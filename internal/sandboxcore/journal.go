package sandboxcore

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// journalFile is the append-only file of records, one JSON object a line.
const journalFile = "core-book.jsonl"

var errJournalClosed = errors.New("the journal is closed")

// A journal makes records durable in the order in which they were appended. The
// nil journal is that of a book in memory: it is durable at once.
//
// append only queues; wait writes. Whoever waits first writes and syncs all that
// is queued for everybody who waits meanwhile, so that many calls share one
// fsync. After a failed write nothing is durable any more: what the file then
// holds is not known, and the book must not answer from what it may not have.
type journal struct {
	file *os.File

	mu       sync.Mutex
	flushed  sync.Cond
	queue    []byte
	queued   uint64 // tickets given out
	durable  uint64 // tickets on disk
	flushing bool
	failed   error
}

// openJournal opens or makes the journal in dir and hands every record of it to
// replay. A last line that was cut short by a crash was never answered for: it
// is cut off.
func openJournal(dir string, replay func(record)) (_ *journal, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, journalFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
		}
	}()
	whole, err := readJournal(file, replay)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file.Name(), err)
	}
	if err := file.Truncate(whole); err != nil {
		return nil, err
	}
	if _, err := file.Seek(whole, io.SeekStart); err != nil {
		return nil, err
	}
	if err := syncDir(dir); err != nil {
		return nil, err
	}
	j := &journal{file: file}
	j.flushed.L = &j.mu
	return j, nil
}

// readJournal returns the length of the part that is whole.
func readJournal(r io.Reader, replay func(record)) (whole int64, err error) {
	lines := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return whole, nil // line, if any, is torn
		}
		if err != nil {
			return 0, err
		}
		rec, err := parseRecord(line)
		if err != nil {
			if _, more := lines.Peek(1); errors.Is(more, io.EOF) {
				return whole, nil // torn inside its last block
			}
			return 0, fmt.Errorf("line %d is damaged: %w", n, err)
		}
		replay(rec)
		whole += int64(len(line))
	}
}

func parseRecord(line []byte) (rec record, err error) {
	if err := json.Unmarshal(line, &rec); err != nil {
		return record{}, err
	}
	if !rec.sound() {
		return record{}, fmt.Errorf("no record of this journal: op %q", rec.Op)
	}
	return rec, nil
}

// syncDir makes a new file's name durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (j *journal) append(rec record) {
	if j == nil {
		return
	}
	line, err := json.Marshal(rec)
	if err != nil {
		panic("sandboxcore: " + err.Error()) // strings, numbers and times
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.queue = append(append(j.queue, line...), '\n')
	j.queued++
}

// wait returns once everything that was appended before is on disk.
func (j *journal) wait() error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for ticket := j.queued; j.durable < ticket && j.failed == nil; {
		if j.flushing {
			j.flushed.Wait()
			continue
		}
		j.flush()
	}
	return j.failed
}

// flush is called with the lock held, and lets go of it while the disk works.
func (j *journal) flush() {
	lines, upTo := j.queue, j.queued
	j.queue, j.flushing = nil, true
	j.mu.Unlock()
	_, err := io.Copy(j.file, bytes.NewReader(lines))
	if err == nil {
		err = j.file.Sync()
	}
	j.mu.Lock()
	j.flushing = false
	if err != nil {
		j.failed = fmt.Errorf("journal: %w", err)
	} else {
		j.durable = upTo
	}
	j.flushed.Broadcast()
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	err := j.wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed == nil {
		j.failed = errJournalClosed
	}
	return errors.Join(err, j.file.Close())
}
