package banktest

import (
	"net/http"
	"time"
)

// Approver is one session of one approver: the second person at the bank.
type Approver struct{ own *Customer }

// Approver signs an approver in. Each call is a new session.
func (w *World) Approver(user string) *Approver {
	w.t.Helper()
	return &Approver{w.Customer(user)}
}

// Token is the approver's.
func (a *Approver) Token() string { return a.own.Token }

// Do calls the channel API with the approver's token.
func (a *Approver) Do(method, path string, body any, header ...string) *Response {
	a.own.w.t.Helper()
	return a.own.Do(method, path, body, header...)
}

// In is the same session, seen from a goroutine of Together.
func (a *Approver) In(w *World) *Approver { return &Approver{a.own.In(w)} }

// Approval is a refund that awaits approval, as an approver sees it.
type Approval struct {
	RefundID  string `json:"refund_id"`
	Reference string `json:"reference"`
	Amount    Money  `json:"amount"`
	Service   string `json:"service"`
	Customer  struct {
		CustomerID string `json:"customer_id"`
		ID         Party  `json:"id"` // masked
	} `json:"customer"`
	Channel string `json:"channel"`
	Maker   *struct {
		Login    string `json:"login"`
		Employee string `json:"employee"`
	} `json:"maker"`
	Branch    *string   `json:"branch"`
	Note      *string   `json:"note"`
	Reasons   []Marked  `json:"reasons"`
	Flags     []Marked  `json:"flags"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Digest    string    `json:"digest"`
}

// Marked is a word that a refund carries, and what an approver reads of it.
type Marked struct {
	Code string `json:"code"`
	Text Text   `json:"text"`
}

// List is everything that awaits the approver's decision, what lapses first first.
func (a *Approver) List() []Approval {
	a.own.w.t.Helper()
	var all []Approval
	for cursor := ""; ; {
		var page struct {
			list[Approval]
			Next *string `json:"next_cursor"`
		}
		a.own.Insist(http.MethodGet, "/v1/approvals?limit=100&cursor="+cursor, nil).Want(http.StatusOK).JSON(&page)
		if all = append(all, page.Items...); page.Next == nil {
			return all
		}
		cursor = *page.Next
	}
}

// Awaiting is the one of the list with that id; it fails the test when it isn't there.
func (a *Approver) Awaiting(refundID string) Approval {
	a.own.w.t.Helper()
	for _, awaiting := range a.List() {
		if awaiting.RefundID == refundID {
			return awaiting
		}
	}
	a.own.w.t.Fatalf("refund %s doesn't await the approval of %s", refundID, a.own.User())
	return Approval{}
}

// Approve lets a refund go on; digest is that of its [Approval].
func (a *Approver) Approve(refundID, note, digest string) *Response {
	a.own.w.t.Helper()
	return a.own.Insist(http.MethodPost, "/v1/approvals/"+refundID+"/approve", map[string]string{"note": note, "digest": digest})
}

// Reject refuses a refund, which is then cancelled.
func (a *Approver) Reject(refundID, note string) *Response {
	a.own.w.t.Helper()
	return a.own.Insist(http.MethodPost, "/v1/approvals/"+refundID+"/reject", map[string]string{"note": note})
}

// Looks is how often an employee looked at customers on a day, at one branch.
type Looks struct {
	Employee  string `json:"employee"`
	Branch    string `json:"branch"`
	Day       string `json:"day"`
	Looks     int    `json:"looks"`
	Unknown   int    `json:"unknown"`
	Forbidden int    `json:"forbidden"`
	Refused   int    `json:"refused"`
	Limit     int    `json:"limit"`
}

// Lookups are how employees have looked at customers, the latest day first: a hundred of them at most.
func (a *Approver) Lookups() []Looks {
	a.own.w.t.Helper()
	var page list[Looks]
	a.own.Insist(http.MethodGet, "/v1/lookups?limit=100", nil).Want(http.StatusOK).JSON(&page)
	return page.Items
}

// Unblock lets a customer in again whom wrong codes keep out.
func (a *Approver) Unblock(idNumber, note string) *Response {
	a.own.w.t.Helper()
	return a.own.Insist(http.MethodPost, "/v1/unblocks", map[string]string{"id_number": idNumber, "note": note})
}
