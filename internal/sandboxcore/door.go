package sandboxcore

import (
	"crypto/ed25519"
	"errors"
	"net/http"
	"sync"
	"time"
)

var errReplayed = errors.New("the nonce was used before")

// A door lets signed requests in, each once.
//
// Nonces are remembered in memory only. A restart forgets them, and a request
// replayed across it within its minute does no harm: every call of the protocol
// may be repeated.
type door struct {
	keys map[string]ed25519.PublicKey

	mu     sync.Mutex
	nonces map[string]time.Time // keyid and nonce → until when a replay could still be in time
	swept  time.Time
}

func newDoor(keys map[string]ed25519.PublicKey) *door {
	return &door{keys: keys, nonces: make(map[string]time.Time)}
}

// admit returns who signed r, and the nonce that the answer echoes. The nonce is
// used up only by a request that is let in: nobody burns another's.
func (d *door) admit(r *http.Request, body []byte, now time.Time) (stamp, error) {
	s, err := verify(requestMessage(r), body, requestComponents, d.keys)
	if err != nil {
		return stamp{}, err
	}
	if err := s.check(now); err != nil {
		return stamp{}, err
	}
	if !d.first(s, now) {
		return stamp{}, errReplayed
	}
	return s, nil
}

func (d *door) first(s stamp, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Sub(d.swept) > signatureLife {
		d.swept = now
		for nonce, until := range d.nonces {
			if now.After(until) {
				delete(d.nonces, nonce)
			}
		}
	}
	id := s.keyID + "\x00" + s.nonce
	if _, used := d.nonces[id]; used {
		return false
	}
	d.nonces[id] = time.Unix(s.expires, 0).Add(time.Second)
	return true
}
