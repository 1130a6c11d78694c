package program_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/bank/identity"
	"github.com/istirdad/istirdad/internal/oidctest"
)

// newForeignRig is a rig whose customers sign in at an issuer that we didn't write. Its gateway remembers few tokens, so
// that one of a withdrawn key is soon looked at anew.
func newForeignRig(t *testing.T, keys ...oidctest.Key) (*rig, *oidctest.Issuer) {
	t.Helper()
	r, issuer := newRig(t), oidctest.Start(t, keys...)
	r.config.Identity = identity.Config{Issuer: issuer.URL, Remember: remembered}
	r.start()
	return r, issuer
}

const remembered = 3

// bearer is p03 at this rig's gateway, by that token.
func (r *rig) bearer(token string) *banktest.Customer {
	r.t.Helper()
	c := r.world.Customer("p03").Via(r.channel)
	c.Token = token
	return c
}

// TestForeignIssuer walks the path of a refund with a token that neither our code nor our sandbox made.
func TestForeignIssuer(t *testing.T) {
	t.Parallel()
	r, issuer := newForeignRig(t, oidctest.NewKey(t, "k1", jose.ES256))
	c := r.bearer(issuer.SignIn("p03", oidctest.ForIstirdad).Access)
	c.Prove()
	c.Do(http.MethodGet, "/v1/profile", nil).Want(200)
	preview := c.Preview("rq-p03-1")
	c.Confirm(preview.RefundID).Want(202)
	c.Await(preview.RefundID, "credited")

	// Another sign-in of the same person is another session: it sees the refund, and no more without a code of its own.
	other := r.bearer(issuer.SignIn("p03", oidctest.ForIstirdad).Access)
	other.Do(http.MethodGet, "/v1/refunds/"+preview.RefundID, nil).Want(200)
	other.Do(http.MethodGet, "/v1/profile", nil).Want(403, "step_up_required")
}

// TestForeignTokensRefused: everything else that this issuer gives out is no token for us.
func TestForeignTokensRefused(t *testing.T) {
	t.Parallel()
	r, issuer := newForeignRig(t, oidctest.NewKey(t, "k1", jose.ES256))
	good := issuer.SignIn("p03", oidctest.ForIstirdad)
	r.bearer(good.Access).Do(http.MethodGet, "/v1/refunds", nil).Want(200)
	for what, token := range map[string]string{
		"for another program":       issuer.SignIn("p03", oidctest.ForPayroll).Access,
		"for the issuer's own use":  issuer.SignIn("p03", "").Access, // no JWT at all
		"the client's ID token":     good.ID,
		"a machine's, without sid":  issuer.Machine(),
		"with another's signature":  good.Access[:strings.LastIndex(good.Access, ".")] + good.ID[strings.LastIndex(good.ID, "."):],
		"with no signature at all":  good.Access[:strings.LastIndex(good.Access, ".")+1],
		"the good one, in capitals": strings.ToUpper(good.Access),
	} {
		if token == "" {
			t.Errorf("%s: there is none", what)
		}
		if r := r.bearer(token).Do(http.MethodGet, "/v1/refunds", nil); r.Status != 401 || r.Code() != "unauthenticated" {
			t.Errorf("a token %s is answered %d %s", what, r.Status, r.Code())
		}
	}

	brief := issuer.SignIn("p03", oidctest.ForSeconds).Access
	expires := expiry(t, brief)
	c := r.bearer(brief)
	for answer := 200; answer != 401; answer = c.Do(http.MethodGet, "/v1/refunds", nil).Status {
		if past := time.Since(expires); answer != 200 || past > 2*time.Second {
			t.Fatalf("a token is answered %d when it has expired for %v", answer, past)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if early := time.Until(expires); early > 0 {
		t.Errorf("a token is refused %v before it expires", early)
	}
}

// expiry is when a token says that it expires.
func expiry(t *testing.T, token string) time.Time {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var says struct {
		Expires int64 `json:"exp"`
	}
	if err := json.Unmarshal(payload, &says); err != nil {
		t.Fatal(err)
	}
	return time.Unix(says.Expires, 0)
}

// TestForeignKeysRotate: customers go on while the issuer changes its keys, first as one plans it (the old key stays
// published), then as one does after a break-in (it is gone at once). Nobody whose key is published is ever refused, and
// whose key was withdrawn isn't believed any more once the new key was seen.
func TestForeignKeysRotate(t *testing.T) {
	t.Parallel()
	first, second, third := oidctest.NewKey(t, "k1", jose.ES256), oidctest.NewKey(t, "k2", jose.RS256), oidctest.NewKey(t, "k3", jose.EdDSA)
	r, issuer := newForeignRig(t, first)
	signIn := func() (cs []*banktest.Customer) {
		for range remembered + 2 {
			cs = append(cs, r.bearer(issuer.SignIn("p03", oidctest.ForIstirdad).Access))
		}
		return cs
	}
	byFirst := signIn()
	neverShown := byFirst[0]
	crowd := beginCrowd(r, byFirst[1:])
	crowd.round()

	issuer.Rotate(second, first) // the old tokens bridge the moment in which the issuer is away
	bySecond := signIn()
	crowd.join(bySecond[1:])
	crowd.round()

	issuer.Rotate(third)
	crowd.round() // nobody has seen the new key yet
	byThird := signIn()
	crowd.become(byThird)
	crowd.round()
	crowd.end()
	for what, withdrawn := range map[string]*banktest.Customer{
		"the first key, never shown": neverShown, "the first key": byFirst[1],
		"the second key, never shown": bySecond[0], "the second key": bySecond[1],
	} {
		if r := withdrawn.Do(http.MethodGet, "/v1/refunds", nil); r.Status != 401 || r.Code() != "unauthenticated" {
			t.Errorf("a token by %s is answered %d %s", what, r.Status, r.Code())
		}
	}
}

// crowd are customers who call all the time and must always be let in.
type crowd struct {
	rig     *rig
	stop    context.CancelFunc
	running sync.WaitGroup

	using sync.RWMutex // held for writing by whoever changes who they are
	who   []*banktest.Customer

	mu    sync.Mutex
	calls int
	more  *sync.Cond
}

func beginCrowd(r *rig, who []*banktest.Customer) *crowd {
	ctx, stop := context.WithCancel(r.t.Context())
	c := &crowd{rig: r, stop: stop, who: who}
	c.more = sync.NewCond(&c.mu)
	for range 2 {
		c.running.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				c.call(n)
			}
		})
	}
	r.t.Cleanup(c.end)
	return c
}

func (c *crowd) call(n int) {
	c.using.RLock()
	defer c.using.RUnlock()
	answer, err := c.who[n%len(c.who)].Try(http.MethodGet, "/v1/refunds", nil)
	if err != nil {
		c.rig.t.Error(err)
	} else if answer.Status != 200 {
		c.rig.t.Errorf("a customer whose key is published is answered %d %s", answer.Status, answer.Code())
	}
	c.mu.Lock()
	c.calls++
	c.more.Broadcast()
	c.mu.Unlock()
}

// round waits until each of them has called once more.
func (c *crowd) round() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for until := c.calls + 4*len(c.who); c.calls < until; {
		c.more.Wait()
	}
}

func (c *crowd) join(who []*banktest.Customer) {
	c.using.Lock()
	defer c.using.Unlock()
	c.who = append(c.who, who...)
}

// become has others call from now on; nobody of before is still on their way.
func (c *crowd) become(who []*banktest.Customer) {
	c.using.Lock()
	defer c.using.Unlock()
	c.who = who
}

func (c *crowd) end() {
	c.stop()
	c.running.Wait()
}
