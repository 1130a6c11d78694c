package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	modernc "modernc.org/sqlite"

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

// Store is one open file. It is safe for concurrent use, also by several processes.
type Store struct {
	sealer  kept.Sealer
	log     *slog.Logger
	reset   bool
	writes  *sql.DB // its one connection is the writer's
	writer  *writer
	reads   *sql.DB
	queries *session
	unread  *kept.Unread
	closed  func() error
}

// Options are what an operator decides about a store. The zero value opens one that is there already.
type Options struct {
	// Migrate creates the file if need be and brings its schema up to this program's. Without it Open refuses a file
	// that isn't there and a schema that is older.
	Migrate bool
	// Resettable allows Reset. It is for the sandbox alone.
	Resettable bool
	// Log hears of what can't be read, and of refunds that a claim had to leave out. Nil: nobody does.
	Log *slog.Logger
}

// What Open refuses.
var (
	// ErrSchemaOlder: the file must be migrated first.
	ErrSchemaOlder = errors.New("sqlite: the schema is older than this program's")
	// ErrSchemaNewer: the file was migrated by a newer program. Nothing leads back.
	ErrSchemaNewer = errors.New("sqlite: the schema is newer than this program's")
)

const (
	// busyTimeout is how long a transaction waits for another process that writes.
	busyTimeout = 5 * time.Second
	// readers is how many reads go on at once: a read that waits for the disk mustn't stop the others.
	readers = 8
	// clockMax is how far the database's clock may be from this program's.
	clockMax = 2 * time.Second
)

// Open opens the store in the file at path, whose values are sealed by sealer. Close it when nothing uses it any more.
func Open(ctx context.Context, path string, sealer *seal.Sealer, o Options) (*Store, error) {
	return open(ctx, path, sealer, o, func(c driver.Connector) driver.Connector { return c })
}

// open lets tests stand between this package and the driver.
func open(ctx context.Context, path string, sealer *seal.Sealer, o Options, between func(driver.Connector) driver.Connector) (*Store, error) {
	if sealer == nil {
		return nil, errors.New("sqlite: no sealer")
	}
	s := &Store{sealer: kept.NewSealer(sealer), log: o.Log, reset: o.Resettable}
	s.closed = sync.OnceValue(s.close)
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.unread = kept.NewUnread(s.log)
	if err := s.connect(ctx, path, o, between); err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: open %s: %w", path, err), s.Close())
	}
	return s, nil
}

func (s *Store) connect(ctx context.Context, path string, o Options, between func(driver.Connector) driver.Connector) (err error) {
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	if o.Migrate {
		if err := create(path); err != nil {
			return err
		}
	}
	if s.writes, err = connect(path, "_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)", between); err != nil {
		return err
	}
	s.writes.SetMaxOpenConns(1)
	if err := migrate(ctx, s.writes, o.Migrate); err != nil {
		return err
	}
	conn, err := s.writes.Conn(ctx)
	if err != nil {
		return err
	}
	s.writer = newWriter(conn) //nolint:contextcheck // it outlives the opening
	if s.reads, err = connect(path, "_pragma=query_only(1)", between); err != nil {
		return err
	}
	s.reads.SetMaxOpenConns(readers)
	s.reads.SetMaxIdleConns(readers)
	s.queries = newSession(s.reads)
	return nil
}

// create makes an empty file that only its owner can read; SQLite gives the files beside it the same mode.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// connect opens the file, which must exist: mode=rw never creates one.
func connect(path, params string, between func(driver.Connector) driver.Connector) (*sql.DB, error) {
	file := url.URL{Scheme: "file", Path: path}
	connector, err := modernc.NewConnector(fmt.Sprintf(
		"%s?mode=rw&_defensive=1&_dqs=0&_error_rc=1&_busy_timeout=%d&_pragma=foreign_keys(1)&_pragma=trusted_schema(0)&%s",
		file.String(), busyTimeout.Milliseconds(), params))
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(between(connector)), nil
}

// Close lets the write under way end and closes the file. What is called afterwards fails.
func (s *Store) Close() error { return s.closed() }

func (s *Store) close() error {
	var failed []error
	if s.reads != nil {
		failed = append(failed, s.queries.close(), s.reads.Close())
	}
	if s.writer != nil {
		failed = append(failed, s.writer.close())
	}
	if s.writes != nil {
		// The last connection to go writes the WAL back into the file.
		failed = append(failed, s.writes.Close())
	}
	return errors.Join(failed...)
}

// Check reports whether the store can do its work: it can be read, a transaction can begin, and its clock agrees with
// this program's to two seconds.
func (s *Store) Check(ctx context.Context) error {
	var unix float64
	now := time.Now()
	if err := s.queries.one(ctx, `SELECT unixepoch('now', 'subsec')`, nil, into(&unix)); err != nil {
		return fmt.Errorf("sqlite: read: %w", err)
	}
	if off := time.UnixMicro(int64(unix * 1e6)).Sub(now).Abs(); off > clockMax {
		return fmt.Errorf("sqlite: %w by %s", gateway.ErrClockSkew, off)
	}
	return s.writer.write(ctx, func(context.Context, *session) error { return nil })
}

// Unreadable is how many refunds, and identity checks of theirs, this store came upon in the last quarter of an hour and
// couldn't read: gateway.ErrUnreadable.
func (s *Store) Unreadable() int { return s.unread.Count() }
