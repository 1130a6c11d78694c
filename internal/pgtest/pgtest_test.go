package pgtest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/istirdad/istirdad/internal/child"
)

// TestMain holds on to the pristine data folder, so that initdb runs once, and looks whether it goes with its last user.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		bin, err := programs()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		as, err := child.Unprivileged(users...)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		data, err := takePristine(context.Background(), bin, as)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		code := m.Run()
		if err := dropPristine(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if _, err := os.Stat(data); !os.IsNotExist(err) {
			fmt.Fprintln(os.Stderr, "the pristine data folder is left:", err)
			return 1
		}
		return code
	}())
}

// fill can't speak the protocol, so it has the server's own psql make what the template holds.
func fill(s **Server) Option {
	return Template(func(_ context.Context, owner string) error {
		if !strings.Contains(owner, Owner+"@127.0.0.1:") {
			return fmt.Errorf("not the owner's URL: %s", owner)
		}
		_, err := (*s).SQL("filled", "CREATE TABLE words (word text); INSERT INTO words VALUES ('template'); GRANT SELECT ON words TO "+App)
		return err
	})
}

func mustSQL(t *testing.T, s *Server, database, statements string) string {
	t.Helper()
	out, err := s.SQL(database, statements)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestDatabasesAreCopiesOfTheTemplate(t *testing.T) {
	var s *Server
	s = Start(t, fill(&s))
	names := make([]string, 4)
	var making sync.WaitGroup
	for i := range names {
		making.Go(func() { names[i] = s.Database(t).Name })
	}
	making.Wait()
	for _, name := range names {
		mustSQL(t, s, name, "INSERT INTO words VALUES ('"+name+"')")
	}
	for _, name := range names {
		if got := mustSQL(t, s, name, "SELECT word FROM words"); got != "template\n"+name {
			t.Errorf("%s holds %q", name, got)
		}
		owner := mustSQL(t, s, "postgres", "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '"+name+"'")
		if owner != Owner {
			t.Errorf("%s belongs to %s", name, owner)
		}
	}
}

func TestRoles(t *testing.T) {
	s := Start(t)
	db := s.Database(t)
	for role, want := range map[string]string{Owner: "f|t|t", App: "f|f|t"} {
		if got := mustSQL(t, s, "postgres", "SELECT rolsuper, rolcreatedb, rolcanlogin FROM pg_roles WHERE rolname = '"+role+"'"); got != want {
			t.Errorf("%s (superuser, makes databases, may come in): %s", role, got)
		}
	}
	_, err := s.SQL(db.Name, "SET ROLE "+App+"; CREATE TABLE mine (n int)")
	if err == nil || !strings.Contains(err.Error(), "permission denied for schema public") {
		t.Errorf("the application makes a table: %v", err)
	}
}

func TestKilledServerKeepsWhatItCommitted(t *testing.T) {
	s := Start(t, Setting("work_mem", "7MB"))
	db, addr := s.Database(t), s.Addr()
	mustSQL(t, s, db.Name, "CREATE TABLE words (word text); INSERT INTO words VALUES ('kept')")
	for name, end := range map[string]func() error{
		"kill":      s.Kill,
		"fast":      func() error { return s.Stop(Fast) },
		"immediate": func() error { return s.Stop(Immediate) },
	} {
		children := children(s.process.Pid())
		if len(children) == 0 {
			t.Fatal("a server without children")
		}
		must(t, end())
		for _, child := range children {
			if running(child) {
				t.Errorf("%s: child %d goes on", name, child)
			}
		}
		if conn, err := net.Dial("tcp", addr); err == nil {
			_ = conn.Close()
			t.Errorf("%s: somebody still listens", name)
		}
		if err := end(); err == nil {
			t.Errorf("%s: ended twice", name)
		}
		must(t, s.Start())
		if got := mustSQL(t, s, db.Name, "SELECT word, current_setting('work_mem') FROM words"); got != "kept|7MB" || s.Addr() != addr {
			t.Errorf("%s: afterwards %q at %s, before at %s", name, got, s.Addr(), addr)
		}
	}
	must(t, s.Restart(Fast))
	if err := s.Start(); err == nil {
		t.Error("started twice")
	}
}

func TestPausedServerSaysNothing(t *testing.T) {
	s := Start(t)
	must(t, s.Pause())
	answer := make(chan error, 1)
	go func() {
		_, err := s.SQL("postgres", "SELECT 1")
		answer <- err
	}()
	select {
	case err := <-answer:
		t.Errorf("a paused server answered: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	must(t, s.Continue())
	if err := <-answer; err != nil {
		t.Errorf("after Continue: %v", err)
	}
}

func TestFailureSaysWhy(t *testing.T) {
	if _, err := New(t.Context(), Setting("no_such_setting", "1")); err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("New with a setting that doesn't exist: %v", err)
	}
	if !strings.Contains(errNotInstalled.Error(), "apt-get install postgresql-15") {
		t.Errorf("a machine without PostgreSQL is told: %v", errNotInstalled)
	}
}

// orphan makes this test binary one that starts a server and is killed.
const orphan = "ISTIRDAD_PGTEST_ORPHAN"

func TestServerDiesWithItsTest(t *testing.T) {
	if os.Getenv(orphan) != "" {
		s := Start(t)
		_, err := fmt.Fprintln(os.Stdout, s.process.Pid(), s.dir)
		must(t, err)
		select {}
	}
	ours := t.TempDir()
	must(t, os.Chmod(ours, 0o755))
	must(t, os.Chmod(filepath.Dir(ours), 0o755))
	t.Setenv("TMPDIR", ours)
	test := exec.Command(os.Args[0], "-test.run=^TestServerDiesWithItsTest$")
	test.Env = append(os.Environ(), orphan+"=1")
	out, err := test.StdoutPipe()
	must(t, err)
	must(t, test.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	var (
		pid int
		dir string
	)
	_, err = fmt.Sscan(line, &pid, &dir)
	must(t, err)
	if !running(pid) {
		t.Fatalf("no server %d", pid)
	}
	must(t, test.Process.Kill())
	_ = test.Wait()
	for deadline := time.Now().Add(10 * time.Second); running(pid); time.Sleep(lookAgain) {
		if time.Now().After(deadline) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("the server outlives its test")
		}
	}
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	Start(t)
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder that was left behind: %v", err)
	}
}

func TestNothingIsLeft(t *testing.T) {
	s, err := New(t.Context())
	must(t, err)
	pid := s.process.Pid()
	must(t, s.Kill()) // its shared memory would stay
	memory, err := readPostmaster(s.data())
	must(t, err)
	must(t, s.Close())
	if running(pid) {
		t.Error("the server runs after Close")
	}
	if known, err := os.ReadFile("/proc/sysvipc/shm"); err != nil || memory.memory == 0 || strings.Contains(string(known), fmt.Sprintf(" %d ", memory.memory)) {
		t.Errorf("shared memory %d is left: %v\n%s", memory.memory, err, known)
	}
	if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
		t.Errorf("its folder is left: %v", err)
	}
}

func TestShared(t *testing.T) {
	s := NewShared()
	first := s.Database(t)
	second := s.Database(t)
	if first.Name == second.Name || s.Server(t) != s.server {
		t.Errorf("databases %q and %q", first.Name, second.Name)
	}
	must(t, s.server.Close())
}
