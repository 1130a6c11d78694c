// Package redisstore keeps the live one-time code challenges in Redis: a single
// server, Sentinel or Cluster.
//
// A holder has one key, otp:{holder}, a hash that expires.
// The holder is a keyed digest and the hash tag, so the key names nobody and all
// of a holder's keys live on one node. Each step of [otp.Codes] is one Lua
// script, which Redis runs without anything in between: that is what keeps 200
// guesses at once from being compared 200 times.
//
// The scripts read no clock; the time is an argument, and the key's expiry only
// tidies up. It comes a minute after the challenge's own, because what was
// compared on a challenge must be known until it is on record elsewhere. They
// call redis.call only, so that a failed write ends the script. Each answer
// repeats whose it is, and one that is somebody else's is an error.
//
// An error of this package never means that a code was right. It may mean that
// a guess was counted; a guess whose connection broke is asked about once more
// under the same nonce, which counts it once and finds out what became of it.
package redisstore

import (
	"context"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/istirdad/istirdad/otp"
)

// The sources of the scripts. Script.Run sends a digest and, to a server that
// does not know it (restarted, failed over), the source.
var (
	//go:embed put.lua
	putSource string
	//go:embed renew.lua
	renewSource string
	//go:embed check.lua
	checkSource string
	//go:embed drop.lua
	dropSource string
	//go:embed forgive.lua
	forgiveSource string
)

// Store is an otp.Codes in Redis.
type Store struct {
	client redis.UniversalClient

	put, renew, check, drop, forgive *redis.Script
}

var _ otp.Codes = (*Store)(nil)

// New returns a store over a client made by NewClient, which the caller closes.
func New(client redis.UniversalClient) *Store {
	return &Store{
		client:  client,
		put:     redis.NewScript(putSource),
		renew:   redis.NewScript(renewSource),
		check:   redis.NewScript(checkSource),
		drop:    redis.NewScript(dropSource),
		forgive: redis.NewScript(forgiveSource),
	}
}

var (
	errSwapped   = errors.New("redisstore: Redis answered somebody else's question")
	errMalformed = errors.New("redisstore: unexpected answer from Redis")
)

func key(h otp.Holder) string { return Prefix + "{" + string(h) + "}" }

func ms(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// remembered is how long a challenge that is over stays known, for what was
// compared on it. That takes seconds to reach the ledger.
const remembered = time.Minute

func keep(s otp.Stored) int64 { return (time.Until(s.ExpiresAt) + remembered).Milliseconds() }

// run runs a script on the holder's key. The answer is a list that begins with
// the id that was asked about.
func (s *Store) run(ctx context.Context, script *redis.Script, h otp.Holder, id string, args ...any) ([]any, error) {
	answer, err := script.Run(ctx, s.client, []string{key(h)}, append([]any{id}, args...)...).Slice()
	if err != nil {
		return nil, fmt.Errorf("redisstore: %w", err)
	}
	if len(answer) == 0 || answer[0] != id {
		return nil, errSwapped
	}
	return answer[1:], nil
}

// Put implements otp.Codes.
func (s *Store) Put(ctx context.Context, c otp.Stored, blockAt int) (tries int, err error) {
	answer, err := s.run(ctx, s.put, c.Holder, c.ID, keep(c), c.Tries, c.Base, blockAt,
		"id", c.ID,
		"generation", c.Generation,
		"purpose", string(c.Purpose),
		"ref", c.Ref,
		"binding", hex.EncodeToString(c.Binding[:]),
		"seal", hex.EncodeToString(c.Seal[:]),
		"mac", hex.EncodeToString(c.MAC[:]),
		"tried", 0,
		"expires", ms(c.ExpiresAt),
		"resend", ms(c.ResendAfter),
	)
	if err != nil {
		return 0, err
	}
	if len(answer) != 1 {
		return 0, errMalformed
	}
	given, isInt := answer[0].(int64)
	if !isInt || given < 0 || given > int64(c.Tries) {
		return 0, errMalformed
	}
	return int(given), nil
}

// Find implements otp.Codes.
func (s *Store) Find(ctx context.Context, h otp.Holder, id string, now time.Time) (otp.Stored, error) {
	fields, err := s.client.HGetAll(ctx, key(h)).Result()
	if err != nil {
		return otp.Stored{}, fmt.Errorf("redisstore: %w", err)
	}
	c, ok := read(fields)
	_, burnt := fields["burner"]
	if !ok || id != "" && c.ID != id || burnt || !now.Before(c.ExpiresAt) || c.Tried >= c.Tries {
		return otp.Stored{}, otp.ErrGone
	}
	c.Holder = h
	return c, nil
}

// Renew implements otp.Codes.
func (s *Store) Renew(ctx context.Context, next otp.Stored, now time.Time) error {
	answer, err := s.run(ctx, s.renew, next.Holder, next.ID,
		hex.EncodeToString(next.Seal[:]), ms(now), next.Generation,
		hex.EncodeToString(next.MAC[:]), ms(next.ExpiresAt), ms(next.ResendAfter), keep(next),
	)
	if err != nil {
		return err
	}
	switch {
	case len(answer) == 1 && answer[0] == "renewed":
		return nil
	case len(answer) == 1 && answer[0] == "gone":
		return otp.ErrGone
	default:
		return errMalformed
	}
}

// Check implements otp.Codes.
func (s *Store) Check(ctx context.Context, g otp.Guess) (otp.Verdict, error) {
	v, err := s.checkOnce(ctx, g)
	if brokenOff(err) {
		return s.checkOnce(ctx, g)
	}
	return v, err
}

func (s *Store) checkOnce(ctx context.Context, g otp.Guess) (otp.Verdict, error) {
	args := []any{hex.EncodeToString(g.Seal[:]), ms(g.Now), g.Nonce, g.Burner}
	for _, mac := range g.MACs {
		args = append(args, hex.EncodeToString(mac[:]))
	}
	answer, err := s.run(ctx, s.check, g.Holder, g.ID, args...)
	if err != nil {
		return otp.Verdict{}, err
	}
	if len(answer) != 3 {
		return otp.Verdict{}, errMalformed
	}
	if answer[0] != g.Nonce {
		return otp.Verdict{}, errSwapped
	}
	left, isInt := answer[2].(int64)
	word, _ := answer[1].(string)
	outcome, known := outcomes[word]
	if !known || !isInt {
		return otp.Verdict{}, errMalformed
	}
	return otp.Verdict{Outcome: outcome, Left: int(left)}, nil
}

var outcomes = map[string]otp.Outcome{
	"gone":  otp.Gone,
	"wrong": otp.Wrong,
	"right": otp.Right,
	"again": otp.Again,
	"used":  otp.Used,
}

// brokenOff says that the connection went away under a command, which may or
// may not have run. A server that is silent is not asked again: the caller has
// waited long enough.
func brokenOff(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// Forgive implements otp.Codes.
func (s *Store) Forgive(ctx context.Context, h otp.Holder) error {
	_, err := s.run(ctx, s.forgive, h, "")
	return err
}

// Drop implements otp.Codes.
func (s *Store) Drop(ctx context.Context, h otp.Holder, id string) error {
	_, err := s.run(ctx, s.drop, h, id, remembered.Milliseconds())
	return err
}

// read turns a hash into a challenge. It reports whether every field was there
// and made sense; whoever can write to Redis may have written anything.
func read(f map[string]string) (otp.Stored, bool) {
	ok := true
	number := func(name string) int64 {
		n, err := strconv.ParseUint(f[name], 10, 53)
		ok = ok && err == nil
		return int64(n)
	}
	digest := func(name string) (d [32]byte) {
		b, err := hex.DecodeString(f[name])
		ok = ok && err == nil && copy(d[:], b) == len(d) && len(b) == len(d)
		return d
	}
	c := otp.Stored{
		ID:          f["id"],
		Generation:  int(number("generation")),
		Purpose:     otp.Purpose(f["purpose"]),
		Ref:         f["ref"],
		Binding:     digest("binding"),
		Seal:        digest("seal"),
		MAC:         digest("mac"),
		Base:        int(number("base")),
		Tries:       int(number("tries")),
		Tried:       int(number("tried")),
		ExpiresAt:   time.UnixMilli(number("expires")).UTC(),
		ResendAfter: time.UnixMilli(number("resend")).UTC(),
	}
	return c, ok && c.ID != ""
}
