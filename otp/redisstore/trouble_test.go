package redisstore_test

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/redisstore"
)

func mac(s string) otp.MAC { return otp.MAC(otp.Bind(s)) }

// sample is a challenge whose code is 482915.
func sample() otp.Stored {
	return otp.Stored{
		Holder: "h1", ID: "a", Generation: 1, Purpose: otp.Refund, Ref: "r1", Binding: otp.Bind("b"),
		Seal: mac("seal"), MAC: mac("482915"), Tries: 3,
		ExpiresAt: time.Now().Add(time.Minute), ResendAfter: time.Now().Add(time.Minute),
	}
}

func guess(code, nonce string) otp.Guess {
	return otp.Guess{
		Holder: "h1", ID: "a", Seal: mac("seal"), MACs: []otp.MAC{mac(code)},
		Nonce: nonce, Burner: "burner of " + nonce, Now: time.Now(),
	}
}

// steps is every method of the store, on the sample.
func steps(t *testing.T, s *redisstore.Store) map[string]func() error {
	next := sample()
	next.Generation = 2
	return map[string]func() error{
		"put": func() error {
			tries, err := s.Put(t.Context(), sample(), 5)
			if tries != 0 {
				t.Errorf("put in trouble: %d tries", tries)
			}
			return err
		},
		"find":  func() error { _, err := s.Find(t.Context(), "h1", "a", time.Now()); return err },
		"renew": func() error { return s.Renew(t.Context(), next, time.Now()) },
		"drop":  func() error { return s.Drop(t.Context(), "h1", "a") },
		"check": func() error {
			v, err := s.Check(t.Context(), guess("482915", "n"))
			if v != (otp.Verdict{}) {
				t.Errorf("check in trouble: %v", v.Outcome)
			}
			return err
		},
	}
}

func wantTrouble(t *testing.T, s *redisstore.Store) {
	t.Helper()
	for name, step := range steps(t, s) {
		if err := step(); err == nil || errors.Is(err, otp.ErrGone) {
			t.Errorf("%s: %v, want trouble", name, err)
		}
	}
}

func TestServerErrorsDeny(t *testing.T) {
	server, client := embedded(t)
	s := redisstore.New(client)
	for _, answer := range []string{
		"READONLY You can't write against a read only replica.",
		"LOADING Redis is loading the dataset in memory",
		"MASTERDOWN Link with MASTER is down",
		"OOM command not allowed when used memory > 'maxmemory'.",
		"NOSCRIPT No matching script.",
		"CLUSTERDOWN The cluster is down",
		"ERR something new",
	} {
		t.Run(strings.Fields(answer)[0], func(t *testing.T) {
			server.SetError(answer)
			defer server.SetError("")
			wantTrouble(t, s)
		})
	}
}

func TestWrongTypeDenies(t *testing.T) {
	server, client := embedded(t)
	if err := server.Set("otp:{h1}", "482915"); err != nil {
		t.Fatal(err)
	}
	s := redisstore.New(client)
	for _, name := range []string{"find", "renew", "check", "drop"} {
		if err := steps(t, s)[name](); err == nil || errors.Is(err, otp.ErrGone) {
			t.Errorf("%s: %v, want trouble", name, err)
		}
	}
	if _, err := s.Put(t.Context(), sample(), 5); err != nil {
		t.Errorf("a new challenge cannot replace garbage: %v", err)
	}
}

func TestServerThatIsDown(t *testing.T) {
	server, _ := embedded(t)
	client := dial(t, redisstore.Options{Addrs: []string{server.Addr()}})
	server.Close()
	began := time.Now()
	wantTrouble(t, redisstore.New(client))
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("five refusals took %v", took)
	}
}

// A server that takes the connection and says nothing costs a fifth of a second
// and not the library's five.
func TestServerThatIsSilent(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	s := redisstore.New(dial(t, redisstore.Options{Addrs: []string{silent.Addr().String()}}))
	began := time.Now()
	if _, err := s.Check(t.Context(), guess("482915", "n")); err == nil {
		t.Error("a silent server verified a code")
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("silence cost %v", took)
	}
}

// The answer to a guess is lost with its connection; the guess is asked about
// again and was counted once.
func TestLostAnswers(t *testing.T) {
	server, direct := embedded(t)
	wire := newWire(t, server.Addr())
	cut := redisstore.New(dial(t, redisstore.Options{Addrs: []string{wire.addr}, CommandTimeout: 10 * time.Second}))
	if _, err := redisstore.New(direct).Put(t.Context(), sample(), 5); err != nil {
		t.Fatal(err)
	}
	check := func(code, nonce string, loses int32, want otp.Verdict) {
		t.Helper()
		wire.loses.Store(loses)
		v, err := cut.Check(t.Context(), guess(code, nonce))
		if err != nil || v != want {
			t.Fatalf("Check = %v, %v, want %v", v, err, want)
		}
		if wire.loses.Load() != 0 {
			t.Fatal("no answer was lost")
		}
	}
	check("000000", "n1", 0, otp.Verdict{Outcome: otp.Wrong, Left: 2})
	check("000001", "n2", 1, otp.Verdict{Outcome: otp.Wrong, Left: 1})
	check("482915", "n3", 1, otp.Verdict{Outcome: otp.Again})

	// Lost twice is an outage; whoever asks again under the nonce still wins.
	again := sample()
	again.Holder = "h2"
	if _, err := redisstore.New(direct).Put(t.Context(), again, 5); err != nil {
		t.Fatal(err)
	}
	g := guess("482915", "n4")
	g.Holder = "h2"
	wire.loses.Store(2)
	if v, err := cut.Check(t.Context(), g); err == nil || v != (otp.Verdict{}) {
		t.Fatalf("Check = %v, %v, want trouble", v, err)
	}
	if v, err := cut.Check(t.Context(), g); err != nil || v.Outcome != otp.Again {
		t.Fatalf("Check = %v, %v, want again", v, err)
	}
}

// wire is a TCP proxy that can lose the answers to scripts.
type wire struct {
	addr  string
	loses atomic.Int32 // how many more answers
}

func newWire(t *testing.T, to string) *wire {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	w := &wire{addr: l.Addr().String()}
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = near.Close()
				return
			}
			var script atomic.Bool
			go pump(far, near, func(b []byte) bool {
				script.Store(strings.Contains(strings.ToLower(string(b)), "evalsha"))
				return true
			})
			go pump(near, far, func([]byte) bool { return !script.Load() || w.loses.Load() == 0 || w.loses.Add(-1) < 0 })
		}
	}()
	return w
}

// pump copies until pass says no, then cuts both ends.
func pump(to, from net.Conn, pass func([]byte) bool) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil || !pass(buf[:n]) {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// An answer that belongs to somebody else's question is trouble, whatever it
// says.
func TestSwappedAnswers(t *testing.T) {
	for name, answer := range map[string][]any{
		"another challenge": {"b", "n", "right", int64(0)},
		"another guess":     {"a", "m", "right", int64(0)},
		"another script":    {"a", "renewed"},
		"an unknown word":   {"a", "n", "RIGHT", int64(0)},
		"no number":         {"a", "n", "right", "0"},
		"a number for id":   {int64(1), "n", "right", int64(0)},
		"only the id":       {"a"},
		"nothing":           {},
	} {
		t.Run(name, func(t *testing.T) {
			_, client := embedded(t)
			client.AddHook(answering{answer})
			if v, err := redisstore.New(client).Check(t.Context(), guess("482915", "n")); err == nil || v != (otp.Verdict{}) {
				t.Errorf("Check = %v, %v, want trouble", v, err)
			}
		})
	}
}

// Nor does an answer that cannot be give a challenge tries.
func TestSwappedAnswersToPut(t *testing.T) {
	for name, answer := range map[string][]any{
		"another challenge": {"b", int64(3)},
		"more than asked":   {"a", int64(4)},
		"less than none":    {"a", int64(-1)},
		"another script":    {"a", "n", "right", int64(0)},
		"no number":         {"a", "3"},
		"only the id":       {"a"},
	} {
		t.Run(name, func(t *testing.T) {
			_, client := embedded(t)
			client.AddHook(answering{answer})
			if tries, err := redisstore.New(client).Put(t.Context(), sample(), 5); err == nil || tries != 0 {
				t.Errorf("Put = %d, %v, want trouble", tries, err)
			}
		})
	}
}

// answering puts its own answer in place of each script's.
type answering struct{ answer []any }

func (a answering) DialHook(next redis.DialHook) redis.DialHook { return next }

func (a answering) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (a answering) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if script, ok := cmd.(*redis.Cmd); ok {
			script.SetVal(a.answer)
			return nil
		}
		return next(ctx, cmd)
	}
}

// Whatever somebody wrote over a field, a wrong code is not right, and neither
// is it compared more often than a challenge allows at all.
func FuzzGarbageDenies(f *testing.F) {
	for _, field := range []string{"id", "generation", "purpose", "binding", "seal", "mac", "base", "tries", "tried", "expires", "burner", "nonce", "left"} {
		for _, value := range []string{"", "0", "-1", "1.5", "1e9", "nan", "inf", "0x10", "99999999999999999999", "\x00", "a"} {
			f.Add(field, value)
		}
	}
	server, client := embedded(f)
	s := redisstore.New(client)
	forged := mac("000000")
	f.Fuzz(func(t *testing.T, field, value string) {
		if field == "mac" && value == hex.EncodeToString(forged[:]) {
			return
		}
		server.FlushAll()
		if _, err := s.Put(t.Context(), sample(), 5); err != nil {
			t.Fatal(err)
		}
		server.HSet("otp:{h1}", field, value)
		v, err := s.Check(t.Context(), guess("000000", "n"))
		if err == nil && v.Outcome != otp.Gone && v.Outcome != otp.Wrong || err != nil && v != (otp.Verdict{}) {
			t.Fatalf("%q = %q: %v, %v", field, value, v.Outcome, err)
		}
		if found, err := s.Find(t.Context(), "h1", "a", time.Now()); err == nil && (found.Tried >= found.Tries || found.ID != "a") {
			t.Fatalf("%q = %q: found %+v", field, value, found)
		}
		if tries, err := s.Put(t.Context(), sample(), 5); err != nil || tries > 3 {
			t.Fatalf("%q = %q: the next challenge has %d tries, %v", field, value, tries, err)
		}
	})
}

// A script that catches an error could go on past a count that failed.
func TestScriptsCatchNothing(t *testing.T) {
	sources, err := fs.Glob(os.DirFS("."), "*.lua")
	if err != nil || len(sources) != 5 {
		t.Fatalf("scripts: %v, %v", sources, err)
	}
	for _, name := range sources {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "pcall") {
			t.Errorf("%s catches errors", name)
		}
	}
}
