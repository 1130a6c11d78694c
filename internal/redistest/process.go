package redistest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"syscall"
)

// process is a child in a process group of its own.
type process struct {
	pid    int
	exited chan struct{}
}

// run starts a process whose output goes to a file.
func run(binary, log string, args []string) (*process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()   // the child has its own
	cmd := exec.Command(binary, args...) //nolint:noctx // it ends by kill
	cmd.Stdout, cmd.Stderr = out, out
	if cmd.SysProcAttr, err = ordinary(); err != nil {
		return nil, err
	}
	p := &process{exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel kills the child when the thread that made it ends, so this
		// thread has to stay as long as the child does.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(p.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	p.pid = cmd.Process.Pid
	return p, nil
}

func (p *process) signal(sig syscall.Signal) error {
	if err := syscall.Kill(-p.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("redistest: signal %v: %w", sig, err)
	}
	return nil
}

func (p *process) kill() error {
	select {
	case <-p.exited: // the number may be somebody else's by now
		return nil
	default:
	}
	err := p.signal(syscall.SIGKILL)
	<-p.exited
	return err
}

// ordinary is how a child is started: in its own group, dying with its parent,
// and not as root.
func ordinary() (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(attr)
	uid, gid, err := nobody()
	if err != nil {
		return nil, err
	}
	if uid != 0 {
		attr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
	return attr, nil
}

// nobody is whom servers run as when the tests run as root; otherwise 0, 0.
func nobody() (uid, gid uint32, err error) {
	if os.Geteuid() != 0 {
		return 0, 0, nil
	}
	for _, name := range []string{"redis", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		return uint32(uid), uint32(gid), errors.Join(uidErr, gidErr)
	}
	return 0, 0, errors.New("redistest: no user redis or nobody to run a server as")
}

// giveAway makes the folder that of the user whom servers run as.
func giveAway(dir string) error {
	uid, gid, err := nobody()
	if err != nil || uid == 0 {
		return err
	}
	return os.Chown(dir, int(uid), int(gid))
}
