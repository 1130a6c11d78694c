package bank

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Endings is the durable record of the sessions that were ended before their tokens expired.
type Endings interface {
	// End records that the session is over, and remembers it at least until then. A session that is recorded already
	// stays as it is; no other call takes it back. An error leaves open whether it was recorded.
	End(ctx context.Context, now time.Time, session string, until time.Time) error
	// Ended reports whether the session was ended, at whichever gateway.
	Ended(ctx context.Context, session string) (bool, error)
}

// Identity says who bears a token. It returns ErrUnauthenticated for one that isn't to be believed, and any other error
// when nobody could be asked.
type Identity interface {
	Verify(ctx context.Context, bearer string) (Caller, error)
}

// Authenticate says who calls, by the Authorization headers of a request. It returns ErrUnauthenticated unless there is one
// bearer's token to be believed, and ErrUnavailable when nobody could be asked.
func Authenticate(ctx context.Context, who Identity, authorization []string) (Caller, error) {
	if len(authorization) != 1 { // of two, a proxy might have believed the other
		return Caller{}, ErrUnauthenticated
	}
	scheme, token, found := strings.Cut(authorization[0], " ")
	if !found || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return Caller{}, ErrUnauthenticated
	}
	caller, err := who.Verify(ctx, token)
	if err != nil {
		return Caller{}, unavailable(err, ErrUnauthenticated)
	}
	return caller, nil
}

// Doorkeeper is an Identity that lets nobody in whose session was ended. It looks each time: a token that was verified a
// moment ago, here or at another gateway, is worth nothing from the moment in which its session's end is recorded.
//
// A request that was let in before is carried to its end, seconds later at most; one that goes on for longer, a stream,
// comes by here again. Whatever they leave behind for the session, a proof, a preview or a code, can't be used any more.
type Doorkeeper struct {
	Identity Identity
	Endings  Endings
}

// Verify is as Identity says; ErrUnavailable when the record can't be asked.
func (d Doorkeeper) Verify(ctx context.Context, bearer string) (Caller, error) {
	caller, err := d.Identity.Verify(ctx, bearer)
	if err != nil {
		return Caller{}, err
	}
	switch ended, err := d.Endings.Ended(ctx, caller.Session); {
	case err != nil:
		return Caller{}, unavailable(err)
	case ended:
		return Caller{}, fmt.Errorf("%w: the session was ended", ErrUnauthenticated)
	}
	return caller, nil
}

// endedBeyond is how much longer than the token in hand an ended session is remembered. That token needn't be its last.
// When the issuer's tokens live equally long, one that was given out later than this one, by up to a day, expires later
// by as much: so no token of the session's outlives the memory of its end, unless they live for more than a day. That an
// issuer gives an ended session no further ones is for whoever signs the customer out there.
const endedBeyond = 24 * time.Hour

// EndSession ends the caller's session: when it returns nil, no gateway believes a token of it any more. The end is
// recorded first; then what the session had is dropped, and what can't be dropped expires without being of use to
// anybody. Refunds that were confirmed in it go on. Like a confirm it is carried to its end when the client has gone.
func (p *Path) EndSession(ctx context.Context, c Caller) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordingMax)
	defer cancel()
	if err := p.Endings.End(ctx, time.Now(), c.Session, c.Expires.Add(endedBeyond)); err != nil {
		return unavailable(err)
	}
	if err := errors.Join(p.Sessions.Drop(ctx, c.Holder()), p.Codes.Drop(ctx, c.Subject, c.Session)); err != nil {
		p.Log.WarnContext(ctx, "an ended session's proof, previews or code are left to expire", "err", err)
	}
	return nil
}
