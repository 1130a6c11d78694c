package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/bank/identity"
	"github.com/istirdad/istirdad/gateway/api"
	"github.com/istirdad/istirdad/gateway/api/apitest"
)

// policy is what a route answers to whom, when the thing that it is about is the customer's of the session "own".
type policy struct {
	path     string // {preview}, {refund}, {challenge} and {request} stand for own's things, {assisted} and {approval} for staff's
	body     string
	unproved string     // to the customer without a proof; empty: as with one
	other    string     // to another customer, who has a proof; "": it has nothing to do with own's things
	session  string     // to another session of the same customer, which has a proof
	unlike   string     // with an id that there never was: other must get the same, byte for byte
	none     string     // why there is nothing to refuse
	staff    bank.Scope // whose it is, if it is staff's: customers have no business there
	ends     bool       // whoever is let in has no session afterwards: only those who aren't try it here
}

const (
	noProof   = "403 step_up_required"
	notFound  = "404 not_found"
	gone      = "410 challenge_gone"
	noRefund  = "00000000-0000-7000-8000-000000000000"
	lookBody  = `{"id_number":"1900000017","document_seen":true}`
	rightBody = `{"request_id":"{request}","account_number":"{account}","id_number":"{id}"}`
)

var policies = map[string][]policy{
	"POST /core/callbacks":                          {{none: "the core's, not a customer's: signed"}},
	"GET /openapi.yaml":                             {{none: "the contract, which is everybody's"}},
	"GET /reference":                                {{none: "the contract, which is everybody's"}},
	"GET /v1/profile":                               {{path: "/v1/profile", unproved: noProof}},
	"GET /v1/payments":                              {{path: "/v1/payments", unproved: noProof}},
	"GET /v1/payments/e-payments":                   {{path: "/v1/payments/e-payments", unproved: noProof}},
	"GET /v1/payments/e-payments/:service/requests": {{path: "/v1/payments/e-payments/090-003/requests", unproved: noProof}},
	"POST /v1/balance-inquiries":                    {{path: "/v1/balance-inquiries", body: `{"id_number":"{id}"}`, unproved: noProof}},
	"DELETE /v1/session":                            {{path: "/v1/session", ends: true}},
	"POST /v1/refunds": {
		{path: "/v1/refunds", body: rightBody, unproved: noProof, other: notFound, unlike: "{request}"},
	},
	"POST /v1/otp/challenges": {
		{path: "/v1/otp/challenges", body: `{"purpose":"refund","refund_id":"{preview}"}`, unproved: notFound, other: notFound, session: notFound, unlike: "{preview}"},
		{path: "/v1/otp/challenges", body: `{"purpose":"refund","refund_id":"{refund}"}`, unproved: "409 refund_exists", other: notFound, session: "409 refund_exists", unlike: "{refund}"},
	},
	"POST /v1/otp/challenges/:challenge_id/resend": {
		{path: "/v1/otp/challenges/{challenge}/resend", unproved: gone, other: gone, session: gone, unlike: "{challenge}"},
	},
	"POST /v1/otp/challenges/:challenge_id/verify": {
		{path: "/v1/otp/challenges/{challenge}/verify", body: `{"code":"{code}"}`, unproved: gone, other: gone, session: gone, unlike: "{challenge}"},
	},
	"GET /v1/refunds": {{path: "/v1/refunds"}, {path: "/v1/refunds?reference={reference}"}},
	"GET /v1/refunds/:refund_id": {
		{path: "/v1/refunds/{preview}", unproved: notFound, other: notFound, session: notFound, unlike: "{preview}"},
		{path: "/v1/refunds/{refund}", unproved: "200", other: notFound, session: "200", unlike: "{refund}"},
	},
	"GET /v1/refunds/:refund_id/events": {
		{path: "/v1/refunds/{preview}/events", unproved: notFound, other: notFound, session: notFound, unlike: "{preview}"},
		{path: "/v1/refunds/{refund}/events", unproved: "200", other: notFound, session: "200", unlike: "{refund}"},
	},
	"GET /v1/refunds/:refund_id/receipt": {
		{path: "/v1/refunds/{preview}/receipt", unproved: notFound, other: notFound, session: notFound, unlike: "{preview}"},
		{path: "/v1/refunds/{refund}/receipt", unproved: "200", other: notFound, session: "200", unlike: "{refund}"},
	},
	"POST /v1/refunds/:refund_id/confirm": {
		{path: "/v1/refunds/{preview}/confirm", unproved: notFound, other: notFound, session: notFound, unlike: "{preview}"},
		{path: "/v1/refunds/{preview}/confirm", body: `{"challenge_id":"{challenge}","code":"{code}"}`, unproved: notFound, other: notFound, session: notFound, unlike: "{preview}"},
		{path: "/v1/refunds/{refund}/confirm", unproved: "202", other: notFound, session: "202", unlike: "{refund}"},
	},
	"POST /v1/assisted-sessions":                             {{path: "/v1/assisted-sessions", body: lookBody, staff: bank.ScopeTeller}},
	"POST /v1/assisted-sessions/:assisted_session_id/verify": {{path: "/v1/assisted-sessions/{assisted}/verify", body: `{"code":"000000"}`, staff: bank.ScopeTeller, unlike: "{assisted}"}},
	"DELETE /v1/assisted-sessions/:assisted_session_id":      {{path: "/v1/assisted-sessions/{assisted}", staff: bank.ScopeTeller, unlike: "{assisted}"}},
	"GET /v1/lookups":                       {{path: "/v1/lookups", staff: bank.ScopeApprover}},
	"GET /v1/approvals":                     {{path: "/v1/approvals", staff: bank.ScopeApprover}},
	"POST /v1/approvals/:refund_id/approve": {{path: "/v1/approvals/{approval}/approve", body: `{"note":"x","digest":"{digest}"}`, staff: bank.ScopeApprover, unlike: "{approval}"}},
	"POST /v1/approvals/:refund_id/reject":  {{path: "/v1/approvals/{approval}/reject", body: `{"note":"x"}`, staff: bank.ScopeApprover, unlike: "{approval}"}},
	"POST /v1/unblocks":                     {{path: "/v1/unblocks", body: `{"id_number":"1900000090","note":"x"}`, staff: bank.ScopeApprover}},
	"DELETE /v1/refunds/:refund_id": {
		{path: "/v1/refunds/{preview}", unproved: notFound, other: notFound, session: notFound, unlike: "{preview}"},
		{path: "/v1/refunds/{refund}", unproved: "409 too_late", other: notFound, session: "409 too_late", unlike: "{refund}"},
	},
}

// TestWhoMayWhat is the matrix of routes and identities: nobody sees, alters or learns of what is somebody else's.
func TestWhoMayWhat(t *testing.T) {
	everyRoute(t, policies)
	w := apitest.Start(t)
	d := doorOf(t, w)
	own, other := w.Customer("p09"), w.Customer("p01")
	own.Prove()
	other.Prove()
	refund := own.Preview("rq-p09-1").RefundID
	own.Confirm(refund).Want(202)
	credited := own.Await(refund, "completed")
	preview := own.Preview("rq-p09-3").RefundID
	fill := map[string]string{
		"{preview}": preview, "{refund}": refund, "{reference}": credited.Reference, "{request}": "rq-p09-3",
		"{account}": other.Account(), "{id}": other.IDNumber(),
	}

	t.Run("other customers", func(t *testing.T) {
		fill["{challenge}"], fill["{code}"] = challengeOf(own, preview)
		for route, ps := range policies {
			for _, p := range ps {
				if p.none != "" || p.ends {
					continue
				}
				a := p.ask(route, fill)
				a.token = other.Token
				got := d.in(t).ask(a)
				if p.staff != "" {
					wantAnswer(t, got, "403 forbidden")
					continue
				}
				if p.other == "" {
					hidden(t, got.want(200), credited.Reference, "rq-p09", "555608000000009", "0009", "072")
					continue
				}
				wantAnswer(t, got, p.other)
				a = p.ask(route, without(fill, p.unlike))
				a.token = other.Token
				if absent := d.ask(a); blank(absent.body) != blank(got.body) || !sameHeaders(absent, got) {
					t.Errorf("%s: somebody else's is told from one that never was:\n%s\n%s", route, got.body, absent.body)
				}
			}
		}
	})
	for name, session := range map[string]func() *banktest.Customer{
		"the same customer without a proof": func() *banktest.Customer { return w.Customer("p09") },
		"the same customer's other session": func() *banktest.Customer {
			c := w.Customer("p09")
			c.Prove()
			return c
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := session()
			w.Forgive("p09")
			fill["{challenge}"], fill["{code}"] = challengeOf(own, preview)
			for route, ps := range policies {
				for _, p := range ps {
					want := p.unproved
					if strings.Contains(name, "other") {
						want = p.session
					}
					if want == "" {
						continue
					}
					a := p.ask(route, fill)
					a.token = c.Token
					wantAnswer(t, d.in(t).ask(a), want)
				}
			}
		})
	}
	// After all that own's things are as they were.
	if got := own.Do("GET", "/v1/refunds/"+preview, nil).Want(200); !strings.Contains(string(got.Body), `"status":"preview"`) {
		t.Errorf("the preview is %s", got.Body)
	}
	w.Forgive("p09")
	own.Confirm(preview).Want(202)
	w.Exact()
}

// challengeOf is a live challenge for the preview, and its right code.
func challengeOf(c *banktest.Customer, preview string) (id, code string) {
	body := c.RefundCode(preview)
	return body["challenge_id"], body["code"]
}

func (p policy) ask(route string, fill map[string]string) ask {
	method, _, _ := strings.Cut(route, " ")
	a := ask{method: method, path: filled(p.path, fill), header: key()}
	if p.body != "" {
		a.body = filled(p.body, fill)
	}
	return a
}

// everywhere makes a well-formed call, with a token, of each route for customers.
func everywhere(call func(ask)) {
	for route, ps := range policies {
		for _, p := range ps {
			if p.none == "" {
				a := p.ask(route, nil)
				a.token = "x"
				call(a)
			}
		}
	}
}

func filled(s string, fill map[string]string) string {
	for place, value := range fill {
		s = strings.ReplaceAll(s, place, value)
	}
	return s
}

// without fills the place with something that never was.
func without(fill map[string]string, place string) map[string]string {
	other := map[string]string{}
	for p, value := range fill {
		if p == place {
			value = noRefund
		}
		other[p] = value
	}
	return other
}

func wantAnswer(t *testing.T, got answer, want string) {
	t.Helper()
	is := strings.TrimSpace(got.Status[:3] + " " + got.problem().Code)
	if is != want {
		t.Errorf("%s answered %s, want %s", got.call, is, want)
	}
}

// hidden fails the test when an answer shows any of these.
func hidden(t *testing.T, got answer, all ...string) {
	t.Helper()
	for _, secret := range all {
		if strings.Contains(string(got.body), secret) {
			t.Errorf("%s shows %s", got.call, secret)
		}
	}
}

var ownToEach = regexp.MustCompile(`"(request_id|instance)":"[^"]*"`)

// blank takes from a problem what may differ between somebody else's thing and none.
func blank(body []byte) string { return ownToEach.ReplaceAllString(string(body), `"$1":""`) }

func sameHeaders(a, b answer) bool {
	of := func(x answer) http.Header {
		h := x.Header.Clone()
		for _, name := range []string{"Date", "X-Request-Id", "Content-Length"} {
			h.Del(name)
		}
		return h
	}
	one, _ := json.Marshal(of(a))
	two, _ := json.Marshal(of(b))
	return string(one) == string(two)
}

// TestStaffAreNoCustomers: a token without the scope of customers opens nothing, whatever else it may do.
func TestStaffAreNoCustomers(t *testing.T) {
	w := apitest.Start(t)
	d := doorOf(t, w)
	for user, scope := range map[string]bank.Scope{"t01": bank.ScopeTeller, "a01": bank.ScopeApprover, "o01": bank.ScopeOperator} {
		token := w.Customer(user).Token
		for route, ps := range policies {
			for _, p := range ps {
				if p.none == "" && p.staff != scope {
					a := p.ask(route, nil)
					a.token = token
					d.ask(a).want(403, "forbidden")
				}
			}
		}
	}
}

// TestWhoIsNobody: on every route, before anything else of the request is looked at.
func TestWhoIsNobody(t *testing.T) {
	issuer := newIssuer(t)
	verifier, err := identity.New(identity.Config{Issuer: issuer.url})
	if err != nil {
		t.Fatal(err)
	}
	defer verifier.Close()
	// There is no path behind this door: whoever gets past it falls.
	handler, err := api.New(api.Config{Identity: verifier, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	d := door{t: t, url: server.URL, client: server.Client()}

	right := issuer.token(t, nil)
	bearer := func(tokens ...string) http.Header {
		h := http.Header{}
		for _, token := range tokens {
			h.Add("Authorization", "Bearer "+token)
		}
		return h
	}
	for name, header := range map[string]http.Header{
		"no token":            nil,
		"an empty one":        bearer(""),
		"garbage":             bearer("garbage"),
		"another scheme":      {"Authorization": {"Basic " + right}},
		"no scheme":           {"Authorization": {right}},
		"two tokens":          bearer(right, right),
		"expired":             bearer(issuer.token(t, map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})),
		"another audience":    bearer(issuer.token(t, map[string]any{"aud": "somebody-else"})),
		"another issuer":      bearer(issuer.token(t, map[string]any{"iss": "https://elsewhere.example"})),
		"without sid":         bearer(issuer.token(t, map[string]any{"sid": ""})),
		"without sub":         bearer(issuer.token(t, map[string]any{"sub": ""})),
		"another's signature": bearer(newIssuer(t).token(t, map[string]any{"iss": issuer.url})),
		"a letter changed":    bearer(right[:len(right)-3] + "AAA"),
	} {
		t.Run(name, func(t *testing.T) {
			d := d.in(t)
			for route, ps := range policies {
				for _, p := range ps {
					if p.none != "" {
						continue
					}
					a := p.ask(route, nil)
					a.header = header
					if a.body != nil {
						a.body = "{" // not even looked at
					}
					d.ask(a).want(401, "unauthenticated")
				}
			}
		})
	}
	d.ask(ask{method: "GET", path: "/v1/profile?access_token=" + right}).want(401, "unauthenticated")
	// The token that all these are one change away from is believed: it falls.
	d.ask(ask{method: "GET", path: "/v1/profile", token: right}).want(500, "internal")
}

// TestNobodyCanBeAsked: an issuer that doesn't answer makes nobody a customer.
func TestNobodyCanBeAsked(t *testing.T) {
	issuer := newIssuer(t)
	verifier, err := identity.New(identity.Config{Issuer: issuer.url})
	if err != nil {
		t.Fatal(err)
	}
	defer verifier.Close()
	token := issuer.token(t, nil)
	issuer.server.Close()
	handler, err := api.New(api.Config{Identity: verifier, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	everywhere(func(a ask) {
		a.token = token
		door{t: t, url: server.URL, client: server.Client()}.ask(a).want(503, "try_again")
	})
}

// issuer is an OpenID Connect issuer with one key.
type issuer struct {
	server *httptest.Server
	url    string
	signer jose.Signer
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := jose.JSONWebKey{Key: secret, KeyID: "k1", Algorithm: "ES256", Use: "sig"}
	i := &issuer{}
	if i.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil); err != nil {
		t.Fatal(err)
	}
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": i.url, "jwks_uri": i.url + "/jwks", "id_token_signing_alg_values_supported": []string{"ES256"},
			"authorization_endpoint": i.url + "/authorize", "token_endpoint": i.url + "/token",
		})
	})
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
	})
	i.server = httptest.NewServer(mux)
	t.Cleanup(i.server.Close)
	i.url = i.server.URL
	return i
}

// token is a customer's, but for the changes.
func (i *issuer) token(t *testing.T, changes map[string]any) string {
	t.Helper()
	claims := map[string]any{
		"iss": i.url, "aud": "istirdad", "sub": "p01", "sid": "s1", "azp": "web", "scope": "openid refunds",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	for name, value := range changes {
		claims[name] = value
	}
	token, err := jwt.Signed(i.signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}
