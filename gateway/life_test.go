package gateway_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/istirdad/istirdad/gateway"
)

// step is anything that can happen to a refund. It says whether it moves the state.
type step struct {
	name string
	do   func(gateway.Refund, gateway.By) (gateway.Change, error)
}

// stay makes a step of a change that leaves the state as it is. It is for refunds that a machine still looks at.
func stay(name string, do func(gateway.Refund, gateway.By) gateway.Change) step {
	return step{name, func(r gateway.Refund, by gateway.By) (gateway.Change, error) {
		if r.Due.IsZero() {
			return gateway.Change{}, gateway.ErrMove // no claim finds it
		}
		return do(r, by), nil
	}}
}

// steps are all of them, each with the arguments that make a difference.
var steps = []step{
	{"approve", func(r gateway.Refund, by gateway.By) (gateway.Change, error) { return r.Approve(by) }},
	{"cancel", func(r gateway.Refund, by gateway.By) (gateway.Change, error) { return r.Cancel(by, "withdrawn") }},
	{"send", func(r gateway.Refund, by gateway.By) (gateway.Change, error) { return r.Send(by, time.Minute) }},
	{"not sent", func(r gateway.Refund, by gateway.By) (gateway.Change, error) { return r.NotSent(by, true, by.At) }},
	{"parked", func(r gateway.Refund, by gateway.By) (gateway.Change, error) { return r.NotSent(by, false, by.At) }},
	{"doubt", func(r gateway.Refund, by gateway.By) (gateway.Change, error) { return r.Doubt(by, by.At) }},
	{"accept", func(r gateway.Refund, by gateway.By) (gateway.Change, error) { return r.Accept(by, "GC-1", by.At) }},
	{"release", func(r gateway.Refund, by gateway.By) (gateway.Change, error) { return r.Release(by, "GC-1") }},
	{"reject", func(r gateway.Refund, by gateway.By) (gateway.Change, error) { return r.Reject(by, "fee_consumed") }},
	{"escalate", func(r gateway.Refund, by gateway.By) (gateway.Change, error) { return r.Escalate(by, "test") }},
	{"credit", func(r gateway.Refund, by gateway.By) (gateway.Change, error) { return r.Credit(by, "L-1") }},
	{"refuse credit", func(r gateway.Refund, by gateway.By) (gateway.Change, error) {
		return r.RefuseCredit(by, "account_closed")
	}},
	{"return", func(r gateway.Refund, by gateway.By) (gateway.Change, error) { return r.Return(by) }},
	{"notice sent", func(r gateway.Refund, _ gateway.By) (gateway.Change, error) { return r.Notify(gateway.NoticeSent) }},
	{"notice given up", func(r gateway.Refund, _ gateway.By) (gateway.Change, error) { return r.Notify(gateway.NoticeGiven) }},
	stay("lease", func(r gateway.Refund, by gateway.By) gateway.Change { return r.Lease(by.At) }),
	stay("post", func(r gateway.Refund, by gateway.By) gateway.Change { return r.Post(by.At) }),
	stay("ask", func(r gateway.Refund, by gateway.By) gateway.Change { return r.Ask(by.At) }),
	stay("unknown", func(r gateway.Refund, by gateway.By) gateway.Change { return r.Unknown(by.At, true, by.At) }),
	stay("unknown too soon", func(r gateway.Refund, by gateway.By) gateway.Change { return r.Unknown(by.At, false, by.At) }),
}

// born are the refunds that lives begin with.
func born(t interface{ Fatal(...any) }) []gateway.Refund {
	a := gateway.Acceptance{
		ID: "r-1", Bank: "80", At: at,
		Origin:  gateway.Origin{Customer: "p03", Channel: gateway.Online},
		Payment: gateway.Payment{RequestID: "rq-0001", Amount: 650_00},
		Rules:   gateway.Rules{Limit: 1_000_000, ApprovalExpires: at.Add(time.Hour)},
	}
	queued, _, err := a.Refund(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	a.Rules.Holds = []gateway.Mark{gateway.IdentityChecked}
	awaiting, _, err := a.Refund(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return []gateway.Refund{queued, awaiting}
}

// wrongWith says what is wrong with a refund by itself, empty when nothing is.
func wrongWith(r gateway.Refund) string {
	s := r.State
	live := !s.Final() && s != gateway.Manual
	switch {
	case r.Version < 1 || r.Sends < 0 || r.Misses < 0 || r.Posts < 0 || r.Asks < 0 || r.Unknowns < 0:
		return "a counter fell below its beginning"
	case s.Dead() && !s.Final(), s.Final() != (s.Dead() || s == gateway.Credited):
		return "dead and final contradict each other"
	case slices.Contains([]gateway.State{gateway.AwaitingApproval, gateway.Queued, gateway.Cancelled}, s) && (r.MayHaveLeft || r.Sends > 0 || r.Released()):
		return "something may have left of a refund that says nothing has"
	case slices.Contains([]gateway.State{gateway.InDoubt, gateway.Pending, gateway.Refunded, gateway.Returning, gateway.Credited, gateway.Rejected, gateway.Returned}, s) && !r.MayHaveLeft:
		return "nothing may have left of a refund that something is known of"
	case s == gateway.Sending && (r.Sends == 0 || r.SentAt.IsZero()):
		return "sending without a send"
	case s == gateway.Sending && r.Released():
		return "sent again after a release"
	case s == gateway.InDoubt && r.DoubtSince.IsZero():
		return "in doubt since never"
	case slices.Contains([]gateway.State{gateway.Refunded, gateway.Returning, gateway.Credited, gateway.Returned}, s) && !r.Released():
		return "money moves that the core never released"
	case s == gateway.Rejected && r.Released():
		return "rejected after a release"
	case s == gateway.Credited && r.CreditRefusal != "":
		return "credited although the bank refused"
	case (s == gateway.Returning || s == gateway.Returned) && r.CreditRefusal == "":
		return "taken back although the bank didn't refuse"
	case (r.LedgerID != "") != (s == gateway.Credited):
		return "a posted credit and another state than credited"
	case (r.Notice != gateway.NoticeNone) != (s == gateway.Credited):
		return "a notice and another state than credited"
	case !r.Due.IsZero() != (live || r.Notice == gateway.NoticeDue):
		return fmt.Sprintf("due %v: a machine looks at what is live or owes a notice, and at nothing else", r.Due)
	}
	return ""
}

// wrongBetween says what is wrong with a change of a refund.
func wrongBetween(before gateway.Refund, c gateway.Change) string {
	after := c.Refund()
	event, moved := c.Event()
	fixed := func(r gateway.Refund) []any {
		return []any{r.ID, r.Reference, r.Ordinal, r.Origin, r.Payment, r.To, r.Challenge, r.CreatedAt, r.Promised, r.Trace, r.Held, r.Flags}
	}
	switch {
	case c.From() != before.Version || after.Version != before.Version+1:
		return fmt.Sprintf("version %d became %d, from %d", before.Version, after.Version, c.From())
	case before.State.Final() && after.State != before.State:
		return "a final state moved"
	case moved != (after.State != before.State):
		return "a move without an event, or an event without a move"
	case moved && (event.From != before.State || event.To != after.State || event.Version != after.Version || event.RefundID != after.ID):
		return fmt.Sprintf("the event is of another move: %+v", event)
	case !slices.Equal(fixed(before), fixed(after)):
		return "what was accepted changed"
	case before.MayHaveLeft && !after.MayHaveLeft:
		return "forgot that a send may have left"
	case before.Released() && !after.Released():
		return "forgot the release"
	case before.CreditRefusal != "" && after.CreditRefusal != before.CreditRefusal:
		return "forgot the bank's refusal"
	case !before.DoubtSince.IsZero() && after.DoubtSince.IsZero():
		return "forgot the doubt"
	case after.Sends > before.Sends && after.State != gateway.Sending, after.Sends < before.Sends && before.State != gateway.Sending:
		return "sends are counted elsewhere than where they happen"
	}
	return ""
}

// within bounds the counters, and so the number of lives: beyond it nothing new happens.
func within(r gateway.Refund) bool {
	return r.Sends <= 3 && r.Misses <= 1 && r.Posts <= 2 && r.Asks <= 1 && r.Unknowns <= 2
}

// TestEveryLife walks every refund that any order of steps can lead to, and checks each of them and each way there. The
// clock stands still and the version is left out, so that lives that differ in nothing else meet.
func TestEveryLife(t *testing.T) {
	seen, edges := map[gateway.Refund]string{}, map[[2]gateway.State]bool{}
	back := map[gateway.Refund][]gateway.Refund{} // from where a refund was reached
	var queue []gateway.Refund
	visit := func(r gateway.Refund, life string) {
		r.Version = 1
		if _, known := seen[r]; known || !within(r) {
			return
		}
		seen[r] = life
		queue = append(queue, r)
		if wrong := wrongWith(r); wrong != "" {
			t.Fatalf("%s:%s", wrong, life)
		}
	}
	for _, r := range born(t) {
		visit(r, " "+string(r.State))
	}
	for len(queue) > 0 {
		r := queue[0]
		queue = queue[1:]
		for _, s := range steps {
			c, err := s.do(r, by)
			if err != nil {
				continue
			}
			if wrong := wrongBetween(r, c); wrong != "" {
				t.Fatalf("%s:%s, %s", wrong, seen[r], s.name)
			}
			after := c.Refund()
			edges[[2]gateway.State{r.State, after.State}] = true
			visit(after, seen[r]+", "+s.name)
			after.Version = 1
			back[after] = append(back[after], r)
		}
	}
	checkEdges(t, edges)
	checkWaysOut(t, seen, back)
	t.Logf("%d refunds", len(seen))
}

// checkEdges compares the moves that lives made with the truth table: every cell is some life's, and no life has more.
func checkEdges(t *testing.T, edges map[[2]gateway.State]bool) {
	t.Helper()
	want := map[[2]gateway.State]bool{
		{gateway.Sending, gateway.InDoubt}: true, // footnote 1 as well as Doubt
	}
	for _, from := range gateway.States() {
		for verb := range verbs {
			if c, err := verbs[verb](refundIn(from, verb)); err == nil {
				want[[2]gateway.State{from, c.Refund().State}] = true
			}
		}
	}
	for _, from := range gateway.States() {
		for _, to := range gateway.States() {
			if edge := [2]gateway.State{from, to}; from != to && edges[edge] != want[edge] {
				t.Errorf("%s to %s: in a life %t, in the table %t", from, to, edges[edge], want[edge])
			}
		}
	}
}

// checkWaysOut walks backwards from the ends: no refund is in a place from which no end can be reached.
func checkWaysOut(t *testing.T, seen map[gateway.Refund]string, back map[gateway.Refund][]gateway.Refund) {
	t.Helper()
	ends := map[gateway.Refund]bool{}
	var queue []gateway.Refund
	for r := range seen {
		if r.State.Final() && r.Due.IsZero() {
			ends[r] = true
			queue = append(queue, r)
		}
	}
	for len(queue) > 0 {
		for _, r := range back[queue[0]] {
			if !ends[r] {
				ends[r] = true
				queue = append(queue, r)
			}
		}
		queue = queue[1:]
	}
	for r, life := range seen {
		if !ends[r] {
			t.Fatalf("no way out of%s", life)
		}
	}
}

// TestAnyLife draws lives of any length, in which time passes.
func TestAnyLife(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.SampledFrom(born(t)).Draw(t, "born")
		now := at
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "wait")))
			s := rapid.SampledFrom(steps).Draw(t, "step")
			c, err := s.do(r, gateway.Dispatcher(now, nil))
			if err != nil {
				continue
			}
			if wrong := wrongBetween(r, c); wrong != "" {
				t.Fatalf("%s of %s: %s", s.name, r.State, wrong)
			}
			moved := c.Refund().State != r.State
			r = c.Refund()
			if wrong := wrongWith(r); wrong != "" {
				t.Fatalf("after %s: %s", s.name, wrong)
			}
			if moved && !r.UpdatedAt.Equal(now) {
				t.Fatalf("moved at %v, which says %v", now, r.UpdatedAt)
			}
		}
	})
}
