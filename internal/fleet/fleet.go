// Package fleet starts the product as a bank runs it, for tests: PostgreSQL, Redis, the stand-ins in a process of their
// own, and any number of gateways, each a process of the binary that is shipped. Its tests are those that one process
// can't do: gateways that share the work, and servers and gateways that are killed in the middle of it.
//
// Nothing here knows how a gateway is made. The stand-ins write a configuration, `gateway migrate` makes the schema as its
// owner, and `gateway serve` runs with it as the restricted role, as in production.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/internal/pgtest"
	"github.com/istirdad/istirdad/internal/redistest"
)

var (
	binaries string // the folder of the commands
	built    = sync.OnceValue(func() error { return build(binaries, "gateway", "sandbox") })
)

// Runner is a testing.M.
type Runner interface{ Run() int }

// Main runs the tests and returns their exit code. It is a test package's TestMain: it removes what the first fleet built.
func Main(m Runner) int {
	dir, err := os.MkdirTemp("", "istirdad-fleet-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binaries = dir
	return m.Run()
}

// Options say how a fleet is to be. The zero value is two gateways in a polite world.
type Options struct {
	Gateways int      // default 2
	Crowd    int      // customers c00001 and so on
	Env      []string // more of the gateways' environment: "ISTIRDAD_LOG_LEVEL=debug"
	// Hostile is the seed of a core that is awkward of its own accord; 0: a polite one.
	Hostile uint64
	// Faults are the rates of what goes wrong besides: "SANDBOX_FAULT_TOO_MANY=0.01".
	Faults []string
	// Kept stand-ins write their books down: they may be killed, and go on where they were when they are started again.
	Kept bool
	// Database and Redis may put something between the gateways and a server: given its address they return another. The
	// stand-ins, who read the book in order to judge, always go straight.
	Database, Redis func(address string) string
}

// Fleet is all of it, running. It is taken down when the test ends.
type Fleet struct {
	World    *banktest.World
	Postgres *pgtest.Server
	Redis    *redistest.Server
	Database pgtest.Database
	Gateways []*Gateway
	StandIns *Process // core, bank, phone and referee
	Hostile  uint64   // as in Options, for stand-ins that are started from now on

	t      testing.TB
	dir    string
	config string   // of the gateways, as the stand-ins wrote it
	env    []string // of the gateways, over the config
}

// Gateway is one gateway's process and where it answers.
type Gateway struct {
	*Process
	Channel, Ops string // base URLs
}

// Start brings a fleet up and returns when every gateway is ready.
func Start(t testing.TB, o Options) *Fleet {
	t.Helper()
	if err := built(); err != nil {
		t.Fatal(err)
	}
	f := &Fleet{t: t, dir: t.TempDir(), Postgres: pgtest.Start(t, pgtest.Setting("max_connections", "300")), Redis: redistest.Start(t)}
	f.Database = f.Postgres.Database(t)
	f.config = filepath.Join(f.dir, "gateway.yaml")
	n := o.Gateways
	if n == 0 {
		n = 2
	}
	channels := make([]string, n)
	for i := range channels {
		channels[i] = freeAddress(t)
	}
	urls := f.standIns(o, "http://"+channels[0])
	f.env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "ISTIRDAD_") }),
		"ISTIRDAD_DATABASE_URL="+through(o.Database, f.Postgres.Addr(), f.Database.App),
		"ISTIRDAD_DATABASE_MIGRATE_URL="+f.Database.Owner,
		"ISTIRDAD_DATABASE_ROLE="+pgtest.App,
		"ISTIRDAD_DATABASE_MIGRATE_ON_START=false",
		"ISTIRDAD_REDIS_URL=redis://"+through(o.Redis, f.Redis.Addr(), f.Redis.Addr()),
		"ISTIRDAD_LOG_LEVEL=info",
		// Servers, gateways, stand-ins and a crowd share one small machine here. What on machines of their own would be
		// an overload, to be refused at once, is as usual.
		"ISTIRDAD_DATABASE_POOL=48", "ISTIRDAD_REDIS_COMMAND_TIMEOUT=2s",
	)
	f.env = append(f.env, o.Env...)
	f.Migrate("gateway")
	for i, channel := range channels {
		f.Gateways = append(f.Gateways, f.Gateway("gateway", fmt.Sprintf("gateway%d", i+1), channel))
	}
	urls.Ops = f.Gateways[0].Ops
	f.World = banktest.Attach(t, urls, f.channels()...)
	return f
}

func through(detour func(string) string, address, url string) string {
	if detour == nil {
		return url
	}
	return strings.Replace(url, address, detour(address), 1)
}

func (f *Fleet) channels() (urls []string) {
	for _, g := range f.Gateways {
		urls = append(urls, g.Channel)
	}
	return urls
}

// standIns starts the core, the bank and the phone in one process, and returns when they answer.
func (f *Fleet) standIns(o Options, callback string) (urls banktest.URLs) {
	f.t.Helper()
	core, bank, control := freeAddress(f.t), freeAddress(f.t), freeAddress(f.t)
	args := []string{"-gateway", "off", "-core", core, "-bank", bank, "-control", control, "-crowd", strconv.Itoa(o.Crowd),
		"-database-url", f.Database.Owner, "-redis-url", "redis://" + f.Redis.Addr(), "-callback", callback, "-write-config", f.config}
	if o.Kept {
		args = append(args, "-data", filepath.Join(f.dir, "standins"))
	}
	f.Hostile = o.Hostile
	f.StandIns = newProcess(f.t, f.dir, "standins", func() *exec.Cmd {
		mood, rates := []string{"-polite"}, []string(nil) // a polite core refuses to be told of any
		if f.Hostile != 0 {
			mood, rates = []string{"-seed", strconv.FormatUint(f.Hostile, 10)}, o.Faults
		}
		cmd := exec.CommandContext(context.WithoutCancel(f.t.Context()), filepath.Join(binaries, "sandbox"), append(mood, args...)...)
		cmd.Env = append(append(os.Environ(), "TMPDIR="+f.dir), rates...) // what a killed one leaves goes with the test
		return cmd
	})
	urls = banktest.URLs{Core: "http://" + core, Bank: "http://" + bank, Control: "http://" + control}
	f.StandIns.Await(urls.Control + "/faults")
	return urls
}

// command is a gateway's, with the fleet's configuration.
func (f *Fleet) command(ctx context.Context, binary string, args []string, env ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(binaries, binary), append(args, "-config", f.config)...)
	cmd.Env = append(slices.Clone(f.env), env...)
	return cmd
}

// Migrate brings the schema to the version of that binary.
func (f *Fleet) Migrate(binary string) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), readyMax)
	defer cancel()
	if out, err := f.command(ctx, binary, []string{"migrate"}).CombinedOutput(); err != nil {
		f.t.Fatalf("%s migrate: %v\n%s", binary, err, out)
	}
}

// Gateway starts a gateway of that binary, which is to answer at that address, and returns when it is ready.
func (f *Fleet) Gateway(binary, name, channel string) *Gateway {
	f.t.Helper()
	ops := freeAddress(f.t)
	p := newProcess(f.t, f.dir, name, func() *exec.Cmd {
		return f.command(context.WithoutCancel(f.t.Context()), binary, []string{"serve"},
			"ISTIRDAD_LISTEN_CHANNEL="+channel, "ISTIRDAD_LISTEN_OPS="+ops, "ISTIRDAD_TELEMETRY_INSTANCE="+name)
	})
	g := &Gateway{Process: p, Channel: "http://" + channel, Ops: "http://" + ops}
	g.AwaitReady()
	return g
}

// readyMax is how long anything of a fleet may take to come up.
const readyMax = 30 * time.Second

// AwaitReady waits until the gateway says that it could take a refund.
func (g *Gateway) AwaitReady() {
	g.t.Helper()
	g.Await(g.Ops + "/readyz")
}

// Await waits until the process answers 200 there.
func (p *Process) Await(url string) {
	t := p.t
	t.Helper()
	client := &http.Client{Timeout: 3 * time.Second}
	defer client.CloseIdleConnections()
	asked, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	last := errors.New("not asked")
	for began := time.Now(); time.Since(began) < readyMax; time.Sleep(20 * time.Millisecond) {
		select {
		case <-p.now().Exited():
			t.Fatalf("%s ended before it was ready: %v", p.name, p.now().Err())
		default:
		}
		answer, err := client.Do(asked)
		if last = err; err != nil {
			continue
		}
		body, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return
		}
		last = fmt.Errorf("%d %s", answer.StatusCode, body)
	}
	t.Fatalf("%s isn't ready after %v: %v", p.name, readyMax, last)
}

// freeAddress is one of 127.0.0.1 that nobody listens on. It is below the ports that the kernel gives to connections, so
// that none of those takes it before its gateway does, or while it is being restarted.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 15000+rand.IntN(15000)) //nolint:gosec // two tests mustn't draw the same; nobody guesses
		if l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}

// SQL asks the database past everybody, and returns its rows as lines of columns between bars.
func (f *Fleet) SQL(query string) string {
	f.t.Helper()
	rows, err := f.Postgres.SQL(f.Database.Name, query)
	if err != nil {
		f.t.Fatal(err)
	}
	return strings.TrimSpace(rows)
}

// States are those of all refunds, by refund.
func (f *Fleet) States() map[string]string {
	f.t.Helper()
	states := map[string]string{}
	for line := range strings.Lines(f.SQL(`SELECT id, state FROM refunds`)) {
		id, state, _ := strings.Cut(strings.TrimSpace(line), "|")
		states[id] = state
	}
	return states
}

// Replace stops the i-th gateway and starts one of another binary in its place.
func (f *Fleet) Replace(i int, binary string) {
	f.t.Helper()
	old := f.Gateways[i]
	if _, err := old.Stop(stopMax); err != nil {
		f.t.Errorf("%s: %v", old.name, err)
	}
	f.Gateways[i] = f.Gateway(binary, old.name+"-"+binary, strings.TrimPrefix(old.Channel, "http://"))
}

// stopMax is what a gateway promises, and a little.
const stopMax = 21 * time.Second
