package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/istirdad/istirdad/internal/config"
)

// TestSecretShows: of an address where it is, of everything else nothing.
func TestSecretShows(t *testing.T) {
	for secret, want := range map[config.Secret]string{
		"": "",
		"postgres://gateway:canary@db.example:5432/istirdad?sslmode=verify-full&password=canary": "postgres://db.example:5432/istirdad",
		"postgres://canary@a:1,b:2/istirdad":                                                     "postgres://a:1,b:2/istirdad",
		"rediss://:canary@redis.example/0":                                                       "rediss://redis.example/0",
		"postgres://gateway:12#canary@db.example/istirdad":                                       "(hidden)",
		"postgres://gateway:12/canary@db.example/istirdad":                                       "(hidden)",
		"postgres://gateway:canary%@db.example/istirdad":                                         "(hidden)",
		"host=db password=canary":                                                                "(hidden)",
		"Bearer canary":                                                                          "(hidden)",
		"https://canary.example":                                                                 "(hidden)",
		"unix://canary@/run/redis":                                                               "(hidden)",
		"canary":                                                                                 "(hidden)",
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if got := fmt.Sprintf(verb, secret); got != want {
				t.Errorf("%s of %q is %q, want %q", verb, string(secret), got, want)
			}
		}
		if got := secret.LogValue().String(); got != want {
			t.Errorf("%q is logged as %q", string(secret), got)
		}
	}
}

// TestConfigHidesSecrets, in whatever way it is written out.
func TestConfigHidesSecrets(t *testing.T) {
	f := newFolder(t)
	c := f.mustLoad(changed("  url_file: redis_url\n",
		"  addresses: [\"r.example:6379\"]\n  tls: true\n  password: "+redisPassword+"\n  sentinel_password: "+redisPassword+"\n"))
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("serves", "config", c, "keys", c.Keys, "all", []any{c})
	slog.New(slog.NewTextHandler(&log, nil)).Info("serves", "config", c, "keys", c.Keys)
	for name, text := range map[string]string{
		"String": c.String(), "%v": fmt.Sprintf("%v", c), "%+v": fmt.Sprintf("%+v", c), "%#v": fmt.Sprintf("%#v", c),
		"a part": fmt.Sprintf("%+v %#v %x", c.Database, c.Keys, c.Core), "JSON": string(asJSON), "YAML": string(asYAML), "log": log.String(),
	} {
		t.Run(name, func(t *testing.T) { secretFree(t, text) })
	}
	for _, want := range []string{
		"environment: production\n", "  channel: 127.0.0.1:8080\n", "  url: postgres://db.bank.example:5432/istirdad\n",
		"  password: (hidden)\n", "  pepper: (hidden)\n", "  submit_timeout: 10s\n", "  profile_file: " + f.path("profile.yaml") + "\n",
	} {
		if !strings.Contains(c.String(), want) {
			t.Errorf("%q isn't in\n%s", want, c)
		}
	}
	if want := `"environment":"production"`; !strings.Contains(log.String(), want) {
		t.Errorf("%s isn't in %s", want, log.String())
	}
}
