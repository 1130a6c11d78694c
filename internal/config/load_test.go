package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/istirdad/istirdad/internal/config"
)

// TestLoad: defaults, then the file, then the environment; the files of secrets last.
func TestLoad(t *testing.T) {
	f := newFolder(t)
	text := production + `
listen:
shutdown: 15s
log: {level: WARN}
`
	c := f.mustLoad(text,
		"PATH=/bin", "ISTIRDAD_LISTEN_CHANNEL=0.0.0.0:8443", "ISTIRDAD_DATABASE_POOL=4",
		"ISTIRDAD_TELEMETRY_TRACE_RATIO=0.5",
		"ISTIRDAD_CORE_CORE_KEY_FILES=core-1:core-1.pem,core-2:core-1.pem", "ISTIRDAD_BANK_TIMEOUT=1s",
	)
	want := config.Default()
	want.Environment = config.Production
	want.Listen.Channel = "0.0.0.0:8443"
	want.Database.URL = "postgres://gateway:" + databasePassword + "@db.bank.example:5432/istirdad?sslmode=verify-full"
	want.Database.URLFile = f.path("database_url")
	want.Database.Pool = 4
	want.Redis.URL = "rediss://gateway:" + redisPassword + "@redis.bank.example/0"
	want.Redis.URLFile = f.path("redis_url")
	want.Keys = config.Keys{
		Pepper: config.EncodeKey([]byte(pepperBytes)), PepperFile: f.path("pepper"),
		SealID: "k2026", Seal: config.EncodeKey([]byte(sealBytes)), SealFile: f.path("seal_key"),
	}
	want.Core.URL, want.Core.KeyID = "https://core.example", "bank-80"
	want.Core.Key, want.Core.KeyFile = c.Core.Key, f.path("core_signing_key") // the key: TestProgram
	want.Core.CoreKeyFiles = map[string]string{"core-1": f.path("core-1.pem"), "core-2": f.path("core-1.pem")}
	want.Core.ClientCertFile, want.Core.ClientKeyFile = f.path("core_client.crt"), f.path("core_client.key")
	want.Bank.URL, want.Bank.Issuer, want.Bank.Code = "https://systems.bank.example", "https://sso.bank.example", "80"
	want.Bank.ClientCertFile, want.Bank.ClientKeyFile = f.path("bank_client.crt"), f.path("bank_client.key")
	want.Bank.Timeout = time.Second
	want.Bank.ProfileFile = f.path("profile.yaml")
	want.SMS.URL = "https://sms.example/v1/messages"
	want.SMS.Authorization, want.SMS.AuthorizationFile = "Bearer "+smsToken, f.path("sms_authorization")
	want.Telemetry.TraceRatio = 0.5
	want.Log.Level = 4
	want.Shutdown = 15 * time.Second
	if diff := cmp.Diff(want, c, cmpopts.IgnoreUnexported(config.Config{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestLists: what a variable can say of a list and of pairs.
func TestLists(t *testing.T) {
	f := newFolder(t)
	c := f.mustLoad(changed("  url_file: redis_url\n", "  tls: true\n  password: canary\n"),
		"ISTIRDAD_REDIS_ADDRESSES=a:6379,b:6379",
		"ISTIRDAD_KEYS_SEAL_RETIRED_FILES=k2025:seal_key_2025")
	if len(c.Redis.Addresses) != 2 || c.Keys.SealRetiredFiles["k2025"] != f.path("seal_key_2025") {
		t.Errorf("%v, %v", c.Redis.Addresses, c.Keys.SealRetiredFiles)
	}
}

// TestVariableBeatsFile: whichever of the two ways to give a secret the environment takes.
func TestVariableBeatsFile(t *testing.T) {
	f := newFolder(t)
	other := "rediss://:canary@other.example"
	if c := f.mustLoad(production, "ISTIRDAD_REDIS_URL="+other); string(c.Redis.URL) != other {
		t.Errorf("the variable url leaves %s", c.Redis.URL)
	}
	f.write("other", other)
	inline := changed("url_file: redis_url", "url: rediss://:canary@redis.bank.example")
	if c := f.mustLoad(inline, "ISTIRDAD_REDIS_URL_FILE=other"); string(c.Redis.URL) != other {
		t.Errorf("the variable url_file leaves %s", c.Redis.URL)
	}
	if _, err := f.load(production, "ISTIRDAD_REDIS_URL="+other, "ISTIRDAD_REDIS_URL_FILE=other"); err == nil {
		t.Error("two variables for one secret are taken")
	}
}

// TestSecretFiles: one newline at the end isn't part of a secret, and whoever can write one is its owner.
func TestSecretFiles(t *testing.T) {
	f := newFolder(t)
	for name, test := range map[string]struct {
		text string
		mode os.FileMode
		want string // "": taken
	}{
		"no newline":           {"Bearer x", 0o600, ""},
		"a newline":            {"Bearer x\n", 0o600, ""},
		"a newline of Windows": {"Bearer x\r\n", 0o600, ""},
		"read only":            {"Bearer x", 0o400, ""},
		"read by its group":    {"Bearer x", 0o440, ""},
		"two newlines":         {"Bearer x\n\n", 0o600, "sms.authorization: must be one line"},
		"empty":                {"\n", 0o600, "sms.authorization_file: the file is empty"},
		"too large":            {strings.Repeat("x", 300<<10), 0o600, "sms.authorization_file: the file has more than 256 KiB"},
		"written by its group": {"Bearer x", 0o660, "can be written by others than its owner (mode 0660"},
		"written by anybody":   {"Bearer x", 0o606, "can be written by others than its owner (mode 0606"},
		"read by anybody":      {"Bearer x", 0o644, "can be read by everybody (mode 0644; in production"},
	} {
		t.Run(name, func(t *testing.T) {
			path := f.write("sms_authorization", test.text)
			if err := os.Chmod(path, test.mode); err != nil {
				t.Fatal(err)
			}
			c, err := f.load(production)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want == "" && c.SMS.Authorization != "Bearer x":
				t.Errorf("the secret is %q", string(c.SMS.Authorization))
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	t.Run("read by anybody in a sandbox", func(t *testing.T) {
		path := f.write("sms_authorization", "Bearer x")
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		f.mustLoad(changed("environment: production", "environment: sandbox"))
	})
}

// TestConfigWithSecretIsASecret: a configuration that holds one itself is held to the same.
func TestConfigWithSecretIsASecret(t *testing.T) {
	f := newFolder(t)
	for text, refused := range map[string]bool{
		production: false,
		changed("authorization_file: sms_authorization", "authorization: Bearer canary"): true,
	} {
		path := f.write("gateway.yaml", text)
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := config.Load(path, nil)
		if refused != (err != nil) {
			t.Errorf("a secret inside: %t, got %v", refused, err)
		}
		if err != nil {
			secretFree(t, err.Error())
		}
	}
}

// TestOwnersSecretIsMigrates: serve and migrate each read what they need, and not what is the other's.
func TestOwnersSecretIsMigrates(t *testing.T) {
	f := newFolder(t)
	both := changed("  url_file: database_url\n", "  url_file: database_url\n  migrate_url_file: database_migrate_url\n")
	path := f.write("gateway.yaml", both)

	if err := os.Remove(f.path("database_migrate_url")); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path, nil)
	if err != nil || c.Database.MigrateURL != "" {
		t.Errorf("serve wants the owner's secret: %v", err)
	}
	if _, err := config.Load(path, []string{"ISTIRDAD_DATABASE_MIGRATE_ON_START=true", "ISTIRDAD_ENVIRONMENT=staging"}); err == nil {
		t.Error("serve is to migrate, and doesn't miss the owner's secret")
	}
	_, err = config.LoadDatabase(path, nil)
	if want := "database.migrate_url_file: the file can't be read"; err == nil || !strings.Contains(err.Error(), want) ||
		strings.Contains(err.Error(), "\n") {
		t.Errorf("migrate says %v, want only %q", err, want)
	}

	owner := "postgres://owner@db.bank.example/istirdad?sslmode=verify-full"
	f.write("database_migrate_url", owner)
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "gateway.yaml" && e.Name() != "database_migrate_url" {
			if err := os.Remove(filepath.Join(f.dir, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	d, err := config.LoadDatabase(path, nil)
	if err != nil || string(d.MigrateURL) != owner {
		t.Errorf("migrate wants more than the owner's secret: %v", err)
	}
}

// TestMigrateWithoutOwner: where one role does everything, url is the owner's.
func TestMigrateWithoutOwner(t *testing.T) {
	f := newFolder(t)
	d, err := config.LoadDatabase(f.write("gateway.yaml", production), nil)
	if err != nil || d.URL == "" {
		t.Errorf("%v, %v", d, err)
	}
}
