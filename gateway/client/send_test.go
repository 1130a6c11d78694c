package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/gateway/client"
)

const (
	token = "eyJ.secret-token.sig"
	code  = "482915"
	idNo  = "2900000015"
	iban  = "SA4680000000055560800003"
)

// gateway is a gateway that answers what the test says, in turn, and keeps what it was asked.
type gateway struct {
	replies []reply
	asked   []asked
}

type reply struct {
	status int // 0: the connection breaks
	header map[string]string
	body   string
	late   time.Duration
	stream []any // instead of the body, see play
}

type asked struct {
	at     time.Duration // since the first
	call   string
	header http.Header
	body   string
}

var errBroken = errors.New("connection reset by peer")

func (g *gateway) RoundTrip(r *http.Request) (*http.Response, error) {
	a := asked{call: r.Method + " " + r.URL.RequestURI(), header: r.Header.Clone(), at: time.Duration(time.Now().UnixNano())}
	if r.Body != nil {
		body, _ := io.ReadAll(r.Body)
		a.body = string(body)
	}
	g.asked = append(g.asked, a)
	if len(g.replies) == 0 {
		return nil, errors.New("asked too often")
	}
	next := g.replies[0]
	g.replies = g.replies[1:]
	select {
	case <-time.After(next.late):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if next.status == 0 {
		return nil, errBroken
	}
	header := http.Header{"Content-Type": {"application/json"}}
	for name, value := range next.header {
		header.Set(name, value)
	}
	body := io.NopCloser(strings.NewReader(next.body))
	if next.stream != nil {
		reader, writer := io.Pipe()
		go play(r.Context(), writer, next.stream)
		body = reader
	}
	return &http.Response{
		StatusCode: next.status, Header: header, Body: body, Request: r,
		ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

// pauses are how long the client waited between the requests.
func (g *gateway) pauses() []time.Duration {
	var pauses []time.Duration
	for i := 1; i < len(g.asked); i++ {
		pauses = append(pauses, g.asked[i].at-g.asked[i-1].at)
	}
	return pauses
}

func (g *gateway) client(t *testing.T, options ...client.Option) *client.Client {
	t.Helper()
	c, err := client.New("https://gateway.example/refunds", client.Token(token),
		append([]client.Option{client.HTTPClient(&http.Client{Transport: g})}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// problem is a refusal of the gateway's.
func problem(status int, code string, more ...string) reply {
	return reply{status: status, header: map[string]string{"Content-Type": "application/problem+json"}, body: fmt.Sprintf(
		`{"type":"urn:istirdad:problem:%[2]s","title":"T","status":%[1]d,"detail":"D","instance":"/","code":%[2]q,"request_id":"r-1"%[3]s}`,
		status, code, strings.Join(more, ""))}
}

var (
	broken   = reply{}
	tryAgain = problem(503, "try_again", `,"retry_after":2`)
	profile  = reply{status: 200, body: `{"customer_id":"c-1","name":{"ar":"ا","en":"A"},"id":{"kind":"iqama","number":"2******015"},"mobile":null,"accounts":[]}`}
	preview  = reply{status: 201, body: `{"refund_id":"f-1","status":"preview","service":"090-003","amount":{"amount":"650.00","currency":"SAR"}}`}
	accepted = reply{status: 202, body: `{"refund_id":"f-1","reference":"RFK5EWJTN6GVB8STYT","status":"processing","state":"queued","amount":{"amount":"650.00","currency":"SAR"}}`}
	sent     = reply{status: 201, body: `{"challenge_id":"ch-1","purpose":"profile"}`}
	done     = reply{status: 204}
)

// Every call of the API, and whether it is one that may be made again.
var calls = []struct {
	name   string
	safe   bool
	answer reply
	call   func(context.Context, *client.Client) error
}{
	{"profile", true, profile, func(ctx context.Context, c *client.Client) error { _, err := c.Profile(ctx); return err }},
	{"challenge", false, sent, func(ctx context.Context, c *client.Client) error { _, err := c.Challenge(ctx); return err }},
	{"refund challenge", false, sent, func(ctx context.Context, c *client.Client) error { _, err := c.ChallengeRefund(ctx, "f-1"); return err }},
	{"resend", false, sent, func(ctx context.Context, c *client.Client) error { _, err := c.Resend(ctx, "ch-1"); return err }},
	{"verify", false, reply{status: 200, body: `{"verified":true}`}, func(ctx context.Context, c *client.Client) error {
		_, err := c.Verify(ctx, "ch-1", code)
		return err
	}},
	{"payments", true, reply{status: 200, body: `{"items":[]}`}, func(ctx context.Context, c *client.Client) error { _, err := c.Payments(ctx); return err }},
	{"services", true, reply{status: 200, body: `{"items":[]}`}, func(ctx context.Context, c *client.Client) error { _, err := c.Services(ctx); return err }},
	{"requests", true, reply{status: 200, body: `{"items":[],"next_cursor":null}`}, func(ctx context.Context, c *client.Client) error {
		for _, err := range c.Requests(ctx, "090-003") {
			return err
		}
		return nil
	}},
	{"preview", true, preview, func(ctx context.Context, c *client.Client) error {
		_, err := c.Preview(ctx, client.Ask{RequestID: "rq-1", AccountNumber: iban, IDNumber: idNo})
		return err
	}},
	{"confirm", true, accepted, func(ctx context.Context, c *client.Client) error { _, err := c.Confirm(ctx, "f-1"); return err }},
	{"confirm with a code", false, accepted, func(ctx context.Context, c *client.Client) error {
		_, err := c.ConfirmWithCode(ctx, "f-1", "ch-1", code)
		return err
	}},
	{"refund", true, reply{status: 200, body: `{"refund_id":"f-1","status":"completed"}`}, func(ctx context.Context, c *client.Client) error {
		_, err := c.Refund(ctx, "f-1")
		return err
	}},
	{"refunds", true, reply{status: 200, body: `{"items":[],"next_cursor":null}`}, func(ctx context.Context, c *client.Client) error {
		for _, err := range c.Refunds(ctx) {
			return err
		}
		return nil
	}},
	{"receipt", true, reply{status: 200, body: "<html>"}, func(ctx context.Context, c *client.Client) error { _, err := c.Receipt(ctx, "f-1"); return err }},
	{"cancel", true, done, func(ctx context.Context, c *client.Client) error { return c.Cancel(ctx, "f-1") }},
	{"balance inquiry", false, reply{status: 200, body: `{"buckets":[]}`}, func(ctx context.Context, c *client.Client) error {
		_, err := c.BalanceInquiry(ctx, idNo)
		return err
	}},
	{"end of the session", true, done, func(ctx context.Context, c *client.Client) error { return c.EndSession(ctx) }},
	{"assist", false, reply{status: 201, body: `{"assisted_session_id":"as-1"}`}, func(ctx context.Context, c *client.Client) error {
		_, err := c.Assist(ctx, client.Attendance{IDNumber: idNo, DocumentSeen: true})
		return err
	}},
	{"verify at the counter", false, reply{status: 200, body: `{"verified":true}`}, func(ctx context.Context, c *client.Client) error {
		_, err := c.VerifyAssisted(ctx, "as-1", code)
		return err
	}},
	{"end at the counter", true, done, func(ctx context.Context, c *client.Client) error { return c.EndAssisted(ctx, "as-1") }},
}

// TestRepeated: what may be sent again is, with the same key and body, and what may not isn't.
func TestRepeated(t *testing.T) {
	for _, failure := range []struct {
		name string
		reply
		want error
		wait time.Duration // at least
	}{
		{"no answer", broken, client.ErrNoAnswer, 0},
		{"try_again", tryAgain, client.ErrTryAgain, 2 * time.Second},
		{"a proxy", reply{status: 502, body: "<html>"}, nil, 0},
	} {
		for _, tt := range calls {
			t.Run(tt.name+"/"+failure.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g := &gateway{replies: []reply{failure.reply, failure.reply, tt.answer}}
					err := tt.call(t.Context(), g.client(t))
					if !tt.safe {
						if len(g.asked) != 1 || err == nil || failure.want != nil && !errors.Is(err, failure.want) {
							t.Fatalf("sent %d times; the error is %v", len(g.asked), err)
						}
						return
					}
					if err != nil || len(g.asked) != 3 {
						t.Fatalf("sent %d times; the error is %v", len(g.asked), err)
					}
					for _, a := range g.asked[1:] {
						if a.call != g.asked[0].call || a.body != g.asked[0].body || a.header.Get("Idempotency-Key") != g.asked[0].header.Get("Idempotency-Key") {
							t.Errorf("at first %+v, then %+v", g.asked[0], a)
						}
					}
					for _, p := range g.pauses() {
						if p < failure.wait || p > failure.wait+time.Second {
							t.Errorf("the pauses are %v", g.pauses())
						}
					}
				})
			})
		}
	}
}

// TestNotRepeated: a refusal is an answer.
func TestNotRepeated(t *testing.T) {
	for _, refusal := range []reply{
		problem(401, "unauthenticated"), problem(403, "step_up_required"), problem(404, "not_found"), problem(409, "refund_exists"),
		problem(429, "rate_limited", `,"retry_after":1`), problem(500, "internal"), problem(503, "core_unavailable", `,"retry_after":1`),
		problem(503, "maintenance", `,"retry_after":1`), {status: 307, header: map[string]string{"Location": "https://elsewhere.example/"}},
	} {
		for _, tt := range calls {
			g := &gateway{replies: []reply{refusal}}
			var p *client.Problem
			if err := tt.call(t.Context(), g.client(t)); !errors.As(err, &p) || p.Status != refusal.status || len(g.asked) != 1 {
				t.Errorf("%s, %d: %v after %d requests", tt.name, refusal.status, err, len(g.asked))
			}
		}
	}
}

// TestPatience: no attempt after the last, none past the deadline, none in an hour's time.
func TestPatience(t *testing.T) {
	tests := []struct {
		name    string
		replies []reply
		options []client.Option
		within  time.Duration // of the context; 0: unbounded
		want    error
		asked   int
		took    time.Duration // at most
	}{
		{"four times", slices.Repeat([]reply{broken}, 9), nil, 0, client.ErrNoAnswer, 4, 3 * time.Second},
		{"as often as asked", slices.Repeat([]reply{tryAgain}, 9), []client.Option{client.Attempts(2)}, 0, client.ErrTryAgain, 2, 3 * time.Second},
		{"once", slices.Repeat([]reply{tryAgain}, 9), []client.Option{client.Attempts(1)}, 0, client.ErrTryAgain, 1, 0},
		{"the deadline forbids the pause", slices.Repeat([]reply{tryAgain}, 9), nil, time.Second, client.ErrTryAgain, 1, 0},
		{"the deadline in an attempt", []reply{{status: 200, late: time.Hour}}, nil, time.Second, context.DeadlineExceeded, 1, time.Second},
		{"an attempt's own time", slices.Repeat([]reply{{status: 200, late: time.Hour}}, 2), []client.Option{client.Timeout(time.Minute), client.Attempts(2)},
			0, client.ErrNoAnswer, 2, 121 * time.Second},
		{"asked to wait for an hour", slices.Repeat([]reply{problem(503, "try_again", `,"retry_after":3600`)}, 9), nil, 0, client.ErrTryAgain, 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if tt.within > 0 {
					ctx, cancel = context.WithTimeout(ctx, tt.within)
				}
				defer cancel()
				g := &gateway{replies: tt.replies}
				began := time.Now()
				_, err := g.client(t, tt.options...).Profile(ctx)
				if took := time.Since(began); !errors.Is(err, tt.want) || len(g.asked) != tt.asked || took > tt.took {
					t.Errorf("%v after %d requests in %v", err, len(g.asked), took)
				}
			})
		})
	}
}

// TestRetryAfterDate: a proxy may say it as a date.
func TestRetryAfterDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where it is midnight of 2000-01-01
		g := &gateway{replies: []reply{{status: 503, header: map[string]string{"Retry-After": "Sat, 01 Jan 2000 00:00:09 GMT"}}, profile}}
		if _, err := g.client(t).Profile(t.Context()); err != nil || g.pauses()[0] != 9*time.Second {
			t.Errorf("%v after %v", err, g.pauses())
		}
	})
}

// TestCancelledContext: who doesn't want it any more gets no further attempt.
func TestCancelledContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel) // in the pause of two
		g := &gateway{replies: slices.Repeat([]reply{tryAgain}, 9)}
		if _, err := g.client(t).Profile(ctx); !errors.Is(err, client.ErrTryAgain) || len(g.asked) != 1 {
			t.Errorf("%v after %d requests", err, len(g.asked))
		}
	})
}

// TestGoneAlready: "none" after a lost answer is what was wanted, and otherwise it is an error.
func TestGoneAlready(t *testing.T) {
	gone := problem(404, "not_found")
	for _, tt := range []struct {
		name    string
		replies []reply
		want    error
	}{
		{"an answer was lost", []reply{broken, gone}, nil},
		{"a proxy gave up", []reply{{status: 504}, gone}, nil},
		{"there was none", []reply{gone}, client.ErrNotFound},
		{"nothing had been decided", []reply{tryAgain, gone}, client.ErrNotFound},
		{"it was too late", []reply{broken, problem(409, "too_late")}, client.ErrTooLate},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &gateway{replies: tt.replies}
				if err := g.client(t).Cancel(t.Context(), "f-1"); !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		over := problem(401, "unauthenticated") // which is what a session is told that has ended
		g := &gateway{replies: []reply{broken, over, over, broken, gone}}
		c := g.client(t)
		if err := c.EndSession(t.Context()); err != nil {
			t.Error(err)
		}
		if err := c.EndSession(t.Context()); !errors.Is(err, client.ErrUnauthenticated) {
			t.Error(err)
		}
		if err := c.EndAssisted(t.Context(), "as-1"); err != nil {
			t.Error(err)
		}
	})
}

// TestPreviewInProgress: the first attempt of a preview may still be running when the second arrives.
func TestPreviewInProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{replies: []reply{broken, problem(409, "idempotency_in_progress", `,"retry_after":1`),
			{status: 201, header: map[string]string{"Idempotent-Replay": "true"}, body: preview.body}}}
		p, err := g.client(t).Preview(t.Context(), client.Ask{RequestID: "rq-1", Key: "mine"})
		if err != nil || !p.Replayed || p.Amount != 65000 || g.asked[2].header.Get("Idempotency-Key") != "mine" {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

// TestOwnKeys: two previews have two keys.
func TestOwnKeys(t *testing.T) {
	g := &gateway{replies: []reply{preview, preview}}
	c := g.client(t)
	for range 2 {
		if _, err := c.Preview(t.Context(), client.Ask{RequestID: "rq-1"}); err != nil {
			t.Fatal(err)
		}
	}
	one, other := g.asked[0].header.Get("Idempotency-Key"), g.asked[1].header.Get("Idempotency-Key")
	if len(one) < 20 || one == other {
		t.Errorf("the keys are %q and %q", one, other)
	}
}

func TestProblem(t *testing.T) {
	g := &gateway{replies: []reply{
		problem(422, "code_wrong", `,"attempts_left":2,"a_newer_field":{}`),
		problem(400, "malformed_request", `,"errors":[{"pointer":"/code","code":"type"}]`),
		problem(409, "refund_exists", `,"links":{"refund":"/v1/refunds/f-0"}`),
		problem(429, "resend_too_soon", `,"retry_after":41`),
		problem(418, "of_a_newer_gateway"),
		{status: 413, header: map[string]string{"X-Request-Id": "r-9"}, body: "<html>"},
	}}
	c := g.client(t, client.Attempts(1))
	var got [6]*client.Problem
	for i := range got {
		_, err := c.Verify(t.Context(), "ch-1", code)
		if !errors.As(err, &got[i]) {
			t.Fatal(err)
		}
	}
	for i, holds := range []bool{
		errors.Is(got[0], client.ErrCodeWrong) && !errors.Is(got[0], client.ErrCodeUsed) && got[0].AttemptsLeft == 2 && got[0].Detail == "D",
		len(got[1].Faults) == 1 && got[1].Faults[0] == client.Fault{Pointer: "/code", Code: "type"},
		got[2].Links.Refund == "/v1/refunds/f-0" && got[2].RequestID == "r-1",
		got[3].RetryAfter == 41*time.Second,
		got[4].Code == "of_a_newer_gateway" && got[4].Error() == "client: 418 of_a_newer_gateway (request r-1)",
		got[5].Code == "" && got[5].Status == 413 && got[5].RequestID == "r-9",
	} {
		if !holds {
			t.Errorf("%d: %+v", i, got[i])
		}
	}
}

// TestWrongAnswers: an answer that isn't the contract's is an error, however it is wrong.
func TestWrongAnswers(t *testing.T) {
	for _, body := range []string{
		``, `<html>`, `[]`, `{"refund_id":7}`,
		`{"amount":{"amount":"6.5","currency":"SAR"}}`, `{"amount":{"amount":"650.00","currency":"USD"}}`, `{"amount":650}`,
		`{"promised_by":"soon"}`, strings.Repeat(" ", 5<<20) + `{}`,
	} {
		g := &gateway{replies: []reply{{status: 202, body: body}}}
		if got, err := g.client(t).Confirm(t.Context(), "f-1"); err == nil || len(g.asked) != 1 {
			t.Errorf("%.40q: %+v", body, got)
		}
	}
}

// TestSecrets: what was given to the client is in no error and in nothing that is printed.
func TestSecrets(t *testing.T) {
	given := []string{token, code, idNo, iban, "eyJ"}
	var said bytes.Buffer
	ask := client.Ask{RequestID: "rq-1", AccountNumber: iban, IDNumber: idNo}
	who := client.Attendance{IDNumber: idNo, IdentityCheck: &client.IdentityCheck{Note: iban}}
	fmt.Fprintf(&said, "%v %+v %#v %v %+v %#v\n", ask, ask, ask, who, who, who)
	slog.New(slog.NewJSONHandler(&said, nil)).Info("asked", "ask", ask, "who", who)
	for _, answer := range []reply{broken, tryAgain, problem(422, "code_wrong"), {status: 502}, {status: 200, body: "{"}} {
		for _, tt := range calls {
			g := &gateway{replies: []reply{answer}}
			c := g.client(t, client.Attempts(1))
			err := tt.call(t.Context(), c)
			if !strings.Contains(fmt.Sprint(g.asked[0].header), token) {
				t.Fatalf("%s: no token was sent", tt.name)
			}
			fmt.Fprintf(&said, "%v %+v %#v %v %+v %#v\n", err, err, err, c, c, c)
			for _, a := range g.asked {
				said.WriteString(a.call) // a URL is logged by everybody on the way
			}
		}
	}
	for _, secret := range given {
		if strings.Contains(said.String(), secret) {
			t.Errorf("%q was told:\n%s", secret, said.String())
		}
	}
}

// TestHeaders: what every request says.
func TestHeaders(t *testing.T) {
	g := &gateway{replies: []reply{profile, profile, profile}}
	for _, c := range []*client.Client{g.client(t), g.client(t, client.English()), g.client(t).Assisted("as-1")} {
		if _, err := c.Profile(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	first, second := g.asked[0], g.asked[1]
	if first.call != "GET /refunds/v1/profile" || first.header.Get("Authorization") != "Bearer "+token ||
		first.header.Get("Accept-Language") != "ar" || second.header.Get("Accept-Language") != "en" {
		t.Errorf("asked %+v, then %+v", first, second)
	}
	if first.header.Get("Assisted-Session") != "" || g.asked[2].header.Get("Assisted-Session") != "as-1" {
		t.Errorf("asked %+v, and at the counter %+v", first, g.asked[2])
	}
}

// TestOddIDs: an id is one element of the path, whatever it looks like.
func TestOddIDs(t *testing.T) {
	g := &gateway{replies: []reply{done}}
	if err := g.client(t).Cancel(t.Context(), "a/b?c#d%2e\u0661"); err != nil || g.asked[0].call != "DELETE /refunds/v1/refunds/a%2Fb%3Fc%23d%252e%D9%A1" {
		t.Errorf("%s: %v", g.asked[0].call, err)
	}
}

func TestNew(t *testing.T) {
	for _, tt := range []struct {
		url     string
		token   client.TokenSource
		options []client.Option
		ok      bool
	}{
		{"http://127.0.0.1:8080", client.Token(token), nil, true},
		{"https://bank.example/refunds/", client.Token(token), nil, true},
		{"bank.example", client.Token(token), nil, false},
		{"ftp://bank.example", client.Token(token), nil, false},
		{"https://user:password@bank.example", client.Token(token), nil, false},
		{"https://bank.example?a=b", client.Token(token), nil, false},
		{"https://bank.example", nil, nil, false},
		{"https://bank.example", client.Token(token), []client.Option{client.Attempts(0)}, false},
		{"https://bank.example", client.Token(token), []client.Option{client.Timeout(0)}, false},
		{"https://bank.example", client.Token(token), []client.Option{client.HTTPClient(nil)}, false},
	} {
		_, err := client.New(tt.url, tt.token, tt.options...)
		if (err == nil) != tt.ok || err != nil && strings.Contains(err.Error(), "password") {
			t.Errorf("%s: %v", tt.url, err)
		}
	}
}

// TestTokenSource: no token, no request.
func TestTokenSource(t *testing.T) {
	expired := errors.New("the session is over")
	g := &gateway{}
	c, err := client.New("https://gateway.example", func(context.Context) (string, error) { return "", expired },
		client.HTTPClient(&http.Client{Transport: g}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Profile(t.Context()); !errors.Is(err, expired) || len(g.asked) > 0 {
		t.Errorf("%v after %d requests", err, len(g.asked))
	}
}

// TestPages: a list is read page by page as it is walked, and no further.
func TestPages(t *testing.T) {
	page := func(next string, ids ...string) reply {
		return reply{status: 200, body: `{"items":[{"request_id":"` + strings.Join(ids, `"},{"request_id":"`) + `"}],"next_cursor":` + next + `}`}
	}
	g := &gateway{replies: []reply{page(`"c1"`, "a", "b"), page(`"c2"`, "c"), page(`null`, "d")}}
	// walk is the ids of at most that many requests, and the error that the list ended with.
	walk := func(most int) (ids []string, err error) {
		for r, err := range g.client(t).Requests(t.Context(), "090-003") {
			if err != nil {
				return ids, err
			}
			if ids = append(ids, r.RequestID); len(ids) == most {
				break
			}
		}
		return ids, nil
	}
	ids, err := walk(9)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(ids, []string{"a", "b", "c", "d"}) || g.asked[1].call != "GET /refunds/v1/payments/e-payments/090-003/requests?limit=100&cursor=c1" {
		t.Errorf("%v by %s", ids, g.asked[1].call)
	}

	g = &gateway{replies: []reply{page(`"c1"`, "a", "b")}}
	if ids, err := walk(1); err != nil || len(ids) != 1 || len(g.asked) != 1 {
		t.Errorf("%d pages were read for one item: %v", len(g.asked), err)
	}

	g = &gateway{replies: []reply{page(`"c1"`, "a"), problem(403, "step_up_required")}}
	if _, err := walk(9); !errors.Is(err, client.ErrStepUpRequired) {
		t.Errorf("the list ended with %v", err)
	}

	g = &gateway{replies: slices.Repeat([]reply{page(`"c1"`, "a")}, 9)}
	if _, err := walk(9); err == nil || len(g.asked) != 2 {
		t.Errorf("a list that turns in a circle ended with %v after %d pages", err, len(g.asked))
	}
}

func TestHalalas(t *testing.T) {
	for _, tt := range []struct {
		riyals string
		want   client.Halalas
		ok     bool
	}{
		{"0.00", 0, true}, {"0.05", 5, true}, {"650.00", 65000, true}, {"92233720368547758.07", 1<<63 - 1, true},
		{"92233720368547758.08", 0, false}, {"650", 0, false}, {"650.0", 0, false}, {"-1.00", 0, false}, {"1e3.00", 0, false}, {"007.00", 0, false}, {"", 0, false},
	} {
		got, err := client.ParseHalalas(tt.riyals)
		if got != tt.want || (err == nil) != tt.ok || err == nil && got.String() != tt.riyals || err != nil && !errors.Is(err, client.ErrAmount) {
			t.Errorf("%q: %d, %v", tt.riyals, got, err)
		}
	}
}

func TestDate(t *testing.T) {
	riyadh := time.FixedZone("Asia/Riyadh", 3*60*60)
	var d client.Date
	if err := d.UnmarshalText([]byte("2026-03-10")); err != nil || d.String() != "2026-03-10" ||
		!d.In(riyadh).Equal(time.Date(2026, 3, 9, 21, 0, 0, 0, time.UTC)) {
		t.Errorf("%v, %v", d, err)
	}
	if err := d.UnmarshalText([]byte("2026-02-30")); err == nil {
		t.Error("the thirtieth of February was taken")
	}
}
