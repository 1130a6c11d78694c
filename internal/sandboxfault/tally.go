package sandboxfault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// tallyFile is the append-only file of what fired, beside the core's journal.
const tallyFile = "core-faults.jsonl"

// A tally keeps the counts of a Board across a kill. It is not synced: a process
// that is killed loses nothing that it has written, and a machine that goes down
// may lose a count. The nil tally keeps nothing.
type tally struct{ file *os.File }

// An addition is one line: what fired since the line before, and in the first,
// since ever, with how many starts there were before this one.
type addition struct {
	Restarts int              `json:"restarts,omitempty"`
	Fired    map[string]int64 `json:"fired"`
}

// openTally adds up what is in dir and begins the file anew with the sum.
func openTally(dir string) (_ *tally, sum addition, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, sum, err
	}
	path := filepath.Join(dir, tallyFile)
	if sum, err = readTally(path); err != nil {
		return nil, sum, err
	}
	t := new(tally)
	if t.file, err = os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return nil, sum, err
	}
	if err = errors.Join(t.add(sum), os.Rename(path+".new", path)); err != nil {
		return nil, sum, errors.Join(err, t.close())
	}
	return t, sum, nil
}

// readTally counts the run that wrote the file as one more start. A last line that
// a kill cut short was of a fault that did not happen any more.
func readTally(path string) (sum addition, err error) {
	sum.Fired = make(map[string]int64)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return sum, nil
	}
	if err != nil {
		return sum, err
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	for line := range bytes.Lines(whole) {
		var a addition
		if err := json.Unmarshal(line, &a); err != nil {
			return sum, fmt.Errorf("%s is damaged: %w", tallyFile, err)
		}
		sum.Restarts += a.Restarts
		for kind, fired := range a.Fired {
			sum.Fired[kind] += fired
		}
	}
	sum.Restarts++
	return sum, nil
}

func (t *tally) add(a addition) error {
	if t == nil {
		return nil
	}
	line, err := json.Marshal(a)
	if err != nil {
		return err
	}
	_, err = t.file.Write(append(line, '\n'))
	return err
}

// clear forgets the counts, not the starts.
func (t *tally) clear(restarts int) error {
	if t == nil {
		return nil
	}
	return errors.Join(t.file.Truncate(0), t.add(addition{Restarts: restarts}))
}

func (t *tally) close() error {
	if t == nil {
		return nil
	}
	return t.file.Close()
}
