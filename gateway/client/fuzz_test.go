package client

import "testing"

// FuzzHalalas: what is read is written as it was.
func FuzzHalalas(f *testing.F) {
	f.Add("650.00")
	f.Add("92233720368547758.07")
	f.Fuzz(func(t *testing.T, riyals string) {
		if h, err := ParseHalalas(riyals); err == nil && h.String() != riyals || err != nil && h != 0 {
			t.Errorf("%q is %d, which is %q (%v)", riyals, h, h.String(), err)
		}
	})
}
