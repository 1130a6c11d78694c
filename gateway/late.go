package gateway

import (
	"time"

	"github.com/istirdad/istirdad/internal/saudi"
)

// Lateness is how far something is behind the time that it should take. Staff are told; customers are not.
type Lateness string

// How late something is: by the bank's working days, of which its calendar knows week, holidays and cut-off.
const (
	InTime  Lateness = ""
	Overdue Lateness = "overdue" // three are over: what customers are promised
	Red     Lateness = "red"     // seven are over: somebody has to act
)

const (
	overdueDays = 3
	redDays     = 7
)

// Deadlines are the moments that lateness goes by at one time: what began before them is that late.
type Deadlines struct{ Overdue, Red time.Time }

// DeadlinesAt returns those of a bank with this calendar.
func DeadlinesAt(now time.Time, c saudi.Calendar) Deadlines {
	return Deadlines{Overdue: c.Before(now, overdueDays), Red: c.Before(now, redDays)}
}

// Lateness is how late something is that began then and isn't done.
func (d Deadlines) Lateness(began time.Time) Lateness {
	switch {
	case began.Before(d.Red):
		return Red
	case began.Before(d.Overdue):
		return Overdue
	default:
		return InTime
	}
}

// Lateness is how late the refund is by these deadlines, from its confirm on; one that is final isn't.
func (r Refund) Lateness(d Deadlines) Lateness {
	if r.State.Final() {
		return InTime
	}
	return d.Lateness(r.CreatedAt)
}

// Late is how many refunds are late.
type Late struct {
	Overdue int // those that are red among them
	Red     int
	Oldest  *Oldest // of them, by its confirm; nil: none is late
}

// Oldest says which refund has waited longest. Whose it is isn't needed for that, nor unsealed.
type Oldest struct {
	ID        string
	Reference string
	State     State
	CreatedAt time.Time
}
