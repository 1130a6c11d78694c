package ops

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
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

// exchange is a question to the core and its answer, and where in the pack what was signed is.
type exchange struct {
	Version  int64   `json:"version"` // of the event that rests on it
	Call     string  `json:"call"`
	Asked    signed  `json:"asked"`
	Answered *signed `json:"answered"` // null: there was none that could be believed
}

// signed is a signed message (RFC 9421). Its base, signature and key are files of the pack, as standard tools read them.
type signed struct {
	At             string `json:"at"`
	Method         string `json:"method,omitempty"`
	Authority      string `json:"authority,omitempty"`
	Path           string `json:"path,omitempty"`
	Query          string `json:"query,omitempty"`
	Status         int    `json:"status,omitempty"`
	ContentDigest  string `json:"content_digest"`
	SignatureInput string `json:"signature_input"`
	Signature      string `json:"signature"`
	KeyID          string `json:"keyid"`
	Body           string `json:"body"` // numbers masked
	KeyFile        string `json:"key_file"`
	BaseFile       string `json:"base_file"`
	SignatureFile  string `json:"signature_file"`
	BodyFile       string `json:"body_file"`
}

// part is one file of a pack.
type part struct {
	name string
	body []byte
}

// parts are files of a pack by name, in the order in which they were put.
type parts []part

func (p *parts) put(name string, body []byte) string {
	if !slices.ContainsFunc(*p, func(there part) bool { return there.name == name }) {
		*p = append(*p, part{name, body})
	}
	return name
}

// exchanges puts what was signed into the pack, and says where.
func (g gathered) exchanges(p *parts) ([]exchange, error) {
	told := make([]exchange, 0, len(g.witnesses))
	for _, w := range g.witnesses {
		name := fmt.Sprintf("core/%03d-%s", w.Version, w.Call)
		asked, err := g.signed(p, name+"-asked", w.Asked)
		if err != nil {
			return nil, err
		}
		x := exchange{Version: w.Version, Call: w.Call, Asked: asked}
		if w.Answered != nil {
			answered, err := g.signed(p, name+"-answered", *w.Answered)
			if err != nil {
				return nil, err
			}
			x.Answered = &answered
		}
		told = append(told, x)
	}
	return told, nil
}

func (g gathered) signed(p *parts, name string, s gateway.Signed) (signed, error) {
	base, err := baseOf(s)
	if err != nil {
		return signed{}, err
	}
	raw, err := rawSignature(s.Signature)
	if err != nil {
		return signed{}, err
	}
	key, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(s.Key))
	if err != nil {
		return signed{}, err
	}
	sum := sha256.Sum256(s.Key)
	keyName := "keys/" + unsafeInNames.ReplaceAllString(s.KeyID, "_") + "-" + hex.EncodeToString(sum[:4]) + ".pem"
	r := g.refund
	body := maskedBody(string(s.Body), []number{
		{r.To.Compact(), r.To.Masked()}, {r.Payment.Payer.Number(), r.Payment.Payer.Masked()},
		{r.Payment.Beneficiary.Number(), r.Payment.Beneficiary.Masked()},
	}, r.Reference, r.CoreReference, r.Payment.RequestID)
	return signed{
		At: instant(s.At), Method: s.Method, Authority: s.Authority, Path: s.Path, Query: s.Query, Status: s.Status,
		ContentDigest: s.Digest, SignatureInput: s.Input, Signature: s.Signature, KeyID: s.KeyID, Body: body,
		KeyFile:       p.put(keyName, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: key})),
		BaseFile:      p.put(name+".base", base),
		SignatureFile: p.put(name+".sig", raw),
		BodyFile:      p.put(name+".body", []byte(body)),
	}, nil
}

var unsafeInNames = regexp.MustCompile(`[^A-Za-z0-9._-]`)

var errUnsigned = errors.New("ops: what is on record has no signature of the protocol's form")

// baseOf is what was signed (RFC 9421 §2.5): a line for each covered component, then the parameters.
func baseOf(s gateway.Signed) ([]byte, error) {
	_, params, found := strings.Cut(s.Input, "=")
	components, _, closed := strings.Cut(strings.TrimPrefix(params, "("), ")")
	if !found || !closed {
		return nil, errUnsigned
	}
	values := map[string]string{
		`"@method"`: s.Method, `"@authority"`: s.Authority, `"@path"`: s.Path, `"@query"`: s.Query,
		`"@status"`: strconv.Itoa(s.Status), `"content-digest"`: s.Digest,
	}
	var base strings.Builder
	for name := range strings.FieldsSeq(components) {
		value, known := values[name]
		if !known {
			return nil, errUnsigned
		}
		base.WriteString(name + ": " + value + "\n")
	}
	base.WriteString(`"@signature-params": ` + params)
	return []byte(base.String()), nil
}

// rawSignature is the 64 bytes of a Signature field.
func rawSignature(field string) ([]byte, error) {
	_, text, found := strings.Cut(field, "=:")
	text, closed := strings.CutSuffix(text, ":")
	raw, err := base64.StdEncoding.DecodeString(text)
	if !found || !closed || err != nil || len(raw) != ed25519.SignatureSize {
		return nil, errUnsigned
	}
	return raw, nil
}

var (
	//go:embed evidence.html
	evidenceHTML string
	//go:embed evidence.txt
	evidenceText string

	evidencePage = template.Must(template.New("evidence").Funcs(template.FuncMap{
		"stepText": func(e event) text {
			return text(bank.StepText(gateway.Event{From: e.From, To: e.To, Actor: gateway.Actor{Role: e.Actor.Role}}))
		},
		"stateText":  func(s gateway.State) text { return text(bank.StateText(s)) },
		"statusText": func(s gateway.Status) text { return text(bank.StatusText(s)) },
	}).Parse(evidenceHTML))
)

// page is what a person reads.
type page struct {
	MadeAt    string
	Refund    refund
	Events    []event
	Approvals []event // those made by a second person
	Proof     string  // the challenge whose code let the customer in
	Messages  []message
	Presence  *presence
	Exchanges []exchange
	Taken     []taking
}

// sumsName is the manifest's: the form that sha256sum -c reads.
const sumsName = "SHA256SUMS"

// pack is one ZIP file. The same facts at the same time make the same bytes.
func (g gathered) pack() ([]byte, error) {
	var p parts
	exchanges, err := g.exchanges(&p)
	if err != nil {
		return nil, err
	}
	told := page{
		MadeAt: instant(g.at), Refund: refundOf(gateway.Listed{Refund: g.refund}, g.deadlines), Events: eventsOf(g.events),
		Messages: g.sms(), Proof: g.proof(),
		Presence: g.presence(), Exchanges: exchanges, Taken: g.taken(),
	}
	for _, e := range told.Events {
		if e.Actor.Role == gateway.RoleApprover || e.Actor.Role == gateway.RoleOperator {
			told.Approvals = append(told.Approvals, e)
		}
	}
	var html bytes.Buffer
	if err := evidencePage.Execute(&html, told); err != nil {
		return nil, err
	}
	files := parts{{"README.txt", []byte(evidenceText)}, {"index.html", html.Bytes()}}
	for _, f := range []struct {
		name  string
		value any
	}{
		{"refund.json", told.Refund},
		{"events.json", told.Events},
		{"messages.json", told.Messages},
		{"presence.json", told.Presence},
		{"exchanges.json", told.Exchanges},
		{"taken.json", told.Taken},
	} {
		body, err := json.MarshalIndent(f.value, "", "  ")
		if err != nil {
			return nil, err
		}
		files.put(f.name, append(body, '\n'))
	}
	files = append(files, p...)
	var sums strings.Builder
	for _, f := range files {
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(f.body), f.name)
	}
	return zipped(append(files, part{sumsName, []byte(sums.String())}), g.at)
}

func zipped(files parts, at time.Time) ([]byte, error) {
	var whole bytes.Buffer
	z := zip.NewWriter(&whole)
	for _, f := range files {
		w, err := z.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: at.UTC()})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(f.body); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return whole.Bytes(), err
}
