package config

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
)

// fileMax bounds the configuration and every file that it names, in bytes.
const fileMax = 256 << 10

// files are those that a configuration names. Each is read once, so that what [Load] has found good is what the gateway
// works with, whatever becomes of the file in between. Nil, as of a configuration that nobody loaded, keeps nothing.
type files struct {
	mu   sync.Mutex
	kept map[string]file // by path
}

type file struct {
	text []byte
	mode fs.FileMode
}

func (f *files) read(path string) (file, error) {
	if f == nil {
		return readFile(path)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if kept, found := f.kept[path]; found {
		return kept, nil
	}
	read, err := readFile(path)
	if err == nil {
		f.kept[path] = read
	}
	return read, err
}

// readFile reads a file that somebody wrote down. Its errors don't repeat the path: it may be the secret itself, put
// under the wrong key.
func readFile(path string) (file, error) {
	info, err := os.Stat(path)
	if err != nil {
		return file{}, unreadable(err)
	}
	switch {
	case !info.Mode().IsRegular():
		return file{}, errors.New("the path doesn't lead to a file")
	case info.Size() > fileMax:
		return file{}, fmt.Errorf("the file has more than %d KiB", fileMax>>10)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return file{}, unreadable(err)
	}
	return file{text, info.Mode().Perm()}, nil
}

func unreadable(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return fmt.Errorf("the file can't be read: %w", number)
	}
	return errors.New("the file can't be read")
}

// exposed is why a file can't be trusted with a secret, "" when it can.
func (f file) exposed(e Environment) string {
	switch {
	case os.PathSeparator == '\\': // Windows says the same mode of every file
		return ""
	case f.mode&0o022 != 0:
		return fmt.Sprintf("can be written by others than its owner (mode %04o; 0600 or 0400 is right)", f.mode)
	case e == Production && f.mode&0o004 != 0:
		return fmt.Sprintf("can be read by everybody (mode %04o; in production 0600, 0400 or 0440 is right)", f.mode)
	}
	return ""
}

// secret reads the file of a secret, which may end in one newline that isn't part of it.
func (f *files) secret(path string, e Environment) (Secret, error) {
	read, err := f.read(path)
	if err != nil {
		return "", err
	}
	if why := read.exposed(e); why != "" {
		return "", fmt.Errorf("the file %s", why)
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(read.text), "\n"), "\r")
	if secret == "" {
		return "", errors.New("the file is empty")
	}
	return Secret(secret), nil
}

func (f *files) publicKey(path string) (ed25519.PublicKey, error) {
	read, err := f.read(path)
	if err != nil {
		return nil, err
	}
	wrong := errors.New("the file must hold an Ed25519 public key in PEM")
	block, _ := pem.Decode(read.text)
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
func (f *files) certificate(certPath, keyPath string, e Environment) (pair tls.Certificate, certErr, keyErr error) {
	cert, certErr := f.read(certPath)
	key, keyErr := f.secret(keyPath, e)
	if certErr != nil || keyErr != nil {
		return tls.Certificate{}, certErr, keyErr
	}
	if block, _ := pem.Decode(cert.text); block == nil || block.Type != "CERTIFICATE" {
		return tls.Certificate{}, errors.New("the file must hold a certificate in PEM"), nil
	}
	pair, err := tls.X509KeyPair(cert.text, []byte(key))
	if err != nil {
		return tls.Certificate{}, nil, errors.New("the file must hold the private key of the certificate, in PEM")
	}
	return pair, nil, nil
}

// roots reads the authorities that are trusted instead of the system's.
func (f *files) roots(path string) (*x509.CertPool, error) {
	read, err := f.read(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(read.text) {
		return nil, errors.New("the file must hold certificates in PEM")
	}
	return pool, nil
}
