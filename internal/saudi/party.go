package saudi

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// Kind says what a Party's number identifies; its values are those of the wire
// (core-protocol.md, api.md).
type Kind string

// The kinds of parties to a fee.
const (
	KindNationalID    Kind = "national_id"   // a citizen: 1 and nine digits, Luhn
	KindIqama         Kind = "iqama"         // a resident: 2 and nine digits, Luhn
	KindBorder        Kind = "border"        // a visitor's border number: 3, 4 or 5 and nine digits, no checksum known
	KindEstablishment Kind = "establishment" // a unified ("700") number: 7 and nine digits, no checksum known
	KindVehicle       Kind = "vehicle"       // a vehicle's sequence number: one to nine digits
)

var (
	// ErrID is returned when what was typed is no identifier that could be.
	ErrID = errors.New("saudi: not a valid identification number")
	// ErrParty is returned when a kind and number from a wire do not fit.
	ErrParty = errors.New("saudi: not a valid party")
)

const (
	personDigits     = 10 // of every identifier but a vehicle's
	vehicleDigitsMax = 9
)

// Party is who pays for or benefits from a service. It is comparable, and its
// zero value is nobody. Printed, logged or marshalled it is masked.
type Party struct {
	kind   Kind
	number hidden
}

// ParsePerson reads a national ID or iqama as typed; else ErrID.
func ParsePerson(s string) (Party, error) {
	number := Digits(s)
	if kind := kindOf(number); kind == KindNationalID || kind == KindIqama {
		return newParty(kind, number)
	}
	return Party{}, ErrID
}

// ParseInquirer reads what may be typed in a balance inquiry: a national ID, an
// iqama, a border number or an establishment's number; else ErrID.
func ParseInquirer(s string) (Party, error) {
	number := Digits(s)
	return newParty(kindOf(number), number)
}

func newParty(kind Kind, number string) (Party, error) {
	if !fits(kind, number) {
		return Party{}, ErrID
	}
	return Party{kind, conceal(number)}, nil
}

// NewParty makes a Party of what a wire says. The number must be exactly of its
// kind, in ASCII digits; else ErrParty.
func NewParty(kind Kind, number string) (Party, error) {
	if !fits(kind, number) {
		return Party{}, ErrParty
	}
	return Party{kind, conceal(number)}, nil
}

// kindOf tells the ten-digit kinds apart by their first digit; "" if it is none.
func kindOf(number string) Kind {
	if number == "" {
		return ""
	}
	switch number[0] {
	case '1':
		return KindNationalID
	case '2':
		return KindIqama
	case '3', '4', '5':
		return KindBorder
	case '7':
		return KindEstablishment
	}
	return ""
}

func fits(kind Kind, number string) bool {
	if !asciiDigits(number) {
		return false
	}
	switch kind {
	case KindNationalID, KindIqama:
		return len(number) == personDigits && kindOf(number) == kind &&
			number[personDigits-1] == luhn(number[:personDigits-1])
	case KindBorder, KindEstablishment:
		return len(number) == personDigits && kindOf(number) == kind
	case KindVehicle:
		return len(number) >= 1 && len(number) <= vehicleDigitsMax
	}
	return false
}

// CheckDigit returns the tenth digit, in ASCII, of the person's number that
// begins with first9, nine ASCII digits; it panics on anything else. It is for
// making numbers up, never for mending one.
func CheckDigit(first9 string) byte {
	if len(first9) != personDigits-1 || !asciiDigits(first9) {
		panic("saudi: CheckDigit wants nine digits")
	}
	return luhn(first9)
}

// luhn doubles the first, third, … ninth digit. With ten digits that is the
// usual "every second from the right"; code that doubles the even positions is
// in circulation and accepts other numbers.
func luhn(first9 string) byte {
	sum := 0
	for i := range len(first9) {
		digit := int(first9[i] - '0')
		if i%2 == 0 {
			if digit *= 2; digit > 9 {
				digit -= 9
			}
		}
		sum += digit
	}
	return byte('0' + (10-sum%10)%10)
}

// Kind returns what the number identifies; "" for nobody.
func (p Party) Kind() Kind { return p.kind }

// Number returns the number CLEAR: for a wire or a sealed column only.
func (p Party) Number() string { return p.number.reveal() }

// IsPerson reports whether it is a human being: a citizen, a resident or a visitor.
func (p Party) IsPerson() bool {
	return p.kind == KindNationalID || p.kind == KindIqama || p.kind == KindBorder
}

// IsZero reports whether p is nobody.
func (p Party) IsZero() bool { return p == Party{} }

// Masked returns the number with its first digit and its last three only:
// "1******017". Of a vehicle number too short for that to hide anything, the
// last third alone.
func (p Party) Masked() string {
	number := p.number.reveal()
	n := len(number)
	if n < 8 {
		return strings.Repeat("*", n-n/3) + number[n-n/3:]
	}
	return number[:1] + strings.Repeat("*", n-4) + number[n-3:]
}

// String is Masked.
func (p Party) String() string { return p.Masked() }

// Format prints the mask whatever the verb.
func (p Party) Format(state fmt.State, verb rune) {
	formatMasked(state, verb, "saudi.Party", p.Masked())
}

// LogValue is the mask.
func (p Party) LogValue() slog.Value { return slog.StringValue(p.Masked()) }

// MarshalJSON writes the form of api.md, {"kind":"iqama","number":"2******015"};
// null for nobody.
func (p Party) MarshalJSON() ([]byte, error) {
	if p.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(struct {
		Kind   Kind   `json:"kind"`
		Number string `json:"number"`
	}{p.kind, p.Masked()})
}

// UnmarshalJSON always fails: a mask cannot be read back, and without this
// method encoding/json would quietly leave nobody. Wires read kind and number
// and call NewParty.
func (*Party) UnmarshalJSON([]byte) error {
	return fmt.Errorf("%w: a party is not read from JSON directly", ErrParty)
}
