package redissession

import (
	"context"
	"errors"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
)

// Preview returns the holder's preview of this id, also an expired one, or bank.ErrNotFound.
func (s *Sessions) Preview(ctx context.Context, h bank.Holder, id string) (bank.Preview, error) {
	at, err := s.place(kindPreview, h, id)
	if err != nil {
		return bank.Preview{}, err
	}
	var k kept
	if _, found, err := s.load(ctx, at, &k); err != nil {
		return bank.Preview{}, err
	} else if !found {
		return bank.Preview{}, bank.ErrNotFound
	}
	p, ok := k.preview()
	if !ok || p.ID != id {
		return bank.Preview{}, bank.ErrNotFound
	}
	return p, nil
}

// DropPreview deletes the holder's preview of this id and frees the key that it is bound to.
func (s *Sessions) DropPreview(ctx context.Context, h bank.Holder, id string) error {
	at, err := s.place(kindPreview, h, id)
	if err != nil {
		return err
	}
	var k kept
	sealed, found, err := s.load(ctx, at, &k)
	if err != nil || !found {
		return err
	}
	gone := []entry{{at.key, sealed}}
	if at, err = s.placeKey(bank.Key{Holder: h, Client: k.Client, Value: k.Key}); err != nil {
		return err
	}
	var c claim
	if sealed, found, err = s.load(ctx, at, &c); err != nil {
		return err
	}
	if found && c.Preview == id { // else somebody else's by now
		gone = append(gone, entry{at.key, sealed})
	}
	return s.release(ctx, gone...)
}

func (s *Sessions) sealPreview(k bank.Key, p bank.Preview) (entry, error) {
	at, err := s.place(kindPreview, k.Holder, p.ID)
	if err != nil {
		return entry{}, err
	}
	kept := keep(k, p)
	if _, whole := kept.preview(); !whole || p.Promised.IsZero() {
		return entry{}, errors.New("redissession: not a whole preview")
	}
	sealed, err := s.seal(at, kept)
	return entry{at.key, sealed}, err
}

// kept is what a sealed preview says. The types of personal data mask themselves in JSON, so here they are spelt out.
type kept struct {
	Client, Key string // the key that made it, so that it can be freed

	ID                   string
	Origin               gateway.Origin
	Request, Service     string
	Name                 moi.Name
	Amount               money.Amount
	Payer, Beneficiary   party
	To                   string
	CreatedAt, ExpiresAt time.Time
	Promised             saudi.Date
	NeedsCode, Approval  bool
	Warnings             []bank.Warning
	MobileChangedAt      time.Time `json:",omitzero"`
	Proof                string    `json:",omitempty"`
}

type party struct {
	Kind   saudi.Kind
	Number string
}

func keep(k bank.Key, p bank.Preview) kept {
	return kept{
		Client: k.Client, Key: k.Value,
		ID: p.ID, Origin: p.Origin,
		Request: p.Payment.RequestID, Service: p.Payment.Service, Name: p.Payment.Name, Amount: p.Payment.Amount,
		Payer:       party{p.Payment.Payer.Kind(), p.Payment.Payer.Number()},
		Beneficiary: party{p.Payment.Beneficiary.Kind(), p.Payment.Beneficiary.Number()},
		To:          p.To.Compact(),
		CreatedAt:   p.CreatedAt.UTC(), ExpiresAt: p.ExpiresAt.UTC(), Promised: p.Promised,
		NeedsCode: p.NeedsCode, Approval: p.Approval, Warnings: p.Warnings, MobileChangedAt: p.MobileChangedAt.UTC(),
		Proof: p.Proof,
	}
}

// preview is false when this program can't make a whole preview of it.
func (k kept) preview() (bank.Preview, bool) {
	payer, payerErr := saudi.NewParty(k.Payer.Kind, k.Payer.Number)
	beneficiary, beneficiaryErr := saudi.NewParty(k.Beneficiary.Kind, k.Beneficiary.Number)
	to, toErr := saudi.ParseIBAN(k.To)
	if payerErr != nil || beneficiaryErr != nil || toErr != nil {
		return bank.Preview{}, false
	}
	return bank.Preview{
		ID: k.ID, Origin: k.Origin,
		Payment: gateway.Payment{
			RequestID: k.Request, Service: k.Service, Name: k.Name, Amount: k.Amount, Payer: payer, Beneficiary: beneficiary,
		},
		To: to, CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt, Promised: k.Promised,
		NeedsCode: k.NeedsCode, Approval: k.Approval, Warnings: k.Warnings, MobileChangedAt: k.MobileChangedAt,
		Proof: k.Proof,
	}, true
}
