package config

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
)

// Secret is a value that is never shown: it prints, logs and marshals masked, whatever the verb or the format. Convert it
// to string where it is used.
type Secret string

const masked = "(hidden)"

// String is what may be shown: of the address of a server where it is and nothing else, of all other secrets that there
// is one. It is empty for an empty Secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	u, err := url.Parse(string(s))
	if err != nil {
		return masked
	}
	switch u.Scheme {
	case "postgres", "postgresql", "redis", "rediss":
	default:
		return masked
	}
	// A password with an unescaped '/', '?' or '#' ends the host early; then the rest of it holds the '@'.
	if u.User == nil && strings.Contains(string(s), "@") {
		return masked
	}
	return u.Scheme + "://" + u.Host + u.Path
}

// Format prints String whatever the verb.
func (s Secret) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, s.String()) }

// LogValue is String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String, in JSON and YAML too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// EncodeKey writes random bytes as keys.pepper and keys.seal take them.
func EncodeKey(key []byte) Secret { return Secret(base64.StdEncoding.EncodeToString(key)) }

// EncodeSigningKey writes our key at the core as core.key takes it.
func EncodeSigningKey(key ed25519.PrivateKey) Secret {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic("config: x509 can't write an Ed25519 key: " + err.Error()) // it can
	}
	return Secret(pem.EncodeToMemory(&pem.Block{Type: pemPrivateKey, Bytes: der}))
}

// EncodePublicKey writes a key of the core as core.core_keys takes it.
func EncodePublicKey(key ed25519.PublicKey) string { return base64.StdEncoding.EncodeToString(key) }
