package redissession_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/bank/redissession"
)

// contract is what Sessions promise on whatever Redis. open returns a client of an empty one.
func contract(t *testing.T, open func(*testing.T) redis.UniversalClient) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, redis.UniversalClient){
		"a proof is one customer's in one session": proofIsPersonal,
		"a key has one meaning":                    keyHasOneMeaning,
		"a claim is freed by its own body alone":   claimIsFreedByItsOwnBody,
		"a key is bound once":                      keyIsBoundOnce,
		"what changed meanwhile is not freed":      changedMeanwhileStays,
		"a late preview yields to a successor":     latePreviewYields,
		"64 parallel claims have one owner":        parallelClaims,
		"64 parallel previews bind one":            parallelPreviews,
		"a preview comes back whole":               previewComesBackWhole,
		"a preview is one holder's":                previewIsPersonal,
		"a dropped preview frees its key":          droppedPreviewFreesItsKey,
		"a dropped session leaves nothing":         droppedSessionLeavesNothing,
		"so often and no oftener":                  soOften,
		"64 parallel uses are what there are":      parallelUses,
		"changed values are absent":                changedValuesAreAbsent,
		"values moved elsewhere are absent":        movedValuesAreAbsent,
		"a flush only takes away":                  flushOnlyTakesAway,
		"wrong Redis types deny":                   wrongTypesDeny,
		"nothing is decided by an error":           errorsDecideNothing,
		"nobody is not a holder":                   nobodyIsNoHolder,
		"everything expires":                       everythingExpires,
		"a customer has one hash tag":              oneHashTag,
		"nothing is in clear":                      nothingInClear,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func proofIsPersonal(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	wantErr(t, useProof(t, s, alice), bank.ErrNoProof)
	before := time.Now()
	expires, err := s.Prove(t.Context(), alice, challenge)
	if err != nil || expires.Before(before.Add(bank.ProofIdle)) || expires.After(time.Now().Add(bank.ProofIdle)) {
		t.Fatalf("Prove = %v, %v", expires, err)
	}
	wantErr(t, useProof(t, s, alice), nil)
	wantErr(t, useProof(t, s, bank.Holder{Customer: alice.Customer, Session: "other"}), bank.ErrNoProof)
	wantErr(t, useProof(t, s, bank.Holder{Customer: "other", Session: alice.Session}), bank.ErrNoProof)
}

func keyHasOneMeaning(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	wantBegin(t, s, key(), "", nil)
	wantBegin(t, s, key(), "", bank.ErrKeyBusy)
	wantBegin(t, s, otherBody(), "", bank.ErrKeyReused)
	for _, k := range []bank.Key{
		{Holder: bank.Holder{Customer: "other", Session: alice.Session}, Client: key().Client, Value: key().Value},
		{Holder: bank.Holder{Customer: alice.Customer, Session: "other"}, Client: key().Client, Value: key().Value},
		{Holder: alice, Client: "other", Value: key().Value},
		{Holder: alice, Client: key().Client, Value: "other"},
		// The same letters, cut elsewhere.
		{Holder: alice, Client: key().Client + key().Value[:1], Value: key().Value[1:]},
	} {
		wantBegin(t, s, k, "", nil)
	}
	wantErr(t, s.KeepPreview(t.Context(), key(), preview("p-1")), nil)
	wantBegin(t, s, key(), "p-1", nil)
	wantBegin(t, s, otherBody(), "", bank.ErrKeyReused)
}

func claimIsFreedByItsOwnBody(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	wantErr(t, s.Abandon(t.Context(), key()), nil) // none there
	wantBegin(t, s, key(), "", nil)
	wantErr(t, s.Abandon(t.Context(), otherBody()), nil)
	wantBegin(t, s, key(), "", bank.ErrKeyBusy)
	wantErr(t, s.Abandon(t.Context(), key()), nil)
	wantBegin(t, s, otherBody(), "", nil)
	wantErr(t, s.KeepPreview(t.Context(), otherBody(), preview("p-1")), nil)
	wantErr(t, s.Abandon(t.Context(), otherBody()), nil) // it runs no longer
	wantBegin(t, s, otherBody(), "p-1", nil)
}

func keyIsBoundOnce(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	wantBegin(t, s, key(), "", nil)
	wantErr(t, s.KeepPreview(t.Context(), key(), preview("p-1")), nil)
	wantErr(t, s.KeepPreview(t.Context(), key(), preview("p-1")), nil) // the answer was lost
	wantErr(t, s.KeepPreview(t.Context(), key(), preview("p-2")), bank.ErrKeyBusy)
	wantErr(t, s.KeepPreview(t.Context(), otherBody(), preview("p-3")), bank.ErrKeyReused)
	wantBegin(t, s, key(), "p-1", nil)
	wantPreview(t, s, "p-2", bank.ErrNotFound)
	wantPreview(t, s, "p-3", bank.ErrNotFound)
}

// changedMeanwhileStays has a successor claim the key between the look of whoever frees it and the freeing.
func changedMeanwhileStays(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	meanwhile := &afterGet{}
	client.AddHook(meanwhile)
	successor := func(kind string) func(string) {
		return func(name string) {
			if strings.Contains(name, kind) {
				meanwhile.do = nil
				wantErr(t, client.Del(t.Context(), name).Err(), nil)
				wantBegin(t, s, key(), "", nil)
			}
		}
	}
	wantBegin(t, s, key(), "", nil)
	meanwhile.do = successor(":key.")
	wantErr(t, s.Abandon(t.Context(), key()), nil)
	wantBegin(t, s, key(), "", bank.ErrKeyBusy)

	wantErr(t, s.KeepPreview(t.Context(), key(), preview("p-1")), nil)
	meanwhile.do = successor(":key.")
	wantErr(t, s.DropPreview(t.Context(), alice, "p-1"), nil)
	wantPreview(t, s, "p-1", bank.ErrNotFound)
	wantBegin(t, s, key(), "", bank.ErrKeyBusy)
}

// afterGet does something after a GET was answered and before its caller knows.
type afterGet struct{ do func(name string) }

func (*afterGet) DialHook(next redis.DialHook) redis.DialHook { return next }

func (*afterGet) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (a *afterGet) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if args := cmd.Args(); a.do != nil && cmd.Name() == "get" {
			a.do(args[1].(string))
		}
		return err
	}
}

func latePreviewYields(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	wantBegin(t, s, otherBody(), "", nil) // a successor's, after the claim of key() lapsed
	wantErr(t, s.KeepPreview(t.Context(), key(), preview("p-1")), bank.ErrKeyReused)
	wantPreview(t, s, "p-1", bank.ErrNotFound)
	wantBegin(t, s, otherBody(), "", bank.ErrKeyBusy)
}

func parallelClaims(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	for round := range 5 {
		k := key()
		k.Value = fmt.Sprint("round ", round)
		counts := map[error]int{}
		for err := range inParallel(64, func(int) error {
			_, err := s.Begin(context.Background(), k)
			return err
		}) {
			counts[err]++
		}
		if want := map[error]int{nil: 1, bank.ErrKeyBusy: 63}; !maps.Equal(counts, want) {
			t.Fatalf("got %v, want %v", counts, want)
		}
	}
}

func parallelPreviews(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	wantBegin(t, s, key(), "", nil)
	counts := map[error]int{}
	for err := range inParallel(64, func(i int) error {
		return s.KeepPreview(context.Background(), key(), preview(fmt.Sprint("p-", i)))
	}) {
		counts[err]++
	}
	if want := map[error]int{nil: 1, bank.ErrKeyBusy: 63}; !maps.Equal(counts, want) {
		t.Fatalf("got %v, want %v", counts, want)
	}
	id, err := s.Begin(t.Context(), key())
	wantErr(t, err, nil)
	wantPreview(t, s, id, nil)
	if n := len(dump(t, client)); n != 3 {
		t.Errorf("%d keys, want the key, the one preview and the list of both", n)
	}
}

func previewIsPersonal(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	wantErr(t, s.KeepPreview(t.Context(), key(), preview("p-1")), nil)
	for _, h := range []bank.Holder{{Customer: "other", Session: alice.Session}, {Customer: alice.Customer, Session: "other"}} {
		_, err := s.Preview(t.Context(), h, "p-1")
		wantErr(t, err, bank.ErrNotFound)
		wantErr(t, s.DropPreview(t.Context(), h, "p-1"), nil)
	}
	wantPreview(t, s, "p-1", nil)
	wantPreview(t, s, "P-1", bank.ErrNotFound)
	wantPreview(t, s, "", bank.ErrNotFound)
}

func droppedPreviewFreesItsKey(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	wantErr(t, s.DropPreview(t.Context(), alice, "p-1"), nil) // none there
	wantErr(t, s.KeepPreview(t.Context(), key(), preview("p-1")), nil)
	another := key()
	another.Value = "another key"
	wantErr(t, s.KeepPreview(t.Context(), another, preview("p-2")), nil)

	wantErr(t, s.DropPreview(t.Context(), alice, "p-1"), nil)
	wantErr(t, s.DropPreview(t.Context(), alice, "p-1"), nil)
	wantPreview(t, s, "p-1", bank.ErrNotFound)
	wantBegin(t, s, otherBody(), "", nil) // even for another body
	wantPreview(t, s, "p-2", nil)
	wantBegin(t, s, another, "p-2", nil)

	// A key that means something else by now stays.
	for name := range dump(t, client) {
		if strings.Contains(name, ":key.") {
			wantErr(t, client.Del(t.Context(), name).Err(), nil)
		}
	}
	wantBegin(t, s, another, "", nil)
	wantErr(t, s.DropPreview(t.Context(), alice, "p-2"), nil)
	wantBegin(t, s, another, "", bank.ErrKeyBusy)
}

func droppedSessionLeavesNothing(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	wantErr(t, s.Drop(t.Context(), alice), nil) // none there
	elsewhere, another := key(), key()
	elsewhere.Holder.Session, another.Value = "other", "another key"
	if _, err := s.Prove(t.Context(), elsewhere.Holder, challenge); err != nil {
		t.Fatal(err)
	}
	wantErr(t, s.KeepPreview(t.Context(), elsewhere, preview("p-1")), nil)
	others := dump(t, client)
	fill(t, s)
	wantErr(t, s.KeepPreview(t.Context(), another, preview("p-2")), nil)

	for range 2 { // again is no error
		wantErr(t, s.Drop(t.Context(), alice), nil)
		if left := dump(t, client); !maps.Equal(left, others) {
			t.Errorf("left are %q, want what is another session's, %q", slices.Collect(maps.Keys(left)), slices.Collect(maps.Keys(others)))
		}
	}
	wantErr(t, useProof(t, s, alice), bank.ErrNoProof)
	wantPreview(t, s, "p-2", bank.ErrNotFound)
	wantBegin(t, s, otherBody(), "", nil)
}

// five is a rate that tests can use up.
var five = bank.Rate{Of: "test", Most: 5, Per: time.Hour}

func soOften(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	at := time.Now().Truncate(time.Millisecond)
	take := func(caller string, r bank.Rate, want time.Duration) {
		t.Helper()
		if wait, err := s.Take(t.Context(), at, caller, r); err != nil || wait != want {
			t.Fatalf("Take at %v: wait %v, %v, want %v", at, wait, err, want)
		}
	}
	began := at
	for range five.Most {
		take("alice", five, 0)
		at = at.Add(10 * time.Minute)
	}
	take("alice", five, 10*time.Minute)
	take("bob", five, 0)
	take("alice", bank.Rate{Of: "else", Most: 1, Per: time.Hour}, 0)
	at = began.Add(five.Per - time.Millisecond)
	for range 3 { // to ask too soon puts nothing off
		take("alice", five, time.Millisecond)
	}
	at = began.Add(five.Per)
	take("alice", five, 0)
	take("alice", five, 10*time.Minute) // the period glides: the second use is still in it
	at = at.Add(10 * time.Minute)
	take("alice", five, 0)
	for name, value := range dump(t, client) {
		if ttl := client.PTTL(t.Context(), name).Val(); ttl <= 0 || ttl > five.Per {
			t.Errorf("%s lives for %v", name, ttl)
		}
		if strings.Contains(name, "alice") || strings.Count(value, "\n") >= five.Most {
			t.Errorf("%s holds %q", name, value)
		}
		wantErr(t, client.Del(t.Context(), name).Err(), nil)
		wantErr(t, client.RPush(t.Context(), name, "x", "x", "x", "x", "x").Err(), nil)
	}
	_, garbled := s.Take(t.Context(), at, "alice", five)
	_, nobody := s.Take(t.Context(), at, "", five)
	_, never := s.Take(t.Context(), at, "alice", bank.Rate{Of: "test", Per: time.Hour})
	for i, err := range []error{garbled, nobody, never} {
		if err == nil {
			t.Errorf("call %d says yes", i)
		}
	}
}

func parallelUses(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	now, taken := time.Now(), 0
	for err := range inParallel(64, func(int) error {
		wait, err := s.Take(context.Background(), now, "alice", five)
		if err == nil && wait > 0 {
			err = bank.ErrTooOften
		}
		return err
	}) {
		switch {
		case err == nil:
			taken++
		case !errors.Is(err, bank.ErrTooOften):
			t.Error(err)
		}
	}
	if taken != five.Most {
		t.Errorf("%d were taken", taken)
	}
}

func changedValuesAreAbsent(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	fill(t, s)
	for name, value := range sealed(t, client) {
		for _, changed := range []string{"", "x", value[:len(value)-1], value + "x", flip(value, 0), flip(value, len(value)/2), flip(value, len(value)-1)} {
			wantErr(t, client.Set(t.Context(), name, changed, time.Minute).Err(), nil)
			switch {
			case strings.Contains(name, ":proof."):
				wantErr(t, useProof(t, s, alice), bank.ErrNoProof)
			case strings.Contains(name, ":preview."):
				wantPreview(t, s, "p-1", bank.ErrNotFound)
				wantErr(t, s.DropPreview(t.Context(), alice, "p-1"), nil)
			case strings.Contains(name, ":key."):
				wantErr(t, s.Abandon(t.Context(), key()), nil)
				wantBegin(t, s, otherBody(), "", nil)
				wantErr(t, client.Set(t.Context(), name, changed, time.Minute).Err(), nil)
				wantErr(t, s.KeepPreview(t.Context(), otherBody(), preview("p-9")), nil)
			default:
				t.Fatalf("what is %q?", name)
			}
		}
	}
}

// movedValuesAreAbsent gives each value of one customer to every key of another, and to the other keys of its own.
func movedValuesAreAbsent(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	fill(t, s)
	of := sealed(t, client)
	mallory := bank.Holder{Customer: "cust-mallory", Session: "sess-mallory"}
	k := key()
	k.Holder = mallory
	if _, err := s.Prove(t.Context(), mallory, challenge); err != nil {
		t.Fatal(err)
	}
	wantErr(t, s.KeepPreview(t.Context(), k, preview("p-1")), nil) // the same id and key as alice's
	for name := range sealed(t, client) {
		for from, value := range of {
			if from == name {
				continue
			}
			wantErr(t, client.Set(t.Context(), name, value, time.Minute).Err(), nil)
			h, own := mallory, "mallory's"
			if _, hers := of[name]; hers {
				h, own = alice, "alice's"
			}
			switch {
			case strings.Contains(name, ":proof."):
				wantErr(t, useProof(t, s, h), bank.ErrNoProof)
			case strings.Contains(name, ":preview."):
				if _, err := s.Preview(t.Context(), h, "p-1"); !errors.Is(err, bank.ErrNotFound) {
					t.Errorf("%s preview: %v", own, err)
				}
			default:
				k := otherBody()
				k.Holder = h
				wantBegin(t, s, k, "", nil)
			}
		}
	}
}

func flushOnlyTakesAway(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	fill(t, s)
	wantErr(t, client.FlushDB(t.Context()).Err(), nil)
	wantErr(t, client.ScriptFlush(t.Context()).Err(), nil)
	wantErr(t, useProof(t, s, alice), bank.ErrNoProof)
	wantPreview(t, s, "p-1", bank.ErrNotFound)
	wantErr(t, s.DropPreview(t.Context(), alice, "p-1"), nil)
	wantBegin(t, s, otherBody(), "", nil)
}

func wrongTypesDeny(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	fill(t, s)
	for name := range dump(t, client) {
		wantErr(t, client.Del(t.Context(), name).Err(), nil)
		wantErr(t, client.HSet(t.Context(), name, "field", "value").Err(), nil)
	}
	undecided(t, s)
	if _, err := s.Prove(t.Context(), alice, challenge); err != nil {
		t.Errorf("a new proof is kept out by what lies in its place: %v", err)
	}
	wantErr(t, useProof(t, s, alice), nil)
}

func errorsDecideNothing(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	fill(t, s)
	wantErr(t, client.Close(), nil)
	undecided(t, s)
	if _, err := s.Prove(t.Context(), alice, challenge); err == nil {
		t.Error("proved without Redis")
	}
}

func nobodyIsNoHolder(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	for _, h := range []bank.Holder{{}, {Customer: alice.Customer}, {Session: alice.Session}} {
		k := key()
		k.Holder = h
		_, proveErr := s.Prove(t.Context(), h, challenge)
		_, beginErr := s.Begin(t.Context(), k)
		_, previewErr := s.Preview(t.Context(), h, "p-1")
		for i, err := range []error{proveErr, beginErr, previewErr, useProof(t, s, h), s.Abandon(t.Context(), k),
			s.KeepPreview(t.Context(), k, preview("p-1")), s.DropPreview(t.Context(), h, "p-1"), s.Drop(t.Context(), h)} {
			if err == nil || named(err) {
				t.Errorf("call %d: %v", i, err)
			}
		}
	}
	if n := len(dump(t, client)); n != 0 {
		t.Errorf("%d keys were written", n)
	}
}

func everythingExpires(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	fill(t, s)
	running := key()
	running.Value = "running"
	wantBegin(t, s, running, "", nil)
	wantErr(t, useProof(t, s, alice), nil)
	longest := map[string]time.Duration{":proof.": bank.ProofIdle, ":preview.": bank.PreviewMemory, ":key.": bank.PreviewMemory, ":list.": bank.PreviewMemory}
	for name := range dump(t, client) {
		ttl, err := client.PTTL(t.Context(), name).Result()
		wantErr(t, err, nil)
		for kind, limit := range longest {
			if strings.Contains(name, kind) && (ttl <= 0 || ttl > limit) {
				t.Errorf("%s lives for %v, want at most %v", name, ttl, limit)
			}
		}
	}
}

func oneHashTag(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	fill(t, s)
	names := slices.Sorted(maps.Keys(dump(t, client)))
	tag := func(name string) string {
		_, rest, _ := strings.Cut(name, "{")
		tag, _, _ := strings.Cut(rest, "}")
		return tag
	}
	for _, name := range names {
		if tag(name) == "" || tag(name) != tag(names[0]) || !strings.HasPrefix(name, redissession.Prefix+"{") {
			t.Errorf("%s has another tag than %s", name, names[0])
		}
	}
	if _, err := s.Prove(t.Context(), bank.Holder{Customer: "other", Session: alice.Session}, challenge); err != nil {
		t.Fatal(err)
	}
	tags := map[string]bool{}
	for name := range dump(t, client) {
		tags[tag(name)] = true
	}
	if len(tags) != 2 {
		t.Errorf("%d tags for two customers", len(tags))
	}
}

// nothingInClear looks for what was planted in every spelling that a store is likely to give it.
func nothingInClear(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	fill(t, s)
	running := key()
	running.Value = "canary-running"
	wantBegin(t, s, running, "", nil)
	all := dump(t, client)
	if len(all) != 5 {
		t.Fatalf("%d keys, want proof, preview, two keys and the list", len(all))
	}
	body := key().Body
	for _, canary := range []string{
		"SA6680000555608000000001", "555608000000001", "1900000017", "2900000015", "73191357", "731913.57",
		"req-canary", "090-003", "Renew", "تجديد", alice.Customer, alice.Session, key().Client, key().Value, "p-1",
		hex.EncodeToString(body[:]), string(body[:]),
	} {
		for name, value := range all {
			if text := strings.ToLower(name + "\n" + value + "\n" + hex.EncodeToString([]byte(value))); strings.Contains(text, strings.ToLower(canary)) {
				t.Errorf("%q is in clear in %q", canary, name)
			}
		}
	}
}

// inParallel runs f n times at once and yields what each returned.
func inParallel(n int, f func(int) error) <-chan error {
	results, start := make(chan error, n), make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			results <- f(i)
		})
	}
	close(start)
	wg.Wait()
	close(results)
	return results
}

// undecided wants every question to end in an error that is none of the answers.
func undecided(t *testing.T, s *redissession.Sessions) {
	t.Helper()
	_, beginErr := s.Begin(t.Context(), key())
	_, previewErr := s.Preview(t.Context(), alice, "p-1")
	for i, err := range []error{beginErr, previewErr, useProof(t, s, alice), s.Abandon(t.Context(), key()),
		s.KeepPreview(t.Context(), key(), preview("p-2")), s.DropPreview(t.Context(), alice, "p-1"), s.Drop(t.Context(), alice)} {
		if err == nil || named(err) {
			t.Errorf("call %d: %v", i, err)
		}
	}
}

func named(err error) bool {
	return slices.ContainsFunc([]error{bank.ErrNoProof, bank.ErrKeyBusy, bank.ErrKeyReused, bank.ErrNotFound, bank.ErrPreviewExpired},
		func(target error) bool { return errors.Is(err, target) })
}
