package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/internal/pgtest"
	"github.com/istirdad/istirdad/internal/redistest"
)

var postgresql = pgtest.NewShared()

func TestMain(m *testing.M) { os.Exit(postgresql.Main(m)) }

// TestWalkOnServers: the same path with the gateway on a real PostgreSQL and a real Redis. The schema that it had to itself
// is gone afterwards.
func TestWalkOnServers(t *testing.T) {
	database, redis := postgresql.Database(t), redistest.Start(t)
	var stdout, stderr bytes.Buffer
	args := []string{"-walk", "-polite", "-database-url", database.Owner, "-redis-url", redis.URL()}
	if err := run(t.Context(), args, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s", err, stdout.String())
	}
	if !strings.Contains(stdout.String(), "credited") || stderr.Len() > 0 {
		t.Errorf("the walk says\n%s%s", stdout.String(), stderr.String())
	}
	schemas, err := postgresql.Server(t).SQL(database.Name, `SELECT nspname FROM pg_namespace WHERE nspname LIKE 'istirdad%';`)
	if err != nil || schemas != "" {
		t.Errorf("left behind is %q, %v", schemas, err)
	}
}
