package redisstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/istirdad/istirdad/internal/redistest"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/otptest"
	"github.com/istirdad/istirdad/otp/redisstore"
)

// TestContract is what every kind of Redis must pass.
func TestContract(t *testing.T) {
	cluster := inCluster(t) // which takes two seconds to get up, meanwhile
	t.Run("embedded", func(t *testing.T) {
		keepsContract(t, func(t *testing.T) redis.UniversalClient { _, client := embedded(t); return client })
	})
	t.Run("Redis", func(t *testing.T) {
		keepsContract(t, func(t *testing.T) redis.UniversalClient { return patient(t, shared.Empty(t)) })
	})
	t.Run("cluster", func(t *testing.T) { keepsContract(t, cluster) })
}

// keepsContract runs the tests that do their Redis no harm. connect returns a
// client of an empty one.
func keepsContract(t *testing.T, connect func(*testing.T) redis.UniversalClient) {
	t.Run("codes", func(t *testing.T) {
		otptest.RunCodes(t, func(t *testing.T) otp.Codes { return redisstore.New(connect(t)) })
	})
	for name, test := range map[string]func(*testing.T, redis.UniversalClient){
		"64 right codes at once":          rightAtOnce,
		"200 wrong codes at once":         wrongAtOnce,
		"flush":                           flushed,
		"nothing in clear":                nothingInClear,
		"every key expires":               everyKeyExpires,
		"scripts forgotten by the server": scriptsForgotten,
		"another type in its place":       wrongType,
		"wiping":                          wiped,
	} {
		t.Run(name, func(t *testing.T) { test(t, connect(t)) })
	}
}

// embedded is a server in this process, as in the sandbox.
func embedded(t testing.TB) (*miniredis.Miniredis, redis.UniversalClient) {
	server := miniredis.NewMiniRedis()
	server.ClockTTL(true)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server, dial(t, redisstore.Options{Addrs: []string{server.Addr()}, CommandTimeout: 10 * time.Second})
}

// patient is a client for tests that are not about time.
func patient(t testing.TB, server *redistest.Server) redis.UniversalClient {
	t.Helper()
	return dial(t, redisstore.Options{URL: server.URL(), CommandTimeout: 10 * time.Second})
}

// inCluster starts a cluster of one node. It knows all that is forbidden in a
// larger one, such as a script on keys of two slots.
func inCluster(t *testing.T) func(*testing.T) redis.UniversalClient {
	server := redistest.Start(t, "--cluster-enabled", "yes")
	ask(t, server, "CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	return func(t *testing.T) redis.UniversalClient {
		up := func(info string) bool { return strings.Contains(info, "cluster_state:ok") }
		if err := server.Await(up, "CLUSTER", "INFO"); err != nil {
			t.Fatal(err)
		}
		ask(t, server, "FLUSHALL")
		client := dial(t, redisstore.Options{Addrs: []string{server.Addr()}, Cluster: true, CommandTimeout: 10 * time.Second})
		if err := redisstore.CheckServer(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		return client
	}
}

// ask has the server do something, past the client that is tested.
func ask(t testing.TB, server *redistest.Server, args ...string) string {
	t.Helper()
	answer, err := server.Do(args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return answer
}

func dial(t testing.TB, o redisstore.Options) redis.UniversalClient {
	t.Helper()
	client, err := redisstore.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// desk is a whole service over Redis.
type desk struct {
	*otp.Service
	ledger otptest.Ledger
	phone  otptest.Phone
}

func newDesk(t *testing.T, client redis.UniversalClient) *desk {
	t.Helper()
	d := &desk{}
	var err error
	d.Service, err = otp.New(otp.Config{
		Pepper: bytes.Repeat([]byte("p"), otp.PepperSize),
		Codes:  redisstore.New(client), Ledger: &d.ledger, Sender: &d.phone, Policy: otp.DefaultPolicy(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const (
	customer = "customer-p01"
	session  = "session-s1"
	number   = "+966500000001"
)

// issue sends a profile code and returns the right attempt at it.
func (d *desk) issue(t *testing.T) otp.Attempt {
	t.Helper()
	to, err := saudi.ParseMobile(number)
	if err != nil {
		t.Fatal(err)
	}
	binding := otp.Bind(customer, session)
	c, err := d.Issue(t.Context(), otp.Issue{Customer: customer, Session: session, Purpose: otp.Profile, Binding: binding, To: to})
	if err != nil {
		t.Fatalf("Issue: %v", err)
	}
	return otp.Attempt{
		Customer: customer, Session: session, ChallengeID: c.ID,
		Purpose: otp.Profile, Binding: binding, Code: d.phone.Code(),
	}
}

// atOnce makes n attempts together and counts what they were answered.
func (d *desk) atOnce(t *testing.T, n int, a otp.Attempt) map[error]int {
	t.Helper()
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		seen = map[error]int{}
		gate = make(chan struct{})
	)
	for range n {
		wg.Go(func() {
			<-gate
			err := d.Verify(t.Context(), a)
			for _, kind := range []error{otp.ErrUsed, otp.ErrGone, otp.ErrWrong, otp.ErrUnavailable} {
				if errors.Is(err, kind) {
					err = kind
				}
			}
			mu.Lock()
			seen[err]++
			mu.Unlock()
		})
	}
	close(gate)
	wg.Wait()
	return seen
}

func rightAtOnce(t *testing.T, client redis.UniversalClient) {
	d := newDesk(t, client)
	if seen := d.atOnce(t, 64, d.issue(t)); seen[nil] != 1 || seen[otp.ErrUsed] != 63 {
		t.Errorf("%v, want 1 right and 63 used", seen)
	}
}

func wrongAtOnce(t *testing.T, client redis.UniversalClient) {
	d := newDesk(t, client)
	a := d.issue(t)
	a.Code = otptest.WrongCode(a.Code)
	seen := d.atOnce(t, 200, a)
	r, err := d.ledger.Read(t.Context(), customer)
	if err != nil || seen[otp.ErrWrong] != 3 || seen[otp.ErrGone] != 197 || r.Failures != 3 {
		t.Errorf("%v with %d on record, %v; want 3 compared and recorded, 197 gone", seen, r.Failures, err)
	}
}

func flushed(t *testing.T, client redis.UniversalClient) {
	d := newDesk(t, client)
	a := d.issue(t)
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := d.Verify(t.Context(), a); !errors.Is(err, otp.ErrGone) {
		t.Errorf("Verify: %v, want ErrGone", err)
	}
}

// dump returns everything that client's Redis holds.
func dump(t *testing.T, client redis.UniversalClient) string {
	t.Helper()
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, k := range keys {
		fields, err := client.HGetAll(t.Context(), k).Result()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&out, k, fields)
	}
	return out.String()
}

func nothingInClear(t *testing.T, client redis.UniversalClient) {
	d := newDesk(t, client)
	a := d.issue(t)
	before := dump(t, client)
	if err := d.Verify(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	held := before + dump(t, client)
	if !strings.Contains(held, a.ChallengeID) {
		t.Fatalf("no challenge in %s", held)
	}
	for _, secret := range []string{" " + a.Code.Reveal(), ":" + a.Code.Reveal(), customer, session, number, "500000001"} {
		if strings.Contains(held, secret) {
			t.Errorf("%q is in Redis in clear", secret)
		}
	}
}

func everyKeyExpires(t *testing.T, client redis.UniversalClient) {
	d := newDesk(t, client)
	a := d.issue(t)
	wantLife := func(when string) {
		t.Helper()
		keys, err := client.Keys(t.Context(), "*").Result()
		if err != nil || len(keys) != 1 {
			t.Fatalf("%s: keys %v, %v", when, keys, err)
		}
		if life := client.PTTL(t.Context(), keys[0]).Val(); life <= 0 || life > 4*time.Minute {
			t.Errorf("%s: the key lives for %v", when, life)
		}
	}
	wantLife("stored")
	wrong := a
	wrong.Code = otptest.WrongCode(a.Code)
	_ = d.Verify(t.Context(), wrong)
	wantLife("tried")
	_ = d.Verify(t.Context(), a)
	wantLife("burnt")
}

func scriptsForgotten(t *testing.T, client redis.UniversalClient) {
	d := newDesk(t, client)
	a := d.issue(t)
	for _, want := range []error{nil, otp.ErrUsed} {
		if err := client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if err := d.Verify(t.Context(), a); !errors.Is(err, want) {
			t.Fatalf("Verify: %v, want %v", err, want)
		}
	}
}

func wrongType(t *testing.T, client redis.UniversalClient) {
	if err := client.Set(t.Context(), "otp:{h1}", "482915", 0).Err(); err != nil {
		t.Fatal(err)
	}
	s := redisstore.New(client)
	for _, name := range []string{"find", "renew", "check", "drop", "forgive"} {
		if err := steps(t, s)[name](); err == nil || errors.Is(err, otp.ErrGone) {
			t.Errorf("%s: %v, want trouble", name, err)
		}
	}
	if _, err := s.Put(t.Context(), sample(), 5); err != nil {
		t.Errorf("a new challenge cannot replace garbage: %v", err)
	}
}
