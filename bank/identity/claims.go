package identity

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/istirdad/istirdad/bank"
)

// claims are those of bank-protocol.md that go-oidc doesn't read. An access token in the form of RFC 9068 (§2.2) names its
// client in client_id, where OpenID Connect has azp; some issuers can say the one only, some the other.
type claims struct {
	Session   string  `json:"sid"`
	Client    string  `json:"azp"`
	ClientID  string  `json:"client_id"` // counts where there is no azp
	Scope     string  `json:"scope"`     // separated by spaces (RFC 8693 §4.2)
	Employee  string  `json:"employee"`
	Branch    string  `json:"branch"`
	NotBefore float64 `json:"nbf"` // seconds since 1970, maybe with a fraction
}

// callerOf is who bears a token whose signature, issuer, audience and expiry hold.
func callerOf(token *oidc.IDToken, now time.Time) (bank.Caller, error) {
	var c claims
	if err := token.Claims(&c); err != nil {
		return bank.Caller{}, unauthenticated("claims of a wrong type")
	}
	client := cmp.Or(c.Client, c.ClientID)
	switch {
	case !printable(token.Subject):
		return bank.Caller{}, unauthenticated("without sub")
	case !printable(c.Session):
		return bank.Caller{}, unauthenticated("without sid")
	case !printable(client):
		return bank.Caller{}, unauthenticated("without azp and client_id")
	case c.Employee != "" && !printable(c.Employee), c.Branch != "" && !printable(c.Branch):
		return bank.Caller{}, unauthenticated("employee or branch is no name")
	case c.NotBefore > float64(now.Add(leeway).Unix()):
		return bank.Caller{}, unauthenticated("not valid yet")
	}
	caller := bank.Caller{
		Subject: token.Subject, Session: c.Session, Client: client,
		Employee: c.Employee, Branch: c.Branch, Expires: token.Expiry,
	}
	for scope := range strings.FieldsSeq(c.Scope) {
		caller.Scopes = append(caller.Scopes, bank.Scope(scope))
	}
	return caller, nil
}

const nameMax = 255 // bytes, of a sub (OpenID Connect Core §2) and, by us, of the others

// printable reports whether s is a name: not empty, not long, and nothing in it that isn't seen.
func printable(s string) bool {
	return s != "" && len(s) <= nameMax && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// worthAsking reports whether a token by an unknown key could be any good if the key were known. Nothing in it is
// believed: a lie gains a look at the issuer's keys, which is rationed; the truth, that it expired with the key that
// signed it, saves one.
func (v *Verifier) worthAsking(payload []byte, now time.Time) bool {
	var c struct {
		Issuer string  `json:"iss"`
		Expiry float64 `json:"exp"`
	}
	return json.Unmarshal(payload, &c) == nil && c.Issuer == v.issuer && c.Expiry > float64(now.Unix())
}
