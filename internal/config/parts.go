package config

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"

	"github.com/istirdad/istirdad/bank/corebanking"
	"github.com/istirdad/istirdad/bank/identity"
	"github.com/istirdad/istirdad/gateway/postgres"
	"github.com/istirdad/istirdad/gateway/refundcore"
	"github.com/istirdad/istirdad/internal/program"
	"github.com/istirdad/istirdad/internal/seal"
	"github.com/istirdad/istirdad/internal/telemetry"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/redisstore"
	"github.com/istirdad/istirdad/otp/sms/httpsms"
)

// Program is what the gateway is made of, its stores and its telemetry aside. The files
// of certificates and of the core's keys are those that Load has read.
func (c Config) Program(log *slog.Logger) (program.Config, error) {
	pepper, pepperErr := decodeKey(c.Keys.Pepper)
	key, keyErr := signingKey(c.Core.Key)
	coreKeys, coreKeysErr := c.files.publicKeys(c.Core.CoreKeys, c.Core.CoreKeyFiles)
	coreTLS, coreErr := c.neighbour(c.Core.CAFile, c.Core.ClientCertFile, c.Core.ClientKeyFile)
	bankTLS, bankErr := c.neighbour(c.Bank.CAFile, c.Bank.ClientCertFile, c.Bank.ClientKeyFile)
	smsTLS, smsErr := c.neighbour(c.SMS.CAFile, "", "")
	profile, profileErr := c.profile(log)
	if err := errors.Join(
		about("keys.pepper", pepperErr), about("core.key", keyErr), about("core.core_keys", coreKeysErr),
		about("core", coreErr), about("bank", bankErr), about("sms", smsErr),
		about("bank.profile_file", profileErr),
	); err != nil {
		return program.Config{}, err
	}
	production := c.Environment == Production
	return program.Config{
		Profile:   profile,
		Pepper:    pepper,
		Policy:    otp.DefaultPolicy(),
		Reference: c.Listen.Reference,
		Identity: identity.Config{
			Issuer: c.Bank.Issuer, Timeout: c.Bank.Timeout, TLS: bankTLS, RefuseSandbox: production,
		},
		CoreBanking: corebanking.Config{
			URL: c.Bank.URL, Timeout: c.Bank.Timeout, TLS: bankTLS, RefuseSandbox: production,
		},
		Core: refundcore.Config{
			BaseURL: c.Core.URL, KeyID: c.Core.KeyID, Key: key, CoreKeys: coreKeys,
			CallbackAuthority: c.Core.CallbackAuthority,
			SubmitTimeout:     c.Core.SubmitTimeout, StatusTimeout: c.Core.StatusTimeout,
			InquiryTimeout: c.Core.InquiryTimeout,
			TLS:            coreTLS, RefuseSandbox: production, Log: log,
		},
		SMS: httpsms.Config{
			URL: c.SMS.URL, Authorization: string(c.SMS.Authorization), Timeout: c.SMS.Timeout,
			TLS: smsTLS, RefuseSandbox: production,
		},
		Streams: min(max(c.Listen.Connections/4, 1), streamsMax),
		Log:     log,
	}, nil
}

// streamsMax bounds the streams of a gateway that may have very many connections: one statement asks for all of them, and
// has two seconds.
const streamsMax = 10_000

// profile begins with what Load has found good.
func (c Config) profile(log *slog.Logger) (*InForce, error) {
	read, err := c.files.read(c.Bank.ProfileFile)
	if err != nil {
		return nil, err
	}
	return openProfile(c.Bank.ProfileFile, read.text, c.Bank.Code, log)
}

// neighbour is how TLS is spoken to somebody; nil when nothing is said about it.
func (c Config) neighbour(caFile, certFile, keyFile string) (*tls.Config, error) {
	if caFile == "" && certFile == "" {
		return nil, nil
	}
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pool, err := c.files.roots(caFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		secure.RootCAs = pool
	}
	if certFile != "" {
		pair, certErr, keyErr := c.files.certificate(certFile, keyFile, c.Environment)
		if err := errors.Join(about("client_cert_file", certErr), about("client_key_file", keyErr)); err != nil {
			return nil, err
		}
		secure.Certificates = []tls.Certificate{pair}
	}
	return secure, nil
}

// ChannelTLS is what the channel listener speaks; nil without a certificate of its own.
func (c Config) ChannelTLS() (*tls.Config, error) {
	if c.Listen.CertFile == "" {
		return nil, nil // somebody in front of it speaks TLS
	}
	pair, certErr, keyErr := c.files.certificate(c.Listen.CertFile, c.Listen.KeyFile, c.Environment)
	if err := errors.Join(about("listen.cert_file", certErr), about("listen.key_file", keyErr)); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"},
	}, nil
}

// Sealer seals what is stored under the key of today, and opens what was sealed under the retired ones.
func (c Config) Sealer() (*seal.Sealer, error) {
	current, err := decodeKey(c.Keys.Seal)
	if err != nil {
		return nil, about("keys.seal", err)
	}
	former, err := c.retiredKeys()
	if err != nil {
		return nil, err
	}
	var retired []seal.Option
	for _, id := range slices.Sorted(maps.Keys(former)) {
		retired = append(retired, seal.WithRetired(id, former[id]))
	}
	return seal.New(c.Keys.SealID, current, retired...)
}

// retiredKeys are the keys under which was sealed before today's, by their ids.
func (c Config) retiredKeys() (map[string][]byte, error) {
	keys := map[string][]byte{}
	for _, id := range slices.Sorted(maps.Keys(c.Keys.SealRetiredFiles)) {
		text, err := c.files.secret(c.Keys.SealRetiredFiles[id], c.Environment)
		if err != nil {
			return nil, fmt.Errorf("a retired key: %w", err)
		}
		if keys[id], err = decodeKey(text); err != nil {
			return nil, fmt.Errorf("a retired key: %w", err)
		}
	}
	return keys, nil
}

// RedisOptions say where Redis is.
func (c Config) RedisOptions() (redisstore.Options, error) {
	r := c.Redis
	o := redisstore.Options{
		URL: string(r.URL), Addrs: r.Addresses, Cluster: r.Cluster, MasterName: r.MasterName,
		Username: r.Username, Password: string(r.Password),
		SentinelUsername: r.SentinelUsername, SentinelPassword: string(r.SentinelPassword),
		PoolSize: r.Pool, CommandTimeout: r.CommandTimeout,
	}
	var err error
	if o.TLS, err = c.neighbour(r.CAFile, "", ""); err != nil {
		return redisstore.Options{}, about("redis", err)
	}
	if r.TLS && o.TLS == nil {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return o, nil
}

// PostgresOptions say how the database is used.
func (c Config) PostgresOptions(log *slog.Logger) postgres.Options {
	return postgres.Options{
		Pool: c.Database.Pool, ClaimPool: c.Database.DispatchPool, RequireRestricted: c.Environment == Production, Log: log,
	}
}

// OwnerURL is the database as its owner; as everybody, where nobody else was named.
func (d Database) OwnerURL() Secret { return cmp.Or(d.MigrateURL, d.URL) }

// TelemetryConfig says who tells, and where traces go.
func (c Config) TelemetryConfig(version string) telemetry.Config {
	instance := c.Telemetry.Instance
	if instance == "" {
		instance, _ = os.Hostname() // a machine without a name is told apart by its address
	}
	return telemetry.Config{
		Version: version, Instance: instance, TracesURL: c.Telemetry.TracesURL, TraceRatio: c.Telemetry.TraceRatio,
	}
}

// about names the key that an error is about.
func about(key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", key, err)
}
