package httpsms_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/sms/httpsms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var message = otp.Message{Kind: otp.CodeForProfile, Language: otp.English, Code: "482915", Brand: otp.Brand{Sender: "TestBank"}}

// provider answers every POST with handle and counts them.
func provider(t *testing.T, handle http.HandlerFunc) (url string, posts *atomic.Int32) {
	posts = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		posts.Add(1)
		handle(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/messages?key=provider-key", posts
}

func answer(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

func send(t *testing.T, c httpsms.Config) error {
	t.Helper()
	route, err := httpsms.New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer route.Close()
	to, err := saudi.ParseMobile("0500000001")
	if err != nil {
		t.Fatal(err)
	}
	err = route.Send(t.Context(), "challenge:1", to, message)
	if err != nil {
		for _, secret := range []string{"provider-key", "500000001", "482915", "Temp code"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error tells %q: %v", secret, err)
			}
		}
	}
	return err
}

func TestSent(t *testing.T) {
	var got map[string]string
	url, _ := provider(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &got); err != nil || r.Method != http.MethodPost ||
			r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Authorization") != "Bearer x" {
			t.Errorf("%s %s %v: %v", r.Method, body, r.Header, err)
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20)) // more than anybody wants to read
	})
	if err := send(t, httpsms.Config{URL: url, Authorization: "Bearer x"}); err != nil {
		t.Fatal(err)
	}
	if got["id"] != "challenge:1" || got["to"] != "+966500000001" || got["sender"] != "TestBank" ||
		!strings.HasPrefix(got["text"], "Temp code:482915\n") || len(got) != 4 {
		t.Errorf("the provider got %v", got)
	}
}

// Whatever the provider answers but 2xx, it has not taken the message; and it
// is asked once.
func TestRefused(t *testing.T) {
	for _, status := range []int{301, 302, 307, 308, 400, 401, 404, 408, 409, 429, 500, 502, 503, 504} {
		elsewhere, followed := provider(t, answer(http.StatusOK))
		url, posts := provider(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", elsewhere)
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(status)
		})
		if err := send(t, httpsms.Config{URL: url}); !errors.Is(err, otp.ErrNotSent) {
			t.Errorf("%d: %v, want ErrNotSent", status, err)
		}
		if posts.Load() != 1 || followed.Load() != 0 {
			t.Errorf("%d: %d posts, %d of them elsewhere", status, posts.Load(), followed.Load())
		}
	}
}

// A stand-in takes what nobody will read: it is believed only where stand-ins
// may be.
func TestRefusesAStandIn(t *testing.T) {
	url, _ := provider(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Refund-Core", "sandbox")
		w.WriteHeader(http.StatusAccepted)
	})
	if err := send(t, httpsms.Config{URL: url, RefuseSandbox: true}); !errors.Is(err, httpsms.ErrSandbox) || !errors.Is(err, otp.ErrNotSent) {
		t.Errorf("%v, want ErrSandbox and ErrNotSent", err)
	}
	if err := send(t, httpsms.Config{URL: url}); err != nil {
		t.Errorf("in a sandbox: %v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := send(t, httpsms.Config{URL: "http://" + l.Addr().String() + "/?key=provider-key"}); !errors.Is(err, otp.ErrNotSent) {
		t.Errorf("%v, want ErrNotSent", err)
	}
}

// A handshake that fails has carried nothing.
func TestNoTLS(t *testing.T) {
	url, posts := provider(t, answer(http.StatusOK))
	if err := send(t, httpsms.Config{URL: "https" + strings.TrimPrefix(url, "http")}); !errors.Is(err, otp.ErrNotSent) || posts.Load() != 0 {
		t.Errorf("%v after %d posts, want ErrNotSent", err, posts.Load())
	}
}

// silence is neither success nor a definite failure.
func silence(t *testing.T, err error, posts int32) {
	t.Helper()
	if err == nil || errors.Is(err, otp.ErrNotSent) || posts != 1 {
		t.Errorf("%v after %d posts, want silence after 1", err, posts)
	}
}

func TestNoAnswer(t *testing.T) {
	url, posts := provider(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	err := send(t, httpsms.Config{URL: url, Timeout: 100 * time.Millisecond})
	silence(t, err, posts.Load())
	if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() {
		t.Errorf("%v is not a timeout", err)
	}
}

func TestAnswerCutOff(t *testing.T) {
	url, posts := provider(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 20")
		_ = conn.Close()
	})
	silence(t, send(t, httpsms.Config{URL: url}), posts.Load())
}

// A connection that was idle for a while and dies under the next message must
// not make net/http send that message again by itself.
func TestNotRepeatedOnAReusedConnection(t *testing.T) {
	var posts atomic.Int32
	url, _ := provider(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if posts.Add(1) == 1 {
			return
		}
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
	})
	route, err := httpsms.New(httpsms.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer route.Close()
	to, _ := saudi.ParseMobile("0500000001")
	if err := route.Send(t.Context(), "a:1", to, message); err != nil {
		t.Fatal(err)
	}
	silence(t, route.Send(t.Context(), "a:2", to, message), posts.Load()-1)
}

func TestNothingToSay(t *testing.T) {
	url, posts := provider(t, answer(http.StatusOK))
	route, err := httpsms.New(httpsms.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer route.Close()
	to, _ := saudi.ParseMobile("0500000001")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{
		"no words":  route.Send(t.Context(), "a", to, otp.Message{Kind: "gossip", Brand: message.Brand}),
		"no sender": route.Send(t.Context(), "a", to, otp.Message{Kind: otp.CodeForProfile, Code: "482915"}),
		"no number": route.Send(t.Context(), "a", saudi.Mobile{}, message),
		"too late":  route.Send(gone, "a", to, message),
	} {
		if !errors.Is(err, otp.ErrNotSent) {
			t.Errorf("%s: %v, want ErrNotSent", name, err)
		}
	}
	if posts.Load() != 0 {
		t.Error("something was sent")
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []httpsms.Config{
		{URL: ""},
		{URL: "ftp://host/"},
		{URL: "http:///path"},
		{URL: "http://user:secret@host/"},
	} {
		if _, err := httpsms.New(c); err == nil {
			t.Errorf("%+v: accepted", c)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

// TestTold: each message that is tried is told once, by what came of it, and is
// a span of its caller's trace. The route is as healthy as its last message.
func TestTold(t *testing.T) {
	var told []string
	acts := make(chan http.HandlerFunc, 1)
	url, _ := provider(t, func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header.Get("Traceparent")) != 55 {
			t.Errorf("the provider was told %q", r.Header.Get("Traceparent"))
		}
		(<-acts)(w, r)
	})
	route, err := httpsms.New(httpsms.Config{URL: url, Observe: func(call, outcome string, _ time.Duration) {
		told = append(told, call+" "+outcome)
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer route.Close()
	spans := tracetest.NewSpanRecorder()
	ctx, parent := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("").Start(t.Context(), "refund credited")
	defer parent.End()
	to, err := saudi.ParseMobile("0500000001")
	if err != nil {
		t.Fatal(err)
	}
	if !route.Healthy() {
		t.Error("ailing before it was tried")
	}
	var want []string
	for _, row := range []struct {
		act     http.HandlerFunc
		want    string
		healthy bool
	}{
		{answer(503), "send refused", false},
		{answer(202), "send ok", true},
		{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "send unknown", false},
		{answer(200), "send ok", true},
	} {
		acts <- row.act
		_ = route.Send(ctx, "challenge:1", to, message)
		want = append(want, row.want)
		if route.Healthy() != row.healthy {
			t.Errorf("%s: healthy %v", row.want, route.Healthy())
		}
	}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	for _, span := range spans.Ended() {
		if span.Name() != "sms send" {
			t.Errorf("span %q", span.Name())
		}
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := route.Send(gone, "challenge:1", to, message); err == nil || !route.Healthy() {
		t.Errorf("a caller that left: %v, healthy %v", err, route.Healthy())
	}
}
