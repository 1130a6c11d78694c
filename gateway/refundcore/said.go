package refundcore

import (
	"crypto/ed25519"
	"net/http"
	"time"

	"github.com/istirdad/istirdad/gateway"
)

// said is what a call said and was answered, for the record; nil when nothing left. An answer that can't be believed is
// nobody's word and isn't part of it.
func (c *Client) said(out outgoing, f facts) *gateway.Exchange {
	if !f.Handed {
		return nil
	}
	asked, _, _ := parseInput(label, f.request.Header.Get(fieldInput)) // ours, so it can be read
	values := requestValues(f.request, f.request.URL.Host, "")
	x := &gateway.Exchange{Call: out.call, Asked: gateway.Signed{
		At:     time.Unix(asked.created, 0).UTC(),
		Method: values[0], Authority: values[1], Path: values[2], Query: values[3],
		Key: c.signer.key.Public().(ed25519.PublicKey), //nolint:forcetypeassert // it is one by its contract
	}}
	sign(&x.Asked, f.request.Header, asked.keyID, out.body)
	if f.Err != nil || f.flaw != nil || f.sandbox {
		return x
	}
	answered, _, err := parseInput(label, f.Header.Get(fieldInput))
	if err != nil {
		return x
	}
	x.Answered = &gateway.Signed{At: f.At.UTC(), Status: f.Status, Key: c.verifier.keys[answered.keyID]}
	sign(x.Answered, f.Header, answered.keyID, f.Body)
	return x
}

// sign puts into a message what its signature consists of.
func sign(s *gateway.Signed, h http.Header, keyID string, body []byte) {
	s.Digest, s.Input, s.Signature = h.Get(fieldDigest), h.Get(fieldInput), h.Get(fieldSignature)
	s.KeyID, s.Body = keyID, body
}
