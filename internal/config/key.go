package config

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/istirdad/istirdad/internal/seal"
)

// What PEM calls the keys that are read here.
const (
	pemPrivateKey = "PRIVATE KEY"
	pemPublicKey  = "PUBLIC KEY"
)

// decodeKey reads what EncodeKey writes.
func decodeKey(s Secret) ([]byte, error) {
	key, err := base64.StdEncoding.Strict().DecodeString(string(s))
	switch {
	case err != nil:
		return nil, errors.New("must be base64: openssl rand -base64 32 makes one")
	case len(key) < seal.MasterLen:
		return nil, fmt.Errorf("must be at least %d bytes before base64", seal.MasterLen)
	}
	return key, nil
}

// signingKey reads what EncodeSigningKey writes.
func signingKey(s Secret) (ed25519.PrivateKey, error) {
	wrong := errors.New("must be an Ed25519 private key, PKCS #8 in PEM: openssl genpkey -algorithm ed25519 makes one")
	block, rest := pem.Decode([]byte(s))
	if block == nil || block.Type != pemPrivateKey || strings.TrimSpace(string(rest)) != "" {
		return nil, wrong
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, wrong
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, wrong
	}
	return key, nil
}

// publicKeys are the core's, by id: as themselves, and in files.
func (f *files) publicKeys(texts, paths map[string]string) (map[string]ed25519.PublicKey, error) {
	keys := map[string]ed25519.PublicKey{}
	for _, id := range slices.Sorted(maps.Keys(texts)) {
		raw, err := base64.StdEncoding.Strict().DecodeString(texts[id])
		switch {
		case !plainID.MatchString(id):
			return nil, errors.New("an id must be 1 to 128 visible ASCII characters without quotes and backslashes")
		case err != nil, len(raw) != ed25519.PublicKeySize:
			return nil, fmt.Errorf("the key %s must be base64 of the %d bytes of an Ed25519 public key", name(id), ed25519.PublicKeySize)
		}
		keys[id] = raw
	}
	for _, id := range slices.Sorted(maps.Keys(paths)) {
		if !plainID.MatchString(id) {
			return nil, errors.New("an id must be 1 to 128 visible ASCII characters without quotes and backslashes")
		}
		if keys[id] != nil {
			return nil, fmt.Errorf("the key %s is in core.core_keys too", name(id))
		}
		key, err := f.publicKey(paths[id])
		if err != nil {
			return nil, fmt.Errorf("the key %s: %w", name(id), err)
		}
		keys[id] = key
	}
	return keys, nil
}

// name is an id as an error may repeat it: if it looks like one.
func name(id string) string {
	if strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	}) || len(id) > 32 {
		return "…"
	}
	return id
}

// redisDatabase is what may stand behind the server in Redis' URL: the number of a database, or none.
var redisDatabase = regexp.MustCompile(`^(/[0-9]{0,4})?$`)

// redisURLFault is why text is no URL of Redis; "" when it is one. What redisstore takes beyond that, options in a
// ?query, has keys of its own here.
func redisURLFault(s Secret) string {
	u, err := url.Parse(string(s))
	switch {
	case err != nil: // the error would quote it
		return "must be a URL: redis://, rediss:// or unix://"
	case u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return "must not have a ?query or a #fragment; a password writes them as %3F and %23"
	case u.Scheme == "unix" && u.Path != "":
		return ""
	case u.Scheme != "redis" && u.Scheme != "rediss", u.Hostname() == "":
		return "must be a URL with redis, rediss or unix, and where the server is"
	case !redisDatabase.MatchString(u.Path):
		return "must end in the number of a database, such as /0, or in none"
	}
	return ""
}
