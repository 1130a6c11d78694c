package config_test

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/istirdad/istirdad/internal/config"
)

// TestWrite: what is written is read again, whatever was said, and no secret stands in the file itself.
func TestWrite(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	c := config.Default()
	c.Environment = config.Sandbox
	c.Listen.Channel, c.Listen.Ops = "127.0.0.1:0", "127.0.0.1:0"
	c.Database.URL = "postgres://gateway:" + databasePassword + "@127.0.0.1:5432/istirdad?search_path=s1"
	c.Database.MigrateURL = "postgres://owner:" + databasePassword + "@127.0.0.1:5432/istirdad"
	c.Database.MigrateOnStart = true
	c.Redis.URL = "redis://:" + redisPassword + "@127.0.0.1:6379"
	c.Keys.Pepper, c.Keys.Seal = config.EncodeKey([]byte(pepperBytes)), config.EncodeKey([]byte(sealBytes))
	c.Keys.SealID = "sandbox"
	c.Core.URL, c.Core.KeyID, c.Core.Key = "http://127.0.0.1:8081", "bank-80", config.EncodeSigningKey(key)
	c.Core.CoreKeys = map[string]string{"core-1": config.EncodePublicKey(key.Public().(ed25519.PublicKey)), "007": config.EncodePublicKey(key.Public().(ed25519.PublicKey))}
	c.Bank.URL, c.Bank.Issuer, c.Bank.Code = "http://127.0.0.1:8082", "http://127.0.0.1:8082", "08"
	c.Bank.ProfileFile = "profile.yaml"
	c.SMS.URL = "http://127.0.0.1:8083/phone/messages"
	c.SMS.Authorization = " canary: \"quoted\" \\ # and so on "
	c.Telemetry.TraceRatio, c.Telemetry.Instance = 1, "12"
	c.Log.Level = -4
	c.Shutdown, c.ShutdownLead = time.Minute+500*time.Millisecond, 0
	before := c.String()

	dir := t.TempDir()
	path := filepath.Join(dir, "gateway.yaml")
	if err := os.WriteFile(path, []byte("something else, for all to read"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := c.Write(path); err != nil {
		t.Fatal(err)
	}
	if c.String() != before {
		t.Error("writing changes what is written")
	}
	if err := os.WriteFile(filepath.Join(dir, "profile.yaml"), []byte("sms: {sender: Istirdad}"), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	secretFree(t, string(text))

	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		if info, err := e.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s has the mode %v", e.Name(), info.Mode())
		}
	}
	want := []string{
		"gateway.core.key", "gateway.database.migrate_url", "gateway.database.url", "gateway.keys.pepper", "gateway.keys.seal",
		"gateway.redis.url", "gateway.sms.authorization", "gateway.yaml", "profile.yaml",
	}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("there are %q, want %q", names, want)
	}

	moved := filepath.Join(t.TempDir(), "elsewhere") // the files go by names beside the file
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	got, err := config.Load(filepath.Join(moved, "gateway.yaml"), nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, file := range []*string{
		&got.Core.KeyFile, &got.Database.MigrateURLFile, &got.Database.URLFile, &got.Keys.PepperFile, &got.Keys.SealFile,
		&got.Redis.URLFile, &got.SMS.AuthorizationFile,
	} {
		if !strings.HasPrefix(*file, moved) {
			t.Errorf("a secret's file is %s", *file)
		}
		*file = ""
	}
	for _, empty := range []*map[string]string{&got.Keys.SealRetiredFiles, &got.Core.CoreKeyFiles} {
		if len(*empty) == 0 {
			*empty = nil // nothing said and {} are one
		}
	}
	if len(got.Redis.Addresses) == 0 {
		got.Redis.Addresses = nil
	}
	c.Bank.ProfileFile = filepath.Join(moved, "profile.yaml")
	if diff := cmp.Diff(c, got, cmpopts.IgnoreUnexported(config.Config{})); diff != "" {
		t.Errorf("(-want +got)\n%s\nfile\n%s", diff, text)
	}
}

func TestWriteNowhere(t *testing.T) {
	if err := config.Default().Write(filepath.Join(t.TempDir(), "missing", "gateway.yaml")); err == nil {
		t.Error("it is written where there is no folder")
	}
}
