package api_test

import (
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api"
	"github.com/istirdad/istirdad/gateway/api/apitest"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/otptest"
)

// phone is a customer at a door, with the codes that reach them.
type phone struct {
	door
	c *banktest.Customer
	w *banktest.World
}

func (p phone) post(path string, body any) answer {
	p.t.Helper()
	return p.ask(ask{method: "POST", path: path, token: p.c.Token, body: body})
}

// challenge asks for a code and returns the challenge, the code and one that is wrong.
func (p phone) challenge(purpose, refund string) (c challenge, right, wrong string) {
	p.t.Helper()
	body := map[string]string{"purpose": purpose}
	if refund != "" {
		body["refund_id"] = refund
	}
	p.post("/v1/otp/challenges", body).want(201).json(&c)
	right = p.c.Code()
	return c, right, otptest.WrongCode(otp.Code(right)).Reveal()
}

func (p phone) verify(id, code string) answer {
	p.t.Helper()
	return p.post("/v1/otp/challenges/"+id+"/verify", map[string]string{"code": code})
}

func (p phone) confirm(refund, challenge, code string) answer {
	p.t.Helper()
	return p.post("/v1/refunds/"+refund+"/confirm", map[string]string{"challenge_id": challenge, "code": code})
}

type challenge struct {
	ID           string    `json:"challenge_id"`
	Purpose      string    `json:"purpose"`
	SentTo       string    `json:"sent_to"`
	Digits       int       `json:"digits"`
	ExpiresAt    time.Time `json:"expires_at"`
	ResendAfter  time.Time `json:"resend_after"`
	AttemptsLeft int       `json:"attempts_left"`
}

func phoneOf(t *testing.T, w *banktest.World, user string) phone {
	return phone{doorOf(t, w), w.Customer(user), w}
}

func left(p api.Problem) int {
	if p.AttemptsLeft == nil {
		return -1
	}
	return *p.AttemptsLeft
}

func TestProfileCode(t *testing.T) {
	w := apitest.Start(t)
	p := phoneOf(t, w, "p03")
	before := time.Now()
	first, right, wrong := p.challenge("profile", "")
	after := time.Now()
	if first.Purpose != "profile" || first.SentTo != "+9665*****003" || first.Digits != 6 || first.AttemptsLeft != 3 {
		t.Errorf("the challenge is %+v", first)
	}
	within(t, "expires_at", first.ExpiresAt, before, after, 180*time.Second)
	within(t, "resend_after", first.ResendAfter, before, after, time.Minute)

	// Within the minute neither a second one nor a new code for this one.
	for _, got := range []answer{
		p.post("/v1/otp/challenges", map[string]string{"purpose": "profile"}),
		p.post("/v1/otp/challenges/"+first.ID+"/resend", nil),
	} {
		got.want(429, "resend_too_soon")
		if wait := got.problem().RetryAfter; wait < 1 || wait > 60 {
			t.Errorf("%s: retry after %d", got.call, wait)
		}
	}

	// A resend kills the code before it and keeps the failures.
	if got := p.verify(first.ID, wrong).want(422, "code_wrong"); left(got.problem()) != 2 {
		t.Errorf("%d left after a wrong one", left(got.problem()))
	}
	w.Forgive("p03") // the budget; and the ledger of wrong codes with it, but not the challenge's own count
	var again challenge
	p.post("/v1/otp/challenges/"+first.ID+"/resend", nil).want(200).json(&again)
	newer := p.c.Code()
	if again.ID != first.ID || again.AttemptsLeft != 2 || !again.ExpiresAt.After(first.ExpiresAt) || again.SentTo != first.SentTo {
		t.Errorf("resent is %+v", again)
	}
	if newer != right { // one in a million
		if got := p.verify(first.ID, right).want(422, "code_wrong"); left(got.problem()) != 1 {
			t.Errorf("%d left after the old code", left(got.problem()))
		}
	}

	// The right one is a proof, and good once.
	p.ask(ask{method: "GET", path: "/v1/profile", token: p.c.Token}).want(403, "step_up_required")
	var proof struct {
		Verified       bool      `json:"verified"`
		ProofExpiresAt time.Time `json:"proof_expires_at"`
	}
	before = time.Now()
	p.verify(first.ID, newer).want(200).json(&proof)
	if !proof.Verified {
		t.Error("verified, and not")
	}
	within(t, "proof_expires_at", proof.ProofExpiresAt, before, time.Now(), 5*time.Minute)
	p.ask(ask{method: "GET", path: "/v1/profile", token: p.c.Token}).want(200)
	p.verify(first.ID, newer).want(409, "code_used")
	p.post("/v1/otp/challenges/"+first.ID+"/resend", nil).want(410, "challenge_gone")
}

// within fails the test unless at is as long after a moment between before and after as said. Instants are told in
// microseconds, codes live by milliseconds.
func within(t *testing.T, what string, at, before, after time.Time, long time.Duration) {
	t.Helper()
	if at.Before(before.Add(long).Truncate(time.Millisecond)) || at.After(after.Add(long)) {
		t.Errorf("%s is %v after, want %v", what, at.Sub(before), long)
	}
}

// TestOneLiveChallenge: a new one supersedes the old, of whatever purpose.
func TestOneLiveChallenge(t *testing.T) {
	w := apitest.Start(t)
	p := phoneOf(t, w, "p09")
	p.c.Prove()
	refund, other := p.c.Preview("rq-p09-1").RefundID, p.c.Preview("rq-p09-3").RefundID
	w.Forgive("p09")
	first, firstCode, _ := p.challenge("profile", "")
	second, secondCode, _ := p.challenge("refund", refund)
	p.verify(first.ID, firstCode).want(410, "challenge_gone")

	// A code is good for what it was made for and nothing else, below the line too: given, it is checked.
	p.verify(second.ID, secondCode).want(410, "challenge_gone")
	p.confirm(other, second.ID, secondCode).want(410, "challenge_gone")
	p.confirm(refund, first.ID, firstCode).want(410, "challenge_gone")
	if got := p.confirm(refund, second.ID, otptest.WrongCode(otp.Code(secondCode)).Reveal()).want(422, "code_wrong"); left(got.problem()) != 2 {
		t.Errorf("%d left", left(got.problem()))
	}
	p.confirm(refund, second.ID, secondCode).want(202)
	p.confirm(refund, second.ID, secondCode).want(202)
	p.confirm(other, second.ID, secondCode).want(410, "challenge_gone")
	p.post("/v1/otp/challenges", map[string]string{"purpose": "refund", "refund_id": refund}).want(409, "refund_exists")
}

// TestGuessing: what wrong codes cost, and what they don't.
func TestGuessing(t *testing.T) {
	w := apitest.Start(t)
	p := phoneOf(t, w, "p01")
	p.c.Prove()
	refund := p.c.Preview("rq-p01-1").RefundID
	another := p.c.Preview("rq-v01-1").RefundID
	w.Forgive("p01")

	first, right, wrong := p.challenge("profile", "")
	for want := 2; want >= 0; want-- {
		if got := p.verify(first.ID, wrong).want(422, "code_wrong"); left(got.problem()) != want {
			t.Errorf("%d left, want %d", left(got.problem()), want)
		}
	}
	p.verify(first.ID, right).want(410, "challenge_gone") // three were compared: it isn't looked at any more
	p.post("/v1/otp/challenges/"+first.ID+"/resend", nil).want(410, "challenge_gone")

	// Two failures are left before the block, so the next challenge has no more tries than that.
	second, right, wrong := p.challenge("refund", refund)
	if second.AttemptsLeft != 2 {
		t.Errorf("%d attempts left", second.AttemptsLeft)
	}
	p.confirm(refund, second.ID, wrong).want(422, "code_wrong")
	if got := p.confirm(refund, second.ID, wrong).want(422, "code_wrong"); left(got.problem()) != 0 {
		t.Errorf("%d left before the block", left(got.problem()))
	}

	// Blocked: before anything is said of a challenge, live or gone, of one's own or nobody's.
	for _, got := range []answer{
		p.confirm(refund, second.ID, right), p.confirm(refund, "x", right),
		p.verify(second.ID, right), p.verify("x", right),
		p.post("/v1/otp/challenges/"+second.ID+"/resend", nil), p.post("/v1/otp/challenges/x/resend", nil),
		p.post("/v1/otp/challenges", map[string]string{"purpose": "profile"}),
		p.post("/v1/otp/challenges", map[string]string{"purpose": "refund", "refund_id": another}),
	} {
		got.want(423, "locked")
		if wait := got.problem().RetryAfter; wait < 29*60 || wait > 30*60 {
			t.Errorf("%s: retry after %d s", got.call, wait)
		}
	}
	// A block never stops a confirm that needs and brings no code, nor what a proof opens.
	p.post("/v1/refunds/"+refund+"/confirm", nil).want(202)
	p.ask(ask{method: "GET", path: "/v1/profile", token: p.c.Token}).want(200)
	p.confirm(refund, second.ID, right).want(202) // and a confirm that was done is told so
}

// TestNoMobile: a branch must help, and nobody is asked to wait for an SMS.
func TestNoMobile(t *testing.T) {
	w := apitest.Start(t)
	p := phoneOf(t, w, "p12")
	p.post("/v1/otp/challenges", map[string]string{"purpose": "profile"}).want(409, "mobile_missing")
	if got := p.post("/v1/otp/challenges/x/resend", nil); got.problem().Code != "challenge_gone" {
		t.Errorf("a resend of nothing says %s", got.problem().Code)
	}
}
