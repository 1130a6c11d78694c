package saudi

import (
	"strings"
	"unicode"
)

// noteDigits is from how many digits on a number in free text may be somebody's: a mobile without its zero has nine, an
// ID number ten, an account fifteen. An amount or a date has fewer.
const noteDigits = 9

// MaskNumbers returns free text with each number masked that may be somebody's, whatever digits it is written in and
// however it is grouped: of each its first digit and its last three stay, as in [Party.Masked]. Only a colon, as times
// have it, and the end of a line keep numbers apart that stand beside each other.
func MaskNumbers(text string) string {
	return mask(text, func(r rune) bool { return r != ':' && unicode.IsPunct(r) || between(r) })
}

// MaskBody is MaskNumbers for a message between machines, whose punctuation keeps its fields apart.
func MaskBody(body string) string { return mask(body, between) }

func mask(text string, between func(rune) bool) string {
	runes := []rune(text)
	for i := 0; i < len(runes); {
		if !unicode.IsNumber(runes[i]) {
			i++
			continue
		}
		var digits []int // where the number's are
		for ; i < len(runes) && (unicode.IsNumber(runes[i]) || between(runes[i])); i++ {
			if unicode.IsNumber(runes[i]) {
				digits = append(digits, i)
			}
		}
		if len(digits) >= noteDigits {
			for _, at := range digits[1 : len(digits)-3] {
				runes[at] = '*'
			}
		}
	}
	return string(runes)
}

// between reports whether people and keyboards put it between the digits of one number; see [Digits].
func between(r rune) bool {
	return r != '\n' && (r == tatweel || r == '\u2212' || unicode.IsSpace(r) || unicode.In(r, unicode.Cf, unicode.Zs, unicode.Pd))
}

// IsBlank reports whether there is nothing in a text that could be read.
func IsBlank(text string) bool {
	return strings.TrimFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }) == ""
}
