package outbound_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/istirdad/istirdad/internal/outbound"
)

func TestCause(t *testing.T) {
	for err, want := range map[error]string{
		outbound.ErrCallerLeft:   outbound.CauseCallerLeft,
		context.DeadlineExceeded: outbound.CauseTimeout,
		outbound.ErrOversize:     outbound.CauseOversize,
		io.EOF:                   outbound.CauseBroken,
		errors.New("unforeseen"): outbound.CauseBroken,
	} {
		for _, status := range []int{0, 200, 302, 503} { // the status of half an answer says nothing
			if got := (outbound.Exchange{Handed: true, Err: err, Status: status}).Cause(); got != want {
				t.Errorf("%v: %q, want %q", err, got, want)
			}
		}
	}
	for status := range 1000 {
		want := ""
		switch {
		case status == 401, status == 403, status == 407:
			want = "denied"
		case status == 429:
			want = "rate_limited"
		case status == 503:
			want = "unavailable"
		case status >= 500:
			want = "server_error"
		case status >= 300 && status < 400:
			want = "redirect"
		}
		x := outbound.Exchange{Handed: true, Status: status, Header: http.Header{"Retry-After": {"7"}}}
		if got := x.Cause(); got != want {
			t.Errorf("%d: %q, want %q", status, got, want)
		}
		if waits := x.After() == 7*time.Second; waits != (status == 429 || status == 503) || !waits && x.After() != 0 {
			t.Errorf("%d: asks to wait %v", status, x.After())
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 5, 6, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"0":                       time.Second,
		"1":                       time.Second,
		"7":                       7 * time.Second,
		"0120":                    2 * time.Minute,
		"900":                     15 * time.Minute,
		"901":                     15 * time.Minute,
		"1000000000":              15 * time.Minute,
		"99999999999999999999999": 15 * time.Minute,
		now.Add(time.Minute).Format(http.TimeFormat):     time.Minute,
		now.Add(-time.Hour).Format(http.TimeFormat):      time.Second,
		now.Add(240 * time.Hour).Format(http.TimeFormat): 15 * time.Minute,
		"Mon, 02 Jan 2006 15:04:05 GMT":                  time.Second,
		"Fri, 31 Dec 9999 23:59:59 GMT":                  15 * time.Minute,
		"":                                               0, "-1": 0, "+5": 0, "1.5": 0, "1e9": 0, "soon": 0, " 5": 0, "٥": 0, "0x10": 0,
	} {
		if got := outbound.RetryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	for name, header := range map[string]http.Header{"none": nil, "two": {"Retry-After": {"5", "6"}}} {
		if got := outbound.RetryAfter(header, now); got != 0 {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, text := range []string{"0", "120", "1e9", "Thu, 05 Mar 2026 06:00:00 GMT", "-1", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := outbound.RetryAfter(http.Header{"Retry-After": {text}}, time.Unix(1772690400, 0))
		if got != 0 && (got < time.Second || got > 15*time.Minute) {
			t.Fatalf("%q: %s", text, got)
		}
	})
}

func TestFromSandbox(t *testing.T) {
	for _, test := range []struct {
		values []string
		want   bool
	}{
		{nil, false},
		{[]string{""}, false},
		{[]string{"sandbox"}, true},
		{[]string{" SandBox "}, true},
		{[]string{"version 7", "sandbox"}, true},
		{[]string{"version 7, sandbox"}, true},
		{[]string{"version 7"}, false},
		{[]string{"no sandbox"}, false},
	} {
		if got := outbound.FromSandbox(http.Header{"Refund-Core": test.values}); got != test.want {
			t.Errorf("%q: %v", test.values, got)
		}
	}
}
