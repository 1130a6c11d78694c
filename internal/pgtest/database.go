package pgtest

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// Database is a database of one test, by the URLs of those who come in.
type Database struct {
	Name  string
	Owner string
	App   string
}

// Database makes a copy of the template, or an empty database when there is none. It goes with the server.
func (s *Server) Database(tb testing.TB) Database {
	tb.Helper()
	template, err := s.template()
	if err != nil {
		tb.Fatal(err)
	}
	name := fmt.Sprintf("test%d", s.made.Add(1))
	if err := s.create(name, template); err != nil {
		tb.Fatal(err)
	}
	return Database{Name: name, Owner: s.URL(Owner, name), App: s.URL(App, name)}
}

func (s *Server) create(name, template string) error {
	_, err := s.SQL("postgres", fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s OWNER %s;", name, template, Owner))
	return err
}

// fill makes the template and returns its name.
func (s *Server) fill(fill func(ctx context.Context, owner string) error) (string, error) {
	const name = "filled"
	if fill == nil {
		return "template1", nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	if err := s.create(name, "template1"); err != nil {
		return "", err
	}
	if err := fill(ctx, s.URL(Owner, name)); err != nil {
		return "", fmt.Errorf("pgtest: fill the template: %w", err)
	}
	return name, nil
}

// SQL runs statements as a superuser, each in a transaction of its own, and returns the rows that they gave: a line
// each, its values divided by "|", without the last line's end. It stops at the first statement that fails.
func (s *Server) SQL(database, statements string) (string, error) {
	out, err := run(context.Background(), s.as, s.dir, statements, filepath.Join(s.bin, "psql"),
		"--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1", "--file=-",
		"--host="+s.dir, fmt.Sprintf("--port=%d", s.port), "--username="+superuser, "--dbname="+database)
	return strings.TrimSuffix(out, "\n"), err
}
