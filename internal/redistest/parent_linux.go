package redistest

import "syscall"

// dieWithParent has the kernel kill the child when the tests die, however.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
