package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
)

// anUnforeseenError is an error of a type that no switch knows.
type anUnforeseenError struct{}

func (anUnforeseenError) Error() string { return "something new" }

// TestF02SilenceForAnHour: whatever kind of silence it is, one send leaves and nothing after it. Treating one
// unforeseen error as retryable would send here every few seconds.
func TestF02SilenceForAnHour(t *testing.T) {
	kinds := map[string]outcome{
		"every call times out":               silence,
		"every send arrives, no answer does": lost,
		"an error of a type nobody foresaw":  fails(anUnforeseenError{}),
		"an error that is wrapped twice":     fails(fmt.Errorf("a: %w", fmt.Errorf("b: %w", context.DeadlineExceeded))),
		"a cancelled context":                fails(context.Canceled),
		"two errors in one":                  fails(errors.Join(errTimeout, anUnforeseenError{})),
		"no error and no answer":             says(""),
		"a state that nobody documented":     says("escheated"),
		"F58 a panic":                        func(func() (dispatch.Answer, error)) (dispatch.Answer, error) { panic("out of range") },
	}
	simulate(t, func(t *testing.T, w *world) {
		refunds := map[string]gateway.Refund{}
		for name, ends := range kinds {
			refunds[name] = w.acceptTo(len(refunds)+1, func(string, int) outcome { return ends })
		}
		w.start(w.every(2 * time.Second))
		time.Sleep(time.Hour)
		for name, r := range refunds {
			sends, asks := len(w.core.about(r, "submit")), len(w.core.about(r, "status"))
			if sends != 1 || asks < 10 {
				t.Errorf("%s: sent %d times, want 1; asked %d times", name, sends, asks)
			}
			if now := w.want(r, gateway.InDoubt, ""); now.Sends != 1 || !now.MayHaveLeft {
				t.Errorf("%s: %d sends on record, may have left: %t", name, now.Sends, now.MayHaveLeft)
			}
		}
	})
}

// TestF02SilenceEnds: what the silence hid comes to light, and the refund goes on from there.
func TestF02SilenceEnds(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.core.script = func(kind string, _ int) outcome {
			switch {
			case kind == "submit":
				return lost
			case w.age() < time.Hour:
				return silence
			}
			return honest
		}
		r := w.accept(1)
		w.start(w.every(2 * time.Second))
		time.Sleep(time.Hour)
		w.until(r, gateway.Credited, 10*time.Minute)
		if n := len(w.core.of("submit")); n != 1 {
			t.Errorf("%d sends, want 1", n)
		}
	})
}
