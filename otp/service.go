package otp

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/istirdad/istirdad/internal/saudi"
)

// decideWithin bounds one decision, both stores included. A decision is cut off
// from the caller's own deadline: a customer who hangs up between the comparison
// and the ledger must not save themselves the failure.
const decideWithin = 3 * time.Second

// Config is what a Service cannot live without.
type Config struct {
	// Pepper keys every code and MAC: at least PepperSize random bytes, the same
	// in every process, from outside the stores. Changing it makes live
	// challenges ErrGone and nothing else.
	Pepper []byte
	Codes  Codes
	Ledger Ledger
	Sender Sender
	Policy Policy // usually DefaultPolicy()
}

// Service issues and verifies codes. It keeps no state; any number of processes
// may run one over the same stores. Safe for concurrent use.
type Service struct {
	pepper pepper
	codes  Codes
	ledger Ledger
	sender Sender
	policy Policy
}

// New returns a service, or an error that says what the configuration lacks.
func New(c Config) (*Service, error) {
	if len(c.Pepper) < PepperSize {
		return nil, fmt.Errorf("otp: the pepper must have at least %d bytes", PepperSize)
	}
	if c.Codes == nil || c.Ledger == nil || c.Sender == nil {
		return nil, errors.New("otp: codes, ledger and sender are all needed")
	}
	if err := c.Policy.validate(); err != nil {
		return nil, err
	}
	policy := c.Policy
	policy.SMS, policy.Blocks = maps.Clone(policy.SMS), slices.Clone(policy.Blocks)
	return &Service{pepper(slices.Clone(c.Pepper)), c.Codes, c.Ledger, c.Sender, policy}, nil
}

// Issue asks for a code.
type Issue struct {
	Customer string // the bank's ID of the customer
	Session  string // the code is good in this session only
	Purpose  Purpose
	Ref      string  // the refund's ID; empty for Profile
	Binding  Binding // what the code is good for; see Bind
	Form     Form    // zero: DefaultForm
	To       saudi.Mobile
	Message  Message // Kind, Code and At are filled in
}

// Challenge is a code on its way, as its customer may see it.
type Challenge struct {
	ID           string
	Purpose      Purpose
	Ref          string
	To           saudi.Mobile // zero from Find: numbers are not kept
	Digits       int
	Generation   int // from 1; each resend is the next
	ExpiresAt    time.Time
	ResendAfter  time.Time
	AttemptsLeft int
}

// Issue makes a code, sends it and returns the challenge it answers. Whatever
// challenge the customer had is dead from then on.
//
// Errors: *LockedError, *TooSoonError, *BudgetError, ErrSMS, ErrUnavailable;
// nothing was sent. ErrUnavailable is also the answer while enough wrong codes
// for a block were compared but are not all on record. Silence of the sender is
// not an error: the SMS may have gone out, and the customer may ask for another.
func (s *Service) Issue(ctx context.Context, in Issue) (Challenge, error) {
	if in.Form == (Form{}) {
		in.Form = DefaultForm()
	}
	if err := in.validate(); err != nil {
		return Challenge{}, err
	}
	ctx, cancel, err := detach(ctx)
	if err != nil {
		return Challenge{}, err
	}
	defer cancel()

	at := now()
	b := bond{newID(in.Form.Digits), in.Customer, in.Session, in.Purpose, in.Ref, in.Binding}
	next := Stored{
		Holder:  s.pepper.holder(in.Customer),
		ID:      b.challenge,
		Purpose: in.Purpose,
		Ref:     in.Ref,
		Binding: in.Binding,
		Seal:    s.pepper.seal(b),
	}
	return s.deliver(ctx, at, b, next, in.Form.Life, in.To, in.Message, s.put)
}

func (in Issue) validate() error {
	switch {
	case in.Customer == "" || in.Session == "":
		return errors.New("otp: a challenge needs a customer and a session")
	case in.Purpose != Profile && in.Purpose != Refund:
		return fmt.Errorf("otp: unknown purpose %q", in.Purpose)
	case (in.Purpose == Refund) != (in.Ref != ""):
		return errors.New("otp: a refund's challenge names the refund, and no other does")
	case in.To.IsZero():
		return errors.New("otp: no mobile to send a code to")
	}
	return in.Form.Validate()
}

// newID names a challenge. Behind what can't be guessed stands how many digits
// its codes have, so that whoever reads a typed code knows what to expect of it,
// at every process and whatever the bank has set meanwhile. The ID is sealed
// with the rest of the bond: another digit names another challenge.
func newID(digits int) string { return rand.Text() + strconv.Itoa(digits) }

// digitsOf is how many digits the codes of a challenge have; 0 when it can't be
// a challenge of ours.
func digitsOf(id string) int {
	if len(id) != idLen {
		return 0
	}
	digits := int(id[idLen-1]) - '0'
	if digits < DigitsMin || digits > DigitsMax {
		return 0
	}
	return digits
}

// idLen is that of rand.Text, 26, and the digit's.
const idLen = 26 + 1

// Find returns the customer's live challenge of this ID: what a resend needs to
// know to word its message. Errors: *LockedError, ErrGone, ErrUnavailable.
func (s *Service) Find(ctx context.Context, customer, session, challengeID string) (Challenge, error) {
	ctx, cancel, err := detach(ctx)
	if err != nil {
		return Challenge{}, err
	}
	defer cancel()
	stored, _, err := s.find(ctx, now(), customer, session, challengeID)
	if err != nil {
		return Challenge{}, err
	}
	return s.challenge(stored, saudi.Mobile{}), nil
}

func (s *Service) find(ctx context.Context, at time.Time, customer, session, challengeID string) (Stored, bond, error) {
	record, err := s.ledger.Read(ctx, customer)
	if err != nil {
		return Stored{}, bond{}, unavailable(err)
	}
	if err := s.policy.Locked(record.Standing, at); err != nil {
		return Stored{}, bond{}, err
	}
	stored, err := s.codes.Find(ctx, s.pepper.holder(customer), challengeID, at)
	if errors.Is(err, ErrGone) {
		return Stored{}, bond{}, ErrGone
	} else if err != nil {
		return Stored{}, bond{}, unavailable(err)
	}
	b := bond{challengeID, customer, session, stored.Purpose, stored.Ref, stored.Binding}
	if seal := s.pepper.seal(b); !hmac.Equal(seal[:], stored.Seal[:]) {
		return Stored{}, bond{}, ErrGone
	}
	return stored, b, nil
}

// Resend sends a new code for a live challenge, of the same form; the old one is
// dead, what was tried stays tried. The mobile and the message are the caller's to give again,
// because no store keeps them. Errors: those of Issue and ErrGone.
func (s *Service) Resend(ctx context.Context, customer, session, challengeID string, to saudi.Mobile, m Message) (Challenge, error) {
	if to.IsZero() {
		return Challenge{}, errors.New("otp: no mobile to send a code to")
	}
	ctx, cancel, err := detach(ctx)
	if err != nil {
		return Challenge{}, err
	}
	defer cancel()

	at := now()
	next, b, err := s.find(ctx, at, customer, session, challengeID)
	if err != nil {
		return Challenge{}, err
	}
	if next.Generation >= s.policy.Generations {
		return Challenge{}, ErrGone
	}
	renew := func(ctx context.Context, next Stored, _ Standing) (Stored, error) {
		return next, s.codes.Renew(ctx, next, at) // its tries are the challenge's, from when it was put
	}
	life := next.ExpiresAt.Sub(next.ResendAfter) + s.policy.ResendAfter
	return s.deliver(ctx, at, b, next, life, to, m, renew)
}

// put stores a new challenge of a customer whose standing was read a moment ago,
// and returns it with the tries that it got: see Codes.Put for why they may be
// fewer than the standing allows, and none at all.
func (s *Service) put(ctx context.Context, next Stored, read Standing) (Stored, error) {
	next.Base, next.Tries = read.Failures, s.policy.TriesFor(read)
	tries, err := s.codes.Put(ctx, next, read.Failures+s.policy.FailuresLeft(read))
	next.Tries = tries
	return next, err
}

// deliver is steps 1 to 4 of a code's life: take the SMS from the budget, make
// the code, store it, send it. next is the challenge as it stood; its next
// generation is the one delivered. ctx bounds the first three.
func (s *Service) deliver(
	ctx context.Context, at time.Time, b bond, next Stored, life time.Duration, to saudi.Mobile, m Message,
	store func(context.Context, Stored, Standing) (Stored, error),
) (Challenge, error) {
	next.Generation++
	smsID := b.challenge + ":" + strconv.Itoa(next.Generation)

	code, err := s.pepper.code(b.challenge, next.Generation, digitsOf(b.challenge))
	if err != nil {
		return Challenge{}, unavailable(err)
	}
	standing, err := s.takeSMS(ctx, at, b, smsID)
	if err != nil {
		return Challenge{}, err
	}
	next.MAC = s.pepper.codeMAC(b, next.Generation, code)
	next.ExpiresAt = at.Add(life).Truncate(time.Millisecond)
	next.ResendAfter = at.Add(s.policy.ResendAfter).Truncate(time.Millisecond)
	next, err = store(ctx, next, standing)
	if err != nil || next.Tries == 0 {
		return Challenge{}, s.notStored(ctx, at, b.customer, smsID, err)
	}

	m.Code, m.At, m.Kind = code, at, kindOf(b.purpose, m.Branch)
	if err := s.send(ctx, smsID, to, m); errors.Is(err, ErrNotSent) {
		s.void(ctx, at, b, next, smsID)
		return Challenge{}, fmt.Errorf("%w: %w", ErrSMS, err)
	}
	return s.challenge(next, to), nil
}

// takeSMS is the durable answer to "may this customer be sent a code?". It
// returns their standing as of that moment.
func (s *Service) takeSMS(ctx context.Context, at time.Time, b bond, smsID string) (Standing, error) {
	var refused error
	record, err := s.ledger.Update(ctx, at, b.customer, func(r Record) (Record, error) {
		r, refused = s.policy.Admit(r, at, SMS{ID: smsID, Purpose: b.purpose, Ref: b.ref})
		return r, refused
	})
	switch {
	case refused != nil && errors.Is(err, refused):
		return Standing{}, refused
	case err != nil:
		return Standing{}, unavailable(err)
	}
	return record.Standing, nil
}

// notStored gives back the SMS, for there is none without a stored code, and
// says why: the store's error, or with none that the challenge got no tries.
// Then as many wrong codes as bring a block were compared, and the customer is
// locked as soon as the last is on record. Until then, or when one never gets
// there because the ledger failed it, nobody can say for how long, and they may
// ask again; the store forgets what it knows a minute after the challenge ends.
func (s *Service) notStored(ctx context.Context, at time.Time, customer, smsID string, err error) error {
	record, ledgerErr := s.giveBackSMS(ctx, at, customer, smsID)
	switch {
	case errors.Is(err, ErrGone):
		return ErrGone
	case err != nil:
		return unavailable(err)
	case ledgerErr != nil:
		return unavailable(ledgerErr)
	}
	if locked := s.policy.Locked(record.Standing, at); locked != nil {
		return locked
	}
	return unavailable(errOnTheirWay)
}

var errOnTheirWay = errors.New("otp: wrong codes of this customer are on their way to the ledger")

// giveBackSMS returns an SMS that was never sent, and the record without it.
// When that fails the customer is one SMS short for a day at most, which is the
// safe way round.
func (s *Service) giveBackSMS(ctx context.Context, at time.Time, customer, smsID string) (Record, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), decideWithin)
	defer cancel()
	return s.ledger.Update(ctx, at, customer, func(r Record) (Record, error) {
		return r.GivenBack(smsID), nil
	})
}

// send gives all routes together the policy's time, whatever the stores took.
func (s *Service) send(ctx context.Context, id string, to saudi.Mobile, m Message) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.policy.SendWithin)
	defer cancel()
	return s.sender.Send(ctx, id, to, m)
}

// void undoes a challenge whose code reached nobody. A challenge that could not
// be dropped is a code that nobody has, and expires.
func (s *Service) void(ctx context.Context, at time.Time, b bond, dead Stored, smsID string) {
	dropping, cancel := context.WithTimeout(context.WithoutCancel(ctx), decideWithin)
	defer cancel()
	_ = s.codes.Drop(dropping, dead.Holder, dead.ID)
	_, _ = s.giveBackSMS(ctx, at, b.customer, smsID)
}

func (s *Service) challenge(c Stored, to saudi.Mobile) Challenge {
	return Challenge{
		ID:           c.ID,
		Purpose:      c.Purpose,
		Ref:          c.Ref,
		To:           to,
		Digits:       digitsOf(c.ID),
		Generation:   c.Generation,
		ExpiresAt:    c.ExpiresAt,
		ResendAfter:  c.ResendAfter,
		AttemptsLeft: c.Tries - c.Tried,
	}
}

// Reopen ends the customer's row of wrong codes and the block that it led to:
// a branch has seen them. The SMS budget stays as it is. Error: ErrUnavailable,
// after which it may be done by half and is to be done again.
func (s *Service) Reopen(ctx context.Context, customer string) error {
	_, err := s.ledger.Update(ctx, now(), customer, func(r Record) (Record, error) { return r.Cleared(), nil })
	if err == nil {
		err = s.codes.Forgive(ctx, s.pepper.holder(customer))
	}
	if err != nil {
		return unavailable(err)
	}
	return nil
}

// Drop forgets the live challenge of a session that ended; one of the customer's
// other sessions stays. What the ledger knows of them stays too. Error:
// ErrUnavailable.
func (s *Service) Drop(ctx context.Context, customer, session string) error {
	stored, err := s.codes.Find(ctx, s.pepper.holder(customer), "", now())
	if err == nil {
		seal := s.pepper.seal(bond{stored.ID, customer, session, stored.Purpose, stored.Ref, stored.Binding})
		if hmac.Equal(seal[:], stored.Seal[:]) {
			err = s.codes.Drop(ctx, stored.Holder, stored.ID)
		}
	}
	if err != nil && !errors.Is(err, ErrGone) {
		return unavailable(err)
	}
	return nil
}

// detach keeps ctx's values and cuts its cancellation: see decideWithin. A
// caller that is gone already gets nothing started.
func detach(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, unavailable(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), decideWithin)
	return ctx, cancel, nil
}

// now is the time of one decision, in the milliseconds that every store keeps
// exactly: a wait that was promised to end then ends then.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func unavailable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }
