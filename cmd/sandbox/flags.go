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
		c       command
		verbose bool
	)
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&c.Gateway, "gateway", "127.0.0.1:8080", `address of the channel API; "off" starts the stand-ins alone, for a gateway of your own`)
	flags.StringVar(&c.Ops, "ops", "127.0.0.1:9090", "address of the ops listener")
	flags.StringVar(&c.Core, "core", "127.0.0.1:8081", "address of the government core")
	flags.StringVar(&c.Bank, "bank", "127.0.0.1:8082", "address of the bank and its issuer")
	flags.StringVar(&c.Control, "control", "127.0.0.1:8083", "address of the control listener: phone, faults, referee")
	flags.StringVar(&c.DatabaseURL, "database-url", "", "PostgreSQL to use instead of the embedded database (or $"+databaseVariable+"): in a fresh\n"+
		"schema, or with -data in one that is kept. With -gateway off your gateway's own, as its owner")
	flags.StringVar(&c.RedisURL, "redis-url", "", "Redis to use instead of the embedded one (or $"+redisVariable+"); /n at its end is the logical database.\n"+
		"With -gateway off your gateway's own")
	flags.StringVar(&c.Callback, "callback", "", "with -gateway off: where the core's callbacks go, e.g. http://127.0.0.1:8080/core/callbacks (default nowhere)")
	flags.StringVar(&c.WriteConfig, "write-config", "", "with -gateway off: write a configuration for your gateway to this file, secrets beside it")
	flags.StringVar(&c.Dir, "data", "", "folder that keeps everything (default: a fresh temporary one)")
	flags.Uint64Var(&c.Seed, "seed", 1, "of all that is random in the stand-ins")
	flags.BoolVar(&c.Polite, "polite", false, "no random faults; refunds settle within 2 s")
	flags.IntVar(&c.Crowd, "crowd", 0, "this many more customers, c00001 and so on")
	flags.BoolVar(&c.walk, "walk", false, "walk the path of a refund once, then exit (ports are picked unless given)")
	flags.BoolVar(&c.printJSON, "print-json", false, "one line of JSON with the addresses on stdout, all else on stderr")
	flags.BoolVar(&verbose, "v", false, "show the gateway's log")
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
	if c.walk {
		c.pickPorts(flags)
	}
	return c, errors.Join(
		orVariable(&c.DatabaseURL, databaseVariable),
		orVariable(&c.RedisURL, redisVariable),
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

// pickPorts lets a walk run beside a sandbox that is up already: addresses that nobody asked for become free ones.
func (c *command) pickPorts(flags *flag.FlagSet) {
	addresses := map[string]*string{
		"gateway": &c.Gateway, "ops": &c.Ops, "core": &c.Core, "bank": &c.Bank, "control": &c.Control,
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
