package sandboxbank

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// signingKey is a private key and, once it is no longer used, until when its
// public half is published.
type signingKey struct {
	Key     jose.JSONWebKey `json:"key"`
	Publish time.Time       `json:"publish_until,omitzero"`
}

// keyring signs tokens and publishes what verifies them.
type keyring struct {
	path string // of the file; empty: memory only

	mu     sync.Mutex
	keys   []signingKey // the last signs
	signer jose.Signer
}

// openKeyring reads dir's keys, or makes the first one. They are kept so that a
// restart signs nobody out; they open nothing but the sandbox.
func openKeyring(dir string) (*keyring, error) {
	k := &keyring{}
	if dir == "" {
		return k, k.rotate()
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("sandboxbank: keys: %w", err)
	}
	k.path = filepath.Join(dir, "signing-keys.json")
	stored, err := os.ReadFile(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, k.rotate()
	}
	if err != nil {
		return nil, fmt.Errorf("sandboxbank: keys: %w", err)
	}
	if err := json.Unmarshal(stored, &k.keys); err != nil || len(k.keys) == 0 {
		return nil, fmt.Errorf("sandboxbank: keys: %s is damaged", k.path)
	}
	k.signer, err = signerOf(k.keys[len(k.keys)-1])
	return k, err
}

func (k *keyring) rotate() error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("sandboxbank: keys: %w", err)
	}
	fresh := signingKey{Key: jose.JSONWebKey{Key: private, KeyID: "bank-" + rand.Text()[:10], Algorithm: string(jose.ES256), Use: "sig"}}
	signer, err := signerOf(fresh)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	keys := slices.Clone(k.keys)
	if last := len(keys) - 1; last >= 0 {
		// A minute more than its last token lives, for clocks that differ.
		keys[last].Publish = time.Now().Add(tokenLife + time.Minute).UTC().Truncate(time.Second)
	}
	keys = append(live(keys), fresh)
	if err := k.save(keys); err != nil {
		return err
	}
	k.keys, k.signer = keys, signer
	return nil
}

// public is the JWKS.
func (k *keyring) public() jose.JSONWebKeySet {
	k.mu.Lock()
	defer k.mu.Unlock()
	var set jose.JSONWebKeySet
	for _, key := range live(k.keys) {
		set.Keys = append(set.Keys, key.Key.Public())
	}
	return set
}

func (k *keyring) sign(claims any) (string, error) {
	k.mu.Lock()
	signer := k.signer
	k.mu.Unlock()
	return jwt.Signed(signer).Claims(claims).Serialize()
}

// save replaces the file as a whole, so that a crash leaves the old or the new.
func (k *keyring) save(keys []signingKey) error {
	if k.path == "" {
		return nil
	}
	text, err := json.Marshal(keys)
	if err != nil {
		return fmt.Errorf("sandboxbank: keys: %w", err)
	}
	fresh := k.path + ".new"
	if err := os.WriteFile(fresh, text, 0o600); err != nil {
		return fmt.Errorf("sandboxbank: keys: %w", err)
	}
	if err := os.Rename(fresh, k.path); err != nil {
		return fmt.Errorf("sandboxbank: keys: %w", err)
	}
	return nil
}

// live leaves out the keys whose time is over.
func live(keys []signingKey) []signingKey {
	now := time.Now()
	return slices.DeleteFunc(slices.Clone(keys), func(s signingKey) bool {
		return !s.Publish.IsZero() && now.After(s.Publish)
	})
}

func signerOf(k signingKey) (jose.Signer, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: k.Key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, fmt.Errorf("sandboxbank: keys: %w", err)
	}
	return signer, nil
}
