package refundcore

import (
	"crypto/ed25519"
	"encoding/base64"
	"strconv"
	"strings"
)

// Bounds on what a signature input may hold; the protocol's has two or five components and five parameters.
const (
	inputBytesMax = 1024
	plainBytesMax = 128
	digitsMax     = 15 // of an integer (RFC 9651 §3.3.1)
)

// signatureInput is the covered components and the parameters of one signature (RFC 9421 §2.3).
type signatureInput struct {
	components       []string
	created, expires int64 // Unix seconds
	nonce            string
	keyID            string
	alg              string
}

// String writes it in the order of the protocol.
func (in signatureInput) String() string {
	return `("` + strings.Join(in.components, `" "`) + `")` +
		";created=" + strconv.FormatInt(in.created, 10) +
		";expires=" + strconv.FormatInt(in.expires, 10) +
		`;nonce="` + in.nonce + `";keyid="` + in.keyID + `";alg="` + in.alg + `"`
}

// parseInput reads a Signature-Input with a single member of the given label, and also returns the member's value as
// it stands there, which is what was signed.
//
// It is stricter than RFC 9651: no optional white space, no leading zeros, no escapes, no parameters on components,
// no unknown or repeated ones. So there is one spelling only, the canonical one of RFC 9421 §2.3, and the value needn't
// be written anew before it goes into the signature base.
func parseInput(label, field string) (signatureInput, string, error) {
	value, ok := strings.CutPrefix(field, label+"=")
	if !ok || len(field) > inputBytesMax {
		return signatureInput{}, "", flaw("input of another form")
	}
	list, rest, ok := cutBetween(value, "(", ")")
	if !ok {
		return signatureInput{}, "", flaw("input of another form")
	}
	in := signatureInput{}
	for item := range strings.SplitSeq(list, " ") {
		name, ok := unquote(item)
		if !ok {
			return signatureInput{}, "", flaw("component of another form")
		}
		in.components = append(in.components, name)
	}
	seen := map[string]bool{}
	for rest != "" {
		param, ok := strings.CutPrefix(rest, ";")
		if !ok {
			return signatureInput{}, "", flaw("parameter of another form")
		}
		param, rest = cutBefore(param, ';')
		name, text, _ := strings.Cut(param, "=")
		if seen[name] || !in.set(name, text) {
			return signatureInput{}, "", flaw("parameter of another form")
		}
		seen[name] = true
	}
	return in, value, nil
}

// set takes one parameter over. A text can't hold the semicolon at which parameters are cut.
func (in *signatureInput) set(name, text string) (ok bool) {
	switch name {
	case "created":
		in.created, ok = integer(text)
	case "expires":
		in.expires, ok = integer(text)
	case "nonce":
		in.nonce, ok = unquote(text)
	case "keyid":
		in.keyID, ok = unquote(text)
	case "alg":
		in.alg, ok = unquote(text)
	}
	return ok
}

// parseSignature reads a Signature with a single member of the given label.
func parseSignature(label, field string) ([]byte, error) {
	text, rest, ok := cutBetween(strings.TrimPrefix(field, label+"="), ":", ":")
	if !ok || rest != "" || !strings.HasPrefix(field, label+"=") ||
		len(text) != base64.StdEncoding.EncodedLen(ed25519.SignatureSize) {
		return nil, flaw("signature of another form")
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(signature) != ed25519.SignatureSize {
		return nil, flaw("signature of another form")
	}
	return signature, nil
}

// cutBetween cuts s, which begins with opening, at the next closing.
func cutBetween(s, opening, closing string) (between, rest string, ok bool) {
	s, ok = strings.CutPrefix(s, opening)
	if !ok {
		return "", "", false
	}
	return strings.Cut(s, closing)
}

// cutBefore cuts s before the first sep, which stays.
func cutBefore(s string, sep byte) (before, rest string) {
	if i := strings.IndexByte(s, sep); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// unquote reads a string of plain characters.
func unquote(s string) (string, bool) {
	text, rest, ok := cutBetween(s, `"`, `"`)
	return text, ok && rest == "" && plain(text)
}

// integer reads a whole number that isn't negative.
func integer(s string) (int64, bool) {
	if len(s) == 0 || len(s) > digitsMax || (s[0] == '0' && len(s) > 1) {
		return 0, false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// plain reports whether s is 1 to 128 visible ASCII characters that need no escape and cut nothing.
func plain(s string) bool {
	if s == "" || len(s) > plainBytesMax {
		return false
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || strings.IndexByte(`"\;()`, c) >= 0 {
			return false
		}
	}
	return true
}
