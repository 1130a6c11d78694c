package otp

import (
	"errors"
	"strings"
	"testing"

	pquerna "github.com/pquerna/otp"
)

// RFC 4226, appendix D, through the very call that makes our codes.
func TestHOTPVectors(t *testing.T) {
	secret := []byte("12345678901234567890")
	for counter, want := range []string{
		"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489",
	} {
		code, err := hotpCode(secret, uint64(counter), 6, pquerna.AlgorithmSHA1)
		if err != nil || code.Reveal() != want {
			t.Errorf("counter %d: %q, %v, want %s", counter, code.Reveal(), err, want)
		}
	}
}

// RFC 6238, appendix B: the same function with SHA-256 and eight digits.
func TestHOTPVectorsSHA256(t *testing.T) {
	secret := []byte("12345678901234567890123456789012")
	for seconds, want := range map[uint64]string{
		59: "46119246", 1111111109: "68084774", 1111111111: "67062674",
		1234567890: "91819424", 2000000000: "90698825", 20000000000: "77737706",
	} {
		code, err := hotpCode(secret, seconds/30, 8, pquerna.AlgorithmSHA256)
		if err != nil || code.Reveal() != want {
			t.Errorf("t=%d: %q, %v, want %s", seconds, code.Reveal(), err, want)
		}
	}
}

// The library turns an empty secret into 328482 and no error.
func TestHOTPRefusesShortSecrets(t *testing.T) {
	for n := range 16 {
		if code, err := hotpCode(make([]byte, n), 0, 6, pquerna.AlgorithmSHA256); err == nil {
			t.Errorf("%d bytes of secret made %q", n, code.Reveal())
		}
	}
}

func TestCodesAreSpread(t *testing.T) {
	const codes, digits = 20_000, 6
	p := pepper(strings.Repeat("p", PepperSize))
	var first [10]int
	for i := range codes {
		code, err := p.code(strings.Repeat("x", i%7)+string(rune(0x4e00+i)), 1+i%3, digits)
		if err != nil || len(code) != digits {
			t.Fatalf("%q, %v", code.Reveal(), err)
		}
		first[code[0]-'0']++
	}
	// χ² over ten leading digits, nine degrees of freedom: above 40 once in 10⁵.
	var chi2 float64
	for _, n := range first {
		d := float64(n) - codes/10
		chi2 += d * d / (codes / 10)
	}
	if chi2 > 40 {
		t.Errorf("leading digits %v: χ² = %.1f", first, chi2)
	}
}

func TestEverythingChangesTheMAC(t *testing.T) {
	p := pepper(strings.Repeat("p", PepperSize))
	base := bond{"challenge", "customer", "session", Refund, "ref", Bind("x")}
	variants := map[string]bond{
		"challenge": {"other", "customer", "session", Refund, "ref", Bind("x")},
		"customer":  {"challenge", "other", "session", Refund, "ref", Bind("x")},
		"session":   {"challenge", "customer", "other", Refund, "ref", Bind("x")},
		"purpose":   {"challenge", "customer", "session", Profile, "ref", Bind("x")},
		"ref":       {"challenge", "customer", "session", Refund, "other", Bind("x")},
		"binding":   {"challenge", "customer", "session", Refund, "ref", Bind("y")},
		"moved":     {"challengec", "ustomer", "session", Refund, "ref", Bind("x")},
	}
	for name, b := range variants {
		if p.seal(b) == p.seal(base) {
			t.Errorf("%s does not change the seal", name)
		}
		if p.codeMAC(b, 1, "482915") == p.codeMAC(base, 1, "482915") {
			t.Errorf("%s does not change the code's MAC", name)
		}
	}
	if p.codeMAC(base, 1, "482915") == p.codeMAC(base, 2, "482915") {
		t.Error("the generation does not change the code's MAC")
	}
	if other := pepper(strings.Repeat("q", PepperSize)); other.seal(base) == p.seal(base) || other.holder("c") == p.holder("c") {
		t.Error("the pepper changes nothing")
	}
}

func FuzzBindIsInjective(f *testing.F) {
	f.Add("ab", "c", "a", "bc")
	f.Add("", "", "\x00", "")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		if same := a == c && b == d; (Bind(a, b) == Bind(c, d)) != same {
			t.Errorf("Bind(%q, %q) against Bind(%q, %q)", a, b, c, d)
		}
		if Bind(a, b) == Bind(a+b) || Bind(a, b) == Bind(a, b, "") {
			t.Errorf("Bind(%q, %q) loses a boundary", a, b)
		}
	})
}

func TestReadCode(t *testing.T) {
	for typed, want := range map[Code]string{
		"482915": "482915", "٤٨٢٩١٥": "482915", "۴۸۲۹۱۵": "482915", " 482-915 ": "482915",
		"\u200f482\u00a0915\u200e": "482915", "4８2915": "482915",
	} {
		if code, err := readCode(typed, 6); err != nil || code.Reveal() != want {
			t.Errorf("%q: %q, %v", typed.Reveal(), code.Reveal(), err)
		}
	}
	for _, typed := range []Code{"", "48291", "4829155", "48291x", "+48291", "482.915", "४८२९१५", Code(strings.Repeat(" ", 1<<16) + "482915")} {
		if code, err := readCode(typed, 6); !errors.Is(err, ErrMalformedCode) || code != "" {
			t.Errorf("%.20q: %q, %v", typed.Reveal(), code.Reveal(), err)
		}
	}
}

func FuzzReadCode(f *testing.F) {
	for _, seed := range []string{"482915", "٤٨٢٩١٥", "", "48 29-15", "\u202e482915", "४८२९१५"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, err := readCode(Code(typed), 6)
		if err != nil {
			if code != "" || !errors.Is(err, ErrMalformedCode) {
				t.Fatalf("%q: %q, %v", typed, code.Reveal(), err)
			}
			return
		}
		if len(code) != 6 || strings.Trim(code.Reveal(), "0123456789") != "" {
			t.Fatalf("%q became %q", typed, code.Reveal())
		}
		if again, err := readCode(code, 6); err != nil || again != code {
			t.Fatalf("%q is not stable: %q, %v", code.Reveal(), again.Reveal(), err)
		}
	})
}
