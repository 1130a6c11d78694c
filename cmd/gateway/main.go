// Command gateway is the server that a bank runs.
//
//	gateway serve -config FILE          serves the channel API and carries refunds
//	gateway migrate -config FILE        brings the database's schema up to date, as its owner
//	gateway config check -config FILE   says everything that is wrong with a configuration
//	gateway version                     says what this is
//
// What stands in the file is package internal/config's to say; configs/gateway.example.yaml holds all of it. Any number
// of gateways may run on one database and one Redis. None of them holds anything that another couldn't go on with, so
// they are started, stopped and killed one by one.
//
// It links no stand-in: a production binary that holds a fake can be configured to use it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // the first one stops, the second one at once, however soon it follows
		<-signals
		stop()
		<-signals
		os.Exit(exitFault)
	}()
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// How a command ends.
const (
	exitOK    = 0
	exitFault = 1
	exitUsage = 2
)

// command is one of the things that the program does.
type command struct {
	words   []string // "config", "check"
	summary string
	flags   func(*flag.FlagSet, *invocation)
	run     func(context.Context, *invocation) error
}

// invocation is what a command works with.
type invocation struct {
	configFile     string
	environ        []string
	stdout, stderr io.Writer
}

func commands() []command {
	return []command{
		{[]string{"serve"}, "serve the channel API and carry refunds, until it is told to stop", configFlag, serveCommand},
		{[]string{"migrate"}, "bring the database's schema up to date, as its owner", configFlag, migrateCommand},
		{[]string{"config", "check"}, "say everything that is wrong with a configuration", configFlag, checkCommand},
		{[]string{"version"}, "say what this is", nil, versionCommand},
	}
}

func configFlag(flags *flag.FlagSet, i *invocation) {
	flags.StringVar(&i.configFile, "config", "", "`FILE` of the configuration (required)")
}

// run is main without the process, so that tests run the very same program. It returns what the process exits with.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	for _, c := range commands() {
		if len(args) >= len(c.words) && slices.Equal(args[:len(c.words)], c.words) {
			i := &invocation{environ: environ, stdout: stdout, stderr: stderr}
			return c.execute(ctx, args[len(c.words):], i)
		}
	}
	if len(args) > 0 && slices.Contains([]string{"-h", "-help", "--help", "help"}, args[0]) {
		usage(stdout)
		return exitOK
	}
	fmt.Fprintf(stderr, "gateway: %s\n\n", fault(args))
	usage(stderr)
	return exitUsage
}

// fault is what is wrong with words that are no command. They are repeated when they look like one: a password that was
// pasted into the command line isn't written to whatever keeps the output.
func fault(args []string) string {
	if len(args) == 0 {
		return "a command is required"
	}
	for _, c := range commands() {
		if c.words[0] == args[0] {
			return fmt.Sprintf("%q is half a command, of which the whole is %q", args[0], strings.Join(c.words, " "))
		}
	}
	if !commandWord.MatchString(args[0]) {
		return "there is no such command"
	}
	return fmt.Sprintf("there is no command %q", args[0])
}

var commandWord = regexp.MustCompile(`^[a-z]{1,12}$`)

func (c command) execute(ctx context.Context, args []string, i *invocation) int {
	name := "gateway " + strings.Join(c.words, " ")
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(i.stderr)
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "%s: %s\n", name, c.summary)
		flags.PrintDefaults()
	}
	if c.flags != nil {
		c.flags(flags, i)
	}
	if slices.ContainsFunc(args, func(a string) bool { return a == "-h" || a == "-help" || a == "--help" }) {
		flags.SetOutput(i.stdout) // it was asked for
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return exitUsage // the flag set has said why
	case flags.NArg() > 0:
		fmt.Fprintf(i.stderr, "%s: there are no arguments beside the flags\n", name)
		return exitUsage
	case flags.Lookup("config") != nil && i.configFile == "":
		fmt.Fprintf(i.stderr, "%s: -config FILE is required; configs/gateway.example.yaml has every key with its manual\n", name)
		return exitUsage
	}
	switch err := c.run(ctx, i); {
	case err == nil:
		return exitOK
	case !errors.Is(err, errTold):
		fmt.Fprintf(i.stderr, "%s: %v\n", name, err)
	}
	return exitFault
}

// errTold is of an error that somebody was told of already.
var errTold = errors.New("told already")

func usage(w io.Writer) {
	fmt.Fprint(w, "gateway is the server of Istirdad: it gives government fees that were never used back to a bank's customers.\n\n")
	for _, c := range commands() {
		text := "gateway " + strings.Join(c.words, " ")
		if c.flags != nil {
			text += " -config FILE"
		}
		fmt.Fprintf(w, "  %-36s %s\n", text, c.summary)
	}
	fmt.Fprint(w, "\nconfigs/gateway.example.yaml has every key of the file with its manual.\n")
}
