package sandboxbank_test

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/istirdad/istirdad/internal/sandboxbank"
	"github.com/istirdad/istirdad/internal/sandboxfault"
)

const callback = "http://127.0.0.1:9/callback"

// client is an OpenID Connect client that knows nothing of the stand-in but its
// issuer.
type client struct {
	r        *rig
	ctx      context.Context
	provider *oidc.Provider
	config   oauth2.Config
}

func discover(r *rig) *client {
	r.t.Helper()
	ctx := oidc.ClientContext(r.t.Context(), r.http)
	provider, err := oidc.NewProvider(ctx, r.url)
	if err != nil {
		r.t.Fatal(err)
	}
	return &client{r, ctx, provider, oauth2.Config{
		ClientID: "web", Endpoint: provider.Endpoint(), RedirectURL: callback, Scopes: []string{"openid", "refunds"},
	}}
}

type claims struct {
	Sub, Sid, Azp, Scope, Employee, Branch string
}

func (c *client) verify(accessToken string) (*oidc.IDToken, claims, error) {
	var got claims
	token, err := c.provider.VerifierContext(c.ctx, &oidc.Config{ClientID: "istirdad"}).Verify(c.ctx, accessToken)
	if err != nil {
		return nil, got, err
	}
	return token, got, token.Claims(&got)
}

func TestPasswordGrant(t *testing.T) {
	c := discover(start(t, ""))
	tests := []struct {
		user string
		want claims
	}{
		{"p01", claims{Sub: "p01", Azp: "web", Scope: "openid refunds"}},
		{"c00002", claims{Sub: "c00002", Azp: "web", Scope: "openid refunds"}},
		{"t01", claims{Sub: "t01", Azp: "web", Scope: "openid teller", Employee: "E100", Branch: "101"}},
		{"a02", claims{Sub: "a02", Azp: "web", Scope: "openid approver", Employee: "E100", Branch: "101"}},
		{"o02", claims{Sub: "o02", Azp: "web", Scope: "openid operator", Employee: "E301", Branch: "back-office"}},
	}
	c.config.Scopes = nil
	sids := map[string]bool{}
	for range 2 {
		for _, tt := range tests {
			got, err := c.config.PasswordCredentialsToken(c.ctx, tt.user, "istirdad")
			if err != nil {
				t.Fatal(err)
			}
			token, cl, err := c.verify(got.AccessToken)
			if err != nil {
				t.Fatal(err)
			}
			if cl.Sid == "" || sids[cl.Sid] {
				t.Errorf("%s: sid %q is not fresh", tt.user, cl.Sid)
			}
			sids[cl.Sid], cl.Sid = true, ""
			if diff := cmp.Diff(tt.want, cl); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.user, diff)
			}
			if got.TokenType != "Bearer" || !got.Expiry.After(time.Now()) || !token.Expiry.After(time.Now()) || token.IssuedAt.After(time.Now()) {
				t.Errorf("%s: %+v, %+v", tt.user, got, token)
			}
		}
	}
}

// The curl line of the README: no client is named.
func TestPasswordGrantByHand(t *testing.T) {
	r := start(t, "")
	got := r.post("/token", "grant_type=password&username=p01&password=istirdad")
	f := got.fields(t)
	if got.status != http.StatusOK || f["token_type"] != "Bearer" || f["expires_in"] != 3600.0 || got.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if _, cl, err := discover(r).verify(f["access_token"].(string)); err != nil || cl.Azp == "" {
		t.Errorf("%+v, %v", cl, err)
	}
	scoped := r.post("/token", "grant_type=password&username=t01&password=istirdad&scope=openid+refunds+approver")
	if got := scoped.fields(t)["scope"]; got != "openid" {
		t.Errorf("a teller was given %v", got)
	}
}

func TestTokenRefusals(t *testing.T) {
	r := start(t, "")
	tests := map[string]string{
		"grant_type=password&username=p01&password=wrong":    "invalid_grant",
		"grant_type=password&username=p99&password=istirdad": "invalid_grant",
		"grant_type=password&username=&password=":            "invalid_grant",
		"grant_type=authorization_code&code=x":               "invalid_grant",
		"grant_type=client_credentials":                      "unsupported_grant_type",
		"":                                                   "invalid_request",
		"grant_type=password&grant_type=password&username=p01&password=x":   "invalid_request",
		"grant_type=password&username=%zz":                                  "invalid_request",
		"grant_type=password&username=" + strings.Repeat("x", 20_000) + "&": "invalid_request",
	}
	for form, want := range tests {
		if got := r.post("/token", form); got.status != http.StatusBadRequest || got.fields(t)["error"] != want {
			t.Errorf("%.60s: %d %s, want %s", form, got.status, got.body, want)
		}
	}
	if got := r.call(t.Context(), http.MethodGet, "/token?grant_type=password&username=p01&password=istirdad", ""); got.status != http.StatusMethodNotAllowed {
		t.Errorf("credentials in a URL: %d", got.status)
	}
}

// browser follows the sign-in page by hand and stops at the way back.
type browser struct {
	t    *testing.T
	http *http.Client
}

func (r *rig) browser() browser {
	jar, _ := cookiejar.New(nil)
	return browser{r.t, &http.Client{Transport: r.http.Transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}}
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// signIn opens the page and sends its form; it returns the answer to the form.
func (b browser) signIn(authURL, user, password string) *http.Response {
	b.t.Helper()
	res, err := b.http.Get(authURL)
	if err != nil {
		b.t.Fatal(err)
	}
	page := body(b.t, res)
	if res.StatusCode != http.StatusOK {
		b.t.Fatalf("the page: %d %s", res.StatusCode, page)
	}
	form := url.Values{"username": {user}, "password": {password}}
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		form.Set(m[1], unescape.Replace(m[2]))
	}
	at, _ := url.Parse(authURL)
	res, err = b.http.PostForm(at.Scheme+"://"+at.Host+"/authorize", form)
	if err != nil {
		b.t.Fatal(err)
	}
	return res
}

var unescape = strings.NewReplacer("&amp;", "&", "&#43;", "+", "&#34;", `"`, "&#39;", "'", "&lt;", "<", "&gt;", ">")

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// wayBack is where the browser was sent, and with what.
func wayBack(t *testing.T, res *http.Response) url.Values {
	t.Helper()
	res.Body.Close()
	to, err := res.Location()
	if err != nil || res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to.String(), callback+"?") {
		t.Fatalf("%d to %v: %v", res.StatusCode, to, err)
	}
	return to.Query()
}

func TestCodeFlowWithPKCE(t *testing.T) {
	r := start(t, "")
	c := discover(r)
	verifier := oauth2.GenerateVerifier()
	const state = `s"<&+1`
	authURL := c.config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier), oidc.Nonce("n-1"))
	q := wayBack(t, r.browser().signIn(authURL, " p03 ", "istirdad"))
	if q.Get("state") != state || q.Get("iss") != r.url || q.Get("code") == "" {
		t.Fatalf("back with %v", q)
	}
	got, err := c.config.Exchange(c.ctx, q.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	_, access, err := c.verify(got.AccessToken)
	if err != nil || access.Sub != "p03" || access.Azp != "web" || access.Scope != "openid refunds" {
		t.Fatalf("%+v, %v", access, err)
	}
	raw, _ := got.Extra("id_token").(string)
	id, err := c.provider.VerifierContext(c.ctx, &oidc.Config{ClientID: "web"}).Verify(c.ctx, raw)
	if err != nil || id.Subject != "p03" || id.Nonce != "n-1" {
		t.Fatalf("id token %+v, %v", id, err)
	}
	if _, _, err := c.verify(raw); err == nil {
		t.Error("the ID token passes for an access token")
	}
	if _, err := c.config.Exchange(c.ctx, q.Get("code"), oauth2.VerifierOption(verifier)); err == nil {
		t.Error("the code was good twice")
	}
}

func TestCodeIsBoundToWhatItWasGivenFor(t *testing.T) {
	r := start(t, "")
	verifier := oauth2.GenerateVerifier()
	tests := map[string]func(*client, string) error{
		"another verifier": func(c *client, code string) error {
			_, err := c.config.Exchange(c.ctx, code, oauth2.VerifierOption(oauth2.GenerateVerifier()))
			return err
		},
		"no verifier": func(c *client, code string) error {
			_, err := c.config.Exchange(c.ctx, code)
			return err
		},
		"another client": func(c *client, code string) error {
			c.config.ClientID = "other"
			_, err := c.config.Exchange(c.ctx, code, oauth2.VerifierOption(verifier))
			return err
		},
		"another way back": func(c *client, code string) error {
			c.config.RedirectURL += "/2"
			_, err := c.config.Exchange(c.ctx, code, oauth2.VerifierOption(verifier))
			return err
		},
	}
	for name, redeem := range tests {
		t.Run(name, func(t *testing.T) {
			c := discover(r)
			q := wayBack(t, r.browser().signIn(c.config.AuthCodeURL("s", oauth2.S256ChallengeOption(verifier)), "p01", "istirdad"))
			if redeem(c, q.Get("code")) == nil {
				t.Fatal("redeemed")
			}
			honest := discover(r)
			if _, err := honest.config.Exchange(honest.ctx, q.Get("code"), oauth2.VerifierOption(verifier)); err == nil {
				t.Error("a code that was tried with the wrong things is still good")
			}
		})
	}
}

func TestSignInPage(t *testing.T) {
	r := start(t, "")
	c := discover(r)
	authURL := c.config.AuthCodeURL(`"><script>`, oauth2.S256ChallengeOption(oauth2.GenerateVerifier()))
	res := r.browser().signIn(authURL, "p01", "wrong")
	csp, page := res.Header.Get("Content-Security-Policy"), body(t, res)
	if res.StatusCode != http.StatusUnauthorized || !strings.Contains(page, "غير صحيحة") || !strings.Contains(page, "is wrong") {
		t.Errorf("wrong password: %d %s", res.StatusCode, page)
	}
	if strings.Contains(page, "<script>") || strings.Contains(page, "src=") || strings.Contains(page, "<link") {
		t.Errorf("the page loads or runs something:\n%s", page)
	}
	if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "form-action 'self' http://127.0.0.1:9") {
		t.Errorf("policy %q", csp)
	}
	req, _ := http.NewRequest(http.MethodPost, r.url+"/authorize", strings.NewReader(""))
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	if res, err := r.browser().http.Do(req); err != nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("a form of another site: %v %v", res, err)
	} else {
		res.Body.Close()
	}
}

func TestAuthorizationRefusals(t *testing.T) {
	r := start(t, "")
	c := discover(r)
	good := c.config.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier()))
	change := func(key, value string) string {
		u, _ := url.Parse(good)
		q := u.Query()
		q.Set(key, value)
		u.RawQuery = q.Encode()
		return u.String()
	}
	told := map[string]string{
		change("code_challenge_method", "plain"):     "invalid_request",
		change("code_challenge_method", ""):          "invalid_request",
		change("code_challenge", ""):                 "invalid_request",
		change("code_challenge", "short"):            "invalid_request",
		change("response_type", "token"):             "unsupported_response_type",
		c.config.AuthCodeURL("s"):                    "invalid_request",
		change("response_type", "code token") + "&x": "unsupported_response_type",
	}
	for u, want := range told {
		res, err := r.browser().http.Get(u)
		if err != nil {
			t.Fatal(err)
		}
		if q := wayBack(t, res); q.Get("error") != want || q.Get("state") != "s" {
			t.Errorf("%s: %v, want %s", u, q, want)
		}
	}
	for _, u := range []string{
		change("redirect_uri", "https://evil.example/callback"), change("redirect_uri", "http://127.0.0.1.evil.example/"),
		change("redirect_uri", "http://user@127.0.0.1/"), change("redirect_uri", "javascript:alert(1)"),
		change("redirect_uri", ""), change("client_id", ""), change("client_id", "a b"),
	} {
		res, err := r.browser().http.Get(u)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusBadRequest || res.Header.Get("Location") != "" {
			t.Errorf("%s: %d to %q", u, res.StatusCode, res.Header.Get("Location"))
		}
	}
}

func TestOpenRefusesAnIssuerThatIsNone(t *testing.T) {
	for _, issuer := range []string{"", "127.0.0.1:80", "http://", "http://a/b", "ftp://a"} {
		if _, err := sandboxbank.Open(sandboxbank.Config{Issuer: issuer, Board: sandboxfault.NewBoard(1)}); err == nil {
			t.Errorf("opened as %q", issuer)
		}
	}
}
