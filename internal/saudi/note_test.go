package saudi_test

import (
	"testing"
	"unicode"

	"github.com/istirdad/istirdad/internal/saudi"
)

func TestMaskNumbers(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "",
		"seen by both of us":                  "seen by both of us",
		"for 1900000017, his brother":         "for 1******017, his brother",
		"1900000017":                          "1******017",
		"1900 000 017":                        "1*** *** 017",
		"1900000017 2900000015":               "1********* *******015", // so written they may be one number
		"1900000017, 2900000015":              "1*********, *******015",
		"1900000017\n2900000015":              "1******017\n2******015",
		"+966 (50) 123-4567":                  "+9** (**) ***-*567",
		"050.123.4567 / 050/123/4567":         "0**.***.**** / ***/***/*567",
		"1_000_000_017":                       "1_***_***_017",
		"1,000,000,017":                       "1,***,***,017",
		"١٬٠٠٠٬٠٠٠٬٠١٧":                       "١٬***٬***٬٠١٧",
		"12:30:45:12:30:45":                   "12:30:45:12:30:45",
		"رقم ١٩٠٠٠٠٠٠١٧ مطابق":                "رقم ١******٠١٧ مطابق",
		"۱۹۰۰۰۰۰۰۱۷":                          "۱******۰۱۷",
		"１９００００００１７":                          "１******０１７",
		"\u2066190-000\u200f-0017\u2069":      "\u20661**-***\u200f-*017\u2069",
		"called 0501234567 back":              "called 0******567 back",
		"+966501234567":                       "+9********567",
		"SA6680000555608000000001":            "SA6******************001",
		"account 555608000000001":             "account 5***********001",
		"12,000.00 in two fees of 6000":       "12,000.00 in two fees of 6000",
		"ticket 12345678 of 2026-03-05":       "ticket 12345678 of 2026-03-05",
		"RFK5EWJTN6GVB8STYT":                  "RFK5EWJTN6GVB8STYT",
		"x¹⁹⁰⁰⁰⁰⁰⁰¹⁷":                         "x¹******⁰¹⁷",
		"page 12345\n67890 is another number": "page 12345\n67890 is another number",
	} {
		if got := saudi.MaskNumbers(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// TestMaskBody: a body's fields are each a number, or none.
func TestMaskBody(t *testing.T) {
	for body, want := range map[string]string{
		`["12345678","12345678",12345678,1]`:     `["12345678","12345678",12345678,1]`,
		`{"number":"1900000017","amount":65000}`: `{"number":"1******017","amount":65000}`,
		`{"note":"1900 000-017"}`:                `{"note":"1*** ***-017"}`,
	} {
		if got := saudi.MaskBody(body); got != want {
			t.Errorf("%q became %q, want %q", body, got, want)
		}
	}
}

func TestIsBlank(t *testing.T) {
	for text, want := range map[string]bool{"": true, " ": true, "\u200f \t": true, ".": false, "نعم": false, " x ": false} {
		if saudi.IsBlank(text) != want {
			t.Errorf("%q: %t", text, !want)
		}
	}
}

// FuzzMaskNumbers: nothing that the strict readers would take for somebody's number is left, and whatever is masked once
// stays as it is.
func FuzzMaskNumbers(f *testing.F) {
	for _, text := range []string{"1900000017", "for ٢٩٠٠٠٠٠٠١٥.", "0501234567", "SA6680000555608000000001", "1 9 0 0 0 0 0 0 1 7", "12-34", "+966 (50) 123-4567", "1,900,000,017"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := saudi.MaskNumbers(text)
		if again := saudi.MaskNumbers(got); again != got {
			t.Errorf("%q, then %q", got, again)
		}
		if _, err := saudi.ParsePerson(got); err == nil {
			t.Errorf("%q is still somebody's", got)
		}
		run := 0
		for _, r := range got {
			switch {
			case unicode.IsDigit(r):
				if run++; run >= 9 {
					t.Fatalf("%q shows a number", got)
				}
			default:
				run = 0
			}
		}
	})
}
