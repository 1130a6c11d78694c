package dispatch_test

import (
	"context"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

func TestCompletionSMS(t *testing.T) {
	simulateDurably(t, func(t *testing.T, w *world) {
		r := w.accept(1)
		w.start(w.every(5 * time.Second))
		w.until(r, gateway.Credited, time.Minute)
		w.wantTold(r, gateway.NoticeSent, time.Minute)
		time.Sleep(5 * time.Minute)
		inbox := w.phone.inbox()
		if len(inbox) != 1 {
			t.Fatalf("%d messages, want 1", len(inbox))
		}
		m := inbox[0].m
		if inbox[0].id != r.Reference+":credited" || m.Kind != otp.RefundCompleted || m.Language != otp.Arabic ||
			m.Amount != r.Payment.Amount || m.AccountTail != r.To.Tail() || m.Sector.AR == "" || m.Service.AR == "" || m.Brand.Sender != "TestBank" {
			t.Errorf("message %s: %+v", inbox[0].id, m)
		}
	})
}

// TestCompletionSMSFails: the money is there whatever becomes of the message.
func TestCompletionSMSFails(t *testing.T) {
	failing := func(context.Context) error { return otp.ErrNotSent }
	hanging := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, row := range map[string]struct {
		phone func(p *phone)
		after time.Duration // since the credit
		want  gateway.Notice
	}{
		"no mobile":                           {func(p *phone) { p.mobile = saudi.Mobile{} }, time.Minute, gateway.NoticeGiven},
		"the route fails for less than a day": {func(p *phone) { p.answer = failing }, 23 * time.Hour, gateway.NoticeDue},
		"the route fails for a day":           {func(p *phone) { p.answer = failing }, 24*time.Hour + 12*time.Minute, gateway.NoticeGiven},
		"the route hangs for a day":           {func(p *phone) { p.answer = hanging }, 24*time.Hour + 12*time.Minute, gateway.NoticeGiven},
		"nobody says where to, for a day":     {func(p *phone) { p.customer = failing }, 24*time.Hour + 12*time.Minute, gateway.NoticeGiven},
		"the look-up hangs for a day":         {func(p *phone) { p.customer = hanging }, 24*time.Hour + 12*time.Minute, gateway.NoticeGiven},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				row.phone(w.phone)
				r := w.accept(1)
				w.start(w.every(time.Minute))
				w.until(r, gateway.Credited, 5*time.Minute)
				time.Sleep(row.after)
				if now := w.want(r, gateway.Credited, ""); now.Notice != row.want || now.Due.IsZero() != (row.want != gateway.NoticeDue) {
					t.Errorf("notice %q, want %q; due %v", now.Notice, row.want, now.Due)
				}
				for _, sent := range w.phone.inbox() {
					if sent.id != r.Reference+":credited" {
						t.Errorf("sent as %s: a provider can't tell it from another message", sent.id)
					}
				}
			})
		})
	}
}

// TestApprovalLapses: what nobody approved in time is withdrawn, and nothing of it leaves.
func TestApprovalLapses(t *testing.T) {
	simulateDurably(t, func(t *testing.T, w *world) {
		a := acceptance(1)
		a.Rules.Holds, a.Rules.ApprovalExpires = []gateway.Mark{gateway.IdentityChecked}, time.Now().Add(time.Minute)
		r := w.acceptAs(a)
		w.start(w.every(time.Second))
		time.Sleep(time.Minute - time.Second)
		w.want(r, gateway.AwaitingApproval, "")
		time.Sleep(2 * time.Second)
		w.want(r, gateway.Cancelled, "approval_expired")
		if n := len(w.core.list()); n != 0 {
			t.Errorf("%d calls to the core", n)
		}
	})
}
