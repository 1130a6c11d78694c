package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/istirdad/istirdad/gateway/postgres"
	"github.com/istirdad/istirdad/internal/config"
	"github.com/istirdad/istirdad/internal/program"
	"github.com/istirdad/istirdad/internal/telemetry"
	"github.com/istirdad/istirdad/otp/redisstore"
)

func serveCommand(ctx context.Context, i *invocation) error {
	c, err := config.Load(i.configFile, i.environ)
	if err != nil {
		fmt.Fprintln(i.stderr, err)
		return errTold
	}
	log := slog.New(slog.NewJSONHandler(i.stdout, &slog.HandlerOptions{Level: c.Log.Level}))
	return serve(ctx, c, usualLimits, log)
}

// serve runs one gateway until ctx is done, and then lets it finish. It takes the addresses first: a gateway that can't
// have them touches neither the database nor anybody else.
func serve(ctx context.Context, c config.Config, l limits, log *slog.Logger) error {
	addresses, err := listen(ctx, c)
	if err != nil {
		return err
	}
	p, err := assemble(ctx, c, log)
	if err != nil {
		addresses.close()
		return err
	}
	p.channel, p.ops = newServer(p.gateway.Channel(), l, log), newServer(p.gateway.Ops(), l, log)
	p.channel.RegisterOnShutdown(p.gateway.EndStreams)
	p.start(ctx, addresses)
	log.InfoContext(ctx, "serving", "version", version(), "channel", addresses.channel.Addr().String(),
		"ops", addresses.ops.Addr().String(), "config", c)

	select {
	case <-ctx.Done():
	case err = <-p.broke:
		log.ErrorContext(ctx, "a listener broke", "error", err)
		err = errTold
	}
	return errors.Join(err, p.stop(context.WithoutCancel(ctx)))
}

// process is a gateway with all that is only there because it runs.
type process struct {
	config  config.Config
	log     *slog.Logger
	gateway *program.Gateway

	channel, ops *http.Server
	broke        chan error    // a listener that ended by itself
	halt         func()        // the dispatcher begins nothing any more
	halted       chan struct{} // and has finished

	closers []func(context.Context) error // run backwards
}

// assemble opens what the gateway works on, and puts it together. Nothing serves and nothing is carried yet.
func assemble(ctx context.Context, c config.Config, log *slog.Logger) (_ *process, err error) {
	p := &process{config: c, log: log, broke: make(chan error, 2), halted: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close(ctx))
		}
	}()
	parts, err := c.Program(log)
	if err != nil {
		return nil, err
	}
	if err := refuseStandIns(ctx, parts); err != nil {
		return nil, err
	}
	sealer, err := c.Sealer()
	if err != nil {
		return nil, err
	}
	if parts.Telemetry, err = telemetry.New(ctx, c.TelemetryConfig(version())); err != nil {
		return nil, err
	}
	p.undo(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, tracesTime)
		defer cancel()
		return parts.Telemetry.Close(ctx)
	})
	redis, err := p.openRedis(ctx)
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if c.Database.MigrateOnStart {
		o := postgres.MigrateOptions{Grant: c.Database.Role, Log: log}
		if err := postgres.Migrate(ctx, string(c.Database.OwnerURL()), o); err != nil {
			return nil, fmt.Errorf("database: %w", err)
		}
	}
	store, err := postgres.Open(ctx, string(c.Database.URL), sealer, c.PostgresOptions(log))
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	p.undo(func(context.Context) error { return store.Close() })
	parts.Pools = pools(store)
	if p.gateway, err = program.New(parts, store, redis, sealer); err != nil { //nolint:contextcheck // it calls nobody
		return nil, err
	}
	p.undo(func(context.Context) error { p.gateway.Close(); return nil })
	return p, nil
}

func (p *process) openRedis(ctx context.Context) (redisstore.Client, error) {
	options, err := p.config.RedisOptions()
	if err != nil {
		return nil, err
	}
	client, err := redisstore.NewClient(options)
	if err != nil {
		return nil, err
	}
	p.undo(func(context.Context) error { return client.Close() })
	return client, redisstore.CheckServer(ctx, client)
}

// pools are the database's, as telemetry has them.
func pools(store *postgres.Store) map[string]func() telemetry.Pool {
	read := func(name string) func() telemetry.Pool {
		return func() telemetry.Pool {
			is := store.Pools()[name]
			return telemetry.Pool{
				Acquired: is.Acquired, Idle: is.Idle, Max: is.Max, Waits: is.Waits, Waited: is.Waited, GivenUp: is.GivenUp,
			}
		}
	}
	return map[string]func() telemetry.Pool{"database": read("main"), "database_dispatch": read("dispatch")}
}

// start serves and carries. On SIGHUP it looks at the bank's profile at once, beside the times at which that is looked
// at anyhow. A panic in what is started here ends the process: another gateway goes on with its refunds, and nothing
// goes on by halves.
func (p *process) start(ctx context.Context, l listeners) {
	running, halt := context.WithCancel(context.WithoutCancel(ctx)) // it is stop that halts it, after Drain
	p.halt = halt
	go func() {
		defer close(p.halted)
		p.gateway.Run(running)
	}()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hangups)
		for {
			select {
			case <-hangups:
				p.gateway.Reload(running)
			case <-running.Done():
				return
			}
		}
	}()
	go func() { p.broke <- p.channel.Serve(l.channel) }()
	go func() { p.broke <- p.ops.Serve(l.ops) }()
}

// stop lets everything finish that is under way, within the time that the configuration gives it:
//
//  1. /readyz says 503, and the dispatcher begins nothing new. For a moment customers are still served, so that load
//     balancers can look elsewhere before the door closes.
//  2. The channel's listener closes; requests under way are answered, and streams end.
//  3. When the dispatcher too has finished, the private listener closes: until now it told how the stop goes.
//  4. Connections and stores are closed, and the last traces sent.
//
// What hasn't ended by then is cut off: a refund's next step is another gateway's as soon as its lease is over.
func (p *process) stop(ctx context.Context) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, p.config.Shutdown)
	defer cancel()
	p.log.InfoContext(ctx, "stopping")
	p.gateway.Drain()
	p.halt()
	wait(ctx, p.config.ShutdownLead)

	var late []string
	if err := p.channel.Shutdown(ctx); err != nil {
		late = append(late, "requests")
	}
	select {
	case <-p.halted:
	case <-ctx.Done():
		late = append(late, "refunds")
	}
	if err := p.ops.Shutdown(ctx); err != nil {
		late = append(late, "operators")
	}
	if len(late) == 0 && !p.closeWithin(ctx) {
		late = append(late, "connections")
	}
	if len(late) == 0 {
		p.log.InfoContext(ctx, "stopped", "took", time.Since(began))
		return nil
	}
	_ = p.channel.Close()
	_ = p.ops.Close()
	p.log.ErrorContext(ctx, "cut off", "unfinished", late, "took", time.Since(began))
	return errTold
}

// tracesTime is what the last traces may take: they are worth no more of a stop than that.
const tracesTime = 3 * time.Second

// wait waits, but no longer than ctx.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (p *process) undo(f func(context.Context) error) { p.closers = append(p.closers, f) }

// closeWithin closes what assemble opened, and reports whether that was done in time.
func (p *process) closeWithin(ctx context.Context) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.close(ctx); err != nil {
			p.log.WarnContext(ctx, "not everything closed well", "error", err)
		}
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

func (p *process) close(ctx context.Context) error {
	var all error
	for i := len(p.closers) - 1; i >= 0; i-- {
		all = errors.Join(all, p.closers[i](ctx))
	}
	p.closers = nil
	return all
}
