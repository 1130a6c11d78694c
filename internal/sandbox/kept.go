package sandbox

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/istirdad/istirdad/internal/seal"
)

// keptSecret is a secret of this sandbox, made the first time.
func keptSecret(path string) ([]byte, error) {
	return kept(path, func() ([]byte, error) {
		secret := make([]byte, seal.MasterLen)
		_, err := rand.Read(secret)
		return secret, err
	})
}

// keptBeginning is when this sandbox was first started, from which the dates of its payments count.
func keptBeginning(dir string) (time.Time, error) {
	text, err := kept(filepath.Join(dir, "beginning"), func() ([]byte, error) {
		return []byte(time.Now().UTC().Format(time.RFC3339)), nil
	})
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, string(text))
}

// kept reads a file, which it makes the first time.
func kept(path string, content func() ([]byte, error)) ([]byte, error) {
	found, err := os.ReadFile(path)
	if !errors.Is(err, os.ErrNotExist) {
		return found, err
	}
	made, err := content()
	if err != nil {
		return nil, err
	}
	return made, writeWhole(path, made)
}

// writeWhole writes a file that only its owner reads, whole or not at all.
func writeWhole(path string, content []byte) error {
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
