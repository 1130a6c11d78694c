package sandboxbank

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/istirdad/istirdad/internal/sandboxjson"
	"github.com/istirdad/istirdad/internal/saudi"
)

// A disk that fails cannot be ordered from outside: the file is closed under
// the ledger's feet.
func TestWhatCouldNotBeWrittenIsNeverAnswered(t *testing.T) {
	dir := t.TempDir()
	l, err := openLedger(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.post("RF1", "SA1", 5, ""); err != nil {
		t.Fatal(err)
	}
	if err := l.file.Close(); err != nil {
		t.Fatal(err)
	}
	for _, reference := range []string{"RF2", "RF2", "RF3"} {
		if _, _, err := l.post(reference, "SA1", 5, ""); !errors.Is(err, errNoBook) {
			t.Errorf("%s: %v", reference, err)
		}
	}
	if _, err := l.find("RF2"); !errors.Is(err, errNoBook) {
		t.Errorf("asked about RF2: %v", err)
	}
	if e, err := l.find("RF1"); err != nil || e.State != statePosted {
		t.Errorf("RF1, which is on disk: %+v, %v", e, err)
	}
	if got := l.credits(); len(got) != 1 || got[0].Reference != "RF1" {
		t.Errorf("on record: %+v", got)
	}
	if err := l.reset(); !errors.Is(err, errNoBook) {
		t.Errorf("reset: %v", err)
	}
	if err := l.close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("close: %v", err)
	}
}

// Any bytes: the ledger opens or refuses, and what it opened over it opens over
// again to the same book.
func FuzzReplay(f *testing.F) {
	const line = `{"reference":"RF1","iban":"SA1","amount":5,"state":"posted","ledger_id":"LG1","at":"2026-03-05T09:10:00Z"}` + "\n"
	for _, s := range []string{"", "\n", line, line + line, line + line[:30], line[:30], "{}\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, book []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, "credits.jsonl")
		if err := os.WriteFile(path, book, 0o600); err != nil {
			t.Fatal(err)
		}
		open := func() ([]Credit, bool) {
			l, err := openLedger(dir)
			if err != nil {
				return nil, false
			}
			defer func() {
				if err := l.close(); err != nil {
					t.Error(err)
				}
			}()
			return l.credits(), true
		}
		first, ok := open()
		if again, okAgain := open(); okAgain != ok || !slices.Equal(first, again) {
			t.Errorf("opened %v with %+v, then %v with %+v", ok, first, okAgain, again)
		}
		for _, c := range first {
			if c.Amount <= 0 || c.State == statePosted && c.Posted == 0 {
				t.Errorf("took %+v", c)
			}
		}
	})
}

func FuzzCreditRequest(f *testing.F) {
	for _, s := range []string{
		`{"reference":"RFK5EWJTN6GVB8STYT","iban":"SA6680000555608000000001","amount":60000,"narrative":{"ar":"ا","en":"a"}}`,
		`{"reference":"RFK5EWJTN6GVB8STYT","iban":"sa6680000555608000000001","amount":1e3,"narrative":{}}`, `{}`, `null`, "\xff", `{}{}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var in creditRequest
		if sandboxjson.Read(body, &in) != nil || !in.valid() {
			return
		}
		iban, err := saudi.ParseIBAN(in.IBAN)
		if err != nil || iban.Compact() != in.IBAN || in.Amount <= 0 || len(in.Reference) != 18 {
			t.Errorf("took %+v", in)
		}
	})
}

// Wherever the browser is sent, it is this machine.
func FuzzAuthRequest(f *testing.F) {
	for _, s := range []string{"http://127.0.0.1:9/cb", "http://localhost/", "http://[::1]:1/", "http://127.0.0.1@evil/", "//127.0.0.1/", "http://127.0.0.1\\@evil/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, redirect string) {
		a, _, ok := readAuthRequest(url.Values{"client_id": {"web"}, "redirect_uri": {redirect}})
		if !ok {
			return
		}
		again, err := url.Parse(a.back.String())
		if err != nil || !loopback(again) {
			t.Errorf("%q leads to %q: %v", redirect, again, err)
		}
	})
}
