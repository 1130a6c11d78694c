// Package examples is what a team may start from: a frontend, a teller system and an integration test, each in a folder of
// its own and in fewer than sixty lines. Here each runs as that team would run it.
package examples

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/istirdad/istirdad/internal/child"
)

const (
	top        = "../../.."
	typescript = top + "/gateway/client/typescript"
)

// run runs a program in a folder and returns what it said. One that takes too long is ended, and whatever it has started.
func run(t *testing.T, dir string, env []string, program string, args ...string) string {
	t.Helper()
	const atMost = 5 * time.Minute // on a busy machine a browser takes a minute
	var said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &said, &said
	cmd.Env = append(os.Environ(), env...)
	p, err := child.Start(cmd, nil, syscall.SIGKILL)
	if err != nil {
		t.Fatalf("%v: .ci/setup brings what the examples need", err)
	}
	late := time.AfterFunc(atMost, func() { _ = p.Kill() })
	err = p.Err()
	late.Stop()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, said.String())
	}
	return said.String()
}

// TestExamples: each does what it is an example of, against a sandbox that it starts itself.
func TestExamples(t *testing.T) {
	sandbox := filepath.Join(t.TempDir(), "sandbox")
	run(t, top, nil, "go", "build", "-o", sandbox, "./cmd/sandbox")
	env := []string{"SANDBOX=" + sandbox}
	t.Run("frontend", func(t *testing.T) {
		run(t, typescript, nil, "npm", "run", "build", "--silent")
		if said := run(t, "frontend", env, "npm", "test", "--silent"); !strings.Contains(said, "# pass 2\n# fail 0\n") {
			t.Errorf("it says\n%s", said)
		}
	})
	t.Run("teller", func(t *testing.T) {
		said := run(t, "teller", env, "python3", "teller.py")
		if !regexp.MustCompile(`(?s)^serving يوسف إبراهيم 2\*+049\n.*\nRF[0-9A-Z]{16} 2000\.00 \d{4}-\d\d-\d\d\nexact 1 1\n$`).MatchString(said) {
			t.Errorf("it says\n%s", said)
		}
	})
}

// TestShort: an example is read in one go.
func TestShort(t *testing.T) {
	const most = 59
	files, err := filepath.Glob("*/*.*")
	if err != nil {
		t.Fatal(err)
	}
	programs := 0
	for _, path := range files {
		if filepath.Ext(path) == ".json" {
			continue
		}
		programs++
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if n := len([]rune(line)); i == most && line != "" || n > 140 {
				t.Errorf("%s:%d: too long", path, i+1)
			}
		}
	}
	if programs < 4 {
		t.Errorf("%d examples are found", programs)
	}
}
