package sandboxphone

import (
	"strings"
	"unicode/utf8"
)

// Encodings of an SMS, as the phone lists them.
const (
	GSM7 = "GSM-7"
	UCS2 = "UCS-2"
)

// The alphabets of 3GPP TS 23.038 §6.2.1: a character of the extension table
// is sent as two septets, escape and code.
const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtension = "\f^{}\\[~]|€"
)

// capacity is how many units one SMS holds when it stands alone, and how many
// when it is one part of several: the header that joins them takes the rest
// (TS 23.040 §9.2.3.24.1).
type capacity struct{ alone, joined int }

var capacities = map[string]capacity{
	GSM7: {alone: 160, joined: 153},
	UCS2: {alone: 70, joined: 67},
}

// segment says how a text travels: its encoding, its length in units (septets
// or UTF-16 code units), and in how many parts. One character outside GSM-7
// turns the whole text to UCS-2. An escape pair or a surrogate pair is never
// split over two parts, so a part may end one unit early and dividing the
// length would be one part short.
func segment(text string) (encoding string, units, parts int) {
	encoding, width := GSM7, gsmWidth
	for _, r := range text {
		if gsmWidth(r) == 0 {
			encoding, width = UCS2, utf16Width
			break
		}
	}
	for _, r := range text {
		units += width(r)
	}
	limits := capacities[encoding]
	if units <= limits.alone {
		return encoding, units, 1
	}
	parts, used := 1, 0
	for _, r := range text {
		w := width(r)
		if used+w > limits.joined {
			parts, used = parts+1, 0
		}
		used += w
	}
	return encoding, units, parts
}

// gsmWidth is 1 or 2 septets; 0 for what GSM-7 cannot say.
func gsmWidth(r rune) int {
	switch {
	case r == utf8.RuneError:
		return 0
	case strings.ContainsRune(gsmBasic, r):
		return 1
	case strings.ContainsRune(gsmExtension, r):
		return 2
	}
	return 0
}

func utf16Width(r rune) int {
	if r > 0xFFFF {
		return 2
	}
	return 1
}
