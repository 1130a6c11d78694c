package pgtest

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// children are the ids of a process's children.
func children(parent int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var all []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if _, of, ok := stat(pid); ok && of == parent {
			all = append(all, pid)
		}
	}
	return all
}

// running reports whether there is such a process and it hasn't ended yet.
func running(pid int) bool {
	state, _, ok := stat(pid)
	return ok && state != 'Z' && state != 'X'
}

// stat reads a process's state and parent; false when there is no such process. The name before them may hold
// anything, so they are looked for behind its closing bracket.
func stat(pid int) (state byte, parent int, ok bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, false
	}
	end := bytes.LastIndexByte(text, ')')
	if _, err := fmt.Sscanf(string(text[end+1:]), " %c %d", &state, &parent); err != nil {
		return 0, 0, false
	}
	return state, parent, true
}

// forgetMemory removes the small piece of System V shared memory of a server that was killed and not started again:
// the kernel doesn't.
func forgetMemory(data string) {
	const ipcRemove = 0
	if p, err := readPostmaster(data); err == nil && p.memory != 0 {
		_, _, _ = syscall.Syscall(syscall.SYS_SHMCTL, uintptr(p.memory), ipcRemove, 0)
	}
}
