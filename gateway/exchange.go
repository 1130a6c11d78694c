package gateway

import (
	"fmt"
	"io"
	"time"
)

// Exchange is one question to the core about a refund, and its answer, as each was signed: what a dispute between a bank
// and the core is settled by. Whoever has the keys can verify it without either.
type Exchange struct {
	Call     string  // submit, status or return
	Asked    Signed  // by us
	Answered *Signed // the core's word; nil when there was none that its signature made one
}

// Signed is a message with all that its signature covers (RFC 9421). Its body is personal data: whatever prints it prints
// the name of the key alone.
type Signed struct {
	At        time.Time // when it was signed by us, or had been read
	Method    string    // of a request, with the next three
	Authority string
	Path      string
	Query     string // with its "?"
	Status    int    // of an answer
	Digest    string // Content-Digest (RFC 9530), which stands for the body
	Input     string // Signature-Input
	Signature string // Signature
	KeyID     string
	Key       []byte // the Ed25519 public key of that name, as we knew it then
	Body      []byte
}

// Format covers every verb.
func (s Signed) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "signed by "+s.KeyID) }

// Witness is an exchange that moved a refund, by the version that it moved it to.
type Witness struct {
	Version int64
	Exchange
}

// Witnessed is the change with the exchange that it rests on, to be kept with its event. A change that moves nothing has
// none: of hundreds of questions that settled nothing there is no record.
func (c Change) Witnessed(x *Exchange) Change {
	if _, moved := c.Event(); moved {
		c.exchange = x
	}
	return c
}

// Exchange is what the change rests on; nil: on no word of the core's, or on none that is kept.
func (c Change) Exchange() *Exchange { return c.exchange }

// Taking says that somebody took the evidence of a refund.
type Taking struct {
	ID       string // UUIDv7
	RefundID string
	At       time.Time
	By       Actor
	Digest   [32]byte // SHA-256 of what they took
}
