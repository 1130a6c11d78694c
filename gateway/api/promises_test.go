package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api/apitest"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/otptest"
)

// unprovoked are the problems of the contract that no test of this package is answered with, each with the reason.
var unprovoked = map[string]string{
	"GET /v1/refunds/{refund_id} 410 preview_expired":                  fiveMinutes,
	"GET /v1/refunds/{refund_id}/events 410 preview_expired":           fiveMinutes,
	"POST /v1/otp/challenges 410 preview_expired":                      fiveMinutes,
	"POST /v1/refunds 410 preview_expired":                             fiveMinutes,
	"POST /v1/refunds/{refund_id}/confirm 410 preview_expired":         fiveMinutes,
	"POST /v1/assisted-sessions 422 mobile_recent":                     changedMobile,
	"POST /v1/otp/challenges 422 mobile_recent":                        changedMobile,
	"POST /v1/otp/challenges/{challenge_id}/resend 422 mobile_recent":  changedMobile,
	"POST /v1/otp/challenges/{challenge_id}/resend 409 mobile_missing": "the mobile went between two codes; bank tests it",
	"POST /v1/otp/challenges/{challenge_id}/resend 429 rate_limited":   "a minute passes between two codes; otp tests the budget",
	"POST /v1/refunds 409 account_frozen":                              nobody + "a frozen account",
	"POST /v1/refunds 422 account_mismatch":                            nobody + "two accounts",
}

const (
	fiveMinutes   = "it takes five minutes; bank tests it on a clock of its own"
	changedMobile = "no mobile of the sandbox was changed; bank tests it"
	nobody        = "bank tests it: nobody in the sandbox has "
)

// TestMain fails a whole run in which a problem that the contract promises was no answer at all: what is promised is
// what happens.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if code == 0 && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" &&
		flag.Lookup("test.list").Value.String() == "" {
		if err := everyPromiseWasSeen(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func everyPromiseWasSeen() error {
	unseen, err := apitest.Unseen()
	if err != nil {
		return err
	}
	if unexplained := slices.DeleteFunc(slices.Clone(unseen), func(u string) bool { return unprovoked[u] != "" }); len(unexplained) > 0 {
		return fmt.Errorf("the contract promises these problems, and no test was answered with them: %q", unexplained)
	}
	for _, u := range slices.Sorted(maps.Keys(unprovoked)) {
		if !slices.Contains(unseen, u) {
			return fmt.Errorf("%s was said to be provoked by nobody", u)
		}
	}
	return nil
}

// TestBudgetOfRefundCodes: each code of a preview of its own, so that none comes too soon, until there are too many.
func TestBudgetOfRefundCodes(t *testing.T) {
	w := apitest.Start(t)
	p := phoneOf(t, w, "p03")
	p.c.Prove()
	for range 10 {
		p.post("/v1/otp/challenges", map[string]string{"purpose": "refund", "refund_id": p.c.Preview("rq-p03-1").RefundID}).want(201)
	}
	last := map[string]string{"purpose": "refund", "refund_id": p.c.Preview("rq-p03-1").RefundID}
	if got := p.post("/v1/otp/challenges", last).want(429, "rate_limited"); got.problem().RetryAfter < 50*60 {
		t.Errorf("retry after %d s", got.problem().RetryAfter)
	}
}

// TestResendWithoutSMS: the provider is away when a code is asked for again.
func TestResendWithoutSMS(t *testing.T) {
	w := apitest.Start(t)
	p := phoneOf(t, w, "p03")
	first, _, _ := p.challenge("profile", "")
	w.Forgive("p03")
	w.Fault(banktest.Unavailable, banktest.OnSMS)
	p.post("/v1/otp/challenges/"+first.ID+"/resend", nil).want(503, "sms_unavailable")
}

// TestLimitBetweenPreviewAndConfirm: two previews that the day has room for, but not for both.
func TestLimitBetweenPreviewAndConfirm(t *testing.T) {
	w := apitest.Start(t)
	c := w.Customer("p13")
	c.Prove()
	one, other := c.Preview("rq-p13-1").RefundID, c.Preview("rq-p13-2").RefundID
	c.Confirm(one).Want(202)
	c.Do("POST", "/v1/refunds/"+other+"/confirm", nil).Want(422, "limit_exceeded")
}

// TestKeyInProgress: a second request with the key of one that is still running.
func TestKeyInProgress(t *testing.T) {
	w := apitest.Start(t)
	d, c := doorOf(t, w), w.Customer("p03")
	c.Prove()
	w.Fault(banktest.HangBefore, banktest.OnInquiry)
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	done := make(chan struct{})
	one := key("k-1")
	go func() {
		defer close(done)
		body := payloadOf(t, asked(c, "rq-p03-1"))
		req, err := http.NewRequestWithContext(ctx, "POST", d.url+"/v1/refunds", bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		req.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + c.Token}, "Idempotency-Key": one["Idempotency-Key"]}
		if resp, err := d.client.Do(req); err == nil {
			resp.Body.Close()
			t.Errorf("the first is answered %d", resp.StatusCode)
		}
	}()
	for began := time.Now(); hanging(t, w) == 0; time.Sleep(time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatal("the core isn't asked")
		}
	}
	got := d.ask(ask{method: "POST", path: "/v1/refunds", token: c.Token, header: one, body: asked(c, "rq-p03-1")})
	if got.want(409, "idempotency_in_progress").problem().RetryAfter != 1 {
		t.Errorf("retry after %d s", got.problem().RetryAfter)
	}
	hangUp()
	<-done
}

// hanging is how many calls were never answered.
func hanging(t *testing.T, w *banktest.World) (n int64) {
	t.Helper()
	var kinds struct {
		Items []struct {
			Kind  string
			Fired int64
		}
	}
	if err := json.Unmarshal(w.Control("GET", "/faults/kinds", nil).Body, &kinds); err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds.Items {
		if k.Kind == "hang_before" {
			n = k.Fired
		}
	}
	return n
}

// TestCounterInTrouble: what a teller is told when a neighbour is away, or the customer is blocked.
func TestCounterInTrouble(t *testing.T) {
	w := apitest.Start(t)
	p, teller := phoneOf(t, w, "p01"), w.Teller("t01")
	p.c.Prove()
	refund := p.c.Preview("rq-p01-1").RefundID
	w.Forgive("p01")
	for call, code := range map[banktest.Call]string{banktest.OnInquiry: "core_unavailable", banktest.OnSMS: "sms_unavailable"} {
		w.Fault(banktest.Unavailable, call)
		teller.Look(p.c.IDNumber(), nil).Want(503, code)
		w.ClearFaults()
	}
	v := teller.Receive("p01")
	wrong := otptest.WrongCode(otp.Code(v.Code())).Reveal()
	for range 3 {
		v.Type(wrong).Want(422, "code_wrong")
	}
	second, _, wrong := p.challenge("refund", refund)
	for range 2 {
		p.confirm(refund, second.ID, wrong).want(422, "code_wrong")
	}
	v.Type(wrong).Want(423, "locked")
	teller.Look(p.c.IDNumber(), nil).Want(423, "locked")
}
