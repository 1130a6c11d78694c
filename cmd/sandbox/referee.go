package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/istirdad/istirdad/internal/sandbox"
)

// errViolated is the referee's objection: exit code 1. That it could not be asked is another error, exit code 2.
var errViolated = errors.New("violated")

const (
	refereeAsks   = 10 * time.Second // for one answer: it reads every row
	refereeEvery  = time.Second
	refereeAnswer = 64 << 20 // bytes at most: thousands of details
)

const refereeUsage = `Referee asks a sandbox that is up whether anything was lost, doubled or lied about, and ends with

  0  exact: what customers were told, the gateway's rows, the core's book and the bank's ledger agree
  1  violated: a line for each violation says what is known of the refund
  2  it could not be asked

`

// askReferee is the subcommand.
func askReferee(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("sandbox referee", flag.ContinueOnError)
	flags.SetOutput(stderr)
	control := flags.String("control", "http://127.0.0.1:8083", "the sandbox's control listener, its `URL`")
	wait := flags.Duration("wait", 0, "wait so `long` for refunds that are on their way")
	asJSON := flags.Bool("json", false, "print the verdict as one line of JSON")
	flags.Usage = func() {
		fmt.Fprint(stderr, refereeUsage)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	v, err := verdict(ctx, strings.TrimSuffix(*control, "/")+"/referee", *wait)
	if err != nil {
		return err
	}
	if *asJSON {
		err = json.NewEncoder(stdout).Encode(v)
	} else {
		sayVerdict(stdout, v)
	}
	if err == nil && v.Verdict != sandbox.Exact {
		err = errViolated
	}
	return err
}

// verdict asks until nothing is on its way, something is violated, or the time is over.
func verdict(ctx context.Context, url string, wait time.Duration) (v sandbox.Verdict, err error) {
	for began := time.Now(); ; {
		if v, err = askOnce(ctx, url); err != nil || v.Verdict != sandbox.Exact || v.Unfinished == 0 || time.Since(began) >= wait {
			return v, err
		}
		select {
		case <-ctx.Done():
			return v, ctx.Err()
		case <-time.After(refereeEvery):
		}
	}
}

func askOnce(ctx context.Context, url string) (v sandbox.Verdict, err error) {
	client := http.Client{Timeout: refereeAsks, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return v, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return v, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return v, fmt.Errorf("%s answers %s", url, resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, refereeAnswer)).Decode(&v); err != nil {
		return v, fmt.Errorf("%s: %w", url, err)
	}
	if v.Verdict != sandbox.Exact && v.Verdict != sandbox.Violated {
		return v, fmt.Errorf("%s is no referee of a sandbox", url)
	}
	return v, nil
}

func sayVerdict(w io.Writer, v sandbox.Verdict) {
	fmt.Fprintf(w, "%s: %d confirmed, %d effects, %d doubles, %d lost, %d lies, %d unfinished\n",
		v.Verdict, v.Confirmed, v.Effects, v.Doubles, v.Lost, v.Lies, v.Unfinished)
	for _, detail := range v.Details {
		fmt.Fprintln(w, detail)
	}
}
