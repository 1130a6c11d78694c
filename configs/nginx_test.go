package configs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api/apitest"
)

// proxy is a real nginx with the shipped configuration, reached by a socket of its own.
type proxy struct {
	t      *testing.T
	client *http.Client
	log    string // the file of its access log
	stop   func() // lets requests end; all is in the log then
}

// startProxy puts nginx before two gateways. Its upstream is that of docker-compose.yml, the two addresses aside.
func startProxy(t *testing.T, gateway1, gateway2 string) proxy {
	t.Helper()
	dir := nginxFolder(t, gateway1, gateway2)
	p := proxy{t: t, log: filepath.Join(dir, "log")}
	log, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	nginx := exec.Command(nginxBinary(t), "-e", "stderr", "-p", dir+"/", "-c", filepath.Join(dir, "nginx.conf"), "-g", "daemon off;")
	nginx.Stdout, nginx.Stderr = log, log
	if err := nginx.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = nginx.Wait() // says how it was stopped
	}()
	p.stop = func() {
		_ = nginx.Process.Signal(syscall.SIGTERM)
		<-done
	}
	t.Cleanup(p.stop)
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "socket"))
		},
		DisableCompression: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	p.client = &http.Client{Transport: transport, Timeout: 10 * time.Second}
	for deadline := time.Now().Add(10 * time.Second); ; {
		c, err := net.Dial("unix", filepath.Join(dir, "socket"))
		if err == nil {
			_ = c.Close()
			return p
		}
		select {
		case <-done:
			text, _ := os.ReadFile(p.log)
			t.Fatalf("nginx ended\n%s", text)
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("nginx doesn't listen")
		}
	}
}

// nginxFolder lays the files out as docker-compose.yml mounts them.
func nginxFolder(t *testing.T, gateway1, gateway2 string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "here"), 0o755); err != nil {
		t.Fatal(err)
	}
	upstream := strings.NewReplacer("gateway-1:8080", gateway1, "gateway-2:8080", gateway2).
		Replace(strings.Join(textOf(t, "nginx/compose/upstream.conf"), ""))
	if !strings.Contains(upstream, gateway1) || !strings.Contains(upstream, gateway2) {
		t.Fatal("docker-compose.yml's two gateways aren't in nginx/compose/upstream.conf")
	}
	for name, text := range map[string]string{
		"nginx.conf": textOf(t, "nginx/nginx.conf")[0], "here/upstream.conf": upstream,
		"here/listen.conf": "listen unix:" + filepath.Join(dir, "socket") + ";",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func nginxBinary(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("nginx is needed, which .ci/setup brings")
	return ""
}

// do makes a request; header holds names and values in turn.
func (p proxy) do(method, path string, body io.Reader, header ...string) (*http.Response, []byte) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, "http://bank.example:8080"+path, body)
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := p.client.Do(r)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer, text
}

// fakeGateway answers on two addresses with one handler.
func fakeGateway(t *testing.T, handle http.HandlerFunc) (one, two string) {
	t.Helper()
	address := func() string {
		s := httptest.NewServer(handle)
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	return address(), address()
}

// breakOff is a gateway that dies while it works on a request.
func breakOff(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// TestNginxNeverRepeatsAPost: the gateway got it and went silent; whether anything came of it only the caller can ask.
func TestNginxNeverRepeatsAPost(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	one, two := fakeGateway(t, func(w http.ResponseWriter, r *http.Request) { calls.Add(1); breakOff(w, r) })
	p := startProxy(t, one, two)
	answer, body := p.do(http.MethodPost, "/v1/refunds/0198/confirm", strings.NewReader("{}"), "Content-Type", "application/json")
	if n := calls.Load(); n != 1 {
		t.Errorf("%d gateways got the confirm", n)
	}
	wantProblem(t, answer, body, http.StatusServiceUnavailable, "try_again", "/v1/refunds/0198/confirm")
	if answer.Header.Get("Retry-After") != "2" {
		t.Errorf("Retry-After is %q", answer.Header.Get("Retry-After"))
	}
}

func TestNginxRepeatsAGet(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	one, two := fakeGateway(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			breakOff(w, r)
		}
	})
	if answer, _ := startProxy(t, one, two).do(http.MethodGet, "/v1/refunds/0198", nil); answer.StatusCode != http.StatusOK {
		t.Errorf("%d although the other gateway is well", answer.StatusCode)
	}
}

// TestNginxOneGatewayDown: nothing has left for a gateway that can't be reached, so the other may have the request,
// whatever it is.
func TestNginxOneGatewayDown(t *testing.T) {
	t.Parallel()
	one, two := fakeGateway(t, func(http.ResponseWriter, *http.Request) {})
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, p := range []proxy{startProxy(t, one, gone.Listener.Addr().String()), startProxy(t, gone.Listener.Addr().String(), two)} {
		for i := range 8 {
			if answer, _ := p.do(http.MethodPost, "/v1/refunds", strings.NewReader("{}")); answer.StatusCode != http.StatusOK {
				t.Errorf("request %d: %d", i, answer.StatusCode)
			}
		}
	}
}

func TestNginxHeaders(t *testing.T) {
	t.Parallel()
	var got http.Header
	var host string
	one, two := fakeGateway(t, func(w http.ResponseWriter, r *http.Request) {
		got, host = r.Header.Clone(), r.Host
		w.Header().Set("X-Request-Id", "of-the-gateway")
	})
	p := startProxy(t, one, two)
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	answer, _ := p.do(http.MethodGet, "/v1/refunds?reference=RF0", nil, "Traceparent", trace, "X-Forwarded-For", "6.6.6.6",
		"X-Real-IP", "6.6.6.6", "Forwarded", "for=6.6.6.6", "Authorization", "Bearer secret-token", "Idempotency-Key", "k1")
	if host != "bank.example:8080" {
		t.Errorf("Host became %q: the core's signature of a callback covers it", host)
	}
	for name, want := range map[string]string{"Traceparent": trace, "Authorization": "Bearer secret-token", "Idempotency-Key": "k1"} {
		if got.Get(name) != want {
			t.Errorf("%s arrives as %q", name, got.Get(name))
		}
	}
	for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded"} {
		if strings.Contains(strings.Join(got.Values(name), ","), "6.6.6.6") {
			t.Errorf("a caller may say in %s who they are", name)
		}
	}
	if answer.Header.Get("X-Request-Id") != "of-the-gateway" {
		t.Errorf("X-Request-Id is %q", answer.Header.Get("X-Request-Id"))
	}

	p.stop()
	var line map[string]string
	log, err := os.ReadFile(p.log)
	if err != nil {
		t.Fatal(err)
	}
	for text := range bytes.Lines(log) {
		if bytes.HasPrefix(text, []byte("{")) {
			if err := json.Unmarshal(text, &line); err != nil {
				t.Fatalf("%v in %s", err, text)
			}
		}
	}
	if line["request_id"] != "of-the-gateway" || line["traceparent"] != trace || line["path"] != "/v1/refunds" || line["status"] != "200" {
		t.Errorf("the log says %v", line)
	}
	for _, never := range []string{"secret-token", "RF0", "6.6.6.6"} {
		if bytes.Contains(log, []byte(never)) {
			t.Errorf("%s is in the log", never)
		}
	}
}

// TestNginxLogsNothingMadeUp: a path and a header are somebody else's text, and refunds have ids that are nobody's business
// here.
func TestNginxLogsNothingMadeUp(t *testing.T) {
	t.Parallel()
	one, two := fakeGateway(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/refunds/canary/confirm" {
			breakOff(w, r)
		}
	})
	p := startProxy(t, one, two)
	want := map[string]int{"/v1/refunds": 3, "/v1/payments": 1, "/v1/otp/challenges": 1, "/core/callbacks": 1, "other": 3}
	for _, path := range []string{
		"/v1/refunds", "/v1/refunds/canary", "/v1/refunds/canary/confirm", "/v1/payments/e-payments/canary/requests",
		"/v1/otp/challenges/canary/verify", "/core/callbacks", "/canary", "/v1/refundscanary", "/v1/profile%0acanary",
	} {
		p.do(http.MethodPost, path+"?canary=1", nil, "Traceparent", "00-canary-01")
	}
	p.stop()
	log, err := os.ReadFile(p.log)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for text := range bytes.Lines(log) {
		var line struct{ Path, Traceparent string }
		if err := json.Unmarshal(text, &line); err != nil || line.Traceparent != "" {
			t.Errorf("%v in %s", err, text)
		}
		got[line.Path]++
	}
	if !maps.Equal(got, want) || bytes.Contains(log, []byte("canary")) {
		t.Errorf("paths %v, want %v, in\n%s", got, want, log)
	}
}

// TestNginxBody: a body just beyond the contract's limit is the gateway's to refuse, one far beyond never gets to it.
func TestNginxBody(t *testing.T) {
	t.Parallel()
	var seen atomic.Int64
	one, two := fakeGateway(t, func(_ http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		seen.Add(n)
	})
	p := startProxy(t, one, two)
	if answer, _ := p.do(http.MethodPost, "/v1/refunds", strings.NewReader(strings.Repeat("x", 20<<10))); answer.StatusCode != http.StatusOK {
		t.Errorf("20 KiB: %d", answer.StatusCode)
	}
	if n := seen.Load(); n != 20<<10 {
		t.Errorf("%d bytes arrived", n)
	}
	// Without a length it comes in pieces, so that nobody knows how much it is beforehand.
	for _, body := range []io.Reader{strings.NewReader(strings.Repeat("x", 40<<10)), io.LimitReader(zeros{}, 40<<10)} {
		answer, text := p.do(http.MethodPost, "/v1/refunds", body)
		wantProblem(t, answer, text, http.StatusBadRequest, "malformed_request", "/v1/refunds")
	}
	if n := seen.Load(); n != 20<<10 {
		t.Errorf("%d bytes arrived of what is too big", n-20<<10)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestNginxSpeaksAsTheGateway: a program that understands the gateway's refusals understands nginx's.
func TestNginxSpeaksAsTheGateway(t *testing.T) {
	t.Parallel()
	world := apitest.Start(t)
	customer := world.Customer("p03")
	customer.Prove()
	real := map[string]func(language string) *banktest.Response{
		"malformed_request": func(language string) *banktest.Response {
			return customer.Do(http.MethodPost, "/v1/otp/challenges", "{", "Accept-Language", language)
		},
		"try_again": func(language string) *banktest.Response {
			world.Fault(banktest.Unavailable, banktest.OnCustomer)
			defer world.ClearFaults()
			return customer.Do(http.MethodGet, "/v1/profile", nil, "Accept-Language", language)
		},
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	p := startProxy(t, gone.Listener.Addr().String(), gone.Listener.Addr().String())
	nginx := map[string]func(language string) (*http.Response, []byte){
		"malformed_request": func(language string) (*http.Response, []byte) {
			return p.do(http.MethodPost, "/v1/otp/challenges", io.LimitReader(zeros{}, 40<<10), "Accept-Language", language)
		},
		"try_again": func(language string) (*http.Response, []byte) {
			return p.do(http.MethodGet, "/v1/profile", nil, "Accept-Language", language)
		},
	}
	for code := range nginx {
		for _, language := range []string{"ar", "en"} {
			var want, got map[string]any
			real[code](language).JSON(&want)
			answer, text := nginx[code](language)
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatalf("%v in %s", err, text)
			}
			delete(want, "errors") // nginx hasn't read where the fault is
			if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
				t.Errorf("%s: nginx's fields are %v, the gateway's %v", code, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
			}
			delete(want, "request_id")
			for field, value := range want {
				if got[field] != value {
					t.Errorf("%s in %s: %s is %v from nginx and %v from the gateway", code, language, field, got[field], value)
				}
			}
			if answer.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s may be kept: %q", code, answer.Header.Get("Cache-Control"))
			}
		}
	}
}

func wantProblem(t *testing.T, answer *http.Response, body []byte, status int, code, instance string) {
	t.Helper()
	var p struct {
		Status         int
		Code, Instance string
	}
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if answer.StatusCode != status || p.Status != status || p.Code != code || p.Instance != instance {
		t.Errorf("%d %s, want %d %s", answer.StatusCode, body, status, code)
	}
	if kind := answer.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/problem+json") {
		t.Errorf("Content-Type is %q", kind)
	}
	if answer.Header.Get("X-Request-Id") == "" {
		t.Error("no X-Request-Id")
	}
}

// TestNginxInstance: a path is somebody else's text, and a problem's JSON stays JSON whatever it is.
func TestNginxInstance(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(nil)
	gone.Close()
	p := startProxy(t, gone.Listener.Addr().String(), gone.Listener.Addr().String())
	for _, path := range []string{`/a"b`, "/a%22,%22code%22:%22x", `/a\b`, "/%0a", "/ـ"} {
		answer, body := p.do(http.MethodGet, path, nil)
		var problem struct{ Code string }
		if err := json.Unmarshal(body, &problem); err != nil || problem.Code != "try_again" {
			t.Errorf("%s: %d %s", strconv.Quote(path), answer.StatusCode, body)
		}
	}
}
