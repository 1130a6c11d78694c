package client

import (
	"context"
	"log/slog"

	"github.com/istirdad/istirdad/gateway/client/internal/wire"
)

// Attendance is what a teller enters of the customer before them.
type Attendance struct {
	IDNumber     string // from the customer's document
	DocumentSeen bool   // the teller has it before them; nothing begins without

	// IdentityCheck is for a customer without a mobile, or whose number changed within 72 hours.
	IdentityCheck *IdentityCheck
}

// IdentityCheck is how a teller made sure of a customer who can't be sent a code. Every confirm then awaits approval.
type IdentityCheck struct {
	Method string // passport, for example
	Note   string // for whoever approves, and for auditors
}

// String tells nothing of the customer.
func (Attendance) String() string { return "a customer at the counter" }

// GoString is String.
func (a Attendance) GoString() string { return a.String() }

// LogValue is String.
func (a Attendance) LogValue() slog.Value { return slog.StringValue(a.String()) }

// AssistedSession is a customer at the counter: fifteen minutes without a call, thirty in all.
type AssistedSession struct {
	AssistedSessionID string     `json:"assisted_session_id"`
	Customer          Attended   `json:"customer"`
	Overview          []Outlook  `json:"overview"`
	Challenge         *Challenge `json:"challenge"` // nil after an identity check
}

// Attended is the customer before a teller.
type Attended struct {
	Name   Text   `json:"name"`
	ID     Party  `json:"id"`
	Mobile string `json:"mobile"` // masked; empty when the bank has none
}

// Outlook is whether one paid request can come back, told before the customer has proved that they are there.
type Outlook struct {
	Service    string `json:"service"`
	Name       Text   `json:"name"`
	Refundable bool   `json:"refundable"`
	Reason     Code   `json:"reason"` // why it isn't refundable; empty when it is
}

// Assist begins to serve a customer, under a teller's token. A code goes out to the customer's phone, which they type on
// the keypad that is turned to them; the teller never sees it.
func (c *Client) Assist(ctx context.Context, a Attendance) (*AssistedSession, error) {
	body := wire.AssistInputBody{IDNumber: a.IDNumber, DocumentSeen: wire.AssistInputBodyDocumentSeen(a.DocumentSeen)}
	if a.IdentityCheck != nil {
		body.IdentityCheck = &wire.IdentityCheckInputBody{Method: a.IdentityCheck.Method, Note: a.IdentityCheck.Note}
	}
	req, err := wire.NewCreateAssistedSessionRequest(c.base, body)
	return get[AssistedSession](ctx, c, once, req, err)
}

// VerifyAssisted enters the code of an assisted session, as the customer typed it.
func (c *Client) VerifyAssisted(ctx context.Context, assistedSessionID, code string) (*Proof, error) {
	req, err := wire.NewVerifyAssistedSessionRequest(c.base, assistedSessionID, wire.VerifyAssistedInputBody{Code: code})
	return get[Proof](ctx, c, once, req, err)
}

// Assisted walks the path for the customer of an assisted session, once that is verified, with the same teller's token.
func (c *Client) Assisted(assistedSessionID string) *Client {
	there := *c
	there.assisted = assistedSessionID
	return &there
}

// EndAssisted is for when the customer leaves.
func (c *Client) EndAssisted(ctx context.Context, assistedSessionID string) error {
	req, err := wire.NewEndAssistedSessionRequest(c.base, assistedSessionID)
	return c.end(ctx, ErrNotFound, req, err)
}
