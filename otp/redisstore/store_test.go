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

	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/otptest"
	"github.com/istirdad/istirdad/otp/redisstore"
)

// connect returns a client of a Redis that nobody else uses.
type connect func(t *testing.T) redis.UniversalClient

// keepsContract is what every kind of Redis must pass.
func keepsContract(t *testing.T, connect connect) {
	t.Run("codes", func(t *testing.T) {
		otptest.RunCodes(t, func(t *testing.T) otp.Codes { return redisstore.New(connect(t)) })
	})
	t.Run("64 right codes at once", func(t *testing.T) { rightAtOnce(t, connect(t)) })
	t.Run("200 wrong codes at once", func(t *testing.T) { wrongAtOnce(t, connect(t)) })
	t.Run("flush", func(t *testing.T) { flushed(t, connect(t)) })
	t.Run("nothing in clear", func(t *testing.T) { nothingInClear(t, connect(t)) })
	t.Run("every key expires", func(t *testing.T) { everyKeyExpires(t, connect(t)) })
	t.Run("scripts forgotten by the server", func(t *testing.T) { scriptsForgotten(t, connect(t)) })
}

func TestEmbedded(t *testing.T) {
	keepsContract(t, func(t *testing.T) redis.UniversalClient {
		_, client := embedded(t)
		return client
	})
}

func embedded(t testing.TB) (*miniredis.Miniredis, redis.UniversalClient) {
	server := miniredis.NewMiniRedis()
	server.ClockTTL(true)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server, dial(t, redisstore.Options{Addrs: []string{server.Addr()}, CommandTimeout: 10 * time.Second})
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
