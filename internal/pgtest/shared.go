package pgtest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
)

// Shared is one server for all tests of a package. The first that asks for it starts it.
type Shared struct {
	start func() (*Server, error)

	mu     sync.Mutex
	server *Server
}

// NewShared is a server that isn't started yet.
func NewShared(options ...Option) *Shared {
	s := &Shared{}
	s.start = sync.OnceValues(func() (*Server, error) {
		server, err := New(context.Background(), options...)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.server = server
		return server, err
	})
	return s
}

// Main runs the package's tests and then stops the server, if any of them started it. It returns what to exit with.
func (s *Shared) Main(m *testing.M) int {
	code := m.Run()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return code
	}
	if err := s.server.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// Server is the server. It belongs to everybody: what stops or kills it is for a server of one's own, by [Start].
func (s *Shared) Server(tb testing.TB) *Server {
	tb.Helper()
	server, err := s.start()
	if err != nil {
		tb.Fatal(err)
	}
	return server
}

// Database is [Server.Database] of the shared server.
func (s *Shared) Database(tb testing.TB) Database {
	tb.Helper()
	return s.Server(tb).Database(tb)
}
