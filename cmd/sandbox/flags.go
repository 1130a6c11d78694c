package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/istirdad/istirdad/internal/sandbox"
)

// command is what was asked for.
type command struct {
	sandbox.Options
	printJSON bool
	walk      bool
}

// off as the address of the gateway says that there is to be none.
const off = "off"

// parse reads the command line and, for what doesn't belong on one, the environment.
func parse(args []string, stderr io.Writer) (command, error) {
	var (
		c                  command
		verbose, freePorts bool
		faults             string
	)
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { usage(stderr, flags) }
	flags.StringVar(&c.Gateway, "gateway", "127.0.0.1:8080", "the channel API, at this `address`; \"off\" leaves it out")
	flags.StringVar(&c.Ops, "ops", "127.0.0.1:9090", "health, metrics and operators, at this `address`")
	flags.StringVar(&c.Core, "core", "127.0.0.1:8081", "the government core and its portal, at this `address`")
	flags.StringVar(&c.Bank, "bank", "127.0.0.1:8082", "the bank and its OpenID Connect issuer, at this `address`")
	flags.StringVar(&c.Control, "control", "127.0.0.1:8083", "the phone, the faults and the referee, at this `address`")
	flags.BoolVar(&freePorts, "free-ports", false, "a free port of 127.0.0.1 for every address that isn't given")
	flags.StringVar(&c.DatabaseURL, "database-url", "", "the `URL` of a PostgreSQL to use instead of the embedded database (or "+databaseVariable+"): in\n"+
		"a fresh schema, or with -data in one that is kept")
	flags.StringVar(&c.RedisURL, "redis-url", "", "the `URL` of a Redis to use instead of the embedded one (or "+redisVariable+"); /n at its end\n"+
		"is the logical database")
	flags.StringVar(&c.Callback, "callback", "", "the `URL` at which your gateway takes the core's callbacks, e.g.\n"+
		"http://127.0.0.1:8080/core/callbacks; without it there are none")
	flags.StringVar(&c.WriteConfig, "write-config", "", "write a configuration for your gateway to this `file`, secrets beside it")
	flags.StringVar(&c.Profile, "profile", "", "the bank's profile, a `file` as configs/profile.example.yaml explains it; it may be\n"+
		"edited meanwhile. Without it there are no holidays, no cut-off and the usual limits")
	flags.StringVar(&c.Dir, "data", "", "keep everything in this `folder`, and go on with what is in it")
	flags.Uint64Var(&c.Seed, "seed", 1, "the `number` from which all that is random in the stand-ins is drawn")
	flags.BoolVar(&c.Polite, "polite", false, "nothing goes wrong of its own accord; refunds settle within 2 s")
	flags.StringVar(&faults, "faults", "", "switch these faults on from the start, a `file` as PUT /faults of the control\n"+
		"listener takes it; with counts they are a script, played in order")
	flags.IntVar(&c.Crowd, "crowd", 0, "this `many` more customers, c00001 and so on")
	flags.IntVar(&c.Employer, "employer", 0, "one more customer, employer, who has paid this `many` fees for their workers")
	flags.BoolVar(&c.walk, "walk", false, "walk the path of a refund once, then exit; as with -free-ports")
	flags.BoolVar(&c.printJSON, "print-json", false, "print one line on stdout, {\"gateway\":\"http://…\",\"ops\":…,\"core\":…,\"bank\":…,\"control\":…},\n"+
		"once everything answers; all else goes to stderr")
	flags.BoolVar(&verbose, "v", false, "show the gateway's log, on stderr")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	if flags.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	c.Log = slog.New(slog.DiscardHandler)
	if verbose {
		c.Log = slog.New(slog.NewJSONHandler(stderr, nil))
	}
	if c.walk || freePorts {
		c.pickPorts(flags)
	}
	return c, errors.Join(
		orVariable(&c.DatabaseURL, databaseVariable),
		orVariable(&c.RedisURL, redisVariable),
		c.readRates(os.Environ()),
		c.readFaults(faults),
		c.turnOff(),
	)
}

// turnOff does what -gateway off asks for, and says what that leaves out.
func (c *command) turnOff() error {
	if c.Gateway != off {
		return nil
	}
	if c.GatewayOff = true; c.walk {
		return errors.New("-walk needs the sandbox's own gateway, which -gateway off leaves out")
	}
	return nil
}

// pickPorts lets a sandbox run beside one that is up already: addresses that nobody asked for become free ones.
func (c *command) pickPorts(flags *flag.FlagSet) {
	addresses := map[string]*string{
		"gateway": &c.Gateway, "ops": &c.Ops, "core": &c.Core, "bank": &c.Bank, "control": &c.Control,
	}
	if c.Gateway == off {
		delete(addresses, "ops") // which is your gateway's, and goes into its configuration
	}
	flags.Visit(func(f *flag.Flag) { delete(addresses, f.Name) })
	for _, address := range addresses {
		*address = "127.0.0.1:0"
	}
}

// A server's URL may hold a password, and a command line is for all to see. So either comes from the environment too:
// itself, or with fileSuffix the path of a file that holds it.
const (
	databaseVariable = "SANDBOX_DATABASE_URL"
	redisVariable    = "SANDBOX_REDIS_URL"
	fileSuffix       = "_FILE"
)

// orVariable fills a value that no flag gave.
func orVariable(value *string, name string) error {
	if *value != "" {
		return nil
	}
	if *value = os.Getenv(name); *value != "" {
		return nil
	}
	path := os.Getenv(name + fileSuffix)
	if path == "" {
		return nil
	}
	content, err := os.ReadFile(path)
	*value = strings.TrimSpace(string(content))
	return err
}
