package ops

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/istirdad/istirdad/gateway"
)

// exchange is a question to the core and its answer, and where in the pack what was signed is.
type exchange struct {
	Version  int64   `json:"version"` // of the event that rests on it
	Call     string  `json:"call"`
	Asked    signed  `json:"asked"`
	Answered *signed `json:"answered"` // null: there was none that could be believed
}

// signed is a signed message (RFC 9421). Its base, signature and key are files of the pack, as standard tools read them.
type signed struct {
	At             string `json:"at"`
	Method         string `json:"method,omitempty"`
	Authority      string `json:"authority,omitempty"`
	Path           string `json:"path,omitempty"`
	Query          string `json:"query,omitempty"`
	Status         int    `json:"status,omitempty"`
	ContentDigest  string `json:"content_digest"`
	SignatureInput string `json:"signature_input"`
	Signature      string `json:"signature"`
	KeyID          string `json:"keyid"`
	Body           string `json:"body"` // numbers masked
	KeyFile        string `json:"key_file"`
	BaseFile       string `json:"base_file"`
	SignatureFile  string `json:"signature_file"`
	BodyFile       string `json:"body_file"`
}

// exchanges puts what was signed into the pack, and says where.
func (g gathered) exchanges(p *parts) ([]exchange, error) {
	told := make([]exchange, 0, len(g.witnesses))
	for _, w := range g.witnesses {
		name := fmt.Sprintf("core/%03d-%s", w.Version, w.Call)
		asked, err := g.signed(p, name+"-asked", w.Asked)
		if err != nil {
			return nil, err
		}
		x := exchange{Version: w.Version, Call: w.Call, Asked: asked}
		if w.Answered != nil {
			answered, err := g.signed(p, name+"-answered", *w.Answered)
			if err != nil {
				return nil, err
			}
			x.Answered = &answered
		}
		told = append(told, x)
	}
	return told, nil
}

func (g gathered) signed(p *parts, name string, s gateway.Signed) (signed, error) {
	base, err := baseOf(s)
	if err != nil {
		return signed{}, err
	}
	raw, err := rawSignature(s.Signature)
	if err != nil {
		return signed{}, err
	}
	key, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(s.Key))
	if err != nil {
		return signed{}, err
	}
	sum := sha256.Sum256(s.Key)
	keyName := "keys/" + unsafeInNames.ReplaceAllString(s.KeyID, "_") + "-" + hex.EncodeToString(sum[:4]) + ".pem"
	r := g.refund
	body := maskedBody(string(s.Body), []number{
		{r.To.Compact(), r.To.Masked()}, {r.Payment.Payer.Number(), r.Payment.Payer.Masked()},
		{r.Payment.Beneficiary.Number(), r.Payment.Beneficiary.Masked()},
	}, r.Reference, r.CoreReference, r.Payment.RequestID)
	return signed{
		At: instant(s.At), Method: s.Method, Authority: s.Authority, Path: s.Path, Query: s.Query, Status: s.Status,
		ContentDigest: s.Digest, SignatureInput: s.Input, Signature: s.Signature, KeyID: s.KeyID, Body: body,
		KeyFile:       p.put(keyName, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: key})),
		BaseFile:      p.put(name+".base", base),
		SignatureFile: p.put(name+".sig", raw),
		BodyFile:      p.put(name+".body", []byte(body)),
	}, nil
}

var unsafeInNames = regexp.MustCompile(`[^A-Za-z0-9._-]`)

var errUnsigned = errors.New("ops: what is on record has no signature of the protocol's form")

// baseOf is what was signed (RFC 9421 §2.5): a line for each covered component, then the parameters.
func baseOf(s gateway.Signed) ([]byte, error) {
	_, params, found := strings.Cut(s.Input, "=")
	components, _, closed := strings.Cut(strings.TrimPrefix(params, "("), ")")
	if !found || !closed {
		return nil, errUnsigned
	}
	values := map[string]string{
		`"@method"`: s.Method, `"@authority"`: s.Authority, `"@path"`: s.Path, `"@query"`: s.Query,
		`"@status"`: strconv.Itoa(s.Status), `"content-digest"`: s.Digest,
	}
	var base strings.Builder
	for name := range strings.FieldsSeq(components) {
		value, known := values[name]
		if !known {
			return nil, errUnsigned
		}
		base.WriteString(name + ": " + value + "\n")
	}
	base.WriteString(`"@signature-params": ` + params)
	return []byte(base.String()), nil
}

// rawSignature is the 64 bytes of a Signature field.
func rawSignature(field string) ([]byte, error) {
	_, text, found := strings.Cut(field, "=:")
	text, closed := strings.CutSuffix(text, ":")
	raw, err := base64.StdEncoding.DecodeString(text)
	if !found || !closed || err != nil || len(raw) != ed25519.SignatureSize {
		return nil, errUnsigned
	}
	return raw, nil
}
