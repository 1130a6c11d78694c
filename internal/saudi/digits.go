package saudi

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

const tatweel = '\u0640'

// Digits brings typed digits into one form: NFKC (which also narrows full-width
// digits), Arabic-Indic (U+0660–0669) and Persian (U+06F0–06F9) digits to ASCII,
// and without what people and keyboards put between them: spaces of any kind,
// hyphens and dashes, tatweel and format characters such as bidi marks.
//
// Everything else stays and is for the caller to refuse, digits of other scripts
// included: unicode.IsDigit would have accepted some sixty of them. Digits is
// idempotent.
func Digits(s string) string {
	if asciiDigits(s) {
		return s
	}
	kept := strings.Map(func(r rune) rune {
		switch {
		case r >= '\u0660' && r <= '\u0669':
			return '0' + r - '\u0660'
		case r >= '\u06f0' && r <= '\u06f9':
			return '0' + r - '\u06f0'
		case r == tatweel, r == '\u2212', // minus sign, typed for a hyphen
			unicode.IsSpace(r), unicode.In(r, unicode.Cf, unicode.Zs, unicode.Pd):
			return -1
		}
		return r
	}, norm.NFKC.String(s))
	// What stood on either side of a dropped character may compose now.
	return norm.NFKC.String(kept)
}

// asciiDigits reports whether s holds ASCII digits alone; the empty text does.
func asciiDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
