package otp

import (
	"context"
	"strings"
	"time"

	"github.com/istirdad/istirdad/internal/saudi"
)

// Sent is one handing over of an SMS, on record for the day on which somebody
// says that they were told something else, or nothing. It never holds a code.
type Sent struct {
	ID      string // UUIDv7, of this handing over
	Message string // under which the provider knows the message; repetitions share it
	About   string // the challenge whose code it brought, or the reference of the refund that it tells of; empty: neither
	At      time.Time
	Kind    Kind
	To      saudi.Mobile
	Text    string // as the customer read it, with a Blank in the place of each digit of the code
	Route   string
	Outcome SendOutcome
}

// SendOutcome is what became of handing a message over.
type SendOutcome string

// The outcomes, those of a Sender.
const (
	SendTaken   SendOutcome = "taken"    // a provider took it
	SendNotSent SendOutcome = "not_sent" // none did
	SendUnknown SendOutcome = "unknown"  // nobody knows
)

// Records is the durable record of messages. Whatever is in it was sent with
// codes, and is kept without.
type Records interface {
	RecordSMS(ctx context.Context, s Sent) error
}

// Blank stands in a record where a digit of a code stood.
const Blank = "●"

// Blanked is the message with its code made unreadable.
func (m Message) Blanked() Message {
	m.Code = Code(strings.Repeat(Blank, len(m.Code)))
	return m
}

// About is the challenge or the reference that the message of this id is about:
// both stand in front of what tells one message about it from another. It is
// empty for a message that is about the customer alone.
func About(messageID string) string {
	about, _, _ := strings.Cut(messageID, ":")
	if about == alertPrefix {
		return ""
	}
	return about
}
