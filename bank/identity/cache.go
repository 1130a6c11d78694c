package identity

import (
	"container/list"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"github.com/istirdad/istirdad/bank"
)

// hash is a token's SHA-256.
type hash = [sha256.Size]byte

// cache remembers verified tokens, at most size of them; the one that wasn't used for longest makes room.
type cache struct {
	size int

	mu      sync.Mutex
	entries map[hash]*list.Element
	recent  *list.List // of remembered, the latest used in front
}

type remembered struct {
	hash   hash
	caller bank.Caller
	until  time.Time
}

func newCache(size int) *cache {
	return &cache{size: size, entries: make(map[hash]*list.Element), recent: list.New()}
}

// get returns who bears the token, if that may still be believed.
func (c *cache) get(h hash, now time.Time) (bank.Caller, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.entries[h]
	if !ok {
		return bank.Caller{}, false
	}
	entry := element.Value.(remembered)
	if !now.Before(entry.until) {
		c.drop(element)
		return bank.Caller{}, false
	}
	c.recent.MoveToFront(element)
	return own(entry.caller), true
}

func (c *cache) put(h hash, caller bank.Caller, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if element, ok := c.entries[h]; ok {
		c.drop(element)
	}
	c.entries[h] = c.recent.PushFront(remembered{h, own(caller), until})
	if c.recent.Len() > c.size {
		c.drop(c.recent.Back())
	}
}

// drop is called with mu held.
func (c *cache) drop(element *list.Element) {
	delete(c.entries, c.recent.Remove(element).(remembered).hash)
}

// own gives the caller scopes that nobody else can change.
func own(caller bank.Caller) bank.Caller {
	caller.Scopes = slices.Clone(caller.Scopes)
	return caller
}
