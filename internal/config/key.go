package config

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/istirdad/istirdad/internal/seal"
	"github.com/istirdad/istirdad/otp/redisstore"
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
func publicKeys(texts, files map[string]string) (map[string]ed25519.PublicKey, error) {
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
	for _, id := range slices.Sorted(maps.Keys(files)) {
		if !plainID.MatchString(id) {
			return nil, errors.New("an id must be 1 to 128 visible ASCII characters without quotes and backslashes")
		}
		if keys[id] != nil {
			return nil, fmt.Errorf("the key %s is in core.core_keys too", name(id))
		}
		key, err := publicKeyFile(files[id])
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

func publicKeyFile(path string) (ed25519.PublicKey, error) {
	text, _, err := readFile(path)
	if err != nil {
		return nil, err
	}
	wrong := errors.New("the file must hold an Ed25519 public key in PEM")
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemPublicKey {
		return nil, wrong
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, wrong
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, wrong
	}
	return key, nil
}

// certificate reads a certificate and its key. Of the errors, one is the certificate's and one is the key's.
func certificate(certFile, keyFile string, e Environment) (pair tls.Certificate, certErr, keyErr error) {
	cert, _, certErr := readFile(certFile)
	key, keyErr := secretFile(keyFile, e)
	if certErr != nil || keyErr != nil {
		return tls.Certificate{}, certErr, keyErr
	}
	if block, _ := pem.Decode(cert); block == nil || block.Type != "CERTIFICATE" {
		return tls.Certificate{}, errors.New("the file must hold a certificate in PEM"), nil
	}
	pair, err := tls.X509KeyPair(cert, []byte(key))
	if err != nil {
		return tls.Certificate{}, nil, errors.New("the file must hold the private key of the certificate, in PEM")
	}
	return pair, nil, nil
}

// roots reads the authorities that are trusted instead of the system's.
func roots(file string) (*x509.CertPool, error) {
	text, _, err := readFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("the file must hold certificates in PEM")
	}
	return pool, nil
}

// redisURL takes a URL of Redis apart. The store's own reader of URLs has no room for authorities of our own.
func redisURL(s Secret) (redisstore.Options, error) {
	u, err := url.Parse(string(s))
	if err != nil {
		return redisstore.Options{}, errors.New("must be a URL: redis://, rediss:// or unix://") // the error would quote it
	}
	switch {
	case u.Scheme == "unix" && u.Path != "":
		return redisstore.Options{URL: string(s)}, nil
	case u.Scheme != "redis" && u.Scheme != "rediss", u.Hostname() == "":
		return redisstore.Options{}, errors.New("must be a URL with redis, rediss or unix, and where the server is")
	case u.RawQuery != "", u.Fragment != "":
		return redisstore.Options{}, errors.New("must not have a ?query or a #fragment; a password writes them as %3F and %23")
	}
	o := redisstore.Options{Addrs: []string{u.Host}}
	if u.Port() == "" {
		o.Addrs = []string{u.Host + ":6379"}
	}
	if why := addressFault(o.Addrs[0]); why != "" {
		return redisstore.Options{}, errors.New(why)
	}
	o.Username = u.User.Username()
	o.Password, _ = u.User.Password()
	if u.Scheme == "rediss" {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if number := strings.TrimPrefix(u.Path, "/"); number != "" {
		if o.DB, err = strconv.Atoi(number); err != nil || o.DB < 0 {
			return redisstore.Options{}, errors.New("must end in the number of a database, such as /0, or in none")
		}
	}
	return o, nil
}
