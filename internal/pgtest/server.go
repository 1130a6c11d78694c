package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/istirdad/istirdad/internal/child"
)

// The roles of every server.
const (
	Owner = "istirdad_owner" // owns the databases; may make databases
	App   = "istirdad_app"   // has what the owner grants it

	superuser = "postgres"
)

// Server is a private PostgreSQL server. Its methods are safe for concurrent use.
type Server struct {
	bin      string
	as       *syscall.Credential
	dir      string
	lock     *os.File
	port     int
	settings []string
	template func() (string, error)
	made     atomic.Int64 // databases, for their names

	mu      sync.Mutex
	process *process // nil while stopped
}

// Option is one way in which a server differs.
type Option func(*config)

type config struct {
	settings []string
	fill     func(ctx context.Context, owner string) error
}

// Setting is a line of postgresql.conf: Setting("synchronous_commit", "off").
func Setting(name, value string) Option {
	return func(c *config) { c.settings = append(c.settings, "-c", name+"="+value) }
}

// Template has fill prepare a database once, given its URL as the owner; every [Server.Database] is then a copy of it.
// fill leaves no connection behind.
func Template(fill func(ctx context.Context, owner string) error) Option {
	return func(c *config) { c.fill = fill }
}

// Start starts a server for one test, and stops it with the test.
func Start(tb testing.TB, options ...Option) *Server {
	tb.Helper()
	s, err := New(tb.Context(), options...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// New is Start for whoever isn't a test: a TestMain, or a harness. Close the server at the end.
func New(ctx context.Context, options ...Option) (*Server, error) {
	var c config
	for _, option := range options {
		option(&c)
	}
	s := &Server{settings: c.settings}
	var err error
	if s.bin, err = programs(); err != nil {
		return nil, err
	}
	if s.as, err = child.Unprivileged(users...); err != nil {
		return nil, err
	}
	data, err := takePristine(ctx, s.bin, s.as)
	if err != nil {
		return nil, err
	}
	if s.dir, s.lock, err = newFolder(s.as); err != nil {
		return nil, errors.Join(err, dropPristine())
	}
	if err := s.begin(ctx, data); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.template = sync.OnceValues(func() (string, error) { return s.fill(c.fill) }) //nolint:contextcheck // for all tests, not for the one that comes first
	return s, nil
}

// portTries is how often a port that somebody else took first is replaced by another.
const portTries = 5

func (s *Server) begin(ctx context.Context, pristine string) error {
	if _, err := run(ctx, s.as, s.dir, "", "cp", "-a", pristine, s.data()); err != nil {
		return err
	}
	var err error
	for range portTries {
		if s.port, err = freePort(ctx); err != nil {
			return err
		}
		if err = s.Start(); err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	_, err = s.SQL("postgres", "CREATE ROLE "+Owner+" LOGIN CREATEDB; CREATE ROLE "+App+" LOGIN;") //nolint:contextcheck // it has a time limit of its own
	return err
}

func freePort(ctx context.Context) (int, error) {
	var any net.ListenConfig
	l, err := any.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Addr is where the server listens, as host:port. It stays the same for life.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL is the address of a database for a role, as pgx and psql take it.
func (s *Server) URL(role, database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(role), Host: s.Addr(), Path: database, RawQuery: "sslmode=disable"}
	return u.String()
}

// Start starts a stopped or killed server on its own files and port, and returns when it takes connections.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		return errors.New("pgtest: the server is running")
	}
	args := append([]string{
		"-D", s.data(), "-p", strconv.Itoa(s.port), "-k", s.dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200", "-c", "autovacuum=off", "-c", "jit=off",
	}, s.settings...)
	p, err := startProcess(s.as, s.dir, filepath.Join(s.bin, "postgres"), args)
	if err != nil {
		return err
	}
	if err := s.ready(p); err != nil {
		p.kill()
		return err
	}
	s.process = p
	return nil
}

const (
	startTime = 30 * time.Second
	lookAgain = 5 * time.Millisecond
)

// ready waits until the postmaster has written into its file that it takes connections.
func (s *Server) ready(p *process) error {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	late := time.NewTimer(startTime)
	defer late.Stop()
	for {
		state, err := readPostmaster(s.data())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if state.pid == p.Pid() && state.ready {
			return nil
		}
		select {
		case <-p.Exited():
			return fmt.Errorf("pgtest: the server ended instead of starting:\n%s", p.log())
		case <-late.C:
			return fmt.Errorf("pgtest: the server didn't start in %s:\n%s", startTime, p.log())
		case <-tick.C:
		}
	}
}

// Mode is a way to shut down.
type Mode syscall.Signal

// The modes of pg_ctl stop.
const (
	Fast      = Mode(syscall.SIGINT)  // rolls back what is under way, writes everything down
	Immediate = Mode(syscall.SIGQUIT) // ends at once; the next start recovers
)

// stopTime is how long a shutdown may take before it is called a failure.
const stopTime = 30 * time.Second

// Stop shuts a running server down and returns when it has ended.
func (s *Server) Stop(mode Mode) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return errStopped
	}
	late := time.NewTimer(stopTime)
	defer late.Stop()
	if err := s.process.Signal(syscall.Signal(mode)); err != nil {
		return err
	}
	select {
	case <-s.process.Exited():
		s.process = nil
		return nil
	case <-late.C:
		return fmt.Errorf("pgtest: the server didn't stop in %s:\n%s", stopTime, s.process.log())
	}
}

// Kill ends the server and all its children with SIGKILL, at once, and returns when none of them is left.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return errStopped
	}
	s.process.kill()
	s.process = nil
	return nil
}

// Restart is Stop and Start.
func (s *Server) Restart(mode Mode) error {
	if err := s.Stop(mode); err != nil {
		return err
	}
	return s.Start()
}

// Pause stops the server and all its children where they are (SIGSTOP): connections stay open, nobody answers.
func (s *Server) Pause() error { return s.signalAll((*process).pause) }

// Continue ends a Pause.
func (s *Server) Continue() error { return s.signalAll((*process).resume) }

func (s *Server) signalAll(do func(*process) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return errStopped
	}
	return do(s.process)
}

var errStopped = errors.New("pgtest: the server isn't running")

// Close ends the server, if it runs, and removes its folder.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		s.process.end()
		s.process = nil
	}
	forgetMemory(s.data())
	return errors.Join(os.RemoveAll(s.dir), s.lock.Close(), dropPristine())
}
