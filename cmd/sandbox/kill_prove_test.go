//go:build prove

package main

import "testing"

// TestProveKilledInTheMiddle kills the program the moment that a confirm is answered, while the first bytes to the core
// may be leaving. What became of them is then asked about for a minute and more before anything is sent again.
func TestProveKilledInTheMiddle(t *testing.T) {
	for range 3 {
		killedAfterConfirm(t, func(*walk) {})
	}
}
