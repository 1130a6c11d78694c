package otp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strconv"

	pquerna "github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/istirdad/istirdad/internal/saudi"
)

// Binding is a digest of what a code is good for. Any change to it is another
// binding, and a code made for one is worthless under another.
type Binding [32]byte

// Bind returns the binding of the fields, in order. It is injective: each field
// is preceded by its length, so ("ab", "c") and ("a", "bc") differ.
func Bind(fields ...string) Binding {
	h := sha256.New()
	writeFields(h, fields...)
	return Binding(h.Sum(nil))
}

// writeFields writes each field behind its length, eight bytes big-endian.
func writeFields(h hash.Hash, fields ...string) {
	var length [8]byte
	for _, field := range fields {
		binary.BigEndian.PutUint64(length[:], uint64(len(field)))
		h.Write(length[:])
		_, _ = io.WriteString(h, field) // a hash never fails
	}
}

// PepperSize is the least number of bytes a pepper has.
const PepperSize = 32

// pepper keys everything that is derived here. It is held in a type of its own
// so that every use names what it is for: the label keeps a MAC of one kind
// from passing for one of another.
type pepper []byte

func (p pepper) mac(label string, fields ...string) MAC {
	h := hmac.New(sha256.New, p)
	writeFields(h, label)
	writeFields(h, fields...)
	return MAC(h.Sum(nil))
}

func (p pepper) holder(customer string) Holder {
	m := p.mac("holder", customer)
	return Holder(hex.EncodeToString(m[:16]))
}

// bond is everything a challenge is bound to, except its generation.
type bond struct {
	challenge, customer, session string
	purpose                      Purpose
	ref                          string
	binding                      Binding
}

func (b bond) fields(more ...string) []string {
	return append([]string{
		b.challenge, b.customer, b.session, string(b.purpose), b.ref, string(b.binding[:]),
	}, more...)
}

// seal says that this challenge was made for this bond by somebody who knows
// the pepper.
func (p pepper) seal(b bond) MAC { return p.mac("seal", b.fields()...) }

// codeMAC is what is kept of a code.
func (p pepper) codeMAC(b bond, generation int, c Code) MAC {
	return p.mac("code", b.fields(strconv.Itoa(generation), c.Reveal())...)
}

// code makes the code of one generation of a challenge. The same challenge and
// generation always give the same one, so it needs no storing.
func (p pepper) code(challenge string, generation, digits int) (Code, error) {
	secret := p.mac("secret", challenge, strconv.Itoa(generation))
	return hotpCode(secret[:], uint64(generation), digits, pquerna.AlgorithmSHA256)
}

// hotpCode is RFC 4226's HOTP. It refuses a secret under the RFC's 128 bits
// (R6): for an empty one the library answers the constant 328482 and no error.
func hotpCode(secret []byte, counter uint64, digits int, algorithm pquerna.Algorithm) (Code, error) {
	if len(secret) < 16 {
		return "", errors.New("otp: secret under 128 bits")
	}
	code, err := hotp.GenerateCodeCustom(
		base32.StdEncoding.EncodeToString(secret), counter,
		hotp.ValidateOpts{Digits: pquerna.Digits(digits), Algorithm: algorithm},
	)
	return Code(code), err
}

// maxTyped bounds what is looked at of a typed code: eight digits, with room
// for spaces and direction marks between them.
const maxTyped = 128

// readCode turns what was typed into a code: Arabic-Indic and Persian digits
// become ASCII, spaces, hyphens and direction marks go, and what is left must be
// exactly so many digits.
func readCode(typed Code, digits int) (Code, error) {
	if len(typed) > maxTyped {
		return "", ErrMalformedCode
	}
	s := saudi.Digits(typed.Reveal())
	if len(s) != digits {
		return "", ErrMalformedCode
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return "", ErrMalformedCode
		}
	}
	return Code(s), nil
}
