package config

import (
	"errors"
	"strings"
	"time"
)

// Clock is a time of day, counted from midnight, and written "16:00".
type Clock time.Duration

// MarshalText writes "16:00"; nothing for midnight.
func (c Clock) MarshalText() ([]byte, error) {
	if c == 0 {
		return nil, nil
	}
	return []byte(time.Time{}.Add(time.Duration(c)).Format(clockForm)), nil
}

// UnmarshalText reads what MarshalText writes.
func (c *Clock) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*c = 0
		return nil
	}
	t, err := time.Parse(clockForm, string(text))
	if err != nil {
		return errors.New("not a time of day") // time's own error quotes what was given
	}
	*c = Clock(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute)
	return nil
}

const clockForm = "15:04"

// Weekday is a day of the week, written "sunday".
type Weekday time.Weekday

// MarshalText writes "sunday".
func (d Weekday) MarshalText() ([]byte, error) {
	return []byte(strings.ToLower(time.Weekday(d).String())), nil
}

// UnmarshalText reads what MarshalText writes.
func (d *Weekday) UnmarshalText(text []byte) error {
	for day := time.Sunday; day <= time.Saturday; day++ {
		if strings.EqualFold(string(text), day.String()) {
			*d = Weekday(day)
			return nil
		}
	}
	return errors.New("not a day of the week")
}
