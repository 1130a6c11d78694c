package faultnet_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/istirdad/istirdad/internal/faultnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server answers each line with "did" and the line, and remembers it.
type server struct {
	addr string
	mu   sync.Mutex
	did  []string
}

func serve(t *testing.T) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{addr: listener.Addr().String()}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				lines := bufio.NewScanner(conn)
				for lines.Scan() {
					s.mu.Lock()
					s.did = append(s.did, lines.Text())
					s.mu.Unlock()
					fmt.Fprintf(conn, "did %s\n", lines.Text())
				}
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		running.Wait()
	})
	return s
}

func (s *server) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.did, ",")
}

// caller is a client's connection.
type caller struct {
	net.Conn
	lines *bufio.Reader
}

func dial(t *testing.T, p *faultnet.Proxy) caller {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return caller{conn, bufio.NewReader(conn)}
}

// ask sends a line and returns the answer to it.
func (c caller) ask(line string, patience time.Duration) (answer string, err error) {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintln(c, line); err != nil {
		return "", err
	}
	answer, err = c.lines.ReadString('\n')
	return strings.TrimSpace(answer), err
}

const (
	soon  = 50 * time.Millisecond // long enough to see that nothing comes
	later = 10 * time.Second      // what must come in the end
)

func (c caller) want(t *testing.T, line string) {
	t.Helper()
	if answer, err := c.ask(line, later); err != nil || answer != "did "+line {
		t.Fatalf("asked %q: %q, %v", line, answer, err)
	}
}

func silent(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestPasses(t *testing.T) {
	s := serve(t)
	p := faultnet.StartTest(t, s.addr)
	var all sync.WaitGroup
	for i := range 20 {
		c := dial(t, p)
		all.Go(func() {
			for n := range 20 {
				line := fmt.Sprint(i, " ", n)
				if answer, err := c.ask(line, later); err != nil || answer != "did "+line {
					t.Errorf("asked %q: %q, %v", line, answer, err)
					return
				}
			}
		})
	}
	all.Wait()
	if n := p.Accepted(); n != 20 {
		t.Errorf("%d connections, want 20", n)
	}
}

func TestFarewellPasses(t *testing.T) {
	p := faultnet.StartTest(t, serve(t).addr)
	c := dial(t, p)
	c.want(t, "hello")
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after the farewell: %v, want EOF", err)
	}
}

func (c caller) ReadByte() (byte, error) {
	if err := c.SetReadDeadline(time.Now().Add(later)); err != nil {
		return 0, err
	}
	return c.lines.ReadByte()
}

func TestDelay(t *testing.T) {
	p := faultnet.StartTest(t, serve(t).addr)
	c := dial(t, p)
	p.Delay(30*time.Millisecond, 20*time.Millisecond)
	began := time.Now()
	c.want(t, "slow")
	if took := time.Since(began); took < 50*time.Millisecond {
		t.Errorf("took %v, want 50 ms and more", took)
	}
	p.Delay(time.Hour, 0)
	if _, err := c.ask("late", soon); !silent(err) {
		t.Errorf("%v, want silence", err)
	}
}

func TestSilence(t *testing.T) {
	s := serve(t)
	p := faultnet.StartTest(t, s.addr)
	old := dial(t, p)
	old.want(t, "before")
	p.Silence()
	fresh := dial(t, p)
	for _, c := range []caller{old, fresh} {
		if _, err := c.ask("meanwhile", soon); !silent(err) {
			t.Errorf("%v, want silence", err)
		}
	}
	if did := s.all(); did != "before" {
		t.Errorf("the server did %s", did)
	}
	if err := p.Heal(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []caller{old, fresh} { // what was held back comes now
		_ = c.SetReadDeadline(time.Now().Add(later))
		if answer, err := c.lines.ReadString('\n'); err != nil || answer != "did meanwhile\n" {
			t.Errorf("%q, %v, want the late answer", answer, err)
		}
	}
}

func TestRefuse(t *testing.T) {
	p := faultnet.StartTest(t, serve(t).addr)
	old := dial(t, p)
	old.want(t, "before")
	for range 3 {
		p.Refuse()
		if conn, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("dialled %v, %v, want refusal", conn, err)
		}
		old.want(t, "still there")
		if err := p.Heal(); err != nil {
			t.Fatal(err)
		}
		dial(t, p).want(t, "back")
	}
}

func TestCut(t *testing.T) {
	p := faultnet.StartTest(t, serve(t).addr)
	c := dial(t, p)
	c.want(t, "before")
	p.Cut()
	if _, err := c.ReadByte(); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v, want a reset", err)
	}
	dial(t, p).want(t, "after")
}

func TestRedirect(t *testing.T) {
	first, second := serve(t), serve(t)
	p := faultnet.StartTest(t, first.addr)
	old := dial(t, p)
	old.want(t, "a")
	p.Redirect(second.addr)
	dial(t, p).want(t, "b")
	old.want(t, "c")
	if first.all() != "a,c" || second.all() != "b" {
		t.Errorf("the first did %s, the second %s", first.all(), second.all())
	}
}

func TestNobodyAtTheTarget(t *testing.T) {
	p := faultnet.StartTest(t, "127.0.0.1:1")
	conn, err := net.Dial("tcp", p.Addr())
	if err == nil { // the reset may be as fast as the dial
		defer conn.Close()
		_, err = caller{conn, bufio.NewReader(conn)}.ask("hello", later)
	}
	if err == nil || silent(err) {
		t.Errorf("%v, want the connection to end", err)
	}
}

func TestOnce(t *testing.T) {
	for _, test := range []struct {
		fault faultnet.Fault
		did   string // by the server
		reset bool   // else silence
		heard string // of the answer
	}{
		{faultnet.ResetBefore, "one,three", true, ""},
		{faultnet.SilentBefore, "one,three", false, ""},
		{faultnet.ResetAfter, "one,COMMIT,three", true, ""},
		{faultnet.SilentAfter, "one,COMMIT,three", false, ""},
		{faultnet.ResetWithin, "one,COMMIT,three", true, "did C"},
	} {
		t.Run(test.fault.String(), func(t *testing.T) {
			s := serve(t)
			p := faultnet.StartTest(t, s.addr)
			happened := p.Once(faultnet.Containing("commit"), test.fault)
			c := dial(t, p)
			c.want(t, "one")
			select {
			case <-happened:
				t.Fatal("happened to another request")
			default:
			}
			patience := later
			if !test.reset {
				patience = soon
			}
			heard, err := c.ask("COMMIT", patience)
			if heard != test.heard || test.reset != errors.Is(err, syscall.ECONNRESET) || test.reset == silent(err) {
				t.Errorf("heard %q, %v", heard, err)
			}
			select {
			case <-happened:
			case <-time.After(later):
				t.Fatal("it never happened")
			}
			again := dial(t, p)
			again.want(t, "three")
			if did := s.all(); did != test.did {
				t.Errorf("the server did %s, want %s", did, test.did)
			}
			if !test.reset { // and stays silent, whatever heals
				if err := p.Heal(); err != nil {
					t.Fatal(err)
				}
				if _, err := c.ask("four", soon); !silent(err) {
					t.Errorf("%v, want silence", err)
				}
			}
		})
	}
}

func TestNth(t *testing.T) {
	s := serve(t)
	p := faultnet.StartTest(t, s.addr)
	p.Once(faultnet.Nth(2, faultnet.Containing("pay")), faultnet.ResetBefore)
	c := dial(t, p)
	for _, line := range []string{"pay", "look", "look"} {
		c.want(t, line)
	}
	if _, err := c.ask("pay", later); err == nil {
		t.Error("the second one passed")
	}
	dial(t, p).want(t, "pay")
}

// Two that wait are one fault each, in their order.
func TestOnceTwice(t *testing.T) {
	s := serve(t)
	p := faultnet.StartTest(t, s.addr)
	p.Once(faultnet.Any, faultnet.ResetBefore)
	p.Once(faultnet.Any, faultnet.ResetAfter)
	for _, line := range []string{"a", "b"} {
		if _, err := dial(t, p).ask(line, later); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: %v, want a reset", line, err)
		}
	}
	dial(t, p).want(t, "c")
	if did := s.all(); did != "b,c" {
		t.Errorf("the server did %s, want b,c", did)
	}
}

// A server that dies after its answer was lost leaves the client as silent as before.
func TestSilentAfterOutlivesTheServer(t *testing.T) {
	behind := faultnet.StartTest(t, serve(t).addr)
	p := faultnet.StartTest(t, behind.Addr())
	happened := p.Once(faultnet.Any, faultnet.SilentAfter)
	c := dial(t, p)
	if _, err := c.ask("a", soon); !silent(err) {
		t.Fatalf("%v, want silence", err)
	}
	<-happened
	behind.Cut()
	if _, err := c.ask("b", soon); !silent(err) {
		t.Errorf("%v, want silence", err)
	}
}

// Close ends whatever hangs: delays of an hour, silence, connections that wait
// for their dial. What is left running fails TestMain.
func TestCloseEndsEverything(t *testing.T) {
	p := faultnet.StartTest(t, serve(t).addr)
	slow := dial(t, p)
	slow.want(t, "hello")
	p.Delay(time.Hour, time.Hour)
	if _, err := slow.ask("slow", soon); !silent(err) {
		t.Fatal(err)
	}
	p.Silence()
	dial(t, p)
	p.Close()
	if _, err := slow.ReadByte(); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v, want a reset", err)
	}
	if err := p.Heal(); err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", p.Addr()); err == nil {
		conn.Close()
		t.Error("a closed proxy came back")
	}
	p.Close()
}
