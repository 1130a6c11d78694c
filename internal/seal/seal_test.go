package seal_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/istirdad/istirdad/internal/seal"
)

func master(fill byte) []byte { return bytes.Repeat([]byte{fill}, seal.MasterLen) }

func sealer(t testing.TB, keyID string, master []byte, options ...seal.Option) *seal.Sealer {
	t.Helper()
	s, err := seal.New(keyID, master, options...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRoundTrip(t *testing.T) {
	s := sealer(t, "k1", master(1))
	rapid.Check(t, func(t *rapid.T) {
		plaintext := rapid.SliceOf(rapid.Byte()).Draw(t, "plaintext")
		associated := rapid.SliceOf(rapid.Byte()).Draw(t, "associated")
		sealed := s.Seal(plaintext, associated)
		got, err := s.Open(sealed, associated)
		if err != nil || !bytes.Equal(got, plaintext) {
			t.Fatalf("opened %x, %v; want %x", got, err, plaintext)
		}
		if len(plaintext) >= 8 && bytes.Contains(sealed, plaintext) {
			t.Fatal("the plaintext is readable")
		}
		if len(sealed) != 1+len("k1")+12+len(plaintext)+16 || sealed[0] != 2 || string(sealed[1:3]) != "k1" {
			t.Fatalf("the format is another: %x", sealed)
		}
	})
}

const (
	goldenSealed = "07323032362d303356e6f2fe66f82f2a655450550b3e4e5acedd21ab9dfb" +
		"b466ae029e9ca7aa0dfb7720e7192b35d0ac1b6b53"
	goldenIndex = "42dfa5818da4d39a9c8c3c81c1cea96e2bb8888bdc59363c6de07800c3329023"
)

// What was sealed and indexed by an earlier build must be read by every later one.
func TestFormatIsStable(t *testing.T) {
	s := sealer(t, "2026-03", master(7))
	sealed, err := hex.DecodeString(goldenSealed)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Open(sealed, []byte("refunds.iban"))
	if err != nil || string(got) != "synthetic value" {
		t.Errorf("opened %q, %v", got, err)
	}
	if got := hex.EncodeToString(s.BlindIndex("refunds.payer", "1900000017")); got != goldenIndex {
		t.Errorf("blind index %s, want %s", got, goldenIndex)
	}
}

func TestSealsDiffer(t *testing.T) {
	s := sealer(t, "k1", master(1))
	if bytes.Equal(s.Seal([]byte("same"), nil), s.Seal([]byte("same"), nil)) {
		t.Error("the same value is sealed to the same bytes twice")
	}
}

func TestOpenRefuses(t *testing.T) {
	s := sealer(t, "k1", master(1))
	associated := []byte("row 1")
	sealed := s.Seal([]byte("value"), associated)
	cases := map[string][]byte{"nil": nil, "empty": {}, "id length beyond the end": {255}, "longest id": bytes.Repeat([]byte{255}, 300)}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		cases[fmt.Sprintf("byte %d changed", i)] = changed
		cases[fmt.Sprintf("cut to %d", i)] = sealed[:i]
	}
	cases["longer"] = append(bytes.Clone(sealed), 0)
	cases["same id, other secret"] = sealer(t, "k1", master(2)).Seal([]byte("value"), associated)
	cases["same secret, other id"] = sealer(t, "k2", master(1)).Seal([]byte("value"), associated)
	for name, wrong := range cases {
		if got, err := s.Open(wrong, associated); !errors.Is(err, seal.ErrSealed) || got != nil {
			t.Errorf("%s: opened %q, %v; want ErrSealed", name, got, err)
		}
	}
	for _, wrong := range []string{"", "row 2", "row 1 ", "row"} {
		if got, err := s.Open(sealed, []byte(wrong)); !errors.Is(err, seal.ErrSealed) || got != nil {
			t.Errorf("associated %q: opened %q, %v; want ErrSealed", wrong, got, err)
		}
	}
}

// With both keys loaded and one secret under both ids, the id in front of a value
// still cannot be exchanged: the tag covers it.
func TestKeyIDIsBound(t *testing.T) {
	s := sealer(t, "k2", master(1), seal.WithRetired("k1", master(1)))
	sealed := s.Seal([]byte("value"), nil)
	relabelled := append([]byte("\x02k1"), sealed[3:]...)
	if _, err := s.Open(relabelled, nil); !errors.Is(err, seal.ErrSealed) {
		t.Errorf("opened under another id: %v", err)
	}
}

func TestOpenLeavesItsInputAlone(t *testing.T) {
	s := sealer(t, "k1", master(1))
	sealed := s.Seal([]byte("value"), []byte("a"))
	kept := bytes.Clone(sealed)
	got, err := s.Open(sealed, []byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	clear(got)
	if !bytes.Equal(sealed, kept) {
		t.Error("opening changed the sealed value")
	}
}

func TestRotation(t *testing.T) {
	old := sealer(t, "2025", master(1))
	rotated := sealer(t, "2026", master(2), seal.WithRetired("2025", master(1)), seal.WithRetired("2024", master(3)))
	sealed := old.Seal([]byte("value"), []byte("a"))
	if got, err := rotated.Open(sealed, []byte("a")); err != nil || string(got) != "value" {
		t.Errorf("the retired key opened %q, %v", got, err)
	}
	fresh := rotated.Seal([]byte("value"), []byte("a"))
	if !bytes.HasPrefix(fresh, []byte("\x042026")) {
		t.Errorf("sealed under another key than the current: %x", fresh)
	}
	if _, err := old.Open(fresh, []byte("a")); !errors.Is(err, seal.ErrSealed) {
		t.Errorf("the former key opened a new value: %v", err)
	}
	indexes := rotated.BlindIndexes("id", "1900000017")
	if len(indexes) != 3 || !bytes.Equal(indexes[0], rotated.BlindIndex("id", "1900000017")) ||
		!bytes.Equal(indexes[1], old.BlindIndex("id", "1900000017")) {
		t.Error("BlindIndexes are not those of the current and then of the retired keys")
	}
}

func TestBlindIndex(t *testing.T) {
	s := sealer(t, "k1", master(1))
	same := s.BlindIndex("iban", "12")
	if len(same) != 32 || !bytes.Equal(same, sealer(t, "k9", master(1)).BlindIndex("iban", "12")) {
		t.Error("the index depends on more than secret, field and value")
	}
	for _, other := range [][]byte{
		s.BlindIndex("iban", "13"), s.BlindIndex("mobile", "12"), s.BlindIndex("iban1", "2"), s.BlindIndex("", "iban12"),
		s.BlindIndex("iban12", ""), sealer(t, "k1", master(2)).BlindIndex("iban", "12"),
	} {
		if bytes.Equal(same, other) {
			t.Error("two different pairs have one index")
		}
	}
}

func TestNewRefuses(t *testing.T) {
	long := bytes.Repeat([]byte{1}, 200)
	for name, make := range map[string]func() (*seal.Sealer, error){
		"no id":           func() (*seal.Sealer, error) { return seal.New("", master(1)) },
		"long id":         func() (*seal.Sealer, error) { return seal.New(strings.Repeat("k", 33), master(1)) },
		"space in id":     func() (*seal.Sealer, error) { return seal.New("k 1", master(1)) },
		"id not ASCII":    func() (*seal.Sealer, error) { return seal.New("مفتاح", master(1)) },
		"no secret":       func() (*seal.Sealer, error) { return seal.New("k1", nil) },
		"short secret":    func() (*seal.Sealer, error) { return seal.New("k1", master(1)[1:]) },
		"short retired":   func() (*seal.Sealer, error) { return seal.New("k1", long, seal.WithRetired("k0", master(1)[1:])) },
		"retired current": func() (*seal.Sealer, error) { return seal.New("k1", long, seal.WithRetired("k1", master(2))) },
		"retired twice": func() (*seal.Sealer, error) {
			return seal.New("k2", long, seal.WithRetired("k1", master(1)), seal.WithRetired("k1", master(2)))
		},
	} {
		if s, err := make(); !errors.Is(err, seal.ErrKey) || s != nil {
			t.Errorf("%s: %v, %v; want ErrKey", name, s, err)
		}
	}
	sealer(t, strings.Repeat("k", 32), long) // the longest id, and a secret longer than need be
}

func TestSealerPrintsWithoutItsKeys(t *testing.T) {
	s := sealer(t, "k1", master('M'))
	holder := struct{ s *seal.Sealer }{s}
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "sealer", s)
	out.WriteString(fmt.Sprintf("%v %+v %#v %s %q %x %v %+v %#v", s, s, s, s, s, s, holder, holder, holder))
	if !strings.Contains(out.String(), "seal.Sealer(k1)") {
		t.Errorf("printed %s", out.String())
	}
	// Printed keys would be lists of numbers or hexadecimal text.
	for _, sign := range []string{"MMMM", "77 77", "4d4d", "index", "[]byte", "[]uint8", "aead:"} {
		if strings.Contains(out.String(), sign) {
			t.Errorf("printed %s", out.String())
		}
	}
}

func FuzzOpen(f *testing.F) {
	s := sealer(f, "k1", master(1), seal.WithRetired("k0", master(2)))
	f.Add([]byte{}, []byte{})
	f.Add([]byte{255}, []byte("a"))
	f.Add([]byte("\x02k1short"), []byte("a"))
	f.Add([]byte("\x02k0"+strings.Repeat("x", 28)), []byte("a"))
	f.Add(append([]byte{255}, bytes.Repeat([]byte{0}, 400)...), []byte{})
	f.Fuzz(func(t *testing.T, sealed, associated []byte) {
		// Nobody who lacks the key makes a value that opens.
		if got, err := s.Open(sealed, associated); !errors.Is(err, seal.ErrSealed) || got != nil {
			t.Fatalf("Open(%x, %x) = %x, %v", sealed, associated, got, err)
		}
		opened, err := s.Open(s.Seal(sealed, associated), associated)
		if err != nil || !bytes.Equal(opened, sealed) {
			t.Fatalf("sealing %x under %x gives %x, %v", sealed, associated, opened, err)
		}
	})
}
