package saudi

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// ErrMobile is returned for anything but a Saudi mobile number.
var ErrMobile = errors.New("saudi: not a valid Saudi mobile number")

const (
	countryCode    = "966"
	subscriberLen  = 9 // 5 and eight digits
	mobileMaskHead = len("+9665")
	mobileMaskTail = 3
)

// Mobile is a Saudi mobile number in E.164. It is comparable, and its zero value
// is none. Printed, logged or marshalled it is masked. Nothing about the
// operator follows from it, because numbers are portable.
type Mobile struct{ e164 hidden }

// ParseMobile reads a mobile as people write it: 05…, 5…, 966…, +966… or
// 00966…, also with the trunk zero kept after the country code; else ErrMobile.
func ParseMobile(s string) (Mobile, error) {
	rest := Digits(s)
	switch {
	case strings.HasPrefix(rest, "+"+countryCode):
		rest = rest[len("+"+countryCode):]
	case strings.HasPrefix(rest, "00"+countryCode):
		rest = rest[len("00"+countryCode):]
	case strings.HasPrefix(rest, countryCode):
		rest = rest[len(countryCode):]
	}
	rest = strings.TrimPrefix(rest, "0")
	if len(rest) != subscriberLen || rest[0] != '5' || !asciiDigits(rest) {
		return Mobile{}, ErrMobile
	}
	return Mobile{conceal("+" + countryCode + rest)}, nil
}

// E164 returns the number CLEAR, "+966500000001": for a wire, a sender or a
// sealed column only.
func (m Mobile) E164() string { return m.e164.reveal() }

// IsZero reports whether m is none.
func (m Mobile) IsZero() bool { return m.e164.isZero() }

// Masked returns "+9665*****001".
func (m Mobile) Masked() string {
	if m.IsZero() {
		return ""
	}
	s := m.e164.reveal()
	stars := len(s) - mobileMaskHead - mobileMaskTail
	return s[:mobileMaskHead] + strings.Repeat("*", stars) + s[len(s)-mobileMaskTail:]
}

// String is Masked.
func (m Mobile) String() string { return m.Masked() }

// Format prints the mask whatever the verb.
func (m Mobile) Format(state fmt.State, verb rune) {
	formatMasked(state, verb, "saudi.Mobile", m.Masked())
}

// LogValue is the mask.
func (m Mobile) LogValue() slog.Value { return slog.StringValue(m.Masked()) }

// MarshalJSON writes the mask as a string; null for none.
func (m Mobile) MarshalJSON() ([]byte, error) {
	if m.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(m.Masked())
}

// UnmarshalJSON always fails: a mask cannot be read back. Wires read a string
// and call ParseMobile.
func (*Mobile) UnmarshalJSON([]byte) error {
	return fmt.Errorf("%w: a mobile is not read from JSON directly", ErrMobile)
}
