package sqlite

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

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
		accepted = append(accepted, killed(t, dir, 40)...)
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

// killed runs this test in a process of its own until that has reported so many refunds, and kills it. It returns all
// that were reported.
func killed(t *testing.T, dir string, after int) (reported []string) {
	t.Helper()
	victim := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
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
		if len(reported) == after {
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

// TestKilledDeciding kills a process with SIGKILL in the middle of decisions, of which two are made on each refund at
// once: whatever it had reported as decided is there, as it was decided, and nothing is decided twice or by half.
func TestKilledDeciding(t *testing.T) {
	if dir := os.Getenv(crashDir); dir != "" {
		decideUntilKilled(t, filepath.Join(dir, "istirdad.db"))
		return
	}
	dir := t.TempDir()
	reported := map[string]string{} // state by refund
	for round := range 5 {
		for _, line := range killed(t, dir, 7+13*round) {
			id, state, _ := strings.Cut(line, " ")
			if reported[id] != "" {
				t.Errorf("refund %s is decided twice", id)
			}
			reported[id] = state
		}
	}
	s := reopen(t, filepath.Join(dir, "istirdad.db"), testSealer(t, "k1"))
	var live, decided int64
	err := s.Each(t.Context(), func(r gateway.Refund) error {
		events, err := s.Events(t.Context(), r.ID)
		if err != nil {
			return err
		}
		last := events[len(events)-1]
		switch state := reported[r.ID]; {
		case state != "" && state != string(r.State):
			t.Errorf("refund %s is %s, reported as %s", r.ID, r.State, state)
		case last.To != r.State || last.Version != r.Version || int64(len(events)) != r.Version || r.Version > 2:
			t.Errorf("refund %s is %s at version %d, with events %+v", r.ID, r.State, r.Version, events)
		case r.Version == 2 && (last.Actor.Role != gateway.RoleApprover || last.Evidence["note"] == ""):
			t.Errorf("refund %s was decided by %+v on %v", r.ID, last.Actor, last.Evidence)
		}
		if delete(reported, r.ID); !r.State.Dead() {
			live++
		}
		decided += r.Version - 1
		return nil
	})
	if err != nil || len(reported) != 0 || decided == 0 {
		t.Errorf("%d were decided; of those reported %v are lost; %v", decided, reported, err)
	}
	var spent int64
	err = s.queries.one(t.Context(), `SELECT sum(spent) FROM day_limits`, nil, into(&spent))
	if err != nil || spent != live*int64(acceptance(1).Payment.Amount) {
		t.Errorf("%d refunds live, %d halalas spent, %v", live, spent, err)
	}
}

func decideUntilKilled(t *testing.T, path string) {
	s, err := Open(t.Context(), path, testSealer(t, "k1"), Options{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	by := gateway.By{At: start, Actor: gateway.Actor{Role: gateway.RoleApprover, ID: "a01"}, Evidence: gateway.Evidence{"note": "seen"}}
	var workers sync.WaitGroup
	for worker := range 4 {
		workers.Go(func() {
			for n := range 100_000 {
				a := acceptance(0)
				a.ID = strconv.Itoa(os.Getpid()) + "-" + strconv.Itoa(worker) + "-" + strconv.Itoa(n)
				a.Payment.RequestID, a.Challenge = "REQ-"+a.ID, ""
				a.Rules.Holds, a.Rules.ApprovalExpires = []gateway.Mark{gateway.IdentityChecked}, start.Add(time.Hour)
				r, _, err := s.Accept(t.Context(), a)
				if err != nil {
					t.Errorf("Accept: %v", err)
					return
				}
				var both sync.WaitGroup
				for _, decide := range []func() (gateway.Change, error){
					func() (gateway.Change, error) { return r.Approve(by) },
					func() (gateway.Change, error) { return r.Cancel(by, "approval_refused") },
				} {
					both.Go(func() {
						c, err := decide()
						if err == nil {
							err = s.Apply(t.Context(), c)
						}
						switch {
						case err == nil:
							_, _ = fmt.Fprintln(os.Stdout, r.ID, c.Refund().State)
						case !errors.Is(err, gateway.ErrStale):
							t.Errorf("Apply: %v", err)
						}
					})
				}
				both.Wait()
			}
		})
	}
	workers.Wait()
}
