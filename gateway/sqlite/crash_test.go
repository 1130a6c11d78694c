package sqlite

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/istirdad/istirdad/gateway"
)

// crashDir makes this test binary the process that is to be killed, working in that folder.
const crashDir = "ISTIRDAD_SQLITE_CRASH_DIR"

// TestKilled kills a process with SIGKILL in the middle of accepting, from many goroutines, and opens what it left:
// whatever it had reported as accepted is there, whole, and nothing is there by half.
func TestKilled(t *testing.T) {
	if dir := os.Getenv(crashDir); dir != "" {
		acceptUntilKilled(t, filepath.Join(dir, "istirdad.db"))
		return
	}
	dir := t.TempDir()
	var accepted []string
	for range 3 { // each goes on where the one before was killed
		accepted = append(accepted, killed(t, dir)...)
	}
	s := reopen(t, filepath.Join(dir, "istirdad.db"), testSealer(t, "k1"))
	for _, id := range accepted {
		if _, err := s.Lookup(t.Context(), id); err != nil {
			t.Errorf("refund %s, reported as accepted: %v", id, err)
		}
	}
	counts, _, err := s.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var events, spent int64
	err = s.queries.one(t.Context(), `SELECT (SELECT count(*) FROM events), (SELECT sum(spent) FROM day_limits)`, nil, into(&events, &spent))
	if n := int64(counts[gateway.Queued]); err != nil || events != n || spent != n*int64(acceptance(1).Payment.Amount) {
		t.Errorf("%d refunds, %d events, %d halalas spent, %v", n, events, spent, err)
	}
	if n := counts[gateway.Queued]; n < len(accepted) || len(accepted) == 0 {
		t.Errorf("%d refunds, %d reported", n, len(accepted))
	}
	var verdict string
	if err := s.queries.one(t.Context(), `PRAGMA integrity_check`, nil, into(&verdict)); err != nil || verdict != "ok" {
		t.Errorf("integrity: %s, %v", verdict, err)
	}
}

// killed runs the process until it has reported some refunds, and kills it. It returns all that were reported.
func killed(t *testing.T, dir string) (reported []string) {
	t.Helper()
	victim := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$", "-test.count=1")
	victim.Env = append(os.Environ(), crashDir+"="+dir)
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		reported = append(reported, lines.Text())
		if len(reported) == 40 {
			if err := victim.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := victim.Wait(); err == nil {
		t.Error("the process ended by itself")
	}
	return reported
}

func acceptUntilKilled(t *testing.T, path string) {
	s, err := Open(t.Context(), path, testSealer(t, "k1"), Options{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	var workers sync.WaitGroup
	for worker := range 8 {
		workers.Go(func() {
			for n := range 100_000 {
				a := acceptance(0)
				a.ID = strconv.Itoa(os.Getpid()) + "-" + strconv.Itoa(worker) + "-" + strconv.Itoa(n)
				a.Payment.RequestID, a.Challenge = "REQ-"+a.ID, ""
				if _, _, err := s.Accept(t.Context(), a); err != nil {
					t.Errorf("Accept: %v", err)
					return
				}
				if _, err := fmt.Fprintln(os.Stdout, a.ID); err != nil {
					return
				}
			}
		})
	}
	workers.Wait()
}
