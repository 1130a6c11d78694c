package redissession

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/internal/seal"
)

// Assisted is a bank.AssistedSessions. It keeps no state of its own and is safe for concurrent use.
type Assisted struct{ in *Sessions }

var _ bank.AssistedSessions = Assisted{}

// NewAssisted returns Assisted in the Redis of client, sealed by sealer; see New for what is asked of the client.
func NewAssisted(client redis.UniversalClient, sealer *seal.Sealer) Assisted {
	return Assisted{New(client, sealer)}
}

// assisted is what a sealed session says beyond whose it is.
type assisted struct {
	Customer  string
	Challenge string
	Verified  bool
	Ends      time.Time
}

func (a assisted) session(d bank.Desk, id string) bank.AssistedSession {
	return bank.AssistedSession{
		ID: id, Desk: d, Customer: a.Customer, Challenge: a.Challenge, Verified: a.Verified, Ends: a.Ends,
	}
}

// expires is when the session lapses if it is used at now and then no more.
func (a assisted) expires(now time.Time) time.Time {
	if idle := now.Add(bank.AssistedIdle); idle.Before(a.Ends) {
		return idle
	}
	return a.Ends
}

// placeAssisted is the desk's: another desk finds nothing there.
func (s Assisted) placeAssisted(d bank.Desk, id string) (place, error) {
	return s.in.place(kindAssisted, bank.Holder{Customer: d.Login, Session: d.Session}, id)
}

// Open keeps a new session.
func (s Assisted) Open(ctx context.Context, session bank.AssistedSession) error {
	if session.ID == "" || session.Customer == "" || session.Ends.IsZero() {
		return errors.New("redissession: not a whole assisted session")
	}
	at, err := s.placeAssisted(session.Desk, session.ID)
	if err != nil {
		return err
	}
	sealed, err := s.in.seal(at, assisted{
		Customer: session.Customer, Challenge: session.Challenge, Verified: session.Verified, Ends: session.Ends.UTC(),
	})
	if err != nil {
		return err
	}
	done, _, err := s.in.swap(ctx, "", bank.AssistedIdle, entry{at.key, sealed})
	if err == nil && !done {
		err = errors.New("redissession: the assisted session is there already")
	}
	return err
}

// Use returns a session and renews it.
func (s Assisted) Use(ctx context.Context, d bank.Desk, id string) (bank.AssistedSession, error) {
	at, err := s.placeAssisted(d, id)
	if err != nil {
		return bank.AssistedSession{}, err
	}
	sealed, err := s.in.use.Run(ctx, s.in.redis, []string{at.key}, bank.AssistedIdle.Milliseconds()).Text()
	if errors.Is(err, redis.Nil) {
		return bank.AssistedSession{}, bank.ErrNotFound
	}
	if err != nil {
		return bank.AssistedSession{}, fmt.Errorf("redissession: using an assisted session: %w", err)
	}
	var a assisted
	if !s.openAssisted(at, sealed, &a) {
		return bank.AssistedSession{}, bank.ErrNotFound
	}
	return a.session(d, id), nil
}

// Session returns a session as it is.
func (s Assisted) Session(ctx context.Context, d bank.Desk, id string) (bank.AssistedSession, error) {
	at, err := s.placeAssisted(d, id)
	if err != nil {
		return bank.AssistedSession{}, err
	}
	var a assisted
	_, found, err := s.in.load(ctx, at, &a)
	switch {
	case err != nil:
		return bank.AssistedSession{}, err
	case !found || !time.Now().Before(a.Ends):
		return bank.AssistedSession{}, bank.ErrNotFound
	}
	return a.session(d, id), nil
}

func (s Assisted) openAssisted(at place, sealed string, a *assisted) bool {
	return s.in.open(at, sealed, a) && time.Now().Before(a.Ends)
}

// Verify notes that the customer proved that they are there. A session that ends meanwhile stays ended.
func (s Assisted) Verify(ctx context.Context, d bank.Desk, id string) (expires time.Time, err error) {
	at, err := s.placeAssisted(d, id)
	if err != nil {
		return time.Time{}, err
	}
	var a assisted
	seen, found, err := s.in.load(ctx, at, &a)
	for range tries {
		now := time.Now()
		switch {
		case err != nil:
			return time.Time{}, err
		case !found || !now.Before(a.Ends):
			return time.Time{}, bank.ErrNotFound
		}
		a.Verified = true
		sealed, err := s.in.seal(at, a)
		if err != nil {
			return time.Time{}, err
		}
		done, holds, err := s.in.swap(ctx, seen, bank.AssistedIdle, entry{at.key, sealed})
		if err != nil {
			return time.Time{}, err
		}
		if done {
			return a.expires(now), nil
		}
		a = assisted{}
		seen, found = holds, s.in.open(at, holds, &a)
	}
	return time.Time{}, errContended
}

// End ends a session.
func (s Assisted) End(ctx context.Context, d bank.Desk, id string) error {
	at, err := s.placeAssisted(d, id)
	if err != nil {
		return err
	}
	sealed, err := s.in.redis.GetDel(ctx, at.key).Result()
	var a assisted
	switch {
	case errors.Is(err, redis.Nil):
		return bank.ErrNotFound
	case err != nil:
		return fmt.Errorf("redissession: ending an assisted session: %w", err)
	case !s.openAssisted(at, sealed, &a):
		return bank.ErrNotFound
	}
	return nil
}
