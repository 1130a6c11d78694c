package refundcore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/internal/outbound"
)

func TestRefusalsAndLeavingCallersNeverOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, outcome := range []error{
			&dispatch.Refusal{Code: "fee_consumed"}, gateway.ErrUnknownReference, gateway.ErrReferenceReused,
			dispatch.ErrNotRefunded, bank.ErrCursor,
		} {
			c := newCalls(t)
			for range 1000 {
				c.end(outcome)
			}
			c.want("closed", 32)
		}
		c := newCalls(t)
		for range 1000 {
			c.end(unknown(outbound.CauseCallerLeft, outbound.ErrCallerLeft))
		}
		c.want("closed", 32)
		for range 4 {
			c.end(errDown)
			c.end(unknown(outbound.CauseCallerLeft, outbound.ErrCallerLeft)) // neither counts nor interrupts the row
		}
		c.end(unknown(outbound.CauseTimeout, context.DeadlineExceeded))
		c.want("open", 0)
	})
}

// TestEverythingElseOpens: also what nobody foresaw.
func TestEverythingElseOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, outcome := range []error{
			errDown, gateway.ErrNotSent, context.DeadlineExceeded, context.Canceled, errors.New("unforeseen"),
			unknown(causeSignature, nil), unknown(causeMismatch, nil), unknown(outbound.CauseDenied, nil),
		} {
			c := newCalls(t)
			for range 5 {
				c.end(outcome)
			}
			if c.want("open", 0); t.Failed() {
				t.Fatalf("after %v", outcome)
			}
		}
		c := newCalls(t)
		for range 5 {
			func() {
				defer func() {
					if recover() == nil {
						t.Error("the panic was swallowed")
					}
				}()
				_ = c.do(t.Context(), func(context.Context) error { panic("bug") })
			}()
		}
		c.want("open", 0)
		if n := len(c.slots); n != 0 {
			t.Errorf("%d slots of panics never came back", n)
		}
	})
}

// TestOddDataOfOneDoesNotCutOffAll: what the core says under its signature and we can't go by is no failure of a question,
// and one of a send.
func TestOddDataOfOneDoesNotCutOffAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, cause := range knownCauses {
			for _, kind := range []dispatch.Call{dispatch.CallSubmit, dispatch.CallStatus, dispatch.CallInquiry} {
				odd := slices.Contains([]string{causeMalformed, causeMismatch, causeStatus, causeState, causeCode}, cause)
				c := newCallsOf(t, kind)
				for range 5 {
					c.end(fmt.Errorf("wrapped: %w", unknown(cause, nil)))
				}
				want := "open"
				if odd && kind != dispatch.CallSubmit {
					want = "closed"
				}
				if got := c.state(); got != want {
					t.Errorf("%s, five times %s: %s, want %s", kind, cause, got, want)
				}
			}
		}
	})
}

// TestSignedAnswersThatDecideNothing does it over the wire: five in a row leave the breaker of a question closed.
func TestSignedAnswersThatDecideNothing(t *testing.T) {
	core := newFakeCore(t, nil)
	base := onLoopback(t, core)
	refund := vectorRefund(t)
	me := refund.Payment.Payer
	for _, test := range []struct {
		name   string
		status int
		body   string
	}{
		{"a 400", 400, `{"code":"malformed_request"}`},
		{"a 422", 422, `{"code":"no_such_party"}`},
		{"not JSON", 200, `<html>`},
		{"an item that can't be read", 200, `{"items":[{}],"buckets":[{}],"total":0}`},
		{"an item of somebody else", 200, `{"items":[` + strings.ReplaceAll(renewal, "2900000015", "2000000006") + `]}`},
		{"another reference", 200, bodies["another reference"]},
		{"an undocumented state", 200, bodies["state unheard of"]},
	} {
		t.Run(test.name, func(t *testing.T) {
			core.now(core.says(test.status, test.body))
			client := newClient(t, testConfig(t, base))
			for range 5 {
				if _, _, err := client.Search(t.Context(), bank.Search{Party: me}); !errors.Is(err, bank.ErrCoreUnavailable) {
					t.Errorf("search: %v", err)
				}
				if _, err := client.Balances(t.Context(), me, me); !errors.Is(err, bank.ErrCoreUnavailable) {
					t.Errorf("balances: %v", err)
				}
				if got := word(client.Status(t.Context(), refund)); got != "unknown" {
					t.Errorf("status: %s", got)
				}
				if got := word(client.Submit(t.Context(), refund)); got != "unknown" {
					t.Errorf("submit: %s", got)
				}
			}
			guards := client.Guards()
			if guards[dispatch.CallInquiry].Breaker != "closed" || guards[dispatch.CallStatus].Breaker != "closed" ||
				guards[dispatch.CallSubmit].Breaker != "open" {
				t.Errorf("breakers: %v", guards)
			}
		})
	}
}
