package redissession

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/istirdad/istirdad/bank"
)

// claim is what a sealed key says: what it was used with and what came of it.
//
// Whoever holds a key while its preview runs is known by the body. A request that sleeps through bank.KeyInProgress
// may therefore free the claim of a successor with the same body; but a key is bound once, so whichever of them keeps a
// preview first decides what the key means, and the other is refused.
type claim struct {
	Body    [32]byte
	Preview string // its id; empty while it runs
}

// tries bounds how often a step looks again because somebody else was faster. Each time the key has come closer to
// being decided for good, or has expired.
const tries = 4

var errContended = errors.New("redissession: the key changes faster than it can be read")

// Begin claims the key.
func (s *Sessions) Begin(ctx context.Context, k bank.Key) (previewID string, err error) {
	at, err := s.placeKey(k)
	if err != nil {
		return "", err
	}
	running, err := s.seal(at, claim{Body: k.Body})
	if err != nil {
		return "", err
	}
	seen := ""
	for range tries {
		done, holds, err := s.swap(ctx, seen, bank.KeyInProgress, entry{at.key, running})
		if err != nil || done {
			return "", err
		}
		var c claim
		switch {
		case !s.open(at, holds, &c):
			seen = holds // counts as absent
		case c.Body != k.Body:
			return "", bank.ErrKeyReused
		case c.Preview == "":
			return "", bank.ErrKeyBusy
		default:
			return c.Preview, nil
		}
	}
	return "", errContended
}

// Abandon frees the key while it runs with this body, and leaves it alone otherwise.
func (s *Sessions) Abandon(ctx context.Context, k bank.Key) error {
	at, err := s.placeKey(k)
	if err != nil {
		return err
	}
	var c claim
	sealed, found, err := s.load(ctx, at, &c)
	if err != nil || !found || c.Preview != "" || c.Body != k.Body {
		return err
	}
	return s.release(ctx, entry{at.key, sealed})
}

// KeepPreview stores the preview and binds the key to it. When the claim lapsed meanwhile and somebody else has the
// key, nothing is stored and the answer is as of Begin: bank.ErrKeyReused, or bank.ErrKeyBusy also when the key is bound
// to another preview already, which whoever asks again will get. To keep the same preview again is no error.
func (s *Sessions) KeepPreview(ctx context.Context, k bank.Key, p bank.Preview) error {
	if p.ID == "" {
		return errors.New("redissession: a preview without an id")
	}
	at, err := s.placeKey(k)
	if err != nil {
		return err
	}
	bound, err := s.seal(at, claim{Body: k.Body, Preview: p.ID})
	if err != nil {
		return err
	}
	preview, err := s.sealPreview(k, p)
	if err != nil {
		return err
	}
	list, err := s.place(kindList, k.Holder)
	if err != nil {
		return err
	}
	seen := ""
	for range tries {
		done, holds, err := s.swap(ctx, seen, bank.PreviewMemory, entry{at.key, bound}, preview, entry{key: list.key})
		if err != nil || done {
			return err
		}
		var c claim
		switch {
		case !s.open(at, holds, &c):
			seen = holds
		case c.Body != k.Body:
			return bank.ErrKeyReused
		case c.Preview == "":
			seen = holds
		case c.Preview == p.ID:
			return nil
		default:
			return bank.ErrKeyBusy
		}
	}
	return errContended
}

func (s *Sessions) placeKey(k bank.Key) (place, error) {
	return s.place(kindKey, k.Holder, k.Client, k.Value)
}

// entry is a Redis key and the sealed value that it has or gets.
type entry struct{ key, sealed string }

// swap writes the entries, to live for life, if the first one's key holds what was seen; otherwise it says what it holds.
// A last one without a value is the session's list, which notes the keys of the others.
func (s *Sessions) swap(ctx context.Context, seen string, life time.Duration, entries ...entry) (done bool, holds string, err error) {
	keys, args := make([]string, 0, len(entries)), []any{seen, life.Milliseconds()}
	for _, e := range entries {
		if keys = append(keys, e.key); e.sealed != "" {
			args = append(args, e.sealed)
		}
	}
	answer, err := s.put.Run(ctx, s.redis, keys, args...).Slice()
	if err != nil {
		return false, "", fmt.Errorf("redissession: %w", err)
	}
	if len(answer) == 2 {
		if holds, ok := answer[1].(string); ok {
			return answer[0] == int64(1), holds, nil
		}
	}
	return false, "", errors.New("redissession: not an answer of put.lua")
}

// release deletes the entries that are still as they were seen.
func (s *Sessions) release(ctx context.Context, entries ...entry) error {
	keys, args := make([]string, 0, len(entries)), make([]any, 0, len(entries))
	for _, e := range entries {
		keys, args = append(keys, e.key), append(args, e.sealed)
	}
	if err := s.free.Run(ctx, s.redis, keys, args...).Err(); err != nil {
		return fmt.Errorf("redissession: %w", err)
	}
	return nil
}
