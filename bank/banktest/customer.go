package banktest

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Customer is one session of one person. Its calls may be made from several goroutines, by [Customer.In].
type Customer struct {
	Token string // of the bank's issuer: what a program under test sends as its bearer

	w        *World
	person   Person // as of the sign-in
	via      string // the gateway that all calls go to; empty: each in turn
	assisted string // the session in which a teller calls for them; empty: they call themselves
}

// Customer signs a person in by the password grant: p01 to p14, and with a [Crowd] c00001 and so on. Each call is a new
// session.
func (w *World) Customer(user string) *Customer {
	w.t.Helper()
	form := url.Values{"grant_type": {"password"}, "username": {user}, "password": {Password}}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	r, err := w.send(w.client, http.MethodPost, w.urls.Bank+"/token", header, form.Encode())
	if err != nil {
		w.t.Fatal(err)
	}
	var granted struct {
		AccessToken string `json:"access_token"`
	}
	r.Want(http.StatusOK).JSON(&granted)
	return &Customer{Token: granted.AccessToken, w: w, person: w.person(user)}
}

// In is the same session, seen from a goroutine of Together.
func (c *Customer) In(w *World) *Customer {
	there := *c
	there.w = w
	return &there
}

// Via is the same session, all of whose calls go to the gateway at that URL instead of to each in turn.
func (c *Customer) Via(gateway string) *Customer {
	there := *c
	there.via = gateway
	return &there
}

// Do calls the channel API with the customer's token. body is nil for none, a string or []byte to be sent as it is, or
// a value to be sent as JSON; header holds names and values in turn.
func (c *Customer) Do(method, path string, body any, header ...string) *Response {
	c.w.t.Helper()
	r, err := c.Try(method, path, body, header...)
	if err != nil {
		c.w.t.Fatal(err)
	}
	return r
}

// Insist is Do for whoever takes "503 try_again" at its word: nothing was lost, the same call does no harm, so it is made
// again, for half a minute.
func (c *Customer) Insist(method, path string, body any, header ...string) *Response {
	c.w.t.Helper()
	for began := time.Now(); ; time.Sleep(insistEvery) {
		r := c.Do(method, path, body, header...)
		if r.Code() != "try_again" || time.Since(began) > insistMax {
			return r
		}
	}
}

const (
	insistMax   = 30 * time.Second
	insistEvery = 100 * time.Millisecond
)

// Try is Do for whoever expects that there may be no answer.
func (c *Customer) Try(method, path string, body any, header ...string) (*Response, error) {
	h := http.Header{"Authorization": {"Bearer " + c.Token}}
	if c.assisted != "" {
		h.Set("Assisted-Session", c.assisted)
	}
	for i := 0; i+1 < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	gateway := c.via
	if gateway == "" {
		gateway = c.w.gateway()
	}
	r, err := c.w.send(c.w.channel, method, gateway+path, h, body)
	if err != nil {
		return nil, err
	}
	c.w.hear(r)
	if c.w.elsewhere && r.Status == http.StatusAccepted && method == http.MethodPost && strings.HasSuffix(path, "/confirm") {
		c.w.tell(r)
	}
	return r, nil
}

// Prove is steps 3 and 4: it asks for a code, reads it from the phone and enters it.
func (c *Customer) Prove() {
	c.w.t.Helper()
	challenge := c.Challenge(map[string]string{"purpose": "profile"})
	c.Insist(http.MethodPost, "/v1/otp/challenges/"+challenge+"/verify", map[string]string{"code": c.Code()}).Want(http.StatusOK)
}

// Challenge asks for a code and returns the challenge's id. When the customer's SMS budget stands in the way, it is
// forgiven first: hardly a test is about that, and one that is calls Do.
func (c *Customer) Challenge(body any) string {
	c.w.t.Helper()
	r := c.Insist(http.MethodPost, "/v1/otp/challenges", body)
	if r.Status == http.StatusTooManyRequests {
		c.w.Forgive(c.User())
		r = c.Insist(http.MethodPost, "/v1/otp/challenges", body)
	}
	var challenge struct {
		ChallengeID string `json:"challenge_id"`
	}
	r.Want(http.StatusCreated).JSON(&challenge)
	return challenge.ChallengeID
}

// Code is the newest code on the customer's phone that hasn't been given before; it waits for one to arrive.
func (c *Customer) Code() string {
	c.w.t.Helper()
	return c.Phone().Code(c.w.t)
}

// Phone is the customer's phone.
func (c *Customer) Phone() *Phone {
	c.w.t.Helper()
	return c.w.Phone(c.User())
}

// Preview is the answer to step 10.
type Preview struct {
	RefundID         string `json:"refund_id"`
	Status           string `json:"status"`
	Service          string `json:"service"`
	Amount           Money  `json:"amount"`
	ToAccount        string `json:"to_account"`
	PromisedBy       string `json:"promised_by"`
	PromisedByHijri  string `json:"promised_by_hijri"`
	ExpiresAt        string `json:"expires_at"`
	ConfirmRequires  string `json:"confirm_requires"`
	ApprovalRequired bool   `json:"approval_required"`
}

// Preview is steps 9 and 10 for the customer's own first account and ID number.
func (c *Customer) Preview(requestID string) Preview {
	c.w.t.Helper()
	var p Preview
	c.AskFor(requestID).Want(http.StatusCreated).JSON(&p)
	return p
}

// AskFor is Preview, whatever it answers; header holds names and values in turn.
func (c *Customer) AskFor(requestID string, header ...string) *Response {
	c.w.t.Helper()
	return c.Insist(http.MethodPost, "/v1/refunds", map[string]string{
		"request_id": requestID, "account_number": c.Account(), "id_number": c.IDNumber(),
	}, append([]string{"Idempotency-Key", rand.Text()}, header...)...)
}

// Confirm is step 11. A preview that asks for a code gets one: asked for, read from the phone, entered.
func (c *Customer) Confirm(refundID string) *Response {
	c.w.t.Helper()
	var p Preview
	if c.Do(http.MethodGet, "/v1/refunds/"+refundID, nil).JSON(&p); p.ConfirmRequires != "code" {
		return c.Insist(http.MethodPost, "/v1/refunds/"+refundID+"/confirm", nil)
	}
	return c.Insist(http.MethodPost, "/v1/refunds/"+refundID+"/confirm", c.RefundCode(refundID))
}

// RefundCode asks for a refund's code, reads it from the phone, and returns what the body of a confirm then is.
func (c *Customer) RefundCode(refundID string) map[string]string {
	c.w.t.Helper()
	challenge := c.Challenge(map[string]string{"purpose": "refund", "refund_id": refundID})
	return map[string]string{"challenge_id": challenge, "code": c.Code()}
}

// Refund is a refund as its customer sees it.
type Refund struct {
	RefundID  string  `json:"refund_id"`
	Reference string  `json:"reference"`
	Status    string  `json:"status"`
	State     string  `json:"state"`
	Amount    Money   `json:"amount"`
	Reason    *string `json:"reason"`
	Timeline  []struct {
		At    time.Time `json:"at"`
		State string    `json:"state"`
	} `json:"timeline"`
}

// States are the refund's states in the order in which it went through them.
func (r Refund) States() []string {
	states := make([]string, len(r.Timeline))
	for i, step := range r.Timeline {
		states[i] = step.State
	}
	return states
}

// Refund reads a refund.
func (c *Customer) Refund(id string) Refund {
	c.w.t.Helper()
	var r Refund
	c.Insist(http.MethodGet, "/v1/refunds/"+id, nil).Want(http.StatusOK).JSON(&r)
	return r
}

const (
	awaitMax   = 5 * time.Minute
	awaitEvery = 50 * time.Millisecond
)

// Await reads a refund until it has that status or state. It fails when the refund ends otherwise.
func (c *Customer) Await(id, status string) Refund {
	c.w.t.Helper()
	ctx, cancel := context.WithTimeout(c.w.t.Context(), awaitMax)
	defer cancel()
	tick := time.NewTicker(awaitEvery)
	defer tick.Stop()
	for {
		r := c.Refund(id)
		switch {
		case r.Status == status, r.State == status:
			return r
		case r.Status != "processing" && r.Status != "preview":
			c.w.t.Fatalf("refund %s ended %s, want %s (%s)", r.Reference, r.State, status, strings.Join(r.States(), ", "))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			c.w.t.Fatalf("refund %s is still %s after %v, want %s (%s)", r.Reference, r.State, awaitMax, status,
				strings.Join(r.States(), ", "))
		}
	}
}

// Requests are those that the customer paid or benefits from, as the core's book has them now.
func (c *Customer) Requests() []Request {
	c.w.t.Helper()
	c.w.People() // anew
	return c.w.person(c.User()).Requests
}

// Account is the number of the customer's first account.
func (c *Customer) Account() string {
	c.w.t.Helper()
	if len(c.person.Accounts) == 0 {
		c.w.t.Fatalf("%s has no account", c.User())
	}
	return c.person.Accounts[0].AccountNumber
}

// IDNumber is the customer's national ID or iqama number.
func (c *Customer) IDNumber() string { return c.person.IDNumber }

// User is whom the customer signed in as.
func (c *Customer) User() string { return c.person.User }
