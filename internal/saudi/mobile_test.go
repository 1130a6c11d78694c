package saudi_test

import (
	"errors"
	"regexp"
	"testing"

	"github.com/istirdad/istirdad/internal/saudi"
)

var validMobiles = []string{
	"0500000001", "500000001", "966500000001", "+966500000001", "00966500000001", "+9660500000001",
	"٠٥٠٠٠٠٠٠٠١", "۰۵۰۰۰۰۰۰۰۱", "05 0000 0001", "+966 50 000 0001", "\u200e+966-50-000-0001", "＋966500000001",
}

var invalidMobiles = []string{
	"0411111111", "+96650000000", "+971500000001", "5000000010",
	"", "0", "+", "+966", "00966", "05000000011", "050000000", "00500000001", "+0500000001", "+500000001",
	"966966500000001", "05०0000001", "0500000001x", "(050) 0000001", "++966500000001", "966+500000001",
}

func TestParseMobile(t *testing.T) {
	for _, typed := range validMobiles {
		m, err := saudi.ParseMobile(typed)
		if err != nil || m.E164() != "+966500000001" || m.IsZero() {
			t.Errorf("ParseMobile(%+q) = %q, %v", typed, m.E164(), err)
		}
		if m.Masked() != "+9665*****001" {
			t.Errorf("masked %q", m.Masked())
		}
	}
	for _, typed := range invalidMobiles {
		m, err := saudi.ParseMobile(typed)
		if !errors.Is(err, saudi.ErrMobile) || !m.IsZero() {
			t.Errorf("ParseMobile(%+q) = %q, %v; want none, ErrMobile", typed, m.E164(), err)
		}
		refuseToRepeat(t, err, typed)
	}
	if none := (saudi.Mobile{}); none.E164() != "" || none.Masked() != "" {
		t.Error("the zero Mobile has text")
	}
}

func FuzzMobile(f *testing.F) {
	for _, seed := range append(append([]string{}, validMobiles...), invalidMobiles...) {
		f.Add(seed)
	}
	e164 := regexp.MustCompile(`^\+9665[0-9]{8}$`)
	f.Fuzz(func(t *testing.T, typed string) {
		m, err := saudi.ParseMobile(typed)
		if err != nil {
			if !m.IsZero() || !errors.Is(err, saudi.ErrMobile) {
				t.Fatalf("ParseMobile(%+q) = %q, %v", typed, m.E164(), err)
			}
			return
		}
		again, err := saudi.ParseMobile(m.E164())
		if err != nil || again != m || !e164.MatchString(m.E164()) {
			t.Fatalf("ParseMobile(%+q) = %q, which is read as %q, %v", typed, m.E164(), again.E164(), err)
		}
	})
}
