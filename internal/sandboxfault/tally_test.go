package sandboxfault_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxfault"
)

func openIn(t *testing.T, dir string) *sandboxfault.Board {
	t.Helper()
	b, err := sandboxfault.Open(7, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// TestCountsSurviveAKill: nothing is closed here, as by kill -9.
func TestCountsSurviveAKill(t *testing.T) {
	dir := t.TempDir()
	var drawn [][]bool
	var want int64
	for run := range 3 {
		b := openIn(t, dir)
		if b.Restarts() != run {
			t.Errorf("run %d counts %d restarts", run, b.Restarts())
		}
		set(t, b, sandboxfault.Fault{Kind: sandboxfault.Unavailable, Rate: 0.5})
		var draws []bool
		for range 100 {
			hit := b.Pick(sandboxfault.CallSubmit, "") != ""
			if draws = append(draws, hit); hit {
				want++
			}
		}
		b.Record(sandboxfault.Late)
		if got := fired(b, sandboxfault.Unavailable); got != want || fired(b, sandboxfault.Late) != int64(run)+1 {
			t.Errorf("run %d: fired %d, want %d", run, got, want)
		}
		drawn = append(drawn, draws)
	}
	if slices.Equal(drawn[0], drawn[1]) || slices.Equal(drawn[1], drawn[2]) {
		t.Error("a later run draws what an earlier one drew")
	}

	b := openIn(t, dir)
	b.Reset()
	b.Record(sandboxfault.Late)
	after := openIn(t, dir)
	if fired(after, sandboxfault.Unavailable) != 0 || fired(after, sandboxfault.Late) != 1 || after.Restarts() != 4 {
		t.Errorf("after a reset: %d and %d, %d restarts", fired(after, sandboxfault.Unavailable), fired(after, sandboxfault.Late), after.Restarts())
	}
}

// TestATornCountIsCutOff, and a damaged one is not read over.
func TestATornCountIsCutOff(t *testing.T) {
	dir := t.TempDir()
	openIn(t, dir).Record(sandboxfault.Late)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the folder holds %v, %v", files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], append(whole, `{"fired":{"late"`...), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := fired(openIn(t, dir), sandboxfault.Late); n != 1 {
		t.Errorf("fired %d, want 1", n)
	}
	if err := os.WriteFile(files[0], append([]byte("?"), whole...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sandboxfault.Open(7, dir); err == nil {
		t.Error("a damaged file is opened")
	}
}

func TestWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := sandboxfault.NewBoard(1)
		began := time.Now()
		at := func(minutes int) time.Time { return began.Add(time.Duration(minutes) * time.Minute) }
		if err := b.SetWindows([]sandboxfault.Window{{From: at(30), Until: at(40)}, {From: at(20), Until: at(25)}, {From: at(25), Until: at(31)}, {From: at(22), Until: at(23)}}); err != nil {
			t.Fatal(err)
		}
		for _, bad := range [][]sandboxfault.Window{
			{{From: at(1), Until: at(1)}}, {{From: at(1)}}, {{Until: at(1)}}, slices.Repeat([]sandboxfault.Window{{From: at(1), Until: at(2)}}, 101),
		} {
			if err := b.SetWindows(bad); !errors.Is(err, sandboxfault.ErrFault) || len(b.Windows()) != 4 {
				t.Errorf("%d windows like %v: %v; there are %d", len(bad), bad[0], err, len(b.Windows()))
			}
		}
		for minute, until := range map[int]int{0: 0, 19: 0, 20: 40, 24: 40, 25: 40, 39: 40, 40: 0} {
			end, closed := b.Closed(at(minute))
			if closed != (until > 0) || closed && !end.Equal(at(until)) {
				t.Errorf("minute %d: closed %t until %v", minute, closed, end.Sub(began))
			}
		}
		if _, closed := b.PortalClosed("p01", at(0)); closed {
			t.Error("the portal is closed before its time")
		}
		b.Clear()
		if end, closed := b.PortalClosed("", at(20)); !closed || !end.Equal(at(40)) || fired(b, sandboxfault.Maintenance) != 1 {
			t.Errorf("the portal is closed %t until %v", closed, end.Sub(began))
		}
		b.Reset()
		set(t, b, sandboxfault.Fault{Kind: sandboxfault.Unavailable}, sandboxfault.Fault{Kind: sandboxfault.Maintenance, Match: sandboxfault.Match{User: "p01"}})
		for user, want := range map[string]bool{"p01": true, "p02": false, "": false} {
			if end, closed := b.PortalClosed(user, at(20)); closed != want || closed && !end.Equal(at(20).Add(sandboxfault.MaintenanceFor)) {
				t.Errorf("%q finds the portal closed: %t", user, closed)
			}
		}
	})
}
