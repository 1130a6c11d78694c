package otptest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// The part of the contract of otp.Codes that is about wrong codes in a row, over
// the challenges of one holder.

// blockAt is the first block of these tests.
const blockAt = 5

// guessWrong has so many wrong codes checked, whatever becomes of them.
func guessWrong(t *testing.T, c otp.Codes, s otp.Stored, times int) {
	t.Helper()
	for i := range times {
		g := guess(s, "000000", fmt.Sprint("wrong ", s.ID, i))
		g.Now = s.ExpiresAt.Add(-time.Millisecond)
		if _, err := c.Check(t.Context(), g); err != nil {
			t.Fatalf("Check: %v", err)
		}
	}
}

// wantPut puts challenge id of h1 when the ledger knows of so many failures.
func wantPut(t *testing.T, c otp.Codes, id string, onRecord, wantTries, wantBase int) otp.Stored {
	t.Helper()
	s := sample("h1", id)
	s.Base = onRecord
	tries, err := c.Put(t.Context(), s, blockAt)
	if err != nil || tries != wantTries {
		t.Fatalf("Put of %s = %d, %v, want %d tries", id, tries, err, wantTries)
	}
	if tries == 0 {
		wantGone(t, c, s, start())
		return s
	}
	got, err := c.Find(t.Context(), s.Holder, s.ID, start())
	if err != nil || got.Tries != wantTries || got.Base != wantBase || got.Tried != 0 {
		t.Fatalf("Find: base %d, %d of %d tried, %v, want base %d and 0 of %d", got.Base, got.Tried, got.Tries, err, wantBase, wantTries)
	}
	return got
}

func handsOn(t *testing.T, c otp.Codes) {
	for _, row := range []struct {
		what                         string
		base, guesses, onRecord      int
		triesOfTheNext, baseOfItsRow int
	}{
		{"nothing tried", 0, 0, 0, 3, 0},
		{"all of it on record", 0, 2, 2, 3, 2},
		{"nothing on record yet", 0, 3, 0, 2, 3},
		{"some of it on record", 0, 3, 1, 2, 3},
		{"with what came before", 2, 1, 2, 2, 3},
		{"one try left", 2, 2, 3, 1, 4},
		{"more on record than was known", 0, 1, 4, 1, 4},
		{"what is not compared does not count", 0, 9, 0, 2, 3},
		{"enough for the block", 2, 3, 2, 0, 0},
		{"enough for the block, some on record", 2, 3, 4, 0, 0},
	} {
		t.Run(row.what, func(t *testing.T) {
			old := sample("h1", "old")
			old.Base = row.base
			forget(t, c, old)
			put(t, c, old)
			guessWrong(t, c, old, row.guesses)
			wantPut(t, c, "new", row.onRecord, row.triesOfTheNext, row.baseOfItsRow)
		})
	}
}

// forget leaves nothing of the holder's: a right code ends every row.
func forget(t *testing.T, c otp.Codes, s otp.Stored) {
	t.Helper()
	s.ID, s.Base = "forget", 0
	if tries, err := c.Put(t.Context(), s, 1_000); err != nil || tries == 0 {
		t.Fatalf("Put = %d, %v", tries, err)
	}
	wantVerdict(t, c, guess(s, "482915", "forget"), otp.Right, 0)
	if err := c.Drop(t.Context(), s.Holder, s.ID); err != nil {
		t.Fatal(err)
	}
}

// The ledger hears of nothing all the while.
func handsOnAlong(t *testing.T, c otp.Codes) {
	a := wantPut(t, c, "a", 0, 3, 0)
	guessWrong(t, c, a, 1)
	next := a
	next.Generation, next.MAC = 2, digest("2:593026")
	if err := c.Renew(t.Context(), next, start()); err != nil {
		t.Fatal(err)
	}
	wantVerdict(t, c, guess(a, "000000", "renewed"), otp.Wrong, 1)
	b := wantPut(t, c, "b", 0, 3, 2)
	guessWrong(t, c, b, 1)
	for _, id := range []string{"b", "", ""} { // a session that ends loses no count
		if err := c.Drop(t.Context(), b.Holder, id); err != nil {
			t.Fatal(err)
		}
		wantGone(t, c, b, start())
	}
	d := wantPut(t, c, "d", 0, 2, 3)
	guessWrong(t, c, d, 9)
	wantPut(t, c, "e", 0, 0, 0)
	wantPut(t, c, "e", 0, 0, 0)
	wantPut(t, c, "f", 4, 0, 0)
}

func handsOnExpired(t *testing.T, c otp.Codes) {
	a := sample("h1", "a")
	a.ExpiresAt = start().Add(-time.Second)
	put(t, c, a)
	guessWrong(t, c, a, 3) // whose time was taken while it was valid
	wantPut(t, c, "b", 0, 2, 3)
}

func forgivenessEndsTheRow(t *testing.T, c otp.Codes) {
	forgive := func() {
		t.Helper()
		if err := c.Forgive(t.Context(), "h1"); err != nil {
			t.Fatal(err)
		}
	}
	forgive() // there is nothing
	a := wantPut(t, c, "a", 0, 3, 0)
	guessWrong(t, c, a, 3)
	forgive()
	forgive()
	b := wantPut(t, c, "b", 0, 3, 0)

	// A live challenge goes on, with the tries that it has left.
	guessWrong(t, c, b, 1)
	forgive()
	wantVerdict(t, c, guess(b, "000000", "after forgiveness"), otp.Wrong, 1)
	d := wantPut(t, c, "d", 0, 3, 1)

	// What a session that ended left behind is forgiven too.
	guessWrong(t, c, d, 2)
	if err := c.Drop(t.Context(), d.Holder, ""); err != nil {
		t.Fatal(err)
	}
	forgive()
	wantPut(t, c, "e", 0, 3, 0)
}

func rowEnds(t *testing.T, c otp.Codes) {
	a := wantPut(t, c, "a", 2, 3, 2)
	guessWrong(t, c, a, 1)
	wantVerdict(t, c, guess(a, "482915", "right"), otp.Right, 0)
	guessWrong(t, c, a, 1)
	b := wantPut(t, c, "b", 2, 3, 0) // the ledger has not heard of the right code
	guessWrong(t, c, b, 3)
	wantPut(t, c, "c", 3, 2, 3) // and now it has
}

func refusedPut(t *testing.T, c otp.Codes) {
	a := wantPut(t, c, "a", 0, 3, 0)
	guessWrong(t, c, a, 1)
	if tries, err := c.Put(t.Context(), sample("h1", "b"), 1); tries != 0 || err != nil {
		t.Fatalf("Put = %d, %v, want no tries", tries, err)
	}
	got, err := c.Find(t.Context(), a.Holder, a.ID, start())
	if err != nil || got.Tried != 1 || got.Tries != 3 {
		t.Fatalf("Find: %d of %d tried, %v, want 1 of 3", got.Tried, got.Tries, err)
	}
	wantVerdict(t, c, guess(a, "482915", "right"), otp.Right, 0)
}

// desk is a service over the store, with a ledger and a phone in memory. It
// knows how many wrong codes the store compared.
type desk struct {
	*otp.Service
	ledger Ledger
	codes  watched
	sent   sync.Map // code by message ID
	to     saudi.Mobile
}

// watched counts the wrong codes that were compared. Each then takes its time on
// the way to the ledger.
type watched struct {
	otp.Codes
	wrong  atomic.Int32
	linger func()
}

func (w *watched) Check(ctx context.Context, g otp.Guess) (otp.Verdict, error) {
	v, err := w.Codes.Check(ctx, g)
	if v.Outcome == otp.Wrong {
		w.wrong.Add(1)
		w.linger()
	}
	return v, err
}

// Send implements otp.Sender.
func (d *desk) Send(_ context.Context, id string, _ saudi.Mobile, m otp.Message) error {
	d.sent.Store(id, m.Code)
	return nil
}

func newDesk(t *testing.T, c otp.Codes, linger func()) *desk {
	t.Helper()
	d := &desk{codes: watched{Codes: c, linger: linger}}
	var err error
	if d.to, err = saudi.ParseMobile("+966500000001"); err != nil {
		t.Fatal(err)
	}
	d.Service, err = otp.New(otp.Config{
		Pepper: bytes.Repeat([]byte("p"), otp.PepperSize),
		Codes:  &d.codes, Ledger: &d.ledger, Sender: d, Policy: otp.DefaultPolicy(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// issue asks for the code of a refund and returns a wrong attempt at it.
func (d *desk) issue(t *testing.T, customer, ref string) (otp.Attempt, otp.Challenge, error) {
	in := otp.Issue{Customer: customer, Session: "s1", Purpose: otp.Refund, Ref: ref, Binding: otp.Bind(ref), To: d.to}
	c, err := d.Issue(t.Context(), in)
	if err != nil {
		return otp.Attempt{}, c, err
	}
	code, _ := d.sent.Load(c.ID + ":1")
	return otp.Attempt{
		Customer: customer, Session: "s1", ChallengeID: c.ID, Purpose: otp.Refund, Ref: ref, Binding: in.Binding,
		Code: WrongCode(code.(otp.Code)),
	}, c, nil
}

func (d *desk) record(t *testing.T, customer string) otp.Record {
	t.Helper()
	r, err := d.ledger.Read(t.Context(), customer)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Three wrong codes are compared, none is on record, and a new challenge is
// asked for: it gets the two tries that are left, and the one after it none.
func wrongOnTheirWay(t *testing.T, c otp.Codes) {
	var (
		compared = make(chan struct{}, 100)
		arrive   = make(chan struct{})
		answers  = make(chan error, 100)
		d        = newDesk(t, c, func() { compared <- struct{}{}; <-arrive })
	)
	release := sync.OnceFunc(func() { close(arrive) })
	defer release()
	guessAt := func(a otp.Attempt, times, comparisons int) {
		for range times {
			go func() { answers <- d.Verify(t.Context(), a) }()
		}
		for range comparisons {
			<-compared
		}
		for range times - comparisons {
			if err := <-answers; !errors.Is(err, otp.ErrGone) {
				t.Errorf("Verify: %v, want ErrGone", err)
			}
		}
	}
	a, _, err := d.issue(t, "p01", "r1")
	if err != nil {
		t.Fatal(err)
	}
	guessAt(a, 4, 3)
	b, challenge, err := d.issue(t, "p01", "r2")
	if err != nil || challenge.AttemptsLeft != 2 {
		t.Fatalf("Issue: %d attempts left, %v, want 2", challenge.AttemptsLeft, err)
	}
	guessAt(b, 4, 2)
	if _, _, err := d.issue(t, "p01", "r3"); !errors.Is(err, otp.ErrUnavailable) {
		t.Fatalf("Issue: %v, want ErrUnavailable until the ledger can tell", err)
	}
	if r := d.record(t, "p01"); r.Failures != 0 || len(r.Sent) != 2 {
		t.Fatalf("%d failures and %d SMS on record, want 0 and 2", r.Failures, len(r.Sent))
	}
	release()
	for range 5 {
		if err := <-answers; !errors.Is(err, otp.ErrWrong) {
			t.Errorf("Verify: %v, want ErrWrong", err)
		}
	}
	if _, _, err := d.issue(t, "p01", "r3"); !errors.Is(err, otp.ErrLocked) {
		t.Fatalf("Issue: %v, want ErrLocked", err)
	}
	if r := d.record(t, "p01"); r.Failures != 5 || d.codes.wrong.Load() != 5 {
		t.Errorf("%d compared, %d on record, want 5 and 5", d.codes.wrong.Load(), r.Failures)
	}
}

// Guessers guess at whatever challenge is the newest while new ones are asked
// for, by two at once: there are never more than five wrong codes in a row.
func guessingWhileAsking(t *testing.T, c otp.Codes) {
	const rounds, guessers, askers = 40, 6, 2
	d := newDesk(t, c, func() {
		for range 20 {
			runtime.Gosched()
		}
	})
	blocked := 0
	for round := range rounds {
		before := d.codes.wrong.Load()
		s := siege{desk: d, customer: fmt.Sprint("p", round)}
		var asking, tried sync.WaitGroup
		for asker := range askers {
			asking.Go(func() { s.ask(t, asker) })
		}
		for range guessers {
			tried.Go(func() { s.guess(t) })
		}
		asking.Wait()
		s.asked.Store(true)
		tried.Wait()

		compared := int(d.codes.wrong.Load() - before)
		if onRecord := d.record(t, s.customer).Failures; compared > blockAt || compared != onRecord {
			t.Fatalf("round %d: %d wrong codes compared in a row and %d on record, want at most 5", round, compared, onRecord)
		}
		if compared == blockAt {
			blocked++
		}
	}
	if blocked == 0 {
		t.Error("no round came as far as a block")
	}
}

// siege is of one customer's codes.
type siege struct {
	*desk
	customer string
	newest   atomic.Pointer[otp.Attempt] // nil: none yet
	asked    atomic.Bool                 // there will be no newer one
}

// ask asks for challenges until there are no more to be had.
func (s *siege) ask(t *testing.T, asker int) {
	for i := range 8 {
		a, _, err := s.issue(t, s.customer, fmt.Sprint(asker, i))
		switch {
		case err == nil:
			s.newest.Store(&a)
		case errors.Is(err, otp.ErrLocked), errors.Is(err, otp.ErrBudget):
			return
		case !errors.Is(err, otp.ErrUnavailable):
			t.Errorf("Issue: %v", err)
		}
	}
}

// guess guesses at the newest until there is nothing more to be guessed at.
func (s *siege) guess(t *testing.T) {
	for ; ; runtime.Gosched() {
		last, a := s.asked.Load(), s.newest.Load()
		if a == nil {
			if last {
				return
			}
			continue
		}
		switch err := s.Verify(t.Context(), *a); {
		case errors.Is(err, otp.ErrLocked), errors.Is(err, otp.ErrGone) && last:
			return
		case !errors.Is(err, otp.ErrGone) && !errors.Is(err, otp.ErrWrong):
			t.Errorf("Verify: %v", err)
			return
		}
	}
}
