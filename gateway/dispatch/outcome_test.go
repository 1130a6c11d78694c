package dispatch_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
)

// onlySubmits is a core that can be sent to and not asked: whatever a send led to stays as it is.
func onlySubmits(c dispatch.Call) int {
	if c == dispatch.CallSubmit {
		return 100
	}
	return 0
}

func refuses(r dispatch.Refusal) outcome { return fails(&r) }

// TestOutcomesOfASend: what each outcome makes of a refund that was sent for the first time.
func TestOutcomesOfASend(t *testing.T) {
	rows := []struct {
		name   string
		ends   outcome
		state  gateway.State
		reason string
		sends  int
		misses int
		left   bool // for ever on record as perhaps arrived
	}{
		{name: "accepted", ends: says(dispatch.CorePending), state: gateway.Pending, sends: 1, left: true},
		{name: "released at once", ends: says(dispatch.CoreRefunded), state: gateway.Refunded, sends: 1, left: true},
		{name: "taken back already", ends: says(dispatch.CoreReturned), state: gateway.Manual, reason: "core_says_returned", sends: 1, left: true},
		{name: "refused", ends: refuses(dispatch.Refusal{Code: "fee_consumed"}), state: gateway.Rejected, reason: "fee_consumed", sends: 1, left: true},
		{
			name: "refunded on the portal", ends: refuses(dispatch.Refusal{Code: "already_refunded", Channel: "portal"}),
			state: gateway.Rejected, reason: "already_refunded", sends: 1, left: true,
		},
		{
			name: "refunded at a bank, unknown here", ends: refuses(dispatch.Refusal{Code: "already_refunded", Channel: "bank", Other: "RFUNKNOWN"}),
			state: gateway.Manual, reason: "already_refunded_elsewhere", sends: 1, left: true,
		},
		{
			name: "refunded, nobody says where", ends: refuses(dispatch.Refusal{Code: "already_refunded"}),
			state: gateway.Manual, reason: "already_refunded_elsewhere", sends: 1, left: true,
		},
		{name: "F01 nothing left", ends: fails(gateway.ErrNotSent), state: gateway.Queued, misses: 1},
		{name: "cut off", ends: fails(gateway.ErrCutOff), state: gateway.Queued},
		{name: "F05 unknown", ends: fails(&gateway.UnknownError{Cause: "server_error"}), state: gateway.InDoubt, sends: 1, left: true},
		{name: "F10 malformed", ends: fails(&gateway.UnknownError{Cause: "malformed"}), state: gateway.InDoubt, sends: 1, left: true},
		{name: "F13 reference reused", ends: fails(gateway.ErrReferenceReused), state: gateway.InDoubt, sends: 1, left: true},
		{name: "F20 undocumented state", ends: says("escheated"), state: gateway.InDoubt, sends: 1, left: true},
		{name: "an unknown reference, of all things", ends: fails(gateway.ErrUnknownReference), state: gateway.InDoubt, sends: 1, left: true},
	}
	simulateDurably(t, func(t *testing.T, w *world) {
		w.core.admits = onlySubmits
		w.bank.script = func(string, int) posting { return hangs } // a released refund stays so
		var refunds []gateway.Refund
		for i, row := range rows {
			refunds = append(refunds, w.acceptTo(i+1, func(string, int) outcome { return row.ends }))
		}
		w.start(w.config())
		time.Sleep(900 * time.Millisecond) // what may be sent again waits for a second or more
		for i, row := range rows {
			now := w.want(refunds[i], row.state, row.reason)
			if now.Sends != row.sends || now.Misses != row.misses || now.MayHaveLeft != row.left {
				t.Errorf("%s: %d sends, %d misses, may have left: %t", row.name, now.Sends, now.Misses, now.MayHaveLeft)
			}
		}
	})
}

// TestOutcomesOfAResend: what leaves a second time may have arrived the first time, whatever becomes of it now.
func TestOutcomesOfAResend(t *testing.T) {
	rows := []struct {
		name  string
		ends  outcome
		state gateway.State
		sends int
	}{
		{"not sent goes back into the doubt, never to the queue", fails(gateway.ErrNotSent), gateway.InDoubt, 1},
		{"so does cut off", fails(gateway.ErrCutOff), gateway.InDoubt, 1},
		{"unknown", fails(errTimeout), gateway.InDoubt, 2},
		{"reference reused", fails(gateway.ErrReferenceReused), gateway.InDoubt, 2},
		{"accepted", says(dispatch.CorePending), gateway.Pending, 2},
		{"refused", refuses(dispatch.Refusal{Code: "fee_consumed"}), gateway.Rejected, 2},
	}
	simulateDurably(t, func(t *testing.T, w *world) {
		refunds := make([]gateway.Refund, len(rows))
		for i, row := range rows {
			refunds[i] = w.acceptTo(i+1, func(kind string, n int) outcome {
				switch {
				case kind == "submit" && n == 1:
					return fails(errTimeout)
				case kind == "submit":
					return row.ends
				case len(w.core.about(refunds[i], "submit")) < 2:
					return fails(gateway.ErrUnknownReference)
				default:
					return fails(errTimeout) // nothing more is learnt
				}
			})
		}
		w.start(w.every(5 * time.Second))
		time.Sleep(5 * time.Minute)
		for i, row := range rows {
			now := w.now(refunds[i])
			if n := len(w.core.about(refunds[i], "submit")); n != 2 || now.State != row.state || now.Sends != row.sends || !now.MayHaveLeft {
				t.Errorf("%s: %s after %d calls, %d sends on record, may have left: %t",
					row.name, now.State, n, now.Sends, now.MayHaveLeft)
			}
		}
	})
}

// TestOutcomesOfAQuestion: what each answer makes of a refund in doubt, and of one that the core had accepted.
func TestOutcomesOfAQuestion(t *testing.T) {
	rows := []struct {
		name           string
		ends           outcome
		doubt, pending gateway.State // what it makes of the one and of the other
		reason         string
		asks           int // on record, while the state stays
	}{
		{name: "pending", ends: says(dispatch.CorePending), doubt: gateway.Pending, pending: gateway.Pending, asks: 1},
		{name: "refunded", ends: says(dispatch.CoreRefunded), doubt: gateway.Refunded, pending: gateway.Refunded},
		{name: "rejected", ends: rejects("payer_mismatch"), doubt: gateway.Rejected, pending: gateway.Rejected, reason: "payer_mismatch"},
		{
			name: "rejected, because refunded somewhere", ends: rejects("already_refunded"),
			doubt: gateway.Manual, pending: gateway.Manual, reason: "already_refunded_elsewhere",
		},
		{name: "returned", ends: says(dispatch.CoreReturned), doubt: gateway.Manual, pending: gateway.Manual, reason: "core_says_returned"},
		{
			name: "reference reused", ends: fails(gateway.ErrReferenceReused),
			doubt: gateway.Manual, pending: gateway.Manual, reason: "reference_reused",
		},
		{name: "F20 undocumented", ends: says("escheated"), doubt: gateway.InDoubt, pending: gateway.Pending, asks: 1},
		{name: "not sent", ends: fails(gateway.ErrNotSent), doubt: gateway.InDoubt, pending: gateway.Pending, asks: 1},
		{name: "cut off, so nothing was asked", ends: fails(gateway.ErrCutOff), doubt: gateway.InDoubt, pending: gateway.Pending},
		{name: "unforeseen", ends: fails(anUnforeseenError{}), doubt: gateway.InDoubt, pending: gateway.Pending, asks: 1},
		{name: "unknown reference", ends: fails(gateway.ErrUnknownReference), doubt: gateway.InDoubt, pending: gateway.Pending, asks: 1},
	}
	simulateDurably(t, func(t *testing.T, w *world) {
		w.bank.script = func(string, int) posting { return hangs }
		n := 0
		check := func(first, answer outcome, from, want gateway.State, reason string, asks int) func() {
			n++
			id := n
			r := w.acceptTo(id, func(kind string, _ int) outcome {
				if kind == "submit" {
					return first
				}
				return answer
			})
			return func() {
				now := w.want(r, want, reason)
				if from == want && now.Asks != asks {
					t.Errorf("%s, %s: %d questions on record, want %d", r.Payment.RequestID, from, now.Asks, asks)
				}
			}
		}
		var checks []func()
		for _, row := range rows {
			checks = append(checks,
				check(fails(errTimeout), row.ends, gateway.InDoubt, row.doubt, row.reason, row.asks),
				check(says(dispatch.CorePending), row.ends, gateway.Pending, row.pending, row.reason, row.asks))
		}
		w.start(w.every(100 * time.Millisecond))
		time.Sleep(3300 * time.Millisecond) // the first question is put after 1 to 3 seconds, the second 2.5 after it or later
		for _, c := range checks {
			c()
		}
	})
}

// rejects is a status that says rejected, as core-protocol.md has it: with a code and nothing else.
func rejects(code string) outcome {
	return func(func() (dispatch.Answer, error)) (dispatch.Answer, error) {
		return dispatch.Answer{State: dispatch.CoreRejected, CoreReference: "GC-1", Code: code}, nil
	}
}

// otherBook is a store that knows more refunds: those which the core names in already_refunded.
type otherBook struct {
	dispatch.Queue
	others map[string]gateway.Refund
}

func (q otherBook) Reference(ctx context.Context, reference string) (gateway.Refund, error) {
	if r, known := q.others[reference]; known {
		return r, nil
	}
	return q.Queue.Reference(ctx, reference)
}

// TestAlreadyRefundedAtABank: rejected only when our own book has that other reference credited, for this request.
func TestAlreadyRefundedAtABank(t *testing.T) {
	rows := []struct {
		state   gateway.State // of the other refund in our book
		request string
		want    gateway.State
		reason  string
	}{
		{gateway.Credited, "rq-0001", gateway.Rejected, "already_refunded"},
		{gateway.Credited, "rq-9999", gateway.Manual, "already_refunded_elsewhere"},
		{gateway.Pending, "rq-0003", gateway.Manual, "already_refunded_elsewhere"},
		{gateway.Manual, "rq-0004", gateway.Manual, "already_refunded_elsewhere"},
		{gateway.Cancelled, "rq-0005", gateway.Manual, "already_refunded_elsewhere"},
		{gateway.Rejected, "rq-0006", gateway.Manual, "already_refunded_elsewhere"},
		{gateway.Returned, "rq-0007", gateway.Manual, "already_refunded_elsewhere"},
	}
	simulateDurably(t, func(t *testing.T, w *world) {
		book := otherBook{w.store, map[string]gateway.Refund{}}
		var refunds []gateway.Refund
		for i, row := range rows {
			other := fmt.Sprintf("RF%016d", i)
			book.others[other] = gateway.Refund{
				Reference: other, State: row.state, Payment: gateway.Payment{RequestID: row.request},
			}
			refunds = append(refunds, w.acceptTo(i+1, func(string, int) outcome {
				return refuses(dispatch.Refusal{Code: "already_refunded", Channel: "bank", Other: other})
			}))
		}
		c := w.config()
		c.Queue = book
		w.start(c)
		time.Sleep(time.Second)
		for i, row := range rows {
			w.want(refunds[i], row.want, row.reason)
			events, err := w.store.Events(t.Context(), refunds[i].ID)
			if err != nil {
				t.Fatal(err)
			}
			if last := events[len(events)-1]; last.Evidence["other"] != fmt.Sprintf("RF%016d", i) {
				t.Errorf("%s: the other reference isn't evidence: %v", row.state, last.Evidence)
			}
		}
	})
}

// TestAlreadyRefundedUnderOurOwn: of a first send that is a clumsy way to say that it arrived. Of a re-send, which goes only
// because the core denied the reference twice, it is a contradiction: people look at once, for no further send is of use.
func TestAlreadyRefundedUnderOurOwn(t *testing.T) {
	for name, c := range map[string]struct {
		first  outcome
		status outcome
		want   gateway.State
		reason string
		sends  int
	}{
		"a first send":                   {nil, honest, gateway.Credited, "", 1},
		"a re-send":                      {lost, fails(gateway.ErrUnknownReference), gateway.Manual, "core_forgot", 2},
		"a first send that is forgotten": {nil, fails(gateway.ErrUnknownReference), gateway.Manual, "core_forgot", 2},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				var own dispatch.Refusal
				held := func(do func() (dispatch.Answer, error)) (dispatch.Answer, error) {
					_, _ = do()
					return dispatch.Answer{}, &own
				}
				r := w.acceptTo(1, func(kind string, n int) outcome {
					switch {
					case kind == "status":
						return c.status
					case kind == "submit" && n == 1 && c.first != nil:
						return c.first
					default:
						return held
					}
				})
				own = dispatch.Refusal{Code: "already_refunded", Channel: "bank", Other: r.Reference}
				w.start(w.config())
				w.until(r, c.want, 5*time.Minute)
				w.want(r, c.want, c.reason)
				if n := len(w.core.of("submit")); n != c.sends {
					t.Errorf("%d sends, want %d", n, c.sends)
				}
			})
		})
	}
}

// greedy is a store beside which somebody else claims whatever is in doubt as soon as it is.
type greedy struct {
	dispatch.Queue
	got int
}

func (q *greedy) Apply(ctx context.Context, c gateway.Change) error {
	err := q.Queue.Apply(ctx, c)
	got, _ := q.Claim(ctx, time.Now(), dispatch.Claim{
		States: []gateway.State{gateway.InDoubt}, Limit: 1,
		Take: func(r gateway.Refund) (gateway.Change, error) { return r.Lease(time.Now().Add(time.Minute)), nil },
	})
	q.got += len(got)
	return err
}

// TestHandOverKeepsTheRefund: on its way from sending to people a refund passes through the doubt, where nobody else
// may pick it up.
func TestHandOverKeepsTheRefund(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		r := w.acceptTo(1, func(string, int) outcome { return says(dispatch.CoreReturned) })
		c := w.config()
		q := &greedy{Queue: w.store}
		c.Queue = q
		_, stop := w.start(c)
		time.Sleep(time.Second)
		stop()
		w.want(r, gateway.Manual, "core_says_returned")
		if q.got > 0 {
			t.Error("somebody else claimed it in between")
		}
	})
}
