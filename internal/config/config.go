package config

import (
	"log/slog"
	"time"
)

// Config is everything that can be said to a gateway.
type Config struct {
	// Environment is production, staging or sandbox. Required.
	//
	// In production the gateway speaks to no stand-in, and to nobody without TLS; internal/config/production.go lists what
	// else it refuses. staging and sandbox refuse what is half configured, and nothing more.
	Environment Environment `yaml:"environment" env:"ENVIRONMENT"`

	// Listen is where the gateway is reached.
	Listen Listen `yaml:"listen" envPrefix:"LISTEN_"`
	// Database is the durable store, PostgreSQL 15 or newer: whatever must survive anything.
	Database Database `yaml:"database" envPrefix:"DATABASE_"`
	// Redis holds what may vanish: codes, proofs, previews. Give it a server of its own, with maxmemory-policy noeviction.
	// Either url, or addresses with the keys after it.
	Redis Redis `yaml:"redis" envPrefix:"REDIS_"`
	// Keys are the gateway's own, the same at every gateway of a bank.
	Keys Keys `yaml:"keys" envPrefix:"KEYS_"`
	// Core is the government refund core.
	Core Core `yaml:"core" envPrefix:"CORE_"`
	// Bank is the bank's own systems.
	Bank Bank `yaml:"bank" envPrefix:"BANK_"`
	// SMS is the provider that delivers text messages.
	SMS SMS `yaml:"sms" envPrefix:"SMS_"`
	// Telemetry is where traces go. Metrics are at /metrics of the ops listener, logs on standard output.
	Telemetry Telemetry `yaml:"telemetry" envPrefix:"TELEMETRY_"`
	// Log is how much is told.
	Log Log `yaml:"log" envPrefix:"LOG_"`

	// Shutdown is how long a stop may take, all in all; what hasn't ended by then is cut off. Keep it below the patience
	// of whoever stops the gateway (Kubernetes: 30 s). Default 20s, from 1s to 10m.
	Shutdown time.Duration `yaml:"shutdown" env:"SHUTDOWN"`
	// ShutdownLead is how long /readyz says 503 before the listeners close, so that load balancers look elsewhere first.
	// It lies inside shutdown, of which it may take half. Default 1s, from 0s.
	ShutdownLead time.Duration `yaml:"shutdown_lead" env:"SHUTDOWN_LEAD"`

	files *files // that Load has read
}

// Environment says how much is at stake.
type Environment string

// The environments.
const (
	Production Environment = "production"
	Staging    Environment = "staging"
	Sandbox    Environment = "sandbox"
)

// Listen is where the gateway is reached.
type Listen struct {
	// Channel is host and port of the channel API, and of the core's callbacks. Default 127.0.0.1:8080.
	Channel string `yaml:"channel" env:"CHANNEL"`
	// Ops is host and port of the private listener: health, readiness, metrics, operators. Never the channel's, and never
	// to be reached from outside: it has no TLS of its own, and probes and scrapers need no token.
	// Default 127.0.0.1:9090.
	Ops string `yaml:"ops" env:"OPS"`
	// Connections is how many the channel listener holds at once; more wait to be accepted. A third of the process's limit
	// of open files is a good number. A quarter of them, but no more than 10000, may be customers who follow a refund as it
	// moves on. Default 4096, from 1 to 1000000.
	Connections int `yaml:"connections" env:"CONNECTIONS"`
	// Reference serves the contract on the channel listener to whoever can reach it: /openapi.yaml for programs, /reference
	// for people. Neither needs a token; both say what any bank's gateway says, and nothing of a customer. Default true.
	Reference bool `yaml:"reference" env:"REFERENCE"`
	// CertFile and the key file hold the channel listener's own certificate (PEM), where nobody in front of it ends TLS.
	// Both or neither. Optional.
	CertFile string `yaml:"cert_file" env:"CERT_FILE"`
	// KeyFile is the certificate's private key (PEM); a secret's file. Optional.
	KeyFile string `yaml:"key_file" env:"KEY_FILE"`
}

// Database is the durable store.
type Database struct {
	// URL is where it is and as whom: postgres://user:password@host:5432/name?sslmode=verify-full&sslrootcert=/path. Several
	// hosts may be named, with target_session_attrs=read-write. In production the role may neither change tables nor delete
	// rows. A secret. Required.
	URL Secret `yaml:"url" env:"URL"`
	// URLFile holds url.
	URLFile string `yaml:"url_file" env:"URL_FILE"`
	// MigrateURL is the same database as its owner, for "gateway migrate" and migrate_on_start; serve needs none. Default:
	// url. A secret. Optional.
	MigrateURL Secret `yaml:"migrate_url" env:"MIGRATE_URL"`
	// MigrateURLFile holds migrate_url.
	MigrateURLFile string `yaml:"migrate_url_file" env:"MIGRATE_URL_FILE"`
	// Role is the role of url, to which "gateway migrate" grants what serving needs. Optional: without it nothing is
	// granted.
	Role string `yaml:"role" env:"ROLE"`
	// Pool is how many connections serve requests. Default 16, from 1 to 1000.
	Pool int `yaml:"pool" env:"POOL"`
	// DispatchPool is how many more are the dispatcher's own, so that a crowd can't keep refunds from being carried.
	// Default 8, from 1 to 1000.
	DispatchPool int `yaml:"dispatch_pool" env:"DISPATCH_POOL"`
	// MigrateOnStart brings the schema up to date whenever serve starts. Not in production, where a schema is changed on
	// purpose. Default false.
	MigrateOnStart bool `yaml:"migrate_on_start" env:"MIGRATE_ON_START"`
}

// Redis holds what may vanish.
type Redis struct {
	// URL of a single server: redis://user:password@host:6379/0, rediss:// with TLS, or unix:///path. In production another
	// machine's has TLS and a password, and so have addresses. A secret. Required, unless there are addresses.
	URL Secret `yaml:"url" env:"URL"`
	// URLFile holds url.
	URLFile string `yaml:"url_file" env:"URL_FILE"`
	// Addresses are host and port of the nodes of a cluster, or with master_name of the Sentinels. Optional.
	Addresses []string `yaml:"addresses" env:"ADDRESSES"`
	// Cluster says that addresses holds the one configuration endpoint of a cluster. Default false.
	Cluster bool `yaml:"cluster" env:"CLUSTER"`
	// MasterName is what the Sentinels call the master. Optional.
	MasterName string `yaml:"master_name" env:"MASTER_NAME"`
	// Username and password are those of the servers at addresses. Optional.
	Username string `yaml:"username" env:"USERNAME"`
	// Password belongs to username. A secret. Optional.
	Password Secret `yaml:"password" env:"PASSWORD"`
	// PasswordFile holds password.
	PasswordFile string `yaml:"password_file" env:"PASSWORD_FILE"`
	// SentinelUsername and its password are for the Sentinels themselves. Optional.
	SentinelUsername string `yaml:"sentinel_username" env:"SENTINEL_USERNAME"`
	// SentinelPassword belongs to sentinel_username. A secret. Optional.
	SentinelPassword Secret `yaml:"sentinel_password" env:"SENTINEL_PASSWORD"`
	// SentinelPasswordFile holds sentinel_password.
	SentinelPasswordFile string `yaml:"sentinel_password_file" env:"SENTINEL_PASSWORD_FILE"`
	// TLS is spoken to the servers at addresses; a url says it by its scheme. Default false.
	TLS bool `yaml:"tls" env:"TLS"`
	// CAFile holds the authorities (PEM) that are trusted instead of the system's; only with TLS. Optional.
	CAFile string `yaml:"ca_file" env:"CA_FILE"`
	// Pool is how many connections go to each server. Default 32, from 1 to 1000.
	Pool int `yaml:"pool" env:"POOL"`
	// CommandTimeout bounds the write of a command, the wait for its answer, and the wait for a free connection, each.
	// Whoever is slower than that is treated as down. Default 200ms, from 10ms to 5s.
	CommandTimeout time.Duration `yaml:"command_timeout" env:"COMMAND_TIMEOUT"`
}

// Keys are the gateway's own.
type Keys struct {
	// Pepper is the key of one-time codes: base64 of at least 32 random bytes (openssl rand -base64 32). When it changes,
	// codes under way die, and nothing else. A secret. Required.
	Pepper Secret `yaml:"pepper" env:"PEPPER"`
	// PepperFile holds pepper.
	PepperFile string `yaml:"pepper_file" env:"PEPPER_FILE"`
	// SealID is the name of the key seal, which stands in front of every value that was sealed under it: 1 to 32 letters,
	// digits, '.', '_' or '-'. Required.
	SealID string `yaml:"seal_id" env:"SEAL_ID"`
	// Seal is the key under which people's numbers, accounts and mobiles are kept, in the same form as pepper. Who loses
	// it has lost them. A secret. Required.
	Seal Secret `yaml:"seal" env:"SEAL"`
	// SealFile holds seal.
	SealFile string `yaml:"seal_file" env:"SEAL_FILE"`
	// SealRetiredFiles are the files of former keys, by their ids. They open what was sealed under them and seal nothing.
	// To change the key: let every gateway know the new one here first, then exchange the two. Optional.
	SealRetiredFiles map[string]string `yaml:"seal_retired_files" env:"SEAL_RETIRED_FILES"`
}

// Core is the government refund core.
type Core struct {
	// URL is scheme, host and port: https://core.example. Required.
	URL string `yaml:"url" env:"URL"`
	// KeyID is the name under which the core knows our key, such as bank-80. Required.
	KeyID string `yaml:"key_id" env:"KEY_ID"`
	// Key signs our requests: an Ed25519 private key, PKCS #8 in PEM (openssl genpkey -algorithm ed25519). A secret.
	// Required.
	Key Secret `yaml:"key" env:"KEY"`
	// KeyFile holds key.
	KeyFile string `yaml:"key_file" env:"KEY_FILE"`
	// CoreKeys are the keys whose signatures are the core's word, by their ids: base64 of the 32 bytes of an Ed25519
	// public key. More than one while it changes them. Required, unless there are core_key_files.
	CoreKeys map[string]string `yaml:"core_keys" env:"CORE_KEYS"`
	// CoreKeyFiles are such keys as files (PEM), by their ids. Optional.
	CoreKeyFiles map[string]string `yaml:"core_key_files" env:"CORE_KEY_FILES"`
	// CallbackAuthority is host and port to which the core sends callbacks, as it signs them. Optional: what a callback
	// says its host is, which holds only where no proxy rewrites it.
	CallbackAuthority string `yaml:"callback_authority" env:"CALLBACK_AUTHORITY"`
	// SubmitTimeout bounds a call that may move money, from the dial to the last byte. Default 10s, from 100ms to 10s.
	SubmitTimeout time.Duration `yaml:"submit_timeout" env:"SUBMIT_TIMEOUT"`
	// StatusTimeout bounds a question about a refund. Default 5s, from 100ms to 10s.
	StatusTimeout time.Duration `yaml:"status_timeout" env:"STATUS_TIMEOUT"`
	// InquiryTimeout bounds what a customer waits for: requests, balances. Default 5s, from 100ms to 10s.
	InquiryTimeout time.Duration `yaml:"inquiry_timeout" env:"INQUIRY_TIMEOUT"`
	// CAFile holds the authorities (PEM) that are trusted instead of the system's. Optional.
	CAFile string `yaml:"ca_file" env:"CA_FILE"`
	// ClientCertFile and the client key file are the certificate (PEM) that we show. Both or neither; required in
	// production. Optional.
	ClientCertFile string `yaml:"client_cert_file" env:"CLIENT_CERT_FILE"`
	// ClientKeyFile is the certificate's private key (PEM); a secret's file. Optional.
	ClientKeyFile string `yaml:"client_key_file" env:"CLIENT_KEY_FILE"`
}

// Bank is the bank's own systems.
type Bank struct {
	// URL is where customers, staff and the ledger are: https://systems.bank.example. The protocol's /bank/v1 is added.
	// Required.
	URL string `yaml:"url" env:"URL"`
	// Issuer is the bank's OpenID Connect issuer, to the letter as its tokens say it in iss. Required.
	Issuer string `yaml:"issuer" env:"ISSUER"`
	// Code is the bank's own, two digits in quotes, as in its IBANs. It is part of every reference: once refunds exist it
	// must never change. Required.
	Code string `yaml:"code" env:"CODE"`
	// ProfileFile is what the bank's business people set: menu, limits, holidays, messages, maintenance. profile.example.yaml
	// is its manual. A change takes effect while the gateway serves. Required.
	ProfileFile string `yaml:"profile_file" env:"PROFILE_FILE"`
	// Timeout bounds each call to url and to issuer. Default 5s, from 100ms to 10s.
	Timeout time.Duration `yaml:"timeout" env:"TIMEOUT"`
	// CAFile holds the authorities (PEM) that are trusted for url and issuer instead of the system's. Optional.
	CAFile string `yaml:"ca_file" env:"CA_FILE"`
	// ClientCertFile and the client key file are the certificate (PEM) that we show to url, and to issuer if it asks. Both
	// or neither; required in production. Optional.
	ClientCertFile string `yaml:"client_cert_file" env:"CLIENT_CERT_FILE"`
	// ClientKeyFile is the certificate's private key (PEM); a secret's file. Optional.
	ClientKeyFile string `yaml:"client_key_file" env:"CLIENT_KEY_FILE"`
}

// SMS is the provider that delivers text messages.
type SMS struct {
	// URL takes a POST of {"id","to","sender","text"} per message. It has no ?query: a key belongs into authorization.
	// Required.
	URL string `yaml:"url" env:"URL"`
	// Authorization is sent as the header of that name. A secret. Optional.
	Authorization Secret `yaml:"authorization" env:"AUTHORIZATION"`
	// AuthorizationFile holds authorization.
	AuthorizationFile string `yaml:"authorization_file" env:"AUTHORIZATION_FILE"`
	// Timeout bounds each POST. A customer waits for it. Default 3s, from 100ms to 10s.
	Timeout time.Duration `yaml:"timeout" env:"TIMEOUT"`
	// CAFile holds the authorities (PEM) that are trusted instead of the system's. Optional.
	CAFile string `yaml:"ca_file" env:"CA_FILE"`
}

// Telemetry is where traces go.
type Telemetry struct {
	// TracesURL takes traces, OTLP over HTTP: https://collector.example:4318/v1/traces. In production another machine's is
	// https. Optional: none are sent.
	TracesURL string `yaml:"traces_url" env:"TRACES_URL"`
	// TraceRatio is the share of requests that are traced, unless their caller decided: a traceparent whose sampled flag is
	// set is traced whatever the ratio, and one whose flag isn't set never is. Where callers aren't to decide, drop the
	// header at the edge (nginx: proxy_set_header traceparent ""). Default 0.01, from 0 to 1.
	TraceRatio float64 `yaml:"trace_ratio" env:"TRACE_RATIO"`
	// Instance is this gateway's name in traces and logs. Optional: the name of the host.
	Instance string `yaml:"instance" env:"INSTANCE"`
}

// Log is how much is told.
type Log struct {
	// Level is the least that is told: DEBUG, INFO, WARN or ERROR. Default INFO.
	Level slog.Level `yaml:"level" env:"LEVEL"`
}

// Default is what holds for a key that nobody mentions. By itself it is no configuration: what is required is missing.
func Default() Config {
	return Config{
		Listen:       Listen{Channel: "127.0.0.1:8080", Ops: "127.0.0.1:9090", Connections: 4096, Reference: true},
		Database:     Database{Pool: 16, DispatchPool: 8},
		Redis:        Redis{Pool: 32, CommandTimeout: 200 * time.Millisecond},
		Core:         Core{SubmitTimeout: 10 * time.Second, StatusTimeout: 5 * time.Second, InquiryTimeout: 5 * time.Second},
		Bank:         Bank{Timeout: 5 * time.Second},
		SMS:          SMS{Timeout: 3 * time.Second},
		Telemetry:    Telemetry{TraceRatio: 0.01},
		Shutdown:     20 * time.Second,
		ShutdownLead: time.Second,
	}
}
