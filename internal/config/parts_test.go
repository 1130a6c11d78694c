package config_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/corebanking"
	"github.com/istirdad/istirdad/bank/identity"
	"github.com/istirdad/istirdad/gateway/refundcore"
	"github.com/istirdad/istirdad/internal/program"
	"github.com/istirdad/istirdad/internal/seal"
	"github.com/istirdad/istirdad/otp/redisstore"
	"github.com/istirdad/istirdad/otp/sms/httpsms"
)

// constructed makes every part that a program is made of: what Load takes, all of them take.
func constructed(p program.Config) error {
	core, err := refundcore.New(p.Core)
	if err != nil {
		return err
	}
	defer core.Close()
	who, err := identity.New(p.Identity)
	if err != nil {
		return err
	}
	defer who.Close()
	own, err := corebanking.New(p.CoreBanking)
	if err != nil {
		return err
	}
	defer own.Close()
	route, err := httpsms.New(p.SMS)
	if err != nil {
		return err
	}
	defer route.Close()
	return p.Profile.Terms().Validate()
}

func TestProgram(t *testing.T) {
	f := newFolder(t)
	c := f.mustLoad(changed("bank:", "  callback_authority: gateway.bank.example\n  ca_file: ca.crt\nbank:"))
	log := slog.New(slog.DiscardHandler)
	p, err := c.Program(log)
	if err != nil {
		t.Fatal(err)
	}
	if err := constructed(p); err != nil {
		t.Error(err)
	}
	if terms := p.Profile.Terms(); terms.BankCode != "80" || terms.Brand.Sender != "Istirdad" || terms.OnlineLimit != 10_000_00 {
		t.Errorf("terms %+v", terms)
	}
	if p.Streams != 1024 {
		t.Errorf("%d may follow a refund", p.Streams)
	}
	if string(p.Pepper) != pepperBytes {
		t.Error("the pepper isn't what the file holds")
	}
	pemKey, err := os.ReadFile(f.path("core_signing_key"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(pemKey)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key := parsed.(ed25519.PrivateKey)
	if !p.Core.Key.Equal(key) || !p.Core.CoreKeys["core-1"].Equal(key.Public()) || len(p.Core.CoreKeys) != 1 {
		t.Error("the keys for the core aren't what the files hold")
	}
	if len(p.Core.TLS.Certificates) != 1 || p.Core.TLS.RootCAs == nil || len(p.CoreBanking.TLS.Certificates) != 1 ||
		p.CoreBanking.TLS.RootCAs != nil || p.SMS.TLS != nil {
		t.Error("certificates are shown, or trusted, where nobody said so, or the reverse")
	}
	if p.SMS.Authorization != "Bearer "+smsToken || p.Core.CallbackAuthority != "gateway.bank.example" {
		t.Error("the header of the SMS provider or the authority of callbacks isn't what the file says")
	}
	if p.Log != log || p.Core.Log != log || p.Policy.CloseAt == 0 {
		t.Error("log or policy is missing")
	}
}

// TestRefuseSandbox: in production no client believes a stand-in; elsewhere all of them do.
func TestRefuseSandbox(t *testing.T) {
	f := newFolder(t)
	for _, environment := range []string{"production", "staging", "sandbox"} {
		c := f.mustLoad(changed("production", environment))
		p, err := c.Program(nil)
		if err != nil {
			t.Fatal(err)
		}
		want := environment == "production"
		if p.Core.RefuseSandbox != want || p.CoreBanking.RefuseSandbox != want || p.Identity.RefuseSandbox != want || p.SMS.RefuseSandbox != want {
			t.Errorf("%s: core %t, bank %t, issuer %t, SMS %t", environment,
				p.Core.RefuseSandbox, p.CoreBanking.RefuseSandbox, p.Identity.RefuseSandbox, p.SMS.RefuseSandbox)
		}
	}
}

// TestSealer: what was sealed under a retired key opens; without it, nothing does.
func TestSealer(t *testing.T) {
	f := newFolder(t)
	old, err := seal.New("k2025", []byte("an older key of thirty-two bytes!"))
	if err != nil {
		t.Fatal(err)
	}
	sealed := old.Seal([]byte("SA"), nil)
	for text, opens := range map[string]bool{
		production: false,
		changed("  seal_id", "  seal_retired_files: {k2025: seal_key_2025}\n  seal_id"): true,
	} {
		s, err := f.mustLoad(text).Sealer()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(sealed, nil); (err == nil) != opens {
			t.Errorf("opens: %t, got %v", opens, err)
		}
		if _, err := s.Open(s.Seal([]byte("x"), nil), nil); err != nil {
			t.Error(err)
		}
	}
}

func TestRedisOptions(t *testing.T) {
	f := newFolder(t)
	usual := redisstore.Options{PoolSize: 32, CommandTimeout: 200 * time.Millisecond}
	for name, test := range map[string]struct {
		section string
		want    func(*redisstore.Options)
		tls     bool
		roots   bool
	}{
		"one server": {"url: redis://a.example", func(o *redisstore.Options) { o.URL = "redis://a.example" }, false, false},
		"a socket":   {"url: unix:///run/redis.sock", func(o *redisstore.Options) { o.URL = "unix:///run/redis.sock" }, false, false},
		"all of a URL": {"url: rediss://me:p%40ss@a.example:7/3", func(o *redisstore.Options) {
			o.URL = "rediss://me:p%40ss@a.example:7/3"
		}, false, false}, // its scheme says TLS
		"own authority": {"url: rediss://[::1]\n  ca_file: ca.crt", func(o *redisstore.Options) { o.URL = "rediss://[::1]" }, true, true},
		"a cluster": {"addresses: [\"a:1\", \"b:2\"]\n  cluster: true\n  username: me\n  password: p\n  tls: true\n  ca_file: ca.crt\n  pool: 5\n  command_timeout: 1s", func(o *redisstore.Options) {
			o.Addrs, o.Cluster, o.Username, o.Password, o.PoolSize, o.CommandTimeout = []string{"a:1", "b:2"}, true, "me", "p", 5, time.Second
		}, true, true},
		"Sentinels": {"addresses: [\"a:1\"]\n  master_name: m\n  sentinel_username: s\n  sentinel_password: sp", func(o *redisstore.Options) {
			o.Addrs, o.MasterName, o.SentinelUsername, o.SentinelPassword = []string{"a:1"}, "m", "s", "sp"
		}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := f.mustLoad(changed("production", "staging", "url_file: redis_url", test.section)).RedisOptions()
			if err != nil {
				t.Fatal(err)
			}
			if (o.TLS != nil) != test.tls || test.tls && (o.TLS.RootCAs != nil) != test.roots {
				t.Errorf("TLS is %v", o.TLS)
			}
			client, err := redisstore.NewClient(o)
			if err != nil {
				t.Fatal(err)
			}
			_ = client.Close()
			o.TLS = nil
			want := usual
			test.want(&want)
			if !reflect.DeepEqual(o, want) {
				t.Errorf("got  %+v\nwant %+v", o, want)
			}
		})
	}
}

func TestChannelTLS(t *testing.T) {
	f := newFolder(t)
	if c, err := f.mustLoad(production).ChannelTLS(); c != nil || err != nil {
		t.Errorf("without a certificate: %v, %v", c, err)
	}
	c := f.mustLoad(production + "listen: {cert_file: channel.crt, key_file: channel.key}\n")
	secure, err := c.ChannelTLS()
	if err != nil || len(secure.Certificates) != 1 {
		t.Fatalf("%v, %v", secure, err)
	}
	c.Listen.KeyFile = f.path("gone")
	if _, err := c.ChannelTLS(); err == nil || !strings.Contains(err.Error(), "listen.key_file") {
		t.Errorf("a certificate whose key is gone: %v", err)
	}
}

// TestFilesAreReadOnce: what Load has found good is what the gateway works with, whatever becomes of the files.
func TestFilesAreReadOnce(t *testing.T) {
	f := newFolder(t)
	c := f.mustLoad(changed("  seal_id", "  seal_retired_files: {k2025: seal_key_2025}\n  seal_id", "  authorization_file:", "  ca_file: ca.crt\n  authorization_file:",
		"  url_file: redis_url", "  url_file: redis_url\n  ca_file: ca.crt") + "listen: {cert_file: channel.crt, key_file: channel.key}\n")
	if err := os.RemoveAll(f.dir); err != nil {
		t.Fatal(err)
	}
	p, err := c.Program(nil)
	if err != nil || len(p.Core.CoreKeys) != 1 || len(p.Core.TLS.Certificates) != 1 || p.SMS.TLS.RootCAs == nil {
		t.Errorf("Program reads a file again: %v", err)
	}
	if _, err := c.Sealer(); err != nil {
		t.Errorf("Sealer reads a file again: %v", err)
	}
	if o, err := c.RedisOptions(); err != nil || o.TLS.RootCAs == nil {
		t.Errorf("RedisOptions reads a file again: %v", err)
	}
	if secure, err := c.ChannelTLS(); err != nil || len(secure.Certificates) != 1 {
		t.Errorf("ChannelTLS reads a file again: %v", err)
	}
	secretFree(t, fmt.Sprintf("%v %+v %#v", c, c, c))
}

func TestPostgresOptions(t *testing.T) {
	f := newFolder(t)
	for environment, restricted := range map[string]bool{"production": true, "staging": false} {
		c := f.mustLoad(changed("production", environment, "redis:", "  pool: 3\n  dispatch_pool: 2\nredis:"))
		o := c.PostgresOptions(nil)
		if o.Pool != 3 || o.ClaimPool != 2 || o.RequireRestricted != restricted {
			t.Errorf("%s: %+v", environment, o)
		}
	}
}

func TestTelemetryConfig(t *testing.T) {
	f := newFolder(t)
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for text, instance := range map[string]string{
		production: host,
		production + "telemetry: {instance: gateway1, traces_url: \"https://traces:4318\", trace_ratio: 0.25}\n": "gateway1",
	} {
		got := f.mustLoad(text).TelemetryConfig("v1")
		if got.Instance != instance || got.Version != "v1" || instance != host && (got.TracesURL != "https://traces:4318" || got.TraceRatio != 0.25) {
			t.Errorf("%+v", got)
		}
	}
}
