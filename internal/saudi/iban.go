package saudi

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// ErrIBAN is returned for anything but a Saudi account.
var ErrIBAN = errors.New("saudi: not a valid Saudi account number")

// The Saudi IBAN: SA, two check digits, two of the bank, eighteen of the account
// (ISO 13616; the account may hold letters, though no bank's does).
const (
	ibanLen        = 24
	ibanBankAt     = 4
	ibanAccountAt  = 6
	ibanAccountLen = ibanLen - ibanAccountAt
	bankCodeLen    = ibanAccountAt - ibanBankAt

	// shortAccountLen is the account number that a bank prints on its cards and
	// statements, without the leading zeros of the IBAN.
	shortAccountLen = 15
)

// IBAN is a Saudi account. It is comparable, and its zero value is none.
// Printed, logged or marshalled it is masked.
type IBAN struct{ compact hidden }

// ParseIBAN reads an IBAN as typed: spaces, hyphens, lower case and Arabic
// digits are forgiven. Its check digits are computed anew and compared, since a
// plain "mod 97 is 1" also accepts 00, 01 and 99 for 97, 98 and 02. Only SA;
// else ErrIBAN.
func ParseIBAN(s string) (IBAN, error) {
	return parseCleanIBAN(Digits(s))
}

func parseCleanIBAN(s string) (IBAN, error) {
	if len(s) != ibanLen {
		return IBAN{}, ErrIBAN
	}
	compact := upperASCII(s)
	bank, account := compact[ibanBankAt:ibanAccountAt], compact[ibanAccountAt:]
	if compact[:2] != "SA" || !asciiDigits(bank) || !alphanumeric(account) {
		return IBAN{}, ErrIBAN
	}
	if compact[2:ibanBankAt] != ibanCheck(bank+account) {
		return IBAN{}, ErrIBAN
	}
	return IBAN{conceal(compact)}, nil
}

// ParseAccount reads an account as typed: an IBAN of any Saudi bank, or the
// fifteen-digit account number of the bank bankCode; else ErrIBAN.
func ParseAccount(s, bankCode string) (IBAN, error) {
	clean := Digits(s)
	if len(clean) == shortAccountLen {
		return NewIBAN(bankCode, clean)
	}
	return parseCleanIBAN(clean)
}

// NewIBAN makes the IBAN of an account of one to eighteen ASCII digits, which it
// pads with zeros, at the bank of a two-digit code ("80"); else ErrIBAN.
func NewIBAN(bankCode, account string) (IBAN, error) {
	if len(bankCode) != bankCodeLen || !asciiDigits(bankCode) ||
		len(account) < 1 || len(account) > ibanAccountLen || !asciiDigits(account) {
		return IBAN{}, ErrIBAN
	}
	bban := bankCode + strings.Repeat("0", ibanAccountLen-len(account)) + account
	return IBAN{conceal("SA" + ibanCheck(bban) + bban)}, nil
}

// ibanCheck returns the two check digits of a bban of ASCII digits and capitals
// by ISO 7064 MOD 97-10: 98 less the remainder of the bban followed by "SA00",
// with A as 10 … Z as 35. They lie between 02 and 98.
func ibanCheck(bban string) string {
	remainder := 0
	for _, c := range []byte(bban + "SA00") {
		if c >= 'A' {
			remainder = (remainder*100 + int(c-'A') + 10) % 97
		} else {
			remainder = (remainder*10 + int(c-'0')) % 97
		}
	}
	return fmt.Sprintf("%02d", 98-remainder)
}

// upperASCII raises a–z alone: strings.ToUpper would also turn 'ı' into 'I'.
func upperASCII(s string) string {
	upper := []byte(s)
	for i, c := range upper {
		if c >= 'a' && c <= 'z' {
			upper[i] = c - 'a' + 'A'
		}
	}
	return string(upper)
}

// alphanumeric reports whether s holds ASCII digits and capitals alone.
func alphanumeric(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// Compact returns the whole IBAN CLEAR, without spaces: for a wire or a sealed
// column only.
func (i IBAN) Compact() string { return i.compact.reveal() }

// BankCode returns the two digits of the bank, "80"; "" for none.
func (i IBAN) BankCode() string {
	if i.IsZero() {
		return ""
	}
	return i.compact.reveal()[ibanBankAt:ibanAccountAt]
}

// IsZero reports whether i is none.
func (i IBAN) IsZero() bool { return i.compact.isZero() }

// Masked returns country, check digits, bank and the last four in groups of
// four: "SA66 80** **** **** **** 0001".
func (i IBAN) Masked() string {
	if i.IsZero() {
		return ""
	}
	s := i.compact.reveal()
	return s[:4] + " " + s[ibanBankAt:ibanAccountAt] + "** **** **** **** " + s[ibanLen-4:]
}

// Tail returns the form for a text message, "*0001".
func (i IBAN) Tail() string {
	if i.IsZero() {
		return ""
	}
	return "*" + i.compact.reveal()[ibanLen-4:]
}

// String is Masked.
func (i IBAN) String() string { return i.Masked() }

// Format prints the mask whatever the verb.
func (i IBAN) Format(state fmt.State, verb rune) {
	formatMasked(state, verb, "saudi.IBAN", i.Masked())
}

// LogValue is the mask.
func (i IBAN) LogValue() slog.Value { return slog.StringValue(i.Masked()) }

// MarshalJSON writes the mask as a string; null for none.
func (i IBAN) MarshalJSON() ([]byte, error) {
	if i.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(i.Masked())
}

// UnmarshalJSON always fails: a mask cannot be read back. Wires read a string
// and call ParseIBAN.
func (*IBAN) UnmarshalJSON([]byte) error {
	return fmt.Errorf("%w: an IBAN is not read from JSON directly", ErrIBAN)
}
