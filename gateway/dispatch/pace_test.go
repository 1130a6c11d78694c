package dispatch

import (
	"testing"
	"time"
)

func TestResendsAreATenthOfManySends(t *testing.T) {
	minute := time.Date(2026, 3, 5, 6, 10, 0, 0, time.UTC)
	for _, row := range []struct{ firsts, want int }{{0, 60}, {599, 60}, {600, 60}, {610, 61}, {1000, 100}} {
		p := newPace(12)
		for range row.firsts {
			p.went(minute)
		}
		granted := 0
		for range 1000 {
			if p.resend(minute.Add(59 * time.Second)) {
				granted++
			}
		}
		if granted != row.want {
			t.Errorf("%d re-sends in a minute of %d first sends, want %d", granted, row.firsts, row.want)
		}
		if !p.resend(minute.Add(time.Minute)) {
			t.Error("none in the next minute")
		}
	}
}

func TestCutBeginsTheRampAnew(t *testing.T) {
	p := newPace(12)
	if n := p.sends(100, 0); n != 12 {
		t.Errorf("takes %d when all is well, want 12", n)
	}
	p.cut()
	for want := 1; want <= 12; want++ {
		if n := p.sends(100, 0); n != want {
			t.Errorf("takes %d, want %d", n, want)
		}
		p.answered()
	}
	if n := p.sends(2, 0); n != 2 {
		t.Errorf("takes %d of 2 that the breaker admits", n)
	}
	if n := p.sends(100, 12); n != 0 {
		t.Errorf("takes %d with 12 under way", n)
	}
	if n := p.sends(0, 0); n > 0 || p.sends(100, 0) != 1 {
		t.Error("an open breaker didn't cut")
	}
}

func TestSpreadStaysWithinHalf(t *testing.T) {
	for range 1000 {
		if d := spread(10 * time.Second); d < 5*time.Second || d >= 15*time.Second {
			t.Fatalf("%s", d)
		}
	}
}
