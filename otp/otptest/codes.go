package otptest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/istirdad/istirdad/otp"
)

// start is when the contract's challenges are made: the present, because a real
// store tidies up by its own clock.
func start() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func digest(s string) otp.MAC { return otp.MAC(otp.Bind(s)) }

// sample is a fresh challenge of a holder.
func sample(holder, id string) otp.Stored {
	at := start()
	return otp.Stored{
		Holder: otp.Holder(holder), ID: id, Generation: 1,
		Purpose: otp.Refund, Ref: "ref of " + id, Binding: otp.Bind("binding of", id),
		Seal: digest("seal of " + id), MAC: digest("482915"), Tries: 3,
		ExpiresAt: at.Add(3 * time.Minute), ResendAfter: at.Add(time.Minute),
	}
}

// guess is what is checked when somebody types code for the challenge; the MACs
// of the second and third generation differ from the first's.
func guess(s otp.Stored, code, nonce string) otp.Guess {
	return otp.Guess{
		Holder: s.Holder, ID: s.ID, Seal: s.Seal,
		MACs:  []otp.MAC{digest(code), digest("2:" + code), digest("3:" + code)},
		Nonce: nonce, Burner: "burner of " + nonce, Now: start(),
	}
}

// RunCodes is the contract of otp.Codes. newCodes makes an empty store.
func RunCodes(t *testing.T, newCodes func(t *testing.T) otp.Codes) {
	tests := map[string]func(*testing.T, otp.Codes){
		"a stored challenge is found as it was":      foundAsStored,
		"one challenge per holder":                   onePerHolder,
		"right once, then again or used":             rightOnce,
		"wrong codes are counted and run out":        wrongRunsOut,
		"the limit is the challenge's own":           ownLimit,
		"the last try can be right":                  lastTryRight,
		"nothing but its own bond":                   ownBondOnly,
		"expiry goes by the time handed in":          expiry,
		"a guess whose answer was lost":              lostAnswer,
		"a burnt challenge tells guessers nothing":   burntTellsNothing,
		"renewal kills the old code and keeps tries": renewal,
		"renewal only of what is there":              renewalRefused,
		"drop":                                       drop,
		"64 right codes at once":                     rightAtOnce,
		"200 wrong codes at once":                    wrongAtOnce,
		"what was compared is handed on":             handsOn,
		"and on, renewed or dropped":                 handsOnAlong,
		"and when it expired":                        handsOnExpired,
		"a right code ends the row":                  rowEnds,
		"forgiveness ends the row":                   forgivenessEndsTheRow,
		"no tries, no change":                        refusedPut,
		"wrong codes on their way to the ledger":     wrongOnTheirWay,
		"guessing while asking for codes":            guessingWhileAsking,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, newCodes(t)) })
	}
}

func put(t *testing.T, c otp.Codes, s otp.Stored) {
	t.Helper()
	if tries, err := c.Put(t.Context(), s, blockAt); err != nil || tries != s.Tries {
		t.Fatalf("Put = %d, %v, want %d tries", tries, err, s.Tries)
	}
}

func wantVerdict(t *testing.T, c otp.Codes, g otp.Guess, want otp.Outcome, left int) {
	t.Helper()
	got, err := c.Check(t.Context(), g)
	if err != nil {
		t.Fatalf("Check: %v", err)
	}
	if got.Outcome != want || want == otp.Wrong && got.Left != left {
		t.Fatalf("Check = %v with %d left, want %v with %d", got.Outcome, got.Left, want, left)
	}
}

func wantGone(t *testing.T, c otp.Codes, s otp.Stored, now time.Time) {
	t.Helper()
	if _, err := c.Find(t.Context(), s.Holder, s.ID, now); !errors.Is(err, otp.ErrGone) {
		t.Fatalf("Find: %v, want ErrGone", err)
	}
}

func foundAsStored(t *testing.T, c otp.Codes) {
	s := sample("h1", "a")
	wantGone(t, c, s, start())
	put(t, c, s)
	got, err := c.Find(t.Context(), s.Holder, s.ID, start())
	if err != nil {
		t.Fatal(err)
	}
	if !got.ExpiresAt.Equal(s.ExpiresAt) || !got.ResendAfter.Equal(s.ResendAfter) {
		t.Errorf("times: %v %v, want %v %v", got.ExpiresAt, got.ResendAfter, s.ExpiresAt, s.ResendAfter)
	}
	got.ExpiresAt, got.ResendAfter = s.ExpiresAt, s.ResendAfter
	if got != s {
		t.Errorf("found %+v, want %+v", got, s)
	}
	other := s
	other.ID = "b"
	wantGone(t, c, other, start())
}

func onePerHolder(t *testing.T, c otp.Codes) {
	first, second, neighbour := sample("h1", "a"), sample("h1", "b"), sample("h2", "c")
	put(t, c, neighbour)
	put(t, c, first)
	wantVerdict(t, c, guess(first, "000000", "n1"), otp.Wrong, 2)
	put(t, c, second)
	wantGone(t, c, first, start())
	wantVerdict(t, c, guess(first, "482915", "n2"), otp.Gone, 0)
	wantVerdict(t, c, guess(second, "000000", "n3"), otp.Wrong, 2) // its own tries
	wantVerdict(t, c, guess(second, "482915", "n4"), otp.Right, 0)
	wantVerdict(t, c, guess(neighbour, "482915", "n5"), otp.Right, 0)
}

func rightOnce(t *testing.T, c otp.Codes) {
	s := sample("h1", "a")
	put(t, c, s)
	g := guess(s, "482915", "n1")
	wantVerdict(t, c, g, otp.Right, 0)
	for range 5 { // replays spend no tries
		wantVerdict(t, c, g, otp.Again, 0)
		g.Nonce = "n2"
		wantVerdict(t, c, g, otp.Again, 0)
		wantVerdict(t, c, guess(s, "482915", "n3"), otp.Used, 0)
	}
	wantGone(t, c, s, start())
}

func wrongRunsOut(t *testing.T, c otp.Codes) {
	s := sample("h1", "a")
	put(t, c, s)
	wantVerdict(t, c, guess(s, "000000", "n1"), otp.Wrong, 2)
	wantVerdict(t, c, guess(s, "000000", "n2"), otp.Wrong, 1)
	wantVerdict(t, c, guess(s, "000000", "n3"), otp.Wrong, 0)
	wantVerdict(t, c, guess(s, "000000", "n4"), otp.Gone, 0)
	wantVerdict(t, c, guess(s, "482915", "n5"), otp.Gone, 0)
	wantGone(t, c, s, start())
}

func ownLimit(t *testing.T, c otp.Codes) {
	s := sample("h1", "a")
	s.Tries = 1
	put(t, c, s)
	wantVerdict(t, c, guess(s, "000000", "n1"), otp.Wrong, 0)
	wantVerdict(t, c, guess(s, "482915", "n2"), otp.Gone, 0)
}

func lastTryRight(t *testing.T, c otp.Codes) {
	s := sample("h1", "a")
	put(t, c, s)
	wantVerdict(t, c, guess(s, "000000", "n1"), otp.Wrong, 2)
	wantVerdict(t, c, guess(s, "000001", "n2"), otp.Wrong, 1)
	g := guess(s, "482915", "n3")
	wantVerdict(t, c, g, otp.Right, 0)
	g.Nonce = "n4"
	wantVerdict(t, c, g, otp.Again, 0)
}

func ownBondOnly(t *testing.T, c otp.Codes) {
	s := sample("h1", "a")
	put(t, c, s)
	for range 10 { // a try at something else spends none of this challenge's
		g := guess(s, "482915", "n1")
		g.Seal = digest("made for something else")
		wantVerdict(t, c, g, otp.Gone, 0)
		g = guess(s, "482915", "n2")
		g.ID = "A"
		wantVerdict(t, c, g, otp.Gone, 0)
		g = guess(s, "482915", "n3")
		g.Holder = "h2"
		wantVerdict(t, c, g, otp.Gone, 0)
		g = guess(s, "482915", "n4")
		g.MACs = nil
		wantVerdict(t, c, g, otp.Gone, 0)
	}
	wantVerdict(t, c, guess(s, "482915", "n5"), otp.Right, 0)
}

func expiry(t *testing.T, c otp.Codes) {
	s := sample("h1", "a")
	put(t, c, s)
	g := guess(s, "482915", "n1")
	g.Now = s.ExpiresAt
	wantVerdict(t, c, g, otp.Gone, 0)
	wantGone(t, c, s, s.ExpiresAt)
	next := s
	next.Generation = 2
	if err := c.Renew(t.Context(), next, s.ExpiresAt); !errors.Is(err, otp.ErrGone) {
		t.Fatalf("Renew: %v, want ErrGone", err)
	}
	g.Now = s.ExpiresAt.Add(-time.Millisecond)
	wantVerdict(t, c, g, otp.Right, 0)
	g.Now = s.ExpiresAt
	wantVerdict(t, c, g, otp.Gone, 0)
}

func lostAnswer(t *testing.T, c otp.Codes) {
	s := sample("h1", "a")
	put(t, c, s)
	wrong := guess(s, "000000", "n1")
	for range 5 {
		wantVerdict(t, c, wrong, otp.Wrong, 2)
	}
	wantVerdict(t, c, guess(s, "000001", "n2"), otp.Wrong, 1)
	right := guess(s, "482915", "n3")
	wantVerdict(t, c, right, otp.Right, 0)
	wantVerdict(t, c, right, otp.Again, 0)
}

func burntTellsNothing(t *testing.T, c otp.Codes) {
	s := sample("h1", "a")
	put(t, c, s)
	wantVerdict(t, c, guess(s, "482915", "n1"), otp.Right, 0)
	for range 5 {
		wantVerdict(t, c, guess(s, "000000", "n2"), otp.Gone, 0)
	}
	// And guessing at it is bounded as ever: the tries are spent now.
	wantVerdict(t, c, guess(s, "482915", "n3"), otp.Gone, 0)
}

func renewal(t *testing.T, c otp.Codes) {
	s := sample("h1", "a")
	put(t, c, s)
	wantVerdict(t, c, guess(s, "000000", "n1"), otp.Wrong, 2)

	next := s
	next.Generation, next.MAC = 2, digest("2:593026")
	next.ExpiresAt, next.ResendAfter = s.ExpiresAt.Add(time.Minute), s.ResendAfter.Add(time.Minute)
	if err := c.Renew(t.Context(), next, start()); err != nil {
		t.Fatal(err)
	}
	got, err := c.Find(t.Context(), s.Holder, s.ID, s.ExpiresAt) // it lives longer now
	if err != nil {
		t.Fatal(err)
	}
	if got.Generation != 2 || got.Tried != 1 || got.MAC != next.MAC || got.Binding != s.Binding || !got.ResendAfter.Equal(next.ResendAfter) {
		t.Errorf("after renewal: %+v", got)
	}
	wantVerdict(t, c, guess(s, "482915", "n2"), otp.Wrong, 1) // the old code
	wantVerdict(t, c, guess(s, "593026", "n3"), otp.Right, 0)
}

func renewalRefused(t *testing.T, c otp.Codes) {
	s := sample("h1", "a")
	next := s
	next.Generation, next.MAC = 2, digest("2:593026")
	refused := func(why string, n otp.Stored) {
		t.Helper()
		if err := c.Renew(t.Context(), n, start()); !errors.Is(err, otp.ErrGone) {
			t.Fatalf("%s: %v, want ErrGone", why, err)
		}
	}
	refused("nothing stored", next)
	put(t, c, s)
	other := next
	other.ID = "b"
	refused("another challenge", other)
	other = next
	other.Seal = digest("another seal")
	refused("another seal", other)
	other = next
	other.Generation = 3
	refused("a generation skipped", other)
	if err := c.Renew(t.Context(), next, start()); err != nil {
		t.Fatal(err)
	}
	refused("the same generation twice", next)
	wantVerdict(t, c, guess(s, "593026", "n1"), otp.Right, 0)
	next.Generation = 3
	refused("burnt", next)

	s = sample("h2", "c")
	s.Tries = 1
	put(t, c, s)
	wantVerdict(t, c, guess(s, "000000", "n2"), otp.Wrong, 0)
	s.Generation = 2
	refused("no tries left", s)
}

func drop(t *testing.T, c otp.Codes) {
	s := sample("h1", "a")
	dropped := func(id string) {
		t.Helper()
		if err := c.Drop(t.Context(), s.Holder, id); err != nil {
			t.Fatalf("Drop: %v", err)
		}
	}
	dropped("a") // nothing there is nothing to complain about
	put(t, c, s)
	if found, err := c.Find(t.Context(), s.Holder, "", start()); err != nil || found.ID != "a" || found.Seal != s.Seal {
		t.Fatalf("found, whichever it is: %+v, %v", found, err)
	}
	dropped("b")
	if _, err := c.Find(t.Context(), s.Holder, s.ID, start()); err != nil {
		t.Fatalf("dropped with another's ID: %v", err)
	}
	dropped("a")
	wantGone(t, c, s, start())
	wantGone(t, c, otp.Stored{Holder: s.Holder}, start())
	put(t, c, s)
	dropped("")
	wantVerdict(t, c, guess(s, "482915", "n1"), otp.Gone, 0)
}

// atOnce checks n guesses together and counts the outcomes.
func atOnce(t *testing.T, c otp.Codes, n int, g func(i int) otp.Guess) map[otp.Outcome]int {
	t.Helper()
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		seen = map[otp.Outcome]int{}
		gate = make(chan struct{})
	)
	for i := range n {
		wg.Go(func() {
			<-gate
			v, err := c.Check(t.Context(), g(i))
			if err != nil {
				t.Errorf("Check: %v", err)
			}
			mu.Lock()
			seen[v.Outcome]++
			mu.Unlock()
		})
	}
	close(gate)
	wg.Wait()
	return seen
}

func rightAtOnce(t *testing.T, c otp.Codes) {
	s := sample("h1", "a")
	put(t, c, s)
	seen := atOnce(t, c, 64, func(i int) otp.Guess { return guess(s, "482915", string(rune('A'+i))) })
	if seen[otp.Right] != 1 || seen[otp.Used] != 63 {
		t.Errorf("64 right codes: %v, want 1 right and 63 used", seen)
	}
}

func wrongAtOnce(t *testing.T, c otp.Codes) {
	s := sample("h1", "a")
	put(t, c, s)
	seen := atOnce(t, c, 200, func(i int) otp.Guess { return guess(s, "000000", string(rune('a'+i))) })
	if seen[otp.Wrong] != 3 || seen[otp.Gone] != 197 {
		t.Errorf("200 wrong codes: %v, want 3 compared and 197 gone", seen)
	}
}
