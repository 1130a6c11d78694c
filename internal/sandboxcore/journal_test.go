package sandboxcore

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/istirdad/istirdad/internal/sandboxfault"
)

// killed opens what a kill -9 of w's core at this moment would leave: a copy of
// the journal as it is on disk.
func killed(w *world, change func(journal []byte) []byte, options ...func(*Config)) *world {
	w.t.Helper()
	cfg := testConfig()
	cfg.Requests = w.core.cfg.Requests
	journal := readFile(w.t, filepath.Join(w.core.cfg.Dir, journalFile))
	if change != nil {
		journal = change(journal)
	}
	cfg.Dir = w.t.TempDir()
	if err := os.WriteFile(filepath.Join(cfg.Dir, journalFile), journal, 0o600); err != nil {
		w.t.Fatal(err)
	}
	for _, option := range options {
		option(&cfg)
	}
	return open(w.t, cfg)
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func inDir(t *testing.T) func(*Config) { return func(cfg *Config) { cfg.Dir = t.TempDir() } }

// one of each that the book can hold
func (w *world) fill() {
	w.submit(reference(1), "rq-p01-1")
	w.submit(reference(2), "rq-p03-1")
	w.settled()
	w.call(http.MethodPost, "/refunds/"+reference(2)+"/return", `{"reason":"AC04"}`)
	w.submit(reference(3), "rq-p04-1") // refused
	if err := w.onPortal("PT-1", "rq-p09-1", w.payerOf("rq-p09-1")); err != nil {
		w.t.Error(err)
	}
	w.submit(reference(4), "rq-p09-1") // refused: on the portal
	w.submit(reference(5), "rq-p08-1") // pending
	w.pay(2)
}

func TestAKillLosesNothingThatWasAnswered(t *testing.T) {
	inBubble(t, inDir(t), func(w *world) {
		w.fill()
		after := killed(w, nil)
		defer after.close()
		if diff := cmp.Diff(w.core.Truth(), after.core.Truth()); diff != "" {
			t.Errorf("truth (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff(w.core.Requests(), after.core.Requests()); diff != "" {
			t.Errorf("requests (-before +after):\n%s", diff)
		}
		for _, ref := range []string{reference(1), reference(2), reference(3), reference(4), reference(5)} {
			if before, now := w.status(ref).body, after.status(ref).body; before != now {
				t.Errorf("%s was %s\nis now %s", ref, before, now)
			}
		}
		for n, request := range map[int]string{1: "rq-p01-1", 3: "rq-p04-1", 4: "rq-p09-1"} {
			if before, now := w.submit(reference(n), request), after.submit(reference(n), request); before.body != now.body || before.status != now.status {
				t.Errorf("repeated: was %d %s\nis now %d %s", before.status, before.body, now.status, now.body)
			}
		}
		for _, path := range []string{"/refunds", "/settlements/2000-01-01"} {
			if before, now := w.call(http.MethodGet, path, nil).body, after.call(http.MethodGet, path, nil).body; before != now {
				t.Errorf("GET %s was %s\nis now %s", path, before, now)
			}
		}
		// The next core reference is not one that was given out.
		wantField(t, after.submit(reference(6), "rq-p12-1").json(t, http.StatusCreated), "core_reference", "GC-1007")
	})
}

func TestAPendingRefundSettlesAfterARestart(t *testing.T) {
	inBubble(t, inDir(t), func(w *world) {
		w.submit(reference(1), "rq-p01-1").json(t, http.StatusCreated)
		soon := killed(w, nil)
		defer soon.close()
		wantField(t, soon.status(reference(1)).json(t, http.StatusOK), "state", "pending")
		w.settled() // settles in both, at the recorded time
		wantField(t, soon.status(reference(1)).json(t, http.StatusOK), "state", "refunded")
		if n := soon.released("rq-p01-1"); n != 1 {
			t.Errorf("released %d, want 1", n)
		}

		w.submit(reference(2), "rq-p03-1").json(t, http.StatusCreated)
		var journal []byte
		journal = append(journal, readFile(t, filepath.Join(w.core.cfg.Dir, journalFile))...)
		time.Sleep(time.Hour)
		overdue := killed(w, func([]byte) []byte { return journal })
		defer overdue.close()
		synctest.Wait()
		wantField(t, overdue.status(reference(2)).json(t, http.StatusOK), "state", "refunded")
	})
}

func TestATornLastLineIsCutOff(t *testing.T) {
	inBubble(t, inDir(t), func(w *world) {
		w.submit(reference(1), "rq-p01-1").json(t, http.StatusCreated)
		w.status(reference(1)).json(t, http.StatusOK) // and that this was told is on disk
		whole := len(readFile(t, filepath.Join(w.core.cfg.Dir, journalFile)))
		w.submit(reference(2), "rq-p03-1").json(t, http.StatusCreated)
		full := len(readFile(t, filepath.Join(w.core.cfg.Dir, journalFile)))
		for cut := whole + 1; cut < full; cut += 23 {
			after := killed(w, func(journal []byte) []byte { return journal[:cut] })
			if left := len(readFile(t, filepath.Join(after.core.cfg.Dir, journalFile))); left != whole {
				t.Errorf("%d bytes are left of %d, want %d", left, cut, whole)
			}
			after.status(reference(1)).json(t, http.StatusOK)
			after.status(reference(2)).json(t, http.StatusNotFound)
			after.submit(reference(3), "rq-p08-1").json(t, http.StatusCreated)
			again := killed(after, nil)
			again.status(reference(3)).json(t, http.StatusOK)
			again.close()
			after.close()
		}
		zeros := killed(w, func(journal []byte) []byte { return append(journal[:full:full], "\x00\x00\x00\n"...) })
		defer zeros.close()
		zeros.status(reference(2)).json(t, http.StatusOK)
	})
}

func TestADamagedJournalIsNotReadOver(t *testing.T) {
	inBubble(t, inDir(t), func(w *world) {
		w.submit(reference(1), "rq-p01-1").json(t, http.StatusCreated)
		w.submit(reference(2), "rq-p03-1").json(t, http.StatusCreated)
		journal := readFile(t, filepath.Join(w.core.cfg.Dir, journalFile))
		cfg := testConfig()
		cfg.Dir = t.TempDir()
		if err := os.WriteFile(filepath.Join(cfg.Dir, journalFile), bytes.Replace(journal, []byte("{"), []byte("?"), 1), 0o600); err != nil {
			t.Fatal(err)
		}
		if core, err := New(cfg); err == nil {
			_ = core.Close()
			t.Error("New opened a book whose first page is damaged")
		}
	})
}

func TestResetSurvivesARestart(t *testing.T) {
	inBubble(t, inDir(t), func(w *world) {
		w.fill()
		if err := w.core.Reset(); err != nil {
			t.Fatal(err)
		}
		w.submit(reference(7), "rq-p01-1").json(t, http.StatusCreated)
		after := killed(w, nil)
		defer after.close()
		if diff := cmp.Diff(w.core.Truth(), after.core.Truth()); diff != "" || len(after.core.Truth()) != 2 {
			t.Errorf("truth (-before +after):\n%s", diff)
		}
	})
}

func TestWhatCannotBeWrittenIsNotAnswered(t *testing.T) {
	inBubble(t, inDir(t), func(w *world) {
		w.submit(reference(1), "rq-p01-1").json(t, http.StatusCreated)
		if err := w.core.book.journal.file.Close(); err != nil { // the disk is gone
			t.Fatal(err)
		}
		for _, got := range []reply{w.submit(reference(2), "rq-p03-1"), w.status(reference(2)), w.status(reference(1))} {
			if got.status != http.StatusServiceUnavailable || got.signed == nil {
				t.Errorf("%d, signed %t: %s", got.status, got.signed == nil, got.body)
			}
		}
		if err := w.core.Close(); err == nil {
			t.Error("Close does not tell that the journal is broken")
		}
		w.core.close = func() error { return nil }
	})
}

func TestAClosedCoreAnswersNothing(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.close()
		if got := w.submit(reference(1), "rq-p01-1"); got.status != http.StatusServiceUnavailable {
			t.Errorf("status %d", got.status)
		}
	})
}

func FuzzReadJournal(f *testing.F) {
	f.Add([]byte(`{"op":"accept","at":"2026-03-05T06:00:00Z","refund":{"reference":"RF0","request_id":"rq-p01-1"},"state":"pending"}` + "\n" + `{"op":"settle","of":"RF0","state":"refunded"}` + "\n"))
	f.Add([]byte(`{"op":"reset"}` + "\n" + `{"op":"ret`))
	f.Add([]byte("\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := openBook("", testConfig().Requests)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := readJournal(bytes.NewReader(text), b.apply)
		if whole < 0 || whole > int64(len(text)) {
			t.Errorf("%d bytes of %d are whole: %v", whole, len(text), err)
		}
		for _, e := range b.truth() {
			if e.Released > 1 || e.Returned > e.Released {
				t.Errorf("the book allows %+v", e)
			}
		}
	})
}

// TestALateSubmissionThatWasLostMayBeLateAgain: what should have arrived while the core was dead for longer than it may be
// under way never comes, and a re-send of it is as good as a first one.
func TestALateSubmissionThatWasLostMayBeLateAgain(t *testing.T) {
	inBubble(t, inDir(t), func(w *world) {
		late := sandboxfault.Fault{Kind: sandboxfault.LateEffect, Match: sandboxfault.Match{Call: sandboxfault.CallSubmit}}
		w.fault(late)
		w.submit(reference(1), "rq-p01-1")
		dead := readFile(t, filepath.Join(w.core.cfg.Dir, journalFile))
		time.Sleep(staleFor)
		after := killed(w, func([]byte) []byte { return dead })
		defer after.close()
		time.Sleep(staleFor)
		after.status(reference(1)).json(t, http.StatusNotFound)
		after.fault(late)
		if got := after.submit(reference(1), "rq-p01-1"); got.status != 0 || after.fired(late.Kind) != 1 {
			t.Fatalf("answered %d, late %d times", got.status, after.fired(late.Kind))
		}
		time.Sleep(staleFor)
		after.settled()
		wantField(t, after.status(reference(1)).json(t, http.StatusOK), "state", "refunded")
		if n := after.released("rq-p01-1"); n != 1 {
			t.Errorf("released %d, want 1", n)
		}
	})
}
