// Package redissession keeps a customer's proofs, previews and preview keys, and a teller's assisted sessions, in Redis:
// what may vanish, because losing it only ever takes away the ability to go on.
//
// # Redis sees bytes
//
// Every value is sealed (AES-GCM), bound to what it is, whose it is and in which session. Whoever can write to Redis
// can delete and can bring back what was there, within its own lifetime; they can't read, alter or pass anything on to
// somebody else. A value that doesn't open counts as absent. Key names are blind indexes: there is no personal data in
// them, nor anything that a caller sent.
//
//	bank:{customer}:proof:…     when the proof ends at the latest, and whose code gave it
//	bank:{customer}:key:…       the body that the key was used with; the preview that came of it, none while it runs
//	bank:{customer}:preview:…   the preview, and the key that made it
//	bank:{customer}:list:…      the names of a session's keys and previews, so that they can be dropped with it
//	bank:{login}:assisted:…     the customer before the teller, whether they proved that they are there, and the latest end
//	rl:{caller}:…               when the caller last did what may be done so often (rate.go)
//
// Lists and times are the two that aren't sealed: they say nothing of anybody.
//
// The part in braces is Redis Cluster's hash tag, so all of a person's values live on one node and a script may touch
// several of them.
//
// # Steps
//
// Each step is one script, but for the end of a session, behind which nobody comes any more. Since Redis can't look
// into the values, a change is a compare-and-swap on the sealed bytes: a script is told what its caller saw and does
// nothing when that has changed, and the caller looks again. A value that is of a wrong Redis type, like any other
// failure of Redis, is an error: nothing is decided and the caller is refused.
//
// # Time
//
// Idle periods and memories are Redis's, as expiries that every value has. The end of a proof is inside its seal and is
// judged by this machine's clock, so no amount of use, and nobody in Redis, can put it off.
package redissession

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/internal/seal"
)

//go:embed scripts/use.lua
var useSource string

//go:embed scripts/put.lua
var putSource string

//go:embed scripts/free.lua
var freeSource string

//go:embed scripts/take.lua
var takeSource string

// Sessions is a bank.Sessions and a bank.Meter. It keeps no state of its own and is safe for concurrent use.
type Sessions struct {
	redis  redis.UniversalClient
	sealer *seal.Sealer

	use, put, free, take *redis.Script
}

var (
	_ bank.Sessions = (*Sessions)(nil)
	_ bank.Meter    = (*Sessions)(nil)
)

// New returns Sessions in the Redis of client, sealed by sealer. The client is the caller's to configure and to close:
// it must not repeat commands by itself (MaxRetries -1) and must heed deadlines (ContextTimeoutEnabled).
func New(client redis.UniversalClient, sealer *seal.Sealer) *Sessions {
	return &Sessions{
		redis: client, sealer: sealer,
		use: redis.NewScript(useSource), put: redis.NewScript(putSource), free: redis.NewScript(freeSource),
		take: redis.NewScript(takeSource),
	}
}

// proof is what a sealed proof says beyond whose it is.
type proof struct {
	Ends      time.Time
	Challenge string `json:",omitempty"` // absent from what an older program wrote
}

// Prove stores a proof, in the place of an earlier one of this session.
func (s *Sessions) Prove(ctx context.Context, h bank.Holder, challenge string) (expires time.Time, err error) {
	at, err := s.place(kindProof, h)
	if err != nil {
		return time.Time{}, err
	}
	now := time.Now()
	sealed, err := s.seal(at, proof{Ends: now.Add(bank.ProofLife).UTC(), Challenge: challenge})
	if err != nil {
		return time.Time{}, err
	}
	if err := s.redis.Set(ctx, at.key, sealed, bank.ProofIdle).Err(); err != nil {
		return time.Time{}, fmt.Errorf("redissession: storing a proof: %w", err)
	}
	return now.Add(bank.ProofIdle), nil
}

// UseProof returns bank.ErrNoProof unless the holder has a proof, which it renews.
func (s *Sessions) UseProof(ctx context.Context, h bank.Holder) (challenge string, err error) {
	at, err := s.place(kindProof, h)
	if err != nil {
		return "", err
	}
	sealed, err := s.use.Run(ctx, s.redis, []string{at.key}, bank.ProofIdle.Milliseconds()).Text()
	if errors.Is(err, redis.Nil) {
		return "", bank.ErrNoProof
	}
	if err != nil {
		return "", fmt.Errorf("redissession: using a proof: %w", err)
	}
	var p proof
	if !s.open(at, sealed, &p) || !time.Now().Before(p.Ends) {
		return "", bank.ErrNoProof
	}
	return p.Challenge, nil
}

// Drop deletes the holder's proof and previews, and frees their keys. A key whose preview still runs frees itself.
func (s *Sessions) Drop(ctx context.Context, h bank.Holder) error {
	proof, err := s.place(kindProof, h)
	if err != nil {
		return err
	}
	list, err := s.place(kindList, h)
	if err != nil {
		return err
	}
	names, err := s.redis.SMembers(ctx, list.key).Result()
	if err != nil {
		return fmt.Errorf("redissession: listing a session's keys: %w", err)
	}
	if err := s.redis.Unlink(ctx, append(names, list.key, proof.key)...).Err(); err != nil {
		return fmt.Errorf("redissession: dropping a session: %w", err)
	}
	return nil
}
