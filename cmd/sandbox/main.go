// Command sandbox is the whole world of Istirdad on one machine: the gateway, the government refund core, the bank and
// the phone, with embedded stores and nothing to install.
//
//	go run ./cmd/sandbox                   stays up and prints where everything is
//	go run ./cmd/sandbox -walk -polite     walks the path of a refund once, in Arabic and English
//	go run ./cmd/sandbox referee           asks one that is up whether anything was lost, doubled or lied about
//
// With -database-url and -redis-url its gateway works on real servers. With -gateway off there are the stand-ins alone,
// for gateways of your own: -write-config writes what such a gateway is to be started with.
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
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		os.Exit(exitCode(os.Args[1:], err))
	}
}

// exitCode tells a referee that objects from one that could not be asked.
func exitCode(args []string, err error) int {
	if isReferee(args) && !errors.Is(err, errViolated) {
		return 2
	}
	return 1
}

func isReferee(args []string) bool { return len(args) > 0 && args[0] == "referee" }

// run is main without the process, so that tests run the very same program.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if isReferee(args) {
		return askReferee(ctx, args[1:], stdout, stderr)
	}
	c, err := parse(args, stderr)
	if err != nil {
		return err
	}
	began := time.Now()
	world, err := sandbox.Start(ctx, c.Options)
	if err != nil {
		return err
	}
	defer world.Close()

	people := stdout
	if c.printJSON {
		people = stderr
		if err := json.NewEncoder(stdout).Encode(world.URLs()); err != nil {
			return err
		}
	}
	if c.walk {
		return walkPath(ctx, people, world.URLs())
	}
	welcome(people, world, c.Options, time.Since(began))
	<-ctx.Done()
	return nil
}

// welcome says where everything is and whom one can be.
func welcome(w io.Writer, world *sandbox.World, o sandbox.Options, took time.Duration) {
	urls := world.URLs()
	fmt.Fprintf(w, "Istirdad sandbox, ready in %d ms\n\n", took.Milliseconds())
	for _, row := range [][2]string{
		{"channel API", urls.Gateway}, {"ops", urls.Ops}, {"government core", urls.Core}, {"government portal", urls.Core + "/portal"},
		{"bank and sign-in", urls.Bank}, {"phone, faults, referee", urls.Control},
	} {
		if row[1] != "" {
			fmt.Fprintf(w, "  %-24s %s\n", row[0], row[1])
		}
	}
	if o.GatewayOff {
		welcomeGateway(w, o)
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

// welcomeGateway says what a gateway of somebody's own is to be started with, and whether it is called back.
func welcomeGateway(w io.Writer, o sandbox.Options) {
	fmt.Fprintln(w, "\nNo gateway here.")
	if o.WriteConfig != "" {
		fmt.Fprintf(w, "Start one with: go run ./cmd/gateway serve -config %s\n", o.WriteConfig)
	}
	if o.Callback == "" {
		fmt.Fprintln(w, "The core sends no callbacks: -callback says where to. Gateways find out by asking.")
	}
}
