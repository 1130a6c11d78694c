package banktest

import "net/http"

// Teller is one session of one teller.
type Teller struct{ own *Customer }

// Teller signs a teller in. Each call is a new session.
func (w *World) Teller(user string) *Teller {
	w.t.Helper()
	return &Teller{w.Customer(user)}
}

// Token is the teller's.
func (t *Teller) Token() string { return t.own.Token }

// Do calls the channel API with the teller's token, for nobody.
func (t *Teller) Do(method, path string, body any, header ...string) *Response {
	t.own.w.t.Helper()
	return t.own.Do(method, path, body, header...)
}

// In is the same session, seen from a goroutine of Together.
func (t *Teller) In(w *World) *Teller { return &Teller{t.own.In(w)} }

// Visit is a customer before a teller. Its calls are the teller's, with the customer's assisted session; codes are read
// on the customer's own phone.
type Visit struct {
	*Customer
	Assisted
	teller *Teller
}

// Assisted is the answer to the beginning of an assisted session.
type Assisted struct {
	ID       string    `json:"assisted_session_id"`
	Overview []Outlook `json:"overview"`
	// Sent is the code on its way; nil after an identity check.
	Sent *struct {
		ChallengeID string `json:"challenge_id"`
		SentTo      string `json:"sent_to"`
	} `json:"challenge"`
}

// Outlook is whether one paid request can come back.
type Outlook struct {
	Service    string  `json:"service"`
	Refundable bool    `json:"refundable"`
	Reason     *string `json:"reason"`
}

// Look begins an assisted session for whoever has the ID number, and returns whatever is answered. check is nil unless
// the teller makes sure of the customer without a code.
func (t *Teller) Look(idNumber string, check map[string]string) *Response {
	t.own.w.t.Helper()
	body := map[string]any{"id_number": idNumber, "document_seen": true}
	if check != nil {
		body["identity_check"] = check
	}
	return t.own.Insist(http.MethodPost, "/v1/assisted-sessions", body)
}

// Receive begins an assisted session for a customer. When their SMS budget stands in the way, it is forgiven first.
func (t *Teller) Receive(user string) *Visit {
	t.own.w.t.Helper()
	return t.receive(user, nil)
}

// Check begins one for a customer who can't be sent a code: the teller makes sure of them.
func (t *Teller) Check(user string) *Visit {
	t.own.w.t.Helper()
	return t.receive(user, map[string]string{"method": "passport", "note": "seen by both of us"})
}

func (t *Teller) receive(user string, check map[string]string) *Visit {
	w := t.own.w
	w.t.Helper()
	customer := *t.own
	customer.person = w.person(user)
	r := t.Look(customer.IDNumber(), check)
	if r.Code() == "resend_too_soon" || r.Code() == "rate_limited" {
		w.Forgive(user)
		r = t.Look(customer.IDNumber(), check)
	}
	v := &Visit{Customer: &customer, teller: t}
	r.Want(http.StatusCreated).JSON(&v.Assisted)
	customer.assisted = v.ID
	return v
}

// Serve is Receive, after which the customer reads the code on their phone and types it.
func (t *Teller) Serve(user string) *Visit {
	t.own.w.t.Helper()
	v := t.Receive(user)
	v.Prove()
	return v
}

// Prove has the customer read the code on their phone and type it on the teller's keypad.
func (v *Visit) Prove() {
	v.w.t.Helper()
	v.Type(v.Code()).Want(http.StatusOK)
}

// Type has the customer type that on the teller's keypad.
func (v *Visit) Type(code string) *Response {
	v.w.t.Helper()
	return v.teller.own.Insist(http.MethodPost, "/v1/assisted-sessions/"+v.ID+"/verify", map[string]string{"code": code})
}

// End ends the session: the customer leaves.
func (v *Visit) End() *Response {
	v.w.t.Helper()
	return v.teller.Do(http.MethodDelete, "/v1/assisted-sessions/"+v.ID, nil)
}
