package money_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/istirdad/istirdad/internal/money"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]money.Amount{
		"0.00":                 0,
		"0.05":                 5,
		"1.00":                 100,
		"200.00":               20000,
		"650.00":               65000,
		"12000.50":             1200050,
		"92233720368547758.07": math.MaxInt64,
	} {
		got, err := money.Parse(text)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %d, %v; want %d", text, got, err, want)
		}
		if got.String() != text {
			t.Errorf("Parse(%q).String() = %q", text, got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"", ".", "0", "200", "200.", ".00", "200.0", "200.000", "2e2.00", "200,00", "1,200.00", "200.00 ", " 200.00",
		"-200.00", "+200.00", "-0.00", "00.00", "007.00", "2.00.00", "0x1.00", "NaN", "1_0.00", "200.-1", "20:.00",
		"٢٠٠٫٠٠", "٢٠٠.٠٠", "200.00\x00", "92233720368547758.08", "92233720368547760.00", "100000000000000000000.00",
	} {
		got, err := money.Parse(text)
		if !errors.Is(err, money.ErrAmount) || got != 0 {
			t.Errorf("Parse(%q) = %d, %v; want 0, ErrAmount", text, got, err)
		}
		if len(text) > 2 && err != nil && strings.Contains(err.Error(), text) {
			t.Errorf("the error repeats %q", text)
		}
	}
}

func TestStringOfDifferences(t *testing.T) {
	for amount, want := range map[money.Amount]string{
		-1:            "-0.01",
		-100:          "-1.00",
		-20050:        "-200.50",
		math.MinInt64: "-92233720368547758.08",
	} {
		if got := amount.String(); got != want {
			t.Errorf("Amount(%d).String() = %q, want %q", int64(amount), got, want)
		}
	}
}

func TestEveryAmountHasOneSpelling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := money.Amount(rapid.Int64Min(0).Draw(t, "halalas"))
		got, err := money.Parse(amount.String())
		if err != nil || got != amount {
			t.Fatalf("Parse(%q) = %d, %v", amount, got, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"200.00", "0.05", "00.05", "-1.00", "1e2.00", "92233720368547758.08", "٢.٠٠"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		amount, err := money.Parse(text)
		if err != nil {
			if amount != 0 || !errors.Is(err, money.ErrAmount) {
				t.Fatalf("Parse(%q) = %d, %v", text, amount, err)
			}
			return
		}
		if amount < 0 || amount.String() != text {
			t.Fatalf("Parse(%q) = %d, which is written %q", text, amount, amount)
		}
	})
}
