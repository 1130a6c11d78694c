package sandboxbank_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/istirdad/istirdad/internal/sandboxbank"
	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/sandboxseed"
)

const (
	ref1     = "RFK5EWJTN6GVB8STYT"
	ref2     = "RF0123456789ABCDEF"
	ibanP01  = "SA6680000555608000000001"
	ibanP02  = "SA3980000555608000000002"
	ibanP10  = "SA1780000555608000000010" // closed
	ibanElse = "SA4810000000055500001001" // of another bank
)

func credit(reference, iban string, amount int64) string {
	return fmt.Sprintf(`{"reference":%q,"iban":%q,"amount":%d,"narrative":{"ar":"استرداد","en":"Refund"}}`, reference, iban, amount)
}

func TestCreditIsPostedOnce(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		r := start(t, dir)
		first := r.post("/bank/v1/credits", credit(ref1, ibanP01, 60000))
		f := first.fields(t)
		at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(f["posted_at"]))
		if first.status != http.StatusCreated || err != nil || at.Location() != time.UTC || f["ledger_id"] == "" {
			t.Fatalf("first: %d %s", first.status, first.body)
		}
		want := fmt.Sprintf(`{"reference":%q,"iban":%q,"amount":60000,"state":"posted","posted_at":%q,"ledger_id":%q}`,
			ref1, ibanP01, f["posted_at"], f["ledger_id"])
		same(t, first, http.StatusCreated, want)
		again := strings.Replace(credit(ref1, ibanP01, 60000), "Refund", "Another narrative", 1)
		same(t, r.post("/bank/v1/credits", again), http.StatusOK, want)
		same(t, r.get("/bank/v1/credits/"+ref1), http.StatusOK, want)

		reused := `{"reference":"` + ref1 + `","code":"reference_reused"}`
		for _, other := range []string{credit(ref1, ibanP01, 60001), credit(ref1, ibanP02, 60000), credit(ref1, ibanP10, 60000), credit(ref1, ibanElse, 60000)} {
			same(t, r.post("/bank/v1/credits", other), http.StatusConflict, reused)
		}
		same(t, r.get("/bank/v1/credits/"+ref2), http.StatusNotFound, `{"reference":"`+ref2+`","code":"unknown_reference"}`)
		wantCredits(t, r.bank, sandboxbank.Credit{Reference: ref1, IBAN: ibanP01, Amount: 60000, State: "posted", Posted: 1})
	}
}

func wantCredits(t *testing.T, b *sandboxbank.Bank, want ...sandboxbank.Credit) {
	t.Helper()
	if diff := cmp.Diff(append([]sandboxbank.Credit{}, want...), b.Credits()); diff != "" {
		t.Errorf("the book (-want +got):\n%s", diff)
	}
}

func TestRefusalIsForEver(t *testing.T) {
	r := start(t, "")
	if err := r.bank.SetAccountStatus(ibanP01, "frozen"); err != nil {
		t.Fatal(err)
	}
	closed := `{"reference":"` + ref1 + `","iban":"` + ibanP10 + `","amount":65000,"state":"refused","code":"account_closed","final":true}`
	frozen := `{"reference":"` + ref2 + `","iban":"` + ibanP01 + `","amount":1,"state":"refused","code":"account_frozen","final":true}`
	for range 2 {
		same(t, r.post("/bank/v1/credits", credit(ref1, ibanP10, 65000)), http.StatusConflict, closed)
		same(t, r.post("/bank/v1/credits", credit(ref2, ibanP01, 1)), http.StatusConflict, frozen)
		same(t, r.get("/bank/v1/credits/"+ref1), http.StatusOK, closed)
		// The account is good again: what was refused stays refused.
		if err := r.bank.SetAccountStatus(ibanP01, "active"); err != nil {
			t.Fatal(err)
		}
	}
	same(t, r.post("/bank/v1/credits", credit(ref1, ibanP01, 65000)), http.StatusConflict, `{"reference":"`+ref1+`","code":"reference_reused"}`)
	wantCredits(t, r.bank,
		sandboxbank.Credit{Reference: ref2, IBAN: ibanP01, Amount: 1, State: "refused"},
		sandboxbank.Credit{Reference: ref1, IBAN: ibanP10, Amount: 65000, State: "refused"})
}

func TestPostedStaysPostedWhenTheAccountCloses(t *testing.T) {
	r := start(t, "")
	r.post("/bank/v1/credits", credit(ref1, ibanP01, 5))
	if err := r.bank.SetAccountStatus(ibanP01, "closed"); err != nil {
		t.Fatal(err)
	}
	if got := r.post("/bank/v1/credits", credit(ref1, ibanP01, 5)); got.status != http.StatusOK {
		t.Errorf("repeated: %d %s", got.status, got.body)
	}
}

func TestCreditElsewhereIsNeitherPostedNorRefused(t *testing.T) {
	r := start(t, "")
	same(t, r.post("/bank/v1/credits", credit(ref1, ibanElse, 5)), http.StatusUnprocessableEntity, `{"reference":"`+ref1+`","code":"unknown_account"}`)
	if got := r.get("/bank/v1/credits/" + ref1); got.status != http.StatusNotFound {
		t.Errorf("put on record: %s", got.body)
	}
	wantCredits(t, r.bank)
}

func TestMalformedCredits(t *testing.T) {
	r := start(t, "")
	good := credit(ref1, ibanP01, 5)
	for _, body := range []string{
		``, `{}`, `[]`, good + good, strings.Replace(good, `{"ref`, `{"x":1,"ref`, 1),
		credit("RF1", ibanP01, 5), credit("RFIIIIIIIIIIIIIIII", ibanP01, 5), credit(strings.ToLower(ref1), ibanP01, 5),
		credit(ref1, "SA6680000555608000000002", 5), credit(ref1, strings.ToLower(ibanP01), 5), credit(ref1, "GB33BUKB20201555555555", 5),
		credit(ref1, ibanP01, 0), credit(ref1, ibanP01, -5), strings.Replace(good, `5,"n`, `5.0,"n`, 1), strings.Replace(good, `5,"n`, `"5","n`, 1),
		strings.Replace(good, `"Refund"`, `" "`, 1), strings.Replace(good, `,"en":"Refund"`, ``, 1),
	} {
		same(t, r.post("/bank/v1/credits", body), http.StatusBadRequest, malformed)
	}
	same(t, r.get("/bank/v1/credits/RF1"), http.StatusNotFound, `{"reference":"RF1","code":"unknown_reference"}`)
	wantCredits(t, r.bank)
}

func TestParallelCreditsOfOneReferenceArePostedOnce(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	var firsts, repeats atomic.Int32
	var bodies sync.Map
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			a := r.post("/bank/v1/credits", credit(ref1, ibanP01, 60000))
			bodies.Store(a.body, true)
			switch a.status {
			case http.StatusCreated:
				firsts.Add(1)
			case http.StatusOK:
				repeats.Add(1)
			}
		})
	}
	wg.Wait()
	different := 0
	bodies.Range(func(any, any) bool { different++; return true })
	if firsts.Load() != 1 || repeats.Load() != 63 || different != 1 {
		t.Errorf("%d first, %d repeated, %d different bodies", firsts.Load(), repeats.Load(), different)
	}
	if lines := strings.Count(read(t, dir), "\n"); lines != 1 {
		t.Errorf("%d lines in the book", lines)
	}
	wantCredits(t, r.bank, sandboxbank.Credit{Reference: ref1, IBAN: ibanP01, Amount: 60000, State: "posted", Posted: 1})
}

func read(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "credits.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// reference n, of the right shape.
func reference(n int) string { return fmt.Sprintf("RF%016d", n) }

// The files are copied while the bank runs, as a kill would leave them: what
// was answered must be in the copy, and posting it again must not post it.
func TestLedgerSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	const n = 100
	var wg sync.WaitGroup
	answers := make([]answer, n)
	for i := range n {
		wg.Go(func() { answers[i] = r.post("/bank/v1/credits", credit(reference(i), ibanP02, int64(i+1))) })
	}
	wg.Wait()
	r.post("/bank/v1/credits", credit(ref1, ibanP10, 65000))

	killed := t.TempDir()
	if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	appendTo(t, killed, `{"reference":"RF99`) // torn: the machine died while it was written
	again := start(t, killed)
	if diff := cmp.Diff(r.bank.Credits(), again.bank.Credits()); diff != "" {
		t.Fatalf("before and after (-before +after):\n%s", diff)
	}
	for i, a := range answers {
		repeated := again.post("/bank/v1/credits", credit(reference(i), ibanP02, int64(i+1)))
		if a.status != http.StatusCreated || repeated.status != http.StatusOK || repeated.body != a.body {
			t.Fatalf("%d: first %d %s, after %d %s", i, a.status, a.body, repeated.status, repeated.body)
		}
	}
	if got := again.post("/bank/v1/credits", credit(ref1, ibanP10, 65000)); got.status != http.StatusConflict {
		t.Errorf("a refusal was forgotten: %d %s", got.status, got.body)
	}
	fresh := again.post("/bank/v1/credits", credit(ref2, ibanP02, 7)).fields(t)
	for _, a := range answers {
		if a.fields(t)["ledger_id"] == fresh["ledger_id"] {
			t.Fatalf("ledger id %v was given twice", fresh["ledger_id"])
		}
	}
	if book := read(t, killed); strings.Contains(book, "RF99") || strings.Count(book, "\n") != n+2 {
		t.Errorf("the torn line is still in the book, or lines are missing:\n%s", book)
	}
}

func appendTo(t *testing.T, dir, text string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "credits.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedLedgerRefusesToOpen(t *testing.T) {
	for _, line := range []string{"garbage\n", "{}\n", `{"reference":"RF","iban":"x","amount":1,"state":"maybe"}` + "\n", "\n"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "credits.jsonl"), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		bank, err := sandboxbank.Open(sandboxbank.Config{Issuer: "http://127.0.0.1:1", World: sandboxseed.World{}, Board: sandboxfault.NewBoard(1), Dir: dir})
		if err == nil {
			t.Errorf("opened over %q", line)
			if err := bank.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// The book tells the truth about itself: a line that was posted twice, by
// whatever mistake, is counted twice.
func TestCreditsCountWhatTheBookHolds(t *testing.T) {
	dir := t.TempDir()
	line := `{"reference":"` + ref1 + `","iban":"` + ibanP01 + `","amount":5,"state":"posted","ledger_id":"LG1","at":"2026-03-05T09:10:00Z"}` + "\n"
	if err := os.WriteFile(filepath.Join(dir, "credits.jsonl"), []byte(line+line), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, dir)
	wantCredits(t, r.bank, sandboxbank.Credit{Reference: ref1, IBAN: ibanP01, Amount: 5, State: "posted", Posted: 2})
}

func TestResetEmptiesTheBookForGood(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	r.post("/bank/v1/credits", credit(ref1, ibanP01, 5))
	if err := r.bank.Reset(); err != nil {
		t.Fatal(err)
	}
	wantCredits(t, r.bank)
	if got := r.post("/bank/v1/credits", credit(ref1, ibanP02, 6)); got.status != http.StatusCreated {
		t.Errorf("after a reset: %d %s", got.status, got.body)
	}
	if err := r.bank.Close(); err != nil {
		t.Fatal(err)
	}
	if got := r.post("/bank/v1/credits", credit(ref2, ibanP02, 6)); got.status != http.StatusServiceUnavailable {
		t.Errorf("after closing: %d %s", got.status, got.body)
	}
	again := start(t, dir)
	wantCredits(t, again.bank, sandboxbank.Credit{Reference: ref1, IBAN: ibanP02, Amount: 6, State: "posted", Posted: 1})
}

func TestFaults(t *testing.T) {
	customer, credits := sandboxfault.Match{Call: "customer"}, sandboxfault.Match{Call: "credit"}
	tests := []struct {
		kind     string
		match    sandboxfault.Match
		customer int // status of GET /customers/p01; 0: silence
		credit   int // of a credit to p01
		posted   bool
	}{
		{sandboxfault.HangBefore, credits, 200, 0, false},
		{sandboxfault.EffectThenHang, credits, 200, 0, true},
		{sandboxfault.Unavailable, credits, 200, 503, false},
		{sandboxfault.HangBefore, customer, 0, 201, true},
		{sandboxfault.EffectThenHang, customer, 0, 201, true},
		{sandboxfault.Unavailable, customer, 503, 201, true},
		{sandboxfault.Unavailable, sandboxfault.Match{}, 503, 503, false},
		{sandboxfault.Unavailable, sandboxfault.Match{User: "p01"}, 503, 503, false},
		{sandboxfault.Unavailable, sandboxfault.Match{User: "p02"}, 200, 201, true},
		{sandboxfault.Unavailable, sandboxfault.Match{Call: "submit"}, 200, 201, true},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.kind, tt.match), func(t *testing.T) {
			r := start(t, "")
			if err := r.board.Set([]sandboxfault.Fault{{Kind: tt.kind, Match: tt.match}}); err != nil {
				t.Fatal(err)
			}
			call := func(method, path, body string, want int) {
				t.Helper()
				ctx := t.Context()
				if want == 0 {
					short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
					defer cancel()
					ctx = short
				}
				got := r.call(ctx, method, path, body)
				if got.status != want || want == 503 && got.header.Get("Retry-After") == "" {
					t.Errorf("%s %s: %d, want %d", method, path, got.status, want)
				}
			}
			call(http.MethodGet, "/bank/v1/customers/p01", "", tt.customer)
			call(http.MethodPost, "/bank/v1/customers/search", `{"id_number":"1900000017"}`, tt.customer)
			call(http.MethodPost, "/bank/v1/credits", credit(ref1, ibanP01, 5), tt.credit)
			if got := len(r.bank.Credits()) == 1; got != tt.posted {
				t.Errorf("posted: %v, want %v", got, tt.posted)
			}
			r.board.Clear()
			want := http.StatusCreated
			if tt.posted {
				want = http.StatusOK
			}
			call(http.MethodPost, "/bank/v1/credits", credit(ref1, ibanP01, 5), want)
		})
	}
}

func TestCloseEndsSilence(t *testing.T) {
	r := start(t, "")
	if err := r.board.Set([]sandboxfault.Fault{{Kind: sandboxfault.HangBefore, Count: 1}}); err != nil {
		t.Fatal(err)
	}
	answered := make(chan int)
	go func() {
		answered <- r.call(context.Background(), http.MethodGet, "/bank/v1/customers/p01", "").status
	}()
	if err := r.bank.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-answered; got != 0 {
		t.Errorf("silence ended with %d", got)
	}
}
