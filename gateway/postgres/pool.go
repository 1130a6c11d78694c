package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/istirdad/istirdad/gateway"
)

// The limits of package doc's "Time limits".
const (
	acquireTime = 250 * time.Millisecond
	connectTime = 3 * time.Second
	readTime    = 3 * time.Second
	writeTime   = 3 * time.Second

	statementTime = "2s"
	lockTime      = "500ms"
	idleInTxTime  = "5s"
)

// limits are those that tests move.
type limits struct {
	acquire, write, settle time.Duration
}

// pool is a pool of connections to one database.
type pool struct {
	*pgxpool.Pool
	name   string
	limits limits
}

// errURL says nothing of what it refuses: there may be a password in it.
var errURL = errors.New("postgres: not the URL of a database (postgres://role@host:5432/name?sslmode=verify-full)")

func newPool(ctx context.Context, url, name string, size int, l limits, between func(*pgxpool.Config)) (*pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errURL
	}
	config.MaxConns = int32(min(size, 1000))
	// All of them from the start: to open one takes longer than anybody waits for one.
	config.MinConns, config.MinIdleConns = config.MaxConns, 0
	config.MaxConnLifetime = 30 * time.Minute // so that connections find a server that is new, or back
	config.MaxConnLifetimeJitter = 5 * time.Minute
	config.HealthCheckPeriod = time.Minute
	config.PingTimeout = l.acquire
	session(config.ConnConfig, "istirdad "+name)
	for setting, value := range map[string]string{
		"statement_timeout": statementTime, "lock_timeout": lockTime, "idle_in_transaction_session_timeout": idleInTxTime,
		"default_transaction_isolation": "read committed",
		// Every statement here has its index. A plan that was made while a table was empty, or while the server knew
		// nothing of it, as after an upgrade, would read it whole for as long as it is remembered.
		"enable_seqscan": "off",
	} {
		config.ConnConfig.RuntimeParams[setting] = value
	}
	config.AfterConnect = acquaint
	config.ConnConfig.OnNotice = noteWarning
	dial := config.ConnConfig.DialFunc
	config.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return brisk{conn}, nil
	}
	if between != nil {
		between(config)
	}
	connections, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return &pool{Pool: connections, name: name, limits: l}, nil
}

// session sets what every connection of ours has, whatever the URL says; its search path and TLS are the URL's.
func session(c *pgx.ConnConfig, name string) {
	c.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement // never values within the text
	if c.ConnectTimeout == 0 || c.ConnectTimeout > connectTime {
		c.ConnectTimeout = connectTime
	}
	c.RuntimeParams["timezone"] = "UTC"
	c.RuntimeParams["client_encoding"] = "UTF8"
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = name
	}
	// A server that is read-only is not the one, whatever order the hosts are named in.
	if c.ValidateConnect == nil {
		c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
}

// brisk is a connection that doesn't linger. One whose answer didn't come is given 15 seconds by pgx to say goodbye, and
// keeps its place in the pool meanwhile: after a network that swallowed everything nothing would go on for as long.
type brisk struct{ net.Conn }

const goodbyeTime = time.Second

// SetDeadline is called for a goodbye, with a time to come, or by a context that is done, with one that is over.
func (c brisk) SetDeadline(t time.Time) error {
	if latest := time.Now().Add(goodbyeTime); t.After(latest) {
		t = latest
	}
	return c.Conn.SetDeadline(t)
}

// backend is the server's process behind a connection. Ids of processes come again; with its start it is the one.
type backend struct {
	pid     int32
	started time.Time
}

const (
	// backendKey and warningKey are where a connection keeps what we know of it.
	backendKey = "backend"
	warningKey = "warning"

	// acquainting also has every commit of the session wait for the disk, and for the synchronous standby if there is
	// one; remote_apply, which waits longer still, is left as it is.
	acquainting = `SELECT pg_backend_pid(),
			(SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()),
			current_setting('fsync')::boolean, current_setting('full_page_writes')::boolean,
			was.setting, set_config('synchronous_commit', CASE was.setting WHEN 'remote_apply' THEN was.setting ELSE 'on' END, false)
		FROM (SELECT current_setting('synchronous_commit') AS setting OFFSET 0) AS was`
)

// acquaint refuses a server that doesn't keep what it commits, and learns which of its processes is ours.
func acquaint(ctx context.Context, conn *pgx.Conn) error {
	var (
		b                 backend
		fsync, fullPages  bool
		synchronous, then string
	)
	err := conn.QueryRow(ctx, acquainting).Scan(&b.pid, &b.started, &fsync, &fullPages, &synchronous, &then)
	if err != nil {
		return err
	}
	switch {
	case !fsync:
		return fmt.Errorf("%w: fsync is off", ErrNotDurable)
	case !fullPages:
		return fmt.Errorf("%w: full_page_writes is off", ErrNotDurable)
	case synchronous == "off" || synchronous == "local":
		return fmt.Errorf("%w: synchronous_commit is %s", ErrNotDurable, synchronous)
	}
	conn.PgConn().CustomData()[backendKey] = b
	return nil
}

// noteWarning remembers that the server warned of a commit whose wait for the synchronous standby was cut short: it says
// COMMIT like any other, and only the warning says that it is on one machine alone. That is in the server's language and
// has no code of its own, so it is known by the server's source file that it comes from. There are others: a server that
// is running out of transaction ids warns of every transaction.
func noteWarning(conn *pgconn.PgConn, n *pgconn.Notice) {
	if n.SeverityUnlocalized == "WARNING" && n.File == "syncrep.c" {
		conn.CustomData()[warningKey] = n.Message
	}
}

// acquire takes a connection out of the pool. An error means that nothing was sent.
func (p *pool) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	waiting, cancel := context.WithTimeout(ctx, p.limits.acquire)
	defer cancel()
	conn, err := p.Acquire(waiting)
	if err != nil {
		return nil, fmt.Errorf("postgres: no connection of pool %s: %w", p.name, err)
	}
	return conn, nil
}

// each calls scan for every row of a query. Ids come from outside: of one that the database can't hold at all there is none.
func (p *pool) each(ctx context.Context, query string, args []any, scan func(scanner) error) error {
	for _, arg := range args {
		if text, is := arg.(string); is && (!utf8.ValidString(text) || strings.ContainsRune(text, 0)) {
			return nil
		}
	}
	conn, err := p.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	rows, err := conn.Query(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return nil
}

// one scans the first row of a query into variables; false when there is none.
func (p *pool) one(ctx context.Context, query string, args []any, into ...any) (found bool, err error) {
	err = p.each(ctx, query, args, func(row scanner) error {
		found = true
		return row.Scan(into...)
	})
	return found && err == nil, err
}

// reader makes something of a row. ctx is for the log.
type reader[T any] func(ctx context.Context, row scanner) (T, error)

// all reads every row of a query.
func all[T any](ctx context.Context, p *pool, query string, args []any, read reader[T]) ([]T, error) {
	var found []T
	err := p.each(ctx, query, args, func(row scanner) error {
		t, err := read(ctx, row)
		if err != nil {
			return fmt.Errorf("postgres: %w", err)
		}
		found = append(found, t)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// get reads the one row that a query finds, or returns gateway.ErrNotFound.
func get[T any](ctx context.Context, p *pool, query string, args []any, read reader[T]) (found T, err error) {
	missing := true
	err = p.each(ctx, query, args, func(row scanner) (err error) {
		missing = false
		if found, err = read(ctx, row); err != nil {
			return fmt.Errorf("postgres: %w", err)
		}
		return nil
	})
	if err == nil && missing {
		err = gateway.ErrNotFound
	}
	return found, err
}

// scanner is a row.
type scanner interface {
	Scan(into ...any) error
}
