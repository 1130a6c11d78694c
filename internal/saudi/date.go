package saudi

import (
	"errors"
	"fmt"
	"time"
)

// Riyadh is the Kingdom's time: UTC+3 all year. It is fixed here, so that no
// machine needs a zone database to know what day it is.
var Riyadh = time.FixedZone("Asia/Riyadh", 3*60*60)

// ErrDate is returned for text that is no Gregorian date.
var ErrDate = errors.New("saudi: not a date of the form YYYY-MM-DD")

// Date is a day of the Gregorian calendar, belonging to no clock. It is
// comparable and may be a map key; its zero value is no day.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf returns the day it is in Riyadh at t.
func DateOf(t time.Time) Date {
	year, month, day := t.In(Riyadh).Date()
	return Date{year, month, day}
}

// ParseDate reads "2026-03-10"; else ErrDate.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Date{}, ErrDate // time's own error quotes what was given
	}
	year, month, day := t.Date()
	return Date{year, month, day}, nil
}

// String writes "2026-03-10".
func (d Date) String() string {
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day)
}

// MarshalText writes "2026-03-10", in JSON and YAML too.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what ParseDate does.
func (d *Date) UnmarshalText(text []byte) error {
	parsed, err := ParseDate(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// IsZero reports whether d is no day.
func (d Date) IsZero() bool { return d == Date{} }

// Before reports whether d comes before other.
func (d Date) Before(other Date) bool {
	return d.midnightUTC().Before(other.midnightUTC())
}

// AddDays returns the day n days after d, or before it if n is negative.
func (d Date) AddDays(n int) Date {
	year, month, day := d.midnightUTC().AddDate(0, 0, n).Date()
	return Date{year, month, day}
}

// Weekday returns d's day of the week.
func (d Date) Weekday() time.Weekday { return d.midnightUTC().Weekday() }

// At returns the moment at which clocks in Riyadh show hour and min on d.
func (d Date) At(hour, min int) time.Time {
	return time.Date(d.Year, d.Month, d.Day, hour, min, 0, 0, Riyadh)
}

// midnightUTC is for counting days only: in UTC all of them last 24 hours.
func (d Date) midnightUTC() time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC)
}

// daysSince returns how many days d comes after start; negative if before.
func (d Date) daysSince(start Date) int {
	return int(d.midnightUTC().Sub(start.midnightUTC()) / (24 * time.Hour))
}
