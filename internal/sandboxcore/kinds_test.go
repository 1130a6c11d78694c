package sandboxcore

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxfault"
)

// ofListeners are kinds that close a listener, which is not the core's: their
// tests are in internal/sandbox.
var ofListeners = []string{sandboxfault.Stop, sandboxfault.Flapping}

// A stage is what a kind is seen on: a core in a bubble, and who is called back.
type stage struct {
	*world
	gateway *gateway
	kind    string
}

// rows is one scene per kind: what a raw client sees while it is on, and what
// the book says afterwards.
var rows = map[string]func(t *testing.T, s *stage){
	sandboxfault.HangBefore:        unaffected(0, nil),
	sandboxfault.ResetBeforeEffect: unaffected(0, nil),
	sandboxfault.Unavailable:       unaffected(503, retryAfter("1")),
	sandboxfault.TooMany:           unaffected(429, retryAfter("1")),
	sandboxfault.ErrorBefore:       unaffected(500, signed),
	sandboxfault.Unauthorized:      unaffected(401, unsigned),
	sandboxfault.Forbidden:         unaffected(403, unsigned),
	sandboxfault.OddRetryAfter:     oddRetryAfter,
	sandboxfault.Maintenance: unaffected(503, func(t *testing.T, got reply) {
		if end, err := http.ParseTime(got.header.Get("Retry-After")); err != nil || time.Until(end) != sandboxfault.MaintenanceFor {
			t.Errorf("Retry-After %q: %v", got.header.Get("Retry-After"), err)
		}
	}),
	sandboxfault.Redirect:   redirect,
	sandboxfault.LateEffect: lateEffect,

	sandboxfault.EffectThenHang:    affected(0, nil),
	sandboxfault.ResetBeforeAnswer: affected(0, func(t *testing.T, got reply) { wantBody(t, got, "") }),
	sandboxfault.ResetMidAnswer: affected(0, func(t *testing.T, got reply) {
		if got.body == "" || json.Valid([]byte(got.body)) {
			t.Errorf("body: %q", got.body)
		}
	}),
	sandboxfault.Trickle: affected(0, func(t *testing.T, got reply) {
		if n := len(got.body); n < 10 || n > 11 || strings.TrimSpace(got.body) != "" {
			t.Errorf("within %v came %q", patience, got.body)
		}
	}),
	sandboxfault.ErrorAfter: affected(500, func(t *testing.T, got reply) {
		signed(t, got)
		if strings.Contains(got.body, "GC-") {
			t.Errorf("a 500 tells what came of it: %s", got.body)
		}
	}),
	sandboxfault.HTML: affected(200, func(t *testing.T, got reply) {
		unsigned(t, got)
		if !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") || !strings.Contains(got.body, "<p>") {
			t.Errorf("%s: %s", got.header.Get("Content-Type"), got.body)
		}
	}),
	sandboxfault.Malformed: affected(201, func(t *testing.T, got reply) {
		signed(t, got)
		if json.Valid([]byte(got.body)) {
			t.Errorf("body: %s", got.body)
		}
	}),
	sandboxfault.HugeAnswer: affected(201, func(t *testing.T, got reply) {
		if len(got.body) < hugeAnswer {
			t.Errorf("only %d bytes", len(got.body))
		}
		wantField(t, got.json(t, 201), "reference", reference(1))
	}),
	sandboxfault.GzipBomb:     affected(201, aBomb),
	sandboxfault.BadSignature: affected(201, unsigned),
	sandboxfault.ExpiredSignature: affected(201, func(t *testing.T, got reply) {
		if !errors.Is(got.signed, errWindow) {
			t.Errorf("the signature: %v", got.signed)
		}
	}),
	sandboxfault.WrongKeyID: affected(201, func(t *testing.T, got reply) {
		if !errors.Is(got.signed, errSignature) || !strings.Contains(got.header.Get("Signature-Input"), `keyid="core-0"`) {
			t.Errorf("the signature: %v", got.signed)
		}
	}),
	sandboxfault.ClockAhead:  affected(201, clockOffBy(10*time.Minute)),
	sandboxfault.ClockBehind: affected(201, clockOffBy(-10*time.Minute)),
	sandboxfault.WrongEcho:   wrongEcho,
	sandboxfault.UnknownState: affected(201, func(t *testing.T, got reply) {
		if state := got.json(t, 201)["state"]; state == "pending" || state == "refunded" || state == nil {
			t.Errorf("state %v", state)
		}
	}),
	sandboxfault.ReferenceReused: referenceReused,

	sandboxfault.Well: affected(201, func(t *testing.T, got reply) { wantField(t, got.json(t, 201), "state", "pending") }),
	sandboxfault.Late: slowly(affected(201, signed)), sandboxfault.SlowBody: slowly(affected(201, signed)),
	sandboxfault.ShuffledFields: affected(201, func(t *testing.T, got reply) {
		if fields := got.json(t, 201); len(fields) != 6 || strings.HasPrefix(got.body, `{"reference"`) {
			t.Errorf("body: %s", got.body)
		}
	}),
	sandboxfault.UnknownFields: affected(201, func(t *testing.T, got reply) {
		if fields := got.json(t, 201); len(fields) != 7 {
			t.Errorf("body: %s", got.body)
		}
	}),

	sandboxfault.StaleStatus:       staleStatus,
	sandboxfault.Contradiction:     contradiction,
	sandboxfault.Forgets:           forgets,
	sandboxfault.RejectedLater:     rejectedLater,
	sandboxfault.Reversed:          reversed,
	sandboxfault.ConsumedMeanwhile: refusedFor(codeFeeConsumed),
	sandboxfault.AmountChanged:     refusedFor(codeAmountChanged),

	sandboxfault.DuplicateCallback: calledBack(2, 2),
	sandboxfault.CallbackStorm:     calledBack(10, 10),
	sandboxfault.LateCallback:      calledBack(0, 1),
	sandboxfault.DayLateCallback:   dayLateCallback,
	sandboxfault.OrphanCallback:    orphanCallback,
	sandboxfault.UnorderedCallback: unorderedCallback,
	sandboxfault.EarlyCallback:     earlyCallback,
}

func TestEveryKind(t *testing.T) {
	for _, k := range sandboxfault.NewBoard(1).Kinds() {
		if slices.Contains(ofListeners, k.Kind) {
			continue
		}
		t.Run(k.Kind, func(t *testing.T) {
			scene := rows[k.Kind]
			if scene == nil {
				t.Fatal("nobody has seen this kind: it needs a row")
			}
			g := new(gateway)
			inBubble(t, func(cfg *Config) { calling(g)(cfg); cfg.Dir = t.TempDir() }, func(w *world) {
				scene(t, &stage{world: w, gateway: g, kind: k.Kind})
				if t.Failed() {
					return
				}
				if n := w.fired(k.Kind); n == 0 {
					t.Error("it isn't counted")
				}
				again := killed(w, nil)
				defer again.close()
				synctest.Wait()
				for i, e := range w.core.Truth() {
					if got := again.core.Truth()[i]; got != e {
						t.Errorf("after a kill the book says %+v, before %+v", got, e)
					}
				}
			})
		})
	}
	if len(rows)+len(ofListeners) != len(sandboxfault.NewBoard(1).Kinds()) {
		t.Error("there are rows of kinds that there aren't")
	}
}

func (s *stage) on(call string) { s.always(s.kind, call) }

func (s *stage) submitOne() reply {
	s.t.Helper()
	return s.submit(reference(1), "rq-p01-1")
}

// effect is what the book says of the first reference.
func (s *stage) effect() (e Effect) {
	for _, e := range s.core.Truth() {
		if e.Reference == reference(1) {
			return e
		}
	}
	return Effect{}
}

func (s *stage) wantReleased(t *testing.T, n int) {
	t.Helper()
	if got := s.released("rq-p01-1"); got != n {
		t.Errorf("released %d, want %d", got, n)
	}
}

// unaffected: the answer decides nothing, and nothing has happened. A re-send is
// the first that arrives.
func unaffected(status int, check func(*testing.T, reply)) func(*testing.T, *stage) {
	return func(t *testing.T, s *stage) {
		s.on(sandboxfault.CallSubmit)
		got := s.submitOne()
		if got.status != status {
			t.Fatalf("status %d, want %d: %s", got.status, status, got.body)
		}
		if check != nil {
			check(t, got)
		}
		if call := s.lastCall(reference(1)); call.Effect || call.Status != status || call.Fault != s.kind {
			t.Errorf("history: %+v", call)
		}
		s.settled()
		s.wantReleased(t, 0)
		s.faults.Clear()
		s.status(reference(1)).json(t, http.StatusNotFound)
		s.submitOne().json(t, http.StatusCreated)
		s.settled()
		s.wantReleased(t, 1)
	}
}

// affected: the effect is there, whatever the answer says. A re-send is told of
// the first.
func affected(status int, check func(*testing.T, reply)) func(*testing.T, *stage) {
	return func(t *testing.T, s *stage) {
		s.on(sandboxfault.CallSubmit)
		got := s.submitOne()
		if got.status != status {
			t.Fatalf("status %d, want %d: %.200s", got.status, status, got.body)
		}
		if check != nil {
			check(t, got)
		}
		if call := s.core.History(reference(1))[0]; !call.Effect || call.Fault != s.kind {
			t.Errorf("history: %+v", call)
		}
		s.settled()
		s.wantReleased(t, 1)
		s.faults.Clear()
		s.submitOne().json(t, http.StatusOK)
		wantField(t, s.status(reference(1)).json(t, http.StatusOK), "state", "refunded")
		s.settled()
		s.wantReleased(t, 1)
	}
}

func signed(t *testing.T, got reply) {
	t.Helper()
	if got.signed != nil {
		t.Errorf("the signature: %v", got.signed)
	}
}

func unsigned(t *testing.T, got reply) {
	t.Helper()
	if got.signed == nil {
		t.Error("the signature holds")
	}
}

func wantBody(t *testing.T, got reply, body string) {
	t.Helper()
	if got.body != body {
		t.Errorf("body %q, want %q", got.body, body)
	}
}

func retryAfter(when string) func(*testing.T, reply) {
	return func(t *testing.T, got reply) {
		unsigned(t, got)
		if at := got.header.Get("Retry-After"); at != when {
			t.Errorf("Retry-After %q, want %q", at, when)
		}
	}
}

func slowly(scene func(*testing.T, *stage)) func(*testing.T, *stage) {
	return func(t *testing.T, s *stage) {
		began := time.Now()
		scene(t, s)
		if waited := time.Since(began) - 2*(s.core.cfg.SettleMax+time.Second); waited <= 0 || waited > 4*time.Second {
			t.Errorf("answered after %v", waited)
		}
	}
}

func clockOffBy(off time.Duration) func(*testing.T, reply) {
	return func(t *testing.T, got reply) {
		input, _, err := signatureFields(got.header)
		if err != nil {
			t.Fatal(err)
		}
		s, err := parseStamp(input.params)
		if err != nil || !errors.Is(got.signed, errWindow) {
			t.Errorf("%v, %v", err, got.signed)
		}
		if by := time.Until(time.Unix(s.created, 0)).Round(time.Minute); by != off {
			t.Errorf("the clock is off by %v, want %v", by, off)
		}
	}
}

// oddRetryAfter: each of the five is seen before long.
func oddRetryAfter(t *testing.T, s *stage) {
	s.on(sandboxfault.CallSubmit)
	seen := make(map[string]bool)
	for range 200 {
		got := s.submitOne()
		if got.status != http.StatusServiceUnavailable {
			t.Fatalf("status %d", got.status)
		}
		when := got.header.Get("Retry-After")
		switch date, err := http.ParseTime(when); {
		case when == "0", when == "1000000000":
			seen[when] = true
		case err == nil && time.Until(date) > 0:
			seen["a date"] = true
		case len(when) <= 2:
			seen["seconds"] = true
		default:
			seen["garbage"] = true
		}
	}
	if len(seen) != 5 {
		t.Errorf("only %v", seen)
	}
	s.settled()
	s.wantReleased(t, 0)
}

func redirect(t *testing.T, s *stage) {
	s.on(sandboxfault.CallSubmit)
	seen := make(map[int]bool)
	for range 100 {
		got := s.submitOne()
		seen[got.status] = true
		if got.header.Get("Location") != "/core/v1/elsewhere/"+reference(1) {
			t.Fatalf("Location %q", got.header.Get("Location"))
		}
	}
	if len(seen) != 4 || !seen[302] || !seen[303] || !seen[307] || !seen[308] {
		t.Errorf("statuses %v", seen)
	}
	s.settled()
	s.wantReleased(t, 0)
	for _, call := range s.core.History(reference(1)) {
		if call.Call != sandboxfault.CallSubmit {
			t.Errorf("history: %+v", call)
		}
	}
	s.call(http.MethodPost, "/elsewhere/"+reference(1), "{}")
	if call := s.lastCall(reference(1)); call.Call != "elsewhere" || call.Method != http.MethodPost {
		t.Errorf("history of somebody who followed: %+v", call)
	}
}

// lateEffect: silence, a truthful 404, a re-send that is silence too, and then
// the effect, once.
func lateEffect(t *testing.T, s *stage) {
	s.on(sandboxfault.CallSubmit)
	called := time.Now()
	if got := s.submitOne(); got.status != 0 {
		t.Fatalf("answered %d", got.status)
	}
	s.status(reference(1)).json(t, http.StatusNotFound)
	if call := s.core.History(reference(1))[0]; call.Effect || call.Fault != s.kind {
		t.Errorf("history: %+v", call)
	}
	soon := killed(s.world, nil) // what is queued survives a kill
	defer soon.close()
	s.submitOne()
	time.Sleep(time.Until(called.Add(lateEffectMax + 2*time.Second)))
	synctest.Wait()
	for _, w := range []*world{s.world, soon} {
		wantField(t, w.status(reference(1)).json(t, http.StatusOK), "state", "refunded")
		if n := w.released("rq-p01-1"); n != 1 {
			t.Errorf("released %d, want 1", n)
		}
	}
	if call := s.core.History(reference(1))[0]; !call.Effect || call.Status != 0 {
		t.Errorf("history: %+v", call)
	}
	s.submitOne().json(t, http.StatusOK) // known by now: the fault is of first submissions
	time.Sleep(2 * lateEffectMax)
	s.wantReleased(t, 1)
}

func aBomb(t *testing.T, got reply) {
	signed(t, got)
	if len(got.body) > 4<<20 || got.header.Get("Content-Encoding") != "gzip" || bombMember*bombMembers <= 1<<30 {
		t.Errorf("%d bytes of %q", len(got.body), got.header.Get("Content-Encoding"))
	}
	wire := strings.NewReader(got.body) // an io.ByteReader: nothing is read beyond a member
	packed, err := gzip.NewReader(wire)
	if err != nil {
		t.Fatal(err)
	}
	packed.Multistream(false)
	body, err := io.ReadAll(packed)
	if err != nil || !json.Valid(body) {
		t.Errorf("the first member is %q: %v", body, err)
	}
	rest := wire.Len()
	if err := packed.Reset(wire); err != nil {
		t.Fatal(err)
	}
	packed.Multistream(false)
	blank, err := io.ReadAll(packed)
	if err != nil || len(blank) != bombMember || len(bytes.TrimSpace(blank)) != 0 || (rest-wire.Len())*bombMembers != rest {
		t.Errorf("then come members of %d bytes: %v", len(blank), err)
	}
}

// wrongEcho: each of the four is seen before long, and only one at a time.
func wrongEcho(t *testing.T, s *stage) {
	affected(201, signed)(t, s)
	right := s.status(reference(1)).json(t, http.StatusOK)
	s.on(sandboxfault.CallStatus)
	seen := make(map[string]bool)
	for range 100 {
		got := s.status(reference(1)).json(t, http.StatusOK)
		var wrong []string
		for field, is := range right {
			if got[field] != is {
				wrong = append(wrong, field)
				seen[field] = true
			}
		}
		if len(wrong) != 1 {
			t.Errorf("wrong are %v", wrong)
		}
	}
	if len(seen) != 4 {
		t.Errorf("only %v", seen)
	}
	// Who was faster is no echo.
	s.on(sandboxfault.CallSubmit)
	for range 20 {
		if got := s.submit(reference(2), "rq-p01-1").json(t, http.StatusConflict); got["reference"] != reference(1) || got["request_id"] == "rq-p01-1" {
			t.Errorf("refused: %v", got)
		}
	}
}

func referenceReused(t *testing.T, s *stage) {
	s.on(sandboxfault.CallSubmit)
	for _, what := range []string{"sent", "re-sent"} {
		got := s.submitOne().json(t, http.StatusConflict)
		if got["code"] != codeReferenceReused || got["final"] != nil {
			t.Errorf("%s: %v", what, got)
		}
	}
	s.settled()
	s.wantReleased(t, 1)
	s.faults.Clear()
	s.submitOne().json(t, http.StatusOK)
}

func staleStatus(t *testing.T, s *stage) {
	s.on(sandboxfault.CallStatus)
	s.submitOne().json(t, http.StatusCreated)
	wantField(t, s.status(reference(1)).json(t, http.StatusNotFound), "code", codeUnknownReference)
	s.settled()
	wantField(t, s.status(reference(1)).json(t, http.StatusOK), "state", "pending")
	if n := s.fired(s.kind); n != 2 {
		t.Errorf("fired %d, want 2", n)
	}
	s.status(reference(2)).json(t, http.StatusNotFound) // of which nothing could be stale
	if n := s.fired(s.kind); n != 2 {
		t.Errorf("fired %d, want 2", n)
	}
	s.wantReleased(t, 1)
}

func contradiction(t *testing.T, s *stage) {
	s.core.cfg.SettleMin, s.core.cfg.SettleMax = 5*time.Minute, 5*time.Minute
	s.on(sandboxfault.CallStatus)
	s.submitOne().json(t, http.StatusCreated)
	wantField(t, s.status(reference(1)).json(t, http.StatusOK), "state", "pending") // too young
	time.Sleep(staleFor + time.Second)
	after := killed(s.world, nil) // which knows whom it told
	defer after.close()
	after.always(s.kind, sandboxfault.CallStatus)
	for _, w := range []*world{s.world, after} {
		wantField(t, w.status(reference(1)).json(t, http.StatusNotFound), "code", codeUnknownReference)
		w.faults.Clear()
		wantField(t, w.status(reference(1)).json(t, http.StatusOK), "state", "pending")
	}
	s.settled()
	s.wantReleased(t, 1)

	// Of what it has told nobody it can't say the contrary.
	s.always(sandboxfault.EffectThenHang, sandboxfault.CallSubmit)
	s.submit(reference(2), "rq-p03-1")
	time.Sleep(staleFor + time.Second)
	s.on(sandboxfault.CallStatus)
	s.status(reference(2)).json(t, http.StatusOK)
}

// forgets: as if never seen, and one effect all the same.
func forgets(t *testing.T, s *stage) {
	s.submitOne().json(t, http.StatusCreated)
	s.fault(sandboxfault.Fault{Kind: s.kind, Count: 1, Match: sandboxfault.Match{Call: sandboxfault.CallStatus}})
	wantField(t, s.status(reference(1)).json(t, http.StatusNotFound), "code", codeUnknownReference)
	after := killed(s.world, nil)
	defer after.close()
	s.settled()
	for _, w := range []*world{s.world, after} {
		w.status(reference(1)).json(t, http.StatusNotFound) // for good
		for range 2 {
			got := w.submit(reference(1), "rq-p01-1").json(t, http.StatusConflict)
			wantField(t, got, "code", codeAlreadyRefunded)
			wantField(t, got, "channel", channelBank)
			wantField(t, got, "reference", reference(1))
			w.status(reference(1)).json(t, http.StatusNotFound) // and no lie about what it refused
		}
		w.call(http.MethodPost, "/refunds/"+reference(1)+"/return", `{"reason":"AC04"}`).json(t, http.StatusConflict)
		if got := w.call(http.MethodGet, "/refunds", nil); !strings.Contains(got.body, reference(1)) {
			t.Errorf("the list: %s", got.body)
		}
		if n := w.released("rq-p01-1"); n != 1 {
			t.Errorf("released %d, want 1", n)
		}
	}

	// What was returned before it was forgotten is free: the same reference again is a refund like any other.
	s.faults.Clear()
	s.submit(reference(4), "rq-p08-1").json(t, http.StatusCreated)
	s.settled()
	s.call(http.MethodPost, "/refunds/"+reference(4)+"/return", `{"reason":"AC04"}`).json(t, http.StatusOK)
	s.on(sandboxfault.CallStatus)
	s.status(reference(4)).json(t, http.StatusNotFound)
	s.faults.Clear()
	s.submit(reference(4), "rq-p08-1").json(t, http.StatusCreated)
	s.settled()
	wantField(t, s.status(reference(4)).json(t, http.StatusOK), "state", "refunded")
	if net := s.released("rq-p08-1"); net != 1 {
		t.Errorf("net %d released, want 1", net)
	}

	// A re-send may be what it forgets at.
	s.submit(reference(3), "rq-p03-1").json(t, http.StatusCreated)
	s.on(sandboxfault.CallSubmit)
	wantField(t, s.submit(reference(3), "rq-p03-1").json(t, http.StatusConflict), "reference", reference(3))
}

func rejectedLater(t *testing.T, s *stage) {
	s.on(sandboxfault.CallSubmit)
	wantField(t, s.submitOne().json(t, http.StatusCreated), "state", "pending")
	s.settled()
	got := s.status(reference(1)).json(t, http.StatusOK)
	wantField(t, got, "state", "rejected")
	wantField(t, got, "code", codeFeeConsumed)
	s.wantReleased(t, 0)
}

// reversed: released, told, taken back by the core, told.
func reversed(t *testing.T, s *stage) {
	s.on(sandboxfault.CallSubmit)
	s.submitOne().json(t, http.StatusCreated)
	time.Sleep(s.core.cfg.SettleMax + reverseAtLeast - time.Millisecond)
	synctest.Wait()
	wantField(t, s.status(reference(1)).json(t, http.StatusOK), "state", "refunded")
	soon := killed(s.world, nil)
	defer soon.close()
	time.Sleep(reverseMax)
	synctest.Wait()
	for _, w := range []*world{s.world, soon} {
		wantField(t, w.status(reference(1)).json(t, http.StatusOK), "state", "returned")
		ask := w.askFor(reference(1), "rq-p01-1")
		want := Effect{
			RequestID: "rq-p01-1", Reference: reference(1), Channel: channelBank, Amount: ask.Amount, IBAN: ask.IBAN, Released: 1, Reversed: 1,
		}
		if got := (&stage{world: w}).effect(); got != want {
			t.Errorf("the truth is %+v, want %+v", got, want)
		}
		got := w.submit(reference(2), "rq-p01-1").json(t, http.StatusConflict) // the request stays taken
		wantField(t, got, "code", codeAlreadyRefunded)
		wantField(t, got, "reference", reference(1))
	}
	told := s.gateway.seen(t, 2)
	wantField(t, told[0], "state", "refunded")
	wantField(t, told[1], "state", "returned")

	// What the bank has returned before is not taken back again.
	s.submit(reference(3), "rq-p03-1").json(t, http.StatusCreated)
	s.settled()
	s.call(http.MethodPost, "/refunds/"+reference(3)+"/return", `{"reason":"AC04"}`).json(t, http.StatusOK)
	time.Sleep(reverseMax)
	synctest.Wait()
	if net := s.released("rq-p03-1"); net != 0 {
		t.Errorf("net %d", net)
	}
}

// refusedFor: between preview and confirm the book has changed, for everybody.
func refusedFor(code string) func(*testing.T, *stage) {
	return func(t *testing.T, s *stage) {
		s.on(sandboxfault.CallSubmit)
		first := s.submitOne()
		got := first.json(t, http.StatusConflict)
		wantField(t, got, "code", code)
		wantField(t, got, "final", true)
		s.faults.Clear()
		after := killed(s.world, nil)
		defer after.close()
		for _, w := range []*world{s.world, after} {
			wantBody(t, w.submit(reference(1), "rq-p01-1"), first.body)
			wantField(t, w.submit(reference(2), "rq-p01-1").json(t, http.StatusConflict), "code", code)
			was := w.core.cfg.Requests[slices.IndexFunc(w.core.cfg.Requests, isRequest("rq-p01-1"))]
			is := w.core.Requests()[slices.IndexFunc(w.core.Requests(), isRequest("rq-p01-1"))]
			if changed := is.Amount != was.Amount; changed != (code == codeAmountChanged) || is.Amount <= 0 {
				t.Errorf("the amount was %d, is %d", was.Amount, is.Amount)
			}
			if used := is.State == "consumed"; used != (code == codeFeeConsumed) {
				t.Errorf("the request is %s", is.State)
			}
			if code == codeAmountChanged { // its new balance can be asked for
				ask := w.askFor(reference(3), "rq-p01-1")
				ask.Amount = is.Amount
				w.call(http.MethodPost, "/refunds", ask).json(t, http.StatusCreated)
			}
		}
	}
}

// calledBack: that many callbacks at once, and so many after an hour.
func calledBack(atOnce, later int) func(*testing.T, *stage) {
	return func(t *testing.T, s *stage) {
		s.on(sandboxfault.CallCallback)
		s.submitOne().json(t, http.StatusCreated)
		time.Sleep(s.core.cfg.SettleMax)
		s.gateway.seen(t, atOnce)
		time.Sleep(time.Hour)
		for _, told := range s.gateway.seen(t, later) {
			wantField(t, told, "event_id", s.gateway.got[0]["event_id"])
			wantField(t, told, "reference", reference(1))
		}
		s.wantReleased(t, 1)
	}
}

// dayLateCallback: a day late it comes, once, from whoever is alive by then.
func dayLateCallback(t *testing.T, s *stage) {
	s.on(sandboxfault.CallCallback)
	s.submitOne().json(t, http.StatusCreated)
	s.settled()
	settled := time.Now()
	s.status(reference(1)).json(t, http.StatusOK) // by now all of it is on disk
	called := new(gateway)
	after := killed(s.world, nil, calling(called), func(cfg *Config) { cfg.Faults = s.faults })
	defer after.close()
	time.Sleep(dayLate - time.Minute)
	for _, g := range []*gateway{s.gateway, called} {
		g.seen(t, 0)
	}
	time.Sleep(time.Hour)
	for _, g := range []*gateway{s.gateway, called} {
		wantField(t, g.seen(t, 1)[0], "state", "refunded")
		if late := g.at[0].Sub(settled).Round(time.Minute); late != dayLate {
			t.Errorf("%v late", late)
		}
	}
}

func orphanCallback(t *testing.T, s *stage) {
	s.on(sandboxfault.CallCallback)
	s.submitOne().json(t, http.StatusCreated)
	s.settled()
	told := s.gateway.seen(t, 2)
	wantField(t, told[0], "reference", reference(1))
	orphan, _ := told[1]["reference"].(string)
	if !referenceForm.MatchString(orphan) || orphan == reference(1) || told[1]["event_id"] == told[0]["event_id"] {
		t.Errorf("told of %v", told[1])
	}
	s.status(orphan).json(t, http.StatusNotFound)
	s.wantReleased(t, 1)
}

func unorderedCallback(t *testing.T, s *stage) {
	s.on(sandboxfault.CallCallback)
	s.submitOne().json(t, http.StatusCreated)
	s.settled()
	told := s.gateway.seen(t, 2)
	wantField(t, told[0], "state", "refunded")
	wantField(t, told[1], "state", "pending")
	if first, _ := told[0]["at"].(string); told[1]["at"].(string) >= first {
		t.Errorf("told of %v, then of %v", first, told[1]["at"])
	}
	s.wantReleased(t, 1)
}

// earlyCallback: whoever is called back has no answer yet.
func earlyCallback(t *testing.T, s *stage) {
	s.on(sandboxfault.CallSubmit)
	s.gateway.slow = 2 * time.Second
	began := time.Now()
	s.submitOne().json(t, http.StatusCreated)
	if waited := time.Since(began); waited != 2*time.Second {
		t.Errorf("answered after %v", waited)
	}
	told := s.gateway.seen(t, 1)[0]
	wantField(t, told, "reference", reference(1))
	wantField(t, told, "state", "pending")
	s.settled()
	s.settled()
	wantField(t, s.gateway.seen(t, 2)[1], "state", "refunded")
	s.wantReleased(t, 1)
}

// TestResetsOverARealConnection: the client is told at once.
func TestResetsOverARealConnection(t *testing.T) {
	for kind, effect := range map[string]bool{
		sandboxfault.ResetBeforeEffect: false, sandboxfault.ResetBeforeAnswer: true, sandboxfault.ResetMidAnswer: true,
	} {
		t.Run(kind, func(t *testing.T) {
			w := open(t, testConfig())
			defer w.close()
			server := httptest.NewServer(w.core.Handler())
			defer server.Close()
			w.always(kind, sandboxfault.CallSubmit)
			err := w.sendOver(server)
			if whole := err == nil; whole || kind != sandboxfault.ResetMidAnswer && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the client sees: %v", err)
			}
			if got := w.lastCall(reference(1)); got.Effect != effect {
				t.Errorf("history: %+v", got)
			}
		})
	}
}

// sendOver submits over a real connection and reads the answer to its end.
func (w *world) sendOver(server *httptest.Server) error {
	body, err := json.Marshal(w.askFor(reference(1), "rq-p01-1"))
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, server.URL+"/core/v1/refunds", bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.GetBody = nil
	req.Header.Set("Content-Digest", contentDigest(body))
	sign(requestMessage(req), requestComponents, newStamp(time.Now(), newNonce(), w.keyID), w.key)
	resp, err := server.Client().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// TestManyFaultsAtOnce: whatever goes wrong with whomever, one request has one
// effect, and a kill in the middle loses nothing.
func TestManyFaultsAtOnce(t *testing.T) {
	g := new(gateway)
	inBubble(t, func(cfg *Config) {
		calling(g)(cfg)
		cfg.Dir, cfg.Requests = t.TempDir(), crowdOf(60)
	}, func(w *world) {
		var on []sandboxfault.Fault
		for _, k := range w.faults.Kinds() {
			if !slices.Contains(ofListeners, k.Kind) && k.Kind != sandboxfault.Well && k.Kind != sandboxfault.HugeAnswer {
				on = append(on, sandboxfault.Fault{Kind: k.Kind, Rate: 0.03})
			}
		}
		w.fault(on...)
		ask := func(w *world) {
			var all sync.WaitGroup
			for n := range 60 {
				all.Go(func() {
					for range 6 {
						w.submit(reference(n), crowdRequest(n))
						w.status(reference(n))
						w.call(http.MethodPost, "/refunds/"+reference(n)+"/return", `{"reason":"AC04"}`)
					}
				})
			}
			all.Wait()
		}
		ask(w)
		after := killed(w, nil)
		defer after.close()
		after.fault(on...)
		ask(after)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		for _, w := range []*world{w, after} {
			taken := make(map[string]int)
			for _, e := range w.core.Truth() {
				taken[e.RequestID] += e.Released - e.Returned - e.Reversed
				if e.Released > 1 || e.Returned+e.Reversed > e.Released {
					t.Errorf("the book allows %+v", e)
				}
			}
			for request, n := range taken {
				if n > 1 {
					t.Errorf("%s is released %d times net", request, n)
				}
			}
		}
	})
}
