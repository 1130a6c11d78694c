package bank_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/otp"
)

// TestTroubleDecidesNothing: whatever a store or a neighbour fails with, even with an error that means something
// elsewhere, every step that needs it says so, no step says yes wrongly, and afterwards all goes on as if nothing had been.
func TestTroubleDecidesNothing(t *testing.T) {
	type step struct {
		name string
		do   func(w *world, confirmed, dropped bank.Preview) error
		uses string // the methods that it can't do without, by name
	}
	steps := []step{
		{"profile", func(w *world, _, _ bank.Preview) error {
			_, err := w.Profile(t.Context(), caller)
			return err
		}, "UseProof Customer"},
		{"services", func(w *world, _, _ bank.Preview) error {
			_, err := w.Services(t.Context(), caller)
			return err
		}, "UseProof Customer Search Live"},
		{"requests", func(w *world, _, _ bank.Preview) error {
			_, _, err := w.Requests(t.Context(), caller, "090-003", bank.Page{Limit: 20})
			return err
		}, "UseProof Customer Search Live"},
		{"preview", func(w *world, _, _ bank.Preview) error {
			_, _, err := w.Preview(t.Context(), caller, w.asked("rq-1"))
			return err
		}, "UseProof Begin Customer Search Live Spent KeepPreview"},
		{"view", func(w *world, p, _ bank.Preview) error {
			_, err := w.View(t.Context(), caller, p.ID)
			return err
		}, "Refund Preview"},
		{"challenge", func(w *world, p, _ bank.Preview) error {
			_, err := w.Challenge(t.Context(), caller, otp.Refund, p.ID)
			return err
		}, "Customer Refund Preview"},
		{"confirm", func(w *world, p, _ bank.Preview) error {
			_, _, err := w.Confirm(t.Context(), caller, p.ID, "", "")
			return err
		}, "Refund Preview Spent UseProof Accept"},
		{"list", func(w *world, _, _ bank.Preview) error {
			_, _, err := w.Refunds(t.Context(), caller, bank.Page{Limit: 20})
			return err
		}, "Refunds"},
		{"timeline", func(w *world, p, _ bank.Preview) error {
			_, err := w.View(t.Context(), caller, p.ID)
			return err
		}, "Refund Events"},
		{"withdraw a preview", func(w *world, _, p bank.Preview) error { return w.Cancel(t.Context(), caller, p.ID) },
			"Refund Preview Withdraw DropPreview"},
		{"withdraw", func(w *world, p, _ bank.Preview) error { return w.Cancel(t.Context(), caller, p.ID) }, "Refund Apply"},
		{"balance", func(w *world, _, _ bank.Preview) error {
			_, _, err := w.Balance(t.Context(), caller, "1900000017")
			return err
		}, "UseProof Customer Take Balances"},
		{"end the session", func(w *world, _, _ bank.Preview) error { return w.EndSession(t.Context(), caller) }, "End"},
	}
	methods := []string{
		"Customer", "Search", "UseProof", "Begin", "KeepPreview", "Preview", "Refund", "Refunds", "Events", "Live", "Spent", "Accept", "Apply",
		"Withdraw", "DropPreview", "Take", "Balances", "End", "Drop",
	}
	unlucky := map[string]error{
		"an outage": errors.New("dial tcp: connection refused"),
		// An error that means something of another method, and nothing of this one.
		"a stray error":   gateway.ErrMove,
		"the core's word": bank.ErrCoreUnavailable, // and of everybody else no better than an outage
	}
	for kind, failure := range unlucky {
		for _, method := range methods {
			t.Run(kind+" at "+method, func(t *testing.T) {
				w := newWorld(t)
				w.paid("rq-1", 100_00)
				confirmed, dropped := w.preview("rq-1"), w.preview("rq-1")
				for _, s := range steps {
					w.trouble.set(method, failure)
					err := s.do(w, confirmed, dropped)
					needs := slices.Contains(strings.Fields(s.uses), method)
					switch {
					case needs && err == nil:
						t.Errorf("%s: said yes", s.name)
					case needs && !errors.Is(err, bank.ErrUnavailable) && !errors.Is(err, bank.ErrCoreUnavailable):
						t.Errorf("%s: said %v", s.name, err)
					case !needs && err != nil:
						t.Errorf("%s: said %v without need", s.name, err)
					}
					w.trouble.set("", nil)
					if needs {
						if err := s.do(w, confirmed, dropped); err != nil {
							t.Errorf("%s, when it is over: %v", s.name, err)
						}
					}
				}
				if n := len(w.book.refunds); n != 1 || w.book.refunds[0].State != gateway.Cancelled {
					t.Errorf("at the end there are %d refunds", n)
				}
			})
		}
	}
}

// TestCoreSaysSomethingElse: an answer about another request than the one asked about is none.
func TestCoreSaysSomethingElse(t *testing.T) {
	w := newWorld(t)
	w.paid("rq-1", 100_00)
	w.inquiries.requests[0].RequestID = "rq-2"
	_, _, err := w.Preview(t.Context(), caller, w.asked("rq-1"))
	w.wantErr(err, bank.ErrNotFound)
}

// TestVerify: a right code proves its own session; without a place to keep the proof there is none, and the code is
// spent.
func TestVerify(t *testing.T) {
	w := newWorld(t)
	clear(w.sessions.proofs)
	c, err := w.Challenge(t.Context(), caller, otp.Profile, "")
	if err != nil {
		t.Fatal(err)
	}
	code := w.phone.Code().Reveal()
	elsewhere := caller
	elsewhere.Session = "s9"
	for _, by := range []bank.Caller{other, elsewhere} {
		_, err := w.Verify(t.Context(), by, c.ID, code)
		w.wantErr(err, otp.ErrGone)
	}
	w.trouble.set("Prove", errors.New("no room"))
	_, err = w.Verify(t.Context(), caller, c.ID, code)
	w.wantErr(err, bank.ErrUnavailable)
	w.wantErr(w.proved(caller), bank.ErrNoProof)
	w.trouble.set("", nil)
	_, err = w.Verify(t.Context(), caller, c.ID, code)
	w.wantErr(err, otp.ErrUsed)
	w.wantErr(w.proved(caller), bank.ErrNoProof)
}

// TestTerms that nobody could keep are refused.
func TestTerms(t *testing.T) {
	for name, change := range map[string]func(*bank.Terms){
		"no bank code":           func(terms *bank.Terms) { terms.BankCode = "" },
		"no promise":             func(terms *bank.Terms) { terms.PromiseDays = 0 },
		"no limit":               func(terms *bank.Terms) { terms.OnlineLimit = 0 },
		"no counter limit":       func(terms *bank.Terms) { terms.CounterLimit = 0 },
		"nobody to approve":      func(terms *bank.Terms) { terms.ApproveAbove = 0 },
		"a code of three digits": func(terms *bank.Terms) { terms.Code.Digits = 3 },
		"a line below zero":      func(terms *bank.Terms) { terms.ConfirmCodeAbove = -1 },
		"a time before zero":     func(terms *bank.Terms) { terms.MobileRest = -1 },
		"a bank of the world":    func(terms *bank.Terms) { terms.BankCode = "080" },
		"everybody is many":      func(terms *bank.Terms) { terms.Thresholds.People = 0 },
		"never lately":           func(terms *bank.Terms) { terms.Thresholds.MobileWithin = 0 },
		"no codes are many":      func(terms *bank.Terms) { terms.Thresholds.Codes = 0 },
		"no looks are many":      func(terms *bank.Terms) { terms.Thresholds.Looks = 0 },
		"uses of no time":        func(terms *bank.Terms) { terms.Thresholds.PeopleWithin = 0 },
		"uses that aren't kept":  func(terms *bank.Terms) { terms.Thresholds.PeopleWithin = bank.UsesKept + 1 },
	} {
		under := terms()
		change(&under)
		if _, err := bank.NewPath(bank.Config{Terms: func() bank.Terms { return under }}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
