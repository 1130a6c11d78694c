package saudi_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/istirdad/istirdad/internal/saudi"
)

func date(t testing.TB, s string) saudi.Date {
	t.Helper()
	d, err := saudi.ParseDate(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return d
}

func TestDateOfIsTheDayInRiyadh(t *testing.T) {
	for at, want := range map[string]string{
		"2026-03-05T06:10:00Z":      "2026-03-05",
		"2026-03-05T20:59:59Z":      "2026-03-05",
		"2026-03-05T21:00:00Z":      "2026-03-06",
		"2026-03-05T23:30:00-05:00": "2026-03-06",
		"2025-12-31T21:00:00Z":      "2026-01-01",
		"2026-07-01T20:59:59Z":      "2026-07-01", // no summer time
	} {
		moment, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := saudi.DateOf(moment).String(); got != want {
			t.Errorf("DateOf(%s) = %s, want %s", at, got, want)
		}
	}
}

func TestDate(t *testing.T) {
	d := date(t, "2026-02-27")
	if d != (saudi.Date{Year: 2026, Month: time.February, Day: 27}) || d.Weekday() != time.Friday {
		t.Errorf("%v is a %v", d, d.Weekday())
	}
	if got := d.AddDays(2).String(); got != "2026-03-01" {
		t.Errorf("two days later it is %s", got)
	}
	if got := d.AddDays(-58).String(); got != "2025-12-31" {
		t.Errorf("58 days before it was %s", got)
	}
	if !d.Before(d.AddDays(1)) || d.Before(d) || d.AddDays(3).Before(d) {
		t.Error("Before is wrong")
	}
	if got := d.At(16, 30).UTC().Format(time.RFC3339); got != "2026-02-27T13:30:00Z" {
		t.Errorf("half past four is %s", got)
	}
	if d.IsZero() || !(saudi.Date{}).IsZero() {
		t.Error("IsZero is wrong")
	}
}

func TestParseDateRefuses(t *testing.T) {
	for _, text := range []string{"", "2026-02-30", "2026-13-01", "2026-3-1", "26-03-01", "2026-03-01T00:00:00Z", "2026/03/01", "٢٠٢٦-٠٣-٠١", " 2026-03-01"} {
		d, err := saudi.ParseDate(text)
		if !errors.Is(err, saudi.ErrDate) || !d.IsZero() {
			t.Errorf("ParseDate(%q) = %v, %v; want no day, ErrDate", text, d, err)
		}
		refuseToRepeat(t, err, text)
	}
}

func TestDateJSON(t *testing.T) {
	var got map[saudi.Date]saudi.Date
	if err := json.Unmarshal([]byte(`{"2026-02-22":"2026-09-23"}`), &got); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(got)
	if err != nil || string(out) != `{"2026-02-22":"2026-09-23"}` {
		t.Errorf("%s, %v", out, err)
	}
	var d saudi.Date
	if err := json.Unmarshal([]byte(`"2026-02-30"`), &d); !errors.Is(err, saudi.ErrDate) || !d.IsZero() {
		t.Errorf("30 February is %v, %v", d, err)
	}
}

func FuzzParseDate(f *testing.F) {
	for _, seed := range []string{"2026-03-10", "2026-02-30", "0000-01-01", "9999-12-31", "2024-02-29"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := saudi.ParseDate(text)
		if err == nil && d.String() != text {
			t.Fatalf("ParseDate(%q) = %s", text, d)
		}
		if err != nil && !errors.Is(err, saudi.ErrDate) {
			t.Fatal(err)
		}
	})
}

func TestHijri(t *testing.T) {
	for gregorian, want := range map[string]string{
		"2022-07-30": "1444-01-01", // the first day known
		"2025-06-06": "1446-12-10",
		"2025-06-26": "1447-01-01",
		"2026-02-18": "1447-09-01",
		"2026-03-05": "1447-09-16",
		"2026-03-10": "1447-09-21",
		"2026-03-20": "1447-10-01",
		"2026-05-27": "1447-12-10",
		"2026-06-16": "1448-01-01",
		"2030-01-01": "1451-08-26",
	} {
		h, ok := date(t, gregorian).Hijri()
		if !ok || h.String() != want {
			t.Errorf("%s is %s, %v; want %s", gregorian, h, ok, want)
		}
		if got := h.Gregorian().String(); got != gregorian {
			t.Errorf("%s goes back to %s, want %s", h, got, gregorian)
		}
	}
}

func TestHijriEnds(t *testing.T) {
	last := date(t, "2033-04-01").AddDays(29 + 30 + 29 + 30 + 30 + 29 + 30 + 29 + 30 + 30 + 29 + 30 - 1) // months of 1455
	if h, ok := last.Hijri(); !ok || h.String() != "1455-12-30" {
		t.Errorf("the last day is %s, %v", h, ok)
	}
	for _, outside := range []saudi.Date{last.AddDays(1), date(t, "2022-07-29"), date(t, "1900-01-01"), date(t, "2500-01-01"), {}} {
		if h, ok := outside.Hijri(); ok || h != (saudi.HijriDate{}) {
			t.Errorf("%s is %s, %v; want outside", outside, h, ok)
		}
	}
}

func TestNewHijri(t *testing.T) {
	if h, err := saudi.NewHijri(1447, 9, 21); err != nil || h.Gregorian().String() != "2026-03-10" {
		t.Errorf("%s, %v", h, err)
	}
	for _, c := range [][3]int{
		{1447, 2, 30}, // Safar 1447 has 29 days
		{1447, 1, 31}, {1447, 0, 1}, {1447, 13, 1}, {1447, 1, 0}, {1447, 1, -1}, {1443, 12, 1}, {1456, 1, 1}, {0, 0, 0},
	} {
		h, err := saudi.NewHijri(c[0], c[1], c[2])
		if !errors.Is(err, saudi.ErrHijri) || h != (saudi.HijriDate{}) {
			t.Errorf("NewHijri(%v) = %s, %v; want ErrHijri", c, h, err)
		}
		if got := (saudi.HijriDate{Year: c[0], Month: c[1], Day: c[2]}).Gregorian(); !got.IsZero() {
			t.Errorf("%v is the day %s", c, got)
		}
	}
}

// Every day of the table has one Hijri date, the next day has the next one, and
// each year's months end where the next year begins.
func TestHijriDaysFollowOneAnother(t *testing.T) {
	day := date(t, "2022-07-30")
	before := saudi.HijriDate{Year: 1443, Month: 12, Day: 30}
	years := 0
	for {
		h, ok := day.Hijri()
		if !ok {
			break
		}
		switch {
		case h.Day == before.Day+1 && h.Month == before.Month && h.Year == before.Year:
		case h.Day == 1 && before.Day >= 29 && h.Month == before.Month+1 && h.Year == before.Year:
		case h.Day == 1 && before.Day >= 29 && h.Month == 1 && before.Month == 12 && h.Year == before.Year+1:
			years++
		default:
			t.Fatalf("%s follows %s", h, before)
		}
		if h.Gregorian() != day {
			t.Fatalf("%s goes back to %s, not %s", h, h.Gregorian(), day)
		}
		before, day = h, day.AddDays(1)
	}
	if years != 12 || before.String() != "1455-12-30" {
		t.Errorf("%d years up to %s, want 12 up to 1455-12-30", years, before)
	}
}

func TestPromise(t *testing.T) {
	var plain saudi.Calendar
	for from, want := range map[string]string{ // n = 3
		"2026-03-01": "2026-03-04", // Sunday
		"2026-03-04": "2026-03-09", // Wednesday
		"2026-03-05": "2026-03-10", // Thursday
		"2026-03-06": "2026-03-10", // Friday
		"2026-03-07": "2026-03-10", // Saturday
	} {
		for _, hour := range []int{0, 9, 23} {
			if got := plain.Promise(date(t, from).At(hour, 59), 3).String(); got != want {
				t.Errorf("three working days from %s are %s, want %s", from, got, want)
			}
		}
	}
	// What counts is the date in Riyadh, not in UTC.
	if got := plain.Promise(time.Date(2026, 3, 1, 21, 0, 0, 0, time.UTC), 3).String(); got != "2026-03-05" {
		t.Errorf("from Sunday 21:00 UTC: %s", got)
	}
	if got := plain.Promise(date(t, "2026-03-06").At(12, 0), 0).String(); got != "2026-03-06" {
		t.Errorf("no working days from a Friday: %s", got)
	}
}

func TestPromiseWithCutOff(t *testing.T) {
	bank := saudi.Calendar{CutOff: 16 * time.Hour}
	sunday := date(t, "2026-03-01")
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{sunday.At(15, 59).Add(59*time.Second + 999*time.Millisecond), "2026-03-04"},
		{sunday.At(16, 0), "2026-03-05"},
		{sunday.At(23, 59), "2026-03-05"},
		{sunday.At(24, 0), "2026-03-05"},                // Monday's morning
		{date(t, "2026-03-05").At(16, 0), "2026-03-10"}, // Thursday evening counts from Friday
		{date(t, "2026-03-07").At(16, 0), "2026-03-11"}, // Saturday evening counts from Sunday
	} {
		if got := bank.Promise(c.at, 3).String(); got != c.want {
			t.Errorf("from %s: %s, want %s", c.at, got, c.want)
		}
	}
}

func TestPromiseSkipsHolidays(t *testing.T) {
	bank := saudi.Calendar{Holidays: map[saudi.Date]bool{date(t, "2026-02-22"): true}} // a Sunday
	if bank.Working(date(t, "2026-02-22")) || !bank.Working(date(t, "2026-02-23")) || bank.Working(date(t, "2026-02-27")) {
		t.Error("Working is wrong")
	}
	if got := bank.Promise(date(t, "2026-02-19").At(9, 0), 3).String(); got != "2026-02-25" {
		t.Errorf("over Founding Day: %s, want 2026-02-25", got)
	}
	if got := bank.Promise(date(t, "2026-02-22").At(9, 0), 1).String(); got != "2026-02-23" {
		t.Errorf("from the holiday itself: %s, want 2026-02-23", got)
	}
}

// TestPromiseByTheBanksWeek: a bank may work on other days than most do.
func TestPromiseByTheBanksWeek(t *testing.T) {
	week := func(days ...time.Weekday) map[time.Weekday]bool {
		set := map[time.Weekday]bool{}
		for _, day := range days {
			set[day] = true
		}
		return set
	}
	usual := week(time.Sunday, time.Monday, time.Tuesday, time.Wednesday, time.Thursday)
	withSaturday := week(time.Saturday, time.Sunday, time.Monday, time.Tuesday, time.Wednesday, time.Thursday)
	for _, c := range []struct {
		bank       saudi.Calendar
		from, want string // at nine
	}{
		{saudi.Calendar{Week: usual}, "2026-03-05", "2026-03-10"},
		{saudi.Calendar{Week: usual, CutOff: 9 * time.Hour}, "2026-03-07", "2026-03-11"},
		{saudi.Calendar{Week: withSaturday}, "2026-03-05", "2026-03-09"},
		{saudi.Calendar{Week: withSaturday, Holidays: map[saudi.Date]bool{date(t, "2026-03-07"): true}}, "2026-03-05", "2026-03-10"},
		{saudi.Calendar{Week: week(time.Friday)}, "2026-03-05", "2026-03-20"},
	} {
		if got := c.bank.Promise(date(t, c.from).At(9, 0), 3).String(); got != c.want {
			t.Errorf("%v: three working days from %s are %s, want %s", c.bank, c.from, got, c.want)
		}
	}
}

// However the calendar is made, work came in before Before exactly when the day
// of its Promise is over.
func TestBeforeIsTheOtherSideOfPromise(t *testing.T) {
	start := date(t, "2026-01-01")
	rapid.Check(t, func(t *rapid.T) {
		bank := saudi.Calendar{
			Week: map[time.Weekday]bool{}, Holidays: map[saudi.Date]bool{},
			CutOff: time.Duration(rapid.IntRange(0, 23).Draw(t, "cut-off")) * time.Hour,
		}
		for _, day := range rapid.SliceOfN(rapid.IntRange(0, 6), 0, 7).Draw(t, "week") {
			bank.Week[time.Weekday(day)] = true
		}
		for _, offset := range rapid.SliceOfN(rapid.IntRange(0, 60), 0, 20).Draw(t, "holidays") {
			bank.Holidays[start.AddDays(offset)] = true
		}
		now := start.At(0, 0).Add(time.Duration(rapid.IntRange(0, 60*24*60).Draw(t, "now, in minutes")) * time.Minute)
		n := rapid.IntRange(1, 10).Draw(t, "n")
		before := bank.Before(now, n)
		over := func(at time.Time) bool { return bank.Promise(at, n).Before(saudi.DateOf(now)) }
		if !over(before.Add(-time.Nanosecond)) || over(before) {
			t.Fatalf("at %s what came in before %s: %t, at it: %t", now, before, over(before.Add(-time.Nanosecond)), over(before))
		}
	})
}

// However the calendar is made, a promise is a working day with exactly n of
// them after the day that is counted from.
func TestPromiseCountsWorkingDays(t *testing.T) {
	start := date(t, "2026-01-01")
	rapid.Check(t, func(t *rapid.T) {
		bank := saudi.Calendar{Week: map[time.Weekday]bool{}, Holidays: map[saudi.Date]bool{}}
		for _, day := range rapid.SliceOfN(rapid.IntRange(0, 6), 0, 7).Draw(t, "week") {
			bank.Week[time.Weekday(day)] = true
		}
		for _, offset := range rapid.SliceOfN(rapid.IntRange(0, 60), 0, 20).Draw(t, "holidays") {
			bank.Holidays[start.AddDays(offset)] = true
		}
		from := start.AddDays(rapid.IntRange(0, 40).Draw(t, "from"))
		n := rapid.IntRange(1, 10).Draw(t, "n")
		promised := bank.Promise(from.At(rapid.IntRange(0, 23).Draw(t, "hour"), 0), n)
		if !bank.Working(promised) {
			t.Fatalf("%s is no working day", promised)
		}
		worked := 0
		for d := from.AddDays(1); !promised.Before(d); d = d.AddDays(1) {
			if bank.Working(d) {
				worked++
			}
		}
		if worked != n {
			t.Fatalf("%d working days from %s to %s, want %d", worked, from, promised, n)
		}
	})
}
