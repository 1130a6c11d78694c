package bank_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

var (
	teller = bank.Caller{
		Subject: "t01", Session: "ts1", Client: "teller-desk", Scopes: []bank.Scope{bank.ScopeTeller}, Employee: "E100", Branch: "101",
	}
	colleague = bank.Caller{
		Subject: "t02", Session: "ts2", Client: "teller-desk", Scopes: []bank.Scope{bank.ScopeTeller}, Employee: "E101", Branch: "101",
	}
	check = &bank.IdentityCheck{Method: "passport", Note: "seen by both of us"}
)

// assist begins a session for p01.
func (w *world) assist(by bank.Caller, with *bank.IdentityCheck) bank.Assistance {
	w.t.Helper()
	a, err := w.Assist(w.t.Context(), by, bank.Approach{IDNumber: "1900000017", Check: with})
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// serve has p01 prove that they are before the teller, and returns the teller who speaks for them.
func (w *world) serve(with *bank.IdentityCheck) bank.Caller {
	w.t.Helper()
	a := w.assist(teller, with)
	if a.Challenge != nil {
		if _, err := w.VerifyAssisted(w.t.Context(), teller, a.Session.ID, w.phone.Code().Reveal()); err != nil {
			w.t.Fatal(err)
		}
	}
	c, err := w.Assisted(w.t.Context(), teller, a.Session.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func noMobile(c *bank.Customer) { c.Mobile = saudi.Mobile{} }

// TestLookups: what a look-up answers, and what of it is on record by then.
func TestLookups(t *testing.T) {
	recent := func(c *bank.Customer) { c.MobileChangedAt = time.Now().Add(-time.Hour) }
	for name, c := range map[string]struct {
		by      bank.Caller
		number  string
		check   *bank.IdentityCheck
		change  func(*bank.Customer)
		want    error
		outcome bank.LookupOutcome // empty: nothing was asked of anybody, and nothing is on record
		noted   bool               // is the check
		codes   int
	}{
		"found":                            {by: teller, number: "1900000017", outcome: bank.LookupFound, codes: 1},
		"as people type":                   {by: teller, number: "١٩٠٠٠٠٠٠١٧ ", outcome: bank.LookupFound, codes: 1},
		"a check that wasn't needed":       {by: teller, number: "1900000017", check: check, outcome: bank.LookupFound, codes: 1},
		"nobody":                           {by: teller, number: "1900000090", want: bank.ErrNotFound, outcome: bank.LookupUnknown},
		"the teller's own":                 {by: teller, number: "1900000074", want: bank.ErrBarred, outcome: bank.LookupForbidden},
		"a relative's":                     {by: teller, number: "1900000033", want: bank.ErrBarred, outcome: bank.LookupForbidden},
		"no number":                        {by: teller, number: "1900000018", want: bank.ErrIDInvalid},
		"a teller whom nobody knows":       {by: bank.Caller{Subject: "t09", Session: "s", Employee: "E999", Branch: "101"}, number: "1900000017", want: bank.ErrBarred},
		"a teller who is no person":        {by: bank.Caller{Subject: "t09", Session: "s", Branch: "101"}, number: "1900000017", want: bank.ErrBarred},
		"a teller of no branch":            {by: bank.Caller{Subject: "t01", Session: "s", Employee: "E100"}, number: "1900000017", want: bank.ErrBarred},
		"no mobile":                        {by: teller, number: "1900000017", change: noMobile, want: bank.ErrMobileMissing, outcome: bank.LookupFound},
		"no mobile, and checked":           {by: teller, number: "1900000017", change: noMobile, check: check, outcome: bank.LookupFound, noted: true},
		"a mobile of today":                {by: teller, number: "1900000017", change: recent, want: bank.ErrMobileRecent, outcome: bank.LookupFound},
		"a mobile of today, and checked":   {by: teller, number: "1900000017", change: recent, check: check, outcome: bank.LookupFound, noted: true},
		"checked, and the teller's cousin": {by: teller, number: "1900000033", check: check, want: bank.ErrBarred, outcome: bank.LookupForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.change != nil {
				w.customer(c.change)
			}
			a, err := w.Assist(t.Context(), c.by, bank.Approach{IDNumber: c.number, Check: c.check})
			w.wantErr(err, c.want)
			if (err == nil) != (len(w.counter.sessions) == 1) || len(w.phone.Messages()) != c.codes {
				t.Errorf("%d sessions and %d messages", len(w.counter.sessions), len(w.phone.Messages()))
			}
			if err == nil && (a.Challenge == nil) != (c.codes == 0) {
				t.Errorf("the challenge is %v", a.Challenge)
			}
			if c.outcome == "" {
				if len(w.lookups.all) != 0 {
					t.Errorf("on record is %v", w.lookups.all)
				}
				return
			}
			l := w.lookups.all[0]
			found := ""
			if c.outcome == bank.LookupFound {
				found = "p01"
			}
			if l.Outcome != c.outcome || l.Customer != found || (l.Check != nil) != c.noted || l.Login != "t01" ||
				l.Employee != "E100" || l.Branch != "101" || l.Session != "ts1" || l.Client != "teller-desk" ||
				err == nil && l.ID != a.Session.ID || time.Since(l.At) > time.Minute {
				t.Errorf("on record is %+v", l)
			}
		})
	}
}

// TestLookupLimit: whatever comes of the look-ups, an employee has so many in a Riyadh day.
func TestLookupLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		look := func(by bank.Caller, number string) error {
			_, err := w.Assist(t.Context(), by, bank.Approach{IDNumber: number})
			return err
		}
		for n := range bank.LookupsMax {
			w.wantErr(look(teller, []string{"1900000090", "1900000033"}[n%2]), []error{bank.ErrNotFound, bank.ErrBarred}[n%2])
		}
		second := teller // the same person
		second.Subject, second.Session = "a02", "ts9"
		for _, by := range []bank.Caller{teller, second} {
			err := look(by, "1900000017")
			w.wantErr(err, bank.ErrTooOften)
			var limit *bank.RateError
			midnight := saudi.DateOf(time.Now()).AddDays(1).At(0, 0)
			if !errors.As(err, &limit) || !time.Now().Add(limit.RetryAfter).Equal(midnight) {
				t.Errorf("said %v, want until %v", err, midnight)
			}
			w.wantErr(look(by, "1900000033"), bank.ErrTooOften) // not even whom they may not serve
		}
		if len(w.phone.Messages()) != 0 || len(w.counter.sessions) != 0 {
			t.Error("beyond the limit a session began")
		}
		w.wantErr(look(colleague, "1900000017"), nil)
		var limit *bank.RateError
		errors.As(look(teller, "1900000017"), &limit)
		time.Sleep(limit.RetryAfter)
		w.wantErr(look(teller, "1900000017"), nil)
	})
}

// TestOverview: it says of each request whether it can come back and why not, in as few searches as the services take,
// and nothing of when.
func TestOverview(t *testing.T) {
	w := newWorld(t)
	other := w.directory.customers["p02"]
	for i := range 501 {
		w.paid("rq-"+string(rune('a'+i%26))+time.Duration(i).String(), 100_00)
	}
	w.paid("used", 100_00, func(r *bank.PaidRequest) { r.State = bank.RequestConsumed })
	w.paid("elsewhere", 100_00, func(r *bank.PaidRequest) { r.Service, r.PaidBank = "092-037", "10" })
	w.paid("another's", 100_00, func(r *bank.PaidRequest) { r.Service, r.Payer = "090-007", other.Identity })
	a := w.assist(teller, nil)
	if len(w.inquiries.searches) != 2 || len(a.Overview) != 504 {
		t.Fatalf("%d searches, %d outlooks", len(w.inquiries.searches), len(a.Overview))
	}
	for code, reason := range map[string]bank.Reason{
		"090-007": bank.PayerMismatch, "092-037": bank.OtherBank, "090-003": bank.FeeConsumed,
	} {
		if o := (bank.Outlook{Service: moi.Describe(code), Reason: reason}); !slices.Contains(a.Overview, o) {
			t.Errorf("%v isn't told", o)
		}
	}
	if first := a.Overview[0]; !first.Refundable() || first.Service.Code != "090-003" {
		t.Errorf("first is %v", first)
	}
	// Refused before anything is asked of the core.
	w.customer(noMobile)
	_, err := w.Assist(t.Context(), colleague, bank.Approach{IDNumber: "1900000017"})
	w.wantErr(err, bank.ErrMobileMissing)
	if len(w.inquiries.searches) != 2 {
		t.Error("the core was asked for somebody who can't go on")
	}
}

// TestLongOverview: a customer who hasn't proved yet that they are there costs the core two searches at most.
func TestLongOverview(t *testing.T) {
	w := newWorld(t)
	for i := range 1001 {
		w.paid("rq-"+time.Duration(i).String(), 100_00)
	}
	if a := w.assist(teller, nil); len(w.inquiries.searches) != 2 || len(a.Overview) != 1000 {
		t.Errorf("%d searches, %d outlooks", len(w.inquiries.searches), len(a.Overview))
	}
}

// TestWhoIsAsked: nobody but the teller who began the session, in the session of the token in which they did, speaks for
// its customer; and before the customer has typed the code they may have it sent again, and nothing else.
func TestWhoIsAsked(t *testing.T) {
	w := newWorld(t)
	a := w.assist(teller, nil)
	elsewhere := teller
	elsewhere.Session = "ts9"
	code := w.phone.Code().Reveal()
	for _, by := range []bank.Caller{colleague, elsewhere} {
		_, err := w.Assisted(t.Context(), by, a.Session.ID)
		w.wantErr(err, bank.ErrNotFound)
		_, err = w.VerifyAssisted(t.Context(), by, a.Session.ID, code)
		w.wantErr(err, bank.ErrNotFound)
		w.wantErr(w.EndAssisted(t.Context(), by, a.Session.ID), bank.ErrNotFound)
	}
	nobody, nowhere := teller, teller // by a newer token of the same session
	nobody.Employee, nowhere.Branch = "", ""
	for _, by := range []bank.Caller{nobody, nowhere} {
		_, err := w.Assisted(t.Context(), by, a.Session.ID)
		w.wantErr(err, bank.ErrBarred)
		_, err = w.VerifyAssisted(t.Context(), by, a.Session.ID, code)
		w.wantErr(err, bank.ErrBarred)
	}
	c, err := w.Assisted(t.Context(), teller, a.Session.ID)
	w.wantErr(err, nil)
	w.wantErr(c.Proven(), bank.ErrNoProof)
	_, err = w.Profile(t.Context(), c)
	w.wantErr(err, bank.ErrNoProof)
	_, err = w.Resend(t.Context(), c, "another")
	w.wantErr(err, bank.ErrNoProof)
	_, err = w.Resend(t.Context(), c, a.Challenge.ID)
	w.wantErr(err, otp.ErrTooSoon)

	// The customer's own session doesn't take the code of the counter, nor the other way round.
	_, err = w.Verify(t.Context(), caller, a.Challenge.ID, code)
	w.wantErr(err, otp.ErrGone)
	_, err = w.VerifyAssisted(t.Context(), teller, a.Session.ID, otpWrong(code))
	w.wantErr(err, otp.ErrWrong)
	expires, err := w.VerifyAssisted(t.Context(), teller, a.Session.ID, code)
	if err != nil || time.Until(expires) > bank.AssistedIdle || time.Until(expires) < bank.AssistedIdle-time.Minute {
		t.Errorf("proved until %v, %v", expires, err)
	}
	_, err = w.VerifyAssisted(t.Context(), teller, a.Session.ID, code)
	w.wantErr(err, otp.ErrUsed)
	c, err = w.Assisted(t.Context(), teller, a.Session.ID)
	w.wantErr(err, nil)
	w.wantErr(c.Proven(), nil)
	if profile, err := w.Profile(t.Context(), c); err != nil || profile.ID != "p01" {
		t.Errorf("the profile is %s's, %v", profile.ID, err)
	}
	w.wantErr(w.EndAssisted(t.Context(), teller, a.Session.ID), nil)
	w.wantErr(w.EndAssisted(t.Context(), teller, a.Session.ID), bank.ErrNotFound)
	_, err = w.Assisted(t.Context(), teller, a.Session.ID)
	w.wantErr(err, bank.ErrNotFound)
}

// TestStill: who speaks for whom is asked without being a use of the session.
func TestStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.wantErr(w.Still(t.Context(), caller), nil) // a customer speaks for themselves
		c := w.serve(nil)
		for range 14 {
			time.Sleep(time.Minute)
			w.wantErr(w.Still(t.Context(), c), nil)
		}
		w.set("Session", errors.New("connection refused"))
		w.wantErr(w.Still(t.Context(), c), bank.ErrUnavailable)
		w.set("", nil)
		time.Sleep(time.Minute)
		w.wantErr(w.Still(t.Context(), c), bank.ErrNotFound)
		c = w.serve(check)
		w.wantErr(w.Still(t.Context(), c), nil)
		w.counter.sessions = nil
		w.wantErr(w.Still(t.Context(), c), bank.ErrNotFound)
	})
}

func otpWrong(code string) string { return string(rune('0'+(code[0]-'0'+1)%10)) + code[1:] }

// TestCounterRules: how much a customer may ask for at the counter, and from where on a second person must agree.
func TestCounterRules(t *testing.T) {
	for name, c := range map[string]struct {
		spent, amount money.Amount
		check         *bank.IdentityCheck
		want          error
		code          bool
		state         gateway.State
	}{
		"a little":                     {0, 100_00, nil, nil, false, gateway.Queued},
		"with a code of its own":       {0, 1_000_01, nil, nil, true, gateway.Queued},
		"as much as online":            {4_000_00, 6_000_00, nil, nil, true, gateway.Queued},
		"more than online":             {4_000_01, 6_000_00, nil, nil, true, gateway.AwaitingApproval},
		"a little on top":              {10_000_00, 1_00, nil, nil, false, gateway.AwaitingApproval},
		"all that there is":            {14_000_00, 6_000_00, nil, nil, true, gateway.AwaitingApproval},
		"more":                         {14_000_01, 6_000_00, nil, gateway.ErrLimitExceeded, false, ""},
		"a little, after a check":      {0, 100_00, check, nil, false, gateway.AwaitingApproval},
		"much, after a check":          {0, 6_000_00, check, nil, false, gateway.AwaitingApproval},
		"more than all, after a check": {20_000_00, 1_00, check, gateway.ErrLimitExceeded, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.paid("rq-1", c.amount)
				w.book.spent = c.spent
				if c.check != nil {
					w.customer(noMobile)
				}
				by := w.serve(c.check)
				p, _, err := w.Preview(t.Context(), by, w.asked("rq-1"))
				w.wantErr(err, c.want)
				if err != nil {
					return
				}
				if p.NeedsCode != c.code || p.Approval != (c.state == gateway.AwaitingApproval) {
					t.Errorf("a code %v, an approval %v", p.NeedsCode, p.Approval)
				}
				var challenge, code string
				if p.NeedsCode {
					sent, err := w.Challenge(t.Context(), by, otp.Refund, p.ID)
					if err != nil {
						t.Fatal(err)
					}
					challenge, code = sent.ID, w.phone.Code().Reveal()
					if m := w.phone.Messages(); m[len(m)-1].Kind != otp.CodeForCounterRefund || m[len(m)-1].Branch != "101" {
						t.Errorf("sent is %v", m[len(m)-1])
					}
				}
				r, _, err := w.Confirm(t.Context(), by, p.ID, challenge, code)
				if err != nil || r.State != c.state {
					t.Fatalf("confirmed is %s, %v", r.State, err)
				}
				if midnight := saudi.DateOf(time.Now()).AddDays(1).At(0, 0); r.State == gateway.AwaitingApproval && !r.Due.Equal(midnight) {
					t.Errorf("the approval lapses at %v, want %v", r.Due, midnight)
				}
			})
		})
	}
}

// TestWhoAsked: what is done at the counter says who did it, for whom and where; also a withdrawal of what was asked for
// online.
func TestWhoAsked(t *testing.T) {
	w := newWorld(t)
	online := w.refund("rq-online")
	w.paid("rq-1", 100_00)
	by := w.serve(nil)
	p, _, err := w.Preview(t.Context(), by, w.asked("rq-1"))
	w.wantErr(err, nil)
	r, _, err := w.Confirm(t.Context(), by, p.ID, "", "")
	w.wantErr(err, nil)
	session := by.Holder().Session
	want := gateway.Origin{
		Customer: "p01", Session: session, Client: "teller-desk", Channel: gateway.Counter, Teller: "t01", Employee: "E100", Branch: "101",
	}
	if r.Origin != want || session == teller.Session {
		t.Errorf("asked by %+v, want %+v", r.Origin, want)
	}
	w.wantErr(w.Cancel(t.Context(), by, r.ID), nil)
	w.wantErr(w.Cancel(t.Context(), by, online.ID), nil)
	actor := gateway.Actor{Role: gateway.RoleTeller, ID: "t01", Employee: "E100", Branch: "101", Session: session}
	acts := 0
	for _, e := range w.book.events {
		if e.Actor == actor {
			acts++
		}
	}
	if acts != 3 {
		t.Errorf("%d of the events are the teller's: %+v", acts, w.book.events)
	}
}

// TestChannelsDontMix: what was begun in one session isn't ended in another, though the customer is the same.
func TestChannelsDontMix(t *testing.T) {
	w := newWorld(t)
	w.paid("rq-1", 2_000_00)
	online := w.preview("rq-1")
	challenge, code := w.code(online.ID)
	by := w.serve(nil)
	_, _, err := w.Confirm(t.Context(), by, online.ID, challenge, code)
	w.wantErr(err, bank.ErrNotFound)
	p, _, err := w.Preview(t.Context(), by, w.asked("rq-1"))
	w.wantErr(err, nil)
	_, _, err = w.Confirm(t.Context(), caller, p.ID, "", "")
	w.wantErr(err, bank.ErrNotFound)
	_, _, err = w.Confirm(t.Context(), by, p.ID, challenge, code) // the code of the other preview
	w.wantErr(err, otp.ErrGone)
	_, _, err = w.Confirm(t.Context(), by, p.ID, "", "")
	w.wantErr(err, bank.ErrCodeNeeded)
}

// TestTroubleAtTheCounter: whatever fails, nothing is told of a customer before it is on record, and nothing is decided.
func TestTroubleAtTheCounter(t *testing.T) {
	for _, method := range []string{"Staff", "Find", "RecordLookup", "Search", "Live", "Send", "Open"} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			w.paid("rq-1", 100_00)
			failure := errors.New("dial tcp: connection refused")
			if method == "Send" {
				failure = otp.ErrNotSent
			}
			w.trouble.set(method, failure)
			a, err := w.Assist(t.Context(), teller, bank.Approach{IDNumber: "1900000017"})
			if !errors.Is(err, bank.ErrUnavailable) && !errors.Is(err, otp.ErrSMS) {
				t.Errorf("said %v", err)
			}
			if slices.Contains([]string{"Staff", "Find", "RecordLookup"}, method) && (len(w.lookups.all) != 0 || a.Customer.ID != "") {
				t.Errorf("on record is %v; told is %v", w.lookups.all, a.Customer)
			}
			if len(w.counter.sessions) != 0 {
				t.Error("there is a session")
			}
		})
	}
	w := newWorld(t)
	a := w.assist(teller, nil)
	failure := errors.New("no room")
	w.trouble.set("Use", failure)
	_, err := w.Assisted(t.Context(), teller, a.Session.ID)
	w.wantErr(err, bank.ErrUnavailable)
	w.trouble.set("End", failure)
	w.wantErr(w.EndAssisted(t.Context(), teller, a.Session.ID), bank.ErrUnavailable)
	w.trouble.set("VerifyAssisted", failure)
	_, err = w.VerifyAssisted(t.Context(), teller, a.Session.ID, w.phone.Code().Reveal())
	w.wantErr(err, bank.ErrUnavailable)
	w.trouble.set("", nil)
	c, err := w.Assisted(t.Context(), teller, a.Session.ID)
	w.wantErr(err, nil)
	w.wantErr(c.Proven(), bank.ErrNoProof)
}
