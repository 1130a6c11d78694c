package storetest

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// edgeRounds is how often two confirms meet at the edge of a day's limit. Which comes first is the machine's whim.
const edgeRounds = 200

// The limits of the sandbox, and of most banks.
const (
	onlineLimit  money.Amount = 10_000_00
	counterLimit money.Amount = 20_000_00
)

// meeting is two confirms of one customer at once.
type meeting struct {
	before money.Amount // of the day, by an earlier confirm; zero: none
	a, b   ask
	may    []string // how it may end, as outcomes of a and b, each with the state of what was accepted
}

// ask is a confirm: of so much, online or at the counter.
type ask struct {
	channel gateway.Channel
	amount  money.Amount
}

var meetings = []meeting{
	{0, ask{gateway.Online, 6_000_00}, ask{gateway.Online, 4_000_00}, []string{"queued queued"}},
	{0, ask{gateway.Online, 6_000_00}, ask{gateway.Online, 4_000_01}, []string{"queued limit", "limit queued"}},
	{1, ask{gateway.Online, 5_000_00}, ask{gateway.Online, 5_000_00}, []string{"queued limit", "limit queued"}},
	// Online nobody may bring the day above 10,000; at the counter they may, if somebody else agrees.
	{0, ask{gateway.Online, 6_000_00}, ask{gateway.Counter, 6_000_00}, []string{"queued awaiting_approval", "limit queued"}},
	{0, ask{gateway.Online, 5_000_00}, ask{gateway.Counter, 15_000_00}, []string{"queued awaiting_approval", "limit awaiting_approval"}},
	{1, ask{gateway.Online, 5_000_00}, ask{gateway.Counter, 15_000_00}, []string{"queued limit", "limit awaiting_approval"}},
	{0, ask{gateway.Counter, 10_000_00}, ask{gateway.Counter, 10_000_00}, []string{"queued awaiting_approval", "awaiting_approval queued"}},
	{1, ask{gateway.Counter, 10_000_00}, ask{gateway.Counter, 10_000_00}, []string{"awaiting_approval limit", "limit awaiting_approval"}},
	{9_999_99, ask{gateway.Online, 1}, ask{gateway.Online, 1}, []string{"queued limit", "limit queued"}},
}

// limitAtTheEdge: two confirms of one customer at once, on the path that every confirm takes, online and at the counter:
// the day's limit holds to the halala, whichever comes first. What dies afterwards gives back just what it took, also
// while another confirm wants it.
func limitAtTheEdge(t *testing.T, s Store) {
	e := newEdge(t, s)
	dead := []gateway.State{gateway.Rejected, gateway.Cancelled, gateway.Returned}
	for round := 0; round < edgeRounds; round++ {
		m, way := meetings[round%len(meetings)], dead[round%len(dead)]
		e.customer = fmt.Sprintf("cust-edge-%d", e.asked)
		day := saudi.DateOf(time.Now())
		if m.before > 0 {
			e.confirm(ask{gateway.Online, m.before})
		}
		var (
			asks    = [2]ask{m.a, m.b}
			said    [2]string
			refunds [2]gateway.Refund
		)
		together(2, func(i int) { refunds[i], said[i] = e.confirm(asks[i]) })
		ended, live := said[0]+" "+said[1], m.before
		for i, r := range refunds {
			if r.ID != "" {
				live += asks[i].amount
			}
		}
		e.wantSpent(day, live, ended)

		// All of it comes back, while one more wants as much as there is then.
		rest := onlineLimit - m.before
		var last string
		together(2, func(i int) {
			if i == 1 {
				_, last = e.confirm(ask{gateway.Online, rest})
				return
			}
			for _, r := range refunds {
				if r.ID != "" {
					e.die(r, way)
				}
			}
		})
		if last == "limit" { // it came too early
			e.wantSpent(day, m.before, "given back by "+string(way))
			_, last = e.confirm(ask{gateway.Online, rest})
		}
		_, more := e.confirm(ask{gateway.Online, 1})
		switch {
		case saudi.DateOf(time.Now()) != day:
			round-- // midnight in Riyadh: what was asked for was of two days
		case !slices.Contains(m.may, ended):
			t.Errorf("round %d, %+v: %s", round, m, ended)
		case last != "queued" || more != "limit":
			t.Errorf("round %d, after %s: what was left is %s, and a halala more is %s", round, way, last, more)
		default:
			e.wantSpent(day, onlineLimit, "in the end")
		}
	}
}

// edgePath is a path on the store, of which a confirm is all that is walked.
type edgePath struct {
	*bank.Path
	t        *testing.T
	s        Store
	previews *previews
	customer string
	asked    int
}

func newEdge(t *testing.T, s Store) *edgePath {
	t.Helper()
	e := &edgePath{t: t, s: s, previews: &previews{all: map[string]bank.Preview{}}}
	terms := bank.Terms{
		BankCode: bankCode, PromiseDays: 3, ConfirmCodeAbove: counterLimit, OnlineLimit: onlineLimit, CounterLimit: counterLimit,
		ApproveAbove: onlineLimit, BackOffice: "back-office", Code: otp.DefaultForm(), Thresholds: bank.DefaultThresholds(),
		Brand: otp.Brand{Sender: "TestBank"},
	}
	path, err := bank.NewPath(bank.Config{
		Sessions: e.previews, Counter: desks{e: e}, Book: s, Sightings: s, Terms: func() bank.Terms { return terms }, Recorded: func() {},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	e.Path = path
	return e
}

// confirm has the customer see a preview and confirm it: the state of what was accepted, or why it wasn't.
func (e *edgePath) confirm(a ask) (gateway.Refund, string) {
	preview := e.previews.draw(e, a)
	caller := bank.Caller{Subject: e.customer, Session: "sid-1", Client: "web"}
	if a.channel == gateway.Counter {
		teller := bank.Caller{Subject: "t01", Session: "ts-1", Client: "teller-desk", Employee: "E100", Branch: "101"}
		served, err := e.Assisted(e.t.Context(), teller, "visit-1")
		if err != nil {
			e.t.Errorf("Assisted: %v", err)
		}
		caller = served
	}
	r, replay, err := e.Confirm(e.t.Context(), caller, preview.ID, "", "")
	if err != nil {
		return gateway.Refund{}, outcome(err)
	}
	if replay {
		return r, "replay"
	}
	return r, string(r.State)
}

func (e *edgePath) die(r gateway.Refund, state gateway.State) {
	if r.State == gateway.AwaitingApproval {
		c, err := r.Approve(by(r))
		r = apply(e.t, e.s, c, err)
	}
	die(e.t, e.s, r, state)
}

func (e *edgePath) wantSpent(day saudi.Date, want money.Amount, when string) {
	e.t.Helper()
	got, err := e.s.Spent(e.t.Context(), e.customer, day)
	if saudi.DateOf(time.Now()) == day && (err != nil || got != want) {
		e.t.Errorf("%s: spent %s, want %s (%v)", when, got, want, err)
	}
}

// previews are the sessions of customers who have a proof and look at previews, and nothing else.
type previews struct {
	bank.Sessions
	mu  sync.Mutex
	all map[string]bank.Preview
}

// draw makes a preview of a request of its own.
func (p *previews) draw(e *edgePath, a ask) bank.Preview {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.asked++
	given, now := acceptance(e.asked), time.Now()
	preview := bank.Preview{
		ID: given.ID, Payment: given.Payment, To: given.To, CreatedAt: now, ExpiresAt: now.Add(bank.PreviewLife),
		Promised: saudi.Calendar{}.Promise(now, 3),
		Origin:   gateway.Origin{Customer: e.customer, Session: "sid-1", Client: "web", Channel: gateway.Online},
	}
	preview.Payment.Amount = a.amount
	if a.channel == gateway.Counter {
		preview.Origin = given.Origin
		preview.Origin.Customer = e.customer
	}
	p.all[preview.ID] = preview
	return preview
}

func (p *previews) Preview(_ context.Context, _ bank.Holder, id string) (bank.Preview, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	preview, found := p.all[id]
	if !found {
		return bank.Preview{}, bank.ErrNotFound
	}
	return preview, nil
}

func (*previews) UseProof(context.Context, bank.Holder) (string, error) { return "", nil }

// desks have the customer before them, who has typed their code.
type desks struct {
	bank.AssistedSessions
	e *edgePath
}

func (d desks) Use(_ context.Context, desk bank.Desk, id string) (bank.AssistedSession, error) {
	return bank.AssistedSession{
		ID: id, Desk: desk, Customer: d.e.customer, Challenge: "typed", Verified: true, Ends: time.Now().Add(bank.AssistedLife),
	}, nil
}
