package sandboxbank

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxseed"
)

const (
	tokenLife     = time.Hour
	audience      = "istirdad"      // whom access tokens are for
	defaultClient = "sandbox-tests" // of a password grant that names none
	scopeOpenID   = "openid"
	maxForm       = 16 << 10 // bytes of a form
)

// accessClaims are those of bank-protocol.md, "Who is calling". Employee and
// Branch are the staff's.
type accessClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience []string `json:"aud"`
	Expires  int64    `json:"exp"`
	Issued   int64    `json:"iat"`
	Session  string   `json:"sid"`
	Client   string   `json:"azp"`
	Scope    string   `json:"scope"`
	Employee string   `json:"employee,omitempty"`
	Branch   string   `json:"branch,omitempty"`
}

// idClaims tell the client, and nobody else, who signed in.
type idClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Expires  int64  `json:"exp"`
	Issued   int64  `json:"iat"`
	Session  string `json:"sid"`
	Nonce    string `json:"nonce,omitempty"`
}

// grant is what a sign-in gives to a client.
type grant struct {
	person sandboxseed.Person
	client string
	scopes []string
	nonce  string
}

// tokenAnswer is that of RFC 6749 §5.1.
type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"` // seconds
	Scope       string `json:"scope"`
	IDToken     string `json:"id_token,omitempty"`
}

func (b *Bank) token(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*") // a frontend's own page may redeem its code
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		oauthError(w, "invalid_request")
		return
	}
	for _, values := range r.PostForm {
		if len(values) > 1 { // RFC 6749 §3.2
			oauthError(w, "invalid_request")
			return
		}
	}
	var (
		g    grant
		code string
	)
	switch r.PostForm.Get("grant_type") {
	case "authorization_code":
		g, code = b.redeem(r)
	case "password":
		g, code = b.passwordGrant(r)
	case "":
		code = "invalid_request"
	default:
		code = "unsupported_grant_type"
	}
	if code != "" {
		oauthError(w, code)
		return
	}
	a, err := b.issue(g)
	if err != nil {
		send(w, reply{http.StatusInternalServerError, map[string]string{"error": "server_error"}})
		return
	}
	send(w, reply{http.StatusOK, a})
}

// redeem is the second half of the code flow. A code is gone with the first
// attempt, right or wrong.
func (b *Bank) redeem(r *http.Request) (grant, string) {
	f := r.PostForm
	c, ok := b.codes.take(f.Get("code"))
	if !ok || c.client != clientOf(r) || c.redirectURI != f.Get("redirect_uri") {
		return grant{}, "invalid_grant"
	}
	digest := sha256.Sum256([]byte(f.Get("code_verifier")))
	challenge := base64.RawURLEncoding.EncodeToString(digest[:])
	if subtle.ConstantTimeCompare([]byte(challenge), []byte(c.challenge)) != 1 {
		return grant{}, "invalid_grant"
	}
	return c.grant, ""
}

func (b *Bank) passwordGrant(r *http.Request) (grant, string) {
	f := r.PostForm
	person, ok := b.signIn(f.Get("username"), f.Get("password"))
	if !ok {
		return grant{}, "invalid_grant"
	}
	client := clientOf(r)
	if client == "" {
		client = defaultClient
	}
	return grant{person: person, client: client, scopes: entitled(person, f.Get("scope"))}, ""
}

// clientOf is the client's id, by either way of RFC 6749 §2.3.1. Clients are
// public: a secret proves nothing and is not looked at.
func clientOf(r *http.Request) string {
	if id, _, ok := r.BasicAuth(); ok {
		if plain, err := url.QueryUnescape(id); err == nil {
			return plain
		}
	}
	return r.PostForm.Get("client_id")
}

func (b *Bank) signIn(user, password string) (sandboxseed.Person, bool) {
	right := subtle.ConstantTimeCompare([]byte(password), []byte(sandboxseed.Password)) == 1
	p, ok := b.people.byUser[user]
	return p, ok && right
}

// entitled is what the person may have of what was asked for; not asking is
// asking for everything.
func entitled(p sandboxseed.Person, asked string) []string {
	own := "refunds"
	if p.Role != sandboxseed.RoleCustomer {
		own = p.Role
	}
	all := []string{scopeOpenID, own}
	if asked == "" {
		return all
	}
	want := strings.Fields(asked)
	return slices.DeleteFunc(all, func(s string) bool { return !slices.Contains(want, s) })
}

// issue makes the tokens of a sign-in, with a session of its own.
func (b *Bank) issue(g grant) (tokenAnswer, error) {
	now := time.Now()
	sid, scope := rand.Text(), strings.Join(g.scopes, " ")
	access, err := b.keys.sign(accessClaims{
		Issuer: b.issuer, Subject: g.person.User, Audience: []string{audience},
		Expires: now.Add(tokenLife).Unix(), Issued: now.Unix(),
		Session: sid, Client: g.client, Scope: scope,
		Employee: g.person.Employee, Branch: g.person.Branch,
	})
	if err != nil {
		return tokenAnswer{}, err
	}
	a := tokenAnswer{AccessToken: access, TokenType: "Bearer", ExpiresIn: int(tokenLife.Seconds()), Scope: scope}
	if slices.Contains(g.scopes, scopeOpenID) {
		a.IDToken, err = b.keys.sign(idClaims{
			Issuer: b.issuer, Subject: g.person.User, Audience: g.client,
			Expires: now.Add(tokenLife).Unix(), Issued: now.Unix(), Session: sid, Nonce: g.nonce,
		})
	}
	return a, err
}

// oauthError is RFC 6749 §5.2.
func oauthError(w http.ResponseWriter, code string) {
	send(w, reply{http.StatusBadRequest, map[string]string{"error": code}})
}
