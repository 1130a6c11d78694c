package bank_test

import (
	"errors"
	"fmt"
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

// TestOrderOfReasons: where several hold, the first is told, in the list and by the preview alike.
func TestOrderOfReasons(t *testing.T) {
	type change struct {
		reason bank.Reason
		group  string // of two of one group only one can hold
		of     func(*bank.PaidRequest)
		own    bank.AccountStatus // of the account that paid
		live   bool               // a refund of ours
	}
	stranger := person(t, "2900000015")
	state := func(s bank.RequestState) func(*bank.PaidRequest) { return func(r *bank.PaidRequest) { r.State = s } }
	refusal := func(reason bank.Reason) func(*bank.PaidRequest) {
		return func(r *bank.PaidRequest) { r.Refusal = reason }
	}
	changes := []change{
		{reason: bank.PayerMismatch, of: func(r *bank.PaidRequest) { r.Payer = stranger }},
		{reason: bank.PayerMismatch, group: "refusal", of: refusal(bank.PayerMismatch)},
		{reason: bank.ServiceNotRefundable, of: func(r *bank.PaidRequest) { r.Service = "093-040" }},
		{reason: bank.ServiceNotRefundable, group: "refusal", of: refusal(bank.ServiceNotRefundable)},
		{reason: bank.FeeConsumed, group: "state", of: state(bank.RequestConsumed)},
		{reason: bank.FeeConsumed, group: "refusal", of: refusal(bank.FeeConsumed)},
		{reason: bank.RefundExists, live: true},
		{reason: bank.RefundExists, group: "state", of: state(bank.RequestRefunding)},
		{reason: bank.RefundExists, group: "state", of: state(bank.RequestRefunded)},
		{reason: bank.RefundExists, group: "refusal", of: refusal(bank.AlreadyRefunded)},
		{reason: bank.OtherBank, of: func(r *bank.PaidRequest) { r.PaidBank = "10" }},
		{reason: bank.AccountIsClosed, group: "account", own: bank.AccountClosed},
		{reason: bank.AccountIsFrozen, group: "account", own: bank.AccountFrozen},
		{reason: bank.AmountChanged, group: "refusal", of: refusal(bank.AmountChanged)},
	}
	for i, first := range changes {
		for j, second := range changes[i:] {
			if j > 0 && first.group != "" && first.group == second.group {
				continue
			}
			t.Run(fmt.Sprintf("%s %d before %s %d", first.reason, i, second.reason, i+j), func(t *testing.T) {
				w := newWorld(t)
				if first.live || second.live {
					w.refund("rq-1")
					w.inquiries.requests = nil
				}
				w.paid("rq-1", 100_00, func(r *bank.PaidRequest) {
					for _, c := range []change{second, first} {
						if c.of != nil {
							c.of(r)
						}
						if c.own != "" {
							w.customer(func(p *bank.Customer) { p.Accounts[0].Status = c.own })
						}
					}
				})
				listed, _, err := w.Requests(t.Context(), caller, w.inquiries.requests[0].Service, bank.Page{Limit: 20})
				if err != nil || len(listed) != 1 || listed[0].Reason != first.reason || listed[0].Refundable() {
					t.Fatalf("listed %+v, %v", listed, err)
				}
				if mine := listed[0].Payer == w.directory.customers["p01"].Identity; (listed[0].PaidFromOwn != nil) != mine {
					t.Errorf("the account that paid is shown: %v, to its payer: %v", !mine, mine)
				}
				_, _, err = w.Preview(t.Context(), caller, w.asked("rq-1"))
				var refused *bank.ReasonError
				if !errors.As(err, &refused) || refused.Reason != first.reason {
					t.Errorf("the preview says %v", err)
				}
			})
		}
	}
}

// TestOrderOfPreviewChecks: of any two faults the one is told that api.md lists first.
func TestOrderOfPreviewChecks(t *testing.T) {
	type fault struct {
		name, field string // two of one field can't hold at once
		want        error
		set         func(*world, *bank.Asked)
	}
	faults := []fault{
		{"no proof", "session", bank.ErrNoProof, func(w *world, _ *bank.Asked) { clear(w.sessions.proofs) }},
		{"no ID number", "id", bank.ErrIDInvalid, func(_ *world, a *bank.Asked) { a.IDNumber = "1900000018" }},
		{"an ID number that nobody types", "id", bank.ErrIDInvalid, func(_ *world, a *bank.Asked) { a.IDNumber = "" }},
		{"another's ID number", "id", bank.ErrIDMismatch, func(_ *world, a *bank.Asked) { a.IDNumber = "1900000025" }},
		{"no account", "account", bank.ErrIBANInvalid, func(_ *world, a *bank.Asked) { a.AccountNumber = "SA00 8000" }},
		{"another's account by its id", "account", bank.ErrIBANInvalid, func(_ *world, a *bank.Asked) { a.AccountNumber = "acc-p02-1" }},
		{"no request", "request", bank.ErrNotFound, func(_ *world, a *bank.Asked) { a.RequestID = "rq-none" }},
		{"a reason", "request", nil, func(_ *world, a *bank.Asked) { a.RequestID = "rq-used" }},
		{"another's account", "account", bank.ErrAccountNotOwned, func(_ *world, a *bank.Asked) { a.AccountNumber = "555608000000002" }},
		{"an account that didn't pay", "account", bank.ErrAccountMismatch, func(_ *world, a *bank.Asked) { a.AccountNumber = "acc-p01-2" }},
		{"the limit", "day", gateway.ErrLimitExceeded, func(w *world, _ *bank.Asked) { w.book.spent = 9_900_01 }},
	}
	for i, first := range faults {
		for _, second := range faults[i:] {
			if first.name != second.name && first.field == second.field {
				continue
			}
			t.Run(first.name+" before "+second.name, func(t *testing.T) {
				w := newWorld(t)
				w.paid("rq-1", 100_00)
				w.paid("rq-used", 100_00, func(r *bank.PaidRequest) { r.State = bank.RequestConsumed })
				a := w.asked("rq-1")
				second.set(w, &a)
				first.set(w, &a)
				_, _, err := w.Preview(t.Context(), caller, a)
				if reason, is := errors.AsType[*bank.ReasonError](err); first.want == nil && (!is || reason.Reason != bank.FeeConsumed) {
					t.Errorf("said %v, want the reason", err)
				} else if first.want != nil {
					w.wantErr(err, first.want)
				}

				// Refused, the key is free: for another body too.
				w.prove()
				w.book.spent = 0
				right := w.asked("rq-1")
				right.Key = a.Key
				if _, replay, err := w.Preview(t.Context(), caller, right); err != nil || replay {
					t.Errorf("then the key says %v, replay %v", err, replay)
				}
			})
		}
	}
}

// TestAccountsAsTyped: by IBAN, number or id, in whatever digits.
func TestAccountsAsTyped(t *testing.T) {
	for _, typed := range []string{
		"SA6680000555608000000001", "sa66 8000 0555 6080 0000 0001", "SA٦٦ ٨٠٠٠ ٠٥٥٥ ٦٠٨٠ ٠٠٠٠ ٠٠٠١", "555608000000001",
		"۵۵۵۶۰۸۰۰۰۰۰۰۰۰۱", "555-608-000000001", "acc-p01-1",
	} {
		w := newWorld(t)
		w.paid("rq-1", 100_00)
		a := w.asked("rq-1")
		a.AccountNumber = typed
		p, _, err := w.Preview(t.Context(), caller, a)
		if err != nil || p.To != iban(t, "555608000000001") {
			t.Errorf("%q: %v, %v", typed, p.To, err)
		}
	}
}

// TestLimit: what a day's refunds take, to the halala.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.paid("rq-1", 1_000_00)
		w.paid("rq-2", 9_000_00)
		w.paid("rq-3", 1)
		w.paid("rq-4", 10_000_01)
		_, _, err := w.Preview(t.Context(), caller, w.asked("rq-4"))
		w.wantErr(err, gateway.ErrLimitExceeded)
		small, halala := w.preview("rq-1"), w.preview("rq-3")
		large := w.preview("rq-2")
		challenge, code := w.code(large.ID)
		if _, _, err := w.Confirm(t.Context(), caller, large.ID, challenge, code); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.Confirm(t.Context(), caller, small.ID, "", ""); err != nil {
			t.Fatal(err)
		}
		// 10,000.00 it is now, and no more.
		_, _, err = w.Confirm(t.Context(), caller, halala.ID, "", "")
		w.wantErr(err, gateway.ErrLimitExceeded)
		_, _, err = w.Preview(t.Context(), caller, w.asked("rq-3"))
		w.wantErr(err, gateway.ErrLimitExceeded)
		// What is withdrawn is given back.
		if err := w.Cancel(t.Context(), caller, small.ID); err != nil {
			t.Fatal(err)
		}
		w.preview("rq-3")
		// A new day begins at midnight in Riyadh, which is 21:00 in UTC.
		w.paid("rq-5", 1_000_00)
		w.preview("rq-5")
		w.book.spent = 1
		_, _, err = w.Preview(t.Context(), caller, w.asked("rq-5"))
		w.wantErr(err, gateway.ErrLimitExceeded)
		w.book.spent = 0
		time.Sleep(21*time.Hour - time.Second) // the bubble begins at midnight in UTC
		w.prove()
		w.paid("rq-6", 1_000_01)
		_, _, err = w.Preview(t.Context(), caller, w.asked("rq-6"))
		w.wantErr(err, gateway.ErrLimitExceeded)
		time.Sleep(time.Second)
		w.preview("rq-6")
	})
}

// TestCodeLine: a confirm above the line needs a code; zero means every confirm.
func TestCodeLine(t *testing.T) {
	for _, c := range []struct {
		line, amount money.Amount
		needs        bool
	}{
		{1_000_00, 1_000_00, false}, {1_000_00, 1_000_01, true}, {0, 1, true},
	} {
		w := newWorld(t, func(terms *bank.Terms) { terms.ConfirmCodeAbove = c.line })
		w.paid("rq-1", c.amount)
		p := w.preview("rq-1")
		if p.NeedsCode != c.needs {
			t.Errorf("%v with a line at %v needs a code: %v", c.amount, c.line, p.NeedsCode)
		}
		_, _, err := w.Confirm(t.Context(), caller, p.ID, "", "")
		if errors.Is(err, bank.ErrCodeNeeded) != c.needs {
			t.Errorf("%v with a line at %v: %v", c.amount, c.line, err)
		}
	}
}

// TestMobile: a code goes only to a mobile that the bank has had for three days.
func TestMobile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.customer(func(c *bank.Customer) { c.MobileChangedAt = time.Now() })
		ask := func() error {
			_, err := w.Challenge(t.Context(), caller, otp.Profile, "")
			return err
		}
		w.wantErr(ask(), bank.ErrMobileRecent)
		time.Sleep(72*time.Hour - time.Second)
		w.wantErr(ask(), bank.ErrMobileRecent)
		if n := len(w.phone.Messages()); n != 0 {
			t.Errorf("%d SMS went to a number of yesterday", n)
		}
		time.Sleep(time.Second)
		c, err := w.Challenge(t.Context(), caller, otp.Profile, "")
		if err != nil {
			t.Fatal(err)
		}

		// It changes while a challenge lives: the next code isn't sent either.
		time.Sleep(time.Minute)
		w.customer(func(c *bank.Customer) { c.MobileChangedAt = time.Now().Add(-time.Second) })
		_, err = w.Resend(t.Context(), caller, c.ID)
		w.wantErr(err, bank.ErrMobileRecent)
		w.customer(func(c *bank.Customer) { c.Mobile = saudi.Mobile{} })
		_, err = w.Resend(t.Context(), caller, c.ID)
		w.wantErr(err, bank.ErrMobileMissing)
		w.wantErr(ask(), bank.ErrMobileMissing)
	})
}

// TestPromise: by the bank's calendar, of the preview's moment in a preview and of the confirm's in a refund.
func TestPromise(t *testing.T) {
	cutOff := func(terms *bank.Terms) {
		terms.Calendar = saudi.Calendar{
			CutOff: 14 * time.Hour, Holidays: map[saudi.Date]bool{saudi.DateOf(time.Date(2000, 1, 5, 0, 0, 0, 0, time.UTC)): true},
		}
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, cutOff)
		w.paid("rq-1", 100_00)
		w.paid("rq-2", 100_00)
		// The bubble begins on Saturday 2000-01-01 at 03:00 in Riyadh. Sunday, Monday, Tuesday.
		if by := w.preview("rq-1").Promised.String(); by != "2000-01-04" {
			t.Errorf("promised by %s", by)
		}
		time.Sleep(11*time.Hour - time.Minute) // 13:59
		w.prove()
		p := w.preview("rq-2")
		if by := p.Promised.String(); by != "2000-01-04" {
			t.Errorf("before the cut-off promised by %s", by)
		}
		time.Sleep(time.Minute) // 14:00, which counts as Sunday: Monday, Tuesday, and Thursday for the holiday
		r, _, err := w.Confirm(t.Context(), caller, p.ID, "", "")
		if err != nil || r.Promised.String() != "2000-01-06" {
			t.Errorf("from the cut-off on promised by %s, %v", r.Promised, err)
		}
		// The first answer is for ever.
		time.Sleep(72 * time.Hour)
		if again, replay, err := w.Confirm(t.Context(), caller, p.ID, "", ""); err != nil || !replay || again.Promised != r.Promised {
			t.Errorf("later promised by %s, replay %v, %v", again.Promised, replay, err)
		}
	})
}

// TestServicesOverManyPages: an employer's requests are counted whole, 500 to a question to the core and to the book; the
// bank is asked once.
func TestServicesOverManyPages(t *testing.T) {
	w := newWorld(t)
	for i := range 1_234 {
		w.paid(fmt.Sprint("rq-", i), 100_00, func(r *bank.PaidRequest) {
			switch {
			case i%2 == 1:
				r.Service = "090-007"
			case i%4 == 0:
				r.State = bank.RequestConsumed
			}
		})
	}
	totals, err := w.Services(t.Context(), caller)
	want := []bank.ServiceTotal{
		{Service: moi.Describe("090-003"), Refundable: 308, Total: 308 * 100_00},
		{Service: moi.Describe("090-007"), Refundable: 617, Total: 617 * 100_00},
	}
	if err != nil || !slices.Equal(totals, want) {
		t.Errorf("the totals are %+v, %v", totals, err)
	}
	if n := len(w.inquiries.searches); n != 3 || w.directory.asked != 1 || !slices.Equal(w.book.lives, []int{500, 500, 234}) {
		t.Errorf("for 1,234 requests the core was asked %d times, the bank %d times, the book for %v", n, w.directory.asked, w.book.lives)
	}
}

// TestServicesOfTheNewest: there is an end to what one list may cost, also of a core whose pages go round in circles.
func TestServicesOfTheNewest(t *testing.T) {
	w := newWorld(t)
	for i := range 500 {
		w.paid(fmt.Sprint("rq-", i), 1_00)
	}
	w.inquiries.circle = true
	totals, err := w.Services(t.Context(), caller)
	if want := []bank.ServiceTotal{{Service: moi.Describe("090-003"), Refundable: 50_000, Total: 50_000_00}}; err != nil || !slices.Equal(totals, want) {
		t.Errorf("the totals are %+v, %v", totals, err)
	}
	if n := len(w.inquiries.searches); n != 100 {
		t.Errorf("%d questions", n)
	}
}

// TestPageCostsOneOfEach: a page of requests is one question to the bank, one to the core and one to the book.
func TestPageCostsOneOfEach(t *testing.T) {
	w := newWorld(t)
	for i := range 250 {
		w.paid(fmt.Sprint("rq-", i), 1_00)
	}
	seen, cursor := 0, ""
	for page := 1; page == 1 || cursor != ""; page++ {
		listed, next, err := w.Requests(t.Context(), caller, "090-003", bank.Page{Limit: 100, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		if w.directory.asked != page || len(w.inquiries.searches) != page || len(w.book.lives) != page || w.book.lives[page-1] != len(listed) {
			t.Errorf("after page %d the bank was asked %d times, the core %d times, the book for %v",
				page, w.directory.asked, len(w.inquiries.searches), w.book.lives)
		}
		seen, cursor = seen+len(listed), next
	}
	if seen != 250 {
		t.Errorf("%d requests", seen)
	}
}

// TestCursors of requests: good for the customer and service that they were given to.
func TestCursors(t *testing.T) {
	w := newWorld(t)
	if _, err := w.sessions.Prove(t.Context(), other.Holder(), "proof-1"); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		w.paid(fmt.Sprint("rq-", i), 100_00)
	}
	page := func(c bank.Caller, service, cursor string) ([]bank.Listed, string, error) {
		return w.Requests(t.Context(), c, service, bank.Page{Limit: 2, Cursor: cursor})
	}
	listed, next, err := page(caller, "090-003", "")
	if err != nil || len(listed) != 2 || next == "" {
		t.Fatalf("the first page: %d, %q, %v", len(listed), next, err)
	}
	if listed, last, err := page(caller, "090-03", next); err != nil || len(listed) != 1 || last != "" {
		t.Errorf("the last page: %d, %q, %v", len(listed), last, err)
	}
	for name, c := range map[string]struct {
		by              bank.Caller
		service, cursor string
	}{
		"another customer": {other, "090-003", next}, "another service": {caller, "090-007", next},
		"cut": {caller, "090-003", next[:len(next)-2]}, "the core's own": {caller, "090-003", "2"}, "no cursor": {caller, "090-003", "!"},
	} {
		if _, _, err := page(c.by, c.service, c.cursor); !errors.Is(err, bank.ErrCursor) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, service := range []string{"", "x", "090-0033", "999-999", "090-003/"} {
		if _, _, err := page(caller, service, ""); !errors.Is(err, bank.ErrUnknownService) {
			t.Errorf("service %q: %v", service, err)
		}
	}
	if listed, _, err := page(caller, "091-025", ""); err != nil || len(listed) != 0 {
		t.Errorf("a service without requests: %v, %v", listed, err)
	}
	_, _, err = w.Refunds(t.Context(), caller, bank.Page{Limit: 1, Cursor: next})
	w.wantErr(err, bank.ErrCursor)
}
