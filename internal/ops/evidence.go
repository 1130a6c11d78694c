package ops

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// Records are what a dispute is settled by, beside the events.
type Records interface {
	// Witnesses are the signed exchanges with the core that the refund's moves rest on, oldest first.
	Witnesses(ctx context.Context, id string) ([]gateway.Witness, error)
	// SMS are the messages about any of these challenges and references, oldest first.
	SMS(ctx context.Context, about []string, most int) ([]otp.Sent, error)
	// LookedUp is the look-up of this id, or gateway.ErrNotFound.
	LookedUp(ctx context.Context, id string) (bank.Lookup, error)
	// Takings says who took the evidence before; RecordTaking that somebody does now.
	Takings(ctx context.Context, id string) ([]gateway.Taking, error)
	RecordTaking(ctx context.Context, k gateway.Taking) error
}

// messagesMax bounds a pack: a refund has three messages or four, and each may have been handed over again for a day.
const messagesMax = 1000

// evidence gives out the pack of one refund. Nobody gets it unless that they did is on record, nor of a refund that can't
// be read.
func (c Config) evidence(w http.ResponseWriter, r *http.Request, by bank.Caller) {
	ctx, cancel := context.WithTimeout(r.Context(), packMax)
	defer cancel()
	found, err := c.gather(ctx, r.PathValue("id"), time.Now())
	if err != nil {
		notFoundOr(w, err)
		return
	}
	whole, err := found.pack()
	if err != nil {
		refuse(w, http.StatusInternalServerError, "internal")
		return
	}
	digest := sha256.Sum256(whole)
	err = c.Store.RecordTaking(ctx, gateway.Taking{
		ID: uuid.Must(uuid.NewV7()).String(), RefundID: found.refund.ID, At: found.at, Digest: digest,
		By: gateway.Actor{Role: gateway.RoleOperator, ID: by.Subject, Employee: by.Employee, Branch: by.Branch, Session: by.Session},
	})
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, "try_again")
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/zip")
	header.Set("Content-Disposition", `attachment; filename="`+found.refund.Reference+`.zip"`)
	header.Set("Content-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(digest[:])+":") // RFC 9530
	header.Set("Cache-Control", "no-store")
	_, _ = w.Write(whole) // whoever has hung up comes again
}

// packMax bounds the making of a pack.
const packMax = 5 * time.Second

// gathered is all that there is about a refund.
type gathered struct {
	at        time.Time
	refund    gateway.Refund
	deadlines gateway.Deadlines
	events    []gateway.Event
	witnesses []gateway.Witness
	messages  []otp.Sent
	lookup    *bank.Lookup // nil: it was asked for online
	takings   []gateway.Taking
}

func (c Config) gather(ctx context.Context, id string, now time.Time) (g gathered, err error) {
	g.at, g.deadlines = now, gateway.DeadlinesAt(now, c.Calendar())
	if g.refund, err = c.Store.Lookup(ctx, id); err != nil {
		return g, err
	}
	if g.events, err = c.Store.Events(ctx, id); err != nil {
		return g, err
	}
	about := []string{g.refund.Reference}
	for _, challenge := range []string{g.proof(), g.refund.Challenge} {
		if challenge != "" {
			about = append(about, challenge)
		}
	}
	if g.refund.Origin.Channel == gateway.Counter {
		looked, err := c.Store.LookedUp(ctx, g.refund.Origin.Session)
		if err != nil && !errors.Is(err, gateway.ErrNotFound) {
			return g, err
		}
		if err == nil {
			g.lookup = &looked
		}
	}
	var failed [3]error
	g.witnesses, failed[0] = c.Store.Witnesses(ctx, id)
	g.messages, failed[1] = c.Store.SMS(ctx, about, messagesMax)
	g.takings, failed[2] = c.Store.Takings(ctx, id)
	return g, errors.Join(failed[:]...)
}

// proof is the challenge whose code let the customer in; empty when there was none, or the refund is older than the record
// of it.
func (g gathered) proof() string {
	if len(g.events) == 0 {
		return ""
	}
	return g.events[0].Evidence[gateway.Proof]
}

// message is an SMS, as the customer read it but for the code.
type message struct {
	MessageID string          `json:"message_id"`
	About     string          `json:"about"`
	At        string          `json:"at"`
	Purpose   otp.Kind        `json:"purpose"`
	SentTo    string          `json:"sent_to"`
	Text      string          `json:"text"`
	Route     string          `json:"route"`
	Outcome   otp.SendOutcome `json:"outcome"`
}

func (g gathered) sms() []message {
	told := make([]message, 0, len(g.messages))
	for _, m := range g.messages {
		told = append(told, message{m.Message, m.About, instant(m.At), m.Kind, m.To.Masked(), m.Text, m.Route, m.Outcome})
	}
	return told
}

// presence is how the teller made sure of the customer.
type presence struct {
	LookupID string             `json:"lookup_id"`
	At       string             `json:"at"`
	Teller   actor              `json:"teller"`
	Client   string             `json:"client"`
	Outcome  bank.LookupOutcome `json:"outcome"`
	Customer string             `json:"customer"`
	Check    *identityCheck     `json:"identity_check"` // null: the customer typed the code that their phone was sent
}

type identityCheck struct {
	Method string `json:"method"`
	Note   string `json:"note"`
}

func (g gathered) presence() *presence {
	l := g.lookup
	if l == nil {
		return nil
	}
	told := &presence{
		LookupID: l.ID, At: instant(l.At), Client: l.Client, Outcome: l.Outcome, Customer: l.Customer,
		Teller: actor{gateway.RoleTeller, l.Login, l.Employee, l.Branch, l.Session},
	}
	if l.Check != nil {
		told.Check = &identityCheck{saudi.MaskNumbers(l.Check.Method), saudi.MaskNumbers(l.Check.Note)}
	}
	return told
}

// taking is somebody who took a pack before this one.
type taking struct {
	At     string `json:"at"`
	By     actor  `json:"by"`
	SHA256 string `json:"sha256"` // of that pack
}

func (g gathered) taken() []taking {
	told := make([]taking, 0, len(g.takings))
	for _, k := range g.takings {
		told = append(told, taking{instant(k.At), actor(k.By), hex.EncodeToString(k.Digest[:])})
	}
	return told
}
