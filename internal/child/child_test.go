package child_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/istirdad/istirdad/internal/child"
)

// forgotten is the variable with which this test's own binary is a parent that starts a child and is killed.
const forgotten = "CHILD_TEST_FORGOTTEN"

func TestMain(m *testing.M) {
	if os.Getenv(forgotten) == "" {
		os.Exit(m.Run())
	}
	p, err := child.Start(exec.Command("sleep", "60"), nil, syscall.SIGKILL)
	if err != nil {
		os.Exit(1)
	}
	_, _ = os.Stdout.WriteString(strconv.Itoa(p.Pid()) + "\n")
	_ = p.Err()
}

func start(t *testing.T, command string) *child.Process {
	t.Helper()
	p, err := child.Start(exec.CommandContext(t.Context(), "sh", "-c", command), nil, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Kill() })
	return p
}

func TestHowItEnds(t *testing.T) {
	if err := start(t, "exit 0").Err(); err != nil {
		t.Errorf("one that ended well: %v", err)
	}
	ended := start(t, "exit 3")
	var exit *exec.ExitError
	if err := ended.Err(); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("one that failed: %v", err)
	}
	if err := ended.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("a signal to one that has ended: %v", err)
	}
	if err := errors.Join(ended.SignalGroup(syscall.SIGTERM), ended.Kill()); err != nil {
		t.Errorf("its group: %v", err)
	}
	told := start(t, "exec sleep 60")
	if err := told.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := told.Err(); err == nil {
		t.Error("one that was told to end ended well")
	}
	if _, err := child.Start(exec.CommandContext(t.Context(), "/nowhere"), nil, syscall.SIGKILL); err == nil {
		t.Error("started what isn't there")
	}
}

// TestKillTakesItsChildren: what the child has started goes with it, and lets go of what it held.
func TestKillTakesItsChildren(t *testing.T) {
	held, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "sleep 60 & wait")
	cmd.Stdout = end
	p, err := child.Start(cmd, nil, syscall.SIGKILL)
	if err = errors.Join(err, end.Close()); err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Error(err)
	}
	closed(t, held)
}

// TestEndsWithItsParent kills a process that has a child.
func TestEndsWithItsParent(t *testing.T) {
	parent := exec.CommandContext(t.Context(), os.Args[0])
	parent.Env = append(os.Environ(), forgotten+"=1")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	pid, failed := strconv.Atoi(strings.TrimSpace(line))
	if err = errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = parent.Wait()
	for began := time.Now(); running(pid); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatal("the child goes on without its parent")
		}
	}
}

// running reports whether there is such a process that hasn't ended.
func running(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// closed waits until nobody holds the other end of a pipe any more.
func closed(t *testing.T, held *os.File) {
	t.Helper()
	if err := held.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := held.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a child's child goes on: %d, %v", n, err)
	}
}
