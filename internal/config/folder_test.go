package config_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/internal/config"
)

// Secrets that no error, no log and no summary may repeat. Each is in a place of its own, so that a leak says from where.
const (
	databasePassword = "canary-database-password"
	redisPassword    = "canary-redis-password"
	smsToken         = "canary-sms-token"
	pepperBytes      = "canary-pepper-of-32-bytes-or-more"
	sealBytes        = "canary-sealing-key-of-32-bytes-or"
)

// folder is a folder with every file that a configuration may name.
type folder struct {
	t   testing.TB
	dir string
}

func newFolder(t testing.TB) folder {
	t.Helper()
	f := folder{t, t.TempDir()}
	_, signing, _ := ed25519.GenerateKey(rand.Reader)
	public, err := x509.MarshalPKIXPublicKey(signing.Public())
	if err != nil {
		t.Fatal(err)
	}
	f.write("database_url", "postgres://gateway:"+databasePassword+"@db.bank.example:5432/istirdad?sslmode=verify-full\n")
	f.write("database_migrate_url", "postgres://owner:"+databasePassword+"@db.bank.example/istirdad?sslmode=verify-full\n")
	f.write("redis_url", "rediss://gateway:"+redisPassword+"@redis.bank.example/0\n")
	f.write("sms_authorization", "Bearer "+smsToken)
	f.write("pepper", string(config.EncodeKey([]byte(pepperBytes)))+"\n")
	f.write("seal_key", string(config.EncodeKey([]byte(sealBytes)))+"\n")
	f.write("profile.yaml", "sms: {sender: Istirdad}\n")
	f.write("seal_key_2025", string(config.EncodeKey([]byte("an older key of thirty-two bytes!")))+"\n")
	f.write("core_signing_key", string(config.EncodeSigningKey(signing)))
	f.write("core-1.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})))
	cert, key := certificate(t)
	for _, name := range []string{"ca", "core_client", "bank_client", "channel"} {
		f.write(name+".crt", cert)
		f.write(name+".key", key)
	}
	return f
}

func (f folder) path(name string) string { return filepath.Join(f.dir, name) }

// write writes a file that only its owner can read.
func (f folder) write(name, text string) string {
	f.t.Helper()
	if err := os.WriteFile(f.path(name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return f.path(name)
}

// production is as complete as a configuration needs to be where real money is.
const production = `environment: production
database:
  url_file: database_url
redis:
  url_file: redis_url
keys:
  pepper_file: pepper
  seal_id: k2026
  seal_file: seal_key
core:
  url: https://core.example
  key_id: bank-80
  key_file: core_signing_key
  core_key_files:
    core-1: core-1.pem
  client_cert_file: core_client.crt
  client_key_file: core_client.key
bank:
  url: https://systems.bank.example
  issuer: https://sso.bank.example
  code: "80"
  client_cert_file: bank_client.crt
  client_key_file: bank_client.key
  profile_file: profile.yaml
sms:
  url: https://sms.example/v1/messages
  authorization_file: sms_authorization
`

// changed is production with some lines replaced, as strings.NewReplacer takes them.
func changed(oldnew ...string) string {
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(production, oldnew[i]) {
			panic("production has no " + oldnew[i])
		}
	}
	return strings.NewReplacer(oldnew...).Replace(production)
}

// load loads a text as the file gateway.yaml of the folder.
func (f folder) load(text string, environ ...string) (config.Config, error) {
	f.t.Helper()
	return config.Load(f.write("gateway.yaml", text), environ)
}

// mustLoad is load for a configuration that is right.
func (f folder) mustLoad(text string, environ ...string) config.Config {
	f.t.Helper()
	c, err := f.load(text, environ...)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// certificate makes one that is its own authority.
func certificate(t testing.TB) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "gateway"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

// secretFree fails when a text repeats one of the planted secrets, or any part of a key.
func secretFree(t testing.TB, text string) {
	t.Helper()
	for _, secret := range []string{
		databasePassword, redisPassword, smsToken, pepperBytes, sealBytes,
		string(config.EncodeKey([]byte(pepperBytes))), string(config.EncodeKey([]byte(sealBytes))), "PRIVATE KEY", "canary",
	} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in:\n%s", secret, text)
		}
	}
}
