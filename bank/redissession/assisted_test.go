package redissession_test

import (
	"bytes"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/bank/redissession"
	"github.com/istirdad/istirdad/internal/faultnet"
	"github.com/istirdad/istirdad/internal/redistest"
	"github.com/istirdad/istirdad/internal/seal"
)

// TestAssistedContract is what assisted sessions promise on whatever Redis.
func TestAssistedContract(t *testing.T) {
	cluster := inCluster(t)
	for name, open := range map[string]func(*testing.T) redis.UniversalClient{
		"embedded": embedded,
		"Redis":    func(t *testing.T) redis.UniversalClient { return dial(t, shared.Empty(t).Addr()) },
		"cluster":  cluster,
	} {
		t.Run(name, func(t *testing.T) {
			for name, test := range map[string]func(*testing.T, redis.UniversalClient){
				"a session comes back whole":          assistedComesBack,
				"a session is one desk's":             assistedIsOneDesks,
				"an ended session stays ended":        assistedStaysEnded,
				"64 at once end it once":              assistedEndsOnce,
				"a session that ends is not verified": assistedEndedMeanwhile,
				"nobody has no session":               assistedOfNobody,
				"changed and moved values are absent": assistedChanged,
				"it expires, and nothing is in clear": assistedIsSealed,
				"an error decides nothing":            assistedErrors,
			} {
				t.Run(name, func(t *testing.T) { test(t, open(t)) })
			}
		})
	}
}

var desk = bank.Desk{Login: "login-canary-t01", Session: "sess-canary-t01"}

func assistedOf(t *testing.T, client redis.UniversalClient) redissession.Assisted {
	t.Helper()
	sealer, err := seal.New("k1", bytes.Repeat([]byte{1}, seal.MasterLen))
	wantErr(t, err, nil)
	return redissession.NewAssisted(client, sealer)
}

// visit is alice before the desk.
func visit(id string) bank.AssistedSession {
	return bank.AssistedSession{
		ID: id, Desk: desk, Customer: alice.Customer, Challenge: "challenge-canary",
		Ends: time.Now().Add(bank.AssistedLife).Truncate(time.Microsecond).UTC(),
	}
}

func wantUse(t *testing.T, s redissession.Assisted, d bank.Desk, id string, want error) bank.AssistedSession {
	t.Helper()
	seen, err := s.Session(t.Context(), d, id)
	wantErr(t, err, want)
	got, err := s.Use(t.Context(), d, id)
	wantErr(t, err, want)
	if seen != got {
		t.Fatalf("seen is %+v, used %+v", seen, got)
	}
	if want != nil && got != (bank.AssistedSession{}) {
		t.Fatalf("%+v beside %v", got, err)
	}
	return got
}

func assistedComesBack(t *testing.T, client redis.UniversalClient) {
	s := assistedOf(t, client)
	wantUse(t, s, desk, "v-1", bank.ErrNotFound)
	want := visit("v-1")
	wantErr(t, s.Open(t.Context(), want), nil)
	if err := s.Open(t.Context(), want); err == nil {
		t.Error("opened twice")
	}
	if got := wantUse(t, s, desk, "v-1", nil); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	before := time.Now()
	expires, err := s.Verify(t.Context(), desk, "v-1")
	wantErr(t, err, nil)
	if expires.Before(before.Add(bank.AssistedIdle)) || expires.After(time.Now().Add(bank.AssistedIdle)) {
		t.Errorf("proved until %v", expires)
	}
	want.Verified = true
	if got := wantUse(t, s, desk, "v-1", nil); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	checked := visit("v-2")
	checked.Challenge, checked.Verified = "", true
	wantErr(t, s.Open(t.Context(), checked), nil)
	if got := wantUse(t, s, desk, "v-2", nil); got != checked {
		t.Errorf("got %+v, want %+v", got, checked)
	}
	for _, broken := range []bank.AssistedSession{{}, {ID: "v-3", Desk: desk}, {ID: "v-3", Desk: desk, Customer: "c"}} {
		if err := s.Open(t.Context(), broken); err == nil {
			t.Errorf("%+v is kept", broken)
		}
	}
}

func assistedIsOneDesks(t *testing.T, client redis.UniversalClient) {
	s := assistedOf(t, client)
	wantErr(t, s.Open(t.Context(), visit("v-1")), nil)
	for _, d := range []bank.Desk{{Login: "other", Session: desk.Session}, {Login: desk.Login, Session: "other"}} {
		wantUse(t, s, d, "v-1", bank.ErrNotFound)
		_, err := s.Verify(t.Context(), d, "v-1")
		wantErr(t, err, bank.ErrNotFound)
		wantErr(t, s.End(t.Context(), d, "v-1"), bank.ErrNotFound)
	}
	for _, id := range []string{"", "V-1", "v-1 ", "\xff\x00"} {
		wantUse(t, s, desk, id, bank.ErrNotFound)
	}
	if wantUse(t, s, desk, "v-1", nil).Verified {
		t.Error("another desk verified it")
	}
}

func assistedStaysEnded(t *testing.T, client redis.UniversalClient) {
	s := assistedOf(t, client)
	wantErr(t, s.Open(t.Context(), visit("v-1")), nil)
	wantErr(t, s.Open(t.Context(), visit("v-2")), nil)
	wantErr(t, s.End(t.Context(), desk, "v-1"), nil)
	wantErr(t, s.End(t.Context(), desk, "v-1"), bank.ErrNotFound)
	wantUse(t, s, desk, "v-1", bank.ErrNotFound)
	_, err := s.Verify(t.Context(), desk, "v-1")
	wantErr(t, err, bank.ErrNotFound)
	wantUse(t, s, desk, "v-2", nil)
}

func assistedEndsOnce(t *testing.T, client redis.UniversalClient) {
	s := assistedOf(t, client)
	wantErr(t, s.Open(t.Context(), visit("v-1")), nil)
	counts := map[error]int{}
	for err := range inParallel(64, func(int) error { return s.End(t.Context(), desk, "v-1") }) {
		counts[err]++
	}
	if want := map[error]int{nil: 1, bank.ErrNotFound: 63}; !maps.Equal(counts, want) {
		t.Errorf("got %v, want %v", counts, want)
	}
}

// assistedEndedMeanwhile ends a session, or verifies it, between the look of whoever verifies it and the write.
func assistedEndedMeanwhile(t *testing.T, client redis.UniversalClient) {
	s := assistedOf(t, client)
	meanwhile := &afterGet{}
	client.AddHook(meanwhile)
	for id, do := range map[string]func(id string) error{
		"ended":    func(id string) error { return s.End(t.Context(), desk, id) },
		"verified": func(id string) error { _, err := s.Verify(t.Context(), desk, id); return err },
	} {
		wantErr(t, s.Open(t.Context(), visit(id)), nil)
		meanwhile.do = func(string) {
			meanwhile.do = nil
			wantErr(t, do(id), nil)
		}
		_, err := s.Verify(t.Context(), desk, id)
		if id == "ended" {
			wantErr(t, err, bank.ErrNotFound)
			wantUse(t, s, desk, id, bank.ErrNotFound)
			continue
		}
		wantErr(t, err, nil)
		if !wantUse(t, s, desk, id, nil).Verified {
			t.Error("it isn't verified")
		}
	}
}

func assistedOfNobody(t *testing.T, client redis.UniversalClient) {
	s := assistedOf(t, client)
	for _, d := range []bank.Desk{{}, {Login: desk.Login}, {Session: desk.Session}} {
		v := visit("v-1")
		v.Desk = d
		_, useErr := s.Use(t.Context(), d, "v-1")
		_, verifyErr := s.Verify(t.Context(), d, "v-1")
		for i, err := range []error{s.Open(t.Context(), v), useErr, verifyErr, s.End(t.Context(), d, "v-1")} {
			if err == nil || named(err) {
				t.Errorf("call %d: %v", i, err)
			}
		}
	}
	if n := len(dump(t, client)); n != 0 {
		t.Errorf("%d keys were written", n)
	}
}

func assistedChanged(t *testing.T, client redis.UniversalClient) {
	s := assistedOf(t, client)
	wantErr(t, s.Open(t.Context(), visit("v-1")), nil)
	wantErr(t, s.Open(t.Context(), visit("v-2")), nil)
	all := dump(t, client)
	for name, value := range all {
		worse := []string{"", "x", value[:len(value)-1], value + "x", flip(value, 0), flip(value, len(value)/2), flip(value, len(value)-1)}
		for other, moved := range all {
			if other != name {
				worse = append(worse, moved)
			}
		}
		for _, changed := range worse {
			for _, n := range []string{"v-1", "v-2"} {
				wantErr(t, client.Set(t.Context(), name, changed, time.Minute).Err(), nil)
				if got, err := s.Use(t.Context(), desk, n); err == nil && got.ID != n {
					t.Errorf("%s is %s", n, got.ID)
				}
			}
		}
		wantErr(t, client.Set(t.Context(), name, "x", time.Minute).Err(), nil)
	}
	for _, id := range []string{"v-1", "v-2"} {
		wantUse(t, s, desk, id, bank.ErrNotFound)
		_, err := s.Verify(t.Context(), desk, id)
		wantErr(t, err, bank.ErrNotFound)
		wantErr(t, s.End(t.Context(), desk, id), bank.ErrNotFound)
	}
}

func assistedIsSealed(t *testing.T, client redis.UniversalClient) {
	s := assistedOf(t, client)
	wantErr(t, s.Open(t.Context(), visit("v-canary")), nil)
	_, err := s.Verify(t.Context(), desk, "v-canary")
	wantErr(t, err, nil)
	wantUse(t, s, desk, "v-canary", nil)
	all := dump(t, client)
	if len(all) != 1 {
		t.Fatalf("%d keys, want one", len(all))
	}
	for name, value := range all {
		wantErr(t, client.PExpire(t.Context(), name, time.Minute).Err(), nil)
		_, err := s.Session(t.Context(), desk, "v-canary")
		wantErr(t, err, nil)
		if ttl, err := client.PTTL(t.Context(), name).Result(); err != nil || ttl > time.Minute {
			t.Errorf("a look keeps it for %v, %v", ttl, err)
		}
		if strings.Contains(name+value, "canary") || !strings.HasPrefix(name, redissession.Prefix+"{") {
			t.Errorf("%q holds %q", name, value)
		}
		if ttl, err := client.PTTL(t.Context(), name).Result(); err != nil || ttl <= 0 || ttl > bank.AssistedIdle {
			t.Errorf("it lives for %v, %v", ttl, err)
		}
	}
}

func assistedErrors(t *testing.T, client redis.UniversalClient) {
	s := assistedOf(t, client)
	wantErr(t, s.Open(t.Context(), visit("v-1")), nil)
	undecided := func(why string) {
		t.Helper()
		_, useErr := s.Use(t.Context(), desk, "v-1")
		_, seeErr := s.Session(t.Context(), desk, "v-1")
		_, verifyErr := s.Verify(t.Context(), desk, "v-1")
		for i, err := range []error{useErr, seeErr, verifyErr, s.End(t.Context(), desk, "v-1"), s.Open(t.Context(), visit("v-1"))} {
			if err == nil || named(err) {
				t.Errorf("%s, call %d: %v", why, i, err)
			}
		}
	}
	for name := range dump(t, client) {
		wantErr(t, client.Del(t.Context(), name).Err(), nil)
		wantErr(t, client.HSet(t.Context(), name, "field", "value").Err(), nil)
	}
	undecided("a wrong type")
	wantErr(t, client.Close(), nil)
	undecided("closed")
}

// inAssistedTime runs a test whose clock is its own.
func inAssistedTime(t *testing.T, test func(*testing.T, redissession.Assisted)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, assistedOf(t, embedded(t))) })
}

func TestAssistedLapsesWhenIdle(t *testing.T) {
	inAssistedTime(t, func(t *testing.T, s redissession.Assisted) {
		wantErr(t, s.Open(t.Context(), visit("v-1")), nil)
		time.Sleep(bank.AssistedIdle - time.Millisecond)
		_, err := s.Verify(t.Context(), desk, "v-1") // is a use
		wantErr(t, err, nil)
		time.Sleep(bank.AssistedIdle - time.Millisecond)
		wantUse(t, s, desk, "v-1", nil)
		wantErr(t, s.Open(t.Context(), visit("v-2")), nil)
		time.Sleep(bank.AssistedIdle)
		wantUse(t, s, desk, "v-2", bank.ErrNotFound)
	})
}

func TestAssistedEndsHoweverOftenUsed(t *testing.T) {
	inAssistedTime(t, func(t *testing.T, s redissession.Assisted) {
		v := visit("v-1")
		wantErr(t, s.Open(t.Context(), v), nil)
		for time.Until(v.Ends) > time.Minute {
			wantUse(t, s, desk, "v-1", nil)
			time.Sleep(time.Minute)
		}
		expires, err := s.Verify(t.Context(), desk, "v-1")
		wantErr(t, err, nil)
		if !expires.Equal(v.Ends) {
			t.Errorf("proved until %v, want its end, %v", expires, v.Ends)
		}
		time.Sleep(time.Until(v.Ends))
		wantUse(t, s, desk, "v-1", bank.ErrNotFound)
		_, err = s.Verify(t.Context(), desk, "v-1")
		wantErr(t, err, bank.ErrNotFound)
		wantErr(t, s.End(t.Context(), desk, "v-1"), bank.ErrNotFound)
	})
}

// TestAssistedRefusals has a real Redis refuse in every way that it is known for.
func TestAssistedRefusals(t *testing.T) {
	for _, refusal := range redistest.Refusals() {
		t.Run(refusal.Word, func(t *testing.T) {
			server := redistest.Start(t, refusal.Args...)
			s := assistedOf(t, dial(t, server.Addr()))
			wantErr(t, s.Open(t.Context(), visit("v-1")), nil)
			end := refusal.Begin(t, server)
			if _, err := s.Verify(t.Context(), desk, "v-1"); err == nil || named(err) {
				t.Errorf("verified: %v", err)
			}
			if err := s.Open(t.Context(), visit("v-2")); err == nil || named(err) {
				t.Errorf("opened: %v", err)
			}
			end()
			if wantUse(t, s, desk, "v-1", nil).Verified {
				t.Error("it is verified after all")
			}
			wantUse(t, s, desk, "v-2", bank.ErrNotFound)
		})
	}
}

// TestAssistedLostReplies: a step whose answer was lost has happened; whoever repeats it finds it done.
func TestAssistedLostReplies(t *testing.T) {
	proxy := faultnet.StartTest(t, shared.Empty(t).Addr())
	s := assistedOf(t, dial(t, proxy.Addr()))
	lost := func(command string, step func() error) {
		t.Helper()
		happened := proxy.Once(faultnet.Containing(command), faultnet.ResetAfter)
		if err := step(); err == nil || named(err) {
			t.Fatalf("%v, want trouble", err)
		}
		<-happened
	}
	wantErr(t, s.Open(t.Context(), visit("v-1")), nil) // the server knows the scripts from here on
	lost("evalsha", func() error { _, err := s.Verify(t.Context(), desk, "v-1"); return err })
	if !wantUse(t, s, desk, "v-1", nil).Verified {
		t.Error("it isn't verified")
	}
	lost("getdel", func() error { return s.End(t.Context(), desk, "v-1") })
	wantErr(t, s.End(t.Context(), desk, "v-1"), bank.ErrNotFound)
}
