package sms

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Encoding is how the characters of a message travel.
type Encoding string

const (
	GSM7 Encoding = "GSM-7" // 3GPP TS 23.038 §6.2.1
	UCS2 Encoding = "UCS-2" // as soon as one character is outside GSM-7
)

// Size is what a message costs.
type Size struct {
	Encoding Encoding
	Units    int // septets, or UTF-16 code units
	Parts    int // what the provider bills
}

const (
	basic    = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	extended = "\f^{}\\[~]|€" // an escape and a character: two septets
)

// Measure returns the size of a text. An escaped character or a surrogate pair
// is not torn apart, so a part may end one unit early.
func Measure(text string) Size {
	size := Size{Encoding: GSM7, Parts: 1}
	alone, joined := 160, 153 // septets of one part, and of one of several (TS 23.040 §9.2.3.24.1)
	if strings.ContainsFunc(text, func(r rune) bool { return septets(r) == 0 }) {
		size.Encoding, alone, joined = UCS2, 70, 67
	}
	inPart, parts := 0, 1
	for _, r := range text {
		width := septets(r)
		if size.Encoding == UCS2 {
			width = max(1, utf16.RuneLen(r))
		}
		size.Units += width
		if inPart += width; inPart > joined {
			inPart, parts = width, parts+1
		}
	}
	if size.Units > alone {
		size.Parts = parts
	}
	return size
}

// septets returns how many septets of GSM-7 a character takes; 0 for none.
func septets(r rune) int {
	switch {
	case r == utf8.RuneError:
		return 0
	case strings.ContainsRune(basic, r):
		return 1
	case strings.ContainsRune(extended, r):
		return 2
	default:
		return 0
	}
}
