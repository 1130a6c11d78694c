package pgtest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a running postmaster.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has ended and was waited for
}

func startProcess(as *syscall.Credential, dir, program string, args []string) (*process, error) {
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()    // the server has a copy
	cmd := exec.Command(program, args...) //nolint:noctx // it is stopped by its id, and outlives who started it
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, environment(), log, log
	cmd.SysProcAttr = attributes(as)
	p := &process{cmd: cmd, exited: make(chan struct{})}
	begun := make(chan error)
	go func() {
		// The kernel ends the server with the thread that started it, not with the process: so the thread stays.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		begun <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log
			close(p.exited)
		}
	}()
	if err := <-begun; err != nil {
		return nil, err
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) signal(sig syscall.Signal) error { return p.cmd.Process.Signal(sig) }

// kill ends all of it. The postmaster is held still first, so that it starts no other child and collects none: until
// it is dead itself, the ids of its children are theirs.
func (p *process) kill() {
	if p.signal(syscall.SIGSTOP) != nil {
		<-p.exited // it has ended by itself, and its id may be somebody else's by now
		return
	}
	all := children(p.pid())
	for _, child := range all {
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for _, child := range all {
		for running(child) {
			<-tick.C
		}
	}
	_ = p.signal(syscall.SIGKILL)
	<-p.exited
}

// end is for when nothing of it is wanted any more: an immediate shutdown, which leaves no shared memory behind.
func (p *process) end() {
	_ = p.resume()
	late := time.NewTimer(stopTime)
	defer late.Stop()
	_ = p.signal(syscall.SIGQUIT)
	select {
	case <-p.exited:
	case <-late.C:
		p.kill()
	}
}

func (p *process) pause() error {
	err := p.signal(syscall.SIGSTOP)
	if err != nil {
		return err
	}
	for _, child := range children(p.pid()) {
		err = errors.Join(err, syscall.Kill(child, syscall.SIGSTOP))
	}
	return err
}

func (p *process) resume() error {
	var err error
	if p.signal(syscall.Signal(0)) != nil {
		return errStopped
	}
	for _, child := range children(p.pid()) {
		err = errors.Join(err, syscall.Kill(child, syscall.SIGCONT))
	}
	return errors.Join(err, p.signal(syscall.SIGCONT))
}

// log is what the server said since it was started.
func (p *process) log() string {
	text, err := os.ReadFile(filepath.Join(p.cmd.Dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// postmaster is what a server writes down about itself in its data folder.
type postmaster struct {
	pid    int
	memory int // id of its piece of System V shared memory
	ready  bool
}

func readPostmaster(data string) (postmaster, error) {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return postmaster{}, err
	}
	// One line each: pid, folder, start, port, socket, listen address, key and id of the shared memory, state. The
	// file grows from the first to the last.
	lines := strings.Split(string(text), "\n")
	var p postmaster
	p.pid, _ = strconv.Atoi(strings.TrimSpace(lines[0]))
	if len(lines) > 6 {
		if words := strings.Fields(lines[6]); len(words) == 2 {
			p.memory, _ = strconv.Atoi(words[1])
		}
	}
	p.ready = len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready"
	return p, nil
}
