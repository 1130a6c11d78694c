package redistest

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// Refusal is a state in which Redis answers, and refuses some commands or all.
type Refusal struct {
	Word  string   // how such an answer begins
	Args  []string // options that the server has to be started with
	begin func(tb testing.TB, s *Server) (end func() error)
}

// Refusals is every state of that kind that a server is easily brought into. No
// keys are lost by any of them.
func Refusals() []Refusal {
	return []Refusal{
		{"OOM", nil, outOfMemory},
		{"READONLY", nil, demoted},
		{"MASTERDOWN", []string{"--replica-serve-stale-data", "no"}, orphaned},
		{"LOADING", []string{"--loading-process-events-interval-bytes", "1024"}, loading},
		{"BUSY", []string{"--busy-reply-threshold", "1"}, busy},
		{"NOPERM", nil, forbidden},
	}
}

// Begin brings a server into the state and returns what ends it.
func (r Refusal) Begin(tb testing.TB, s *Server) (end func()) {
	tb.Helper()
	ender := r.begin(tb, s)
	return func() {
		tb.Helper()
		must(tb, ender())
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// set is CONFIG SET.
func set(tb testing.TB, s *Server, name, value string) {
	tb.Helper()
	_, err := s.Do("CONFIG", "SET", name, value)
	must(tb, err)
}

// outOfMemory leaves no room. Reading and deleting go on; a script is asked for
// room at its first write only.
func outOfMemory(tb testing.TB, s *Server) (end func() error) {
	set(tb, s, "maxmemory", "1")
	return func() error {
		_, err := s.Do("CONFIG", "SET", "maxmemory", "0")
		return err
	}
}

// demoted swaps the roles of the server and of a replica. Reading goes on.
func demoted(tb testing.TB, s *Server) (end func() error) {
	must(tb, s.Follow(successor(tb, s).Addr()))
	return s.Promote
}

// successor is another master that holds what the server does.
func successor(tb testing.TB, s *Server) *Server {
	tb.Helper()
	next := Start(tb)
	must(tb, next.Follow(s.Addr()))
	must(tb, next.Promote())
	return next
}

// orphaned is a replica that has lost its master and will not tell old news.
func orphaned(tb testing.TB, s *Server) (end func() error) {
	master := successor(tb, s)
	must(tb, s.Follow(master.Addr()))
	must(tb, master.Kill())
	must(tb, s.awaitRefusal("MASTERDOWN"))
	return s.Promote
}

// loading has the server load what its new master holds, ten milliseconds a key.
func loading(tb testing.TB, s *Server) (end func() error) {
	master := successor(tb, s)
	_, err := master.Do("EVAL", "for i = 1, 2000 do redis.call('SET', 'filler:' .. i, string.rep(i, 1000)) end", "0")
	must(tb, err)
	set(tb, s, "key-load-delay", "10000") // in microseconds
	host, port, err := net.SplitHostPort(master.Addr())
	must(tb, err)
	_, err = s.Do("REPLICAOF", host, port)
	must(tb, err)
	must(tb, s.awaitRefusal("LOADING"))
	return func() error {
		_, err := s.Do("CONFIG", "SET", "key-load-delay", "0")
		connected := func(role string) bool { return strings.Contains(role, "\nconnected\n") }
		return errors.Join(err, s.Await(connected, "ROLE"), s.Promote())
	}
}

// busy has a script run that never ends.
func busy(tb testing.TB, s *Server) (end func() error) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = s.Do("EVAL", "while true do end", "0")
	}()
	must(tb, s.awaitRefusal("BUSY"))
	return func() error {
		_, err := s.Do("SCRIPT", "KILL")
		<-ended
		return err
	}
}

// forbidden takes away what the user of Redis's access lists needs.
func forbidden(tb testing.TB, s *Server) (end func() error) {
	_, err := s.Do("ACL", "SETUSER", "default", "-@scripting", "-@hash", "-@set", "-@string")
	must(tb, err)
	return func() error {
		_, err := s.Do("ACL", "SETUSER", "default", "+@all")
		return err
	}
}

// awaitRefusal waits until the server refuses to read, in so many words.
func (s *Server) awaitRefusal(word string) error {
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if _, err = s.Do("GET", "none"); err != nil && strings.HasPrefix(err.Error(), word) {
			return nil
		}
	}
	return errors.Join(fmt.Errorf("redistest: no %s within %v", word, patience), err)
}
