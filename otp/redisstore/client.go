package redisstore

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Options say where Redis is. Either URL or Addrs; the rest has defaults that
// suit one gateway.
type Options struct {
	// URL of a single server: redis://user:password@host:port/db, or rediss://.
	URL string

	// Addrs: one server, the nodes of a cluster, or with MasterName the
	// Sentinels.
	Addrs      []string
	Cluster    bool   // Addrs holds a single configuration endpoint of a cluster
	MasterName string // what the Sentinels call the master

	Username, Password                 string
	SentinelUsername, SentinelPassword string
	DB                                 int
	TLS                                *tls.Config

	// PoolSize is the number of connections per server; 32 when 0.
	PoolSize int

	// CommandTimeout bounds the write of a command, the read of its answer and
	// the wait for a free connection, each; 200 ms when 0. A server in this very
	// process never goes silent, only slow, and deserves more.
	CommandTimeout time.Duration
}

// withTLS is what a URL says of TLS, with the caller's authorities and
// certificates; nil for a URL without TLS.
func withTLS(said, given *tls.Config) (*tls.Config, error) {
	switch {
	case given == nil:
		return said, nil
	case said == nil:
		return nil, errors.New("redisstore: TLS for a URL that begins with redis:// and not with rediss://")
	}
	both := given.Clone()
	both.ServerName = cmp.Or(given.ServerName, said.ServerName)
	return both, nil
}

// beSilent keeps the library from writing lines of its own to standard error,
// between the events of a structured log. It keeps its logger in a package
// variable; whatever it would say, the caller of a command gets as an error.
var beSilent = sync.OnceFunc(func() { redis.SetLogger(silence{}) })

type silence struct{}

// Printf is the library's way to say something.
func (silence) Printf(context.Context, string, ...any) {}

const (
	dialTimeout           = 300 * time.Millisecond
	defaultCommandTimeout = 200 * time.Millisecond
	connLifetime          = 5 * time.Minute // so that nobody stays with a demoted master for long
	defaultPoolSize       = 32
)

// NewClient returns a client that fails fast and never repeats a command by
// itself. Left to its defaults the library repeats a command whose answer was
// lost, which counts one guess twice, waits up to five seconds on a server that
// is silent, whatever the context says, and dials a dead one five times over.
//
// It does not connect; CheckServer does.
func NewClient(o Options) (redis.UniversalClient, error) {
	beSilent()
	timeout := cmp.Or(o.CommandTimeout, defaultCommandTimeout)
	u := redis.UniversalOptions{
		Addrs: o.Addrs, IsClusterMode: o.Cluster, MasterName: o.MasterName,
		Username: o.Username, Password: o.Password, DB: o.DB, TLSConfig: o.TLS,
		SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword,

		MaxRetries:            -1,
		DialerRetries:         1,
		ContextTimeoutEnabled: true,
		DialTimeout:           dialTimeout,
		ReadTimeout:           timeout,
		WriteTimeout:          timeout,
		PoolTimeout:           timeout,
		PoolSize:              cmp.Or(o.PoolSize, defaultPoolSize),
		ConnMaxLifetime:       connLifetime,
		DisableIdentity:       true, // a handshake fewer that could desynchronise a connection
		MaintNotificationsConfig: &maintnotifications.Config{
			Mode: maintnotifications.ModeDisabled,
		},
	}
	switch {
	case (o.URL == "") == (len(o.Addrs) == 0):
		return nil, errors.New("redisstore: exactly one of URL and Addrs is needed")
	case o.URL != "":
		single, err := redis.ParseURL(o.URL)
		if err != nil {
			return nil, errors.New("redisstore: malformed Redis URL") // err may quote the password
		}
		u.Addrs, u.DB = []string{single.Addr}, single.DB
		if u.TLSConfig, err = withTLS(single.TLSConfig, o.TLS); err != nil {
			return nil, err
		}
		u.Username, u.Password = single.Username, single.Password
	}
	return redis.NewUniversalClient(&u), nil
}
