package saudi

import (
	"errors"
	"fmt"
	"time"
)

// ErrHijri is returned for a day that the Umm al-Qura calendar does not have, or
// that lies outside the years known here.
var ErrHijri = errors.New("saudi: not a known date of the Umm al-Qura calendar")

// HijriDate is a day of the Umm al-Qura calendar, the official civil one. Real
// months of worship may differ by a day, since they begin by sighting.
type HijriDate struct{ Year, Month, Day int }

// hijriFirst is the year of the first line of hijriYears.
const hijriFirst = 1444

// hijriYears are the years 1444 to 1455, printed rather than computed: the
// calendar follows astronomy, and the arithmetic ("tabular") rule that is often
// taken for it is off by up to two days. Each has the first of Muharram and its
// months from there, 1 for one of 30 days and 0 for one of 29 (ICU,
// islamic-umalqura).
var hijriYears = [...]struct {
	start  Date
	months string
}{
	{Date{2022, time.July, 30}, "010110010101"},  // 1444
	{Date{2023, time.July, 19}, "011101001001"},  // 1445
	{Date{2024, time.July, 7}, "011101100100"},   // 1446
	{Date{2025, time.June, 26}, "101110101010"},  // 1447
	{Date{2026, time.June, 16}, "010110110101"},  // 1448
	{Date{2027, time.June, 6}, "001010110110"},   // 1449
	{Date{2028, time.May, 25}, "101001010110"},   // 1450
	{Date{2029, time.May, 14}, "111001001101"},   // 1451
	{Date{2030, time.May, 4}, "101100100101"},    // 1452
	{Date{2031, time.April, 23}, "101101010010"}, // 1453
	{Date{2032, time.April, 11}, "101101101010"}, // 1454
	{Date{2033, time.April, 1}, "010110101101"},  // 1455
}

// monthDays returns the length of a month, 1 to 12, of a year in the table.
func monthDays(year, month int) int {
	return 29 + int(hijriYears[year-hijriFirst].months[month-1]-'0')
}

// Hijri returns d in the Umm al-Qura calendar; false for a day outside 1444 to
// 1455.
func (d Date) Hijri() (HijriDate, bool) {
	for i := len(hijriYears) - 1; i >= 0; i-- {
		days := d.daysSince(hijriYears[i].start)
		if days < 0 {
			continue
		}
		year := hijriFirst + i
		for month := 1; month <= 12; month++ {
			length := monthDays(year, month)
			if days < length {
				return HijriDate{year, month, days + 1}, true
			}
			days -= length
		}
		return HijriDate{}, false // after the last year
	}
	return HijriDate{}, false
}

// NewHijri returns the day named by its numbers, or ErrHijri: 1447-02-30 does
// not exist, because Safar 1447 has 29 days.
func NewHijri(year, month, day int) (HijriDate, error) {
	h := HijriDate{year, month, day}
	if !h.known() {
		return HijriDate{}, ErrHijri
	}
	return h, nil
}

func (h HijriDate) known() bool {
	return h.Year >= hijriFirst && h.Year < hijriFirst+len(hijriYears) &&
		h.Month >= 1 && h.Month <= 12 &&
		h.Day >= 1 && h.Day <= monthDays(h.Year, h.Month)
}

// Gregorian returns the same day in the Gregorian calendar; the zero Date if h
// is none that NewHijri would have made.
func (h HijriDate) Gregorian() Date {
	if !h.known() {
		return Date{}
	}
	days := h.Day - 1
	for month := 1; month < h.Month; month++ {
		days += monthDays(h.Year, month)
	}
	return hijriYears[h.Year-hijriFirst].start.AddDays(days)
}

// String writes "1447-09-21".
func (h HijriDate) String() string {
	return fmt.Sprintf("%04d-%02d-%02d", h.Year, h.Month, h.Day)
}
