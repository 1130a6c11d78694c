package config

import (
	"bytes"
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
//   - a Redis without TLS, unless on this machine,
//   - a schema that is changed by starting a gateway,
//   - one key for codes and for what is sealed: then whoever learns one learns the other,
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
	if c.Redis.exposed() {
		key := "redis.url"
		if c.Redis.URL == "" {
			key = "redis.tls"
		}
		l.bad(key, "must speak TLS in production")
	}
	pepper, _ := decodeKey(c.Keys.Pepper)
	sealing, _ := decodeKey(c.Keys.Seal)
	if len(pepper) > 0 && bytes.Equal(pepper, sealing) {
		l.bad("keys.seal", "must not be the same as keys.pepper")
	}
}

// exposed tells whether commands leave this machine in clear.
func (r Redis) exposed() bool {
	if r.URL == "" {
		here := func(address string) bool {
			host, _, err := net.SplitHostPort(address)
			return err == nil && loopback(host)
		}
		return !r.TLS && slices.ContainsFunc(r.Addresses, func(a string) bool { return !here(a) })
	}
	u, err := url.Parse(string(r.URL))
	return err == nil && u.Scheme == "redis" && !loopback(u.Hostname())
}

// unverified is why it can't be known that a database is the one that is meant; "" when it can.
func unverified(u *url.URL) string {
	query := u.Query()
	host := u.Hostname()
	if named := query.Get("host"); named != "" {
		host = named
	}
	if strings.HasPrefix(host, "/") {
		return "" // a socket of this machine
	}
	switch query.Get("sslmode") {
	case "verify-full", "verify-ca":
		return ""
	}
	return "must have sslmode=verify-full (or verify-ca) in production"
}
