package redisstore_test

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
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
	another := sample() // a challenge in place of one takes no memory
	another.Holder = "h2"
	return map[string]func() error{
		"put": func() error {
			tries, err := s.Put(t.Context(), another, 5)
			if tries != 0 {
				t.Errorf("put in trouble: %d tries", tries)
			}
			return err
		},
		"find":    func() error { _, err := s.Find(t.Context(), "h1", "a", time.Now()); return err },
		"renew":   func() error { return s.Renew(t.Context(), next, time.Now()) },
		"drop":    func() error { return s.Drop(t.Context(), "h1", "a") },
		"forgive": func() error { return s.Forgive(t.Context(), "h1") },
		"check": func() error {
			v, err := s.Check(t.Context(), guess("482915", "n"))
			if v != (otp.Verdict{}) {
				t.Errorf("check in trouble: %v", v.Outcome)
			}
			return err
		},
	}
}

func wantTrouble(t *testing.T, s *redisstore.Store, except ...string) {
	t.Helper()
	for name, step := range steps(t, s) {
		if slices.Contains(except, name) {
			continue
		}
		if err := step(); err == nil || errors.Is(err, otp.ErrGone) {
			t.Errorf("%s: %v, want trouble", name, err)
		}
	}
}

// What a real server is not easily brought to say; the rest is in TestRefusals.
func TestServerErrorsDeny(t *testing.T) {
	server, client := embedded(t)
	s := redisstore.New(client)
	for _, answer := range []string{
		"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
		"NOREPLICAS Not enough good replicas to write.",
		"CLUSTERDOWN The cluster is down",
		"TRYAGAIN Multiple keys request during rehashing of slot",
		"NOSCRIPT No matching script.",
		"ERR something new",
	} {
		t.Run(strings.Fields(answer)[0], func(t *testing.T) {
			server.SetError(answer)
			defer server.SetError("")
			wantTrouble(t, s)
		})
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
	client := patient(f, shared.Empty(f)) // its own opinion of what is a number counts
	s := redisstore.New(client)
	forged := mac("000000")
	f.Fuzz(func(t *testing.T, field, value string) {
		if field == "mac" && value == hex.EncodeToString(forged[:]) {
			return
		}
		if err := client.Del(t.Context(), "otp:{h1}").Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(t.Context(), sample(), 5); err != nil {
			t.Fatal(err)
		}
		if err := client.HSet(t.Context(), "otp:{h1}", field, value).Err(); err != nil {
			t.Fatal(err)
		}
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
