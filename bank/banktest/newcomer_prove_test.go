//go:build prove

package banktest_test

import "testing"

// TestProveNewcomer is TestNewcomer on a machine that has Go and nothing else: every module is fetched and compiled. It
// says the time that README.md tells.
func TestProveNewcomer(t *testing.T) {
	n := newcomer{t: t, dir: t.TempDir(), release: release(t)}
	n.caches = []string{"GOMODCACHE=" + t.TempDir(), "GOCACHE=" + t.TempDir()}
	n.begin()
}
