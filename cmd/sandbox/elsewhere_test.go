package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/internal/config"
)

// Servers that nobody runs: without a gateway the sandbox comes up before them.
const (
	nobodysDatabase = "postgres://owner:hunter2@127.0.0.1:1/istirdad?sslmode=disable"
	nobodysRedis    = "redis://:hunter2@127.0.0.1:1/3"
)

func TestGatewayOffNeedsServers(t *testing.T) {
	for name, args := range map[string][]string{
		"neither":     nil,
		"no Redis":    {"-database-url", nobodysDatabase},
		"no database": {"-redis-url", nobodysRedis},
	} {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), append([]string{"-gateway", "off"}, args...), io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), "needs to know the database and the Redis of yours") {
				t.Errorf("it says %v", err)
			}
		})
	}
}

// TestGatewayOff: the stand-ins alone, and what a gateway is to be started with.
func TestGatewayOff(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "gateway.yaml")
	args := []string{
		"-gateway", "off", "-database-url", nobodysDatabase, "-redis-url", nobodysRedis, "-data", filepath.Join(dir, "data"),
		"-callback", "http://gateway.example:8080", "-write-config", path,
	}
	w := begin(t, args...)
	if w.urls.Core == "" || w.urls.Bank == "" || w.urls.Control == "" || !strings.HasPrefix(w.line, `{"gateway":"","ops":"","core":"http`) {
		t.Errorf("the addresses are %s", w.line)
	}
	first := load(t, path)
	if first.Core.URL != w.urls.Core || first.Bank.URL != w.urls.Bank || first.Bank.Issuer != w.urls.Bank ||
		first.SMS.URL != w.urls.Control+"/phone/messages" || first.Core.CallbackAuthority != "gateway.example:8080" {
		t.Errorf("the gateway is sent to\n%s", first)
	}
	if string(first.Database.URL) != nobodysDatabase || string(first.Redis.URL) != nobodysRedis || !first.Database.MigrateOnStart {
		t.Errorf("the gateway works on\n%s", first)
	}
	arePrivate(t, dir, "gateway.")

	// Who asks for what needs the servers is told so; all else works.
	for path, status := range map[string]int{"/people": 200, "/core/truth": 200, "/faults/kinds": 200, "/referee": 500} {
		answer, err := http.Get(w.urls.Control + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != status || strings.Contains(string(body), "hunter2") {
			t.Errorf("%s answers %d %s", path, answer.StatusCode, body)
		}
	}
	if rest := w.stop(); rest != "" {
		t.Errorf("stdout has more than one line: %q", rest)
	}
	if said := w.stderr.String(); !strings.Contains(said, "serve -config "+path) || strings.Contains(said, "hunter2") {
		t.Errorf("stderr says\n%s", said)
	}

	// The next start with the same data keeps the secrets: what a gateway has sealed still opens.
	begin(t, args...)
	if again := load(t, path); again.Keys.Pepper != first.Keys.Pepper || again.Keys.Seal != first.Keys.Seal {
		t.Error("the secrets have changed")
	}
}

// load reads a configuration as a gateway does.
func load(t *testing.T, path string) config.Config {
	t.Helper()
	c, err := config.Load(path, nil)
	if err != nil {
		t.Fatalf("a gateway refuses what was written: %v", err)
	}
	if c.Environment != config.Sandbox || c.Keys.Pepper == c.Keys.Seal {
		t.Errorf("written was\n%s", c)
	}
	return c
}

// arePrivate fails the test unless nobody else can read the files.
func arePrivate(t *testing.T, dir, prefix string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, prefix+"*"))
	if err != nil || len(files) < 5 {
		t.Fatalf("written were %v, %v", files, err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, info.Mode(), err)
		}
	}
}

// TestServersFromEnvironment: URLs with passwords need not be on a command line.
func TestServersFromEnvironment(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "redis-url")
	if err := os.WriteFile(file, []byte(nobodysRedis+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SANDBOX_DATABASE_URL", nobodysDatabase)
	t.Setenv("SANDBOX_REDIS_URL_FILE", file)
	path := filepath.Join(dir, "gateway.yaml")
	w := begin(t, "-gateway", "off", "-write-config", path)
	if c := load(t, path); string(c.Database.URL) != nobodysDatabase || string(c.Redis.URL) != nobodysRedis {
		t.Errorf("the gateway works on\n%s", c)
	}
	w.stop()
	if said := w.stderr.String(); !strings.Contains(said, "no callbacks") {
		t.Errorf("nobody is told that there are no callbacks:\n%s", said)
	}

	t.Setenv("SANDBOX_REDIS_URL_FILE", filepath.Join(dir, "nothing"))
	if err := run(t.Context(), []string{"-gateway", "off"}, io.Discard, io.Discard); err == nil {
		t.Error("a file that isn't there is taken")
	}
}
