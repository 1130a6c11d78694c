// Package child starts processes that end with the process that started them: the servers and gateways of tests, of which
// nothing may be left when a test is killed. It exists because the kernel's offer to do that has a catch, see Start.
package child

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// Process is a running child, alone in a process group of its own. Its methods are safe for concurrent use.
type Process struct {
	process *os.Process
	exited  chan struct{}
	err     error // written before exited is closed
}

// Start starts cmd as a user, nil being ours. When this process ends, however it does, the child gets the signal last;
// systems other than Linux don't offer that. A Ctrl-C for us isn't one for the child.
func Start(cmd *exec.Cmd, as *syscall.Credential, last syscall.Signal) (*Process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as, Setpgid: true}
	endWithParent(cmd.SysProcAttr, last)
	p := &Process{exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		// What the kernel calls the parent is the thread that made the child, and Go ends threads as it sees fit. So this
		// one is kept for as long as the child lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		p.process = cmd.Process
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// Pid is the child's id, and its group's.
func (p *Process) Pid() int { return p.process.Pid }

// Exited is closed when the child has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Err is how the child ended, as exec.Cmd.Wait says it. It waits for the end.
func (p *Process) Err() error {
	<-p.exited
	return p.err
}

// Signal sends a signal to the child alone; os.ErrProcessDone when it has ended.
func (p *Process) Signal(sig syscall.Signal) error { return p.process.Signal(sig) }

// SignalGroup sends a signal to the child and its children. It is no error when there are none any more.
func (p *Process) SignalGroup(sig syscall.Signal) error {
	select {
	case <-p.exited: // and its id may be somebody else's by now
		return nil
	default:
	}
	if err := syscall.Kill(-p.Pid(), sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal %v: %w", sig, err)
	}
	return nil
}

// Kill kills the child and its children, as a power cut would, and returns when the child is gone.
func (p *Process) Kill() error {
	err := p.SignalGroup(syscall.SIGKILL)
	<-p.exited
	return err
}

// Unprivileged is as whom a server runs when we are root: the first of these users that there is. Otherwise it is nil.
func Unprivileged(names ...string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range names {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(found.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(found.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("a server isn't run as root, and there is no user %s to run it as", strings.Join(names, " or "))
}
