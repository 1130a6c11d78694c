package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway/postgres"
	"github.com/istirdad/istirdad/internal/config"
	"github.com/istirdad/istirdad/internal/pgtest"
)

var database = pgtest.NewShared(pgtest.Template(func(ctx context.Context, owner string) error {
	return postgres.Migrate(ctx, owner, postgres.MigrateOptions{Grant: pgtest.App})
}))

func TestMain(m *testing.M) { os.Exit(database.Main(m)) }

// Planted where secrets are; nothing that the program says may have them.
const (
	pepper = "canary-pepper-of-32-bytes-or-more"
	seal   = "canary-sealing-key-of-32-bytes-or"
	canary = "canary"
)

// ran is how a run ended and what it said.
type ran struct {
	exit           int
	stdout, stderr string
}

func runWith(t *testing.T, environ []string, args ...string) ran {
	t.Helper()
	var stdout, stderr bytes.Buffer
	exit := run(t.Context(), args, environ, &stdout, &stderr)
	r := ran{exit, stdout.String(), stderr.String()}
	for _, secret := range []string{canary, string(config.EncodeKey([]byte(pepper))), string(config.EncodeKey([]byte(seal)))} {
		if strings.Contains(r.stdout+r.stderr, secret) {
			t.Errorf("%q says a secret:\n%s%s", args, r.stdout, r.stderr)
		}
	}
	return r
}

func TestUsage(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want ran // the outputs are parts
	}{
		"nothing":        {nil, ran{exitUsage, "", "gateway: a command is required\n\ngateway is"}},
		"unknown":        {[]string{"walk"}, ran{exitUsage, "", "gateway: there is no command \"walk\"\n\ngateway is"}},
		"not a word":     {[]string{"canary=1"}, ran{exitUsage, "", "gateway: there is no such command\n\ngateway is"}},
		"half a command": {[]string{"config"}, ran{exitUsage, "", "gateway: \"config\" is half a command, of which the whole is \"config check\"\n"}},
		"all of them":    {nil, ran{exitUsage, "", "gateway serve -config FILE"}},
		"help":           {[]string{"-h"}, ran{exitOK, "gateway migrate -config FILE", ""}},
		"help of serve":  {[]string{"serve", "-h"}, ran{exitOK, "of the configuration (required)", ""}},
		"no file":        {[]string{"serve"}, ran{exitUsage, "", "gateway serve: -config FILE is required"}},
		"no such flag":   {[]string{"serve", "-port", "80"}, ran{exitUsage, "", "flag provided but not defined: -port"}},
		"an argument":    {[]string{"migrate", "-config", "x", "now"}, ran{exitUsage, "", "no arguments beside the flags"}},
		"missing file": {[]string{"config", "check", "-config", "missing.yaml"}, ran{exitFault, "",
			"missing.yaml: the file can't be read: no such file or directory\n"}},
		"version": {[]string{"version"}, ran{exitOK, "gateway ", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			got := runWith(t, nil, test.args...)
			if got.exit != test.want.exit || !strings.Contains(got.stdout, test.want.stdout) || !strings.Contains(got.stderr, test.want.stderr) ||
				test.want.stdout == "" && got.stdout != "" || test.want.stderr == "" && got.stderr != "" {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestConfigCheck does with every file that is shipped what a newcomer does, who has put the secrets where the file says.
func TestConfigCheck(t *testing.T) {
	files, err := filepath.Glob("../../configs/gateway.*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no shipped configurations: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dir := secrets(t)
			path := write(t, dir, filepath.Base(file), strings.ReplaceAll(string(text), "/run/secrets", dir))
			got := runWith(t, []string{"HOME=/root"}, "config", "check", "-config", path)
			if got.exit != exitOK || !strings.HasPrefix(got.stdout, "ok\n\nenvironment: ") || got.stderr != "" {
				t.Errorf("%+v", got)
			}
			for _, want := range []string{"  pepper: (hidden)\n", "  online_limit: \"10000.00\"\n"} {
				if !strings.Contains(got.stdout, want) {
					t.Errorf("%q isn't in\n%s", want, got.stdout)
				}
			}
		})
	}
}

// TestConfigCheckTellsAll: what is wrong comes in one answer, a line each, on stderr, from each command alike.
func TestConfigCheckTellsAll(t *testing.T) {
	dir := secrets(t)
	path := write(t, dir, "gateway.yaml", `
environment: production
database: {url: "postgres://gateway:canary@db.bank.example/istirdad", migrate_on_start: true}
redis: {url: "redis://:canary@redis.bank.example"}
keys: {pepper: canary, seal_id: k1, seal_file: seal_key}
core: {url: "http://core.example", key_id: bank-80, key_file: core_signing_key, core_key_files: {core-1: core-1.pem}}
bank: {url: https://systems.bank.example, issuer: https://sso.bank.example, code: "80", kode: "canary", profile_file: profile.yaml}
sms: {url: https://sms.example}
`)
	write(t, dir, "profile.yaml", "sms: {sender: canary of the bank}\n")
	want := []string{
		":7: bank.kode: there is no such key",
		"ISTIRDAD_SMS_ULR: the variable overrides no key",
		":3: database.url: must have sslmode=verify-full (or verify-ca) in production",
		":5: keys.pepper: must be base64: openssl rand -base64 32 makes one",
		"/profile.yaml:1: sms.sender: must have 3 to 11 letters, digits, spaces, '.', '_' or '-'",
		":6: core.url: must be https in production",
		": core.client_cert_file: it is required in production",
		": bank.client_cert_file: it is required in production",
		`:3: database.migrate_on_start: must be false in production: run "gateway migrate"`,
		":4: redis.url: must speak TLS in production",
	}
	for _, command := range [][]string{{"config", "check"}, {"serve"}} {
		got := runWith(t, []string{"ISTIRDAD_SMS_ULR=canary"}, append(command, "-config", path)...)
		lines := strings.Split(strings.TrimSpace(got.stderr), "\n")
		if got.exit != exitFault || got.stdout != "" || len(lines) != len(want) {
			t.Fatalf("%q: %+v", command, got)
		}
		for i, w := range want {
			if strings.TrimPrefix(strings.TrimPrefix(lines[i], path), dir) != w {
				t.Errorf("%q: line %d is %q, want %q", command, i+1, lines[i], w)
			}
		}
	}
}

// TestMigrate: from nothing to a schema that a restricted role can serve from, and again without harm.
func TestMigrate(t *testing.T) {
	server := pgtest.Start(t)
	db := server.Database(t)
	path := write(t, t.TempDir(), "gateway.yaml", "environment: staging\ndatabase:\n  url: "+db.App+"\n  migrate_url: "+db.Owner+
		"\n  role: "+pgtest.App+"\n")
	for range 2 {
		if got := runWith(t, nil, "migrate", "-config", path); got.exit != exitOK || !strings.HasSuffix(got.stdout, "the schema is up to date\n") {
			t.Fatalf("%+v", got)
		}
	}
	sealer, err := sandboxed(t, db.App, "redis://127.0.0.1:1").Sealer()
	if err != nil {
		t.Fatal(err)
	}
	store, err := postgres.Open(t.Context(), db.App, sealer, postgres.Options{RequireRestricted: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if got := runWith(t, nil, "migrate", "-config", path); got.exit != exitFault || !strings.HasPrefix(got.stderr, "gateway migrate: postgres: ") {
		t.Errorf("without a server: %+v", got)
	}
}

// sandboxed is a configuration with which a gateway runs on this machine, with neighbours who are away.
func sandboxed(t *testing.T, databaseURL, redisURL string) config.Config {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Environment = config.Sandbox
	c.Listen.Channel, c.Listen.Ops = "127.0.0.1:0", "127.0.0.1:0"
	c.Database.URL, c.Redis.URL = config.Secret(databaseURL), config.Secret(redisURL)
	c.Keys.Pepper, c.Keys.SealID, c.Keys.Seal = config.EncodeKey([]byte(pepper)), "k1", config.EncodeKey([]byte(seal))
	c.Core.URL, c.Core.KeyID, c.Core.Key = "http://127.0.0.1:1", "bank-80", config.EncodeSigningKey(private)
	c.Core.CoreKeys = map[string]string{"core-1": config.EncodePublicKey(public)}
	c.Bank.URL, c.Bank.Issuer, c.Bank.Code = "http://127.0.0.1:1", "http://127.0.0.1:1", "80"
	c.SMS.URL = "http://127.0.0.1:1"
	c.Bank.ProfileFile = write(t, t.TempDir(), "profile.yaml", "sms: {sender: Istirdad}\n")
	c.ShutdownLead = 0
	return c
}

// secrets is a folder with a file for every secret that a shipped configuration names, and with the profiles.
func secrets(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "profiles"), os.DirFS("../../configs/profiles")); err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("../../configs/profile.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "profile.example.yaml", string(example))
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	cert, key := certificate(t)
	for name, text := range map[string]string{
		"database_url":     "postgres://gateway:canary@db.bank.example/istirdad?sslmode=verify-full",
		"redis_url":        "rediss://:canary@redis.bank.example",
		"pepper":           string(config.EncodeKey([]byte(pepper))),
		"seal_key":         string(config.EncodeKey([]byte(seal))),
		"core_signing_key": string(config.EncodeSigningKey(private)),
		"core-1.pem":       string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		"core_client.crt":  cert, "core_client.key": key, "bank_client.crt": cert, "bank_client.key": key,
	} {
		write(t, dir, name, text+"\n")
	}
	return dir
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// certificate makes one that is its own authority.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "gateway"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}
