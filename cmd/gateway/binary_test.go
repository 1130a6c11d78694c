package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestBinary builds the program as it is shipped, and looks at it from outside.
func TestBinary(t *testing.T) {
	program := filepath.Join(t.TempDir(), "gateway")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "nomsgpack", "-trimpath", "-ldflags", "-s -w", "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Run("holds no stand-in", func(t *testing.T) { holdsNoStandIn(t, program) })
	t.Run("stops when it is told to", func(t *testing.T) {
		p := launch(t, program, 0)
		p.signal(t, syscall.SIGTERM)
		if p.await(t, "stopped"); p.exit(t) != nil {
			t.Error("it was stopped, and says that something failed")
		}
	})
	t.Run("stops at once when it is told twice", func(t *testing.T) {
		p := launch(t, program, 10*time.Second)
		began := time.Now()
		p.signal(t, syscall.SIGTERM)
		p.await(t, "stopping")
		p.signal(t, syscall.SIGTERM)
		err := p.exit(t)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || time.Since(began) > 8*time.Second {
			t.Errorf("after %s it ended with %v", time.Since(began), err)
		}
	})
	t.Run("looks at the profile when it is told to", func(t *testing.T) {
		p := launch(t, program, 0)
		write(t, filepath.Dir(p.profile), filepath.Base(p.profile), "sms: {sender: ExampleBank}\n")
		p.signal(t, syscall.SIGHUP)
		p.await(t, "profile in force")
		write(t, filepath.Dir(p.profile), filepath.Base(p.profile), "sms: {sender: canary of the bank}\n")
		p.signal(t, syscall.SIGHUP)
		p.await(t, "profile refused; the one before stays in force")
		p.signal(t, syscall.SIGTERM)
		if p.await(t, "stopped"); p.exit(t) != nil {
			t.Error("it was stopped, and says that something failed")
		}
	})
	t.Run("half configured", func(t *testing.T) {
		serve := exec.CommandContext(t.Context(), program, "serve", "-config", write(t, t.TempDir(), "gateway.yaml", "environment: sandbox\n"))
		serve.Env = []string{}
		out, err := serve.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != exitFault || !strings.Contains(string(out), "database.url: it is required") {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// holdsNoStandIn looks for the names of packages, which the function table keeps in a stripped program too.
func holdsNoStandIn(t *testing.T, program string) {
	t.Helper()
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	modules, err := exec.CommandContext(t.Context(), "go", "version", "-m", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f MiB, %d modules", float64(len(content))/(1<<20), strings.Count(string(modules), "\n\tdep\t"))
	const tree = "github.com/istirdad/istirdad/"
	for _, there := range []string{tree + "gateway/postgres.Open", tree + "internal/program.New", "github.com/jackc/pgx/v5."} {
		if !bytes.Contains(content, []byte(there)) {
			t.Errorf("%s isn't found, so nothing is proved by not finding anything else", there)
		}
	}
	for _, never := range []string{
		tree + "internal/sandbox", tree + "bank/banktest", tree + "gateway/sqlite", tree + "gateway/storetest", tree + "otp/otptest",
		tree + "internal/pgtest", tree + "internal/redistest", tree + "internal/faultnet",
		"github.com/alicebob/miniredis", "modernc.org/sqlite", "github.com/yuin/gopher-lua", "testing.(*T).", "net/http/pprof.",
	} {
		if bytes.Contains(content, []byte(never)) {
			t.Errorf("it holds %s", never)
		}
	}
	for _, never := range []string{"alicebob/miniredis", "modernc.org/", "compose-spec/", "goleak"} {
		if strings.Contains(string(modules), never) {
			t.Errorf("it is built with the module %s", never)
		}
	}
}

// launched is the program, running.
type launched struct {
	command *exec.Cmd
	profile string // the file
	said    *bufio.Scanner
	stderr  bytes.Buffer
}

// launch starts the program on real servers and waits until it serves.
func launch(t *testing.T, program string, lead time.Duration) *launched {
	t.Helper()
	c := onRealServers(t)
	c.ShutdownLead = lead
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := c.Write(file); err != nil {
		t.Fatal(err)
	}
	p := &launched{command: exec.Command(program, "serve", "-config", file), profile: c.Bank.ProfileFile} // Cleanup kills it
	p.command.Env = []string{}
	p.command.Stderr = &p.stderr
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.said = bufio.NewScanner(stdout)
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.command.Process.Kill() }) // it has ended, unless the test failed
	p.await(t, "serving")
	return p
}

func (p *launched) await(t *testing.T, message string) {
	t.Helper()
	for p.said.Scan() {
		var said line
		if err := json.Unmarshal(p.said.Bytes(), &said); err != nil {
			t.Errorf("%q is no line of JSON", p.said.Text())
		}
		if strings.Contains(p.said.Text(), canary) {
			t.Errorf("a value is logged: %s", p.said.Text())
		}
		if said["msg"] == message {
			return
		}
	}
	t.Fatalf("it ended before it said %q: %v\n%s", message, p.command.Wait(), p.stderr.String())
}

func (p *launched) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.command.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func (p *launched) exit(t *testing.T) error {
	t.Helper()
	for p.said.Scan() { // to the end, so that it never waits to be read
	}
	return p.command.Wait()
}
