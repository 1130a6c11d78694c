package api_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway/api"
)

func TestInstant(t *testing.T) {
	riyadh := time.FixedZone("Asia/Riyadh", 3*60*60)
	for want, at := range map[string]time.Time{
		`"2026-03-05T06:10:00.000000Z"`: time.Date(2026, 3, 5, 6, 10, 0, 0, time.UTC),
		`"2026-03-05T06:10:00.100000Z"`: time.Date(2026, 3, 5, 9, 10, 0, 100_000_000, riyadh),
		`"2026-03-05T06:10:00.123456Z"`: time.Date(2026, 3, 5, 6, 10, 0, 123_456_999, time.UTC), // never later than it was
		`"2026-12-31T23:59:59.999999Z"`: time.Date(2027, 1, 1, 2, 59, 59, 999_999_999, riyadh),
	} {
		got, err := json.Marshal(api.Instant(at))
		if err != nil || string(got) != want {
			t.Errorf("%v is written %s (%v), want %s", at, got, err, want)
		}
		var back api.Instant
		if err := json.Unmarshal(got, &back); err != nil || !time.Time(back).Equal(at.Truncate(time.Microsecond)) {
			t.Errorf("%s is read as %v (%v)", got, time.Time(back), err)
		}
	}
}
