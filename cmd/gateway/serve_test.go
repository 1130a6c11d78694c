package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/istirdad/istirdad/gateway/postgres"
	"github.com/istirdad/istirdad/internal/config"
	"github.com/istirdad/istirdad/internal/pgtest"
	"github.com/istirdad/istirdad/internal/redistest"
	"github.com/istirdad/istirdad/internal/sandbox"
	"github.com/istirdad/istirdad/otp/redisstore"
)

// serving is a gateway that serves in this process.
type serving struct {
	channel, ops string // host:port
	said         chan line
	stop         func()
	ended        chan error
}

// line is one line of the log.
type line map[string]any

// begin serves until the test ends.
func begin(t *testing.T, c config.Config, l limits) *serving {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	s := &serving{said: make(chan line, 100), stop: stop, ended: make(chan error, 1)}
	out, log := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), canary) {
				t.Errorf("a secret is logged: %s", lines.Text())
			}
			var said line
			if err := json.Unmarshal(lines.Bytes(), &said); err != nil {
				t.Errorf("%q is no line of JSON", lines.Text())
			}
			s.said <- said
		}
		close(s.said)
	}()
	go func() {
		err := serve(ctx, c, l, slog.New(slog.NewJSONHandler(log, nil)))
		_ = log.Close()
		s.ended <- err
		close(s.ended)
	}()
	t.Cleanup(func() {
		stop()
		for range s.ended { // until it has
		}
		<-done
	})
	said := s.await(t, "serving")
	s.channel, s.ops = fmt.Sprint(said["channel"]), fmt.Sprint(said["ops"])
	return s
}

// await waits for a line of the log.
func (s *serving) await(t *testing.T, message string) line {
	t.Helper()
	for {
		select {
		case said, more := <-s.said:
			if !more {
				t.Fatalf("it ended before it said %q: %v", message, <-s.ended)
			}
			if said["msg"] == message {
				return said
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("it doesn't say %q", message)
		}
	}
}

// get asks once, on a connection of its own.
func get(t *testing.T, address string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	client := &http.Client{Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func onRealServers(t *testing.T) config.Config {
	t.Helper()
	return sandboxed(t, database.Database(t).App, redistest.Start(t).URL())
}

// TestServe: a gateway on real servers answers on both its listeners, says what it is, and leaves nothing behind.
func TestServe(t *testing.T) {
	c := onRealServers(t)
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, leaks) }) // after the gateway's own end
	s := begin(t, c, usualLimits)
	for address, want := range map[string]int{
		"http://" + s.ops + "/healthz":        http.StatusOK,
		"http://" + s.ops + "/readyz":         http.StatusOK,
		"http://" + s.ops + "/metrics":        http.StatusOK,
		"http://" + s.ops + "/v1/profile":     http.StatusNotFound,
		"http://" + s.channel + "/v1/profile": http.StatusUnauthorized,
		"http://" + s.channel + "/readyz":     http.StatusNotFound,
		"http://" + s.channel + "/metrics":    http.StatusNotFound,
	} {
		if status, body := get(t, address); status != want {
			t.Errorf("%s answers %d, want %d: %s", address, status, want, body)
		}
	}
	_, metrics := get(t, "http://"+s.ops+"/metrics")
	for _, pool := range []string{"database", "database_dispatch", "redis"} {
		if !strings.Contains(metrics, `pool="`+pool+`"`) {
			t.Errorf("/metrics has no pool %s", pool)
		}
	}
	s.stop()
	if err := <-s.ended; err != nil {
		t.Errorf("stopped, it says %v", err)
	}
	if _, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.channel); err == nil {
		t.Error("stopped, it still listens")
	}
}

// TestMigrateOnStart: one command is enough where the configuration says so.
func TestMigrateOnStart(t *testing.T) {
	server := pgtest.Start(t)
	db := server.Database(t)
	c := sandboxed(t, db.App, redistest.Start(t).URL())
	c.Database.MigrateURL, c.Database.Role, c.Database.MigrateOnStart = config.Secret(db.Owner), pgtest.App, true
	s := begin(t, c, usualLimits)
	if status, body := get(t, "http://"+s.ops+"/readyz"); status != http.StatusOK {
		t.Errorf("/readyz answers %d: %s", status, body)
	}
}

// TestRefusesToStart: nothing half works. Each refusal says what to look at.
func TestRefusesToStart(t *testing.T) {
	good := onRealServers(t)
	bare := pgtest.Start(t).Database(t) // nobody has migrated it
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, test := range map[string]struct {
		change func(*config.Config)
		want   string
		is     error
	}{
		"no database": {func(c *config.Config) { c.Database.URL = "postgres://gateway:canary@127.0.0.1:1/istirdad" }, "database: ", nil},
		"no schema":   {func(c *config.Config) { c.Database.URL = config.Secret(bare.App) }, "database: ", postgres.ErrSchemaOlder},
		"no Redis":    {func(c *config.Config) { c.Redis.URL = "redis://:canary@127.0.0.1:1" }, "redis: ", nil},
		"forgetful Redis": {func(c *config.Config) {
			c.Redis.URL = config.Secret(redistest.Start(t, "--maxmemory-policy", "allkeys-lru").URL())
		}, "redis: ", redisstore.ErrEvicting},
		"address taken":    {func(c *config.Config) { c.Listen.Channel = taken.Addr().String() }, "listen.channel: ", nil},
		"ops' is taken":    {func(c *config.Config) { c.Listen.Ops = taken.Addr().String() }, "listen.ops: ", nil},
		"certificate gone": {func(c *config.Config) { c.Listen.CertFile, c.Listen.KeyFile = "gone", "gone" }, "listen.cert_file: ", nil},
		"privileged role": {func(c *config.Config) {
			c.Environment = config.Production
			c.Database.URL = config.Secret(database.Database(t).Owner)
		}, "database: ", postgres.ErrPrivileged},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			test.change(&c)
			err := serve(t.Context(), c, usualLimits, slog.New(slog.DiscardHandler))
			if err == nil || !strings.HasPrefix(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("got %v, want %q, %v", err, test.want, test.is)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("the error says a secret: %v", err)
			}
		})
	}
}

// TestProductionRefusesStandIns: whoever of the four it is, and only then. Those that are away don't count, nor does
// what a real one answers to somebody who didn't sign.
func TestProductionRefusesStandIns(t *testing.T) {
	world, err := sandbox.Start(t.Context(), sandbox.Options{Polite: true})
	if err != nil {
		t.Fatal(err)
	}
	defer world.Close()
	core, bank := inFrontOf(t, world.URLs().Core, tls.RequireAnyClientCert), inFrontOf(t, world.URLs().Bank, tls.RequireAnyClientCert)
	phone := inFrontOf(t, world.URLs().Control, tls.NoClientCert)
	real := securely(t, tls.RequestClientCert, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	away := securely(t, tls.NoClientCert, nil)
	away.Close()
	dir := secrets(t)
	var authorities strings.Builder
	for _, n := range []*httptest.Server{core, bank, phone, real} {
		authorities.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: n.Certificate().Raw}))
	}
	authority := write(t, dir, "ca.crt", authorities.String())
	text, err := os.ReadFile(filepath.Join("..", "..", "configs", "gateway.example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	example := write(t, dir, "gateway.yaml", strings.ReplaceAll(string(text), "/run/secrets", dir))

	for name, test := range map[string]struct{ core, bank, issuer, sms, refused string }{
		"core":        {core.URL, real.URL, real.URL, real.URL, "core.url: " + errStandIn.Error()},
		"bank":        {real.URL, bank.URL, real.URL, real.URL, "bank.url: " + errStandIn.Error()},
		"issuer":      {real.URL, real.URL, bank.URL, real.URL, "bank.issuer: " + errStandIn.Error()},
		"SMS":         {real.URL, real.URL, real.URL, phone.URL + "/phone/messages", "sms.url: " + errStandIn.Error()},
		"real":        {real.URL, real.URL, real.URL, real.URL, ""},
		"none at all": {away.URL, away.URL, away.URL, away.URL, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := runWith(t, []string{
				"ISTIRDAD_LISTEN_CHANNEL=127.0.0.1:0", "ISTIRDAD_LISTEN_OPS=127.0.0.1:0", "ISTIRDAD_REDIS_URL=redis://127.0.0.1:1",
				"ISTIRDAD_CORE_URL=" + test.core, "ISTIRDAD_BANK_URL=" + test.bank, "ISTIRDAD_BANK_ISSUER=" + test.issuer,
				"ISTIRDAD_SMS_URL=" + test.sms, "ISTIRDAD_SMS_CA_FILE=" + authority,
				"ISTIRDAD_CORE_CA_FILE=" + authority, "ISTIRDAD_BANK_CA_FILE=" + authority,
			}, "serve", "-config", example)
			want := "gateway serve: " + test.refused + "\n"
			if test.refused == "" {
				want = "gateway serve: redis: " // it went on, to a Redis that isn't there
			}
			if got.exit != exitFault || !strings.HasPrefix(got.stderr, want) || strings.Contains(got.stdout, "serving") {
				t.Errorf("%+v", got)
			}
		})
	}
}

// inFrontOf speaks TLS for a stand-in, which doesn't.
func inFrontOf(t *testing.T, address string, certificate tls.ClientAuthType) *httptest.Server {
	t.Helper()
	to, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return securely(t, certificate, httputil.NewSingleHostReverseProxy(to).ServeHTTP)
}

// securely speaks TLS, and wants our certificate or not.
func securely(t *testing.T, certificate tls.ClientAuthType, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(answer)
	s.TLS = &tls.Config{ClientAuth: certificate}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// TestChannelTLS: with a certificate of its own the channel speaks TLS, and not less than 1.2; the private listener
// doesn't.
func TestChannelTLS(t *testing.T) {
	cert, key := certificate(t)
	dir := t.TempDir()
	c := onRealServers(t)
	c.Listen.CertFile, c.Listen.KeyFile = write(t, dir, "channel.crt", cert), write(t, dir, "channel.key", key)
	s := begin(t, c, usualLimits)
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM([]byte(cert))
	for most, spoken := range map[uint16]bool{tls.VersionTLS13: true, tls.VersionTLS12: true, tls.VersionTLS11: false} {
		dialer := tls.Dialer{Config: &tls.Config{RootCAs: authorities, ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: most}}
		conn, err := dialer.DialContext(t.Context(), "tcp", s.channel)
		if spoken != (err == nil) {
			t.Errorf("%s: %v", tls.VersionName(most), err)
		}
		if err != nil {
			continue
		}
		fmt.Fprint(conn, "GET /v1/profile HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if answer, _ := bufio.NewReader(conn).ReadString('\n'); !strings.HasPrefix(answer, "HTTP/1.1 401 ") {
			t.Errorf("%s: %q", tls.VersionName(most), answer)
		}
		conn.Close()
	}
	if status, _ := get(t, "http://"+s.ops+"/healthz"); status != http.StatusOK {
		t.Errorf("/healthz answers %d", status)
	}
}
