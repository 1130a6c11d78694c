package sandboxbank_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/istirdad/istirdad/internal/sandboxbank"
	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/sandboxseed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a bank that listens.
type rig struct {
	t     *testing.T
	bank  *sandboxbank.Bank
	board *sandboxfault.Board
	url   string
	http  *http.Client
}

// start opens a bank over dir (empty: memory) under an address of its own.
func start(t *testing.T, dir string) *rig {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	issuer := "http://" + listener.Addr().String()
	board := sandboxfault.NewBoard(1)
	bank, err := sandboxbank.Open(sandboxbank.Config{
		Issuer: issuer, World: sandboxseed.New(2, time.Now()), Board: board, Dir: dir,
	})
	if err != nil {
		listener.Close()
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(bank.Handler())
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(func() {
		if err := bank.Close(); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return &rig{t, bank, board, issuer, server.Client()}
}

// answer is what came back; status 0 when nothing did.
type answer struct {
	status int
	body   string
	header http.Header
}

func (a answer) fields(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return m
}

func (r *rig) call(ctx context.Context, method, path, body string) answer {
	r.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if method == http.MethodPost && path == "/token" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := r.http.Do(req)
	if err != nil {
		return answer{}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}
	}
	if got := res.Header.Get("Refund-Core"); got != "sandbox" {
		r.t.Errorf("%s %s: Refund-Core is %q", method, path, got)
	}
	return answer{res.StatusCode, string(text), res.Header}
}

func (r *rig) get(path string) answer {
	r.t.Helper()
	return r.call(r.t.Context(), http.MethodGet, path, "")
}

func (r *rig) post(path, body string) answer {
	r.t.Helper()
	return r.call(r.t.Context(), http.MethodPost, path, body)
}

// record serves without a network.
func record(h http.Handler, method, path string) string {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Body.String()
}
