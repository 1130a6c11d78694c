package bank_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
)

// TestPromisedBy: by the bank's week, holidays and cut-off, in the preview and in the refund that it becomes.
func TestPromisedBy(t *testing.T) {
	day := func(n int) saudi.Date { return saudi.Date{Year: 2000, Month: time.January, Day: n} } // the 1st is a Saturday
	holidays := func(days ...int) map[saudi.Date]bool {
		set := map[saudi.Date]bool{}
		for _, n := range days {
			set[day(n)] = true
		}
		return set
	}
	afternoon, eve := 16*time.Hour, map[time.Weekday]bool{}
	for _, d := range []time.Weekday{time.Saturday, time.Sunday, time.Monday, time.Tuesday, time.Wednesday} {
		eve[d] = true
	}
	for name, c := range map[string]struct {
		at       time.Time
		calendar saudi.Calendar
		days     int
		want     int // of January 2000
	}{
		"on a Sunday":                              {day(2).At(9, 0), saudi.Calendar{}, 3, 5},
		"on a Wednesday, over the weekend":         {day(5).At(9, 0), saudi.Calendar{}, 3, 10},
		"on a Thursday":                            {day(6).At(23, 59), saudi.Calendar{}, 3, 11},
		"on a Friday":                              {day(7).At(0, 0), saudi.Calendar{}, 3, 11},
		"on a Saturday":                            {day(8).At(12, 0), saudi.Calendar{}, 3, 11},
		"Sunday in Riyadh, still Saturday in UTC":  {time.Date(2000, 1, 8, 21, 0, 0, 0, time.UTC), saudi.Calendar{}, 3, 12},
		"in one day":                               {day(6).At(9, 0), saudi.Calendar{}, 1, 9},
		"in seven":                                 {day(2).At(9, 0), saudi.Calendar{}, 7, 11},
		"a Thursday before the cut-off":            {day(6).At(15, 59), saudi.Calendar{CutOff: afternoon}, 3, 11},
		"a Thursday at the cut-off, as a Friday":   {day(6).At(16, 0), saudi.Calendar{CutOff: afternoon}, 3, 11},
		"a Wednesday before the cut-off":           {day(5).At(15, 59), saudi.Calendar{CutOff: afternoon}, 3, 10},
		"a Wednesday at the cut-off":               {day(5).At(16, 0), saudi.Calendar{CutOff: afternoon}, 3, 11},
		"a Saturday at the cut-off, as a Sunday":   {day(8).At(16, 0), saudi.Calendar{CutOff: afternoon}, 3, 12},
		"a holiday in between":                     {day(2).At(9, 0), saudi.Calendar{Holidays: holidays(4)}, 3, 6},
		"a holiday on the last day":                {day(2).At(9, 0), saudi.Calendar{Holidays: holidays(5)}, 3, 6},
		"a holiday on a weekend is none":           {day(5).At(9, 0), saudi.Calendar{Holidays: holidays(7, 8)}, 3, 10},
		"asked for on a holiday":                   {day(3).At(9, 0), saudi.Calendar{Holidays: holidays(3)}, 3, 6},
		"a whole Eid":                              {day(5).At(9, 0), saudi.Calendar{Holidays: holidays(9, 10, 11, 12, 13)}, 3, 17},
		"a holiday and the cut-off of a Thursday":  {day(6).At(16, 0), saudi.Calendar{CutOff: afternoon, Holidays: holidays(9)}, 3, 12},
		"a bank that works on Saturdays":           {day(6).At(9, 0), saudi.Calendar{Week: eve}, 3, 10},
		"that bank on a Wednesday, at its cut-off": {day(5).At(16, 0), saudi.Calendar{Week: eve, CutOff: afternoon}, 3, 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(c.at))
				w := newWorld(t, func(terms *bank.Terms) { terms.Calendar, terms.PromiseDays = c.calendar, c.days })
				w.paid("rq-1", 100_00)
				p := w.preview("rq-1")
				r, _, err := w.Confirm(t.Context(), caller, p.ID, "", "")
				if want := day(c.want); err != nil || p.Promised != want || r.Promised != want {
					t.Errorf("%s, and then %s, want %s (%v)", p.Promised, r.Promised, want, err)
				}
			})
		})
	}
}

// TestLateness: a teller is told when the third working day of a refund is over, and when the seventh is; a customer of
// neither. What is final isn't late.
func TestLateness(t *testing.T) {
	const told, untold = true, false
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(terms *bank.Terms) {
			terms.Calendar = saudi.Calendar{CutOff: 16 * time.Hour, Holidays: map[saudi.Date]bool{{Year: 2000, Month: 1, Day: 4}: true}}
		})
		until := func(day, hour int) {
			time.Sleep(time.Until(saudi.Date{Year: 2000, Month: 1, Day: day}.At(hour, 0)))
		}
		until(2, 15)
		w.prove()
		early := w.refund("early") // Monday, Wednesday, Thursday
		until(2, 16)
		w.prove()
		after := w.refund("after the cut-off") // Wednesday, Thursday, Sunday
		want := func(by bank.Caller, r gateway.Refund, told bool, late gateway.Lateness) {
			t.Helper()
			view, err := w.View(t.Context(), by, r.ID)
			if want := (bank.Lateness{Told: told, Late: late}); err != nil || view.Late != want || w.Lateness(by)(*view.Refund) != want {
				t.Errorf("on %s of %s: %+v, want %+v (%v)", saudi.DateOf(time.Now()), r.Payment.RequestID, view.Late, want, err)
			}
		}
		for _, c := range []struct {
			day, hour    int
			early, after gateway.Lateness
		}{
			{6, 23, gateway.InTime, gateway.InTime},
			{7, 0, gateway.Overdue, gateway.InTime},
			{9, 23, gateway.Overdue, gateway.InTime},
			{10, 0, gateway.Overdue, gateway.Overdue},
			{12, 23, gateway.Overdue, gateway.Overdue},
			{13, 0, gateway.Red, gateway.Overdue},
			{14, 0, gateway.Red, gateway.Red},
		} {
			until(c.day, c.hour)
			served := w.serve(nil)
			want(served, early, told, c.early)
			want(served, after, told, c.after)
			want(caller, early, untold, gateway.InTime)
		}
		if err := w.Cancel(t.Context(), caller, early.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // another code may be sent
		want(w.serve(nil), early, told, gateway.InTime)
	})
}
