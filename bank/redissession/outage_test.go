package redissession_test

import (
	"context"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/bank/redissession"
	"github.com/istirdad/istirdad/internal/faultnet"
	"github.com/istirdad/istirdad/internal/redistest"
)

// What a real Redis and the way to it do to alice, who has a proof and a preview.

// steps is every question, those about a key on keys that nobody has used.
func steps(t *testing.T, s *redissession.Sessions) map[string]func() error {
	fresh := key()
	fresh.Value = "fresh"
	running := key()
	running.Value = "running"
	return map[string]func() error{
		"prove":   func() error { _, err := s.Prove(t.Context(), alice, challenge); return err },
		"proof":   func() error { return useProof(t, s, alice) },
		"begin":   func() error { _, err := s.Begin(t.Context(), fresh); return err },
		"keep":    func() error { return s.KeepPreview(t.Context(), fresh, preview("p-2")) },
		"abandon": func() error { return s.Abandon(t.Context(), running) },
		"preview": func() error { _, err := s.Preview(t.Context(), alice, "p-1"); return err },
		"drop":    func() error { return s.DropPreview(t.Context(), alice, "p-1") },
		"end":     func() error { return s.Drop(t.Context(), alice) },
		"take":    func() error { _, err := s.Take(t.Context(), time.Now(), "alice", five); return err },
	}
}

func wantTrouble(t *testing.T, s *redissession.Sessions, except ...string) {
	t.Helper()
	for name, step := range steps(t, s) {
		if slices.Contains(except, name) {
			continue
		}
		if err := step(); err == nil || named(err) {
			t.Errorf("%s: %v, want trouble", name, err)
		}
	}
}

// TestRefusals has Redis refuse in every way that it is known for: nothing is decided, and afterwards all is as it was.
func TestRefusals(t *testing.T) {
	works := map[string][]string{ // all the same
		"OOM":      {"proof", "preview", "abandon", "drop", "end"}, // nothing of it takes memory
		"READONLY": {"preview"},
	}
	for _, refusal := range redistest.Refusals() {
		t.Run(refusal.Word, func(t *testing.T) {
			server := redistest.Start(t, refusal.Args...)
			s := sessions(t, dial(t, server.Addr()))
			fill(t, s)
			running := key()
			running.Value = "running"
			wantBegin(t, s, running, "", nil)

			end := refusal.Begin(t, server)
			wantTrouble(t, s, works[refusal.Word]...)
			end()
			wantErr(t, useProof(t, s, alice), nil)
			wantPreview(t, s, "p-1", nil)
			wantBegin(t, s, running, "", bank.ErrKeyBusy)
			wantPreview(t, s, "p-2", bank.ErrNotFound)
		})
	}
}

func TestKilledAndRestarted(t *testing.T) {
	server := redistest.Start(t)
	s := sessions(t, dial(t, server.Addr()))
	fill(t, s)
	wantErr(t, server.Kill(), nil)
	wantTrouble(t, s)
	wantErr(t, server.Restart(), nil) // it knows nothing any more, scripts neither
	wantErr(t, useProof(t, s, alice), bank.ErrNoProof)
	wantPreview(t, s, "p-1", bank.ErrNotFound)
	wantErr(t, s.Abandon(t.Context(), key()), nil)
	wantErr(t, s.DropPreview(t.Context(), alice, "p-1"), nil)
	fill(t, s)
	wantBegin(t, s, key(), "p-1", nil)
}

// A step whose answer was lost has happened; whoever repeats it finds it done, and done once.
func TestLostReplies(t *testing.T) {
	proxy := faultnet.StartTest(t, shared.Empty(t).Addr())
	s := sessions(t, dial(t, proxy.Addr()))
	fill(t, s) // the server knows the scripts from here on
	lost := func(command string, step func() error) {
		t.Helper()
		happened := proxy.Once(faultnet.Containing(command), faultnet.ResetAfter)
		if err := step(); err == nil || named(err) {
			t.Fatalf("%v, want trouble", err)
		}
		<-happened
	}
	k := key()
	k.Value = "another key"
	lost("evalsha", func() error { _, err := s.Begin(t.Context(), k); return err })
	wantBegin(t, s, k, "", bank.ErrKeyBusy) // until the claim lapses, or its owner keeps a preview
	lost("evalsha", func() error { return s.KeepPreview(t.Context(), k, preview("p-2")) })
	wantErr(t, s.KeepPreview(t.Context(), k, preview("p-2")), nil)
	wantErr(t, s.KeepPreview(t.Context(), k, preview("p-3")), bank.ErrKeyBusy)
	wantBegin(t, s, k, "p-2", nil)
	lost("evalsha", func() error { return useProof(t, s, alice) })
	wantErr(t, useProof(t, s, alice), nil)
	wantErr(t, s.DropPreview(t.Context(), alice, "p-1"), nil)
	lost("evalsha", func() error { return s.DropPreview(t.Context(), alice, "p-2") })
	wantErr(t, s.DropPreview(t.Context(), alice, "p-2"), nil)
	wantPreview(t, s, "p-2", bank.ErrNotFound)
	wantBegin(t, s, k, "", nil)
	wantErr(t, s.KeepPreview(t.Context(), k, preview("p-2")), nil)
	lost("unlink", func() error { return s.Drop(t.Context(), alice) })
	wantErr(t, s.Drop(t.Context(), alice), nil)
	wantPreview(t, s, "p-2", bank.ErrNotFound)
	lost("set", func() error { _, err := s.Prove(t.Context(), alice, challenge); return err })
	wantErr(t, useProof(t, s, alice), nil)
}

// A failover that loses writes brings back what was dropped, to whom it belonged, and forgets what is new.
func TestFailoverThatLosesWrites(t *testing.T) {
	master, replica := redistest.Start(t), redistest.Start(t)
	link, front := faultnet.StartTest(t, master.Addr()), faultnet.StartTest(t, master.Addr())
	s := sessions(t, dial(t, front.Addr()))
	wantErr(t, s.KeepPreview(t.Context(), key(), preview("p-1")), nil)
	wantErr(t, replica.Follow(link.Addr()), nil)
	link.Refuse()
	link.Cut()
	wantErr(t, s.DropPreview(t.Context(), alice, "p-1"), nil)
	prove(t, s)

	wantErr(t, master.Kill(), nil)
	wantErr(t, replica.Promote(), nil)
	front.Redirect(replica.Addr())
	front.Cut()
	wantErr(t, useProof(t, s, alice), bank.ErrNoProof)
	wantPreview(t, s, "p-1", nil)
	_, err := s.Preview(t.Context(), bank.Holder{Customer: "cust-mallory", Session: alice.Session}, "p-1")
	wantErr(t, err, bank.ErrNotFound)
	wantBegin(t, s, otherBody(), "", bank.ErrKeyReused)
}

// Answers that are one question late are somebody else's. What they hold doesn't open, so they give nothing.
func TestAnswersOfTheQuestionBefore(t *testing.T) {
	client := dial(t, shared.Empty(t).Addr())
	s := sessions(t, client)
	fill(t, s)
	late := &oneLate{}
	mallory := bank.Holder{Customer: "cust-mallory", Session: "sess-mallory"}
	client.AddHook(late)
	late.on = true
	_ = useProof(t, s, alice)
	if err := useProof(t, s, mallory); err == nil {
		t.Error("mallory used alice's proof")
	}
	late.on = false
	if _, err := s.Preview(t.Context(), alice, "p-1"); err != nil {
		t.Fatal(err)
	}
	late.on = true
	if p, err := s.Preview(t.Context(), mallory, "p-1"); err == nil {
		t.Errorf("mallory sees %s of alice", p.ID)
	}
}

// oneLate answers each question of a kind with what the one before was answered.
type oneLate struct {
	on           bool
	script, read any
}

func (*oneLate) DialHook(next redis.DialHook) redis.DialHook { return next }

func (*oneLate) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (o *oneLate) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		switch cmd := cmd.(type) {
		case *redis.Cmd:
			before := o.script
			o.script = cmd.Val()
			if o.on {
				cmd.SetVal(before)
				cmd.SetErr(nil)
				return nil
			}
		case *redis.StringCmd:
			before, _ := o.read.(string)
			o.read = cmd.Val()
			if o.on {
				cmd.SetVal(before)
				cmd.SetErr(nil)
				return nil
			}
		}
		return err
	}
}

// A script that catches an error could go on past a write that failed.
func TestScriptsCatchNothing(t *testing.T) {
	scripts := os.DirFS("scripts")
	names, err := fs.Glob(scripts, "*.lua")
	if err != nil || len(names) != 4 {
		t.Fatalf("scripts: %v, %v", names, err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(scripts, name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "pcall") {
			t.Errorf("%s catches errors", name)
		}
	}
}
