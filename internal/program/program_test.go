package program_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/internal/program"
	"github.com/istirdad/istirdad/internal/telemetry"
)

// What the customer's app began, as W3C Trace Context, section 3.2.2, has it.
const (
	appsTrace   = "4bf92f3577b34da6a3ce929d0e0e4736"
	traceparent = "00-" + appsTrace + "-00f067aa0ba902b7-01"
)

// confirmed is a refund of p03 that was confirmed within the app's trace.
func (r *rig) confirmed() (*banktest.Customer, banktest.Refund) {
	r.t.Helper()
	c := r.world.Customer("p03").Via(r.channel)
	c.Prove()
	preview := c.Preview("rq-p03-1")
	c.Do("POST", "/v1/refunds/"+preview.RefundID+"/confirm", nil, "Traceparent", traceparent).Want(202)
	return c, c.Refund(preview.RefundID)
}

// told waits until the refund's customer was told that it is credited, which is the last that happens to it.
func (r *rig) told(refund banktest.Refund) {
	r.t.Helper()
	for end := time.Now().Add(30 * time.Second); len(r.wires["phone"].of("POST messages")) < 2; {
		if time.Now().After(end) {
			r.t.Fatalf("%s: no completion SMS", refund.Reference)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestOneTrace: from the app's call over the confirm, through the queue of a real store and a restart, to the calls to
// core, bank and phone, everything that is done for a refund is one trace; and each neighbour is told of its part.
func TestOneTrace(t *testing.T) {
	r := newRig(t)
	stop := r.open() // and nothing carries refunds
	_, refund := r.confirmed()
	stop()
	r.config.Telemetry = r.telemetry() // another process
	stop = r.start()
	r.world.Customer("p03").Via(r.channel).Await(refund.RefundID, "credited")
	r.told(refund)
	stop()

	confirm := r.span(appsTrace, "POST /v1/refunds/:refund_id/confirm")
	if parent := confirm.Parent(); parent.SpanID().String() != traceparent[36:52] || !parent.IsRemote() {
		t.Errorf("the confirm is below %s", parent.SpanID())
	}
	for call, below := range map[string]string{
		"core submit": "refund sending", "core status": "refund pending", "bank credit": "refund refunded", "sms send": "refund credited",
	} {
		attempt := r.span(appsTrace, below)
		if attempt.Parent().SpanID() != confirm.SpanContext().SpanID() {
			t.Errorf("%s isn't below the confirm", below)
		}
		if got := r.span(appsTrace, call); !r.isAttempt(below, got.Parent().SpanID().String()) {
			t.Errorf("%s isn't below a %q", call, below)
		}
	}
	for call, seen := range map[string][]string{
		"core submit": r.wires["core"].of("POST refunds"),
		"core status": r.wires["core"].of("GET " + refund.Reference),
		"bank credit": r.wires["bank"].of("POST credits"),
		"sms send":    r.wires["phone"].of("POST messages")[1:], // the first was the code, in a trace of its own
	} {
		var spans []string
		for _, s := range r.spans.Ended() {
			if in := s.SpanContext(); s.Name() == call && in.TraceID().String() == appsTrace {
				spans = append(spans, "00-"+appsTrace+"-"+in.SpanID().String()+"-01")
			}
		}
		if len(seen) == 0 || slices.ContainsFunc(seen, func(s string) bool { return !slices.Contains(spans, s) }) {
			t.Errorf("%s: the other side was told %q of the spans %q", call, seen, spans)
		}
	}
	if !strings.Contains(r.log.String(), `"route":"/v1/refunds/:refund_id/confirm","status":202`) ||
		!strings.Contains(r.log.String(), `"trace_id":"`+appsTrace+`"`) {
		t.Error("the log doesn't name the trace of the confirm")
	}
}

// isAttempt reports whether that is the id of a span of this name.
func (r *rig) isAttempt(name, id string) bool {
	for _, s := range r.spans.Ended() {
		if s.Name() == name && s.SpanContext().SpanID().String() == id {
			return true
		}
	}
	return false
}

// TestNothingPersonal: no label of a metric and no part of a span holds who the customer is, what they typed, or by what
// they are let in.
func TestNothingPersonal(t *testing.T) {
	r := newRig(t)
	stop := r.start()
	c, refund := r.confirmed()
	c.Do("POST", "/v1/refunds/"+c.IDNumber()+"/confirm", map[string]string{"code": "١٩٠٠٠٠٠٠١٧"}, "Traceparent", c.IDNumber(), "Tracestate", "x="+c.IDNumber())
	c.Do("GET", "/"+c.IDNumber()+"?"+c.Account(), nil)
	c.Do("PROPFIND", "/v1/profile", nil)
	c.Await(refund.RefundID, "credited")
	r.told(refund)
	_, metrics := r.ask("/metrics")
	stop()

	var spans strings.Builder
	for _, s := range r.spans.Ended() {
		fmt.Fprintln(&spans, s.Name(), s.Attributes(), s.Events(), s.Links(), s.Status(), s.Resource(), s.SpanContext().TraceState())
	}
	var person struct {
		IDNumber, Mobile, IBAN, Account string
	}
	for _, p := range r.world.People() {
		if p.User == "p03" {
			person.IDNumber, person.Mobile, person.IBAN, person.Account = p.IDNumber, p.Mobile, p.Accounts[0].IBAN, p.Accounts[0].AccountNumber
		}
	}
	secrets := []string{
		person.IDNumber, strings.TrimPrefix(person.Mobile, "+966"), person.IBAN, person.Account, person.IBAN[4:], c.Token,
		"p03", refund.RefundID, "rq-p03-1", "١٩٠٠٠٠٠٠١٧", "PROPFIND",
	}
	for where, text := range map[string]string{"a metric": metrics, "a span": spans.String()} {
		if len(text) < 1000 {
			t.Errorf("of %s there is only %q", where, text)
		}
		for _, secret := range secrets {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s tells %q:\n…%s…", where, secret, text[max(0, i-100):min(len(text), i+100)])
			}
		}
	}
	if strings.Contains(metrics, refund.Reference) {
		t.Error("a metric tells a reference")
	}
	if !strings.Contains(spans.String(), refund.Reference) {
		t.Error("no span tells the reference")
	}
}

// series finds one series in a scrape; labels are in the order of the alphabet.
func series(scrape, name string) string {
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(scrape)
	if found == nil {
		return "missing"
	}
	return found[1]
}

// TestScrape: what was done is counted, and what is only known when somebody looks is read.
func TestScrape(t *testing.T) {
	r := newRig(t)
	r.config.Pools = map[string]func() telemetry.Pool{"claims": func() telemetry.Pool { return telemetry.Pool{Acquired: 1, Max: 8} }}
	r.start()
	c, refund := r.confirmed()
	c.Await(refund.RefundID, "credited")
	r.told(refund)
	_, scrape := r.ask("/metrics")
	for name, want := range map[string]string{
		`istirdad_http_requests_total{code="",method="POST",route="/v1/refunds/:refund_id/confirm",status="202"}`: "1",
		`istirdad_http_request_duration_seconds_count{method="POST",route="/v1/refunds/:refund_id/confirm"}`:      "1",
		`istirdad_neighbour_call_duration_seconds_count{call="submit",neighbour="core",outcome="ok"}`:             "1",
		`istirdad_neighbour_call_duration_seconds_count{call="credit",neighbour="bank",outcome="ok"}`:             "1",
		`istirdad_neighbour_call_duration_seconds_count{call="send",neighbour="sms",outcome="ok"}`:                "2",
		`istirdad_core_breaker{call="submit",state="closed"}`:                                                     "1",
		`istirdad_core_breaker{call="inquiry",state="open"}`:                                                      "0",
		`istirdad_core_bulkhead_size{call="status"}`:                                                              "32",
		`istirdad_core_bulkhead_in_use{call="status"}`:                                                            "0",
		`istirdad_refunds{state="credited"}`:                                                                      "1",
		`istirdad_refunds{state="in_doubt"}`:                                                                      "0",
		`istirdad_refunds_oldest_unfinished_seconds`:                                                              "0",
		`istirdad_refunds_read_up`:                                                                                "1",
		`istirdad_refunds_late{level="red"}`:                                                                      "0",
		`istirdad_refunds_unreadable`:                                                                             "0",
		`istirdad_profile_info{sha256="fixed"}`:                                                                   "1",
		`istirdad_ready{reason="profile"}`:                                                                        "1",
		`istirdad_dispatch_claims_total{state="sending"}`:                                                         "1",
		`istirdad_dispatch_attempts_total{result="credited",state="refunded"}`:                                    "1",
		`istirdad_pool_connections{pool="claims",state="acquired"}`:                                               "1",
		`istirdad_pool_connections_max{pool="claims"}`:                                                            "8",
	} {
		if got := series(scrape, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if series(scrape, `istirdad_pool_connections{pool="redis",state="idle"}`) == "missing" {
		t.Error("nothing is told of Redis' pool")
	}
	// A store that is gone is told as that, and everything else all the same.
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	_, scrape = r.ask("/metrics")
	if up, breaker := series(scrape, "istirdad_refunds_read_up"), series(scrape, `istirdad_core_breaker{call="submit",state="closed"}`); up != "0" || breaker != "1" {
		t.Errorf("without a store: up %s, breaker %s", up, breaker)
	}
}

// TestReadiness: the reasons by which a load balancer and a person go.
func TestReadiness(t *testing.T) {
	r := newRig(t)
	r.start()
	want := func(status int, word string, reasons ...string) {
		t.Helper()
		got, body := r.ask("/readyz")
		var answer struct {
			Status  string
			Reasons []string
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatal(err)
		}
		if got != status || answer.Status != word || !slices.Equal(answer.Reasons, reasons) {
			t.Errorf("%d %s, want %d %s %q", got, body, status, word, reasons)
		}
	}
	want(200, "ready")
	r.world.Fault(banktest.Unavailable, banktest.OnInquiry)
	c := r.world.Customer("p01").Via(r.channel)
	c.Prove()
	for range 6 {
		c.Do("GET", "/v1/payments/e-payments", nil).Want(503, "core_unavailable")
	}
	want(200, "degraded", "core_breaker")
	r.redis.Close()
	want(503, "not ready", "core_breaker", "redis")
	r.gateway.Drain()
	want(503, "not ready", "stopping")
	if status, _ := r.ask("/healthz"); status != 200 {
		t.Errorf("alive: %d", status)
	}
}

// TestMadeAnew: a gateway may be made again over the same telemetry, and one needs none.
func TestMadeAnew(t *testing.T) {
	r := newRig(t)
	r.start()()
	r.start()()
	r.config.Telemetry = nil
	r.start()
	if _, scrape := r.ask("/metrics"); series(scrape, "istirdad_refunds_read_up") != "1" {
		t.Error("without a telemetry of its maker's it measures nothing")
	}
}

// TestHalfConfigured: what can't be assembled is refused, and leaves nothing behind.
func TestHalfConfigured(t *testing.T) {
	r := newRig(t)
	for name, spoil := range map[string]func(*program.Config){
		"identity": func(c *program.Config) { c.Identity.Issuer = "" },
		"core":     func(c *program.Config) { c.Core.Key = nil },
		"bank":     func(c *program.Config) { c.CoreBanking.URL = "" },
		"sms":      func(c *program.Config) { c.SMS.URL = "" },
		"pepper":   func(c *program.Config) { c.Pepper = nil },
		"terms":    func(c *program.Config) { c.Profile = fixed{} },
	} {
		config := r.config
		spoil(&config)
		if g, err := program.New(config, r.store, r.client, r.sealer); err == nil || g != nil {
			t.Errorf("without %s: %v", name, err)
		}
	}
}
