// Package kept is the form in which every store keeps a refund, whatever database is below it: who it is about is sealed,
// and can still be found by a blind index; its times are whole microseconds in UTC; what an event rests on is JSON; and a
// page of a list ends with a cursor that nobody else can use.
//
// The form is one, so that what is true of a sealed value in one store is true in the other.
package kept

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/internal/seal"
)

// The names under which values are sealed and indexed. They are part of the format.
const (
	payerNumber       = "refunds.payer_number"
	beneficiaryNumber = "refunds.beneficiary_number"
	toIBAN            = "refunds.to_iban"
	usedFor           = "account_uses.party"
)

// Sealer seals and opens what a store keeps. It is safe for concurrent use.
type Sealer struct{ sealer *seal.Sealer }

// NewSealer returns a Sealer with these keys.
func NewSealer(keys *seal.Sealer) Sealer { return Sealer{keys} }

// People are the columns of a refund that say whom it is about. A number that nobody has is sealed as nothing.
type People struct {
	PayerKind       saudi.Kind
	Payer           []byte
	PayerIndex      []byte // blind; not needed to open
	BeneficiaryKind saudi.Kind
	Beneficiary     []byte
	To              []byte
	ToIndex         []byte // blind; not needed to open
}

// Seal makes the columns of a refund, which open for that refund alone.
func (s Sealer) Seal(r gateway.Refund) People {
	payer, beneficiary, to := r.Payment.Payer, r.Payment.Beneficiary, r.To.Compact()
	return People{
		PayerKind:       payer.Kind(),
		Payer:           s.seal(r.ID, payerNumber, payer.Number()),
		PayerIndex:      s.sealer.BlindIndex(payerNumber, payer.Number()),
		BeneficiaryKind: beneficiary.Kind(),
		Beneficiary:     s.seal(r.ID, beneficiaryNumber, beneficiary.Number()),
		To:              s.seal(r.ID, toIBAN, to),
		ToIndex:         s.sealer.BlindIndex(toIBAN, to),
	}
}

// Open puts the people of its columns into a refund, whose ID is there already: all of them, or none and
// gateway.ErrUnreadable.
func (s Sealer) Open(r *gateway.Refund, p People) error {
	payer, noPayer := s.party(r.ID, payerNumber, p.PayerKind, p.Payer)
	beneficiary, noBeneficiary := s.party(r.ID, beneficiaryNumber, p.BeneficiaryKind, p.Beneficiary)
	to, noAccount := s.account(r.ID, p.To)
	if err := errors.Join(noPayer, noBeneficiary, noAccount); err != nil {
		return fmt.Errorf("%w: %w", gateway.ErrUnreadable, err)
	}
	r.Payment.Payer, r.Payment.Beneficiary, r.To = payer, beneficiary, to
	return nil
}

// Use is what a refund's account having been used for somebody is kept as, under today's key and then under each of the
// others; nothing when it was for nobody, or for what is no person.
//
// It is kept under today's key, and forgotten under the others: an index of the one key doesn't tell under another whose it
// is, so that everybody counts once only if they are kept once.
func (s Sealer) Use(r gateway.Refund) (accounts, parties [][]byte) {
	if !r.Payment.Beneficiary.IsPerson() {
		return nil, nil
	}
	return s.Uses(r.To, r.Payment.Beneficiary)
}

// Uses are what an account and a party may be kept as, under today's key and the others. Of nobody there is none.
func (s Sealer) Uses(to saudi.IBAN, party saudi.Party) (accounts, parties [][]byte) {
	parties = [][]byte{}
	if !party.IsZero() {
		parties = s.sealer.BlindIndexes(usedFor, party.Number())
	}
	return s.sealer.BlindIndexes(toIBAN, to.Compact()), parties
}

func (s Sealer) seal(id, column, value string) []byte {
	if value == "" {
		return []byte{}
	}
	return s.sealer.Seal([]byte(value), place(id, column))
}

func (s Sealer) unseal(id, column string, sealed []byte) (string, error) {
	if len(sealed) == 0 {
		return "", nil
	}
	value, err := s.sealer.Open(sealed, place(id, column))
	if err != nil {
		return "", fmt.Errorf("%s of refund %s: %w", column, id, err)
	}
	return string(value), nil
}

func place(id, column string) []byte { return []byte(column + "\x00" + id) }

func (s Sealer) party(id, column string, kind saudi.Kind, sealed []byte) (saudi.Party, error) {
	number, err := s.unseal(id, column, sealed)
	if err != nil || kind == "" {
		return saudi.Party{}, err
	}
	return saudi.NewParty(kind, number)
}

func (s Sealer) account(id string, sealed []byte) (saudi.IBAN, error) {
	compact, err := s.unseal(id, toIBAN, sealed)
	if err != nil {
		return saudi.IBAN{}, err
	}
	return saudi.ParseIBAN(compact)
}

// Refund is a refund as a store gives it back: its times in whole microseconds and in UTC.
func Refund(r gateway.Refund) gateway.Refund {
	for _, t := range []*time.Time{&r.CreatedAt, &r.Due, &r.UpdatedAt, &r.SentAt, &r.DoubtSince, &r.UnknownAt, &r.ReleasedAt} {
		if !t.IsZero() {
			*t = time.UnixMicro(t.UnixMicro()).UTC()
		}
	}
	return r
}

// sealedNote is the name under which the evidence of an event holds a note: sealed, for that event alone.
const sealedNote = "sealed_note"

// Evidence is what an event rests on, as JSON; an object in any case. What a person wrote may tell of people, so it is
// sealed.
func (s Sealer) Evidence(e gateway.Event) ([]byte, error) {
	if len(e.Evidence) == 0 {
		return []byte("{}"), nil
	}
	if note, written := e.Evidence[gateway.Note]; written {
		e.Evidence = maps.Clone(e.Evidence)
		delete(e.Evidence, gateway.Note)
		e.Evidence[sealedNote] = base64.StdEncoding.EncodeToString(s.sealer.Seal([]byte(note), notePlace(e)))
	}
	return json.Marshal(e.Evidence)
}

// ReadEvidence puts what Evidence made into an event, whose refund and version are there already.
func (s Sealer) ReadEvidence(e *gateway.Event, evidence []byte) error {
	err := json.Unmarshal(evidence, &e.Evidence)
	if sealed, written := e.Evidence[sealedNote]; written && err == nil {
		delete(e.Evidence, sealedNote)
		e.Evidence[gateway.Note], err = s.note(*e, sealed)
	}
	if err != nil {
		return fmt.Errorf("evidence of refund %s, version %d: %w", e.RefundID, e.Version, err)
	}
	if len(e.Evidence) == 0 {
		e.Evidence = nil
	}
	return nil
}

func (s Sealer) note(e gateway.Event, sealed string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return "", err
	}
	note, err := s.sealer.Open(raw, notePlace(e))
	return string(note), err
}

func notePlace(e gateway.Event) []byte {
	return place(e.RefundID, "events.note\x00"+strconv.FormatInt(e.Version, 10))
}
