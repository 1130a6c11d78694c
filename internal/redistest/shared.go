package redistest

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// Shared is one server for the tests of a package that do it no harm. It is
// started for the first that asks and stopped after the last test:
//
//	var real redistest.Shared
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(real.Around(m)) }
//
// Tests that share a server don't run in parallel.
type Shared struct {
	mu     sync.Mutex
	server *Server
}

// Empty returns the server, with no keys and no scripts.
func (s *Shared) Empty(tb testing.TB) *Server {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		server, err := Launch()
		if err != nil {
			tb.Fatal(err)
		}
		s.server = server
	}
	for _, command := range [][]string{{"FLUSHALL"}, {"SCRIPT", "FLUSH"}} {
		if _, err := s.server.Do(command...); err != nil {
			tb.Fatal(err)
		}
	}
	return s.server
}

// Runner is a testing.M, or what is around it.
type Runner interface{ Run() int }

// Around returns m with the server's end after it.
func (s *Shared) Around(m Runner) Runner { return around{s, m} }

type around struct {
	shared *Shared
	tests  Runner
}

func (a around) Run() int {
	code := a.tests.Run()
	if a.shared.server == nil {
		return code
	}
	if err := a.shared.server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
