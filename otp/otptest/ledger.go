package otptest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/istirdad/istirdad/otp"
)

// RunLedger is the contract of otp.Ledger. newLedger makes an empty one. That a
// record survives a crash is for the store's own tests to show.
func RunLedger(t *testing.T, newLedger func(t *testing.T) otp.Ledger) {
	tests := map[string]func(*testing.T, otp.Ledger){
		"nobody has the zero record":        nobody,
		"a record comes back equal":         comesBackEqual,
		"customers apart":                   customersApart,
		"an error rolls back":               rollsBack,
		"100 updates of one at once":        updatesAtOnce,
		"64 takes of the last SMS at once":  lastSMSAtOnce,
		"an unchanged record is no trouble": unchanged,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, newLedger(t)) })
	}
}

func update(t *testing.T, l otp.Ledger, customer string, change func(otp.Record) otp.Record) otp.Record {
	t.Helper()
	r, err := l.Update(t.Context(), start(), customer, func(r otp.Record) (otp.Record, error) { return change(r), nil })
	if err != nil {
		t.Fatalf("Update: %v", err)
	}
	return r
}

func wantRecord(t *testing.T, l otp.Ledger, customer string, want otp.Record) {
	t.Helper()
	got, err := l.Read(t.Context(), customer)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	if !got.Equal(want) {
		t.Fatalf("Read = %+v, want %+v", got, want)
	}
}

func fail(r otp.Record) otp.Record {
	r.Failures++
	return r
}

func full() otp.Record {
	at := time.Date(2026, 3, 8, 6, 10, 0, 123_000_000, time.UTC)
	return otp.Record{
		Standing: otp.Standing{Failures: 10, BlockedUntil: at.Add(24 * time.Hour), Closed: true},
		Sent: []otp.SMS{
			{ID: "a:1", Purpose: otp.Profile, At: at},
			{ID: "b:3", Purpose: otp.Refund, Ref: "0198", At: at.Add(time.Second)},
		},
	}
}

func nobody(t *testing.T, l otp.Ledger) {
	wantRecord(t, l, "p01", otp.Record{})
	var saw otp.Record
	update(t, l, "p01", func(r otp.Record) otp.Record { saw = r; return r })
	if !saw.Equal(otp.Record{}) {
		t.Fatalf("change was handed %+v", saw)
	}
}

func comesBackEqual(t *testing.T, l otp.Ledger) {
	got := update(t, l, "p01", func(otp.Record) otp.Record { return full() })
	if !got.Equal(full()) {
		t.Fatalf("Update = %+v", got)
	}
	wantRecord(t, l, "p01", full())
	update(t, l, "p01", otp.Record.Cleared)
	wantRecord(t, l, "p01", otp.Record{Sent: full().Sent})
	update(t, l, "p01", func(otp.Record) otp.Record { return otp.Record{} })
	wantRecord(t, l, "p01", otp.Record{})
}

func customersApart(t *testing.T, l otp.Ledger) {
	update(t, l, "p01", fail)
	update(t, l, "P01", fail)
	update(t, l, "P01", fail)
	wantRecord(t, l, "p01", otp.Record{Standing: otp.Standing{Failures: 1}})
	wantRecord(t, l, "P01", otp.Record{Standing: otp.Standing{Failures: 2}})
}

func rollsBack(t *testing.T, l otp.Ledger) {
	update(t, l, "p01", fail)
	refusal := &otp.BudgetError{RetryAfter: time.Minute}
	_, err := l.Update(t.Context(), start(), "p01", func(r otp.Record) (otp.Record, error) { return fail(r), refusal })
	if !errors.Is(err, otp.ErrBudget) {
		t.Fatalf("Update: %v, want change's own error", err)
	}
	if got, ok := errors.AsType[*otp.BudgetError](err); !ok || got != refusal {
		t.Fatalf("Update: %v, want the very error that change returned", err)
	}
	wantRecord(t, l, "p01", otp.Record{Standing: otp.Standing{Failures: 1}})
}

func unchanged(t *testing.T, l otp.Ledger) {
	update(t, l, "p01", func(otp.Record) otp.Record { return full() })
	for range 3 {
		update(t, l, "p01", func(r otp.Record) otp.Record { return r })
	}
	wantRecord(t, l, "p01", full())
}

func updatesAtOnce(t *testing.T, l otp.Ledger) {
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			_, err := l.Update(t.Context(), start(), "p01", func(r otp.Record) (otp.Record, error) { return fail(r), nil })
			if err != nil {
				t.Errorf("Update: %v", err)
			}
		})
	}
	wg.Wait()
	wantRecord(t, l, "p01", otp.Record{Standing: otp.Standing{Failures: 100}})
}

func lastSMSAtOnce(t *testing.T, l otp.Ledger) {
	var (
		policy = otp.DefaultPolicy()
		at     = start()
		wg     sync.WaitGroup
		mu     sync.Mutex
		taken  int
	)
	for i := range 64 {
		wg.Go(func() {
			sms := otp.SMS{ID: fmt.Sprint(i), Purpose: otp.Refund, Ref: fmt.Sprint(i)}
			_, err := l.Update(t.Context(), at, "p01", func(r otp.Record) (otp.Record, error) { return policy.Admit(r, at, sms) })
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				taken++
			case !errors.Is(err, otp.ErrBudget):
				t.Errorf("Update: %v, want ErrBudget", err)
			}
		})
	}
	wg.Wait()
	if want := policy.SMS[otp.Refund].Hour; taken != want {
		t.Errorf("%d SMS taken of a budget of %d", taken, want)
	}
}
