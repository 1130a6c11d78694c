package redissession_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/bank/redissession"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/redistest"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/internal/seal"
)

func TestContract(t *testing.T) {
	cluster := inCluster(t) // which takes two seconds to get up, meanwhile
	t.Run("embedded", func(t *testing.T) { contract(t, embedded) })
	t.Run("Redis", func(t *testing.T) {
		contract(t, func(t *testing.T) redis.UniversalClient { return dial(t, shared.Empty(t).Addr()) })
	})
	t.Run("cluster", func(t *testing.T) { contract(t, cluster) })
}

// dial returns a client as the gateway's, and more patient.
func dial(t *testing.T, addr string) redis.UniversalClient {
	t.Helper()
	return connect(t, &redis.UniversalOptions{Addrs: []string{addr}})
}

func connect(t *testing.T, o *redis.UniversalOptions) redis.UniversalClient {
	t.Helper()
	o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = -1, 1, true
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = time.Second, 5*time.Second, 5*time.Second, 5*time.Second
	client := redis.NewUniversalClient(o)
	t.Cleanup(func() {
		if err := client.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
			t.Error(err)
		}
	})
	return client
}

// inCluster starts a cluster of one node. It knows all that is forbidden in a larger one, such as a script on keys of
// two slots.
func inCluster(t *testing.T) func(*testing.T) redis.UniversalClient {
	server := redistest.Start(t, "--cluster-enabled", "yes")
	_, err := server.Do("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	wantErr(t, err, nil)
	return func(t *testing.T) redis.UniversalClient {
		up := func(info string) bool { return strings.Contains(info, "cluster_state:ok") }
		wantErr(t, server.Await(up, "CLUSTER", "INFO"), nil)
		_, err := server.Do("FLUSHALL")
		wantErr(t, err, nil)
		return connect(t, &redis.UniversalOptions{Addrs: []string{server.Addr()}, IsClusterMode: true})
	}
}

// embedded is a Redis in this process whose clock is the test's. Nothing goes over a network, so it lives in a bubble
// of synctest too.
func embedded(t *testing.T) redis.UniversalClient {
	t.Helper()
	server := miniredis.NewMiniRedis()
	server.ClockTTL(true)
	t.Cleanup(server.Close)
	return connect(t, &redis.UniversalOptions{
		Dialer: func(context.Context, string, string) (net.Conn, error) { return server.Dial() },
	})
}

// inTime runs a test whose clock is its own.
func inTime(t *testing.T, test func(*testing.T, *redissession.Sessions)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, sessions(t, embedded(t))) })
}

func TestProofLapsesWhenIdle(t *testing.T) {
	inTime(t, func(t *testing.T, s *redissession.Sessions) {
		prove(t, s)
		time.Sleep(bank.ProofIdle - time.Millisecond)
		wantErr(t, useProof(t, s, alice), nil)
		time.Sleep(bank.ProofIdle)
		wantErr(t, useProof(t, s, alice), bank.ErrNoProof)
	})
}

func TestProofEndsHoweverOftenUsed(t *testing.T) {
	inTime(t, func(t *testing.T, s *redissession.Sessions) {
		prove(t, s)
		began := time.Now()
		const step = 30 * time.Second
		for time.Since(began) < bank.ProofLife {
			wantErr(t, useProof(t, s, alice), nil)
			time.Sleep(step)
		}
		for range 3 { // nor does it come back
			wantErr(t, useProof(t, s, alice), bank.ErrNoProof)
			time.Sleep(step)
		}
		prove(t, s)
		wantErr(t, useProof(t, s, alice), nil)
	})
}

func TestEndedProofStaysEndedWhenItsExpiryIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := embedded(t)
		s := sessions(t, client)
		prove(t, s)
		for name := range dump(t, client) {
			wantErr(t, client.Persist(t.Context(), name).Err(), nil)
		}
		time.Sleep(bank.ProofLife)
		wantErr(t, useProof(t, s, alice), bank.ErrNoProof)
	})
}

func TestUnfinishedClaimFreesItself(t *testing.T) {
	inTime(t, func(t *testing.T, s *redissession.Sessions) {
		wantBegin(t, s, key(), "", nil)
		time.Sleep(bank.KeyInProgress - time.Millisecond)
		wantBegin(t, s, otherBody(), "", bank.ErrKeyReused)
		time.Sleep(time.Millisecond)
		wantBegin(t, s, otherBody(), "", nil)
	})
}

func TestPreviewKeptAfterItsClaimLapsed(t *testing.T) {
	inTime(t, func(t *testing.T, s *redissession.Sessions) {
		wantBegin(t, s, key(), "", nil)
		time.Sleep(bank.KeyInProgress)
		wantErr(t, s.KeepPreview(t.Context(), key(), preview("p-1")), nil)
		wantBegin(t, s, key(), "p-1", nil)
	})
}

func TestPreviewIsRememberedForAnHour(t *testing.T) {
	inTime(t, func(t *testing.T, s *redissession.Sessions) {
		wantBegin(t, s, key(), "", nil)
		kept := preview("p-1")
		wantErr(t, s.KeepPreview(t.Context(), key(), kept), nil)
		time.Sleep(bank.PreviewMemory - time.Millisecond) // expired for long, which the caller judges
		p, err := s.Preview(t.Context(), alice, "p-1")
		if err != nil || !p.ExpiresAt.Equal(kept.ExpiresAt) || !p.ExpiresAt.Before(time.Now()) {
			t.Fatalf("Preview = %v, %v", p.ExpiresAt, err)
		}
		wantBegin(t, s, key(), "p-1", nil)
		time.Sleep(time.Millisecond)
		wantPreview(t, s, "p-1", bank.ErrNotFound)
		wantBegin(t, s, key(), "", nil)
	})
}

func TestOtherPepperOpensNothing(t *testing.T) {
	client := embedded(t)
	fill(t, sessions(t, client))
	sealer, err := seal.New("k2", bytes.Repeat([]byte{2}, seal.MasterLen))
	wantErr(t, err, nil)
	s := redissession.New(client, sealer)
	wantErr(t, useProof(t, s, alice), bank.ErrNoProof)
	wantPreview(t, s, "p-1", bank.ErrNotFound)
	wantBegin(t, s, otherBody(), "", nil)
}

func TestHalfAPreviewIsNotKept(t *testing.T) {
	client := embedded(t)
	s := sessions(t, client)
	for name, spoil := range map[string]func(*bank.Preview){
		"no id":          func(p *bank.Preview) { p.ID = "" },
		"no payer":       func(p *bank.Preview) { p.Payment.Payer = saudi.Party{} },
		"no beneficiary": func(p *bank.Preview) { p.Payment.Beneficiary = saudi.Party{} },
		"no account":     func(p *bank.Preview) { p.To = saudi.IBAN{} },
		"no promise":     func(p *bank.Preview) { p.Promised = saudi.Date{} },
	} {
		p := preview("p-1")
		spoil(&p)
		if err := s.KeepPreview(t.Context(), key(), p); err == nil || named(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(dump(t, client)); n != 0 {
		t.Errorf("%d keys were written", n)
	}
}

func previewComesBackWhole(t *testing.T, client redis.UniversalClient) {
	s := sessions(t, client)
	want := preview("p-1")
	if field := zeroField(reflect.ValueOf(want)); field != "" {
		t.Fatalf("the example leaves %s empty, so nothing would show whether it is kept", field)
	}
	wantErr(t, s.KeepPreview(t.Context(), key(), want), nil)
	got, err := s.Preview(t.Context(), alice, "p-1")
	wantErr(t, err, nil)
	if !got.CreatedAt.Equal(want.CreatedAt) || !got.ExpiresAt.Equal(want.ExpiresAt) {
		t.Errorf("times: got %v and %v, want %v and %v", got.CreatedAt, got.ExpiresAt, want.CreatedAt, want.ExpiresAt)
	}
	got.CreatedAt, got.ExpiresAt = want.CreatedAt, want.ExpiresAt // compared; they differ in location
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// zeroField is the first exported field, at any depth, that is empty.
func zeroField(v reflect.Value) string {
	for i := range v.NumField() {
		field, name := v.Field(i), v.Type().Field(i).Name
		if field.IsZero() {
			return name
		}
		if field.Kind() == reflect.Struct && v.Type().Field(i).IsExported() {
			if inner := zeroField(field); inner != "" && field.Type().PkgPath() != "time" {
				return name + "." + inner
			}
		}
	}
	return ""
}

var alice = bank.Holder{Customer: "cust-canary-alice", Session: "sess-canary-alice"}

func key() bank.Key {
	return bank.Key{Holder: alice, Client: "client-canary", Value: "value-canary", Body: [32]byte([]byte("canary-body-canary-body-canary-b"))}
}

// otherBody is the same key with another request.
func otherBody() bank.Key {
	k := key()
	k.Body[0]++
	return k
}

func preview(id string) bank.Preview {
	must := func(p saudi.Party, err error) saudi.Party {
		if err != nil {
			panic(err)
		}
		return p
	}
	to, err := saudi.ParseIBAN("SA6680000555608000000001")
	if err != nil {
		panic(err)
	}
	now := time.Now()
	return bank.Preview{
		ID: id,
		Origin: gateway.Origin{
			Customer: alice.Customer, Session: alice.Session, Client: "client-canary", Channel: gateway.Counter,
			Teller: "t01", Employee: "E1", Branch: "B1",
		},
		Payment: gateway.Payment{
			RequestID: "req-canary", Service: "090-003", Name: moi.Name{AR: "تجديد إقامة", EN: "Renew Iqama"}, Amount: 73191357,
			Payer:       must(saudi.NewParty(saudi.KindNationalID, "1900000017")),
			Beneficiary: must(saudi.NewParty(saudi.KindIqama, "2900000015")),
		},
		To: to, CreatedAt: now, ExpiresAt: now.Add(bank.PreviewLife), Promised: saudi.DateOf(now).AddDays(5),
		NeedsCode: true, Approval: true, Warnings: []bank.Warning{bank.IdentityExpired},
		MobileChangedAt: time.Date(2026, 3, 1, 6, 10, 0, 0, time.UTC), Proof: challenge,
	}
}

// challenge is the one whose code gives every proof here.
const challenge = "challenge-canary-proof"

// useProof uses the holder's proof, which must say whose code gave it.
func useProof(t *testing.T, s *redissession.Sessions, h bank.Holder) error {
	t.Helper()
	by, err := s.UseProof(t.Context(), h)
	if want := map[bool]string{true: challenge}[err == nil]; by != want {
		t.Errorf("it was given by the code of %q, want %q", by, want)
	}
	return err
}

func sessions(t *testing.T, client redis.UniversalClient) *redissession.Sessions {
	t.Helper()
	sealer, err := seal.New("k1", bytes.Repeat([]byte{1}, seal.MasterLen))
	wantErr(t, err, nil)
	return redissession.New(client, sealer)
}

// fill gives alice a proof, and a preview p-1 bound to key().
func fill(t *testing.T, s *redissession.Sessions) {
	t.Helper()
	prove(t, s)
	wantBegin(t, s, key(), "", nil)
	wantErr(t, s.KeepPreview(t.Context(), key(), preview("p-1")), nil)
}

func prove(t *testing.T, s *redissession.Sessions) {
	t.Helper()
	if _, err := s.Prove(t.Context(), alice, challenge); err != nil {
		t.Fatal(err)
	}
}

// dump is everything that the server holds: strings, and the lists of sessions and of times, joined.
func dump(t *testing.T, client redis.UniversalClient) map[string]string {
	t.Helper()
	all := map[string]string{}
	names, err := client.Keys(t.Context(), "*").Result()
	wantErr(t, err, nil)
	for _, name := range names {
		var members []string
		switch {
		case strings.Contains(name, ":list."):
			members, err = client.SMembers(t.Context(), name).Result()
		case strings.HasPrefix(name, redissession.RatePrefix):
			members, err = client.LRange(t.Context(), name, 0, -1).Result()
		default:
			members = []string{""}
			members[0], err = client.Get(t.Context(), name).Result()
		}
		if err != nil {
			t.Fatal(err)
		}
		all[name] = strings.Join(members, "\n")
	}
	return all
}

// sealed is the part of dump that only we can read.
func sealed(t *testing.T, client redis.UniversalClient) map[string]string {
	t.Helper()
	all := dump(t, client)
	maps.DeleteFunc(all, func(name, _ string) bool { return strings.Contains(name, ":list.") })
	return all
}

func flip(s string, i int) string {
	b := []byte(s)
	b[i] ^= 1
	return string(b)
}

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func wantBegin(t *testing.T, s *redissession.Sessions, k bank.Key, id string, want error) {
	t.Helper()
	got, err := s.Begin(t.Context(), k)
	if got != id || !errors.Is(err, want) {
		t.Fatalf("Begin = %q, %v; want %q, %v", got, err, id, want)
	}
}

func wantPreview(t *testing.T, s *redissession.Sessions, id string, want error) {
	t.Helper()
	p, err := s.Preview(t.Context(), alice, id)
	if !errors.Is(err, want) || want == nil && p.ID != id || want != nil && p.ID != "" {
		t.Fatalf("Preview(%q) = %q, %v; want %v", id, p.ID, err, want)
	}
}
