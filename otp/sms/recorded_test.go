package sms_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/sms"
)

// route is one that ends as it is told.
type route struct {
	err  error
	took time.Duration
	sent []otp.Message
}

func (r *route) Send(ctx context.Context, _ string, _ saudi.Mobile, m otp.Message) error {
	r.sent = append(r.sent, m)
	select {
	case <-time.After(r.took):
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// records is the record, in memory.
type records struct {
	err  error
	took time.Duration
	all  []otp.Sent
}

func (r *records) RecordSMS(ctx context.Context, s otp.Sent) error {
	select {
	case <-time.After(r.took):
	case <-ctx.Done():
		return ctx.Err()
	}
	r.all = append(r.all, s)
	return r.err
}

func phone(t *testing.T) saudi.Mobile {
	t.Helper()
	m, err := saudi.ParseMobile("+966500000001")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestRecorded: what was said to whom, and what came of it; of the code as many blanks as it has digits, whatever the
// message.
func TestRecorded(t *testing.T) {
	for _, c := range []struct {
		err     error
		outcome otp.SendOutcome
	}{
		{nil, otp.SendTaken}, {fmt.Errorf("no connection: %w", otp.ErrNotSent), otp.SendNotSent}, {errors.New("no answer"), otp.SendUnknown},
	} {
		for _, kind := range otp.Kinds() {
			for _, language := range []otp.Language{otp.Arabic, otp.English} {
				synctest.Test(t, func(t *testing.T) {
					way, book := &route{err: c.err, took: time.Second}, &records{}
					m := otp.Message{
						Kind: kind, Language: language, Code: "48291", Brand: otp.Brand{Sender: "TestBank", WebOTPHost: "bank.example"},
						Service: moi.Name{AR: "تجديد إقامة", EN: "Renew Iqama"}, Branch: "101", Reference: "RF1", At: time.Now(),
					}
					began := time.Now()
					err := sms.Recorded{Route: way, Name: "http", Records: book, Log: slog.New(slog.DiscardHandler)}.
						Send(t.Context(), "CHALLENGE:2", phone(t), m)
					if !errors.Is(err, c.err) || len(way.sent) != 1 || way.sent[0] != m {
						t.Errorf("sent %+v, %v", way.sent, err)
					}
					if len(book.all) != 1 {
						t.Fatalf("on record are %+v", book.all)
					}
					s := book.all[0]
					if s.Message != "CHALLENGE:2" || s.About != "CHALLENGE" || s.Kind != kind || s.To != phone(t) || s.Route != "http" ||
						s.Outcome != c.outcome || !s.At.Equal(began) || len(s.ID) != 36 {
						t.Errorf("on record is %+v", s)
					}
					want := strings.ReplaceAll(sms.Render(m), "48291", "●●●●●")
					if s.Text != want || strings.Contains(s.Text, "48291") || s.Text == "" {
						t.Errorf("on record is %q, want %q", s.Text, want)
					}
				})
			}
		}
	}
}

// TestRecordedAbout: an alert is about nobody's refund and no challenge.
func TestRecordedAbout(t *testing.T) {
	for id, want := range map[string]string{"ABC6:1": "ABC6", "RFK5EWJTN6GVB8STYT:credited": "RFK5EWJTN6GVB8STYT", "alert:00ff": ""} {
		if got := otp.About(id); got != want {
			t.Errorf("%s is about %q, want %q", id, got, want)
		}
	}
}

// TestRecordedInTime: the route has all the time that there is, however little, and the record half a second of its own;
// one that fails keeps no message from anybody. What the log says of it is no secret.
func TestRecordedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		way, book := &route{took: time.Hour}, &records{took: time.Hour}
		r := sms.Recorded{Route: way, Name: "http", Records: book, Log: slog.New(slog.NewTextHandler(&log, nil))}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		err := r.Send(ctx, "C:1", phone(t), otp.Message{Kind: otp.CodeForProfile, Code: "482915"})
		if took := time.Since(began); took != 3500*time.Millisecond || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v after %v", err, took)
		}
		if !strings.Contains(log.String(), "isn't on record") || strings.Contains(log.String(), "482915") || strings.Contains(log.String(), "966") {
			t.Errorf("the log says %s", log.String())
		}
		for _, all := range []time.Duration{3 * time.Second, 500 * time.Millisecond, 50 * time.Millisecond} {
			within, cancel := context.WithTimeout(t.Context(), all)
			way.took = all - time.Millisecond
			if err := r.Send(within, "C:1", phone(t), otp.Message{Kind: otp.CodeForProfile, Code: "482915"}); err != nil {
				t.Errorf("a route that takes nearly %v: %v", all, err)
			}
			cancel()
		}
		way.took, book.took, book.err = 0, 0, errors.New("full")
		if err := r.Send(t.Context(), "C:2", phone(t), otp.Message{Kind: otp.CodeForProfile, Code: "482915"}); err != nil {
			t.Errorf("a message that was taken: %v", err)
		}
		// Whoever leaves in between leaves a record all the same.
		gone, leave := context.WithCancel(t.Context())
		leave()
		_ = r.Send(gone, "C:3", phone(t), otp.Message{Kind: otp.CodeForProfile, Code: "482915"})
		if n := len(book.all); n != 2 || book.all[1].Message != "C:3" {
			t.Errorf("on record are %d", n)
		}
	})
}
