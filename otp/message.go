package otp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
)

// Purpose is what a code proves. A code made for one purpose is worthless for
// the other.
type Purpose string

const (
	// Profile lets a session see its own customer's payments.
	Profile Purpose = "profile"
	// Refund confirms one previewed refund, named by its ID.
	Refund Purpose = "refund"
)

// Language is the language a customer is written to in. Anything but English is
// Arabic, the default for customers of Saudi banks.
type Language string

const (
	Arabic  Language = "ar"
	English Language = "en"
)

// Code is a one-time code, as sent or as typed. Whatever prints it prints stars:
// fmt with any verb, slog, JSON. Only Reveal shows it, for the text of the SMS.
type Code string

const maskedCode = "******"

// Reveal returns the digits in clear.
func (c Code) Reveal() string { return string(c) }

func (c Code) String() string { return maskedCode }

// Format covers every verb, %x and %#v included, where a Stringer would not.
func (c Code) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, maskedCode) }

func (c Code) LogValue() slog.Value { return slog.StringValue(maskedCode) }

func (c Code) MarshalText() ([]byte, error) { return []byte(maskedCode), nil }

// Kind names what a message says; each has one text per language.
type Kind string

const (
	CodeForProfile       Kind = "code_for_profile"        // Code
	CodeForRefund        Kind = "code_for_refund"         // Code, Amount, Service, AccountTail
	CodeForCounter       Kind = "code_for_counter"        // Code, Branch: typed by the customer on the teller's keypad, as the next
	CodeForCounterRefund Kind = "code_for_counter_refund" // Code, Branch, Amount, Service, AccountTail
	RefundCompleted      Kind = "refund_completed"        // Amount, AccountTail, Sector, Service, At
	RefundAccepted       Kind = "refund_accepted"         // Amount, Reference, PromisedBy
	AboutToBeBlocked     Kind = "about_to_be_blocked"     // nothing: one more wrong code closes the door until a branch opens it
)

// Kinds returns every kind of message.
func Kinds() []Kind {
	return []Kind{
		CodeForProfile, CodeForRefund, CodeForCounter, CodeForCounterRefund, RefundCompleted, RefundAccepted, AboutToBeBlocked,
	}
}

// kindOf is the message that a code for the purpose comes in, by where the customer is to type it.
func kindOf(p Purpose, branch string) Kind {
	switch {
	case p == Refund && branch != "":
		return CodeForCounterRefund
	case p == Refund:
		return CodeForRefund
	case branch != "":
		return CodeForCounter
	default:
		return CodeForProfile
	}
}

// Brand is how a bank signs its messages.
type Brand struct {
	// Sender is the name that phones show. Whoever has registered it with the
	// operators may use it.
	Sender string

	// Channel is what a profile code lets the customer into; the digital channel
	// when empty.
	Channel moi.Name

	// Bank is what messages call the bank at whose counter a customer stands; the
	// sender when empty.
	Bank moi.Name

	// WebOTPHost, when set, ends each online code's message with the line by which a
	// browser offers the code to this site alone. Leave it empty where customers
	// must type a code by hand, as in the Kingdom.
	WebOTPHost string
}

// Message is what an SMS says, without its words: a sender renders it. Beside
// each Kind stands which fields it reads; Language and Brand all of them do. The
// others are ignored.
//
// A message holds nothing that SAMA forbids in an SMS: no balance, no full
// account or identity number, no name.
type Message struct {
	Kind        Kind
	Language    Language
	Brand       Brand
	Code        Code
	Amount      money.Amount
	Service     moi.Name
	Sector      moi.Name // the government entity that SAMA wants named
	AccountTail string   // "*0001"
	Branch      string   // of the counter at which the customer types the code; empty online
	Reference   string   // the refund's reference, "RF…"
	At          time.Time
	PromisedBy  saudi.Date
}

// ErrNotSent says that a message definitely did not reach a provider, on any
// route. Every other error of a Sender means that nobody knows.
var ErrNotSent = errors.New("otp: message not sent")

// Sender hands a message to whoever delivers it to a phone.
//
// Send must return by ctx's deadline. A nil error means that a provider took
// the message. An error that is ErrNotSent means that none did, and that the
// same message may be sent again without reaching the customer twice. Any other
// error is silence: the message may well have gone out.
//
// The id names the message at the provider, which delivers it once however
// often it is handed over: every route and every repetition uses the same id
// and the same content. Errors carry neither number nor text.
//
// A Sender is safe for concurrent use.
type Sender interface {
	Send(ctx context.Context, id string, to saudi.Mobile, m Message) error
}
