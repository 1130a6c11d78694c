package config

import (
	"cmp"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/istirdad/istirdad/internal/seal"
)

// check refuses what could not be served: everything that is missing, contradicts itself or is out of its range.
func (l *loader) check() {
	l.checkEnvironment()
	l.checkListen()
	l.checkDatabase()
	l.checkRedis()
	l.checkKeys()
	l.checkCore()
	l.checkBank()
	l.checkSMS()
	l.checkTelemetry()
	l.checkShutdown()
	if l.config.Environment == Production {
		l.checkProduction()
	}
}

// need refuses a text that is missing, and reports whether it is there.
func (r *reading) need(key, text string) bool {
	if text == "" {
		r.bad(key, "it is required")
	}
	return text != ""
}

// within refuses what is out of its range.
func within[T cmp.Ordered](r refuser, key string, value, least, most T) {
	if value < least || value > most {
		r.bad(key, "must be from %v to %v", least, most)
	}
}

type refuser interface {
	bad(key, why string, args ...any)
}

func (l *loader) checkEnvironment() {
	switch l.config.Environment {
	case Production, Staging, Sandbox:
	case "":
		l.bad("environment", "it is required: production, staging or sandbox")
	default:
		l.bad("environment", "must be production, staging or sandbox")
	}
}

func (l *loader) checkListen() {
	c := l.config.Listen
	l.checkAddress("listen.channel", c.Channel)
	l.checkAddress("listen.ops", c.Ops)
	if _, port, _ := net.SplitHostPort(c.Ops); c.Ops == c.Channel && port != "0" {
		l.bad("listen.ops", "must not be the address of listen.channel: operators are never served there")
	}
	within(l, "listen.connections", c.Connections, 1, 1_000_000)
	l.checkPair("listen.cert_file", c.CertFile, "listen.key_file", c.KeyFile)
}

func (l *loader) checkAddress(key, address string) {
	if why := addressFault(address); why != "" {
		l.bad(key, "%s", why)
	}
}

// addressFault is why text is no address to listen on or to call; "" when it is one.
func addressFault(text string) string {
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return "must be host and port, such as 127.0.0.1:8080"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return "must end in a port from 0 to 65535"
	}
	return ""
}

// checkPair refuses half a certificate, and one that can't be used.
func (l *loader) checkPair(certKey, cert, keyKey, key string) {
	switch {
	case cert == "" && key == "":
	case key == "":
		l.bad(keyKey, "it is required with %s", certKey)
	case cert == "":
		l.bad(certKey, "it is required with %s", keyKey)
	default:
		_, certErr, keyErr := l.config.files.certificate(cert, key, l.config.Environment)
		if certErr != nil {
			l.bad(certKey, "%v", certErr)
		}
		if keyErr != nil {
			l.bad(keyKey, "%v", keyErr)
		}
	}
}

func (l *loader) checkRoots(key, file string) {
	if file == "" {
		return
	}
	if _, err := l.config.files.roots(file); err != nil {
		l.bad(key, "%v", err)
	}
}

// roleName is a name that PostgreSQL takes without quotes.
var roleName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

func (l *loader) checkDatabase() {
	c := l.config.Database
	l.checkPostgresURL("database.url", c.URL, true)
	l.checkMigration()
	within(l, "database.pool", c.Pool, 1, 1000)
	within(l, "database.dispatch_pool", c.DispatchPool, 1, 1000)
}

// checkMigration checks what is said about the database's owner.
func (l *loader) checkMigration() {
	c := l.config.Database
	l.checkPostgresURL("database.migrate_url", c.MigrateURL, false)
	if !l.knowsOwner() { // then url is the owner's
		l.checkPostgresURL("database.url", c.URL, true)
	}
	if c.Role != "" && !roleName.MatchString(c.Role) {
		l.bad("database.role", "must be a role's name: small letters, digits and '_'")
	}
}

func (l *loader) checkPostgresURL(key string, secret Secret, required bool) {
	if secret == "" {
		if required {
			l.bad(key, "it is required, here or by %s", partner(key))
		}
		return
	}
	u, err := url.Parse(string(secret))
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Path == "" && u.Host == "" {
		l.bad(key, "must be a URL: postgres://user:password@host:5432/name (what is special in a password is written %%40 and so on)")
		return
	}
	if l.config.Environment == Production {
		if why := unverified(u); why != "" {
			l.bad(key, "%s", why)
		}
	}
}

func (l *loader) checkRedis() {
	c := l.config.Redis
	switch {
	case c.URL == "" && len(c.Addresses) == 0:
		l.bad("redis.url", "it is required, here or by redis.url_file, unless there are redis.addresses")
	case c.URL != "" && len(c.Addresses) > 0:
		l.bad("redis.addresses", "must not be given together with redis.url")
	case c.URL != "" && (c.Cluster || c.TLS || c.MasterName != "" || c.Username != "" || c.Password != "" ||
		c.SentinelUsername != "" || c.SentinelPassword != ""):
		l.bad("redis.url", "it says everything about a single server: cluster, tls, names and passwords go with redis.addresses")
	case c.URL != "":
		if why := redisURLFault(c.URL); why != "" {
			l.bad("redis.url", "%s", why)
		}
	case c.Cluster && c.MasterName != "":
		l.bad("redis.cluster", "must not be given together with redis.master_name: a cluster has no Sentinels")
	}
	for _, address := range c.Addresses {
		l.checkAddress("redis.addresses", address)
	}
	if c.CAFile != "" && !c.overTLS() && !l.failed["redis.url"] {
		l.bad("redis.ca_file", "goes with TLS: with a redis.url that begins with rediss://, or with redis.tls")
	}
	l.checkRoots("redis.ca_file", c.CAFile)
	within(l, "redis.pool", c.Pool, 1, 1000)
	within(l, "redis.command_timeout", c.CommandTimeout, 10*time.Millisecond, 5*time.Second)
}

// overTLS tells whether TLS is spoken to Redis.
func (r Redis) overTLS() bool {
	if r.URL == "" {
		return r.TLS
	}
	u, err := url.Parse(string(r.URL))
	return err == nil && u.Scheme == "rediss"
}

func (l *loader) checkKeys() {
	c := l.config.Keys
	l.checkKey("keys.pepper", c.Pepper)
	l.checkKey("keys.seal", c.Seal)
	if !l.need("keys.seal_id", c.SealID) || l.failed["keys.seal"] {
		return
	}
	current, _ := decodeKey(c.Seal)
	if _, err := seal.New(c.SealID, current); err != nil {
		l.bad("keys.seal_id", "must be 1 to 32 letters, digits, '.', '_' or '-'")
		return
	}
	if _, err := l.config.Sealer(); err != nil {
		l.bad("keys.seal_retired_files", "%v", err)
	}
}

func (l *loader) checkKey(key string, secret Secret) {
	if secret == "" {
		l.bad(key, "it is required, here or by %s", partner(key))
	} else if _, err := decodeKey(secret); err != nil {
		l.bad(key, "%v", err)
	}
}

func (l *loader) checkCore() {
	c := l.config.Core
	if l.need("core.url", c.URL) {
		l.checkURL("core.url", c.URL, hostAlone)
	}
	if l.need("core.key_id", c.KeyID) && !plainID.MatchString(c.KeyID) {
		l.bad("core.key_id", "must be 1 to 128 visible ASCII characters without quotes and backslashes")
	}
	if c.Key == "" {
		l.bad("core.key", "it is required, here or by core.key_file")
	} else if _, err := signingKey(c.Key); err != nil {
		l.bad("core.key", "%v", err)
	}
	if len(c.CoreKeys)+len(c.CoreKeyFiles) == 0 && !l.failed["core.core_key_files"] {
		l.bad("core.core_keys", "at least one is required, here or by core.core_key_files: no answer could be believed")
	}
	if _, err := l.config.files.publicKeys(c.CoreKeys, nil); err != nil {
		l.bad("core.core_keys", "%v", err)
	} else if _, err := l.config.files.publicKeys(c.CoreKeys, c.CoreKeyFiles); err != nil {
		l.bad("core.core_key_files", "%v", err)
	}
	if c.CallbackAuthority != "" && !authority.MatchString(c.CallbackAuthority) {
		l.bad("core.callback_authority", "must be a host, with its port where it isn't the usual one")
	}
	within(l, "core.submit_timeout", c.SubmitTimeout, timeoutLeast, timeoutMost)
	within(l, "core.status_timeout", c.StatusTimeout, timeoutLeast, timeoutMost)
	within(l, "core.inquiry_timeout", c.InquiryTimeout, timeoutLeast, timeoutMost)
	l.checkRoots("core.ca_file", c.CAFile)
	l.checkPair("core.client_cert_file", c.ClientCertFile, "core.client_key_file", c.ClientKeyFile)
}

// A call's deadline. Shorter ones fail by themselves. A dispatcher that is told to stop lets a call finish for 10 s, and
// a lease is 30 s, of which the records of an attempt take their part: longer ones would be cut off, and doubted.
const (
	timeoutLeast = 100 * time.Millisecond
	timeoutMost  = 10 * time.Second
)

var (
	// plainID is what a signature's header can name.
	plainID   = regexp.MustCompile(`^[!#-\[\]-~]{1,128}$`)
	authority = regexp.MustCompile(`^[A-Za-z0-9.\-]+(:[0-9]{1,5})?$|^\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?$`)
	twoDigits = regexp.MustCompile(`^[0-9]{2}$`)
)

func (l *loader) checkBank() {
	c := l.config.Bank
	if l.need("bank.url", c.URL) {
		l.checkURL("bank.url", c.URL, hostAndPath)
	}
	if l.need("bank.issuer", c.Issuer) {
		l.checkURL("bank.issuer", c.Issuer, hostAndPath)
	}
	if l.need("bank.code", c.Code) && !twoDigits.MatchString(c.Code) {
		l.bad("bank.code", "must be two digits in quotes")
	}
	if l.need("bank.profile_file", c.ProfileFile) {
		l.checkProfile()
	}
	within(l, "bank.timeout", c.Timeout, timeoutLeast, timeoutMost)
	l.checkRoots("bank.ca_file", c.CAFile)
	l.checkPair("bank.client_cert_file", c.ClientCertFile, "bank.client_key_file", c.ClientKeyFile)
}

// checkProfile reads the profile too: what is wrong with it is told together with everything else.
func (l *loader) checkProfile() {
	read, err := l.config.files.read(l.config.Bank.ProfileFile)
	if err != nil {
		l.bad("bank.profile_file", "%v", err)
		return
	}
	if _, err := parseProfile(l.config.Bank.ProfileFile, read.text); err != nil {
		l.failed["bank.profile_file"] = true
		l.problems = append(l.problems, err)
	}
}

func (l *loader) checkSMS() {
	c := l.config.SMS
	if l.need("sms.url", c.URL) {
		l.checkURL("sms.url", c.URL, hostAndPath)
	}
	if strings.ContainsFunc(string(c.Authorization), func(r rune) bool { return r < ' ' || r == 0x7f }) {
		l.bad("sms.authorization", "must be one line")
	}
	within(l, "sms.timeout", c.Timeout, 100*time.Millisecond, 10*time.Second)
	l.checkRoots("sms.ca_file", c.CAFile)
}

func (l *loader) checkTelemetry() {
	c := l.config.Telemetry
	if c.TracesURL != "" {
		l.checkURL("telemetry.traces_url", c.TracesURL, hostAndPath)
	}
	if !(c.TraceRatio >= 0 && c.TraceRatio <= 1) { // so written, it refuses NaN too
		l.bad("telemetry.trace_ratio", "must be from 0 to 1")
	}
}

func (l *loader) checkShutdown() {
	within(l, "shutdown", l.config.Shutdown, time.Second, 10*time.Minute)
	if lead := l.config.ShutdownLead; lead < 0 || lead > l.config.Shutdown/2 {
		l.bad("shutdown_lead", "must be from 0s to half of shutdown")
	}
}

// How much of a URL a neighbour's address may have.
type urlForm int

const (
	hostAlone urlForm = iota
	hostAndPath
)

func (l *loader) checkURL(key, text string, f urlForm) {
	if err := f.check(text); err != nil {
		l.bad(key, "%v", err)
	}
}

func (f urlForm) check(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("must be a URL") // the error would quote it
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return errors.New("must be a URL with http or https and a host")
	case u.User != nil, u.Fragment != "":
		return errors.New("must not have a user, a password or a #fragment in it")
	case u.RawQuery != "", u.ForceQuery: // a key may be in it, and an address is printed
		return errors.New("must not have a ?query")
	case f == hostAlone && u.Path != "" && u.Path != "/":
		return errors.New("must be scheme, host and port alone")
	}
	return nil
}

// loopback tells whether a host is this machine.
func loopback(host string) bool {
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && address.IsLoopback()
}
