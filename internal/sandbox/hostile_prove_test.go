//go:build prove

package sandbox_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api/apitest"
)

// TestProveHostileCore: sixty refunds through a core that is awkward of its own accord. A send that was refused with
// 503 is in doubt and goes again only when the core has said twice, a minute later, that it doesn't know it; of sixty
// some meet that twice, so this takes minutes.
func TestProveHostileCore(t *testing.T) {
	seed, err := strconv.ParseUint(os.Getenv("ISTIRDAD_SEED"), 10, 64)
	if err != nil {
		seed = 20260305
	}
	t.Logf("seed %d", seed)
	w := apitest.Start(t, banktest.Hostile(seed), banktest.Crowd(60))
	all := crowd(w, 60, 1)
	confirmAll(w, all, func(*banktest.World, int) {})
	settled(t, w, all, 20*time.Minute)
	t.Logf("what went wrong: %v", faultsOf(w))
}
