package config

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
)

// checkProduction refuses what is good enough for a test and not for people's money:
//
//   - a core, a bank, an issuer or an SMS provider spoken to without TLS,
//   - no client certificate for the core or for the bank (core-protocol.md, bank-protocol.md),
//   - a database that isn't verified (sslmode other than verify-full and verify-ca), unless by a socket of this machine,
//   - a Redis without TLS or without a password, and a collector of traces without TLS, unless on this machine,
//   - a schema that is changed by starting a gateway,
//   - one key for two purposes, codes and sealing and what was sealed before: then whoever learns one learns the other,
//   - keys that everybody knows: nothing but zeros, and the published one with which stand-ins sign,
//   - a secret's file that everybody on the machine can read (exposed).
//
// The clients refuse the answers of stand-ins on top of that (RefuseSandbox), and serve asks once before it starts.
func (l *loader) checkProduction() {
	c := l.config
	for _, neighbour := range []struct{ key, url string }{
		{"core.url", c.Core.URL}, {"bank.url", c.Bank.URL}, {"bank.issuer", c.Bank.Issuer}, {"sms.url", c.SMS.URL},
	} {
		if u, err := url.Parse(neighbour.url); err == nil && u.Scheme == "http" {
			l.bad(neighbour.key, "must be https in production")
		}
	}
	if u, err := url.Parse(c.Telemetry.TracesURL); err == nil && u.Scheme == "http" && !loopback(u.Hostname()) {
		l.bad("telemetry.traces_url", "must be https in production")
	}
	for _, shown := range []struct{ key, file string }{
		{"core.client_cert_file", c.Core.ClientCertFile}, {"bank.client_cert_file", c.Bank.ClientCertFile},
	} {
		if shown.file == "" {
			l.bad(shown.key, "it is required in production")
		}
	}
	if c.Database.MigrateOnStart {
		l.bad("database.migrate_on_start", `must be false in production: run "gateway migrate"`)
	}
	if c.Redis.remote() {
		l.checkRemoteRedis()
	}
	l.checkOwnKeys()
	l.checkPublishedKey()
}

// remote tells whether commands leave this machine.
func (r Redis) remote() bool {
	if r.URL != "" {
		u, err := url.Parse(string(r.URL))
		return err == nil && u.Scheme != "unix" && !loopback(u.Hostname())
	}
	return slices.ContainsFunc(r.Addresses, func(address string) bool {
		host, _, err := net.SplitHostPort(address)
		return err != nil || !loopback(host)
	})
}

func (l *loader) checkRemoteRedis() {
	r := l.config.Redis
	tlsKey, passwordKey, password := "redis.tls", "redis.password", string(r.Password)
	if u, err := url.Parse(string(r.URL)); err == nil && r.URL != "" {
		tlsKey, passwordKey = "redis.url", "redis.url"
		password, _ = u.User.Password()
	}
	if !r.overTLS() {
		l.bad(tlsKey, "must speak TLS in production")
	}
	if password == "" {
		l.bad(passwordKey, "must have a password in production")
	}
}

// checkOwnKeys compares the keys that must be secret, and that nobody can tell apart by looking at them.
func (l *loader) checkOwnKeys() {
	type named struct {
		key, name string // where it was said, and what to call it there
		bytes     []byte
	}
	pepper, _ := decodeKey(l.config.Keys.Pepper)
	sealing, _ := decodeKey(l.config.Keys.Seal)
	keys := []named{{"keys.pepper", "", pepper}, {"keys.seal", "", sealing}}
	retired, _ := l.config.retiredKeys()
	for _, id := range slices.Sorted(maps.Keys(retired)) {
		keys = append(keys, named{"keys.seal_retired_files", "the key " + name(id) + " ", retired[id]})
	}
	for i, k := range keys {
		if len(k.bytes) == 0 {
			continue // told already
		}
		if len(bytes.Trim(k.bytes, "\x00")) == 0 {
			l.bad(k.key, "%smust be random bytes, and not zeros", k.name)
		}
		for _, other := range keys[:i] {
			if bytes.Equal(k.bytes, other.bytes) {
				l.bad(k.key, "%smust not be the same as %s", k.name, strings.TrimSpace(cmp.Or(other.name, other.key)))
			}
		}
	}
}

// publishedKey is the public half of test-key-ed25519 of RFC 9421, appendix B.1.4. The private half is printed there.
const publishedKey = "JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs="

func (l *loader) checkPublishedKey() {
	const why = "%smust not be the key that RFC 9421 prints: everybody can sign with it"
	c := l.config.Core
	if key, err := signingKey(c.Key); err == nil && EncodePublicKey(key.Public().(ed25519.PublicKey)) == publishedKey {
		l.bad("core.key", why, "")
	}
	keys, _ := l.config.files.publicKeys(c.CoreKeys, c.CoreKeyFiles)
	for _, id := range slices.Sorted(maps.Keys(keys)) {
		if EncodePublicKey(keys[id]) != publishedKey {
			continue
		}
		key := "core.core_keys"
		if _, found := c.CoreKeyFiles[id]; found {
			key = "core.core_key_files"
		}
		l.bad(key, why, "the key "+name(id)+" ")
	}
}

// unverified is why it can't be known that a database is the one that is meant; "" when it can. pgx tries several hosts
// in turn, of which one that is elsewhere is enough, and of a parameter that is given twice it takes the last.
func unverified(u *url.URL) string {
	query := u.Query()
	hosts := []string{u.Host}
	if query.Has("host") {
		hosts = query["host"] // beats what stands in front of the path
	}
	elsewhere := func(host string) bool { return !strings.HasPrefix(host, "/") } // a folder is a socket's
	modes := query["sslmode"]
	switch {
	case !slices.ContainsFunc(strings.Split(strings.Join(hosts, ","), ","), elsewhere):
		return ""
	case len(modes) != 1 || modes[0] != "verify-full" && modes[0] != "verify-ca":
		return "must have sslmode=verify-full (or verify-ca) in production"
	case query.Has("ssl"):
		return "must not have ssl beside sslmode: one would undo the other"
	}
	return ""
}
