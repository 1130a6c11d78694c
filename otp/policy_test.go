package otp_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/istirdad/istirdad/otp"
)

var morning = time.Date(2026, 3, 8, 6, 10, 0, 0, time.UTC)

// Wrong codes one after the other, each as soon as the block before it ends.
func TestBlocks(t *testing.T) {
	p := otp.DefaultPolicy()
	blocked := map[int]time.Duration{
		5: 30 * time.Minute, 10: 24 * time.Hour, 15: 24 * time.Hour, 20: 24 * time.Hour, 25: 24 * time.Hour,
	}
	var s otp.Standing
	at := morning
	for n := 1; n <= 29; n++ {
		if left, want := p.FailuresLeft(s), 5-(n-1)%5; left != want {
			t.Fatalf("after %d: %d failures left, want %d", n-1, left, want)
		}
		if tries, want := p.TriesFor(s), min(3, 5-(n-1)%5); tries != want {
			t.Fatalf("after %d: %d tries, want %d", n-1, tries, want)
		}
		s = p.AfterWrong(s, at)
		err := p.Locked(s, at)
		if blocked[n] == 0 {
			if err != nil {
				t.Fatalf("after %d: %v", n, err)
			}
			continue
		}
		locked, ok := errors.AsType[*otp.LockedError](err)
		if !ok || !errors.Is(err, otp.ErrLocked) || locked.Closed || locked.RetryAfter != blocked[n] {
			t.Fatalf("after %d: %v, want a block of %v", n, err, blocked[n])
		}
		at = at.Add(blocked[n])
		if err := p.Locked(s, at.Add(-time.Nanosecond)); err == nil {
			t.Fatalf("after %d: the block ended early", n)
		}
		if err := p.Locked(s, at); err != nil {
			t.Fatalf("after %d and the block: %v", n, err)
		}
	}
	s = p.AfterWrong(s, at)
	for _, later := range []time.Duration{0, 24 * time.Hour, 10_000 * time.Hour} {
		locked, ok := errors.AsType[*otp.LockedError](p.Locked(s, at.Add(later)))
		if !ok || !locked.Closed {
			t.Fatalf("after 30 failures and %v: not closed", later)
		}
	}
	if p.TriesFor(s) != 0 {
		t.Errorf("closed, and %d tries", p.TriesFor(s))
	}
	if r := (otp.Record{Standing: s}).Cleared(); p.Locked(r.Standing, at) != nil || p.TriesFor(r.Standing) != 3 {
		t.Errorf("a branch cannot reopen: %+v", r)
	}
}

// A shorter block never shortens a longer one.
func TestBlockOnlyGrows(t *testing.T) {
	p := otp.DefaultPolicy()
	until := morning.Add(time.Hour)
	if s := p.AfterWrong(otp.Standing{Failures: 4, BlockedUntil: until}, morning); !s.BlockedUntil.Equal(until) {
		t.Errorf("blocked until %v, want %v", s.BlockedUntil, until)
	}
}

func admit(t *testing.T, r otp.Record, at time.Time, purpose otp.Purpose, ref string) otp.Record {
	t.Helper()
	r, err := otp.DefaultPolicy().Admit(r, at, otp.SMS{ID: fmt.Sprint(at.UnixNano(), ref), Purpose: purpose, Ref: ref})
	if err != nil {
		t.Fatalf("at %v: %v", at.Sub(morning), err)
	}
	return r
}

func wantTooSoon(t *testing.T, r otp.Record, at time.Time, purpose otp.Purpose, ref string, after time.Duration) {
	t.Helper()
	_, err := otp.DefaultPolicy().Admit(r, at, otp.SMS{ID: "x", Purpose: purpose, Ref: ref})
	if e, ok := errors.AsType[*otp.TooSoonError](err); !ok || !errors.Is(err, otp.ErrTooSoon) || e.RetryAfter != after {
		t.Fatalf("%v, want too soon for %v", err, after)
	}
}

func wantBudget(t *testing.T, r otp.Record, at time.Time, purpose otp.Purpose, after time.Duration) {
	t.Helper()
	_, err := otp.DefaultPolicy().Admit(r, at, otp.SMS{ID: "x", Purpose: purpose, Ref: "another"})
	if e, ok := errors.AsType[*otp.BudgetError](err); !ok || !errors.Is(err, otp.ErrBudget) || e.RetryAfter != after {
		t.Fatalf("%v, want budget spent for %v", err, after)
	}
}

func TestResendWait(t *testing.T) {
	r := admit(t, otp.Record{}, morning, otp.Refund, "r1")
	wantTooSoon(t, r, morning, otp.Refund, "r1", time.Minute)
	wantTooSoon(t, r, morning.Add(59*time.Second), otp.Refund, "r1", time.Second)
	r = admit(t, r, morning, otp.Refund, "r2") // another refund waits for nobody
	r = admit(t, r, morning, otp.Profile, "")
	r = admit(t, r, morning.Add(time.Minute), otp.Refund, "r1")
	wantTooSoon(t, r, morning.Add(61*time.Second), otp.Refund, "r1", 59*time.Second)
	// A clock that stepped back makes nobody free.
	wantTooSoon(t, r, morning.Add(30*time.Second), otp.Refund, "r1", 90*time.Second)
}

func TestBudgets(t *testing.T) {
	var r otp.Record
	at := morning
	for range 5 {
		r = admit(t, r, at, otp.Profile, "")
		at = at.Add(2 * time.Minute)
	}
	wantBudget(t, r, at, otp.Profile, 50*time.Minute) // the first is an hour old then
	for i := range 10 {
		r = admit(t, r, at, otp.Refund, fmt.Sprint(i)) // the other purpose has its own
	}
	wantBudget(t, r, at, otp.Refund, time.Hour)

	at = morning.Add(time.Hour)
	for range 5 {
		r = admit(t, r, at, otp.Profile, "")
		at = at.Add(2 * time.Minute)
	}
	at = morning.Add(3 * time.Hour)
	wantBudget(t, r, at, otp.Profile, 21*time.Hour) // ten in a day
	r = admit(t, r, morning.Add(24*time.Hour), otp.Profile, "")
	wantBudget(t, r, morning.Add(24*time.Hour), otp.Profile, 2*time.Minute)
}

func TestBlockedCustomersGetNoSMS(t *testing.T) {
	r := otp.Record{Standing: otp.Standing{Failures: 5, BlockedUntil: morning.Add(time.Minute)}}
	if got, err := otp.DefaultPolicy().Admit(r, morning, otp.SMS{ID: "x", Purpose: otp.Profile}); !errors.Is(err, otp.ErrLocked) || len(got.Sent) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// However long a customer goes on, their record stays small, and it is what
// JSON makes of it.
func TestRecordIsBounded(t *testing.T) {
	p := otp.DefaultPolicy()
	var r otp.Record
	longest := 0
	for at := morning; at.Before(morning.Add(72 * time.Hour)); at = at.Add(time.Minute) {
		for _, purpose := range []otp.Purpose{otp.Profile, otp.Refund} {
			if next, err := p.Admit(r, at, otp.SMS{ID: at.String(), Purpose: purpose}); err == nil {
				r = next
			}
		}
		longest = max(longest, len(r.Sent))
	}
	if most := p.SMS[otp.Profile].Day + p.SMS[otp.Refund].Day; longest != most {
		t.Errorf("at most %d SMS remembered, want %d", longest, most)
	}
	row, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back otp.Record
	if err := json.Unmarshal(row, &back); err != nil || !back.Equal(r) {
		t.Errorf("%s: %+v, %v", row, back, err)
	}
	if row, _ := json.Marshal(otp.Record{}); string(row) != "{}" {
		t.Errorf("the zero record is %s", row)
	}
}

func TestGivenBackOnce(t *testing.T) {
	r := admit(t, otp.Record{}, morning, otp.Refund, "r1")
	r = admit(t, r, morning, otp.Refund, "r2")
	id := r.Sent[0].ID
	once := r.GivenBack(id)
	twice := once.GivenBack(id)
	if len(once.Sent) != 1 || !twice.Equal(once) || len(r.Sent) != 2 || r.Sent[0].ID != id {
		t.Errorf("given back: %+v, then %+v, from %+v", once, twice, r)
	}
	admit(t, once, morning, otp.Refund, "r1") // and nobody waits for what was never sent
}
