package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/istirdad/istirdad/internal/money"
)

// Halalas is an amount of money: a hundredth of a Saudi riyal each. Sums are exact.
type Halalas int64

// ErrAmount is returned for anything but riyals with exactly two decimals, such as "200.00".
var ErrAmount = errors.New("client: not an amount of riyals with two decimals")

// ParseHalalas reads riyals as the API writes them: "200.00" is 20000.
func ParseHalalas(riyals string) (Halalas, error) {
	amount, err := money.Parse(riyals)
	if err != nil {
		return 0, ErrAmount
	}
	return Halalas(amount), nil
}

// String writes riyals with two decimals: "200.00".
func (h Halalas) String() string { return money.Amount(h).String() }

type wireMoney struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

// MarshalJSON writes the amount as the API does: {"amount":"200.00","currency":"SAR"}.
func (h Halalas) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireMoney{h.String(), money.Currency})
}

// UnmarshalJSON reads what MarshalJSON writes. Another currency is ErrAmount.
func (h *Halalas) UnmarshalJSON(b []byte) error {
	var m wireMoney
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	if m.Currency != money.Currency {
		return ErrAmount
	}
	amount, err := ParseHalalas(m.Amount)
	if err == nil {
		*h = amount
	}
	return err
}

// Date is a day of the Gregorian calendar, in Riyadh.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// String writes the day as 2026-03-10.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// In is the beginning of the day at a place, for which people in the Kingdom pass Asia/Riyadh.
func (d Date) In(place *time.Location) time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, place)
}

// MarshalText writes String.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads String.
func (d *Date) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.DateOnly, string(text))
	if err == nil {
		*d = Date{t.Year(), t.Month(), t.Day()}
	}
	return err
}
