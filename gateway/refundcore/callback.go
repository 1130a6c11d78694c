package refundcore

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/internal/outbound"
)

// Callback is what the core says happened to a refund. It is a hint: whoever receives one asks for the status, and
// nothing is ever decided by it. It comes at least once and in any order; EventID tells the copies apart.
type Callback struct {
	EventID       string
	Reference     string
	CoreReference string
	State         dispatch.CoreState // empty when it isn't a documented one
	At            time.Time
}

// ErrCallback: the request isn't verifiably a callback of the core, or was accepted before.
var ErrCallback = errors.New("callback not accepted")

// VerifyCallback returns what a request says whose signature is the core's, or ErrCallback. The body is given, whole
// and within the receiver's limit, because whoever serves the request has read it.
//
// A nonce is accepted once by this process; a copy that reaches another is told apart by its EventID.
func (c *Client) VerifyCallback(r *http.Request, body []byte) (Callback, error) {
	if r.Method != http.MethodPost {
		return Callback{}, notAccepted(flaw("another method"))
	}
	if c.refuseSandbox && outbound.FromSandbox(r.Header) {
		return Callback{}, notAccepted(errors.New(outbound.CauseSandbox))
	}
	host := c.callbackHost
	if host == "" {
		host = authority(r.Host, "http", "https") // behind a proxy nobody knows by which of them the core came
	}
	now := time.Now()
	in, err := c.verifier.verify(r.Header, requestComponents, requestValues(r, host, digest(body)), now)
	if err != nil {
		return Callback{}, notAccepted(err)
	}
	callback, err := readCallback(body)
	if err != nil {
		return Callback{}, notAccepted(err)
	}
	if !c.nonces.first(in.keyID+" "+in.nonce, now) {
		return Callback{}, notAccepted(flaw("nonce used before"))
	}
	return callback, nil
}

func notAccepted(err error) error { return fmt.Errorf("%w: %w", ErrCallback, err) }

func readCallback(body []byte) (Callback, error) {
	o, err := parseObject(body)
	if err != nil {
		return Callback{}, err
	}
	r := &reader{object: o}
	callback := Callback{
		EventID: r.text("event_id"), Reference: r.text("reference"), CoreReference: r.text("core_reference"),
		State: dispatch.CoreState(r.text("state")), At: r.instant("at").UTC(),
	}
	if r.err != nil || !plain(callback.EventID) || !isReference(callback.Reference) ||
		!plain(callback.CoreReference) {
		return Callback{}, errMalformed
	}
	switch callback.State {
	case dispatch.CorePending, dispatch.CoreRefunded, dispatch.CoreRejected, dispatch.CoreReturned:
	default:
		callback.State = ""
	}
	return callback, nil
}

// A signature is accepted from skewMax before its creation until at most lifeMax after it, so a nonce has to be
// remembered for both together.
const (
	nonceMemory = (skewMax + lifeMax + 1) * time.Second
	noncesMax   = 1 << 16 // in a generation; at 32 characters a few megabytes
)

// nonces remembers those of accepted requests for at least nonceMemory, in two generations of which the older is
// dropped whole. Only requests whose signature holds get here, so nobody but the core can fill it; when it is full,
// nothing more is accepted, which costs a hint and no money.
type nonces struct {
	mu       sync.Mutex
	began    time.Time
	young    map[string]struct{}
	previous map[string]struct{}
}

// first reports whether the nonce hasn't been seen, and remembers it.
func (n *nonces) first(nonce string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if age := now.Sub(n.began); age >= nonceMemory {
		n.previous = n.young
		if age >= 2*nonceMemory {
			n.previous = nil
		}
		n.young, n.began = map[string]struct{}{}, now
	}
	_, young := n.young[nonce]
	_, previous := n.previous[nonce]
	if young || previous || len(n.young) >= noncesMax {
		return false
	}
	n.young[nonce] = struct{}{}
	return true
}
