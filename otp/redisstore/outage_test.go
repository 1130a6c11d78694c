package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/istirdad/istirdad/internal/faultnet"
	"github.com/istirdad/istirdad/internal/redistest"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/otptest"
	"github.com/istirdad/istirdad/otp/redisstore"
)

// What a real Redis and the network to it do to the codes of a whole service,
// whose ledger survives.

// refund issues a code for a refund and returns the right attempt at it.
func (d *desk) refund(t *testing.T, ref string) otp.Attempt {
	t.Helper()
	to, err := saudi.ParseMobile(number)
	if err != nil {
		t.Fatal(err)
	}
	binding := otp.Bind(customer, session, ref)
	c, err := d.Issue(t.Context(), otp.Issue{
		Customer: customer, Session: session, Purpose: otp.Refund, Ref: ref, Binding: binding, To: to,
	})
	if err != nil {
		t.Fatalf("Issue: %v", err)
	}
	return otp.Attempt{
		Customer: customer, Session: session, ChallengeID: c.ID,
		Purpose: otp.Refund, Ref: ref, Binding: binding, Code: d.phone.Code(),
	}
}

func wrong(a otp.Attempt) otp.Attempt {
	a.Code = otptest.WrongCode(a.Code)
	return a
}

func (d *desk) want(t *testing.T, a otp.Attempt, want error) {
	t.Helper()
	if err := d.Verify(t.Context(), a); !errors.Is(err, want) {
		t.Fatalf("Verify: %v, want %v", err, want)
	}
}

// wantRecord wants so many wrong codes and SMS on record.
func (d *desk) wantRecord(t *testing.T, failures, sent int) {
	t.Helper()
	r, err := d.ledger.Read(t.Context(), customer)
	if err != nil || r.Failures != failures || len(r.Sent) != sent {
		t.Fatalf("on record: %d wrong codes and %d SMS, %v, want %d and %d", r.Failures, len(r.Sent), err, failures, sent)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// F23: no stored code, no SMS, and none is taken from the budget.
func TestDownAtIssue(t *testing.T) {
	for name, harm := range map[string]func(*redistest.Server) error{
		"killed": (*redistest.Server).Kill,
		"silent": (*redistest.Server).Pause,
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			d := newDesk(t, dial(t, redisstore.Options{URL: server.URL()}))
			to, err := saudi.ParseMobile(number)
			must(t, err)
			must(t, harm(server))
			_, err = d.Issue(t.Context(), otp.Issue{Customer: customer, Session: session, Purpose: otp.Profile, To: to})
			if !errors.Is(err, otp.ErrUnavailable) {
				t.Errorf("Issue: %v, want ErrUnavailable", err)
			}
			if sent := d.phone.Messages(); len(sent) != 0 {
				t.Errorf("%d SMS went out", len(sent))
			}
			d.wantRecord(t, 0, 0)
			must(t, server.Restart())
			d.want(t, d.issue(t), nil)
		})
	}
}

// F24: nothing is compared while Redis is down; when it comes back the code is
// gone with everything else, and the next one is as good as ever.
func TestDownAtVerify(t *testing.T) {
	server := redistest.Start(t)
	client := patient(t, server)
	d := newDesk(t, client)
	a := d.refund(t, "r1")
	d.want(t, wrong(a), otp.ErrWrong)
	must(t, server.Kill())
	wantTrouble(t, redisstore.New(client))
	d.want(t, a, otp.ErrUnavailable)
	d.want(t, wrong(a), otp.ErrUnavailable)
	d.wantRecord(t, 1, 1)
	must(t, server.Restart()) // which knows no scripts either
	d.want(t, a, otp.ErrGone)
	d.want(t, d.refund(t, "r2"), nil)
}

// A Redis that writes each command down before it answers loses nothing.
func TestRestartWithAppendOnlyFile(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	d := newDesk(t, patient(t, server))
	a := d.refund(t, "r1")
	d.want(t, wrong(a), otp.ErrWrong)
	must(t, server.Restart())
	var left *otp.WrongError
	if err := d.Verify(t.Context(), wrong(a)); !errors.As(err, &left) || left.AttemptsLeft != 1 {
		t.Fatalf("the second wrong code: %v, want 1 left", err)
	}
	d.want(t, a, nil)
	must(t, server.Restart())
	d.want(t, a, nil) // the same confirm, going on
	other := a
	other.Ref = "r2"
	d.want(t, other, otp.ErrGone)
}

// T06: five wrong codes block, whatever Redis forgets in between.
func TestForgettingGivesNoTries(t *testing.T) {
	server := redistest.Start(t)
	d := newDesk(t, patient(t, server))
	for i, forget := range []func(){
		func() { ask(t, server, "FLUSHALL") },
		func() { must(t, server.Restart()) },
		func() { ask(t, server, "FLUSHALL") },
		func() { must(t, server.Restart()) },
		func() {},
	} {
		a := d.refund(t, string(rune('a'+i)))
		d.want(t, wrong(a), otp.ErrWrong)
		forget()
		if i < 4 {
			d.want(t, a, otp.ErrGone)
		} else {
			d.want(t, a, otp.ErrLocked)
		}
	}
	d.wantRecord(t, 5, 5)
}

// F26: the link to the replica is cut, the master goes on for a while and dies,
// and the replica takes over with what it has.
type failover struct {
	*desk
	master, replica *redistest.Server
	link, front     *faultnet.Proxy // between the two; between them and the gateway
}

func newFailover(t *testing.T) *failover {
	t.Helper()
	f := &failover{master: redistest.Start(t), replica: redistest.Start(t)}
	f.link, f.front = faultnet.StartTest(t, f.master.Addr()), faultnet.StartTest(t, f.master.Addr())
	must(t, f.replica.Follow(f.link.Addr()))
	f.desk = newDesk(t, dial(t, redisstore.Options{Addrs: []string{f.front.Addr()}, CommandTimeout: 10 * time.Second}))
	return f
}

func (f *failover) cutLink(t *testing.T) {
	t.Helper()
	size := ask(t, f.master, "DBSIZE") // what was written before the cut has arrived
	must(t, f.replica.Await(func(arrived string) bool { return arrived == size }, "DBSIZE"))
	f.link.Refuse()
	f.link.Cut()
}

func (f *failover) happen(t *testing.T) {
	t.Helper()
	must(t, f.master.Kill())
	must(t, f.replica.Promote())
	f.front.Redirect(f.replica.Addr())
	f.front.Cut()
}

func TestFailoverForgetsTries(t *testing.T) {
	f := newFailover(t)
	a := f.refund(t, "r1")
	f.cutLink(t)
	for range 3 {
		f.want(t, wrong(a), otp.ErrWrong)
	}
	f.want(t, a, otp.ErrGone)
	f.happen(t)
	// The new master thinks that nothing was tried. The ledger knows better: two
	// more and the customer is locked, right code or not.
	f.want(t, wrong(a), otp.ErrWrong)
	f.want(t, wrong(a), otp.ErrWrong)
	f.want(t, a, otp.ErrLocked)
	f.wantRecord(t, 5, 1)
}

func TestFailoverForgetsThatACodeWasUsed(t *testing.T) {
	f := newFailover(t)
	a := f.refund(t, "r1")
	f.cutLink(t)
	f.want(t, a, nil)
	f.happen(t)
	// It is right again: for the same confirm, which may go on anyway, and whose
	// acceptance is unique in the durable store. For anything else it is not.
	for what, change := range map[string]func(*otp.Attempt){
		"another refund":   func(a *otp.Attempt) { a.Ref = "r2" },
		"another session":  func(a *otp.Attempt) { a.Session = "session-s2" },
		"another customer": func(a *otp.Attempt) { a.Customer = "customer-p02" },
		"another account":  func(a *otp.Attempt) { a.Binding = otp.Bind("another account") },
		"a profile":        func(a *otp.Attempt) { a.Purpose, a.Ref = otp.Profile, "" },
	} {
		other := a
		change(&other)
		if err := f.Verify(t.Context(), other); !errors.Is(err, otp.ErrGone) {
			t.Errorf("%s: %v, want ErrGone", what, err)
		}
	}
	f.want(t, a, nil)
}

func TestFailoverForgetsAChallenge(t *testing.T) {
	f := newFailover(t)
	old := f.refund(t, "r1")
	f.cutLink(t)
	a := f.refund(t, "r2")
	f.happen(t)
	f.want(t, a, otp.ErrGone)
	// The one before is back, and is good for what its SMS said and nothing else.
	old.Ref = "r2"
	f.want(t, old, otp.ErrGone)
	old.Ref = "r1"
	f.want(t, old, nil)
}
