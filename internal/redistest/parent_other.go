//go:build unix && !linux

package redistest

import "syscall"

// dieWithParent can't be asked for here: tests that are killed leave a server behind.
func dieWithParent(*syscall.SysProcAttr) {}
