package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/istirdad/istirdad/gateway"
)

// session runs statements on the writer's connection or on the readers' pool and keeps them prepared. The texts are
// constants of this package, so there are only so many.
type session struct {
	db       preparer
	mu       sync.Mutex
	prepared map[string]*sql.Stmt
}

// preparer is a *sql.Conn or *sql.DB.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

func newSession(db preparer) *session {
	return &session{db: db, prepared: make(map[string]*sql.Stmt)}
}

// with hands the prepared statement to use.
func (s *session) with(ctx context.Context, query string, use func(*sql.Stmt) error) error {
	s.mu.Lock()
	stmt := s.prepared[query]
	if stmt == nil {
		var err error
		stmt, err = s.db.PrepareContext(ctx, query)
		if err != nil {
			s.mu.Unlock()
			return err
		}
		s.prepared[query] = stmt
	}
	s.mu.Unlock()
	return use(stmt)
}

// affect runs a statement and returns how many rows it wrote.
func (s *session) affect(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = s.with(ctx, query, func(stmt *sql.Stmt) error {
		result, err := stmt.ExecContext(ctx, args...)
		if err != nil {
			return err
		}
		n, err = result.RowsAffected()
		return err
	})
	return n, err
}

// exec is affect for statements whose rows nobody counts.
func (s *session) exec(ctx context.Context, query string, args ...any) error {
	_, err := s.affect(ctx, query, args...)
	return err
}

// one calls scan for the only row of a query; Scan returns sql.ErrNoRows when there is none.
func (s *session) one(ctx context.Context, query string, args []any, scan func(scanner) error) error {
	return s.with(ctx, query, func(stmt *sql.Stmt) error { return scan(stmt.QueryRowContext(ctx, args...)) })
}

// each calls scan for every row of a query.
func (s *session) each(ctx context.Context, query string, args []any, scan func(scanner) error) error {
	return s.with(ctx, query, func(stmt *sql.Stmt) error {
		rows, err := stmt.QueryContext(ctx, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := scan(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// reader makes something of a row. ctx is for the log.
type reader[T any] func(ctx context.Context, row scanner) (T, error)

// all reads every row of a query.
func all[T any](ctx context.Context, in *session, query string, args []any, read reader[T]) ([]T, error) {
	var found []T
	err := in.each(ctx, query, args, func(row scanner) error {
		t, err := read(ctx, row)
		if err != nil {
			return fmt.Errorf("sqlite: %w", err)
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
func get[T any](ctx context.Context, in *session, query string, args []any, read reader[T]) (found T, err error) {
	err = in.one(ctx, query, args, func(row scanner) (err error) {
		found, err = read(ctx, row)
		return err
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return found, gateway.ErrNotFound
	case err != nil:
		return found, fmt.Errorf("sqlite: %w", err)
	}
	return found, nil
}

// list is texts as one argument, for json_each.
func list(texts []string) string {
	text, _ := json.Marshal(texts) // of strings it never fails
	return string(text)
}

// hexes is a list of blind indexes, each of which unhex reads.
func hexes(indexes [][]byte) string {
	texts := make([]string, len(indexes))
	for i, index := range indexes {
		texts[i] = hex.EncodeToString(index)
	}
	return list(texts)
}

// scanner is a row.
type scanner interface {
	Scan(into ...any) error
}

// into scans a row into variables.
func into(variables ...any) func(scanner) error {
	return func(row scanner) error { return row.Scan(variables...) }
}

// savepoint runs do; when do fails, what it wrote is undone and its error comes back as err. broken is an error of the
// transaction around it, which can't be committed any more.
func (s *session) savepoint(ctx context.Context, do func() error) (err, broken error) {
	if err := s.exec(ctx, "SAVEPOINT part"); err != nil {
		return nil, err
	}
	if err := do(); err != nil {
		// If SQLite has ended the whole transaction by itself, there is no savepoint to go back to, and this fails.
		if undo := s.exec(ctx, "ROLLBACK TO part"); undo != nil {
			return err, fmt.Errorf("%w (after: %w)", undo, err)
		}
		return err, s.exec(ctx, "RELEASE part")
	}
	return nil, s.exec(ctx, "RELEASE part")
}

func (s *session) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var first error
	for _, stmt := range s.prepared {
		if err := stmt.Close(); err != nil && first == nil {
			first = err
		}
	}
	clear(s.prepared)
	return first
}
