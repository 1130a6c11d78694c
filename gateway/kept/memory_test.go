package kept_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/gateway/kept"
)

func TestMemoryIsBounded(t *testing.T) {
	const most = 100
	start := time.Date(2026, time.March, 8, 6, 10, 0, 0, time.UTC)
	memory := kept.NewMemory(time.Minute, most)
	for n := range 2 * most {
		if first := memory.Note(strconv.Itoa(n), start); first != (n < most) {
			t.Fatalf("the %dth: %t", n+1, first)
		}
	}
	if memory.Note("0", start) {
		t.Error("remembered twice")
	}
	if n := len(memory.IDs(start.Add(time.Minute - 1))); n != most {
		t.Errorf("%d remembered", n)
	}
	over := start.Add(time.Minute)
	if !memory.Note("0", over) {
		t.Error("not remembered anew after its time")
	}
	if n := len(memory.IDs(over)); n != 1 {
		t.Errorf("%d remembered after their time", n)
	}
}

// TestUnread: what can't be read is said once in a quarter of an hour, by its kind and id, and counted for as long.
func TestUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		unread := kept.NewUnread(slog.New(slog.NewTextHandler(&log, nil)))
		come := func(want, said int) {
			t.Helper()
			for range 3 {
				unread.Note(t.Context(), "refund", "1", errors.New("no key"))
				unread.Note(t.Context(), "lookup", "1", errors.New("no key"))
			}
			if n := unread.Count(); n != want {
				t.Errorf("%d counted, want %d", n, want)
			}
			for _, line := range []string{"refund=1", "lookup=1"} {
				if n := strings.Count(log.String(), line+` err="no key"`); n != said {
					t.Errorf("%s is said %d times, want %d:\n%s", line, n, said, log.String())
				}
			}
		}
		come(2, 1)
		time.Sleep(15*time.Minute - 1)
		come(2, 1)
		time.Sleep(time.Nanosecond)
		if n := unread.Count(); n != 0 {
			t.Errorf("%d counted after their time", n)
		}
		come(2, 2)
	})
}
