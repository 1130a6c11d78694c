package configs_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/internal/sandboxcore"
)

// generateSecrets runs the generator in a fresh folder.
func generateSecrets(t *testing.T, env ...string) string {
	t.Helper()
	dir := t.TempDir()
	generateIn(t, dir, env...)
	return dir
}

func generateIn(t *testing.T, dir string, env ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "sh", "secrets/generate.sh", dir)
	command.Env = append(os.Environ(), env...)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func secret(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(text), "\n")
}

func TestSecrets(t *testing.T) {
	dir := generateSecrets(t, "DATABASE=db.example:5432", "REDIS=redis.example:6379")

	for _, key := range []string{"gateway/pepper", "gateway/seal_key"} {
		if raw, err := base64.StdEncoding.DecodeString(secret(t, dir, key)); err != nil || len(raw) != 32 {
			t.Errorf("%s holds %d bytes, %v", key, len(raw), err)
		}
	}
	if secret(t, dir, "gateway/pepper") == secret(t, dir, "gateway/seal_key") {
		t.Error("one key serves twice")
	}
	for file, want := range map[string][2]string{
		"gateway/database_url":         {"istirdad_app", "postgres/database_app_password"},
		"migrate/database_migrate_url": {"istirdad_owner", "postgres/database_owner_password"},
		"standins/database_url":        {"istirdad_owner", "postgres/database_owner_password"},
		"gateway/redis_url":            {"istirdad", "redis/password"},
		"standins/redis_url":           {"istirdad", "redis/password"},
	} {
		u, err := url.Parse(secret(t, dir, file))
		if err != nil {
			t.Fatalf("%s holds no URL", file)
		}
		password, _ := u.User.Password()
		if u.User.Username() != want[0] || password != secret(t, dir, want[1]) || !strings.HasSuffix(u.Hostname(), ".example") {
			t.Errorf("%s is for the user %s at %s", file, u.User.Username(), u.Host)
		}
	}
	digest := sha256.Sum256([]byte(secret(t, dir, "redis/password")))
	acl := secret(t, dir, "redis/users.acl")
	if !strings.Contains(acl, "#"+hex.EncodeToString(digest[:])+" ") || strings.Contains(acl, secret(t, dir, "redis/password")) {
		t.Error("the list of Redis's users doesn't know the password by its digest")
	}
}

// TestSecretsSigningKey: the key of the trial is the one that the stand-in core trusts.
func TestSecretsSigningKey(t *testing.T) {
	block, _ := pem.Decode([]byte(secret(t, generateSecrets(t), "gateway/core_signing_key")))
	if block == nil {
		t.Fatal("no PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if signer, ok := key.(ed25519.PrivateKey); !ok || !signer.Equal(sandboxcore.TestKey()) {
		t.Error("the core won't know this key")
	}
}

func TestSecretsAreKeptAndClosed(t *testing.T) {
	dir := generateSecrets(t)
	before := map[string]string{}
	walk := func(visit func(path string)) {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || path == dir {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			if open := info.Mode().Perm() & 0o077; open != 0 {
				t.Errorf("%s is open to others: %v", entry.Name(), info.Mode())
			}
			if !entry.IsDir() {
				visit(path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	walk(func(path string) { before[path] = secret(t, "/", path) })
	generateIn(t, dir)
	seen := 0
	walk(func(path string) {
		seen++
		if secret(t, "/", path) != before[path] {
			t.Errorf("%s changed: the data under it can't be read any more", filepath.Base(path))
		}
	})
	if seen != len(before) || seen < 10 {
		t.Errorf("%d files, %d before", seen, len(before))
	}
	other := generateSecrets(t)
	if secret(t, dir, "gateway/seal_key") == secret(t, other, "gateway/seal_key") {
		t.Error("two installations have the same key")
	}
}
