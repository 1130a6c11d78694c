package storetest

import (
	"fmt"
	"testing"
	"time"
)

var endedTests = map[string]func(*testing.T, Store){
	"an ended session is ended, and no other": endedIsEnded,
	"it is remembered as long as it was said": endedIsRemembered,
	"64 ends at once are one":                 endedAtOnce,
}

func end(t *testing.T, s Store, now time.Time, session string, until time.Time) {
	t.Helper()
	wantOutcome(t, "End", s.End(t.Context(), now, session, until), "ok")
}

func wantEnded(t *testing.T, s Store, session string, want bool) {
	t.Helper()
	switch got, err := s.Ended(t.Context(), session); {
	case err != nil:
		t.Errorf("Ended: %v", err)
	case got != want:
		t.Errorf("Ended of %q = %t, want %t", session, got, want)
	}
}

func endedIsEnded(t *testing.T, s Store) {
	wantEnded(t, s, "sid-1", false)
	now := time.Now()
	end(t, s, now, "sid-1", now.Add(time.Hour))
	for _, other := range []string{"sid-2", "SID-1", "sid-1 ", "sid-", ""} {
		wantEnded(t, s, other, false)
	}
	wantEnded(t, s, "sid-1", true)
	// To end it again, or for a shorter while, takes nothing back.
	end(t, s, now, "sid-1", now.Add(-time.Hour))
	end(t, s, now, "sid-2", now.Add(time.Hour))
	wantEnded(t, s, "sid-1", true)
	if err := s.End(t.Context(), now, "", now.Add(time.Hour)); err == nil {
		t.Error("nobody's session was ended")
	}
}

func endedIsRemembered(t *testing.T, s Store) {
	now := time.Now()
	end(t, s, now, "sid-1", now.Add(time.Hour))
	end(t, s, now, "sid-2", now.Add(-time.Hour))
	// Others' ends tidy up what is too old to matter, and nothing else, whatever time it is said to be.
	end(t, s, now.Add(-24*time.Hour), "sid-3", now.Add(time.Hour))
	end(t, s, now, "sid-4", now.Add(time.Hour))
	for _, session := range []string{"sid-1", "sid-3", "sid-4"} {
		wantEnded(t, s, session, true)
	}
	wantEnded(t, s, "sid-2", false)
}

func endedAtOnce(t *testing.T, s Store) {
	now := time.Now()
	together(crowd, func(i int) {
		if err := s.End(t.Context(), now, fmt.Sprint("sid-", i%2), now.Add(time.Duration(i)*time.Minute)); err != nil {
			t.Errorf("End: %v", err)
		}
	})
	wantEnded(t, s, "sid-0", true)
	wantEnded(t, s, "sid-1", true)
}
