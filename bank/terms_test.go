package bank_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// step is a step of the path, taken by p01 on a world in which there is the request rq-1, a preview of it, and a refund.
type step struct {
	name string
	take func(w *world, s *standing) error
	open bool // also while the bank has closed the service
}

// standing is what a step may be about.
type standing struct {
	preview   bank.Preview
	refund    gateway.Refund
	challenge otp.Challenge // of the preview
	code      string
	teller    bank.Caller // who speaks for p01
	visit     string      // in this assisted session
}

var pathSteps = []step{
	{"profile", func(w *world, _ *standing) error { _, err := w.Profile(w.t.Context(), caller); return err }, true},
	{"menu", func(w *world, _ *standing) error { _, err := w.Menu(w.t.Context(), caller); return err }, false},
	{"services", func(w *world, _ *standing) error { _, err := w.Services(w.t.Context(), caller); return err }, false},
	{"requests", func(w *world, _ *standing) error {
		_, _, err := w.Requests(w.t.Context(), caller, "090-003", bank.Page{Limit: 10})
		return err
	}, false},
	{"preview", func(w *world, _ *standing) error {
		_, _, err := w.Preview(w.t.Context(), caller, w.asked("rq-1"))
		return err
	}, false},
	{"balance", func(w *world, _ *standing) error {
		_, _, err := w.Balance(w.t.Context(), caller, "1900000017")
		return err
	}, false},
	{"code for the profile", func(w *world, _ *standing) error {
		_, err := w.Challenge(w.t.Context(), caller, otp.Profile, "")
		return err
	}, false},
	{"code for a refund", func(w *world, s *standing) error {
		_, err := w.Challenge(w.t.Context(), caller, otp.Refund, s.preview.ID)
		return err
	}, false},
	{"at the counter", func(w *world, _ *standing) error {
		_, err := w.Assist(w.t.Context(), colleague, bank.Approach{IDNumber: "1900000025"})
		return err
	}, false},
	{"menu at the counter", func(w *world, s *standing) error { _, err := w.Menu(w.t.Context(), s.teller); return err }, false},

	{"the code again", func(w *world, s *standing) error {
		_, err := w.Resend(w.t.Context(), caller, s.challenge.ID)
		return err
	}, true},
	{"confirm with a code", func(w *world, s *standing) error {
		_, _, err := w.Confirm(w.t.Context(), caller, s.preview.ID, s.challenge.ID, s.code)
		return err
	}, true},
	{"confirm without", func(w *world, s *standing) error {
		_, _, err := w.Confirm(w.t.Context(), caller, s.preview.ID, "", "")
		return err
	}, true},
	{"a refund", func(w *world, s *standing) error { _, err := w.View(w.t.Context(), caller, s.refund.ID); return err }, true},
	{"the preview", func(w *world, s *standing) error { _, err := w.View(w.t.Context(), caller, s.preview.ID); return err }, true},
	{"refunds", func(w *world, _ *standing) error {
		_, _, err := w.Refunds(w.t.Context(), caller, bank.Page{Limit: 10})
		return err
	}, true},
	{"withdrawal", func(w *world, s *standing) error { return w.Cancel(w.t.Context(), caller, s.refund.ID) }, true},
	{"withdrawal of a preview", func(w *world, s *standing) error { return w.Cancel(w.t.Context(), caller, s.preview.ID) }, true},
	{"leaving the counter", func(w *world, s *standing) error {
		return w.EndAssisted(w.t.Context(), teller, s.visit)
	}, true},
}

// stand has p01 stand where every step can be taken.
func stand(t *testing.T) (*world, *standing) {
	w := newWorld(t)
	w.paid("rq-1", 100_00)
	s := &standing{refund: w.refund("rq-0"), preview: w.preview("rq-1"), teller: w.serve(nil)}
	s.visit = w.lookups.all[0].ID
	challenge, err := w.Challenge(t.Context(), caller, otp.Refund, s.preview.ID)
	if err != nil {
		t.Fatal(err)
	}
	s.challenge, s.code = challenge, w.phone.Code().Reveal()
	time.Sleep(61 * time.Second) // another code may be sent
	return w, s
}

// TestClosed: while the bank has closed the service nothing new is begun or looked for; what was begun goes on.
func TestClosed(t *testing.T) {
	for _, step := range pathSteps {
		t.Run(step.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, s := stand(t)
				words := bank.Text{AR: "نعود الساعة الثالثة", EN: "Back at three"}
				now := time.Now()
				w.terms.Closures = []bank.Window{
					{From: now.Add(-2 * time.Hour), Until: now}, // over
					{From: now, Until: now.Add(90 * time.Second), Text: words},
					{From: now.Add(time.Hour), Until: now.Add(24 * time.Hour)}, // to come
				}
				searches := len(w.inquiries.searches)
				err := step.take(w, s)
				if step.open {
					w.wantErr(err, nil)
					return
				}
				var closed *bank.ClosedError
				if !errors.As(err, &closed) || !errors.Is(err, bank.ErrClosed) || closed.RetryAfter != 90*time.Second || closed.Text != words {
					t.Fatalf("said %v: %+v", err, closed)
				}
				if len(w.inquiries.searches) != searches || len(w.lookups.all) != 1 {
					t.Error("somebody was asked all the same")
				}
				time.Sleep(90*time.Second - time.Nanosecond)
				w.wantErr(step.take(w, s), bank.ErrClosed)
				time.Sleep(time.Nanosecond)
				w.prove()
				w.wantErr(step.take(w, s), nil)
			})
		})
	}
}

// TestClosedForLong: nobody is told to stay away for more than an hour, since the bank may open earlier.
func TestClosedForLong(t *testing.T) {
	w := newWorld(t)
	w.terms.Closures = []bank.Window{{From: time.Now().Add(-time.Minute), Until: time.Now().Add(48 * time.Hour)}}
	_, err := w.Menu(t.Context(), caller)
	var closed *bank.ClosedError
	if !errors.As(err, &closed) || closed.RetryAfter != time.Hour || closed.Text != (bank.Text{}) {
		t.Errorf("said %v: %+v", err, closed)
	}
	// Also to somebody without a proof, who would have asked for a code first.
	_, err = w.Menu(t.Context(), other)
	w.wantErr(err, bank.ErrClosed)
	w.terms.Closures = nil
	_, err = w.Menu(t.Context(), other)
	w.wantErr(err, bank.ErrNoProof)
}

// TestOneProfileForAStep: a step asks once what is in force, so that it is never half of one profile and half of another.
func TestOneProfileForAStep(t *testing.T) {
	for _, step := range pathSteps {
		t.Run(step.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, s := stand(t)
				w.looks = 0
				if err := step.take(w, s); err != nil {
					t.Fatal(err)
				}
				if w.looks > 1 {
					t.Errorf("it asked %d times", w.looks)
				}
			})
		})
	}
}

// TestNotices: each is told while it holds, and none is kept from anybody.
func TestNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		now := time.Now()
		first := bank.Window{Text: bank.Text{AR: "أولًا", EN: "First"}, From: now, Until: now.Add(2 * time.Minute)}
		second := bank.Window{Text: bank.Text{AR: "ثانيًا", EN: "Second"}, From: now.Add(time.Minute), Until: now.Add(3 * time.Minute)}
		w.terms.Notices = []bank.Window{first, second}
		for _, want := range [][]bank.Window{{first}, {first, second}, {second}, nil} {
			menu, err := w.Menu(t.Context(), caller)
			if err != nil || len(menu.Notices) != len(want) {
				t.Fatalf("%+v, want %+v, %v", menu.Notices, want, err)
			}
			for i := range want {
				if menu.Notices[i] != want[i] {
					t.Errorf("%+v, want %+v", menu.Notices[i], want[i])
				}
			}
			time.Sleep(time.Minute)
		}
	})
}

// TestSuspended: a service that the bank has switched off is listed all the same, and said to be, before anything is asked.
// A preview that was drawn up before is confirmed.
func TestSuspended(t *testing.T) {
	w := newWorld(t)
	w.paid("rq-1", 100_00)
	w.paid("used", 100_00, func(r *bank.PaidRequest) { r.State = bank.RequestConsumed })
	w.paid("another's", 100_00, func(r *bank.PaidRequest) { r.Payer = w.directory.customers["p02"].Identity })
	w.paid("never", 100_00, func(r *bank.PaidRequest) { r.Service = "093-040" })
	w.paid("the core's no", 100_00, func(r *bank.PaidRequest) { r.Refusal = bank.ServiceNotRefundable })
	w.paid("another service", 100_00, func(r *bank.PaidRequest) { r.Service = "090-007" })
	before := w.preview("rq-1")
	words := bank.Text{AR: "أوقف البنك استرداد هذه الخدمة مؤقتًا", EN: "The bank has suspended this refund for now"}
	w.terms.Suspended = map[string]bank.Text{"090-003": words, "093-040": words}

	never := bank.ServiceNotRefundable.Text()
	want := map[string]bank.Listed{
		"rq-1": {Reason: bank.ServiceNotRefundable, ReasonText: words}, "used": {Reason: bank.ServiceNotRefundable, ReasonText: words},
		"another's":     {Reason: bank.PayerMismatch, ReasonText: bank.PayerMismatch.Text()},
		"the core's no": {Reason: bank.ServiceNotRefundable, ReasonText: never},
		"never":         {Reason: bank.ServiceNotRefundable, ReasonText: never}, "another service": {},
	}
	for _, service := range []string{"090-003", "093-040", "090-007"} {
		listed, _, err := w.Requests(t.Context(), caller, service, bank.Page{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range listed {
			if l.Reason != want[l.RequestID].Reason || l.ReasonText != want[l.RequestID].ReasonText {
				t.Errorf("%s: %s, %+v", l.RequestID, l.Reason, l.ReasonText)
			}
			delete(want, l.RequestID)
		}
	}
	if len(want) > 0 {
		t.Errorf("not listed: %v", want)
	}
	totals, err := w.Services(t.Context(), caller)
	if err != nil || len(totals) != 3 || totals[0].Refundable != 0 || totals[1].Refundable != 1 {
		t.Errorf("%+v, %v", totals, err)
	}
	_, _, err = w.Preview(t.Context(), caller, w.asked("rq-1"))
	var reason *bank.ReasonError
	if !errors.As(err, &reason) || reason.Reason != bank.ServiceNotRefundable || reason.Text != words {
		t.Errorf("a preview says %v: %+v", err, reason)
	}
	if _, _, err := w.Confirm(t.Context(), caller, before.ID, "", ""); err != nil {
		t.Errorf("a preview of before: %v", err)
	}
}

// TestLabels: what the bank calls services and sectors stands in lists, at the counter and in messages; what it says nothing
// of goes by its usual name.
func TestLabels(t *testing.T) {
	w := newWorld(t)
	w.terms.Services = map[string]bank.Text{"090-003": {AR: "تجديد الإقامة", EN: "Iqama renewal"}, "090-007": {}}
	w.terms.Sectors = map[string]bank.Text{"090": {AR: "خدمات الوافدين", EN: "Expatriate services"}}
	w.terms.Brand = otp.Brand{Sender: "ExampleBank", WebOTPHost: "bank.example"}
	w.paid("rq-1", 2_000_00)
	w.paid("rq-2", 100_00, func(r *bank.PaidRequest) { r.Service = "090-007" })
	w.paid("rq-3", 100_00, func(r *bank.PaidRequest) { r.Service = "092-037" })
	w.paid("rq-4", 100_00, func(r *bank.PaidRequest) { r.Service = "090-099" })
	totals, err := w.Services(t.Context(), caller)
	if err != nil {
		t.Fatal(err)
	}
	sector := moi.Name{AR: "خدمات الوافدين", EN: "Expatriate services"}
	usual := moi.Describe("090-007")
	want := []moi.Service{
		{Code: "090-003", Name: moi.Name{AR: "تجديد الإقامة", EN: "Iqama renewal"}, Sector: sector, Refundable: true},
		{Code: "090-007", Name: usual.Name, Sector: sector, Refundable: true},
		{Code: "090-099", Name: moi.Name{AR: "090-099", EN: "090-099"}, Sector: sector, Refundable: true},
		moi.Describe("092-037"),
	}
	for i, total := range totals {
		if total.Service != want[i] {
			t.Errorf("%+v, want %+v", total.Service, want[i])
		}
	}
	if _, err := w.Challenge(t.Context(), caller, otp.Refund, w.preview("rq-1").ID); err != nil {
		t.Fatal(err)
	}
	messages := w.phone.Messages()
	m := messages[len(messages)-1]
	if m.Service != want[0].Name || m.Sector != sector || m.Brand != w.terms.Brand {
		t.Errorf("the message is %+v", m)
	}
}

// TestAPreviewKeepsItsWord: whatever the bank has set meanwhile, a preview promises what it promised and asks for the code
// that it asked for, whose form is the one that it was sent in. A limit is the one of now.
func TestAPreviewKeepsItsWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // on Saturday 2000-01-01
		w := newWorld(t)
		for _, request := range []string{"rq-1", "rq-2", "rq-3"} {
			w.paid(request, 100_00)
		}
		first, second, third := w.preview("rq-1"), w.preview("rq-2"), w.preview("rq-3")
		challenge, err := w.Challenge(t.Context(), caller, otp.Refund, second.ID)
		if err != nil {
			t.Fatal(err)
		}
		w.terms.PromiseDays, w.terms.ConfirmCodeAbove, w.terms.Code = 5, 0, otp.Form{Digits: 4, Life: time.Minute}
		w.terms.Calendar.Holidays = map[saudi.Date]bool{{Year: 2000, Month: 1, Day: 3}: true}

		r, _, err := w.Confirm(t.Context(), caller, first.ID, "", "")
		if err != nil || r.Promised != first.Promised || r.Promised.String() != "2000-01-04" {
			t.Errorf("promised by %s, and then by %s, %v", first.Promised, r.Promised, err)
		}
		if r, _, err := w.Confirm(t.Context(), caller, second.ID, challenge.ID, w.phone.Code().Reveal()); err != nil || r.Promised != second.Promised {
			t.Errorf("with a code of six digits: promised by %s, %v", r.Promised, err)
		}
		w.terms.OnlineLimit = 299_99
		_, _, err = w.Confirm(t.Context(), caller, third.ID, "", "")
		w.wantErr(err, gateway.ErrLimitExceeded)

		w.terms.OnlineLimit = 1_000_00
		w.paid("rq-4", 100_00)
		fourth := w.preview("rq-4")
		if !fourth.NeedsCode || fourth.Promised.String() != "2000-01-09" {
			t.Errorf("a new one: by %s, with a code %t", fourth.Promised, fourth.NeedsCode)
		}
		if challenge, err := w.Challenge(t.Context(), caller, otp.Refund, fourth.ID); err != nil || challenge.Digits != 4 || time.Until(challenge.ExpiresAt) != time.Minute {
			t.Errorf("a new code: %+v, %v", challenge, err)
		}
	})
}
