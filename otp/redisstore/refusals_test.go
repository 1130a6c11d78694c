package redisstore_test

import (
	"strings"
	"testing"

	"github.com/istirdad/istirdad/internal/redistest"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/redisstore"
)

// TestRefusals has a real Redis refuse, in every way that it is known for, while
// a challenge is live (F28, F31). Nothing is decided meanwhile, the right code
// least of all; and when Redis is well again so is the client that was there all
// along, and the code is right, because nothing was counted.
func TestRefusals(t *testing.T) {
	works := map[string][]string{ // all the same
		"OOM":      {"find", "drop"},
		"READONLY": {"find"},
	}
	for _, refusal := range redistest.Refusals() {
		t.Run(refusal.Word, func(t *testing.T) {
			server := redistest.Start(t, refusal.Args...)
			s := redisstore.New(patient(t, server))
			if _, err := s.Put(t.Context(), sample(), 5); err != nil {
				t.Fatal(err)
			}
			end := refusal.Begin(t, server)
			if _, err := s.Check(t.Context(), guess("482915", "n")); err == nil || !strings.Contains(err.Error(), refusal.Word) {
				t.Errorf("Check: %v, want to be refused with %s", err, refusal.Word)
			}
			wantTrouble(t, s, works[refusal.Word]...)
			end()
			if v, err := s.Check(t.Context(), guess("000000", "m")); err != nil || v != (otp.Verdict{Outcome: otp.Wrong, Left: 2}) {
				t.Errorf("afterwards a wrong code: %v, %v, want the first of three", v, err)
			}
			if v, err := s.Check(t.Context(), guess("482915", "n")); err != nil || v.Outcome != otp.Right {
				t.Errorf("afterwards the right code: %v, %v", v.Outcome, err)
			}
		})
	}
}
