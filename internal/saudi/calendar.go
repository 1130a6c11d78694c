package saudi

import "time"

// Calendar is a bank's working time: its week, less its holidays. The zero
// Calendar works from Sunday to Thursday and has neither holidays nor a cut-off.
type Calendar struct {
	// Week are the days on which the bank works; empty: Sunday to Thursday.
	Week map[time.Weekday]bool

	// Holidays are the days on which nobody works though the week says so. The
	// two Eids are announced year by year, so they are configuration.
	Holidays map[Date]bool

	// CutOff is the time of day in Riyadh, counted from midnight, from which on
	// work counts as the next date's; 0 is none.
	CutOff time.Duration
}

// Working reports whether the bank works on d.
func (c Calendar) Working(d Date) bool {
	if day := d.Weekday(); len(c.Week) > 0 {
		return c.Week[day] && !c.Holidays[d]
	} else if day == time.Friday || day == time.Saturday {
		return false
	}
	return !c.Holidays[d]
}

// Promise returns the workingDays-th working day after the Riyadh date of at, or
// after the next date if at is at the cut-off or later ("promised_by" of
// api.md). The date that is counted from need not be a working day itself.
func (c Calendar) Promise(at time.Time, workingDays int) Date {
	d := DateOf(at)
	if c.CutOff > 0 && at.Sub(d.At(0, 0)) >= c.CutOff {
		d = d.AddDays(1)
	}
	for workingDays > 0 {
		if d = d.AddDays(1); c.Working(d) {
			workingDays--
		}
	}
	return d
}

// Before returns the moment before which work has had workingDays whole working
// days by now: of what came in before it, the day of Promise is over.
func (c Calendar) Before(now time.Time, workingDays int) time.Time {
	d := DateOf(now)
	for workingDays > 0 {
		if d = d.AddDays(-1); c.Working(d) {
			workingDays--
		}
	}
	if c.CutOff > 0 {
		return d.AddDays(-1).At(0, 0).Add(c.CutOff)
	}
	return d.At(0, 0)
}
