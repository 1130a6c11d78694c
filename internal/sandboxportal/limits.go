package sandboxportal

import (
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// How many inquiries with a picture code are answered in a limitWindow. A family
// behind one router doesn't come near; a program that goes through numbers gets
// some fourteen thousand a day of a thousand million, whatever it does with the
// pictures.
const (
	limitWindow        = 10 * time.Minute
	inquiriesPerSource = 100 // tries, wrong codes too
	inquiriesPerNumber = 20  // with a right code, not counting its owner's
	limitKeys          = 10_000
)

// A limiter counts by key, in memory. When it can't remember more keys it lets
// nobody new in: a limit that is forgotten under pressure is none.
type limiter[K comparable] struct {
	most int

	mu     sync.Mutex
	counts map[K]*count
}

type count struct {
	n    int
	ends time.Time
}

func newLimiter[K comparable](most int) *limiter[K] {
	return &limiter[K]{most: most, counts: make(map[K]*count)}
}

func (l *limiter[K]) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.counts)
}

// take counts one; it says how long to wait when that was too many.
func (l *limiter[K]) take(key K) (wait time.Duration, ok bool) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counts[key]
	if c == nil && len(l.counts) >= limitKeys {
		for key, old := range l.counts {
			if !now.Before(old.ends) {
				delete(l.counts, key)
			}
		}
		if len(l.counts) >= limitKeys {
			return limitWindow, false
		}
	}
	if c == nil || !now.Before(c.ends) {
		c = &count{ends: now.Add(limitWindow)}
		l.counts[key] = c
	}
	if c.n >= l.most {
		return c.ends.Sub(now), false
	}
	c.n++
	return 0, true
}

// sourceOf is where a request comes from: an address, of IPv6 the network that
// one subscriber gets.
func sourceOf(r *http.Request) netip.Prefix {
	const ipv6Subscriber = 64
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{} // all of them together
	}
	address := from.Addr().Unmap()
	bits := address.BitLen()
	if address.Is6() {
		bits = ipv6Subscriber
	}
	source, err := address.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return source
}
