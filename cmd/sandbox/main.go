// Command sandbox is the whole world of Istirdad on one machine: the gateway, the government refund core, the bank and
// the phone, with embedded stores and nothing to install.
//
//	go run ./cmd/sandbox                   stays up and prints where everything is
//	go run ./cmd/sandbox -walk -polite     walks the path of a refund once, in Arabic and English
//
// `go run ./cmd/sandbox -h` lists the flags.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/istirdad/istirdad/internal/sandbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		os.Exit(1)
	}
}

// run is main without the process, so that tests run the very same program.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var (
		options   sandbox.Options
		printJSON bool
		walk      bool
		verbose   bool
	)
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&options.Gateway, "gateway", "127.0.0.1:8080", "address of the channel API")
	flags.StringVar(&options.Ops, "ops", "127.0.0.1:9090", "address of the ops listener")
	flags.StringVar(&options.Core, "core", "127.0.0.1:8081", "address of the government core")
	flags.StringVar(&options.Bank, "bank", "127.0.0.1:8082", "address of the bank and its issuer")
	flags.StringVar(&options.Control, "control", "127.0.0.1:8083", "address of the control listener: phone, faults, referee")
	flags.StringVar(&options.Dir, "data", "", "folder that keeps everything (default: a fresh temporary one)")
	flags.Uint64Var(&options.Seed, "seed", 1, "of all that is random in the stand-ins")
	flags.BoolVar(&options.Polite, "polite", false, "no random faults; refunds settle within 2 s")
	flags.IntVar(&options.Crowd, "crowd", 0, "this many more customers, c00001 and so on")
	flags.BoolVar(&walk, "walk", false, "walk the path of a refund once, then exit (ports are picked unless given)")
	flags.BoolVar(&printJSON, "print-json", false, "one line of JSON with the addresses on stdout, all else on stderr")
	flags.BoolVar(&verbose, "v", false, "show the gateway's log")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if walk {
		pickPorts(flags, &options)
	}
	options.Log = slog.New(slog.DiscardHandler)
	if verbose {
		options.Log = slog.New(slog.NewJSONHandler(stderr, nil))
	}

	began := time.Now()
	world, err := sandbox.Start(ctx, options)
	if err != nil {
		return err
	}
	defer world.Close()

	people := stdout
	if printJSON {
		people = stderr
		if err := json.NewEncoder(stdout).Encode(world.URLs()); err != nil {
			return err
		}
	}
	if walk {
		return walkPath(ctx, people, world.URLs())
	}
	welcome(people, world, time.Since(began))
	<-ctx.Done()
	return nil
}

// pickPorts lets a walk run beside a sandbox that is up already: addresses that nobody asked for become free ones.
func pickPorts(flags *flag.FlagSet, o *sandbox.Options) {
	addresses := map[string]*string{
		"gateway": &o.Gateway, "ops": &o.Ops, "core": &o.Core, "bank": &o.Bank, "control": &o.Control,
	}
	flags.Visit(func(f *flag.Flag) { delete(addresses, f.Name) })
	for _, address := range addresses {
		*address = "127.0.0.1:0"
	}
}

// welcome says where everything is and whom one can be.
func welcome(w io.Writer, world *sandbox.World, took time.Duration) {
	urls := world.URLs()
	fmt.Fprintf(w, "Istirdad sandbox, ready in %d ms\n\n", took.Milliseconds())
	for _, row := range [][2]string{
		{"channel API", urls.Gateway}, {"ops", urls.Ops}, {"government core", urls.Core},
		{"bank and sign-in", urls.Bank}, {"phone, faults, referee", urls.Control},
	} {
		fmt.Fprintf(w, "  %-24s %s\n", row[0], row[1])
	}
	fmt.Fprintf(w, "\nSign in as one of these, password %q:\n\n", sandbox.Password)
	shown := 0
	for _, p := range world.People() {
		if shown++; shown > 30 {
			fmt.Fprintf(w, "  and %d more of the crowd\n", len(world.People())-30)
			break
		}
		fmt.Fprintf(w, "  %-8s %-10s %s · %s\n", p.User, p.Role, p.Name.EN, p.Name.AR)
	}
	fmt.Fprintf(w, "\nSMS arrive at %s/phone/messages. Stop with Ctrl-C.\n", urls.Control)
}
