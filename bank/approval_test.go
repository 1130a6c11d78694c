package bank_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

var (
	approver   = member("a01", "E200", "101")
	backOffice = member("a03", "E201", "back-office")
)

// member is an approver who works at a branch.
func member(login, employee, branch string) bank.Caller {
	return bank.Caller{
		Subject: login, Session: "s-" + login, Client: "teller-desk", Scopes: []bank.Scope{bank.ScopeApprover}, Employee: employee, Branch: branch,
	}
}

// checkedRefund has t01 ask for p01, whom they know without a code.
func (w *world) checkedRefund(request string) gateway.Refund {
	w.t.Helper()
	w.customer(noMobile)
	w.paid(request, 100_00)
	by := w.serve(check)
	p, _, err := w.Preview(w.t.Context(), by, w.asked(request))
	if err != nil {
		w.t.Fatal(err)
	}
	r, _, err := w.Confirm(w.t.Context(), by, p.ID, "", "")
	if err != nil || r.State != gateway.AwaitingApproval {
		w.t.Fatalf("it is %s, %v", r.State, err)
	}
	return r
}

// digest is what an approver is shown of it.
func (w *world) digest(of gateway.Refund) string {
	w.t.Helper()
	all, _, err := w.AwaitingApproval(w.t.Context(), backOffice, bank.Page{Limit: 20})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, a := range all {
		if a.ID == of.ID {
			return a.Digest
		}
	}
	w.t.Fatalf("%s doesn't await approval", of.ID)
	return ""
}

// TestAwaitingApproval: a branch sees its own, the back office everybody's, and what the teller wrote with it.
func TestAwaitingApproval(t *testing.T) {
	w := newWorld(t)
	r := w.checkedRefund("rq-1")
	w.refund("rq-2") // needs none
	for _, c := range []struct {
		by   bank.Caller
		sees int
		err  error
	}{
		{approver, 1, nil},
		{backOffice, 1, nil},
		{member("a02", "E100", "101"), 1, nil}, // sees what they can't approve
		{member("a04", "E202", "202"), 0, nil},
		{member("a04", "E202", ""), 0, bank.ErrBarred},
		{member("a04", "", "101"), 0, bank.ErrBarred},
	} {
		all, next, err := w.AwaitingApproval(t.Context(), c.by, bank.Page{Limit: 20})
		if w.wantErr(err, c.err); len(all) != c.sees || next != "" {
			t.Errorf("%s of %s sees %d, %q", c.by.Employee, c.by.Branch, len(all), next)
		}
		for _, a := range all {
			digest, err := hex.DecodeString(a.Digest)
			if a.ID != r.ID || a.Check == nil || *a.Check != *check || err != nil || len(digest) != 32 || a.Held != "identity_check" {
				t.Errorf("awaiting is %+v", a)
			}
		}
	}
	_, _, err := w.AwaitingApproval(t.Context(), approver, bank.Page{Limit: 20, Cursor: "x"})
	w.wantErr(err, bank.ErrCursor)
}

// TestIdentityCheckUnread: an approver who can't be told how the customer was identified isn't asked to decide; what else
// awaits is served, and the log says which is left out.
func TestIdentityCheckUnread(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	w.Log = slog.New(slog.NewTextHandler(&log, nil))
	lost := w.checkedRefund("rq-1")
	w.lookups.all = nil
	stays := w.checkedRefund("rq-2")
	all, _, err := w.AwaitingApproval(t.Context(), approver, bank.Page{Limit: 20})
	if err != nil || len(all) != 1 || all[0].ID != stays.ID {
		t.Errorf("it sees %+v, %v", all, err)
	}
	if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "refund="+lost.ID) || strings.Contains(log.String(), stays.ID) {
		t.Errorf("the log says %s", log.String())
	}
}

// TestDecisions: an approval and a refusal, each with who, where and why.
func TestDecisions(t *testing.T) {
	for name, c := range map[string]struct {
		decide func(w *world, r gateway.Refund) (gateway.Refund, error)
		state  gateway.State
		reason string
		text   bank.Text
		woken  int
	}{
		"approved": {func(w *world, r gateway.Refund) (gateway.Refund, error) {
			return w.Approve(w.t.Context(), approver, r.ID, "seen, of 1900000017", w.digest(r))
		}, gateway.Queued, "", bank.StepText(gateway.Event{From: gateway.AwaitingApproval, To: gateway.Queued}), 1},
		"refused": {func(w *world, r gateway.Refund) (gateway.Refund, error) {
			return w.Reject(w.t.Context(), approver, r.ID, "seen, of 1900000017")
		}, gateway.Cancelled, "approval_refused", bank.StandText(gateway.Refund{State: gateway.Cancelled, Reason: "approval_refused"}), 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := w.checkedRefund("rq-1")
			digest, woken := w.digest(r), w.recorded
			after, err := c.decide(w, r)
			if err != nil || after.State != c.state || after.Reason != c.reason || after.Version != r.Version+1 || w.recorded != woken+c.woken {
				t.Fatalf("it is %s, %q, version %d, and woke %d; %v", after.State, after.Reason, after.Version, w.recorded-woken, err)
			}
			event := w.book.events[len(w.book.events)-1]
			actor := gateway.Actor{Role: gateway.RoleApprover, ID: "a01", Employee: "E200", Branch: "101", Session: "s-a01"}
			if event.Actor != actor || event.Evidence["note"] != "seen, of 1******017" || event.Evidence["digest"] != digest || len(event.Evidence) != 2 {
				t.Errorf("the event is %+v", event)
			}
			if text := bank.StepText(event); text != c.text || text == bank.StateText(c.state) {
				t.Errorf("the customer reads %v", text)
			}
			if stand := bank.StandText(after); c.state == gateway.Cancelled && stand != c.text {
				t.Errorf("it stands as %v", stand)
			}
			for _, by := range []bank.Caller{approver, backOffice} {
				_, err := w.Approve(t.Context(), by, r.ID, "again", digest)
				w.wantErr(err, bank.ErrDecided)
				_, err = w.Reject(t.Context(), by, r.ID, "again")
				w.wantErr(err, bank.ErrDecided)
			}
			if n := len(w.book.events); n != 2 {
				t.Errorf("there are %d events", n)
			}
		})
	}
}

// TestWhoDecides: another person than the teller, of the branch or the back office, and nobody for themselves or theirs. The
// digest is of what was shown, and of nothing else.
func TestWhoDecides(t *testing.T) {
	w := newWorld(t)
	r := w.checkedRefund("rq-1")
	other := w.refund("rq-2")
	digest := w.digest(r)
	w.directory.staff["E300"] = bank.Staff{Employee: "E300", Barred: []saudi.Party{r.Payment.Payer}}
	for name, c := range map[string]struct {
		by     bank.Caller
		id     string
		digest string
		want   error
	}{
		"the teller's second login":        {member("a02", "E100", "101"), r.ID, digest, bank.ErrSelfApproval},
		"the teller's login at the office": {member("a02", "E100", "back-office"), r.ID, digest, bank.ErrSelfApproval},
		"the customer, or their brother":   {member("a05", "E300", "101"), r.ID, digest, bank.ErrBarred},
		"somebody whom nobody knows":       {member("a06", "E999", "101"), r.ID, digest, bank.ErrBarred},
		"nobody":                           {member("a07", "", "101"), r.ID, digest, bank.ErrBarred},
		"nowhere":                          {member("a07", "E200", ""), r.ID, digest, bank.ErrBarred},
		"another branch":                   {member("a08", "E200", "202"), r.ID, digest, bank.ErrNotFound},
		"the teller, from another branch":  {member("a02", "E100", "202"), r.ID, digest, bank.ErrNotFound}, // 404 comes first
		"of none":                          {backOffice, "none", digest, gateway.ErrNotFound},
		"of what awaited nothing":          {backOffice, other.ID, digest, bank.ErrNotFound},
		"of something else":                {approver, r.ID, digest[1:] + "0", bank.ErrOther},
		"of nothing":                       {approver, r.ID, "", bank.ErrOther},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.Approve(t.Context(), c.by, c.id, "fine", c.digest)
			w.wantErr(err, c.want)
			if errors.Is(c.want, bank.ErrOther) {
				return
			}
			_, err = w.Reject(t.Context(), c.by, c.id, "no")
			w.wantErr(err, c.want)
		})
	}
	if len(w.book.events) != 2 || w.book.refunds[0].State != gateway.AwaitingApproval {
		t.Errorf("decided was %+v", w.book.events)
	}
	_, err := w.Approve(t.Context(), backOffice, r.ID, "fine", digest)
	w.wantErr(err, nil)
}

// TestDigest: whatever of a row is altered, what an approver was shown of it approves it no more.
func TestDigest(t *testing.T) {
	w := newWorld(t)
	r := w.checkedRefund("rq-1")
	digest := w.digest(r)
	for name, alter := range map[string]func(*gateway.Refund){
		"amount":      func(r *gateway.Refund) { r.Payment.Amount++ },
		"account":     func(r *gateway.Refund) { r.To = iban(t, "555608000000091") },
		"payer":       func(r *gateway.Refund) { r.Payment.Payer = person(t, "1900000025") },
		"beneficiary": func(r *gateway.Refund) { r.Payment.Beneficiary = saudi.Party{} },
		"request":     func(r *gateway.Refund) { r.Payment.RequestID = "rq-9" },
		"service":     func(r *gateway.Refund) { r.Payment.Service = "090-007" },
		"name":        func(r *gateway.Refund) { r.Payment.Name.EN += "x" },
		"reference":   func(r *gateway.Refund) { r.Reference = "RF0000000000000000" },
		"customer":    func(r *gateway.Refund) { r.Origin.Customer = "p02" },
		"maker":       func(r *gateway.Refund) { r.Origin.Teller = "t02" },
		"session":     func(r *gateway.Refund) { r.Origin.Session = "x" },
		"reasons":     func(r *gateway.Refund) { r.Held = "above_limit" },
		"flags":       func(r *gateway.Refund) { r.Flags = "x" },
		"promise":     func(r *gateway.Refund) { r.Promised = r.Promised.AddDays(1) },
		"challenge":   func(r *gateway.Refund) { r.Challenge = "x" },
	} {
		before := w.book.refunds[0]
		alter(&w.book.refunds[0])
		_, err := w.Approve(t.Context(), backOffice, r.ID, "fine", digest)
		if !errors.Is(err, bank.ErrOther) {
			t.Errorf("%s: said %v", name, err)
		}
		w.book.refunds[0] = before
	}
}

// TestApprovalLapses: at midnight in Riyadh it is too late, whether or not the dispatcher has been there.
func TestApprovalLapses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := w.checkedRefund("rq-1")
		digest := w.digest(r)
		time.Sleep(time.Until(r.Due))
		_, err := w.Approve(t.Context(), approver, r.ID, "fine", digest)
		w.wantErr(err, bank.ErrDecided)
		_, err = w.Reject(t.Context(), approver, r.ID, "no")
		w.wantErr(err, bank.ErrDecided)
		change, err := r.Cancel(gateway.Dispatcher(time.Now(), nil), "approval_expired")
		if err != nil {
			t.Fatal(err)
		}
		w.wantErr(w.book.Apply(t.Context(), change), nil)
		_, err = w.Approve(t.Context(), approver, r.ID, "fine", digest)
		w.wantErr(err, bank.ErrDecided)
		event, _ := change.Event()
		if text := bank.StepText(event); text == bank.StateText(gateway.Cancelled) || text != bank.StandText(change.Refund()) {
			t.Errorf("the customer reads %v", text)
		}
	})
}

// TestWithdrawnMeanwhile: who comes second finds it decided, whoever came first.
func TestWithdrawnMeanwhile(t *testing.T) {
	w := newWorld(t)
	r := w.checkedRefund("rq-1")
	digest := w.digest(r)
	w.wantErr(w.Cancel(t.Context(), caller, r.ID), nil)
	_, err := w.Approve(t.Context(), approver, r.ID, "fine", digest)
	w.wantErr(err, bank.ErrDecided)
	if text := bank.StepText(w.book.events[1]); text != bank.StateText(gateway.Cancelled) {
		t.Errorf("the customer reads %v", text)
	}
}

// TestTroubleWithApprovals: whatever fails, nothing is decided; and whoever loses their connection decides all the same.
func TestTroubleWithApprovals(t *testing.T) {
	w := newWorld(t)
	r := w.checkedRefund("rq-1")
	digest := w.digest(r)
	for _, method := range []string{"Lookup", "Staff", "Apply"} {
		w.trouble.set(method, errors.New("connection refused"))
		_, err := w.Approve(t.Context(), approver, r.ID, "fine", digest)
		w.wantErr(err, bank.ErrUnavailable)
		_, err = w.Reject(t.Context(), approver, r.ID, "no")
		w.wantErr(err, bank.ErrUnavailable)
	}
	for _, method := range []string{"Awaiting", "IdentityChecks"} {
		w.trouble.set(method, errors.New("connection refused"))
		_, _, err := w.AwaitingApproval(t.Context(), approver, bank.Page{Limit: 20})
		w.wantErr(err, bank.ErrUnavailable)
	}
	w.trouble.set("", nil)
	w.book.stale = func(int) {}
	_, err := w.Approve(t.Context(), approver, r.ID, "fine", digest)
	w.wantErr(err, bank.ErrUnavailable)
	w.book.stale = nil
	gone, leave := context.WithCancel(t.Context())
	leave()
	_, err = w.Approve(gone, approver, r.ID, "fine", digest)
	w.wantErr(err, nil)
}

// TestUnblock: a branch that has seen a customer lets them in again, whatever wrong codes have led to. It is on record
// before, as any look is.
func TestUnblock(t *testing.T) {
	for name, c := range map[string]struct {
		wrong int // codes
	}{"for half an hour": {5}, "for good": {30}, "not at all": {0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.guess(c.wrong)
				_, err := w.Challenge(t.Context(), caller, otp.Profile, "")
				if c.wrong > 0 {
					w.wantErr(err, otp.ErrLocked)
				}
				w.wantErr(w.Unblock(t.Context(), approver, "١٩٠٠٠٠٠٠١٧", "came with 1900000017"), nil)
				time.Sleep(time.Minute)
				_, err = w.Challenge(t.Context(), caller, otp.Profile, "")
				w.wantErr(err, nil)
				l := w.lookups.all[0]
				if l.Unblock != "came with 1******017" || l.Outcome != bank.LookupFound || l.Customer != "p01" || l.Login != "a01" ||
					l.Employee != "E200" || l.Branch != "101" || l.Session != "s-a01" || l.Check != nil || l.At.IsZero() {
					t.Errorf("on record is %+v", l)
				}
			})
		})
	}
}

// guess has p01 enter that many wrong codes in a row, as the rules let them, over days if need be.
func (w *world) guess(wrong int) {
	w.t.Helper()
	for wrong > 0 {
		c, err := w.Challenge(w.t.Context(), caller, otp.Profile, "")
		if err != nil {
			time.Sleep(time.Hour)
			continue
		}
		code := w.phone.Code().Reveal()
		for range c.AttemptsLeft {
			_, err := w.Verify(w.t.Context(), caller, c.ID, otpWrong(code))
			w.wantErr(err, otp.ErrWrong)
			wrong--
		}
	}
}

// TestWhoUnblocks: nobody themselves or theirs; and what comes to nothing is on record, and counted, too.
func TestWhoUnblocks(t *testing.T) {
	w := newWorld(t)
	w.directory.staff["E200"] = bank.Staff{Employee: "E200", Barred: []saudi.Party{person(t, "1900000025")}}
	for n, c := range []struct {
		by      bank.Caller
		number  string
		want    error
		outcome bank.LookupOutcome
	}{
		{approver, "1900000025", bank.ErrBarred, bank.LookupForbidden},
		{approver, "1900000090", bank.ErrNotFound, bank.LookupUnknown},
		{approver, "1900000018", bank.ErrIDInvalid, ""},
		{member("a06", "E999", "101"), "1900000017", bank.ErrBarred, ""},
		{member("a06", "", "101"), "1900000017", bank.ErrBarred, ""},
	} {
		before := len(w.lookups.all)
		w.wantErr(w.Unblock(t.Context(), c.by, c.number, "let them in"), c.want)
		if noted := len(w.lookups.all) > before; noted != (c.outcome != "") ||
			noted && (w.lookups.all[before].Outcome != c.outcome || w.lookups.all[before].Unblock != "") {
			t.Errorf("%d: on record is %+v", n, w.lookups.all[before:])
		}
	}
	for range bank.LookupsMax - 2 {
		w.wantErr(w.Unblock(t.Context(), approver, "1900000090", "who?"), bank.ErrNotFound)
	}
	w.wantErr(w.Unblock(t.Context(), approver, "1900000017", "let them in"), bank.ErrTooOften)
	for _, method := range []string{"Staff", "Find", "RecordLookup"} {
		w.trouble.set(method, errors.New("connection refused"))
		w.wantErr(w.Unblock(t.Context(), backOffice, "1900000017", "let them in"), bank.ErrUnavailable)
	}
}

// TestNumbersInNotes: what a teller writes of an identity check is kept without the numbers in it.
func TestNumbersInNotes(t *testing.T) {
	w := newWorld(t)
	w.customer(noMobile)
	w.assist(teller, &bank.IdentityCheck{Method: "passport 123456789", Note: "٢٩٠٠٠٠٠٠١٥ is his brother"})
	if got := *w.lookups.all[0].Check; got != (bank.IdentityCheck{Method: "passport 1*****789", Note: "٢******٠١٥ is his brother"}) {
		t.Errorf("on record is %+v", got)
	}
}
