package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/istirdad/istirdad/internal/child"
)

// Process is one program of the fleet, in a process group of its own. Its output goes to a file, of which a failed test
// shows the end.
type Process struct {
	t    testing.TB
	name string
	log  string
	make func() *exec.Cmd

	mu      sync.Mutex
	running *child.Process // the last one that was started
}

// newProcess starts what make returns and stops it when the test ends.
func newProcess(t testing.TB, dir, name string, command func() *exec.Cmd) *Process {
	t.Helper()
	p := &Process{t: t, name: name, log: filepath.Join(dir, name+".log"), make: command}
	p.Start()
	t.Cleanup(func() {
		p.Kill()
		p.show()
	})
	return p
}

// Start starts the program, which must not be running.
func (p *Process) Start() {
	p.t.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = log.Close() }() // the program has its own
	cmd := p.make()
	cmd.Stderr = log
	if cmd.Stdout == nil {
		cmd.Stdout = log
	}
	started, err := child.Start(cmd, nil, syscall.SIGKILL)
	if err != nil {
		p.t.Fatalf("%s doesn't start: %v", p.name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = started
}

func (p *Process) now() *child.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running
}

// Signal sends a signal to the program alone.
func (p *Process) Signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.now().Signal(s); err != nil {
		p.t.Fatalf("%s: signal %v: %v", p.name, s, err)
	}
}

// Kill kills the program, as a machine that loses its power does, and returns when it is gone.
func (p *Process) Kill() {
	if err := p.now().Kill(); err != nil {
		p.t.Errorf("%s: %v", p.name, err)
	}
}

// Stop asks the program to stop and returns how long it took and how it ended; it fails the test when that takes longer
// than patience.
func (p *Process) Stop(patience time.Duration) (took time.Duration, err error) {
	p.t.Helper()
	began, r := time.Now(), p.now()
	p.Signal(syscall.SIGTERM)
	select {
	case <-r.Exited():
		return time.Since(began), r.Err()
	case <-time.After(patience):
		p.Kill()
		p.t.Fatalf("%s hasn't stopped after %v", p.name, patience)
		return 0, nil
	}
}

// Log is all that the program has written.
func (p *Process) Log() string {
	p.t.Helper()
	text, err := os.ReadFile(p.log)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

const shown = 40 // lines of a log

// show prints the end of the log of a failed test, and fails the test when the race detector has spoken: it speaks in the
// program's log, not to the test.
func (p *Process) show() {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return
	}
	if at := bytes.Index(text, []byte("WARNING: DATA RACE")); at >= 0 {
		p.t.Errorf("%s: %s", p.name, text[at:min(len(text), at+4096)])
	}
	if p.t.Failed() {
		lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(string(text)), "\n"), func(line string) bool {
			return strings.Contains(line, `"level":"INFO"`)
		})
		p.t.Logf("the end of %s's log, without what is as usual:\n%s", p.name, strings.Join(lines[max(0, len(lines)-shown):], "\n"))
	}
}

// buildMax is how long a build from nothing may take on a busy machine.
const buildMax = 10 * time.Minute

// build compiles commands of this module into dir, for tests with the race detector.
func build(dir string, commands ...string) error {
	args := []string{"build", "-tags", "nomsgpack", "-o", dir + "/"}
	if benchmarks := flag.Lookup("test.bench"); benchmarks == nil || benchmarks.Value.String() == "" {
		args = append(args, "-race")
	}
	for _, c := range commands {
		args = append(args, "github.com/istirdad/istirdad/cmd/"+c)
	}
	ctx, cancel := context.WithTimeout(context.Background(), buildMax)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// BuildNext builds the gateway as of a release to come, under that name beside today's: the same program with one more
// migration, which a rolling deploy has to live with. It returns that one's version.
func BuildNext(t testing.TB, name, migration string) (version int) {
	t.Helper()
	dir := t.TempDir()
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	known, err := filepath.Glob(filepath.Join(top, "gateway/postgres/migrations/*.sql"))
	if err != nil || len(known) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	version = len(known) + 1
	next := filepath.Join(top, fmt.Sprintf("gateway/postgres/migrations/%05d_next.sql", version))
	written, overlay := filepath.Join(dir, "next.sql"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {next: written}})
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{written: []byte(migration), overlay: replace} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-race", "-tags", "nomsgpack", "-overlay", overlay,
		"-o", filepath.Join(binaries, name), "./cmd/gateway")
	cmd.Dir = top
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return version
}
