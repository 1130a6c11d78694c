package sandbox_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api/apitest"
)

// ears remember what was said where a secret must not be: in the gateway's log and in its answers.
type ears struct {
	mu   sync.Mutex
	said bytes.Buffer
}

func (e *ears) Write(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.said.Write(b)
}

func (e *ears) text() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.said.String()
}

// What nobody has, typed in places where it doesn't belong.
const (
	strayID   = "1999999995"
	strayIBAN = "SA0380000999999999999999"
)

// TestNothingToldInLogs: people walk the path, well and badly, while everything around fails, with a log that misses
// nothing. No identity number, account, phone, code or token of anybody is in it, in an answer, or readable in the
// gateway's own files.
func TestNothingToldInLogs(t *testing.T) {
	t.Parallel()
	var log, answers ears
	dir := t.TempDir()
	w := apitest.Start(t, banktest.Dir(dir),
		banktest.Log(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}))),
		banktest.Hear(func(r *banktest.Response) { fmt.Fprintf(&answers, "%s\n%s\n", r.Header, r.Body) }))

	var tokens []string
	sign := func(user string) *banktest.Customer {
		c := w.Customer(user)
		tokens = append(tokens, c.Token)
		return c
	}
	walkWell(t, w, sign)
	walkBadly(t, sign("p01"))
	w.Forgive("p01")
	tokens = append(tokens, walkAtTheCounter(t, w))
	walkAmidFailure(t, w, sign)
	for _, path := range []string{"/healthz", "/readyz", "/ops/api/summary", "/metrics", "/ops/", "/ops/api/refunds"} {
		r := w.Ops(path)
		fmt.Fprintf(&answers, "%s\n%s\n%s\n", path, r.Header, fraction.ReplaceAll(r.Body, []byte(".")))
	}
	packs := tellAll(t, w, &answers)
	w.Exact()

	secrets := append(secretsOf(w), tokens...)
	for _, token := range tokens {
		secrets = append(secrets, strings.Split(token, ".")[1:]...)
	}
	codes := codesOf(t, w)
	w.Close()
	t.Logf("looking for %d secrets and %d codes in %d bytes of log and %d of answers, %d packs of evidence among them",
		len(secrets), len(codes), len(log.text()), len(answers.text()), packs)
	if packs < 7 {
		t.Errorf("only %d packs", packs)
	}
	if lines := strings.Count(log.text(), "\n"); lines < 100 {
		t.Errorf("the log has %d lines: it missed something", lines)
	}
	hides(t, "the log", log.text(), append(secrets, strayID, strayIBAN), codes)
	hides(t, "an answer", answers.text(), secrets, codes)
	for _, file := range filesOf(t, dir, "gateway.db*") {
		hides(t, filepath.Base(file.name), file.text, secrets, nil) // chance finds six digits in any binary file
	}
}

// tellAll has an operator look at every refund and take the evidence of each. It returns how many there are.
func tellAll(t *testing.T, w *banktest.World, answers *ears) (packs int) {
	t.Helper()
	var list struct {
		Items []struct {
			ID string `json:"refund_id"`
		}
	}
	w.Ops("/ops/api/refunds?limit=100").Want(200).JSON(&list)
	for _, item := range list.Items {
		fmt.Fprintf(answers, "%s\n", w.Ops("/ops/api/refunds/"+item.ID).Want(200).Body)
		p, _ := take(t, w, item.ID)
		for name, body := range p {
			fmt.Fprintf(answers, "%s\n%s\n", name, body)
		}
		packs++
	}
	return packs
}

// fraction is what makes a duration among the metrics look like anybody's number once in a while.
var fraction = regexp.MustCompile(`\.\d+`)

// hides fails the test for each secret that is in the text. Codes are looked for as numbers of their own, and not among
// times and durations, where six digits come up by chance.
func hides(t *testing.T, where, text string, secrets, codes []string) {
	t.Helper()
	for _, secret := range secrets {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("%s tells a secret:\n…%s…", where, text[max(0, i-200):min(len(text), i+200)])
		}
	}
	clock := regexp.MustCompile(`"(?:took|time|line)":[^,}]*|\d\d:\d\d:\d\d\.\d+|"promised_by(?:_hijri)?":"[^"]*"`)
	bare := clock.ReplaceAllString(text, "")
	for _, code := range codes {
		if at := regexp.MustCompile(`(?:^|[^0-9A-Za-z-])` + code + `(?:[^0-9A-Za-z-]|$)`).FindStringIndex(bare); at != nil {
			t.Errorf("%s tells a code:\n…%s…", where, bare[max(0, at[0]-200):min(len(bare), at[1]+200)])
		}
	}
}

// secretsOf are everybody's numbers, in the ways in which programs write them.
func secretsOf(w *banktest.World) (secrets []string) {
	for _, p := range w.People() {
		if p.IDNumber != "" {
			secrets = append(secrets, p.IDNumber, eastern(p.IDNumber), p.IDNumber[:5]+" "+p.IDNumber[5:])
		}
		if national := strings.TrimPrefix(p.Mobile, "+966"); national != "" { // also within +966…, 00966…, 05…
			secrets = append(secrets, national, national[:2]+" "+national[2:5]+" "+national[5:], eastern(national))
		}
		for _, a := range p.Accounts {
			secrets = append(secrets, a.IBAN, a.AccountNumber, eastern(a.AccountNumber), inFours(a.IBAN), a.IBAN[4:])
		}
		for _, r := range p.Requests {
			secrets = append(secrets, r.Beneficiary.Number)
		}
	}
	return append(secrets, "SA4810000000055500001001", inFours("SA4810000000055500001001")) // p07's, elsewhere
}

func inFours(s string) string {
	var groups []string
	for group := range slices.Chunk([]byte(s), 4) {
		groups = append(groups, string(group))
	}
	return strings.Join(groups, " ")
}

var sixDigits = regexp.MustCompile(`:(\d{6})\n`)

// codesOf are all codes that arrived on a phone.
func codesOf(t *testing.T, w *banktest.World) (codes []string) {
	t.Helper()
	for _, sms := range w.Messages() {
		if found := sixDigits.FindStringSubmatch(sms.Text); found != nil {
			codes = append(codes, found[1])
		}
	}
	if len(codes) < 5 {
		t.Errorf("only %d codes reached a phone", len(codes))
	}
	return codes
}

type file struct{ name, text string }

func filesOf(t *testing.T, dir, pattern string) (files []file) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("no %s in the world's folder: %v", pattern, err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file{name, string(b)})
	}
	return files
}

// walkWell: the happy path, with and without a code, and through a silent core.
func walkWell(t *testing.T, w *banktest.World, sign func(string) *banktest.Customer) {
	t.Helper()
	for user, request := range map[string]string{"p03": "rq-p03-1", "p06": "rq-p05-1", "p14": "rq-p14-1", "p02": "rq-p02-1"} {
		c := sign(user)
		c.Prove()
		listed(t, c)
		c.Do(http.MethodGet, "/v1/profile", nil).Want(200)
		preview := c.Preview(request)
		c.Confirm(preview.RefundID).Want(202)
		c.Do(http.MethodGet, "/v1/refunds", nil).Want(200)
		c.Await(preview.RefundID, "credited")
		c.Do(http.MethodDelete, "/v1/refunds/"+preview.RefundID, nil).Want(409, "too_late")
	}
	for user, request := range map[string]string{"p05": "rq-p05-1", "p07": "rq-p07-1", "p10": "rq-p10-1", "p04": "rq-p04-1"} {
		c := sign(user)
		c.Prove()
		listed(t, c)
		if r := c.AskFor(request); r.Status < 400 {
			t.Errorf("%s may refund %s", user, request)
		}
	}
	sign("p12").Do(http.MethodPost, "/v1/otp/challenges", `{"purpose":"profile"}`).Want(409)
}

// walkAtTheCounter has a teller serve people and look at people, and write of them what is nobody else's business. It
// returns the teller's token.
func walkAtTheCounter(t *testing.T, w *banktest.World) string {
	t.Helper()
	teller := w.Teller("t01")
	v := teller.Serve("p01")
	listed(t, v.Customer)
	v.Confirm(v.Preview("rq-p01-1").RefundID).Want(202)
	v.End().Want(204)
	teller.Look("1900000090", nil).Want(404)
	teller.Look("1900000033", nil).Want(403)
	teller.Look(strayID, nil).Want(422)
	teller.Look(strayIBAN, nil).Want(422)
	var visit struct {
		ID string `json:"assisted_session_id"`
	}
	words := map[string]string{"method": "+966500000001", "note": "1900000041, 555608000000012 " + eastern("1900000041")}
	teller.Look("1900000041", words).Want(201).JSON(&visit)
	askAtTheCounter(teller, visit.ID, "rq-p12-1", "acc-p12-1", "1900000041")
	return teller.Token()
}

// walkBadly types the right things in the wrong places, and the wrong things in the right ones.
func walkBadly(t *testing.T, c *banktest.Customer) {
	t.Helper()
	challenge := c.Challenge(object{"purpose": "profile"})
	code := c.Code()
	verify := "/v1/otp/challenges/" + challenge + "/verify"
	c.Do(http.MethodPost, verify, `{"code":"`+code+`","phone":"+966500000001"}`).Want(400)
	c.Do(http.MethodPost, verify, `{"code":`+code+`}`).Want(400)
	c.Do(http.MethodPost, verify, `{"code":"`+code).Want(400)
	c.Do(http.MethodPost, verify, `{"`+code+`":"1900000017"}`).Want(400)
	c.Do(http.MethodPost, verify, object{"code": notThe(code)}).Want(422)
	c.Do(http.MethodPost, verify, object{"code": "1900000017"}).Want(400)
	c.Do(http.MethodPost, verify, object{"code": code}).Want(200)
	c.Do(http.MethodPost, verify, object{"code": code}).Want(409)
	for _, body := range []string{
		`{"request_id":"rq-p01-1","account_number":"SA6680000555608000000001","id_number":1900000017}`,
		`{"request_id":"rq-p01-1","account_number":"SA6680000555608000000001","id_number":"1900000017"`,
		`{"request_id":"rq-p01-1","account_number":"SA6680000555608000000001","id_number":"1900000017"} 1900000017`,
		`{"request_id":"rq-p01-1","account_number":["SA6680000555608000000001"],"id_number":"1900000017"}`,
		`{"request_id":"rq-p01-1","account_number":"SA6680000555608000000001","SA6680000555608000000001":"1900000017"}`,
		`{"request_id":"` + strings.Repeat("1900000017", 20) + `","account_number":"SA6680000555608000000001","id_number":"1900000017"}`,
		`"1900000017"`,
	} {
		c.Do(http.MethodPost, "/v1/refunds", body, "Idempotency-Key", "stray-"+strayID).Want(400)
	}
	for account, id := range map[string]string{
		"SA6680000555608000000001": "2900000015", "SA6680000555608000000002": "1900000017", "555608000000003": "1900000017",
	} {
		body := object{"request_id": "rq-p01-1", "account_number": account, "id_number": id}
		if r := c.Do(http.MethodPost, "/v1/refunds", body, "Idempotency-Key", account); r.Status < 400 {
			t.Errorf("account %s and ID %s are taken", account, id)
		}
	}
	for _, path := range []string{
		"/v1/refunds/" + strayID, "/v1/refunds/" + strayIBAN + "/confirm", "/v1/payments/e-payments/" + strayID + "/requests",
		"/v1/" + strayIBAN, "/v1/refunds?cursor=" + strayID, "/v1/refunds?limit=" + strayID, "/v1/refunds?reference=" + strayIBAN,
		"/v1/otp/challenges/" + strayID + "/verify", "/%zz" + strayID,
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			_, _ = c.Try(method, path, nil, "X-Request-Id", strayID, "Accept-Language", strayID, "Traceparent", strayIBAN)
		}
	}
	stranger := *c
	for _, token := range []string{strayID, c.Token + strayID, c.Token[:len(c.Token)-8]} {
		stranger.Token = token
		stranger.Do(http.MethodGet, "/v1/profile", nil).Want(401)
	}
}

// walkAmidFailure: every neighbour fails, in every way that it has, in turn.
func walkAmidFailure(t *testing.T, w *banktest.World, sign func(string) *banktest.Customer) {
	t.Helper()
	c := sign("p09")
	c.Prove()
	preview := c.Preview("rq-p09-1")
	ask := func() {
		c.Do(http.MethodGet, "/v1/profile", nil)
		c.Do(http.MethodGet, "/v1/payments/e-payments", nil)
		c.AskFor("rq-p09-3")
	}
	for _, call := range []banktest.Call{banktest.OnCustomer, banktest.OnInquiry, banktest.OnSMS} {
		for _, kind := range []banktest.Kind{banktest.Unavailable, banktest.Stop} {
			w.Fault(kind, call)
			ask()
			c.Do(http.MethodPost, "/v1/otp/challenges", object{"purpose": "refund", "refund_id": preview.RefundID})
			w.ClearFaults()
			w.Forgive("p09")
		}
	}
	for _, kind := range []banktest.Kind{banktest.ResetMidAnswer, banktest.Malformed, banktest.BadSignature, banktest.UnknownFields} {
		w.Fault(kind, banktest.OnInquiry)
		ask()
		w.ClearFaults()
	}
	// The refund itself: an unanswered credit, a false answer, an SMS that fails, and a callback that is nobody's.
	w.Fault(banktest.BadSignature, banktest.OnSubmit, banktest.Count(1))
	w.Fault(banktest.Malformed, banktest.OnStatus, banktest.Count(1))
	w.Fault(banktest.Unavailable, banktest.OnCredit, banktest.Count(1))
	w.Fault(banktest.Unavailable, banktest.OnSMS, banktest.Count(1))
	c.Do(http.MethodPost, "/v1/refunds/"+preview.RefundID+"/confirm", nil).Want(202)
	c.Await(preview.RefundID, "credited")
	c.Do(http.MethodPost, "/core/callbacks", `{"event_id":"1900000017","reference":"SA6680000555608000000001"}`).Want(401)
	w.ClearFaults()
}
