package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway/api"
)

// TestUnknownRoutesAndMethods: also whoever asks for what there isn't gets a problem, and nothing is told of what there
// is to those without a token.
func TestUnknownRoutesAndMethods(t *testing.T) {
	d, _ := alone(t, api.Config{})
	for _, path := range []string{
		"/", "/v1", "/v1/", "/v1/profile/", "/V1/profile", "/v1/Profile", "/v1//profile", "/v1/refunds/", "/v1/refunds/x/y",
		"/v1/payments/other", "/openapi.json", "/openapi.yaml", "/reference", "/docs", "/schemas/Problem",
		"/healthz", "/readyz", "/metrics", "/ops/", "/debug/pprof/", "/favicon.ico", "/%2e%2e/etc/passwd",
	} {
		for _, method := range []string{"GET", "POST"} {
			d.ask(ask{method: method, path: path}).want(404, "not_found")
		}
	}
	d, _ = alone(t, api.Config{Identity: believing{}})
	for _, path := range []string{"/v1/otp/challenges//verify", "/v1/otp/challenges//resend", "/v1/refunds//confirm"} {
		d.ask(ask{method: "POST", path: path, token: "x", body: `{"code":"000000"}`}).want(404, "not_found")
	}
	d.ask(ask{method: "GET", path: "/v1/payments/e-payments//requests", token: "x"}).want(404, "not_found")
	d, _ = alone(t, api.Config{Reference: true})
	verbs := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"}
	allowed := map[string][]string{}
	for _, route := range routes() {
		method, pattern, _ := strings.Cut(route, " ")
		path := strings.NewReplacer(":refund_id", "x", ":challenge_id", "x", ":service", "090-003").Replace(pattern)
		allowed[path] = append(allowed[path], method)
	}
	for path, takes := range allowed {
		for _, method := range verbs {
			if slices.Contains(takes, method) {
				continue
			}
			got := d.ask(ask{method: method, path: path})
			if got.StatusCode != 405 || method != "HEAD" && got.problem().Code != "method_not_allowed" {
				t.Errorf("%s %s answered %d", method, path, got.StatusCode)
			}
			allow := strings.Split(got.Header.Get("Allow"), ", ")
			slices.Sort(allow)
			if slices.Sort(takes); !slices.Equal(allow, takes) {
				t.Errorf("%s: Allow is %v, want %v", path, allow, takes)
			}
		}
	}
}

// TestLanguageOfProblems: Arabic unless English is asked for.
func TestLanguageOfProblems(t *testing.T) {
	d, _ := alone(t, api.Config{})
	row := api.Rows()["not_found"]
	for header, want := range map[string]bank.Text{"": row.Title, "ar": row.Title, "en-GB": {AR: row.Title.EN}, "fr": row.Title} {
		got := d.ask(ask{method: "GET", path: "/nowhere", header: http.Header{"Accept-Language": {header}}}).want(404, "not_found")
		if title := got.problem().Title; title != want.AR {
			t.Errorf("%q: %q, want %q", header, title, want.AR)
		}
	}
}

// TestEveryAnswerHasItsOwnID, whatever the caller would have liked it to be.
func TestEveryAnswerHasItsOwnID(t *testing.T) {
	d, logged := alone(t, api.Config{})
	seen := map[string]bool{}
	for range 3 {
		got := d.ask(ask{method: "GET", path: "/nowhere", header: http.Header{"X-Request-Id": {"mine"}}})
		seen[got.Header.Get("X-Request-Id")] = true
	}
	if len(seen) != 3 || seen["mine"] {
		t.Errorf("the ids are %v", seen)
	}
	for id := range seen {
		if !strings.Contains(logged.String(), "request_id="+id) {
			t.Errorf("%s isn't in the log:\n%s", id, logged)
		}
	}
}

// TestPanics: whatever falls inside becomes a 500 that says nothing; the log names its type and no value.
func TestPanics(t *testing.T) {
	d, logged := alone(t, api.Config{Identity: believing{}}) // and no path
	got := d.ask(ask{method: "GET", path: "/v1/profile", token: "x"}).want(500, "internal")
	if strings.Contains(string(got.body), "nil pointer") {
		t.Errorf("the caller is told %s", got.body)
	}
	if !strings.Contains(logged.String(), `err="panic: runtime.errorString"`) {
		t.Errorf("logged is\n%s", logged)
	}
	everywhere(func(a ask) { d.ask(a).want(500, "internal") }) // and the server goes on
}

// TestCallbacks: 204 once stored, 401 when it isn't the core's, 503 when it couldn't be stored.
func TestCallbacks(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"stored":     {nil, 204, ""},
		"not theirs": {errors.Join(errors.New("signature of key core-9"), api.ErrCallback), 401, "unauthenticated"},
		"not stored": {errors.New("disk full"), 503, "try_again"},
	} {
		t.Run(name, func(t *testing.T) {
			receiver := &receiving{err: c.err}
			d, logged := alone(t, api.Config{Callbacks: receiver})
			body := `{"event_id":"e1"}`
			d.ask(ask{method: "POST", path: "/core/callbacks", body: body, media: "text/plain"}).want(c.status, c.code)
			if receiver.body != body {
				t.Errorf("received is %q", receiver.body)
			}
			if c.status == 503 && !strings.Contains(logged.String(), "disk full") {
				t.Errorf("logged is\n%s", logged)
			}
		})
	}
	receiver := &receiving{}
	d, _ := alone(t, api.Config{Callbacks: receiver})
	d.ask(ask{method: "POST", path: "/core/callbacks", body: strings.Repeat("x", api.BodyMax)}).want(204)
	d.ask(ask{method: "POST", path: "/core/callbacks", body: strings.Repeat("x", api.BodyMax+1)}).want(400, "malformed_request")
	if len(receiver.body) != api.BodyMax {
		t.Errorf("received are %d bytes", len(receiver.body))
	}
}

// TestBodiesThatBreakOff are the caller's doing, not ours: no 500, and nothing to wake somebody for.
func TestBodiesThatBreakOff(t *testing.T) {
	d, logged := alone(t, api.Config{Identity: believing{}})
	conn, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /v1/otp/challenges HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n"+
		"Content-Type: application/json\r\nContent-Length: 21\r\n\r\n{\"purpose\":")
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answered, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(answered), "HTTP/1.1 400 ") || !strings.Contains(string(answered), `"malformed_request"`) {
		t.Errorf("answered is\n%s", answered)
	}
	if strings.Contains(logged.String(), "level=ERROR") {
		t.Errorf("logged is\n%s", logged)
	}
}

// TestProxies: what a stranger says of himself is not believed; what a trusted proxy says is.
func TestProxies(t *testing.T) {
	for _, c := range []struct {
		trusted []string
		want    string
	}{{nil, "192.0.2.1"}, {[]string{"192.0.2.0/24"}, "6.6.6.6"}} {
		handler, err := api.New(api.Config{TrustedProxies: c.trusted, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		var ip string
		handler.(*gin.Engine).GET("/ip", func(g *gin.Context) { ip = g.ClientIP() })
		req := httptest.NewRequest("GET", "/ip", nil) // from 192.0.2.1
		req.Header.Set("X-Forwarded-For", "6.6.6.6")
		req.Header.Set("X-Real-IP", "6.6.6.6")
		handler.ServeHTTP(httptest.NewRecorder(), req)
		if ip != c.want {
			t.Errorf("trusting %v, the client is %s, want %s", c.trusted, ip, c.want)
		}
	}
	if _, err := api.New(api.Config{TrustedProxies: []string{"everybody"}}); err == nil {
		t.Error("a proxy that is no network is trusted")
	}
}

// alone is a server with nothing behind it but what the test puts there, and its log.
func alone(t *testing.T, c api.Config) (door, *logBook) {
	t.Helper()
	logged := &logBook{}
	c.Log = slog.New(slog.NewTextHandler(logged, nil))
	handler, err := api.New(c)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return door{t: t, url: server.URL, client: server.Client()}, logged
}

// logBook is a log to be read while it is written.
type logBook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// believing takes every token for one of somebody who is a customer and a teller.
type believing struct{}

func (believing) Verify(context.Context, string) (bank.Caller, error) {
	return bank.Caller{Subject: "p01", Session: "s1", Client: "web", Employee: "E100", Branch: "101", Scopes: []bank.Scope{bank.ScopeRefunds, bank.ScopeTeller, bank.ScopeApprover}}, nil
}

// receiving remembers the last callback's body.
type receiving struct {
	body string
	err  error
}

func (r *receiving) Receive(_ *http.Request, body []byte) error {
	r.body = string(body)
	return r.err
}

// counting notes the requests that were counted.
type counting struct {
	mu   sync.Mutex
	told []string
}

func (c *counting) Began() {}

func (c *counting) Ended(method, route string, status int, code string, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, fmt.Sprintf("%s %s %d %s", method, route, status, code))
}

// TestRequestsAreCounted by the route as it is registered and the code as it was told, whoever refused them.
func TestRequestsAreCounted(t *testing.T) {
	counted := &counting{}
	d, _ := alone(t, api.Config{Identity: believing{}, Callbacks: &receiving{}, Metrics: counted})
	d.ask(ask{method: "GET", path: "/v1/refunds/1900000017"})
	d.ask(ask{method: "PUT", path: "/v1/profile"})
	d.ask(ask{method: "GET", path: "/v1/profile", token: "x"})
	d.ask(ask{method: "POST", path: "/v1/otp/challenges/1900000017/verify", token: "x", body: "1900000017"})
	d.ask(ask{method: "POST", path: "/core/callbacks", body: "x", media: "text/plain"})
	d.ask(ask{method: "GET", path: "/1900000017"})
	want := []string{
		"GET /v1/refunds/:refund_id 401 unauthenticated",
		"PUT none 405 method_not_allowed",
		"GET /v1/profile 500 internal",
		"POST /v1/otp/challenges/:challenge_id/verify 400 malformed_request",
		"POST /core/callbacks 204 ",
		"GET none 404 not_found",
	}
	if !slices.Equal(counted.told, want) {
		t.Errorf("counted %q\nwant %q", counted.told, want)
	}
}
