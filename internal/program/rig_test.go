package program_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/bank/corebanking"
	"github.com/istirdad/istirdad/bank/identity"
	"github.com/istirdad/istirdad/gateway/api/apitest"
	"github.com/istirdad/istirdad/gateway/refundcore"
	"github.com/istirdad/istirdad/gateway/sqlite"
	"github.com/istirdad/istirdad/internal/program"
	"github.com/istirdad/istirdad/internal/sandboxcore"
	"github.com/istirdad/istirdad/internal/sandboxseed"
	"github.com/istirdad/istirdad/internal/seal"
	"github.com/istirdad/istirdad/internal/telemetry"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/redisstore"
	"github.com/istirdad/istirdad/otp/sms/httpsms"
)

// rig is a gateway on stores of its own, among the stand-ins of a sandbox, that tells everything there is to tell.
type rig struct {
	t       testing.TB
	world   *banktest.World // whose own gateway nobody calls
	config  program.Config
	store   *sqlite.Store
	dir     string // with its file
	redis   *miniredis.Miniredis
	client  redisstore.Client
	sealer  *seal.Sealer
	gateway *program.Gateway

	channel, ops string
	spans        *tracetest.SpanRecorder
	log          *logbook
	wires        map[string]*wire // to core, bank and phone
}

// wire passes on what goes to a neighbour. It notes by the last word of its path in which trace each call came, and of all
// of them together how long the neighbour took and how much it said.
type wire struct {
	url   string
	mu    sync.Mutex
	seen  map[string][]string
	spent time.Duration
	said  int64 // bytes
}

func newWire(t testing.TB, to string) *wire {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{seen: map[string][]string{}}
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{
		ModifyResponse: func(r *http.Response) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.said += max(r.ContentLength, 0)
			return nil
		},
		Transport: transport, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			w.mu.Lock()
			defer w.mu.Unlock()
			call := r.In.Method + " " + path.Base(r.In.URL.Path)
			w.seen[call] = append(w.seen[call], r.In.Header.Get("Traceparent"))
			r.SetURL(target)
			r.Out.Host = r.In.Host // which is signed
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		began := time.Now()
		proxy.ServeHTTP(rw, r)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.spent += time.Since(began)
	}))
	t.Cleanup(func() { server.Close(); transport.CloseIdleConnections() })
	w.url = server.URL
	return w
}

// of are the traceparents with which a call came.
func (w *wire) of(call string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.seen[call]...)
}

// sum is how long the neighbour has taken, the way there and back included, and how many bytes it has said.
func (w *wire) sum() (took time.Duration, said int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.spent, w.said
}

// logbook is a log to be read while it is written.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// fixed is a profile that nobody changes.
type fixed bank.Terms

func (f fixed) Terms() bank.Terms       { return bank.Terms(f) }
func (fixed) Watch(ctx context.Context) { <-ctx.Done() }
func (fixed) Reload(context.Context)    {}
func (fixed) State() (string, bool)     { return "fixed", false }

func newRig(t testing.TB, how ...banktest.Option) *rig {
	t.Helper()
	r := &rig{
		t: t, world: apitest.Start(t, how...), log: &logbook{}, redis: miniredis.RunT(t), spans: tracetest.NewSpanRecorder(),
	}
	urls := r.world.URLs()
	r.wires = map[string]*wire{"core": newWire(t, urls.Core), "bank": newWire(t, urls.Bank), "phone": newWire(t, urls.Control)}
	pepper := bytes.Repeat([]byte{7}, seal.MasterLen)
	var err error
	if r.sealer, err = seal.New("k1", pepper); err != nil {
		t.Fatal(err)
	}
	r.dir = t.TempDir()
	r.store, err = sqlite.Open(t.Context(), filepath.Join(r.dir, "gateway.db"), r.sealer, sqlite.Options{
		Migrate: true, Log: slog.New(slog.NewJSONHandler(r.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.store.Close() })
	if r.client, err = redisstore.NewClient(redisstore.Options{Addrs: []string{r.redis.Addr()}, CommandTimeout: 2 * time.Second}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.client.Close() })
	key := sandboxcore.TestKey()
	r.config = program.Config{
		Profile: fixed{
			BankCode: sandboxseed.BankCode, PromiseDays: 3, ConfirmCodeAbove: 1_000_00, OnlineLimit: 10_000_00, CounterLimit: 20_000_00,
			ApproveAbove: 10_000_00, BackOffice: "back-office", MobileRest: 72 * time.Hour, Code: otp.DefaultForm(),
			Thresholds: bank.DefaultThresholds(), Brand: otp.Brand{Sender: "Istirdad"},
		},
		Pepper: pepper, Policy: otp.DefaultPolicy(),
		Identity:    identity.Config{Issuer: urls.Bank},
		CoreBanking: corebanking.Config{URL: r.wires["bank"].url},
		Core: refundcore.Config{
			BaseURL: r.wires["core"].url, KeyID: "bank-80", Key: key,
			CoreKeys: map[string]ed25519.PublicKey{"core-1": key.Public().(ed25519.PublicKey)},
		},
		SMS:       httpsms.Config{URL: r.wires["phone"].url + "/phone/messages"},
		Log:       slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Telemetry: r.telemetry(),
	}
	r.config.Core.Log = r.config.Log
	return r
}

func (r *rig) telemetry() *telemetry.Telemetry {
	r.t.Helper()
	tel, err := telemetry.New(r.t.Context(), telemetry.Config{Version: "test", Instance: "gw-1", TraceRatio: 1, Spans: r.spans})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = tel.Close(context.Background()) })
	return tel
}

// open opens the gateway's doors, until shut or the end of the test.
func (r *rig) open() (shut func()) {
	r.t.Helper()
	var err error
	if r.gateway, err = program.New(r.config, r.store, r.client, r.sealer); err != nil {
		r.t.Fatal(err)
	}
	channel, ops := httptest.NewServer(r.gateway.Channel()), httptest.NewServer(r.gateway.Ops())
	r.channel, r.ops = channel.URL, ops.URL
	gateway := r.gateway
	shut = sync.OnceFunc(func() {
		channel.Close()
		ops.Close()
		gateway.Close()
	})
	r.t.Cleanup(shut)
	return shut
}

// start opens the gateway's doors and sets its dispatcher to work, until stop or the end of the test.
func (r *rig) start() (stop func()) {
	r.t.Helper()
	shut := r.open()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { r.gateway.Run(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		shut()
	})
	r.t.Cleanup(stop)
	return stop
}

// ask reads a page of the ops listener.
func (r *rig) ask(page string) (status int, body string) {
	r.t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	resp, err := client.Get(r.ops + page)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(read))
}

// span is the one span of a trace that has this name; of several, the first that ended.
func (r *rig) span(trace, name string) sdktrace.ReadOnlySpan {
	r.t.Helper()
	for _, s := range r.spans.Ended() {
		if s.Name() == name && s.SpanContext().TraceID().String() == trace {
			return s
		}
	}
	r.t.Fatalf("trace %s has no span %q", trace, name)
	return nil
}
