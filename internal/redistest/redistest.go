// Package redistest runs real Redis servers for tests: Debian's redis-server,
// on a port of 127.0.0.1 that the kernel picked, in a folder of its own.
//
// A [Server] keeps nothing on disk unless its options say so, and can be killed,
// started again on the same port and paused, because that is what the tests are
// about. It is spoken to by [Server.Do], which knows just enough of Redis's
// protocol for that and nothing of anybody's client library, so that a test
// never asks the code that it tests what happened.
//
// [Start] is for a test that harms its server; a server is up in some
// 20 milliseconds. [Shared] is for all the others of a package.
//
// Servers run as an ordinary user, also when the tests run as root, and die with
// the tests.
package redistest

import (
	"errors"
	"fmt"
	"net"
	"net/url"
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

// patience is what starting and stopping may take on a machine with much else to do.
const patience = 15 * time.Second

// Server is a redis-server. Its methods are safe for concurrent use, except that
// only one goroutine kills, restarts and stops it.
type Server struct {
	binary, dir string
	host, port  string
	args        []string
	password    string
	as          *syscall.Credential

	mu      sync.Mutex
	running *child.Process // nil while it is down
}

// Start starts a server with options as on the command line of redis-server
// ("--maxmemory", "1mb") for the length of a test.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	s, err := Launch(args...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// Launch is Start for whoever is no test. Stop it.
func Launch(args ...string) (*Server, error) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("redistest: this needs a real Redis: install Debian's package redis-server: %w", err)
	}
	dir, err := os.MkdirTemp("", "redistest-")
	if err != nil {
		return nil, fmt.Errorf("redistest: %w", err)
	}
	s := &Server{binary: binary, dir: dir, args: args, password: option(args, "--requirepass")}
	if err := errors.Join(s.giveAway(), s.boot()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

// giveAway makes the folder that of the user whom the server runs as.
func (s *Server) giveAway() (err error) {
	if s.as, err = child.Unprivileged(users...); err != nil || s.as == nil {
		return err
	}
	return os.Chown(s.dir, int(s.as.Uid), int(s.as.Gid))
}

// option is the value of an option in args, or "".
func option(args []string, name string) string {
	if i := slices.Index(args, name); i >= 0 && i+1 < len(args) {
		return args[i+1]
	}
	return ""
}

// boot starts it on a free port. Between the kernel's answer and the start
// somebody else may take the port; then there is another.
func (s *Server) boot() (err error) {
	for range 5 {
		if s.host, s.port, err = freePort(); err != nil {
			return err
		}
		if err = s.start(); !errors.Is(err, errPortTaken) {
			return err
		}
	}
	return err
}

func freePort() (host, port string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // nothing to wait for
	if err != nil {
		return "", "", fmt.Errorf("redistest: %w", err)
	}
	defer l.Close()
	return net.SplitHostPort(l.Addr().String())
}

// Addr is where it listens: host:port.
func (s *Server) Addr() string { return net.JoinHostPort(s.host, s.port) }

// URL is redis:// with the address and, if it has one, the password.
func (s *Server) URL() string {
	u := url.URL{Scheme: "redis", Host: s.Addr(), Path: "/0"}
	if s.password != "" {
		u.User = url.UserPassword("", s.password)
	}
	return u.String()
}

var errPortTaken = errors.New("redistest: the port is taken")

// start starts the process and waits until it answers.
func (s *Server) start() error {
	args := append([]string{
		"--bind", s.host, "--port", s.port, "--dir", s.dir,
		"--save", "", "--appendonly", "no",
		"--enable-debug-command", "local", // for DEBUG SLEEP
		"--repl-diskless-sync-delay", "0", // a replica needs no company
	}, s.args...)
	running, err := run(s.as, s.binary, s.log(), args)
	if err != nil {
		return fmt.Errorf("redistest: %w", err)
	}
	s.mu.Lock()
	s.running = running
	s.mu.Unlock()

	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if answer, err := s.Do("PING"); err == nil && answer == "PONG" {
			return nil
		}
		select {
		case <-running.Exited():
			text, _ := os.ReadFile(s.log())
			if strings.Contains(string(text), "Address already in use") {
				return errPortTaken
			}
			return fmt.Errorf("redistest: redis-server did not start: %s", text)
		case <-time.After(2 * time.Millisecond):
		}
	}
	return errors.Join(fmt.Errorf("redistest: redis-server did not answer within %v", patience), s.Kill())
}

func (s *Server) log() string { return filepath.Join(s.dir, "redis.log") }

// Kill kills it as a power cut would kill the process: SIGKILL. What it had not
// written to its files is gone.
func (s *Server) Kill() error {
	s.mu.Lock()
	running := s.running
	s.running = nil
	s.mu.Unlock()
	if running == nil {
		return nil
	}
	return running.Kill()
}

// Restart starts it again, killing it first if it runs, on the same port with
// the same options and files.
func (s *Server) Restart() error {
	if err := s.Kill(); err != nil {
		return err
	}
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if err = s.start(); !errors.Is(err, errPortTaken) {
			return err
		}
	}
	return err
}

// Pause makes it silent: it takes connections, or its kernel does, and answers
// nothing until Continue.
func (s *Server) Pause() error { return s.signal(syscall.SIGSTOP) }

// Continue ends a Pause. What was asked meanwhile is answered now.
func (s *Server) Continue() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		return errors.New("redistest: the server is down")
	}
	return s.running.SignalGroup(sig)
}

// Follow makes it a replica of the server at addr, which may be a proxy's, and
// returns when it holds all that its master does and nothing of its own.
func (s *Server) Follow(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("redistest: %w", err)
	}
	if _, err := s.Do("REPLICAOF", host, port); err != nil {
		return err
	}
	return s.Await(func(role string) bool { return strings.Contains(role, "\nconnected\n") }, "ROLE")
}

// Promote makes a replica a master, with whatever has reached it.
func (s *Server) Promote() error {
	_, err := s.Do("REPLICAOF", "NO", "ONE")
	return err
}

// Await repeats a command until its answer is as wanted.
func (s *Server) Await(wanted func(answer string) bool, args ...string) error {
	var answer string
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if answer, err = s.Do(args...); err == nil && wanted(answer) {
			return nil
		}
	}
	return errors.Join(fmt.Errorf("redistest: %v: still %q after %v", args, answer, patience), err)
}

// Stop kills it and removes its folder.
func (s *Server) Stop() error {
	return errors.Join(s.Kill(), os.RemoveAll(s.dir))
}
