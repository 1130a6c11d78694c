package saudi_test

import (
	"testing"
	"unicode"

	"github.com/istirdad/istirdad/internal/saudi"
)

func TestDigits(t *testing.T) {
	const want = "1900000017"
	for _, typed := range []string{
		"1900000017",
		"١٩٠٠٠٠٠٠١٧",
		"۱۹۰۰۰۰۰۰۱۷",
		"\u200f1900000017\u200e",
		"1 900-000017",
		"１９00000017",
		"\u2067١٩٠٠\u00a0٠٠٠٠١٧\u2069",
		"19000\u064000017",
		"1900\u2011000\u2013017\t\r\n",
		"1900\u202f000\u3000017\ufeff",
	} {
		if got := saudi.Digits(typed); got != want {
			t.Errorf("Digits(%+q) = %+q, want %q", typed, got, want)
		}
	}
}

func TestDigitsKeepsOtherScripts(t *testing.T) {
	for typed, want := range map[string]string{
		"":          "",
		" - \u200e": "",
		"१९":        "१९", // Devanagari
		"๑๙":        "๑๙", // Thai
		"sa03 ٨٠":   "sa0380",
		"+966 ٥":    "+9665",
		"١٫٥":       "1٫5", // the Arabic decimal point is not a digit's ornament
		"12\xff":    "12\ufffd",
	} {
		if got := saudi.Digits(typed); got != want {
			t.Errorf("Digits(%+q) = %+q, want %+q", typed, got, want)
		}
	}
}

func FuzzDigits(f *testing.F) {
	for _, seed := range []string{"1900000017", "١٩٠٠٠٠٠٠١٧", "۱۹", "\u200f19\u200e", "१९", "１９", "a\u0640\u0301", "e\u200d\u0301", "½", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		clean := saudi.Digits(typed)
		if again := saudi.Digits(clean); again != clean {
			t.Fatalf("Digits(%+q) = %+q, and again %+q", typed, clean, again)
		}
		for _, r := range clean {
			if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || r == '-' || unicode.In(r, unicode.Arabic, unicode.Common) && unicode.Is(unicode.Nd, r) && r > '9' {
				t.Fatalf("Digits(%+q) keeps %U", typed, r)
			}
		}
	})
}
