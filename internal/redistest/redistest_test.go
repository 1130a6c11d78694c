package redistest_test

import (
	"errors"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/istirdad/istirdad/internal/redistest"
)

var shared redistest.Shared

func TestMain(m *testing.M) { goleak.VerifyTestMain(shared.Around(m)) }

// want has the server do something and wants this answer.
func want(t *testing.T, s *redistest.Server, answer string, args ...string) {
	t.Helper()
	if got, err := s.Do(args...); err != nil || got != answer {
		t.Fatalf("%v: %q, %v, want %q", args, got, err, answer)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnswersAsText(t *testing.T) {
	s := shared.Empty(t)
	want(t, s, "OK", "SET", "k", "line\r\nline")
	want(t, s, "line\r\nline", "GET", "k")
	want(t, s, "", "GET", "none")
	want(t, s, "", "SET", "k", "v", "NX")
	want(t, s, "1", "EXISTS", "k")
	want(t, s, "-3", "EVAL", "return -3", "0")
	want(t, s, "a\n\nb\n2", "EVAL", "return {'a', '', {'b', 2}}", "0")
	want(t, s, "", "EVAL", "return {}", "0")
	_, err := s.Do("LPUSH", "k", "v")
	if refused, is := errors.AsType[redistest.Error](err); !is || !strings.HasPrefix(refused.Error(), "WRONGTYPE") {
		t.Errorf("%v, want Redis's own refusal", err)
	}
}

func TestSharedIsEmptied(t *testing.T) {
	s := shared.Empty(t)
	want(t, s, "OK", "SET", "k", "v")
	sum, err := s.Do("SCRIPT", "LOAD", "return 1")
	ok(t, err)
	if shared.Empty(t) != s {
		t.Fatal("a second server")
	}
	want(t, s, "0", "DBSIZE")
	want(t, s, "0", "SCRIPT", "EXISTS", sum)
}

func TestOptions(t *testing.T) {
	s := redistest.Start(t, "--maxmemory", "10mb", "--requirepass", "p ss")
	want(t, s, "maxmemory\n10485760", "CONFIG", "GET", "maxmemory")
	u, err := url.Parse(s.URL())
	ok(t, err)
	if password, _ := u.User.Password(); password != "p ss" || u.Host != s.Addr() || u.Scheme != "redis" {
		t.Errorf("the URL is %s", s.URL())
	}
}

func TestRefusedOptionsAreToldInItsWords(t *testing.T) {
	_, err := redistest.Launch("--maxmemory-policy", "none-such")
	if err == nil || !strings.Contains(err.Error(), "maxmemory-policy") {
		t.Errorf("%v", err)
	}
}

func TestKillForgets(t *testing.T) {
	s := redistest.Start(t)
	addr := s.Addr()
	want(t, s, "OK", "SET", "k", "v")
	ok(t, s.Kill())
	if _, err := s.Do("PING"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("killed: %v, want refusal", err)
	}
	ok(t, s.Kill())
	ok(t, s.Restart())
	want(t, s, "", "GET", "k")
	if s.Addr() != addr {
		t.Errorf("moved from %s to %s", addr, s.Addr())
	}
	want(t, s, "OK", "SET", "k", "v")
	ok(t, s.Restart()) // also while it runs
	want(t, s, "", "GET", "k")
}

func TestKillRemembersWithAppendOnlyFile(t *testing.T) {
	s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	want(t, s, "OK", "SET", "k", "v")
	ok(t, s.Restart())
	want(t, s, "v", "GET", "k")
}

func TestPause(t *testing.T) {
	s := redistest.Start(t)
	ok(t, s.Pause())
	answered := make(chan error, 1)
	go func() {
		_, err := s.Do("PING")
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Fatalf("a paused server answered: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	ok(t, s.Continue())
	ok(t, <-answered)
	ok(t, s.Pause())
	ok(t, s.Kill()) // paused or not
	if err := s.Pause(); err == nil {
		t.Error("paused a server that is down")
	}
}

func TestReplica(t *testing.T) {
	master, replica := redistest.Start(t), redistest.Start(t)
	want(t, master, "OK", "SET", "k", "v")
	want(t, replica, "OK", "SET", "own", "v")
	ok(t, replica.Follow(master.Addr()))
	want(t, replica, "v", "GET", "k")
	want(t, replica, "", "GET", "own")
	if _, err := replica.Do("SET", "k", "w"); err == nil || !strings.HasPrefix(err.Error(), "READONLY") {
		t.Errorf("writing to a replica: %v", err)
	}
	want(t, master, "OK", "SET", "k", "later")
	ok(t, replica.Await(func(value string) bool { return value == "later" }, "GET", "k"))
	ok(t, replica.Promote())
	want(t, replica, "OK", "SET", "k", "w")
	want(t, master, "later", "GET", "k")
}

func TestNotAsRoot(t *testing.T) {
	s := shared.Empty(t)
	pid, err := s.Do("EVAL", "return string.match(redis.call('INFO', 'server'), 'process_id:(%d+)')", "0")
	ok(t, err)
	status, err := os.Stat("/proc/" + pid)
	ok(t, err)
	if status.Sys().(*syscall.Stat_t).Uid == 0 {
		t.Error("the server runs as root")
	}
}

func TestNoServer(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := redistest.Launch(); err == nil || !strings.Contains(err.Error(), "package redis-server") {
		t.Errorf("%v, want to be told which package is missing", err)
	}
}

func TestStopLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	// The folders above belong to root and are closed to the user that servers run as.
	ok(t, os.Chmod(os.TempDir(), 0o755))
	ok(t, os.Chmod(os.TempDir()+"/..", 0o755))
	s, err := redistest.Launch()
	ok(t, err)
	ok(t, s.Stop())
	ok(t, s.Stop())
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestRefusals(t *testing.T) {
	for _, refusal := range redistest.Refusals() {
		t.Run(refusal.Word, func(t *testing.T) {
			s := redistest.Start(t, refusal.Args...)
			want(t, s, "OK", "SET", "k", "v")
			end := refusal.Begin(t, s)
			_, reading := s.Do("GET", "k")
			_, writing := s.Do("SET", "k", "w")
			said := func(err error) bool { return err != nil && strings.HasPrefix(err.Error(), refusal.Word) }
			if writing == nil || !said(reading) && !said(writing) {
				t.Errorf("reading: %v, writing: %v, want %s", reading, writing, refusal.Word)
			}
			end()
			want(t, s, "v", "GET", "k")
			want(t, s, "OK", "SET", "k", "w")
		})
	}
}
