package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
)

// verb is one way to change a refund.
type verb struct {
	name string
	do   func(gateway.Refund) (gateway.Change, error)
}

const lease = 30 * time.Second

// moves are the verbs that lead from one state to another.
var moves = []verb{
	{"approve", func(r gateway.Refund) (gateway.Change, error) { return r.Approve(by(r)) }},
	{"cancel", func(r gateway.Refund) (gateway.Change, error) { return r.Cancel(by(r), "withdrawn") }},
	{"send", func(r gateway.Refund) (gateway.Change, error) { return r.Send(by(r), lease) }},
	{"not sent", func(r gateway.Refund) (gateway.Change, error) { return r.NotSent(by(r), true, later(r)) }},
	{"doubt", func(r gateway.Refund) (gateway.Change, error) { return r.Doubt(by(r), later(r)) }},
	{"accept", func(r gateway.Refund) (gateway.Change, error) { return r.Accept(by(r), "CORE-1", later(r)) }},
	{"release", func(r gateway.Refund) (gateway.Change, error) { return r.Release(by(r), "CORE-1") }},
	{"reject", func(r gateway.Refund) (gateway.Change, error) { return r.Reject(by(r), "fee_consumed") }},
	{"escalate", func(r gateway.Refund) (gateway.Change, error) { return r.Escalate(by(r), "core_forgot") }},
	{"credit", func(r gateway.Refund) (gateway.Change, error) { return r.Credit(by(r), "LEDGER-1") }},
	{"refuse credit", func(r gateway.Refund) (gateway.Change, error) { return r.RefuseCredit(by(r), "account_closed") }},
	{"return", func(r gateway.Refund) (gateway.Change, error) { return r.Return(by(r)) }},
}

// stays are the verbs that leave a refund where it is. They are for refunds that a machine looks at again.
var stays = []verb{
	{"lease", func(r gateway.Refund) (gateway.Change, error) { return r.Lease(later(r)), nil }},
	{"post", func(r gateway.Refund) (gateway.Change, error) { return r.Post(later(r)), nil }},
	{"ask", func(r gateway.Refund) (gateway.Change, error) { return r.Ask(later(r)), nil }},
	{"unknown", func(r gateway.Refund) (gateway.Change, error) { return r.Unknown(by(r).At, true, later(r)), nil }},
	{"unknown, too early", func(r gateway.Refund) (gateway.Change, error) { return r.Unknown(by(r).At, false, later(r)), nil }},
}

func later(r gateway.Refund) time.Time { return by(r).At.Add(time.Minute) }

// edge is one move, and how a fresh refund gets to where it can be made.
type edge struct {
	approval bool // begins awaiting approval
	path     []verb
	from     gateway.Refund
	move     verb
	to       gateway.Refund
}

// edges finds every move that package gateway allows, from every state and from everything that a state may hold
// that decides over moves: whether a send may have left, whether money was released, whether its credit was refused.
func edges() []edge {
	type kind struct {
		state                   gateway.State
		left, released, refused bool
	}
	type place struct {
		approval bool
		path     []verb
		refund   gateway.Refund
	}
	var (
		found []edge
		queue []place
		seen  = make(map[kind]bool)
	)
	visit := func(p place) {
		k := kind{p.refund.State, p.refund.MayHaveLeft, p.refund.Released(), p.refund.CreditRefusal != ""}
		if !seen[k] {
			seen[k] = true
			queue = append(queue, p)
		}
	}
	for _, approval := range []bool{true, false} {
		r, _, err := begin(1, approval).Refund(0, 0)
		if err != nil {
			panic(err)
		}
		visit(place{approval: approval, refund: r})
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, m := range moves {
			c, err := m.do(at.refund)
			if err != nil {
				continue
			}
			found = append(found, edge{at.approval, at.path, at.refund, m, c.Refund()})
			visit(place{at.approval, append(slices.Clone(at.path), m), c.Refund()})
		}
	}
	return found
}

func begin(n int, approval bool) gateway.Acceptance {
	a := acceptance(n)
	if approval {
		a.Rules.Holds = []gateway.Mark{gateway.IdentityChecked}
	}
	a.Rules.ApprovalExpires = a.At.Add(time.Hour)
	return a
}

// Moves lists the pairs of states of which the first may become the second, as package gateway allows it.
func Moves() [][2]gateway.State {
	var pairs [][2]gateway.State
	for _, e := range edges() {
		if pair := [2]gateway.State{e.from.State, e.to.State}; !slices.Contains(pairs, pair) {
			pairs = append(pairs, pair)
		}
	}
	return pairs
}

// pathTo is the shortest way of a queued refund to a state.
func pathTo(t *testing.T, state gateway.State) []verb {
	t.Helper()
	if state == gateway.Queued {
		return nil
	}
	for _, e := range edges() {
		if !e.approval && e.to.State == state {
			return append(slices.Clone(e.path), e.move)
		}
	}
	t.Fatalf("no way to %s", state)
	return nil
}
