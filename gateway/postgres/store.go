package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/gateway/kept"
	"github.com/istirdad/istirdad/internal/seal"
	"github.com/istirdad/istirdad/otp"
)

var (
	_ bank.Book      = (*Store)(nil)
	_ bank.Lookups   = (*Store)(nil)
	_ bank.Approvals = (*Store)(nil)
	_ bank.Sightings = (*Store)(nil)
	_ bank.Endings   = (*Store)(nil)
	_ dispatch.Queue = (*Store)(nil)
	_ otp.Ledger     = (*Store)(nil)
	_ otp.Records    = (*Store)(nil)
)

// Store is one database. It is safe for concurrent use, also by several processes.
type Store struct {
	sealer   kept.Sealer
	log      *slog.Logger
	now      func() time.Time // for Check alone: every other time is handed in
	main     *pool
	dispatch *pool
	left     *kept.Memory // of refunds that claims had to leave out
	unread   *kept.Unread
	closed   func() error
}

// Options are what an operator decides about a store. The zero value is right for most.
//
// A store has as many connections as both pools together. Each lost answer that is being settled has one more, for two
// seconds at most: leave room for a few beyond the pools of all gateways.
type Options struct {
	// Pool is how many connections serve customers. Zero: 16.
	Pool int
	// ClaimPool is how many connections serve the dispatcher. Zero: 8.
	ClaimPool int
	// RequireRestricted has Open refuse a role that could change the schema or delete anything. Production sets it.
	RequireRestricted bool
	// Log hears of what can't be read, of refunds that a claim had to leave out, and of commits whose answer was lost.
	// Nil: nobody does.
	Log *slog.Logger
}

// What Open refuses.
var (
	// ErrSchemaOlder: the database must be migrated first.
	ErrSchemaOlder = errors.New("postgres: the schema is older than this program's")
	// ErrSchemaNewer: the schema was migrated by a newer program, and says that this one can't work with it.
	ErrSchemaNewer = errors.New("postgres: the schema is newer than this program's")
	// ErrNotDurable: what this server calls committed may be lost.
	ErrNotDurable = errors.New("postgres: the server doesn't keep what it commits")
	// ErrPrivileged: the role may do what a gateway must not be able to.
	ErrPrivileged = errors.New("postgres: the role may do too much")
	// ErrNotGranted: the role may not do what a gateway has to.
	ErrNotGranted = errors.New("postgres: the role may do too little")
)

const (
	defaultPool      = 16
	defaultClaimPool = 8
	// clockMax is how far the database's clock may be from this program's.
	clockMax = 2 * time.Second
	// openTime bounds Open when its context doesn't.
	openTime = 30 * time.Second
)

var usual = limits{acquire: acquireTime, write: writeTime, settle: settleTime}

// Open connects to the database at url, whose values are sealed by sealer. Close the store when nothing uses it any
// more.
func Open(ctx context.Context, url string, sealer *seal.Sealer, o Options) (*Store, error) {
	return open(ctx, url, sealer, o, usual, nil)
}

// open lets tests set limits and stand between this package and its connections.
func open(ctx context.Context, url string, sealer *seal.Sealer, o Options, l limits, between func(*pgxpool.Config)) (*Store, error) {
	if sealer == nil {
		return nil, errors.New("postgres: no sealer")
	}
	s := &Store{sealer: kept.NewSealer(sealer), log: o.Log, now: time.Now, left: kept.NewMemory(leftFor, leftMost)}
	s.closed = sync.OnceValue(s.close)
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.unread = kept.NewUnread(s.log)
	for _, p := range []struct {
		into **pool
		name string
		size int
	}{{&s.main, "main", orElse(o.Pool, defaultPool)}, {&s.dispatch, "dispatch", orElse(o.ClaimPool, defaultClaimPool)}} {
		made, err := newPool(ctx, url, p.name, p.size, l, between)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		*p.into = made
	}
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	if err := s.main.refuse(ctx, o.RequireRestricted); err != nil {
		return nil, errors.Join(fmt.Errorf("postgres: open: %w", err), s.Close())
	}
	return s, nil
}

func orElse(n, otherwise int) int {
	if n < 1 {
		return otherwise
	}
	return n
}

// Close waits for the writes under way and closes the connections. What is called afterwards fails.
func (s *Store) Close() error { return s.closed() }

func (s *Store) close() error {
	for _, p := range []*pool{s.main, s.dispatch} {
		if p != nil {
			p.Close()
		}
	}
	return nil
}

const checkWell = `SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean, clock_timestamp()`

// Check reports whether the store can do its work: the server answers and takes writes, and its clock agrees with this
// program's to two seconds. It asks through the dispatcher's pool: a crowd that fills the customers' is served, and takes
// no gateway out of service.
func (s *Store) Check(ctx context.Context) error {
	var (
		readOnly bool
		theirs   time.Time
	)
	before := s.now()
	if _, err := s.dispatch.one(ctx, checkWell, nil, &readOnly, &theirs); err != nil {
		return fmt.Errorf("postgres: check: %w", err)
	}
	after := s.now()
	if readOnly {
		return errors.New("postgres: check: the server takes no writes")
	}
	// They looked at their clock at some moment between our two.
	if off := max(before.Sub(theirs), theirs.Sub(after)); off > clockMax {
		return fmt.Errorf("postgres: %w by %s", gateway.ErrClockSkew, off)
	}
	return nil
}

// Unreadable is how many refunds, and identity checks of theirs, this store came upon in the last quarter of an hour and
// couldn't read: gateway.ErrUnreadable.
func (s *Store) Unreadable() int { return s.unread.Count() }

// Pool is how busy a pool of connections is.
type Pool struct {
	Acquired int           // in use
	Idle     int           // open and waiting for work
	Total    int           // open or being opened
	Max      int           // may be open
	Waits    int64         // how often somebody had to wait for one, since Open
	Waited   time.Duration // how long all of them together
	GivenUp  int64         // how often somebody waited in vain
}

// Pools are the store's pools by name, "main" and "dispatch", as they are now.
func (s *Store) Pools() map[string]Pool {
	all := make(map[string]Pool)
	for _, p := range []*pool{s.main, s.dispatch} {
		is := p.Stat()
		all[p.name] = Pool{
			Acquired: int(is.AcquiredConns()), Idle: int(is.IdleConns()), Total: int(is.TotalConns()), Max: int(is.MaxConns()),
			Waits: is.EmptyAcquireCount(), Waited: is.EmptyAcquireWaitTime(), GivenUp: is.CanceledAcquireCount(),
		}
	}
	return all
}
