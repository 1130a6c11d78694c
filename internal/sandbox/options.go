package sandbox

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"

	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/sandboxseed"
)

// Password opens everybody's session.
const Password = sandboxseed.Password

// Options are how a world is to be. The zero value is a hostile world on free ports that forgets everything.
type Options struct {
	// Addresses of the listeners; empty picks a free port of 127.0.0.1. In URLs a host's name stays a name, and a listener
	// that is open on all sides (":8082") goes by the name of this machine.
	Gateway, Ops, Core, Bank, Control string

	// DatabaseURL and RedisURL name real servers to be used instead of the embedded ones, either or both. The gateway
	// works in a schema of its own, which goes when the world does unless Dir is given.
	DatabaseURL, RedisURL string

	// GatewayOff leaves the stand-ins alone, for gateways that run elsewhere. Both URLs are then theirs, and are needed:
	// Reset, Forgive and Referee work on them. They are left as they are at the start.
	GatewayOff  bool
	Callback    string // with GatewayOff: where the core's callbacks go; empty: none are sent
	WriteConfig string // with GatewayOff: the file that gets a configuration for such a gateway

	// Profile is the file of the bank's profile, which may change while it is gone by; empty: one of the sandbox's own, with
	// neither holidays nor a cut-off and with the usual limits. With GatewayOff the configuration that is written names it.
	Profile string

	Dir    string // keeps everything; empty: a temporary folder that Close removes
	Seed   uint64 // of all that is random in the stand-ins
	Polite bool   // no random faults; refunds settle within 2 s

	// Rates are how often kinds of fault happen of their own accord when not polite, by kind: instead of the usual rate (0:
	// never), or beside those that usually happen. When polite there can be none.
	Rates map[string]float64

	// Faults are switched on from the start, until the first Reset: with counts, the script of a run (sandboxfault).
	Faults []sandboxfault.Fault

	Crowd int // more customers

	// Employer is how many fees the customer "employer" has paid for their workers; 0: there is no such customer.
	Employer int

	Log *slog.Logger // of the gateway; nil: silent

	passing bool // Dir goes when the world does
}

// callbackPath is where a gateway takes the core's callbacks (core-protocol.md).
const callbackPath = "/core/callbacks"

// check refuses what can't be meant, and returns the options with the callback's path filled in. No error repeats a URL:
// it may hold a password.
func (o Options) check() (Options, error) {
	switch {
	case o.Crowd < 0 || o.Crowd > sandboxseed.MaxCrowd:
		return o, fmt.Errorf("a crowd is of 0 to %d customers", sandboxseed.MaxCrowd)
	case o.Employer < 0 || o.Employer > sandboxseed.MaxEmployer:
		return o, fmt.Errorf("an employer has paid 0 to %d fees", sandboxseed.MaxEmployer)
	case o.GatewayOff && (o.DatabaseURL == "" || o.RedisURL == ""):
		return o, errors.New("without a gateway of its own the sandbox needs to know the database and the Redis of yours: " +
			"reset, forgive and the referee work on them")
	case !o.GatewayOff && o.Callback != "":
		return o, errors.New("callbacks go to the sandbox's own gateway unless that is off")
	case !o.GatewayOff && o.WriteConfig != "":
		return o, errors.New("a configuration is written for a gateway of your own: the sandbox's must be off")
	}
	for kind, rate := range o.Rates {
		if err := sandboxfault.CheckRate(kind, rate); err != nil {
			return o, fmt.Errorf("rate of %s: %w", kind, err)
		}
		if o.Polite && rate > 0 {
			return o, fmt.Errorf("rate of %s: a polite core does nothing of its own accord", kind)
		}
	}
	if err := sandboxfault.NewBoard(0).Set(o.Faults); err != nil {
		return o, err
	}
	if o.Profile != "" { // wherever a configuration that names it is
		path, err := filepath.Abs(o.Profile)
		if err != nil {
			return o, err
		}
		o.Profile = path
	}
	if o.Callback == "" {
		return o, nil
	}
	u, err := url.Parse(o.Callback)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return o, errors.New("callbacks go to an http or https URL")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = callbackPath
	}
	o.Callback = u.String()
	return o, nil
}
