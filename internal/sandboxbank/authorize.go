package sandboxbank

import (
	"crypto/rand"
	_ "embed"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	codeLife = time.Minute
	maxCodes = 10_000 // codes waiting at once; beyond, the oldest go
)

//go:embed signin.html
var signInHTML string

// The page is one file, styles inside: it loads nothing from anywhere.
var signInPage = template.Must(template.New("signin").Parse(signInHTML))

// routeIdentity: the issuer's addresses.
func (b *Bank) routeIdentity(mux *http.ServeMux) {
	mux.HandleFunc("GET /.well-known/openid-configuration", b.discovery)
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		send(w, reply{http.StatusOK, b.keys.public()})
	})
	mux.HandleFunc("GET /authorize", b.showSignIn)
	mux.Handle("POST /authorize", http.NewCrossOriginProtection().Handler(http.HandlerFunc(b.doSignIn)))
	mux.HandleFunc("POST /token", b.token)
}

func (b *Bank) discovery(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	send(w, reply{http.StatusOK, map[string]any{
		"issuer":                                b.issuer,
		"authorization_endpoint":                b.issuer + "/authorize",
		"token_endpoint":                        b.issuer + "/token",
		"jwks_uri":                              b.issuer + "/jwks",
		"scopes_supported":                      []string{scopeOpenID, "refunds", "teller", "approver", "operator"},
		"response_types_supported":              []string{"code"},
		"response_modes_supported":              []string{"query"},
		"grant_types_supported":                 []string{"authorization_code", "password"},
		"code_challenge_methods_supported":      []string{"S256"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"ES256"},
		"token_endpoint_auth_methods_supported": []string{"none"},
		"claims_supported": []string{"iss", "aud", "exp", "iat", "sub", "sid", "azp", "scope",
			"employee", "branch"},
		"ui_locales_supported":                           []string{"ar", "en"},
		"authorization_response_iss_parameter_supported": true,
	}})
}

// authRequest is what a client asks for in the first half of the code flow.
type authRequest struct {
	ClientID    string
	RedirectURI string
	State       string
	Scope       string
	Nonce       string
	Challenge   string

	back *url.URL // RedirectURI, parsed
}

var (
	clientShape    = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,64}$`)
	challengeShape = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
)

// readAuthRequest returns the error code of RFC 6749 §4.1.2.1, if any. ok is
// false when not even the client can be told, because the way back cannot be
// trusted.
func readAuthRequest(f url.Values) (a authRequest, code string, ok bool) {
	a = authRequest{
		ClientID: f.Get("client_id"), RedirectURI: f.Get("redirect_uri"), State: f.Get("state"),
		Scope: f.Get("scope"), Nonce: f.Get("nonce"), Challenge: f.Get("code_challenge"),
	}
	back, err := url.Parse(a.RedirectURI)
	if err != nil || !loopback(back) || !clientShape.MatchString(a.ClientID) {
		return a, "", false
	}
	a.back = back
	switch {
	case f.Get("response_type") != "code":
		return a, "unsupported_response_type", true
	case f.Get("code_challenge_method") != "S256" || !challengeShape.MatchString(a.Challenge):
		return a, "invalid_request", true
	}
	return a, "", true
}

// loopback: codes go to this machine only, because clients are not registered.
func loopback(u *url.URL) bool {
	host := u.Hostname()
	ip := net.ParseIP(host)
	return (u.Scheme == "http" || u.Scheme == "https") && u.User == nil && u.Fragment == "" &&
		(host == "localhost" || ip != nil && ip.IsLoopback())
}

func (b *Bank) showSignIn(w http.ResponseWriter, r *http.Request) {
	a, ok := b.authRequestOf(w, r, r.URL.Query())
	if ok {
		page(w, http.StatusOK, a, false)
	}
}

func (b *Bank) doSignIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "bad form", http.StatusBadRequest)
		return
	}
	a, ok := b.authRequestOf(w, r, r.PostForm)
	if !ok {
		return
	}
	person, ok := b.signIn(strings.TrimSpace(r.PostForm.Get("username")), r.PostForm.Get("password"))
	if !ok {
		page(w, http.StatusUnauthorized, a, true)
		return
	}
	code := b.codes.put(pendingCode{
		grant:  grant{person: person, client: a.ClientID, scopes: entitled(person, a.Scope), nonce: a.Nonce},
		client: a.ClientID, redirectURI: a.RedirectURI, challenge: a.Challenge,
	})
	b.goBack(w, r, a, "code", code)
}

// authRequestOf answers itself when the request cannot go on.
func (b *Bank) authRequestOf(w http.ResponseWriter, r *http.Request, f url.Values) (authRequest, bool) {
	a, code, ok := readAuthRequest(f)
	if !ok {
		http.Error(w, "client_id or redirect_uri is missing or not allowed: the sandbox sends codes to loopback addresses only", http.StatusBadRequest)
		return a, false
	}
	if code != "" {
		b.goBack(w, r, a, "error", code)
		return a, false
	}
	return a, true
}

// goBack sends the browser to the client with an answer, which names its issuer
// (RFC 9207).
func (b *Bank) goBack(w http.ResponseWriter, r *http.Request, a authRequest, key, value string) {
	to := *a.back
	q := to.Query()
	q.Set(key, value)
	q.Set("iss", b.issuer)
	if a.State != "" {
		q.Set("state", a.State)
	}
	to.RawQuery = q.Encode()
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}

func page(w http.ResponseWriter, status int, a authRequest, wrong bool) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	// A browser holds form-action against the redirect after the form as well.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "+
		"frame-ancestors 'none'; form-action 'self' "+a.back.Scheme+"://"+a.back.Host)
	// Not no-referrer: with it the form would be sent from the origin "null".
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = signInPage.Execute(w, struct {
		authRequest
		Wrong bool
	}{a, wrong}) // the reader is gone: nobody is left to tell
}

// pendingCode is an authorization code that has not been redeemed.
type pendingCode struct {
	grant
	client, redirectURI, challenge string
	expires                        time.Time
}

// codes keeps the codes that wait, in memory: losing them costs a sign-in.
type codes struct {
	mu    sync.Mutex
	live  map[string]pendingCode
	order []string // as given out, and so as they expire
}

func newCodes() *codes { return &codes{live: make(map[string]pendingCode)} }

func (c *codes) put(p pendingCode) string {
	code := rand.Text()
	p.expires = time.Now().Add(codeLife)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live[code] = p
	c.order = append(c.order, code)
	stale := 0
	for _, old := range c.order {
		if q, ok := c.live[old]; ok && len(c.order)-stale <= maxCodes && time.Now().Before(q.expires) {
			break
		}
		delete(c.live, old)
		stale++
	}
	c.order = slices.Delete(c.order, 0, stale)
	return code
}

// take gives a code out once.
func (c *codes) take(code string) (pendingCode, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.live[code]
	delete(c.live, code)
	return p, ok && time.Now().Before(p.expires)
}

func (c *codes) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.live)
	c.order = nil
}
