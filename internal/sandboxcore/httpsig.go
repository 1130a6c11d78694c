package sandboxcore

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// HTTP message signatures (RFC 9421) with Ed25519 and digests (RFC 9530), in the
// one form that core-protocol.md allows: label "core", the components below in
// this order, and the five parameters of stamp.

const (
	signatureLabel = "core"
	signatureAlg   = "ed25519"

	signatureLife = 60 * time.Second // expires − created, at most
	clockSkew     = 60 * time.Second // |created − the reader's clock|, at most
)

var (
	requestComponents = []string{"@method", "@authority", "@path", "@query", "content-digest"}
	answerComponents  = []string{"@status", "content-digest"}
)

var (
	errUnsigned  = errors.New("no signature in the form of the protocol")
	errDigest    = errors.New("the body does not match its digest")
	errSignature = errors.New("the signature does not hold")
	errWindow    = errors.New("the signature is not valid at this time")
)

// TestKey is test-key-ed25519 of RFC 9421, appendix B.1.4. It is public: good
// for a sandbox, and for nothing else.
func TestKey() ed25519.PrivateKey {
	seed, err := base64.StdEncoding.DecodeString("n4Ni+HpISpVObnQMW0wOhCKROaIKqKtW/2ZYb2p9KcU=")
	if err != nil {
		panic(err) // a constant
	}
	return ed25519.NewKeyFromSeed(seed)
}

// A message is the part of a request or an answer that can be signed.
type message struct {
	method, authority, path, query string // of a request
	status                         int    // of an answer
	header                         http.Header
}

// requestMessage is r as its signer saw it (RFC 9421, section 2.2).
func requestMessage(r *http.Request) message {
	authority := strings.ToLower(r.Host)
	if authority == "" {
		authority = strings.ToLower(r.URL.Host)
	}
	standardPort := ":80"
	if r.TLS != nil || r.URL.Scheme == "https" {
		standardPort = ":443"
	}
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	return message{
		method:    r.Method,
		authority: strings.TrimSuffix(authority, standardPort),
		path:      path,
		query:     "?" + r.URL.RawQuery,
		header:    r.Header,
	}
}

// component is the value of one line of the signature base.
func (m message) component(name string) (string, error) {
	switch name {
	case "@method":
		return m.method, nil
	case "@authority":
		return m.authority, nil
	case "@path":
		return m.path, nil
	case "@query":
		return m.query, nil
	case "@status":
		return strconv.Itoa(m.status), nil
	}
	values := m.header.Values(name)
	if strings.HasPrefix(name, "@") || len(values) == 0 {
		return "", fmt.Errorf("component %q is not there", name)
	}
	trimmed := make([]string, len(values))
	for i, v := range values {
		trimmed[i] = strings.Trim(v, " \t")
	}
	return strings.Join(trimmed, ", "), nil
}

// signatureBase is RFC 9421, section 2.5.
func signatureBase(m message, input innerList) ([]byte, error) {
	var b strings.Builder
	for _, name := range input.items {
		value, err := m.component(name)
		if err != nil {
			return nil, err
		}
		b.WriteString(quote(name) + ": " + value + "\n")
	}
	b.WriteString(`"@signature-params": ` + input.String())
	return []byte(b.String()), nil
}

// A stamp is the parameters of a signature.
type stamp struct {
	created, expires int64 // Unix seconds
	nonce, keyID     string
}

func newStamp(now time.Time, nonce, keyID string) stamp {
	return stamp{now.Unix(), now.Add(signatureLife).Unix(), nonce, keyID}
}

// newNonce has 128 bits.
func newNonce() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b)
}

func (s stamp) over(components []string) innerList {
	return innerList{components, []parameter{
		{"created", s.created}, {"expires", s.expires}, {"nonce", s.nonce}, {"keyid", s.keyID}, {"alg", signatureAlg},
	}}
}

// parseStamp wants each parameter exactly once, and no others.
func parseStamp(params []parameter) (stamp, error) {
	var s stamp
	var alg string
	seen := make(map[string]bool)
	for _, p := range params {
		var ok bool
		switch p.key {
		case "created":
			s.created, ok = p.value.(int64)
		case "expires":
			s.expires, ok = p.value.(int64)
		case "nonce":
			s.nonce, ok = p.value.(string)
		case "keyid":
			s.keyID, ok = p.value.(string)
		case "alg":
			alg, ok = p.value.(string)
		}
		if !ok || seen[p.key] {
			return stamp{}, fmt.Errorf("%w: parameter %q", errUnsigned, p.key)
		}
		seen[p.key] = true
	}
	if len(seen) != 5 || alg != signatureAlg || s.nonce == "" || len(s.nonce) > 128 {
		return stamp{}, fmt.Errorf("%w: a parameter is missing or out of bounds", errUnsigned)
	}
	return s, nil
}

// check holds the stamp against the reader's clock.
func (s stamp) check(now time.Time) error {
	skew, life := now.Unix()-s.created, s.expires-s.created
	switch limit := int64(clockSkew / time.Second); {
	case skew > limit || skew < -limit:
		return fmt.Errorf("%w: created %d s from now", errWindow, -skew)
	case life <= 0 || life > int64(signatureLife/time.Second):
		return fmt.Errorf("%w: a life of %d s", errWindow, life)
	case now.Unix() > s.expires:
		return fmt.Errorf("%w: expired", errWindow)
	}
	return nil
}

// sign puts a signature into m's header, where the body's digest is already.
func sign(m message, components []string, s stamp, key ed25519.PrivateKey) {
	input := s.over(components)
	base, err := signatureBase(m, input)
	if err != nil {
		panic("sandboxcore: " + err.Error()) // our own components, all set
	}
	m.header.Set("Signature-Input", signatureLabel+"="+input.String())
	m.header.Set("Signature", signatureLabel+"="+byteSequence(ed25519.Sign(key, base)))
}

// verify returns the stamp of a message whose digest and signature hold. The
// clock and the nonce are still to be checked.
func verify(m message, body []byte, components []string, keys map[string]ed25519.PublicKey) (stamp, error) {
	input, signature, err := signatureFields(m.header)
	if err != nil {
		return stamp{}, err
	}
	if !slices.Equal(input.items, components) {
		return stamp{}, fmt.Errorf("%w: other components are covered", errUnsigned)
	}
	s, err := parseStamp(input.params)
	if err != nil {
		return stamp{}, err
	}
	if err := verifyDigest(m.header, body); err != nil {
		return stamp{}, err
	}
	base, err := signatureBase(m, input)
	if err != nil {
		return stamp{}, fmt.Errorf("%w: %w", errUnsigned, err)
	}
	key, known := keys[s.keyID]
	if !known || !ed25519.Verify(key, base, signature) {
		return stamp{}, errSignature
	}
	return s, nil
}

// signatureFields finds the signature labelled "core". Others may stand beside
// it: a proxy may sign too.
func signatureFields(h http.Header) (innerList, []byte, error) {
	inputs, err := parseDictionary(strings.Join(h.Values("Signature-Input"), ", "))
	if err != nil {
		return innerList{}, nil, fmt.Errorf("%w: Signature-Input: %w", errUnsigned, err)
	}
	signatures, err := parseDictionary(strings.Join(h.Values("Signature"), ", "))
	if err != nil {
		return innerList{}, nil, fmt.Errorf("%w: Signature: %w", errUnsigned, err)
	}
	input, isList := inputs[signatureLabel].(innerList)
	signature, isBytes := signatures[signatureLabel].([]byte)
	if !isList || !isBytes {
		return innerList{}, nil, fmt.Errorf("%w: label %q is missing", errUnsigned, signatureLabel)
	}
	return input, signature, nil
}

func contentDigest(body []byte) string {
	sum := sha256.Sum256(body)
	return digestField(sum[:])
}

func digestField(sum []byte) string { return "sha-256=" + byteSequence(sum) }

func verifyDigest(h http.Header, body []byte) error {
	digests, err := parseDictionary(strings.Join(h.Values("Content-Digest"), ", "))
	if err != nil {
		return fmt.Errorf("%w: Content-Digest: %w", errDigest, err)
	}
	given, _ := digests["sha-256"].([]byte)
	if sum := sha256.Sum256(body); subtle.ConstantTimeCompare(given, sum[:]) != 1 {
		return errDigest
	}
	return nil
}
