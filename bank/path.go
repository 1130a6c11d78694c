package bank

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/istirdad/istirdad/internal/seal"
	"github.com/istirdad/istirdad/otp"
)

// Config is what a Path cannot live without.
type Config struct {
	Directory Directory
	Inquiries Inquiries
	Sessions  Sessions
	Counter   AssistedSessions
	Lookups   Lookups
	Approvals Approvals
	Sightings Sightings
	Endings   Endings
	Meter     Meter
	Book      Book
	Watcher   *Watcher // one for all paths of a gateway
	Codes     *otp.Service
	Cursors   *seal.Sealer // seals the core's cursors, so that none comes back that wasn't given out
	Terms     func() Terms // those in force; any number of goroutines ask
	Recorded  func()       // called after a refund was recorded: somebody may want to carry it at once
	Log       *slog.Logger
}

// Path is the customer's path, step by step. It keeps no state and is safe for concurrent use.
type Path struct{ Config }

// NewPath returns the path, or an error when it can't be walked under the terms of the moment.
func NewPath(c Config) (*Path, error) {
	if err := c.Terms().Validate(); err != nil {
		return nil, fmt.Errorf("terms: %w", err)
	}
	return &Path{c}, nil
}

// whileOpen returns the terms in force, or a *ClosedError while the bank has closed the service. By it go the steps that
// begin something or look for it. Whatever was begun goes on by Terms alone: a confirm is never closed, nor are the codes
// under way for one, the list of refunds or a withdrawal.
func (p *Path) whileOpen() (Terms, error) {
	terms := p.Terms()
	return terms, terms.closed(time.Now())
}

// enter is whileOpen for a caller who has a proof, which Proved tells of: the way into every step from the menu to the
// preview.
func (p *Path) enter(ctx context.Context, c Caller) (terms Terms, proof string, err error) {
	if terms, err = p.whileOpen(); err == nil {
		proof, err = p.Proved(ctx, c)
	}
	return terms, proof, err
}

// Profile is step 3: who the caller is at the bank. It needs a proof, and so do all steps to the preview.
func (p *Path) Profile(ctx context.Context, c Caller) (Customer, error) {
	if _, err := p.Proved(ctx, c); err != nil {
		return Customer{}, err
	}
	return p.customer(ctx, c.Customer())
}

// Proved is the check by itself: ErrNoProof unless this session entered a code not long ago, that of the challenge. A use
// renews the proof. At the counter the assisted session is the proof, and was used on the way here; there is no challenge
// where the teller checked who they are.
func (p *Path) Proved(ctx context.Context, c Caller) (challenge string, err error) {
	if c.assisted != nil {
		return c.assisted.Challenge, c.Proven()
	}
	challenge, err = p.Sessions.UseProof(ctx, c.Holder())
	return challenge, unavailable(err, ErrNoProof)
}

func (p *Path) customer(ctx context.Context, id string) (Customer, error) {
	customer, err := p.Directory.Customer(ctx, id)
	return customer, unavailable(err, ErrNotFound)
}

// unavailable lets the errors that were promised pass and makes ErrUnavailable of all others: whatever a store or a
// neighbour says beyond its word, the caller is refused and told to try again.
func unavailable(err error, promised ...error) error {
	if err == nil {
		return nil
	}
	for _, p := range promised {
		if errors.Is(err, p) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
