package config

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/istirdad/istirdad/bank"
)

// InForce is the profile by which a gateway goes while its file may change. A change takes effect without a restart, a
// request is never in between, and a file that is wrong changes nothing.
//
// Every key of a profile may be changed so. What can't is in the configuration: the file's own name and the bank's code,
// which is part of every reference.
//
// # Several gateways
//
// Each looks at its own copy of the file, so for some seconds (on Kubernetes, which distributes a ConfigMap in its own
// time, for a minute or two) they may go by different ones. Nothing is lost by that. A preview keeps what it promised and
// whether it asks for a code, a code keeps its length, and both are good at every gateway; a limit is the one of the gateway
// that takes the confirm, over what the day has taken at all of them; a service that is switched off is off where the
// change has arrived. istirdad_profile_info shows who goes by what, and an alert says so when they don't agree for long.
type InForce struct {
	path, bankCode string
	log            *slog.Logger
	now            atomic.Pointer[version]
	refused        atomic.Bool // the file says something that isn't in force

	looking sync.Mutex
	seen    string // what the last look came to, so that each thing is told once
}

// version is a profile as it is gone by.
type version struct {
	terms  bank.Terms
	digest string
}

// openProfile makes the profile that was read from path the one in force.
func openProfile(path string, text []byte, bankCode string, log *slog.Logger) (*InForce, error) {
	f := &InForce{path: path, bankCode: bankCode, log: log}
	v, err := f.parse(text)
	if err != nil {
		return nil, err
	}
	f.now.Store(v)
	f.seen = v.digest
	return f, nil
}

func (f *InForce) parse(text []byte) (*version, error) {
	p, err := parseProfile(f.path, text)
	if err != nil {
		return nil, err
	}
	return &version{terms: p.Terms(f.bankCode), digest: digestOf(text)}, nil
}

// digestOf tells one file from another, as "sha256sum" does.
func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Terms are those in force.
func (f *InForce) Terms() bank.Terms { return f.now.Load().terms }

// State is the SHA-256 of the file that is in force, and whether there is a newer one that can't be gone by.
func (f *InForce) State() (digest string, refused bool) { return f.now.Load().digest, f.refused.Load() }

// lookEvery is how often the file is looked at. A change has to be the same at two looks in a row, so that a file which is
// being written isn't taken by half: half a profile may well be one, with other limits.
const lookEvery = 2 * time.Second

// Watch takes over what is changed in the file, until ctx is done. It goes by what the file holds and not by when it was
// written, and follows links anew at every look, as Kubernetes exchanges them.
func (f *InForce) Watch(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	before := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		text, err := f.read()
		if what := outcome(text, err); what == before {
			f.take(ctx, text, err)
		} else {
			before = what
		}
	}
}

// Reload takes over what is changed in the file now: somebody says that it is written.
func (f *InForce) Reload(ctx context.Context) {
	text, err := f.read()
	f.looking.Lock()
	f.seen = "" // whoever asks is told, whether or not it is news
	f.looking.Unlock()
	f.take(ctx, text, err)
}

func (f *InForce) read() ([]byte, error) {
	read, err := readFile(f.path)
	return read.text, err
}

// outcome is what a look came to, to compare it with another.
func outcome(text []byte, err error) string {
	if err != nil {
		return err.Error()
	}
	return digestOf(text)
}

// take goes by the text from now on, if it can be gone by.
func (f *InForce) take(ctx context.Context, text []byte, err error) {
	f.looking.Lock()
	defer f.looking.Unlock()
	what := outcome(text, err)
	if what == f.seen {
		return
	}
	f.seen = what
	if err != nil {
		f.refuse(ctx, fmt.Errorf("%s: %w", f.path, err))
		return
	}
	v, err := f.parse(text)
	if err != nil {
		f.refuse(ctx, err)
		return
	}
	f.now.Store(v)
	f.refused.Store(false)
	f.log.InfoContext(ctx, "profile in force", "file", f.path, "sha256", v.digest)
}

// refuse keeps what is in force. The error repeats no value.
func (f *InForce) refuse(ctx context.Context, err error) {
	f.refused.Store(true)
	f.log.ErrorContext(ctx, "profile refused; the one before stays in force", "error", err, "sha256", f.now.Load().digest)
}
