package pgtest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/istirdad/istirdad/internal/child"
)

// process is a running postmaster.
type process struct {
	*child.Process
	dir string // where it runs, and its log is
}

func startProcess(as *syscall.Credential, dir, program string, args []string) (*process, error) {
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()    // the server has a copy
	cmd := exec.Command(program, args...) //nolint:noctx // it is stopped by its id, and outlives who started it
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, environment(), log, log
	started, err := child.Start(cmd, as, syscall.SIGQUIT) // an immediate shutdown, when the test's process dies
	if err != nil {
		return nil, err
	}
	return &process{Process: started, dir: dir}, nil
}

// kill ends all of it. The postmaster is held still first, so that it starts no other child and collects none: until
// it is dead itself, the ids of its children are theirs.
func (p *process) kill() {
	if p.Signal(syscall.SIGSTOP) != nil {
		<-p.Exited() // it has ended by itself, and its id may be somebody else's by now
		return
	}
	all := children(p.Pid())
	for _, pid := range all {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for _, pid := range all {
		for running(pid) {
			<-tick.C
		}
	}
	_ = p.Signal(syscall.SIGKILL)
	<-p.Exited()
}

// end is for when nothing of it is wanted any more: an immediate shutdown, which leaves no shared memory behind.
func (p *process) end() {
	_ = p.resume()
	late := time.NewTimer(stopTime)
	defer late.Stop()
	_ = p.Signal(syscall.SIGQUIT)
	select {
	case <-p.Exited():
	case <-late.C:
		p.kill()
	}
}

func (p *process) pause() error {
	err := p.Signal(syscall.SIGSTOP)
	if err != nil {
		return err
	}
	for _, pid := range children(p.Pid()) {
		err = errors.Join(err, syscall.Kill(pid, syscall.SIGSTOP))
	}
	return err
}

func (p *process) resume() error {
	var err error
	if p.Signal(syscall.Signal(0)) != nil {
		return errStopped
	}
	for _, pid := range children(p.Pid()) {
		err = errors.Join(err, syscall.Kill(pid, syscall.SIGCONT))
	}
	return errors.Join(err, p.Signal(syscall.SIGCONT))
}

// log is what the server said since it was started.
func (p *process) log() string {
	text, err := os.ReadFile(filepath.Join(p.dir, "log"))
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
