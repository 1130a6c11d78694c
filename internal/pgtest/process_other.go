//go:build !linux

package pgtest

import "syscall"

// attributes give the server a process group of its own, so that a Ctrl-C for the test isn't one for the server.
func attributes(as *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: as, Setpgid: true}
}

// Where there is no /proc the children are left to notice by themselves that the postmaster is gone, or stopped.
func children(int) []int { return nil }

func running(int) bool { return false }

func forgetMemory(string) {}
