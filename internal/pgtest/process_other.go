//go:build !linux

package pgtest

// Where there is no /proc the children are left to notice by themselves that the postmaster is gone, or stopped.
func children(int) []int { return nil }

func running(int) bool { return false }

func forgetMemory(string) {}
