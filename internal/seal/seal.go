// Package seal keeps personal data unreadable at rest, and still findable.
//
// A [Sealer] holds a master secret under a key id. From it HKDF-SHA-256 derives
// two keys that know nothing of each other: one seals values with AES-256-GCM,
// the other makes blind indexes with HMAC-SHA-256, by which a sealed column can
// be searched for equality (a plain hash would not do: there are only some 10⁹
// identity numbers to try).
//
// # Format
//
//	1 byte   length n of the key id
//	n bytes  key id, ASCII
//	12 bytes nonce, random
//	rest     AES-256-GCM ciphertext and its 16-byte tag
//
// The tag also covers the key id and the caller's associated data. Whoever can
// write to the store can therefore not move a sealed value to another row,
// column or session, provided that the associated data names them.
//
// # Rotation
//
// New values are sealed under the current key; [WithRetired] adds keys that only
// open. Seal everything again before a retired key is dropped. Blind indexes
// carry no key id: look up [Sealer.BlindIndexes] until the column is rewritten.
//
// Nonces are random, so one key is good for 2³² seals (NIST SP 800-38D §8.3):
// rotate long before.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
)

// MasterLen is how many bytes of randomness a master secret has at least.
const MasterLen = 32

// keyIDMax bounds a key id, in bytes; it stands in front of every value.
const keyIDMax = 32

// HKDF's info strings. They are part of the format: changing one loses
// everything that was sealed or indexed.
const (
	infoEncryption = "istirdad seal v1 encryption"
	infoBlindIndex = "istirdad seal v1 blind index"
)

var (
	// ErrSealed is returned by Open for whatever does not open: another key,
	// other associated data, a value cut short or changed. It does not say which.
	ErrSealed = errors.New("seal: does not open")
	// ErrKey is returned by New for a key that must not be used.
	ErrKey = errors.New("seal: unusable key")
)

// Sealer seals and opens values and makes blind indexes. It is safe for
// concurrent use, never changes, and prints without its keys.
type Sealer struct {
	current *key
	retired []*key // newest first, as given
}

// key is kept behind pointers so that fmt, which follows none below the first
// level, cannot reach the secret from a struct that holds a Sealer.
type key struct {
	header []byte // length byte and key id, as they stand in front of a value
	aead   cipher.AEAD
	index  []byte // HMAC key of blind indexes
}

// Option adds to a Sealer that New makes.
type Option func(*Sealer) error

// New returns a Sealer whose current key has an id of 1 to 32 ASCII letters,
// digits, '.', '_' or '-' and a master secret of at least MasterLen random bytes
// (not a passphrase); otherwise ErrKey. The master is not kept.
func New(keyID string, master []byte, options ...Option) (*Sealer, error) {
	current, err := derive(keyID, master)
	if err != nil {
		return nil, err
	}
	s := &Sealer{current: current}
	for _, option := range options {
		if err := option(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// WithRetired adds a former key, which opens and finds what was sealed under it
// and seals nothing. Give the newest first. An id that is taken is ErrKey.
func WithRetired(keyID string, master []byte) Option {
	return func(s *Sealer) error {
		k, err := derive(keyID, master)
		if err != nil {
			return err
		}
		if s.keyOf(k.header) != nil {
			return fmt.Errorf("%w: id %q is given twice", ErrKey, keyID)
		}
		s.retired = append(s.retired, k)
		return nil
	}
}

func derive(keyID string, master []byte) (*key, error) {
	if !validKeyID(keyID) {
		return nil, fmt.Errorf("%w: id is not 1 to %d letters, digits, '.', '_' or '-'", ErrKey, keyIDMax)
	}
	if len(master) < MasterLen {
		return nil, fmt.Errorf("%w: master secret of %q is shorter than %d bytes", ErrKey, keyID, MasterLen)
	}
	encryption, err := hkdf.Key(sha256.New, master, nil, infoEncryption, 32)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	index, err := hkdf.Key(sha256.New, master, nil, infoBlindIndex, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	block, err := aes.NewCipher(encryption)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	header := append([]byte{byte(len(keyID))}, keyID...)
	return &key{header: header, aead: aead, index: index}, nil
}

func validKeyID(id string) bool {
	if len(id) < 1 || len(id) > keyIDMax {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// Seal returns plaintext sealed under the current key, bound to associated,
// which is not part of it and must be given to Open again.
func (s *Sealer) Seal(plaintext, associated []byte) []byte {
	k := s.current
	sealed := make([]byte, len(k.header), len(k.header)+len(plaintext)+k.aead.Overhead())
	copy(sealed, k.header)
	return k.aead.Seal(sealed, nil, plaintext, k.bind(associated))
}

// Open returns what was sealed under the current or a retired key with the same
// associated data; anything else is ErrSealed. It does not keep or change sealed.
func (s *Sealer) Open(sealed, associated []byte) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, ErrSealed
	}
	headerLen := 1 + int(sealed[0])
	if len(sealed) < headerLen {
		return nil, ErrSealed
	}
	header, box := sealed[:headerLen], sealed[headerLen:]
	k := s.keyOf(header)
	if k == nil {
		return nil, ErrSealed
	}
	plaintext, err := k.aead.Open(nil, nil, box, k.bind(associated))
	if err != nil {
		return nil, ErrSealed
	}
	return plaintext, nil
}

// BlindIndex returns 32 bytes by which value can be found in the column field:
// equal for equal pairs under the current key, and telling nothing otherwise.
func (s *Sealer) BlindIndex(field, value string) []byte {
	return s.current.blindIndex(field, value)
}

// BlindIndexes returns the blind index under the current key and then under each
// retired one: what to look for while a column is being rewritten.
func (s *Sealer) BlindIndexes(field, value string) [][]byte {
	indexes := [][]byte{s.current.blindIndex(field, value)}
	for _, k := range s.retired {
		indexes = append(indexes, k.blindIndex(field, value))
	}
	return indexes
}

// Format prints the id of the current key whatever the verb.
func (s *Sealer) Format(state fmt.State, _ rune) {
	if s == nil {
		fmt.Fprint(state, "seal.Sealer(nil)")
		return
	}
	fmt.Fprintf(state, "seal.Sealer(%s)", s.current.header[1:])
}

// LogValue is as Format prints.
func (s *Sealer) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(s)) }

func (s *Sealer) keyOf(header []byte) *key {
	if string(header) == string(s.current.header) {
		return s.current
	}
	for _, k := range s.retired {
		if string(header) == string(k.header) {
			return k
		}
	}
	return nil
}

// bind is the data that the tag covers: the header says its own length, so no
// two pairs of header and associated data give the same bytes.
func (k *key) bind(associated []byte) []byte {
	return append(k.header[:len(k.header):len(k.header)], associated...)
}

// blindIndex covers both texts with their lengths in front: a field and value
// that only read alike when joined do not collide.
func (k *key) blindIndex(field, value string) []byte {
	mac := hmac.New(sha256.New, k.index)
	for _, text := range []string{field, value} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(text)))
		mac.Write(length[:])
		mac.Write([]byte(text))
	}
	return mac.Sum(nil)
}
