package refundcore

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/istirdad/istirdad/internal/outbound/outboundtest"
)

// fakeCore is a small core: it checks what it gets, remembers it, and answers as the test says.
type fakeCore struct {
	t   testing.TB
	key ed25519.PrivateKey
	act http.HandlerFunc // the body has been read, and put back

	mu     sync.Mutex
	got    []received
	nonces map[string]bool
}

type received struct {
	method, uri, body string
	header            http.Header
}

func newFakeCore(t testing.TB, act http.HandlerFunc) *fakeCore {
	return &fakeCore{t: t, key: testKey(t), act: act, nonces: map[string]bool{}}
}

var nonceOf = regexp.MustCompile(`nonce="([^"]*)"`)

func (c *fakeCore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Errorf("reading a request: %v", err)
	}
	bank := verifier{map[string]ed25519.PublicKey{"bank-80": c.key.Public().(ed25519.PublicKey)}}
	values := requestValues(r, r.Host, digest(body))
	in, err := bank.verify(r.Header, requestComponents, values, time.Now())
	c.mu.Lock()
	if err != nil || c.nonces[in.nonce] {
		c.t.Errorf("%s %s: %v, or its nonce was seen before", r.Method, r.URL.Path, err)
	}
	c.nonces[in.nonce] = true
	c.got = append(c.got, received{r.Method, r.RequestURI, string(body), r.Header})
	act := c.act
	c.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	act(w, r)
}

func (c *fakeCore) received() []received {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]received(nil), c.got...)
}

// now changes what the core does from here on.
func (c *fakeCore) now(act http.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.act = act
}

// signed sets the fields that make an answer the core's word; written out here, without the code under test.
func (c *fakeCore) signed(h http.Header, r *http.Request, status int, body string) {
	sum := sha256.Sum256([]byte(body))
	contentDigest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	created := time.Now().Unix()
	params := fmt.Sprintf(`("@status" "content-digest");created=%d;expires=%d;nonce="%s";keyid="core-1";alg="ed25519"`,
		created, created+60, nonceOf.FindStringSubmatch(r.Header.Get("Signature-Input"))[1])
	base := fmt.Sprintf("\"@status\": %d\n\"content-digest\": %s\n\"@signature-params\": %s", status, contentDigest, params)
	h.Set("Content-Type", "application/json")
	h.Set("Content-Digest", contentDigest)
	h.Set("Signature-Input", "core="+params)
	h.Set("Signature", "core=:"+base64.StdEncoding.EncodeToString(ed25519.Sign(c.key, []byte(base)))+":")
}

// says returns an act that answers so, signed.
func (c *fakeCore) says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c.signed(w.Header(), r, status, body)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func testConfig(t testing.TB, base string) Config {
	key := testKey(t)
	return Config{
		BaseURL: base, KeyID: "bank-80", Key: key,
		CoreKeys: map[string]ed25519.PublicKey{"core-1": key.Public().(ed25519.PublicKey)},
	}
}

func newClient(t testing.TB, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// onLoopback serves the core on a real socket, where connections can be reset.
func onLoopback(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// inMemory serves the core over pipes, for tests in fake time. The configuration that it returns leads there.
func inMemory(t *testing.T, h http.Handler) Config {
	t.Helper()
	cfg := testConfig(t, "http://core.example")
	cfg.Dial = outboundtest.Dial(t, h.ServeHTTP)
	return cfg
}
