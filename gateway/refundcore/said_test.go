package refundcore

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
)

// TestSaid: of each call that may have left there is what we signed, and of an answer that is the core's word what it signed;
// whatever came of it. An auditor who has the keys verifies both from that alone.
func TestSaid(t *testing.T) {
	core := newFakeCore(t, nil)
	base := onLoopback(t, core)
	garbled := func(w http.ResponseWriter, r *http.Request) {
		core.signed(w.Header(), r, 201, bodies["pending"])
		w.Header().Set("Signature", "core=:"+strings.Repeat("A", 86)+"==:")
		w.WriteHeader(201)
		fmt.Fprint(w, bodies["pending"])
	}
	silent := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	refund := vectorRefund(t)
	refund.CreditRefusal = "account_closed"
	for name, c := range map[string]struct {
		ask      func(*Client) (dispatch.Answer, error)
		act      http.HandlerFunc
		call     string
		path     string
		status   int // of the answer; 0: none that is anybody's word
		answered string
	}{
		"a send that is taken":            {submits(t), core.says(201, bodies["pending"]), "submit", "/core/v1/refunds", 201, bodies["pending"]},
		"one that is refused":             {submits(t), core.says(409, bodies["fee_consumed"]), "submit", "/core/v1/refunds", 409, bodies["fee_consumed"]},
		"one that is answered oddly":      {submits(t), core.says(200, `{}`), "submit", "/core/v1/refunds", 200, `{}`},
		"one that nobody answers":         {submits(t), silent, "submit", "/core/v1/refunds", 0, ""},
		"one that is answered by anybody": {submits(t), garbled, "submit", "/core/v1/refunds", 0, ""},
		"a question": {func(c *Client) (dispatch.Answer, error) { return c.Status(t.Context(), refund) }, core.says(200, bodies["refunded"]),
			"status", "/core/v1/refunds/" + refund.Reference, 200, bodies["refunded"]},
		"a return": {func(c *Client) (dispatch.Answer, error) { return c.Return(t.Context(), refund) }, core.says(200, bodies["returned"]),
			"return", "/core/v1/refunds/" + refund.Reference + "/return", 200, bodies["returned"]},
	} {
		t.Run(name, func(t *testing.T) {
			core.now(c.act)
			client := newClient(t, testConfig(t, base))
			answer, _ := c.ask(client)
			x := answer.Exchange
			if x == nil || x.Call != c.call || x.Asked.Path != c.path || x.Asked.KeyID != "bank-80" {
				t.Fatalf("said %+v", x)
			}
			got := core.received()
			if sent := got[len(got)-1]; x.Asked.Method != sent.method || string(x.Asked.Body) != sent.body || x.Asked.Signature != sent.header.Get("Signature") {
				t.Errorf("on record is another request than %+v", sent)
			}
			asked := []string{x.Asked.Method, x.Asked.Authority, x.Asked.Path, x.Asked.Query, digest(x.Asked.Body)}
			wantSigned(t, x.Asked, requestComponents, asked)
			if c.status == 0 {
				if x.Answered != nil {
					t.Errorf("an answer that is nobody's word: %d %s", x.Answered.Status, x.Answered.Body)
				}
				return
			}
			if x.Answered == nil || x.Answered.Status != c.status || string(x.Answered.Body) != c.answered || x.Answered.KeyID != "core-1" {
				t.Fatalf("answered %+v", x.Answered)
			}
			wantSigned(t, *x.Answered, answerComponents, []string{fmt.Sprint(c.status), digest(x.Answered.Body)})
		})
	}
}

func submits(t *testing.T) func(*Client) (dispatch.Answer, error) {
	return func(c *Client) (dispatch.Answer, error) { return c.Submit(t.Context(), vectorRefund(t)) }
}

// wantSigned verifies a message from what is on record of it.
func wantSigned(t *testing.T, s gateway.Signed, components, values []string) {
	t.Helper()
	signature, err := parseSignature(label, s.Signature)
	if err != nil {
		t.Fatal(err)
	}
	base := signatureBase(components, values, strings.TrimPrefix(s.Input, label+"="))
	if !ed25519.Verify(s.Key, base, signature) {
		t.Errorf("it isn't signed: %s", base)
	}
	if printed := fmt.Sprintf("%v %+v %s %#v", s, s, s, s); strings.Contains(printed, "SA12") {
		t.Errorf("it prints its body: %s", printed)
	}
}

// TestNothingSaid: of what never left there is nothing.
func TestNothingSaid(t *testing.T) {
	client := newClient(t, testConfig(t, "http://127.0.0.1:1"))
	answer, err := client.Submit(t.Context(), vectorRefund(t))
	if answer.Exchange != nil || !errors.Is(err, gateway.ErrNotSent) {
		t.Errorf("%+v, %v", answer.Exchange, err)
	}
}
