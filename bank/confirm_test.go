package bank_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/otptest"
)

// TestOrderOfConfirmChecks: of any two faults the one is told that api.md lists first, and none of them is looked at
// once the refund is there.
func TestOrderOfConfirmChecks(t *testing.T) {
	type confirm struct {
		by                  bank.Caller
		id, challenge, code string
	}
	type fault struct {
		name, field string // two of one field can't hold at once
		want        error
		set         func(*world, *confirm)
	}
	faults := []fault{
		{"no preview", "preview", bank.ErrNotFound, func(_ *world, c *confirm) { c.id = "none" }},
		{"another's preview", "preview", bank.ErrNotFound, func(_ *world, c *confirm) { c.by = other }},
		{"another session's preview", "preview", bank.ErrNotFound, func(_ *world, c *confirm) { c.by.Session = "s9" }},
		{"expired", "time", bank.ErrPreviewExpired, func(*world, *confirm) { time.Sleep(bank.PreviewLife) }},
		{"the limit", "day", gateway.ErrLimitExceeded, func(w *world, _ *confirm) { w.book.spent = 8_000_01 }},
		{"no code", "code", bank.ErrCodeNeeded, func(_ *world, c *confirm) { c.challenge, c.code = "", "" }},
		{"a code that is none", "code", otp.ErrMalformedCode, func(_ *world, c *confirm) { c.code = "12" }},
		{"a code without its challenge", "code", bank.ErrNoChallenge, func(_ *world, c *confirm) { c.challenge = "" }},
		{"blocked", "ledger", otp.ErrLocked, func(w *world, _ *confirm) { w.block() }},
		{"no challenge", "challenge", otp.ErrGone, func(_ *world, c *confirm) { c.challenge = "none" }},
		{"a wrong code", "code", otp.ErrWrong, func(_ *world, c *confirm) { c.code = otptest.WrongCode(otp.Code(c.code)).Reveal() }},
		{"a refund of the request", "book", gateway.ErrRefundExists, func(w *world, _ *confirm) { w.live("rq-1") }},
	}
	together := func(first, second fault, recorded bool) func(*testing.T) {
		return func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.paid("rq-1", 2_000_00)
				p := w.preview("rq-1")
				c := confirm{by: caller, id: p.ID}
				c.challenge, c.code = w.code(p.ID)
				if recorded {
					if _, _, err := w.Confirm(t.Context(), c.by, c.id, c.challenge, c.code); err != nil {
						t.Fatal(err)
					}
				}
				// What leaves no challenge says so last: a code without one is no code that could be wrong.
				second.set(w, &c)
				first.set(w, &c)
				r, replay, err := w.Confirm(t.Context(), c.by, c.id, c.challenge, c.code)
				if recorded {
					if err != nil || !replay || r.ID != p.ID {
						t.Errorf("recorded, and then %v, replay %v", err, replay)
					}
					return
				}
				w.wantErr(err, first.want)
				if len(w.book.events) != 0 || w.recorded != 0 {
					t.Errorf("refused, and %d events are recorded", len(w.book.events))
				}
			})
		}
	}
	for i, first := range faults {
		for _, second := range faults[i:] {
			if first.name != second.name && first.field == second.field {
				continue
			}
			t.Run(first.name+" before "+second.name, together(first, second, false))
		}
		if !slices.Contains([]string{"preview"}, first.field) {
			t.Run(first.name+", when it is recorded already", together(first, first, true))
		}
	}
}

// block makes p01 a customer of five wrong codes.
func (w *world) block() {
	w.t.Helper()
	now := time.Now()
	_, err := w.ledger.Update(w.t.Context(), now, "p01", func(r otp.Record) (otp.Record, error) {
		r.Failures, r.BlockedUntil = 5, now.Add(30*time.Minute)
		return r, nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// live adds a refund of the request, made elsewhere.
func (w *world) live(request string) {
	w.book.refunds = append(w.book.refunds, gateway.Refund{
		ID: "elsewhere", Origin: gateway.Origin{Customer: "p09"}, Payment: gateway.Payment{RequestID: request}, State: gateway.Pending,
	})
}

// TestBlockStopsNoConfirmWithoutCode: below the line the proof is enough, and a block is about codes.
func TestBlockStopsNoConfirmWithoutCode(t *testing.T) {
	w := newWorld(t)
	w.paid("rq-1", 1_000_00)
	w.paid("rq-2", 100_00)
	p, q := w.preview("rq-1"), w.preview("rq-2")
	challenge, code := w.code(q.ID)
	w.block()
	_, _, err := w.Confirm(t.Context(), caller, q.ID, challenge, code) // a code that is given is checked
	w.wantErr(err, otp.ErrLocked)
	if _, _, err := w.Confirm(t.Context(), caller, p.ID, "", ""); err != nil {
		t.Error(err)
	}
	clear(w.sessions.proofs)
	_, _, err = w.Confirm(t.Context(), caller, q.ID, "", "")
	w.wantErr(err, bank.ErrNoProof)
}

// TestCodeStandsInForProof: whoever has the phone in hand now need not have had it before.
func TestCodeStandsInForProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.paid("rq-1", 100_00)
		p := w.preview("rq-1")
		clear(w.sessions.proofs)
		challenge, code := w.code(p.ID)
		if r, _, err := w.Confirm(t.Context(), caller, p.ID, challenge, code); err != nil || r.Challenge != challenge {
			t.Errorf("%v, recorded with challenge %q", err, r.Challenge)
		}
	})
}

// TestWhatIsRecorded is what the preview showed, whoever and however confirmed.
func TestWhatIsRecorded(t *testing.T) {
	w := newWorld(t)
	w.paid("rq-1", 100_00)
	p := w.preview("rq-1")
	// After the preview the core and the bank say otherwise: the confirm asks neither.
	w.inquiries.requests[0].Amount, w.inquiries.requests[0].PaidFrom = 999_00, iban(t, "555608000000091")
	w.customer(func(c *bank.Customer) { c.Accounts = nil })
	searches := len(w.inquiries.searches)
	r, replay, err := w.Confirm(t.Context(), caller, p.ID, "", "")
	if err != nil || replay {
		t.Fatal(err)
	}
	if r.ID != p.ID || r.Payment != p.Payment || r.To != p.To || r.State != gateway.Queued ||
		r.Origin != (gateway.Origin{Customer: "p01", Session: "s1", Client: "web", Channel: gateway.Online}) {
		t.Errorf("recorded is %+v", r)
	}
	if r.Reference != gateway.Reference("80", "rq-1", 0) {
		t.Errorf("under %s", r.Reference)
	}
	if len(w.inquiries.searches) != searches || w.recorded != 1 {
		t.Errorf("%d questions to the core, told the dispatcher %d times", len(w.inquiries.searches)-searches, w.recorded)
	}
}

// TestClientLeaves while its confirm is written: it is written, and within a deadline.
func TestClientLeaves(t *testing.T) {
	w := newWorld(t)
	w.paid("rq-1", 100_00)
	p := w.preview("rq-1")
	ctx, leave := context.WithCancel(t.Context())
	w.sessions.used = leave // the last that is asked before the transaction
	w.book.accept = func(ctx context.Context) {
		if _, bounded := ctx.Deadline(); !bounded || ctx.Err() != nil {
			t.Errorf("the transaction is bounded: %v, and called off: %v", bounded, ctx.Err())
		}
	}
	if r, _, err := w.Confirm(ctx, caller, p.ID, "", ""); err != nil || r.ID != p.ID {
		t.Errorf("the client left, and %v", err)
	}
	if ctx.Err() == nil || len(w.book.refunds) != 1 || w.recorded != 1 {
		t.Errorf("left: %v; recorded are %d", ctx.Err(), len(w.book.refunds))
	}

	// Whoever left before gets nothing started.
	w.paid("rq-2", 100_00)
	q := w.preview("rq-2")
	_, _, err := w.Confirm(ctx, caller, q.ID, "", "")
	w.wantErr(err, bank.ErrUnavailable)
	if len(w.book.refunds) != 1 {
		t.Error("a client that wasn't there confirmed")
	}
}

// TestLostAnswer: a confirm whose commit was never heard of is told to try again, and then gets the first answer.
func TestLostAnswer(t *testing.T) {
	w := newWorld(t)
	w.paid("rq-1", 2_000_00)
	p := w.preview("rq-1")
	challenge, code := w.code(p.ID)
	w.trouble.set("Accept", errors.New("connection reset"))
	_, _, err := w.Confirm(t.Context(), caller, p.ID, challenge, code)
	w.wantErr(err, bank.ErrUnavailable)
	w.trouble.set("", nil)
	// Nothing was written: the same code goes on, for this refund and no other.
	if _, replay, err := w.Confirm(t.Context(), caller, p.ID, challenge, code); err != nil || replay {
		t.Errorf("again: %v, replay %v", err, replay)
	}
	if _, replay, err := w.Confirm(t.Context(), caller, p.ID, challenge, code); err != nil || !replay {
		t.Errorf("and again: %v, replay %v", err, replay)
	}
	w.paid("rq-2", 2_000_00)
	_, _, err = w.Confirm(t.Context(), caller, w.preview("rq-2").ID, challenge, code)
	w.wantErr(err, otp.ErrGone)
}

// TestPreviewsLife: five minutes to confirm, an hour in which it is known to have been, and then it never was.
func TestPreviewsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.paid("rq-1", 100_00)
		a := w.asked("rq-1")
		first, _, err := w.Preview(t.Context(), caller, a)
		if err != nil {
			t.Fatal(err)
		}
		again := func() (bank.Preview, bool, error) {
			w.prove()
			return w.Preview(t.Context(), caller, a)
		}
		time.Sleep(bank.PreviewLife - time.Nanosecond)
		if p, replay, err := again(); err != nil || !replay || p.ID != first.ID || !p.ExpiresAt.Equal(first.ExpiresAt) {
			t.Errorf("just before its end: %v, replay %v", err, replay)
		}
		time.Sleep(time.Nanosecond)
		expired := func() {
			t.Helper()
			_, _, err := again()
			w.wantErr(err, bank.ErrPreviewExpired)
			_, err = w.View(t.Context(), caller, first.ID)
			w.wantErr(err, bank.ErrPreviewExpired)
			_, _, err = w.Confirm(t.Context(), caller, first.ID, "", "")
			w.wantErr(err, bank.ErrPreviewExpired)
			_, err = w.Challenge(t.Context(), caller, otp.Refund, first.ID)
			w.wantErr(err, bank.ErrPreviewExpired)
		}
		expired()
		changed := a
		changed.AccountNumber = "acc-p01-1"
		_, _, err = w.Preview(t.Context(), caller, changed)
		w.wantErr(err, bank.ErrKeyReused)
		time.Sleep(bank.PreviewMemory - bank.PreviewLife - time.Second)
		expired()
		time.Sleep(time.Second)
		_, err = w.View(t.Context(), caller, first.ID)
		w.wantErr(err, bank.ErrNotFound)
		if p, replay, err := again(); err != nil || replay || p.ID == first.ID {
			t.Errorf("after an hour: %v, replay %v", err, replay)
		}

		// One that is expired can be deleted, and then its key is free at once.
		second, _, err := again()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(bank.PreviewLife)
		if err := w.Cancel(t.Context(), caller, second.ID); err != nil {
			t.Error(err)
		}
		w.wantErr(w.Cancel(t.Context(), caller, second.ID), bank.ErrNotFound)
		if _, replay, err := again(); err != nil || replay {
			t.Errorf("after its end: %v, replay %v", err, replay)
		}
	})
}

// TestWhichRefundIsInTheWay: whoever asks for a payment again is told which refund of theirs it has already, and of
// somebody else's nothing.
func TestWhichRefundIsInTheWay(t *testing.T) {
	w := newWorld(t)
	w.paid("rq-1", 100_00)
	first, second := w.preview("rq-1"), w.preview("rq-1")
	r, _, err := w.Confirm(t.Context(), caller, first.ID, "", "")
	if err != nil {
		t.Fatal(err)
	}
	again := func(request string) error {
		_, _, err := w.Preview(t.Context(), caller, w.asked(request))
		return err
	}
	confirm := func(id string) error {
		_, _, err := w.Confirm(t.Context(), caller, id, "", "")
		return err
	}
	_, challenged := w.Challenge(t.Context(), caller, otp.Refund, r.ID)
	for what, err := range map[string]error{
		"a preview": again("rq-1"), "an older preview's confirm": confirm(second.ID), "a code for it": challenged,
	} {
		var exists *bank.ExistsError
		if !errors.As(err, &exists) || exists.RefundID != r.ID {
			t.Errorf("%s is told %v, want refund %s", what, err, r.ID)
		}
	}

	w.paid("rq-2", 100_00)
	third := w.preview("rq-2")
	w.live("rq-2")
	for what, err := range map[string]error{"a preview": again("rq-2"), "a confirm": confirm(third.ID)} {
		var exists *bank.ExistsError
		if errors.As(err, &exists) {
			t.Errorf("%s is told of somebody else's refund %s", what, exists.RefundID)
		}
	}
}

// TestF50AbandonedAfterTheCode: whoever asks for the code of a confirm and never comes back leaves nothing behind. The
// code, the proof and the preview lapse by themselves, nothing is recorded, and the payment can be asked back anew.
func TestF50AbandonedAfterTheCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.paid("rq-1", 2_000_00)
		p := w.preview("rq-1")
		challenge, code := w.code(p.ID)
		confirm := func() error {
			_, _, err := w.Confirm(t.Context(), caller, p.ID, challenge, code)
			return err
		}
		time.Sleep(3 * time.Minute)
		w.wantErr(confirm(), otp.ErrGone)
		time.Sleep(2 * time.Minute)
		w.wantErr(confirm(), bank.ErrPreviewExpired)
		w.wantErr(w.proved(caller), bank.ErrNoProof)
		time.Sleep(bank.PreviewMemory)
		w.wantErr(confirm(), bank.ErrNotFound)
		if len(w.book.refunds) != 0 || len(w.book.events) != 0 || w.recorded != 0 {
			t.Errorf("%d refunds, %d events, %d wakes of the dispatcher", len(w.book.refunds), len(w.book.events), w.recorded)
		}
		w.prove()
		p = w.preview("rq-1")
		challenge, code = w.code(p.ID)
		if err := confirm(); err != nil {
			t.Errorf("asked for anew: %v", err)
		}
	})
}

// TestProofsLife: five minutes without use, fifteen in all.
func TestProofsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for range 3 { // each use renews it
			time.Sleep(bank.ProofIdle - time.Second)
			if err := w.proved(caller); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(3 * time.Second)
		w.wantErr(w.proved(caller), bank.ErrNoProof)
		w.prove()
		time.Sleep(bank.ProofIdle)
		w.wantErr(w.proved(caller), bank.ErrNoProof)
	})
}

// TestWithdraw: what nothing has left of, and again once it is done.
func TestWithdraw(t *testing.T) {
	by := func(evidence gateway.Evidence) gateway.By { return gateway.Dispatcher(time.Now(), evidence) }
	moved := func(t *testing.T, w *world, c gateway.Change, err error) {
		t.Helper()
		if err == nil {
			err = w.book.Apply(t.Context(), c)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Run("queued", func(t *testing.T) {
		w := newWorld(t)
		r := w.refund("rq-1")
		w.wantErr(w.Cancel(t.Context(), other, r.ID), bank.ErrNotFound)
		for range 2 {
			if err := w.Cancel(t.Context(), caller, r.ID); err != nil {
				t.Error(err)
			}
		}
		if got := w.book.refunds[0]; got.State != gateway.Cancelled || len(w.book.events) != 2 {
			t.Errorf("%s after %d events", got.State, len(w.book.events))
		}
		if e := w.book.events[1]; e.Actor != (gateway.Actor{Role: gateway.RoleCustomer, ID: "p01", Session: "s1"}) {
			t.Errorf("withdrawn by %+v", e.Actor)
		}
		if again := w.preview("rq-1"); again.ID == r.ID { // and it can be asked for anew
			t.Error("the same preview")
		}
	})
	t.Run("sending", func(t *testing.T) {
		w := newWorld(t)
		r := w.refund("rq-1")
		c, err := r.Send(by(nil), time.Minute)
		moved(t, w, c, err)
		w.wantErr(w.Cancel(t.Context(), caller, r.ID), bank.ErrTooLate)
		// It turns out that nothing left.
		c, err = w.book.refunds[0].NotSent(by(nil), true, time.Now())
		moved(t, w, c, err)
		if err := w.Cancel(t.Context(), caller, r.ID); err != nil {
			t.Error(err)
		}
	})
	t.Run("the dispatcher is faster", func(t *testing.T) {
		w := newWorld(t)
		r := w.refund("rq-1")
		w.book.stale = func(int) {
			w.book.stale = nil
			c, err := r.Send(by(nil), time.Minute)
			moved(t, w, c, err)
		}
		w.wantErr(w.Cancel(t.Context(), caller, r.ID), bank.ErrTooLate)
	})
	t.Run("the dispatcher comes and goes", func(t *testing.T) {
		w := newWorld(t)
		r := w.refund("rq-1")
		w.book.stale = func(before int) {
			if before == 1 {
				w.book.stale = nil
			}
		}
		if err := w.Cancel(t.Context(), caller, r.ID); err != nil {
			t.Error(err)
		}
	})
	t.Run("the client leaves", func(t *testing.T) {
		w := newWorld(t)
		r := w.refund("rq-1")
		ctx, leave := context.WithCancel(t.Context())
		leave()
		if err := w.Cancel(ctx, caller, r.ID); err != nil {
			t.Error(err)
		}
		if state := w.book.refunds[0].State; state != gateway.Cancelled {
			t.Errorf("carried to %s and not to its end", state)
		}
	})
	t.Run("a confirm was about to commit", func(t *testing.T) {
		w := newWorld(t)
		w.paid("rq-1", 100_00)
		preview := w.preview("rq-1")
		w.book.accept = func(ctx context.Context) {
			if err := w.Cancel(ctx, caller, preview.ID); err != nil {
				t.Error(err)
			}
		}
		_, _, err := w.Confirm(t.Context(), caller, preview.ID, "", "")
		w.wantErr(err, gateway.ErrNotFound)
		if len(w.book.refunds) != 0 {
			t.Error("withdrawn and recorded all the same")
		}
	})
	t.Run("a confirm commits meanwhile", func(t *testing.T) {
		w := newWorld(t)
		w.paid("rq-1", 100_00)
		preview := w.preview("rq-1")
		w.book.withdraw = func() {
			if _, _, err := w.Confirm(t.Context(), caller, preview.ID, "", ""); err != nil {
				t.Error(err)
			}
		}
		if err := w.Cancel(t.Context(), caller, preview.ID); err != nil {
			t.Error(err)
		}
		if len(w.book.refunds) != 1 || w.book.refunds[0].State != gateway.Cancelled {
			t.Errorf("the refunds are %+v", w.book.refunds)
		}
	})
}

// TestProofIsOnRecord: by which code the customer was let in is on the refund's first event, beside the code of the confirm.
func TestProofIsOnRecord(t *testing.T) {
	online := func(w *world, meanwhile func(), coded bool) (gateway.Refund, string) {
		preview := w.preview("rq-1")
		meanwhile()
		var challenge, code string
		if coded {
			challenge, code = w.code(preview.ID)
		}
		r, _, err := w.Confirm(t.Context(), caller, preview.ID, challenge, code)
		w.wantErr(err, nil)
		return r, challenge
	}
	counter := func(w *world, with *bank.IdentityCheck) (gateway.Refund, string) {
		a := w.assist(teller, with)
		if a.Challenge != nil {
			_, err := w.VerifyAssisted(t.Context(), teller, a.Session.ID, w.phone.Code().Reveal())
			w.wantErr(err, nil)
		}
		by, err := w.Assisted(t.Context(), teller, a.Session.ID)
		w.wantErr(err, nil)
		p, _, err := w.Preview(t.Context(), by, w.asked("rq-1"))
		w.wantErr(err, nil)
		r, _, err := w.Confirm(t.Context(), by, p.ID, "", "")
		w.wantErr(err, nil)
		return r, a.Session.Challenge
	}
	for name, c := range map[string]struct {
		confirm func(w *world) (r gateway.Refund, challenge string)
		want    func(challenge string) gateway.Evidence
	}{
		"online": {
			func(w *world) (gateway.Refund, string) { return online(w, func() {}, false) },
			func(string) gateway.Evidence { return gateway.Evidence{"channel": "online", "proof": "proof-1"} },
		},
		"online, proved again before the confirm": {
			func(w *world) (gateway.Refund, string) {
				return online(w, func() { _, _ = w.sessions.Prove(t.Context(), caller.Holder(), "proof-2") }, false)
			},
			func(string) gateway.Evidence { return gateway.Evidence{"channel": "online", "proof": "proof-2"} },
		},
		"online, with a code": {
			func(w *world) (gateway.Refund, string) {
				return online(w, func() { clear(w.sessions.proofs) }, true)
			},
			func(challenge string) gateway.Evidence {
				return gateway.Evidence{"channel": "online", "challenge": challenge, "proof": "proof-1"}
			},
		},
		"a proof and a preview of the release before": {
			func(w *world) (gateway.Refund, string) {
				_, err := w.sessions.Prove(t.Context(), caller.Holder(), "")
				w.wantErr(err, nil)
				return online(w, func() {}, false)
			},
			func(string) gateway.Evidence { return gateway.Evidence{"channel": "online"} },
		},
		"at the counter": {
			func(w *world) (gateway.Refund, string) { return counter(w, nil) },
			func(challenge string) gateway.Evidence {
				return gateway.Evidence{"channel": "counter", "proof": challenge}
			},
		},
		"at the counter, without a mobile": {
			func(w *world) (gateway.Refund, string) {
				w.customer(noMobile)
				return counter(w, check)
			},
			func(string) gateway.Evidence { return gateway.Evidence{"channel": "counter"} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.paid("rq-1", 100_00)
			r, challenge := c.confirm(w)
			events, err := w.book.Events(t.Context(), r.ID)
			if want := c.want(challenge); err != nil || len(events) != 1 || !maps.Equal(events[0].Evidence, want) {
				t.Errorf("on record is %+v, want %v, %v", events, want, err)
			}
		})
	}
}
