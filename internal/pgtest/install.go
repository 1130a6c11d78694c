package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// errNotInstalled is what a machine without PostgreSQL is told.
var errNotInstalled = errors.New("pgtest: PostgreSQL isn't installed here: apt-get install postgresql-15 (the newest one of /usr/lib/postgresql, or else of the PATH, is taken)")

// programs is the folder of the newest PostgreSQL's programs.
func programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	best, newest := "", -1
	for _, path := range found {
		bin := filepath.Dir(path)
		if version, err := strconv.Atoi(filepath.Base(filepath.Dir(bin))); err == nil && version > newest {
			best, newest = bin, version
		}
	}
	if best != "" {
		return best, nil
	}
	path, err := exec.LookPath("postgres")
	if err != nil {
		return "", errNotInstalled
	}
	return filepath.Dir(path), nil
}

// users are whom servers run as when the tests run as root, whom PostgreSQL refuses: the first that there is.
var users = []string{"postgres", "nobody"}

// prefix begins the name of every server's folder.
const prefix = "istirdad-pg-"

// newFolder makes a folder that the server's user owns. It holds a lock for as long as this process lives.
func newFolder(as *syscall.Credential) (dir string, lock *os.File, err error) {
	sweep()
	if dir, err = os.MkdirTemp("", prefix); err != nil {
		return "", nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if lock, err = os.Create(filepath.Join(dir, "taken")); err != nil {
		return "", nil, err
	}
	if err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", nil, err
	}
	// From here on sweep looks at it.
	if err = os.Rename(lock.Name(), filepath.Join(dir, "lock")); err != nil {
		return "", nil, err
	}
	if as != nil {
		err = os.Chown(dir, int(as.Uid), int(as.Gid))
	}
	return dir, lock, err
}

// sweep removes the folders of tests that were killed: those whose lock nobody holds.
func sweep() {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*", "lock"))
	for _, path := range left {
		lock, err := os.Open(path)
		if err != nil {
			continue // somebody else's, or just removed
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(filepath.Dir(path)) // what stays is swept another time
		}
		_ = lock.Close()
	}
}

// pristine is a data folder fresh from initdb, which takes most of a second; servers begin with a copy. It is there
// while any server is.
var pristine struct {
	sync.Mutex
	dir   string
	lock  *os.File
	users int
}

// takePristine returns the pristine data folder, to be given back by dropPristine.
func takePristine(ctx context.Context, bin string, as *syscall.Credential) (string, error) {
	pristine.Lock()
	defer pristine.Unlock()
	if pristine.users == 0 {
		dir, lock, err := newFolder(as)
		if err != nil {
			return "", err
		}
		_, err = run(ctx, as, dir, "", filepath.Join(bin, "initdb"), "--pgdata="+filepath.Join(dir, "data"),
			"--username="+superuser, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
		if err != nil {
			return "", errors.Join(err, os.RemoveAll(dir), lock.Close())
		}
		pristine.dir, pristine.lock = dir, lock
	}
	pristine.users++
	return filepath.Join(pristine.dir, "data"), nil
}

func dropPristine() error {
	pristine.Lock()
	defer pristine.Unlock()
	if pristine.users--; pristine.users > 0 {
		return nil
	}
	return errors.Join(os.RemoveAll(pristine.dir), pristine.lock.Close())
}

// commandTime bounds initdb, cp and psql.
const commandTime = time.Minute

// run runs a program as the server's user, with input as its standard input, and returns what it printed.
func run(ctx context.Context, as *syscall.Credential, dir, input, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = environment()
	cmd.Stdin = strings.NewReader(input)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	var printed, complaint strings.Builder
	cmd.Stdout, cmd.Stderr = &printed, &complaint
	if err := cmd.Run(); err != nil {
		return printed.String(), fmt.Errorf("pgtest: %s: %w: %s", filepath.Base(program), err, strings.TrimSpace(complaint.String()))
	}
	return printed.String(), nil
}

// environment is that of the server and of psql: no PGHOST or PGOPTIONS of the developer's reaches them.
func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
}
