package identity

import (
	"context"
	"crypto"
	"errors"
	"net/http"
	"sync"
	"time"
)

const (
	// keysFresh is after how long keys are looked at again, so that a withdrawn one is soon believed no more.
	keysFresh = 5 * time.Minute
	// keysLife is how long keys are believed while the issuer can't be asked. It outlasts a restart of the issuer;
	// a customer in the middle of a refund notices nothing.
	keysLife = time.Hour

	// Looks at the issuer: so many at once, and then one a second.
	looksMax = 10
	lookEach = time.Second
)

var (
	errRationed = errors.New("the issuer's keys are asked for too often")
	errNoKeys   = errors.New("the issuer publishes no key that fits")
)

// name is how a token names its key. An empty id, which an issuer with a single key may leave out, is any.
type name struct{ id, algorithm string }

// key is one that the issuer publishes. It verifies one algorithm only, whatever a token says.
type key struct {
	name
	public crypto.PublicKey
}

type keySet []key

func (s keySet) named(n name) []crypto.PublicKey {
	var found []crypto.PublicKey
	for _, k := range s {
		if k.algorithm == n.algorithm && (n.id == "" || k.id == n.id) {
			found = append(found, k.public)
		}
	}
	return found
}

// keys are the issuer's, as last seen.
type keys struct {
	issuer, scheme string
	http           *http.Client
	timeout        time.Duration
	jwksURL        string // empty: to be discovered; only touched by the look under way

	mu      sync.Mutex
	set     keySet
	seen    time.Time // when set was fetched
	look    *look     // under way; nil: none
	rations ration
}

// look is one look at the issuer. set and err are there once done is closed.
type look struct {
	done chan struct{}
	set  keySet
	err  error
}

func newKeys(issuer, scheme string, client *http.Client, timeout time.Duration) *keys {
	return &keys{issuer: issuer, scheme: scheme, http: client, timeout: timeout, rations: ration{left: looksMax}}
}

// find returns the keys of this name. When there is none it looks at the issuer, unless the token isn't worth it.
func (k *keys) find(ctx context.Context, n name, worthAsking func() bool) ([]crypto.PublicKey, error) {
	if found := k.known(ctx, n); found != nil {
		return found, nil
	}
	if !worthAsking() {
		return nil, unauthenticated("expired or of another issuer, by an unknown key")
	}
	for again := false; ; again = true {
		look, joined, found := k.ask(ctx, n)
		switch {
		case found != nil:
			return found, nil
		case look == nil:
			return nil, unavailable(errRationed)
		}
		select {
		case <-look.done:
		case <-ctx.Done():
			return nil, unavailable(ctx.Err())
		}
		if look.err != nil {
			return nil, unavailable(look.err)
		}
		if found := look.set.named(n); found != nil {
			return found, nil
		}
		if !joined || again {
			return nil, unauthenticated("unknown key")
		}
		// That look was under way already and may have missed a key that was added meanwhile. The next can't have.
	}
}

// known returns the keys of this name that are at hand, and has them looked at again when they aren't fresh.
func (k *keys) known(ctx context.Context, n name) []crypto.PublicKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.atHand(ctx, n)
}

// atHand is known, called with mu held.
func (k *keys) atHand(ctx context.Context, n name) []crypto.PublicKey {
	age := time.Since(k.seen)
	if k.set == nil || age >= keysLife {
		return nil
	}
	found := k.set.named(n)
	if found != nil && age >= keysFresh && k.look == nil && k.rations.take(time.Now()) {
		k.start(ctx)
	}
	return found
}

// ask joins the look under way or starts one; nil when there was one too many. A look that ended since the keys weren't
// known may have found them: then nobody is asked.
func (k *keys) ask(ctx context.Context, n name) (l *look, joined bool, found []crypto.PublicKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if found := k.atHand(ctx, n); found != nil {
		return nil, false, found
	}
	switch {
	case k.look != nil:
		return k.look, true, nil
	case !k.rations.take(time.Now()):
		return nil, false, nil
	default:
		return k.start(ctx), false, nil
	}
}

// start looks at the issuer, on behalf of all who will wait, so that none of them can end it. Called with mu held.
func (k *keys) start(ctx context.Context) *look {
	l := &look{done: make(chan struct{})}
	k.look = l
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.timeout)
		defer cancel()
		l.set, l.err = k.fetch(ctx)
		k.mu.Lock()
		defer k.mu.Unlock()
		if l.err == nil {
			k.set, k.seen = l.set, time.Now()
		}
		k.look = nil
		close(l.done)
	}()
	return l
}

// ration lets looksMax through at once and then one each lookEach.
type ration struct {
	left float64
	at   time.Time
}

func (r *ration) take(now time.Time) bool {
	if !r.at.IsZero() {
		r.left = min(looksMax, r.left+float64(now.Sub(r.at))/float64(lookEach))
	}
	r.at = now
	if r.left < 1 {
		return false
	}
	r.left--
	return true
}
