package configs_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/istirdad/istirdad/bank/banktest"
)

// machine is `make up` in a folder and on ports of its own.
type machine struct {
	t    *testing.T
	dir  string
	port map[string]string // by the variable's name without UP_PORT_
}

var portVariable = regexp.MustCompile(`\$\{UP_PORT_(\w+):-\d+\}`)

func newMachine(t *testing.T) machine {
	t.Helper()
	m := machine{t: t, dir: filepath.Join(t.TempDir(), "run"), port: map[string]string{}}
	// As root the servers run as somebody else, who must be able to pass through; a TempDir's parent is closed to them.
	if err := os.Chmod(filepath.Dir(filepath.Dir(m.dir)), 0o711); err != nil {
		t.Fatal(err)
	}
	var taken []net.Listener
	for _, variable := range portVariable.FindAllStringSubmatch(textOf(t, "../.ci/up")[0], -1) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, l)
		m.port[variable[1]] = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	}
	for _, l := range taken { // all at once, or the kernel would give one out twice
		_ = l.Close()
	}
	if len(m.port) != 11 {
		t.Fatalf("ports of .ci/up: %v", m.port)
	}
	t.Cleanup(func() {
		if out, err := m.run("down", "-v"); err != nil {
			t.Errorf("down: %v\n%s", err, out)
		}
	})
	return m
}

// run calls .ci/up or .ci/down. What they print is returned once they are done, whoever still runs in the background.
func (m machine) run(script string, args ...string) (string, error) {
	m.t.Helper()
	command := exec.Command(filepath.Join("..", ".ci", script), args...)
	command.Env = append(os.Environ(), "UP_DIR="+m.dir)
	for variable, port := range m.port {
		command.Env = append(command.Env, "UP_PORT_"+variable+"="+port)
	}
	out, err := command.CombinedOutput()
	return string(out), err
}

func (m machine) up(args ...string) string {
	m.t.Helper()
	out, err := m.run("up", args...)
	if err != nil {
		m.t.Fatalf("up: %v\n%s", err, out)
	}
	return out
}

func (m machine) url(variable string) string { return "http://127.0.0.1:" + m.port[variable] }

// world is what runs there, seen as a channel sees it: through nginx.
func (m machine) world() *banktest.World {
	return banktest.Attach(m.t, banktest.URLs{
		Gateway: m.url("API"), Ops: m.url("OPS_1"), Core: m.url("CORE"), Bank: m.url("BANK"), Control: m.url("CONTROL"),
	}, m.url("API"))
}

// processes are the ids that were noted, by name.
func (m machine) processes() map[string]int {
	m.t.Helper()
	files, err := filepath.Glob(filepath.Join(m.dir, "*.pid"))
	if err != nil {
		m.t.Fatal(err)
	}
	pids := map[string]int{}
	for _, file := range files {
		number, _, _ := strings.Cut(textOf(m.t, file)[0], " ")
		pid, err := strconv.Atoi(number)
		if err != nil {
			m.t.Fatalf("%s: %v", file, err)
		}
		pids[strings.TrimSuffix(filepath.Base(file), ".pid")] = pid
	}
	return pids
}

// runs reports whether a process does. One that has ended and that nobody has asked after yet is in /proc still.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')'):]), " ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

// TestUp is a newcomer's evening: up, a refund, down, and up again the next day.
func TestUp(t *testing.T) {
	t.Parallel()
	textOf(t, "../.ci/down")
	textOf(t, "../cmd") // so that a cached result is no answer once a program has changed
	m := newMachine(t)
	first := m.up()
	before := m.processes()
	for _, name := range []string{"postgres", "redis", "standins", "gateway-1", "gateway-2", "nginx"} {
		if before[name] == 0 {
			t.Errorf("no %s among %v", name, before)
		}
	}
	port := m.port["API"]
	m.port["API"] = "1" // somebody asks from another shell, where the ports are others
	if again := m.up(); !strings.Contains(again, "up already") || !strings.HasSuffix(first, again[strings.Index(again, "\n")+1:]) {
		t.Errorf("the second up says\n%s", again)
	}
	m.port["API"] = port

	w := m.world()
	c := w.Customer("p03")
	c.Prove()
	preview := c.Preview("rq-p03-1")
	c.Confirm(preview.RefundID).Want(http.StatusAccepted)
	c.Await(preview.RefundID, "completed")
	w.Exact()
	for _, ops := range []string{"OPS_1", "OPS_2"} {
		if page := get(t, m.url(ops)+"/metrics"); !strings.Contains(page, "istirdad_http_requests_total{") {
			t.Errorf("%s: nginx sent it nothing", ops)
		}
	}
	m.keepsOut()

	out, err := m.run("down")
	if err != nil {
		t.Fatalf("down: %v\n%s", err, out)
	}
	if strings.Contains(out, "killed") {
		t.Errorf("somebody did not end by themselves:\n%s", out)
	}
	for name, pid := range before {
		if runs(pid) {
			t.Errorf("%s still runs", name)
		}
	}

	m.up()
	if got := m.world().Customer("p03").Refund(preview.RefundID); got.State != "credited" {
		t.Errorf("the next day the refund is %q", got.State)
	}
}

// keepsOut: the gateways' roles can do nothing but what a gateway does.
func (m machine) keepsOut() {
	m.t.Helper()
	read := func(name string) string {
		return strings.TrimSpace(textOf(m.t, filepath.Join(m.dir, "secrets", name))[0])
	}
	environment := databaseEnvironment(read("gateway/database_url"))
	for _, database := range []string{"postgres", "template1"} {
		command := exec.CommandContext(m.t.Context(), "psql", "--no-psqlrc", "--dbname", database, "--command", "SELECT 1")
		command.Env = append(os.Environ(), environment...)
		if out, err := command.CombinedOutput(); err == nil || !strings.Contains(string(out), "permission denied for database") {
			m.t.Errorf("the gateways' role may look into %s: %s", database, out)
		}
	}
	for _, statement := range []string{
		"CREATE TABLE mine (n int)", "CREATE TEMPORARY TABLE mine (n int)", "DROP TABLE refunds", "DELETE FROM refunds", "TRUNCATE refunds",
		"CREATE ROLE other", "COPY (SELECT 1) TO PROGRAM 'true'",
	} {
		command := exec.CommandContext(m.t.Context(), "psql", "--no-psqlrc", "--command", statement)
		command.Env = append(os.Environ(), environment...)
		if out, err := command.CombinedOutput(); err == nil || !regexp.MustCompile("permission denied|must be ").Match(out) {
			m.t.Errorf("the gateways' role may %s: %s", statement, out)
		}
	}
	for _, words := range [][]string{
		{"FLUSHALL"}, {"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"}, {"MONITOR"}, {"SET", "somebody:elses", "1"}, {"ACL", "LIST"},
	} {
		command := exec.CommandContext(m.t.Context(), "redis-cli", append([]string{"-p", m.port["REDIS"], "--user", "istirdad"}, words...)...)
		command.Env = append(os.Environ(), "REDISCLI_AUTH="+read("redis/password"))
		if out, _ := command.CombinedOutput(); !strings.Contains(string(out), "NOPERM") {
			m.t.Errorf("the gateways' user of Redis may %v: %s", words, out)
		}
	}
}

// databaseEnvironment is a URL as psql takes it without showing a password to everybody who lists processes.
func databaseEnvironment(url string) []string {
	parts := regexp.MustCompile(`^postgres://(\w+):(\w+)@([\w.]+):(\d+)/(\w+)$`).FindStringSubmatch(url)
	if parts == nil {
		return nil
	}
	return []string{"PGUSER=" + parts[1], "PGPASSWORD=" + parts[2], "PGHOST=" + parts[3], "PGPORT=" + parts[4], "PGDATABASE=" + parts[5]}
}

func get(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestUpTakesBackWhatItStarted: when something in the middle doesn't start, the reason is shown and nothing stays behind.
func TestUpTakesBackWhatItStarted(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	out, err := m.run("up", "-no-such-flag")
	if err == nil || !strings.Contains(out, "standins ended") || !strings.Contains(out, "no-such-flag") {
		t.Fatalf("%v\n%s", err, out)
	}
	if left := m.processes(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, variable := range []string{"POSTGRES", "REDIS"} {
		if c, err := net.Dial("tcp", "127.0.0.1:"+m.port[variable]); err == nil {
			_ = c.Close()
			t.Errorf("%s still listens", variable)
		}
	}
}

// TestUpTakenPort: somebody else's server is neither disturbed nor mistaken for ours.
func TestUpTakenPort(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	l, err := net.Listen("tcp", "127.0.0.1:"+m.port["BANK"])
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out, err := m.run("up")
	if err == nil || !strings.Contains(out, "port "+m.port["BANK"]+" is taken") {
		t.Errorf("%v\n%s", err, out)
	}
	if left := m.processes(); len(left) > 0 {
		t.Errorf("started all the same: %v", left)
	}
}

// TestUpLeavesOthersFoldersAlone: up gives its folder to another user, and down -v removes it.
func TestUpLeavesOthersFoldersAlone(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(m.dir, "thesis")
	if err := os.WriteFile(file, []byte("years of work"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := m.run("up"); err == nil || !strings.Contains(out, "holds something else") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := m.run("down", "-v"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if got := textOf(t, file); got[0] != "years of work" {
		t.Error("the file is gone")
	}
}

// TestDownWaitsForNobody: while somebody starts or stops it, nobody else does.
func TestDownWaitsForNobody(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	lock, err := os.Create(filepath.Join(m.dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }() // and with it the lock goes
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{"up", "down"} {
		if out, err := m.run(script); err == nil || !strings.Contains(out, "somebody else is starting or stopping") {
			t.Errorf("%s: %v\n%s", script, err, out)
		}
	}
}

// TestDownKnowsItsOwn: a process id that was given to somebody else in the meantime is left alone.
func TestDownKnowsItsOwn(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	stranger := exec.Command("sleep", "60")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stranger.Process.Kill()
		_ = stranger.Wait()
	})
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	note := fmt.Sprintf("%d 1\n", stranger.Process.Pid) // started in the first hundredth of a second after the boot
	for _, name := range []string{"lock", "nginx.pid", "gateway-1.pid", "postgres.pid"} {
		if err := os.WriteFile(filepath.Join(m.dir, name), []byte(note), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := m.run("down"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !runs(stranger.Process.Pid) {
		t.Error("it stopped a stranger")
	}
}
