package redistest

import (
	"os"
	"os/exec"
	"syscall"

	"github.com/istirdad/istirdad/internal/child"
)

// users are whom servers run as when the tests run as root: the first that
// there is.
var users = []string{"redis", "nobody"}

// run starts a process whose output goes to a file.
func run(as *syscall.Credential, binary, log string, args []string) (*child.Process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()   // the child has its own
	cmd := exec.Command(binary, args...) //nolint:noctx // it ends by kill
	cmd.Stdout, cmd.Stderr = out, out
	return child.Start(cmd, as, syscall.SIGKILL)
}
