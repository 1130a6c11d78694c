package redisstore_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/istirdad/istirdad/internal/faultnet"
	"github.com/istirdad/istirdad/internal/redistest"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/redisstore"
)

// What the way to a real Redis does: answers lost, late, swapped, or none.

// F30: the answer is lost on its way. The guess is asked about once more under
// its nonce: it is counted once, and a right code is not called a wrong one.
func TestLostReply(t *testing.T) {
	server := shared.Empty(t)
	proxy := faultnet.StartTest(t, server.Addr())
	d := newDesk(t, dial(t, redisstore.Options{Addrs: []string{proxy.Addr()}, CommandTimeout: 10 * time.Second}))
	script := faultnet.Containing("evalsha")
	lost := func(a otp.Attempt, f faultnet.Fault, want error) (err error) {
		t.Helper()
		happened := proxy.Once(script, f)
		if err = d.Verify(t.Context(), a); !errors.Is(err, want) {
			t.Fatalf("%v: Verify: %v, want %v", f, err, want)
		}
		<-happened
		return err
	}
	a := d.refund(t, "r0")
	d.want(t, a, nil) // the server knows the script from here on
	for ref, f := range map[string]faultnet.Fault{"r1": faultnet.ResetAfter, "r2": faultnet.ResetWithin, "r3": faultnet.ResetBefore} {
		a := d.refund(t, ref)
		var left *otp.WrongError
		if err := lost(wrong(a), f, otp.ErrWrong); !errors.As(err, &left) || left.AttemptsLeft != 2 {
			t.Errorf("%v: %v, want 2 left", f, err)
		}
		d.wantRecord(t, 1, len(d.phone.Messages()))
		_ = lost(a, f, nil)
		d.want(t, a, nil)
		must(t, d.Reopen(t.Context(), customer))
	}
}

// A reply that is lost twice is an outage, and the customer's next attempt
// finds out: a refund goes on, and a profile's code was used.
func TestLostReplyTwice(t *testing.T) {
	proxy := faultnet.StartTest(t, shared.Empty(t).Addr())
	d := newDesk(t, dial(t, redisstore.Options{Addrs: []string{proxy.Addr()}, CommandTimeout: 10 * time.Second}))
	for _, test := range []struct {
		issue func() otp.Attempt
		next  error
	}{
		{func() otp.Attempt { return d.refund(t, "r1") }, nil},
		{func() otp.Attempt { return d.issue(t) }, otp.ErrUsed},
	} {
		a := test.issue()
		d.want(t, wrong(a), otp.ErrWrong)
		for range 2 {
			proxy.Once(faultnet.Containing("evalsha"), faultnet.ResetAfter)
		}
		d.want(t, a, otp.ErrUnavailable)
		d.want(t, a, test.next)
	}
}

// The same of the store, which answers a guess alike however often it is asked.
func TestLostReplyIsAnsweredUnderTheSameNonce(t *testing.T) {
	server := shared.Empty(t)
	proxy := faultnet.StartTest(t, server.Addr())
	s := redisstore.New(dial(t, redisstore.Options{Addrs: []string{proxy.Addr()}}))
	well := redisstore.New(patient(t, server))
	_, err := well.Check(t.Context(), guess("482915", "early")) // the server knows the script from here on
	must(t, err)
	_, err = well.Put(t.Context(), sample(), 5)
	must(t, err)
	for _, test := range []struct {
		code string
		want otp.Verdict
	}{
		{"000000", otp.Verdict{Outcome: otp.Wrong, Left: 2}},
		{"482915", otp.Verdict{Outcome: otp.Again}},
	} {
		g := guess(test.code, "nonce of "+test.code)
		happened := proxy.Once(faultnet.Containing("evalsha"), faultnet.SilentAfter)
		if v, err := s.Check(t.Context(), g); err == nil || v != (otp.Verdict{}) {
			t.Fatalf("Check = %v, %v, want trouble", v, err)
		}
		<-happened
		for range 2 {
			if v, err := s.Check(t.Context(), g); err != nil || v != test.want {
				t.Fatalf("Check = %v, %v, want %v", v, err, test.want)
			}
		}
	}
}

// F27: a silent server costs 200 ms, or what the caller has if that is less; not
// the library's seconds. The fastest of a few tells that from a busy machine.
func TestSilenceIsShort(t *testing.T) {
	server := shared.Empty(t)
	proxy := faultnet.StartTest(t, server.Addr())
	client := dial(t, redisstore.Options{Addrs: []string{proxy.Addr()}})
	s := redisstore.New(client)
	fastest := func(patience time.Duration) time.Duration {
		t.Helper()
		best := time.Hour
		for range 3 {
			must(t, proxy.Heal())
			must(t, redisstore.Ping(t.Context(), client)) // there is a connection
			proxy.Silence()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			began := time.Now()
			if v, err := s.Check(ctx, guess("482915", "n")); err == nil || v != (otp.Verdict{}) {
				t.Fatalf("Check = %v, %v of a silent server", v, err)
			}
			best = min(best, time.Since(began))
			cancel()
		}
		return best
	}
	if took := fastest(time.Minute); took < 150*time.Millisecond || took > 350*time.Millisecond {
		t.Errorf("silence took %v, want 200 ms", took)
	}
	if took := fastest(50 * time.Millisecond); took > 150*time.Millisecond {
		t.Errorf("a caller with 50 ms waited %v", took)
	}
}

// Nor is there one who is silent from the start, and never says hello.
func TestSilenceFromTheStart(t *testing.T) {
	proxy := faultnet.StartTest(t, shared.Empty(t).Addr())
	proxy.Silence()
	client := dial(t, redisstore.Options{Addrs: []string{proxy.Addr()}})
	began := time.Now()
	if err := redisstore.Ping(t.Context(), client); err == nil {
		t.Error("a silent server answered")
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("silence took %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began = time.Now()
	if err := redisstore.CheckServer(ctx, client); err == nil {
		t.Error("a silent server was accepted")
	}
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("a caller with 100 ms waited %v", took)
	}
}

// A slow server is still right, as long as it is within the time.
func TestSlowServer(t *testing.T) {
	proxy := faultnet.StartTest(t, shared.Empty(t).Addr())
	d := newDesk(t, dial(t, redisstore.Options{Addrs: []string{proxy.Addr()}, CommandTimeout: 2 * time.Second}))
	a := d.refund(t, "r1")
	proxy.Delay(20*time.Millisecond, 20*time.Millisecond)
	d.want(t, wrong(a), otp.ErrWrong)
	d.want(t, a, nil)
}

// However many ask, connections are as many as the pool has, and whoever finds
// none free in time is told so.
func TestPoolIsBounded(t *testing.T) {
	const size = 4
	server := redistest.Start(t)
	client := dial(t, redisstore.Options{URL: server.URL(), PoolSize: size})
	s := redisstore.New(client)
	askAtOnce := func(n int) (failed int, took time.Duration) {
		errs := make(chan error)
		began := time.Now()
		for range n {
			go func() {
				_, err := s.Check(t.Context(), guess("482915", "n"))
				errs <- err
			}()
		}
		for range n {
			if err := <-errs; err != nil {
				failed++
			}
		}
		return failed, time.Since(began)
	}
	must(t, server.Pause())
	if failed, took := askAtOnce(64); failed != 64 || took > 3*time.Second {
		t.Errorf("%d of 64 failed after %v", failed, took)
	}
	if p := client.PoolStats(); p.Timeouts == 0 || p.TotalConns > size {
		t.Errorf("the pool says %+v", p)
	}
	must(t, server.Continue())
	for failed := size; failed > 0; { // until it has caught up
		failed, _ = askAtOnce(size)
	}
	// Redis's own count, with whoever asks for it.
	must(t, server.Await(func(info string) bool {
		_, count, _ := strings.Cut(info, "connected_clients:")
		count, _, _ = strings.Cut(count, "\r")
		n, err := strconv.Atoi(count)
		return err == nil && n <= size+1
	}, "INFO", "clients"))
	if p := client.PoolStats(); p.TotalConns > size || p.IdleConns > p.TotalConns || p.Hits+p.Misses == 0 {
		t.Errorf("the pool says %+v", p)
	}
}

// F32: a server whose answers are one question late, as after a handshake that
// timed out on a connection that stayed in use.
func TestAnswersOfTheQuestionBefore(t *testing.T) {
	client := patient(t, shared.Empty(t))
	late := &oneLate{}
	client.AddHook(late)
	s := redisstore.New(client)
	for _, holder := range []otp.Holder{"h1", "h2"} {
		c := sample()
		c.Holder, c.ID = holder, "id of "+string(holder)
		_, err := s.Put(t.Context(), c, 5)
		must(t, err)
	}
	right, stolen := guess("482915", "n1"), guess("000000", "n2")
	right.ID, stolen.ID = "id of h1", "id of h2"
	stolen.Holder = "h2"
	late.on = true
	for _, g := range []otp.Guess{right, stolen, right} {
		if v, err := s.Check(t.Context(), g); err == nil || v != (otp.Verdict{}) {
			t.Errorf("Check = %v, %v, want trouble", v, err)
		}
	}
}

// oneLate answers each script with what the one before was answered.
type oneLate struct {
	on     bool
	before any
}

func (*oneLate) DialHook(next redis.DialHook) redis.DialHook { return next }

func (*oneLate) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (o *oneLate) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if script, ok := cmd.(*redis.Cmd); ok && o.on && err == nil {
			late := script.Val()
			script.SetVal(o.before)
			o.before = late
		}
		return err
	}
}
