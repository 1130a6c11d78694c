package config_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/internal/config"
	"github.com/istirdad/istirdad/otp/redisstore"
)

// FuzzLoad: whatever the file and a variable say, a configuration is either refused without a word of the secrets in it,
// or every part of a gateway takes it, and it is read again as it was written.
func FuzzLoad(f *testing.F) {
	// Short ones: go test -fuzz spends a minute on making a long one shorter.
	for text, variable := range map[string]string{
		"redis:\n  url: rediss://canary@h:1/2\n":                                  "ISTIRDAD_LOG_LEVEL=WARN",
		"redis: {addresses: [a:1], tls: true, password: x}\nlog: {level: WARN}\n": "ISTIRDAD_KEYS_PEPPER=Canary!",
		"redis: {url: Canary!, url_file: Canary!}\nkeys: &a {}\ncore: *a\n":       "ISTIRDAD_CORE_CORE_KEYS=Canary!:x",
		"Canary!: |\n  Canary!\n--- Canary!\n? [Canary!]\n":                       "ISTIRDAD_Canary!=Canary!",
		"<<: {Canary!: 1}\nlisten: !!Canary! {}\nredis: {addresses: [Canary!]}":   "ISTIRDAD_=Canary!",
		"redis_url: \"Canary!\\q\"\n":                                             "",
	} {
		f.Add(text, variable)
	}
	base := changed("redis:\n  url_file: redis_url\n", "")
	fixed := newFolder(f)
	f.Fuzz(func(t *testing.T, text, variable string) {
		here := folder{t, fixed.dir}
		c, err := here.load(base+text, variable)
		if err != nil {
			if strings.Contains(err.Error(), "Canary!") {
				t.Errorf("the error repeats what was said: %v", err)
			}
			return
		}
		p, err := c.Program(slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatalf("Load takes what Program doesn't: %v", err)
		}
		if err := constructed(p); err != nil {
			t.Errorf("Load takes what a part refuses: %v", err)
		}
		if _, err := c.Sealer(); err != nil {
			t.Errorf("Load takes what the sealer refuses: %v", err)
		}
		options, err := c.RedisOptions()
		if err != nil {
			t.Fatalf("Load takes what isn't Redis: %v", err)
		}
		client, err := redisstore.NewClient(options)
		if err != nil {
			t.Fatalf("Load takes what isn't Redis: %v", err)
		}
		_ = client.Close()

		path := here.path("again.yaml")
		if err := c.Write(path); err != nil {
			t.Fatal(err)
		}
		again, err := config.Load(path, nil)
		if err != nil {
			t.Fatalf("what was written isn't read: %v", err)
		}
		if again.Database.URL != c.Database.URL || again.Bank != c.Bank || again.SMS.URL != c.SMS.URL {
			t.Errorf("read again it is\n%s\nwant\n%s", again, c)
		}
	})
}
