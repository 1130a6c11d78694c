package otp_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// failed puts the customer where so many wrong codes, one a day, have put them.
func (d *desk) failed(t *testing.T, customer string, times int) {
	t.Helper()
	policy := otp.DefaultPolicy()
	_, err := d.ledger.Update(t.Context(), time.Now(), customer, func(r otp.Record) (otp.Record, error) {
		r.Standing = otp.Standing{}
		for i := range times {
			r.Standing = policy.AfterWrong(r.Standing, time.Now().Add(time.Duration(i-times)*24*time.Hour))
		}
		return r, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// An alert goes out once for each closing, whoever asks how often, and costs
// nobody an SMS with a code.
func TestAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		var ids []string
		d.phone.Answer = func(_ context.Context, id string) error {
			ids = append(ids, id)
			return nil
		}
		alert := func(customer string) {
			t.Helper()
			if err := d.Alert(t.Context(), customer, mobile(t), otp.Message{Language: otp.English}); err != nil {
				t.Fatalf("Alert: %v", err)
			}
		}
		wantSent := func(when string, messages int) {
			t.Helper()
			sent := d.phone.Messages()
			if len(sent) != messages {
				t.Fatalf("%s: %d messages, want %d", when, len(sent), messages)
			}
			for _, m := range sent {
				if m != (otp.Message{Kind: otp.AboutToBeBlocked, Language: otp.English}) {
					t.Fatalf("%s: %+v", when, m)
				}
			}
		}
		d.failed(t, "p01", 28)
		alert("p01")
		wantSent("two failures before the closing", 0)
		d.failed(t, "p01", 29)
		writes := d.ledger.Writes()
		alert("p01")
		alert("p01")
		wantSent("one failure before", 1)
		if _, err := d.ledger.Update(t.Context(), time.Now(), "p01", func(r otp.Record) (otp.Record, error) {
			r.Standing = otp.DefaultPolicy().AfterWrong(r.Standing, time.Now())
			return r, nil
		}); err != nil {
			t.Fatal(err)
		}
		alert("p01")
		wantSent("closed in the meantime", 1)
		if d.ledger.Writes() != writes+1 {
			t.Error("an alert wrote to the ledger")
		}

		d.failed(t, "p01", 0)
		alert("p01")
		wantSent("cleared", 1)
		time.Sleep(30 * 24 * time.Hour)
		d.failed(t, "p01", 29)
		alert("p01")
		wantSent("the next closing", 2)
		d.failed(t, "p02", 29)
		alert("p02")
		wantSent("another customer's", 3)

		for _, id := range ids {
			if !regexp.MustCompile(`^alert:[0-9a-f]{32}$`).MatchString(id) {
				t.Errorf("message ID %q", id)
			}
		}
	})
}

func TestAlertOutlivesItsCaller(t *testing.T) {
	d := newDesk(t)
	d.failed(t, "p01", 29)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Alert(gone, "p01", mobile(t), otp.Message{}); err != nil || len(d.phone.Messages()) != 1 {
		t.Errorf("Alert: %v, %d messages, want 1", err, len(d.phone.Messages()))
	}
}

func TestAlertInTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, stores := newFrailDesk(t)
		d.failed(t, "p01", 29)
		alert := func() error { return d.Alert(t.Context(), "p01", mobile(t), otp.Message{}) }

		if err := d.Alert(t.Context(), "p01", saudi.Mobile{}, otp.Message{}); err == nil {
			t.Error("an alert to no mobile")
		}
		if err := d.Alert(t.Context(), "", mobile(t), otp.Message{}); err == nil {
			t.Error("an alert to nobody")
		}
		stores.fails = "read"
		if err := alert(); !errors.Is(err, otp.ErrUnavailable) {
			t.Errorf("no ledger: %v", err)
		}
		stores.fails = ""
		d.phone.Answer = func(context.Context, string) error { return fmt.Errorf("no route: %w", otp.ErrNotSent) }
		if err := alert(); !errors.Is(err, otp.ErrSMS) {
			t.Errorf("no route: %v", err)
		}
		d.phone.Answer = func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
		began := time.Now()
		if err := alert(); err != nil || time.Since(began) != 3*time.Second {
			t.Errorf("silence: %v after %v, want nil after 3s", err, time.Since(began))
		}
		d.phone.Answer = nil
		if err := alert(); err != nil || len(d.phone.Messages()) != 1 {
			t.Errorf("tried again: %v, %d messages", err, len(d.phone.Messages()))
		}
	})
}
