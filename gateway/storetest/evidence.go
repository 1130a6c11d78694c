package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/kept"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

var evidenceTests = map[string]func(*testing.T, Store){
	"a message comes back whole":            messagesComeBack,
	"a message is on record once":           messageOnce,
	"a message is kept for 90 days":         messagesForgotten,
	"a move keeps what it rests on":         witnessesComeBack,
	"what moves nothing keeps nothing":      noWitnessWithoutMove,
	"a stale move keeps nothing":            noWitnessOfStale,
	"a taking comes back whole":             takingsComeBack,
	"a look-up is found by its id":          lookedUp,
	"operators list everybody's refunds":    listForOperators,
	"a page of one state is no other's":     operatorsCursors,
	"64 takings of one refund at once stay": takingsAtOnce,
}

// message is the n-th on record. Every field is filled.
func message(t *testing.T, n int, about string) otp.Sent {
	t.Helper()
	to, err := saudi.ParseMobile(fmt.Sprintf("+9665%08d", n))
	if err != nil {
		t.Fatal(err)
	}
	return otp.Sent{
		ID: fmt.Sprintf("0198f0c0-0000-7000-8000-%012d", n), Message: about + ":1", About: about,
		At: start.Add(time.Duration(n) * time.Microsecond), Kind: otp.CodeForRefund, To: to,
		Text: "رمز مؤقت:●●●●●●\nلا تشاركه مع أحد", Route: "http", Outcome: otp.SendTaken,
	}
}

func recordSMS(t *testing.T, s Store, m otp.Sent) {
	t.Helper()
	if err := s.RecordSMS(t.Context(), m); err != nil {
		t.Fatalf("RecordSMS: %v", err)
	}
}

func messagesComeBack(t *testing.T, s Store) {
	code, again, notice, alert, other := message(t, 1, "challenge-1"), message(t, 2, "challenge-1"), message(t, 3, "RF-1"), message(t, 4, ""), message(t, 5, "challenge-2")
	again.Outcome, notice.Outcome, notice.Kind = otp.SendUnknown, otp.SendNotSent, otp.RefundCompleted
	alert.Message = "alert:1"
	for _, m := range []otp.Sent{notice, again, code, alert, other} {
		recordSMS(t, s, m)
	}
	want := func(most int, about []string, want ...otp.Sent) {
		t.Helper()
		got, err := s.SMS(t.Context(), about, most)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("about %q: %+v, want %+v", about, got, want)
		}
	}
	want(10, []string{"challenge-1", "RF-1"}, code, again, notice)
	want(2, []string{"challenge-1", "RF-1"}, code, again)
	want(10, []string{"challenge-2"}, other)
	want(10, []string{"", "challenge-3"})
	want(10, nil)
}

func messageOnce(t *testing.T, s Store) {
	recordSMS(t, s, message(t, 1, "challenge-1"))
	if err := s.RecordSMS(t.Context(), message(t, 1, "challenge-2")); err == nil {
		t.Error("it is on record twice")
	}
	if got, err := s.SMS(t.Context(), []string{"challenge-2"}, 1); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// messagesForgotten is far enough in the past that the clock of a store's own, by which it forgets nothing younger, is later.
func messagesForgotten(t *testing.T, s Store) {
	long := start.AddDate(-5, 0, 0)
	at := func(n int, about string, at time.Time) otp.Sent {
		m := message(t, n, about)
		m.At = at
		recordSMS(t, s, m)
		return m
	}
	about := []string{"challenge-1", "challenge-2", "challenge-3"}
	want := func(want ...otp.Sent) {
		t.Helper()
		got, err := s.SMS(t.Context(), about, 10)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) { // of a number cmp sees nothing
			t.Errorf("on record are %+v, want %+v", got, want)
		}
	}
	first, second := at(1, about[0], long), at(2, about[1], long.Add(time.Microsecond))
	third := at(3, about[2], long.Add(kept.SMSFor))
	want(first, second, third)
	fourth := at(4, about[0], long.Add(kept.SMSFor+time.Microsecond))
	want(second, third, fourth)
	// A clock that leaps takes nothing from what is young by the store's own.
	now := time.Now().UTC().Truncate(time.Microsecond)
	fifth := at(5, about[1], now.Add(time.Hour-kept.SMSFor))
	want(fifth)
	sixth := at(6, about[0], now.AddDate(10, 0, 0))
	want(fifth, sixth)
}

// exchange is one with every field filled.
func exchange(call string) *gateway.Exchange {
	signed := func(body string) gateway.Signed {
		return gateway.Signed{
			At: start, Method: "POST", Authority: "core.example", Path: "/core/v1/refunds", Query: "?", Status: 201,
			Digest: "sha-256=:x:", Input: `core=("@status");nonce="n"`, Signature: "core=:y:", KeyID: "core-1",
			Key: []byte("0123456789abcdef0123456789abcdef"), Body: []byte(body),
		}
	}
	answered := signed("{\"iban\":\"SA0380000000608010167519\"}\x00")
	return &gateway.Exchange{Call: call, Asked: signed(""), Answered: &answered}
}

func wantWitnesses(t *testing.T, s Store, id string, want ...gateway.Witness) {
	t.Helper()
	got, err := s.Witnesses(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "witnesses", got, want)
}

func witnessesComeBack(t *testing.T, s Store) {
	r := accept(t, s, acceptance(1))
	other := accept(t, s, acceptance(2))
	unanswered := exchange("submit")
	unanswered.Answered, unanswered.Asked.Body = nil, []byte("{}")
	var want []gateway.Witness
	for _, step := range []struct {
		do   func(gateway.Refund) (gateway.Change, error)
		said *gateway.Exchange
	}{
		{func(r gateway.Refund) (gateway.Change, error) { return r.Send(by(r), lease) }, nil},
		{func(r gateway.Refund) (gateway.Change, error) { return r.Doubt(by(r), later(r)) }, unanswered},
		{func(r gateway.Refund) (gateway.Change, error) { return r.Accept(by(r), "C-1", later(r)) }, exchange("status")},
		{func(r gateway.Refund) (gateway.Change, error) { return r.Release(by(r), "C-1") }, exchange("status")},
		{func(r gateway.Refund) (gateway.Change, error) { return r.RefuseCredit(by(r), "account_closed") }, nil},
		{func(r gateway.Refund) (gateway.Change, error) { return r.Return(by(r)) }, exchange("return")},
	} {
		c, err := step.do(r)
		r = apply(t, s, c.Witnessed(step.said), err)
		if step.said != nil {
			want = append(want, gateway.Witness{Version: r.Version, Exchange: *step.said})
		}
	}
	wantWitnesses(t, s, r.ID, want...)
	wantWitnesses(t, s, other.ID)
}

func noWitnessWithoutMove(t *testing.T, s Store) {
	r := drive(t, s, accept(t, s, acceptance(1)), pathTo(t, gateway.Pending))
	for range 3 {
		r = apply(t, s, r.Ask(later(r)).Witnessed(exchange("status")), nil)
	}
	wantWitnesses(t, s, r.ID)
}

func noWitnessOfStale(t *testing.T, s Store) {
	r := drive(t, s, accept(t, s, acceptance(1)), pathTo(t, gateway.Pending))
	c, err := r.Release(by(r), "C-1")
	if err != nil {
		t.Fatal(err)
	}
	apply(t, s, r.Ask(later(r)), nil)
	wantOutcome(t, "a move from a version that is gone", s.Apply(t.Context(), c.Witnessed(exchange("status"))), "stale")
	wantWitnesses(t, s, r.ID)
}

func taking(n int, id string) gateway.Taking {
	return gateway.Taking{
		ID: fmt.Sprintf("0198f0c0-0000-7000-8000-%012d", n), RefundID: id, At: start.Add(time.Duration(n) * time.Microsecond),
		By:     gateway.Actor{Role: gateway.RoleOperator, ID: "o01", Employee: "E300", Branch: "101", Session: "sid-1"},
		Digest: [32]byte{byte(n), 31: 1},
	}
}

func takingsComeBack(t *testing.T, s Store) {
	r, other := accept(t, s, acceptance(1)), accept(t, s, acceptance(2))
	for _, k := range []gateway.Taking{taking(2, r.ID), taking(1, r.ID), taking(3, other.ID)} {
		if err := s.RecordTaking(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.RecordTaking(t.Context(), taking(1, r.ID)); err == nil {
		t.Error("it is on record twice")
	}
	if err := s.RecordTaking(t.Context(), taking(4, "nobody's")); err == nil {
		t.Error("the evidence of no refund was taken")
	}
	got, err := s.Takings(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "takings", got, []gateway.Taking{taking(1, r.ID), taking(2, r.ID)})
}

func takingsAtOnce(t *testing.T, s Store) {
	r := accept(t, s, acceptance(1))
	together(crowd, func(n int) {
		if err := s.RecordTaking(t.Context(), taking(n, r.ID)); err != nil {
			t.Errorf("RecordTaking: %v", err)
		}
	})
	if got, err := s.Takings(t.Context(), r.ID); err != nil || len(got) != crowd {
		t.Errorf("%d are on record (%v)", len(got), err)
	}
}

func lookedUp(t *testing.T, s Store) {
	want := look(1)
	if err := record(t, s, want, 10); err != nil {
		t.Fatal(err)
	}
	want.Number = saudi.Party{} // which is on record as a blind index alone
	got, err := s.LookedUp(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the look-up", got, want)
	_, err = s.LookedUp(t.Context(), "another")
	wantOutcome(t, "another", err, "not found")
}

func listForOperators(t *testing.T, s Store) {
	byState := map[gateway.State][]gateway.Refund{}
	var all []gateway.Refund
	for n := range 3 * len(gateway.States()) {
		state := gateway.States()[n%len(gateway.States())]
		a := begin(n, state == gateway.AwaitingApproval)
		a.Origin.Customer = fmt.Sprintf("cust-%d", n%5)
		r := accept(t, s, a)
		if state != gateway.AwaitingApproval {
			r = drive(t, s, r, pathTo(t, state))
		}
		r = lookup(t, s, r.ID)
		byState[state] = append([]gateway.Refund{r}, byState[state]...)
		all = append([]gateway.Refund{r}, all...)
	}
	read := func(state gateway.State, limit int) (got []gateway.Refund) {
		t.Helper()
		for cursor := ""; ; {
			page, next, err := s.List(t.Context(), state, bank.Page{Limit: limit, Cursor: cursor})
			if err != nil || len(page) > limit {
				t.Fatalf("%d of %s: %v", len(page), state, err)
			}
			for _, r := range page {
				if r.Unreadable {
					t.Errorf("%s can't be read", r.ID)
				}
				got = append(got, r.Refund)
			}
			if cursor = next; cursor == "" {
				return got
			}
		}
	}
	same(t, "all", read("", 7), all)
	for state, want := range byState {
		same(t, string(state), read(state, 2), want)
	}
	same(t, "a state that there isn't", read("nowhere", 1), []gateway.Refund(nil))
}

func operatorsCursors(t *testing.T, s Store) {
	for n := range 3 {
		accept(t, s, acceptance(n))
	}
	_, next, err := s.List(t.Context(), gateway.Queued, bank.Page{Limit: 1})
	if err != nil || next == "" {
		t.Fatalf("%q, %v", next, err)
	}
	for _, cursor := range []string{next + "A", "AAAA", "?"} {
		if _, _, err := s.List(t.Context(), gateway.Queued, bank.Page{Limit: 1, Cursor: cursor}); !errors.Is(err, bank.ErrCursor) {
			t.Errorf("%q: %v", cursor, err)
		}
	}
	if _, _, err := s.List(t.Context(), gateway.Pending, bank.Page{Limit: 1, Cursor: next}); !errors.Is(err, bank.ErrCursor) {
		t.Errorf("the cursor of another state: %v", err)
	}
	if _, _, err := s.Refunds(t.Context(), customer, bank.Page{Limit: 1, Cursor: next}); !errors.Is(err, bank.ErrCursor) {
		t.Errorf("an operator's cursor with a customer: %v", err)
	}
}
