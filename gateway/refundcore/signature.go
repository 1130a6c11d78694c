package refundcore

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/istirdad/istirdad/internal/outbound"
)

// The header fields of RFC 9421 and RFC 9530.
const (
	fieldInput     = "Signature-Input"
	fieldSignature = "Signature"
	fieldDigest    = "Content-Digest"
)

const (
	label     = "core" // of the one signature that a message carries
	algorithm = "ed25519"
	// skewMax is how far the signer's clock may be from ours, lifeMax how long a signature may claim to hold; both
	// in seconds, the unit of RFC 9421's times.
	skewMax = 60
	lifeMax = 60
)

// What is signed, in this order and nothing else.
var (
	requestComponents = []string{"@method", "@authority", "@path", "@query", "content-digest"}
	answerComponents  = []string{"@status", "content-digest"}
)

// flaw is why a message can't be believed: one of our own words, never something that was read.
type flaw string

func (f flaw) Error() string { return "signature: " + string(f) }

// stamp is what makes two signatures of the same request differ.
type stamp struct {
	created time.Time
	nonce   string
}

// newNonce returns 128 random bits.
func newNonce() string {
	var bits [16]byte
	rand.Read(bits[:]) // never fails (crypto/rand, Go 1.24)
	return base64.RawURLEncoding.EncodeToString(bits[:])
}

// digest returns the Content-Digest of a body (RFC 9530 §2); an empty body has one too.
func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// signatureBase returns the bytes that are signed (RFC 9421 §2.5): a line for each component, then the parameters.
func signatureBase(components, values []string, params string) []byte {
	var b strings.Builder
	for i, name := range components {
		b.WriteString(`"` + name + `": ` + values[i] + "\n")
	}
	b.WriteString(`"@signature-params": ` + params)
	return []byte(b.String())
}

// requestValues are the values of requestComponents. The authority is given because a server can't tell from a request
// under which name it was meant to be reached.
func requestValues(r *http.Request, authority, digest string) []string {
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	return []string{r.Method, authority, path, "?" + r.URL.RawQuery, digest}
}

// signer signs requests as the bank.
type signer struct {
	keyID string
	key   ed25519.PrivateKey
}

// sign adds digest and signature to a request. r.URL.Host is normalised already, so it is the authority.
func (s signer) sign(r *http.Request, body []byte, at stamp) {
	created := at.created.Unix()
	params := signatureInput{
		components: requestComponents,
		created:    created, expires: created + lifeMax,
		nonce: at.nonce, keyID: s.keyID, alg: algorithm,
	}.String()
	contentDigest := digest(body)
	base := signatureBase(requestComponents, requestValues(r, r.URL.Host, contentDigest), params)
	r.Header.Set(fieldDigest, contentDigest)
	r.Header.Set(fieldInput, label+"="+params)
	r.Header.Set(fieldSignature, label+"=:"+base64.StdEncoding.EncodeToString(ed25519.Sign(s.key, base))+":")
}

// verifier knows whose signatures are the core's word.
type verifier struct {
	keys map[string]ed25519.PublicKey
}

// answer says why an answer isn't the core's word on the request that carried nonce, or nil.
func (v verifier) answer(x outbound.Exchange, nonce string) error {
	values := []string{strconv.Itoa(x.Status), digest(x.Body)}
	in, err := v.verify(x.Header, answerComponents, values, x.At)
	if err != nil {
		return err
	}
	if in.nonce != nonce {
		return flaw("nonce of another request")
	}
	return nil
}

// verify checks everything but the nonce, whose meaning differs between answers and requests. The digest that was
// computed from the body is the last of values.
func (v verifier) verify(h http.Header, components, values []string, now time.Time) (signatureInput, error) {
	contentDigest, one := single(h, fieldDigest)
	switch {
	case !one:
		return signatureInput{}, flaw("not exactly one content digest")
	case contentDigest != values[len(values)-1]:
		return signatureInput{}, flaw("digest of another body")
	}
	input, one := single(h, fieldInput)
	if !one {
		return signatureInput{}, flaw("not exactly one signature input")
	}
	in, params, err := parseInput(label, input)
	if err != nil {
		return signatureInput{}, err
	}
	text, one := single(h, fieldSignature)
	if !one {
		return signatureInput{}, flaw("not exactly one signature")
	}
	signature, err := parseSignature(label, text)
	if err != nil {
		return signatureInput{}, err
	}
	if !slices.Equal(in.components, components) {
		return signatureInput{}, flaw("covers something else")
	}
	if err := in.check(now); err != nil {
		return signatureInput{}, err
	}
	key, known := v.keys[in.keyID]
	if !known {
		return signatureInput{}, flaw("unknown key")
	}
	if !ed25519.Verify(key, signatureBase(components, values, params), signature) {
		return signatureInput{}, flaw("doesn't hold")
	}
	return in, nil
}

// check holds the parameters against the protocol and the clock.
func (in signatureInput) check(now time.Time) error {
	// Both times are at most fifteen digits long, so no difference overflows.
	age := now.Unix() - in.created
	life := in.expires - in.created
	switch {
	case in.alg != algorithm:
		return flaw("another algorithm")
	case in.nonce == "":
		return flaw("no nonce")
	case age > skewMax || age < -skewMax:
		return flaw("made too long ago or yet to be made")
	case life <= 0 || life > lifeMax:
		return flaw("lives too long or not at all")
	case age > life:
		return flaw("expired")
	}
	return nil
}

// single returns the value of a field that stands in a message exactly once.
func single(h http.Header, name string) (string, bool) {
	values := h.Values(name)
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}
