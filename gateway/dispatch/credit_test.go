package dispatch_test

import (
	"slices"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
)

// released records a refund whose money the core has released.
func (w *world) released(n int, s script) gateway.Refund {
	w.t.Helper()
	r := w.past(n, 0, s, send, release)
	w.core.book[r.Reference] = entry{dispatch.CoreRefunded, 1}
	return r
}

func refusesCredit(code string) posting {
	return func(func() (gateway.Posting, error)) (gateway.Posting, error) {
		return gateway.Posting{Refusal: code}, nil
	}
}

func failsCredit(err error) posting {
	return func(func() (gateway.Posting, error)) (gateway.Posting, error) { return gateway.Posting{}, err }
}

func TestCredit(t *testing.T) {
	for name, row := range map[string]struct {
		bank   func(kind string, n int) posting
		state  gateway.State
		reason string
		calls  []string // to the ledger, in order
	}{
		"posted": {
			bank:  func(string, int) posting { return keeps },
			state: gateway.Credited, calls: []string{"post"},
		},
		"posted, and the answer lost: asked before anything more": {
			bank: func(kind string, _ int) posting {
				if kind == "post" {
					return keepsSilent
				}
				return keeps
			},
			state: gateway.Credited, calls: []string{"post", "posting"},
		},
		"never arrived: the ledger says so, and the same credit is posted again": {
			bank: func(kind string, n int) posting {
				if kind == "post" && n == 1 {
					return hangs
				}
				return keeps
			},
			state: gateway.Credited, calls: []string{"post", "posting", "post"},
		},
		"the ledger is silent throughout a while: only asked": {
			bank: func(kind string, n int) posting {
				if n <= 3 {
					return hangs
				}
				return keeps
			},
			state: gateway.Credited, calls: []string{"post", "posting", "posting", "posting", "posting", "post", "posting", "post", "posting", "post"},
		},
		"neither posted nor refused is no credit": {
			bank: func(kind string, n int) posting {
				if kind == "post" {
					return failsCredit(nil)
				}
				return keepsSilent
			},
			state: gateway.Refunded,
		},
		"an error that nobody foresaw decides nothing": {
			bank:  func(string, int) posting { return failsCredit(anUnforeseenError{}) },
			state: gateway.Refunded,
		},
		"the reference reused": {
			bank:  func(string, int) posting { return failsCredit(gateway.ErrReferenceReused) },
			state: gateway.Manual, reason: "credit_reference_reused", calls: []string{"post"},
		},
		"refused for good": {
			bank:  func(string, int) posting { return refusesCredit("account_frozen") },
			state: gateway.Returned, reason: "account_frozen", calls: []string{"post"},
		},
		"refused for good, and the answer lost": {
			bank: func(kind string, _ int) posting {
				if kind == "post" {
					return hangs
				}
				return refusesCredit("account_closed")
			},
			state: gateway.Returned, reason: "account_closed", calls: []string{"post", "posting"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				w.bank.script = row.bank
				r := w.released(1, func(string, int) outcome { return honest })
				w.start(w.every(time.Second))
				time.Sleep(10 * time.Minute)
				w.want(r, row.state, row.reason)
				var calls []string
				for _, call := range w.bank.list() {
					if calls = append(calls, call.kind); call.refund.Reference != r.Reference {
						t.Errorf("%s under %s", call.kind, call.refund.Reference)
					}
				}
				if row.calls != nil && !slices.Equal(calls, row.calls) {
					t.Errorf("the ledger was called %v, want %v", calls, row.calls)
				}
				if row.state == gateway.Refunded && len(calls) < 5 {
					t.Errorf("the ledger was called %d times in ten minutes", len(calls))
				}
			})
		})
	}
}

// TestReturn: what the bank refused to credit, the core takes back.
func TestReturn(t *testing.T) {
	for name, row := range map[string]struct {
		core   script
		state  gateway.State
		reason string
	}{
		"taken back":                    {func(string, int) outcome { return honest }, gateway.Returned, "account_closed"},
		"taken back, two answers lost":  {firstTwo(lost), gateway.Returned, "account_closed"},
		"unreachable, and then not":     {firstTwo(fails(gateway.ErrNotSent)), gateway.Returned, "account_closed"},
		"cut off, and then not":         {firstTwo(fails(gateway.ErrCutOff)), gateway.Returned, "account_closed"},
		"some other state is no answer": {firstTwo(says(dispatch.CoreRefunded)), gateway.Returned, "account_closed"},
		"the core refuses":              {func(string, int) outcome { return fails(dispatch.ErrNotRefunded) }, gateway.Manual, "return_refused"},
		"the core knows nothing of it":  {func(string, int) outcome { return unknown }, gateway.Manual, "return_refused"},
		"the core never answers":        {func(string, int) outcome { return silence }, gateway.Returning, "account_closed"},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				w.bank.refusal = "account_closed"
				r := w.released(1, row.core)
				w.start(w.every(time.Second))
				time.Sleep(10 * time.Minute)
				w.want(r, row.state, row.reason)
				if n := len(w.bank.of("post")); n != 1 {
					t.Errorf("%d credits asked for, want the refused one", n)
				}
			})
		})
	}
}

// firstTwo is a core whose first two calls of each kind end badly.
func firstTwo(badly outcome) script {
	return func(_ string, n int) outcome {
		if n <= 2 {
			return badly
		}
		return honest
	}
}
