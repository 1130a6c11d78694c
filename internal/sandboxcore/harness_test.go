package sandboxcore

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/sandboxseed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is one Core in a bubble of fake time, and a bank that calls it.
type world struct {
	t      *testing.T
	core   *Core
	faults *sandboxfault.Board
	keyID  string
	key    ed25519.PrivateKey
}

var start = time.Date(2026, 3, 5, 6, 0, 0, 0, time.UTC)

// inBubble runs test with a polite core of the named people. change may be nil.
func inBubble(t *testing.T, change func(*Config), test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		if change != nil {
			change(&cfg)
		}
		w := open(t, cfg)
		defer w.close()
		test(w)
	})
}

func testConfig() Config {
	seed := sandboxseed.New(0, start)
	users := make(map[string]string)
	for _, p := range seed.People {
		if p.Role == sandboxseed.RoleCustomer {
			users[p.IDNumber] = p.User
		}
	}
	return Config{
		Seed: 1, Requests: seed.Requests, Polite: true,
		UserOf:    func(number string) string { return users[number] },
		Faults:    sandboxfault.NewBoard(1),
		SettleMin: time.Second, SettleMax: time.Second,
	}
}

func open(t *testing.T, cfg Config) *world {
	t.Helper()
	core, err := New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	core.atOnce = 0 // tests of it set it
	return &world{t: t, core: core, faults: cfg.Faults, keyID: "bank-80", key: TestKey()}
}

func (w *world) close() {
	w.t.Helper()
	if err := w.core.Close(); err != nil {
		w.t.Errorf("Close: %v", err)
	}
}

func (w *world) fault(faults ...sandboxfault.Fault) {
	w.t.Helper()
	if err := w.faults.Set(faults); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) fired(kind string) int64 {
	for _, k := range w.faults.Kinds() {
		if k.Kind == kind {
			return k.Fired
		}
	}
	w.t.Fatalf("no kind %q", kind)
	return 0
}

// A reply is what came back; status 0 means nothing whole.
type reply struct {
	status int
	header http.Header
	body   string
	signed error // whether the core's signature holds
}

// patience is the bank's deadline.
const patience = 10 * time.Second

func (w *world) call(method, path string, body any) reply {
	text := ""
	switch b := body.(type) {
	case nil:
	case string:
		text = b
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			w.t.Error(err)
		}
		text = string(raw)
	}
	r := httptest.NewRequest(method, "https://core.example/core/v1"+path, strings.NewReader(text))
	r.Header.Set("Content-Digest", contentDigest([]byte(text)))
	sign(requestMessage(r), requestComponents, newStamp(time.Now(), newNonce(), w.keyID), w.key)
	return w.send(r)
}

// send hands r to the core as a server would, and waits as long as the bank does.
func (w *world) send(r *http.Request) (got reply) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	recorder := httptest.NewRecorder()
	defer func() {
		if broken := recover(); broken != nil {
			if err, ok := broken.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(broken)
			}
			got = reply{body: recorder.Body.String()}
		}
	}()
	w.core.Handler().ServeHTTP(recorder, r.WithContext(ctx))
	got = reply{status: recorder.Code, header: recorder.Header(), body: recorder.Body.String()}
	if got.header.Get("Refund-Core") != "sandbox" {
		w.t.Error("an answer without Refund-Core: sandbox")
	}
	s, err := verify(message{status: got.status, header: got.header}, []byte(got.body), answerComponents,
		map[string]ed25519.PublicKey{"core-1": TestKey().Public().(ed25519.PublicKey)})
	if err == nil {
		err = s.check(time.Now())
	}
	if err == nil && !strings.Contains(r.Header.Get("Signature-Input"), fmt.Sprintf("nonce=%q", s.nonce)) {
		err = fmt.Errorf("the answer does not echo the nonce")
	}
	got.signed = err
	return got
}

// json is the answer's fields; it must be signed and of that status.
func (r reply) json(t *testing.T, status int) map[string]any {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d, want %d: %s", r.status, status, r.body)
	}
	if r.signed != nil {
		t.Fatalf("the answer's signature: %v", r.signed)
	}
	var fields map[string]any
	if err := json.Unmarshal([]byte(r.body), &fields); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
	return fields
}

// reference makes the nth reference of a test.
func reference(n int) string { return fmt.Sprintf("RF%016d", n) }

// askFor is the body that asks for the whole of a seeded request.
func (w *world) askFor(ref, requestID string) submission {
	w.t.Helper()
	for _, r := range w.core.cfg.Requests {
		if r.ID == requestID {
			return submission{ref, requestID, r.Amount, r.PaidFromIBAN, party{r.PayerKind, r.PayerNumber}}
		}
	}
	w.t.Fatalf("no request %q", requestID)
	return submission{}
}

func (w *world) submit(ref, requestID string) reply {
	w.t.Helper()
	return w.call(http.MethodPost, "/refunds", w.askFor(ref, requestID))
}

func (w *world) status(ref string) reply { return w.call(http.MethodGet, "/refunds/"+ref, nil) }

// released is how often money left for a request, net of returns.
func (w *world) released(requestID string) (net int) {
	for _, e := range w.core.Truth() {
		if e.RequestID == requestID {
			net += e.Released - e.Returned
		}
	}
	return net
}

// settled waits until every pending refund has ended.
func (w *world) settled() {
	time.Sleep(w.core.cfg.SettleMax + time.Second)
	synctest.Wait()
}

func wantField(t *testing.T, fields map[string]any, name string, want any) {
	t.Helper()
	if got := fields[name]; got != want {
		t.Errorf("%s = %v, want %v", name, got, want)
	}
}

func isRequest(id string) func(sandboxseed.Request) bool {
	return func(r sandboxseed.Request) bool { return r.ID == id }
}

func crowdOf(n int) []sandboxseed.Request { return sandboxseed.New(n, start).Requests }

func crowdRequest(n int) string { return fmt.Sprintf("rq-c%05d-1", n+1) }
