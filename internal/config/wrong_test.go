package config_test

import (
	"os"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/internal/config"
)

// test-key-ed25519 of RFC 9421, appendix B.1.4, as it is printed there, and its public half as core.core_keys takes it.
const (
	rfcPrivate   = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n-----END PRIVATE KEY-----\n"
	rfcPublic    = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----\n"
	publishedKey = "JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs="
)

// TestWrong is one wrong thing after the other, and the one line that each is told in.
func TestWrong(t *testing.T) {
	f := newFolder(t)
	f.write("rfc9421.key", rfcPrivate)
	f.write("rfc9421.pem", rfcPublic)
	zeros := string(config.EncodeKey(make([]byte, 32)))
	f.write("zeros", zeros)
	url := "postgres://gateway:" + databasePassword + "@db/istirdad"
	tests := map[string]struct {
		text    string
		environ string
		want    []string // lines, without the path in front of gateway.yaml; one each
	}{
		"not YAML":            {text: "listen: [", want: []string{"gateway.yaml:1: it isn't YAML"}},
		"a tab":               {text: "listen:\n\tops: a\n", want: []string{"gateway.yaml:2: it isn't YAML"}},
		"no YAML but secrets": {text: `redis: {url: "` + redisPassword + `\q"}`, want: []string{"gateway.yaml:1: it isn't YAML"}},
		"a second document":   {text: production + "---\nlog:\n", want: []string{"gateway.yaml:29: a second document (---) isn't read"}},
		"a list":              {text: "- a", want: []string{"gateway.yaml:1: must hold keys with values"}},

		"unknown section":      {text: production + "cache: {}\n", want: []string{"gateway.yaml:28: cache: there is no such key"}},
		"unknown key":          {text: changed("  key_id:", "  keyid: x\n  key_id:"), want: []string{"gateway.yaml:12: core.keyid: there is no such key"}},
		"a secret for a key":   {text: changed("  url_file: database_url", "  "+url+": x\n  url_file: database_url"), want: []string{"gateway.yaml:3: database: what stands here is no key"}},
		"a key twice":          {text: changed("  key_id: bank-80", "  key_id: bank-80\n  key_id: bank-81"), want: []string{"gateway.yaml:13: core.key_id: it is given twice"}},
		"a section twice":      {text: production + "sms:\n  timeout: 1s\n", want: []string{"gateway.yaml:28: sms: it is given twice"}},
		"section is a text":    {text: production + "log: INFO\n", want: []string{"gateway.yaml:28: log: must hold keys with values"}},
		"text is a number":     {text: changed(`code: "80"`, `code: 80`), want: []string{"gateway.yaml:21: bank.code: must be text, in quotes if it looks like anything else"}},
		"text is a list":       {text: changed("key_id: bank-80", "key_id: [bank-80]"), want: []string{"gateway.yaml:12: core.key_id: must be text, in quotes if it looks like anything else"}},
		"text is nothing":      {text: changed("key_id: bank-80", "key_id:"), want: []string{"gateway.yaml:12: core.key_id: must be text, in quotes if it looks like anything else"}},
		"number is a text":     {text: changed("redis:", "  pool: many\nredis:"), want: []string{"gateway.yaml:4: database.pool: must be a whole number"}},
		"number is a fraction": {text: changed("redis:", "  pool: 1.5\nredis:"), want: []string{"gateway.yaml:4: database.pool: must be a whole number"}},
		"number is too large":  {text: changed("redis:", "  pool: 99999999999\nredis:"), want: []string{"gateway.yaml:4: database.pool: must be a whole number"}},
		"duration is a number": {text: production + "shutdown: 20\n", want: []string{`gateway.yaml:28: shutdown: must be a duration with its unit, such as "10s"`}},
		"truth is a text":      {text: changed("redis:", "  migrate_on_start: \"no\"\nredis:"), want: []string{"gateway.yaml:4: database.migrate_on_start: must be true or false"}},
		"list is a text":       {text: changed("url_file: redis_url", "addresses: a:1"), want: []string{"gateway.yaml:5: redis.addresses: must be a list, such as [a, b]", "gateway.yaml: redis.url: it is required, here or by redis.url_file, unless there are redis.addresses"}},
		"level is none":        {text: production + "log: {level: LOUD}\n", want: []string{"gateway.yaml:28: log.level: must be DEBUG, INFO, WARN or ERROR"}},
		"an alias":             {text: changed("key_id: bank-80", "key_id: &id bank-80"), want: []string{"gateway.yaml:12: core.key_id: must be text, in quotes if it looks like anything else"}},
		"a secret under pairs": {text: changed("    core-1: core-1.pem", "    core-1: ["+redisPassword+"]"), want: []string{"gateway.yaml:15: core.core_key_files: each value must be text, in quotes if it looks like anything else"}},
		"unknown variable":     {text: production, environ: "ISTIRDAD_DATABASE_PASSWORD=" + databasePassword, want: []string{"ISTIRDAD_DATABASE_PASSWORD: the variable overrides no key"}},
		"a service's variable": {text: production, environ: "ISTIRDAD_REDIS_PORT_6379_TCP_ADDR=10.0.0.1", want: []string{"ISTIRDAD_REDIS_PORT_6379_TCP_ADDR: the variable overrides no key; if Kubernetes made it of a service, set enableServiceLinks to false"}},
		"a service's port":     {text: production, environ: "ISTIRDAD_PORT=tcp://10.0.0.1:80", want: []string{"ISTIRDAD_PORT: the variable overrides no key; if Kubernetes made it of a service, set enableServiceLinks to false"}},
		"empty variable":       {text: production, environ: "ISTIRDAD_CORE_URL=", want: []string{"ISTIRDAD_CORE_URL: core.url: the variable is empty: give it a value or leave it out"}},
		"variable's number":    {text: production, environ: "ISTIRDAD_DATABASE_POOL=" + databasePassword, want: []string{"ISTIRDAD_DATABASE_POOL: database.pool: must be a whole number"}},
		"variable's range":     {text: production, environ: "ISTIRDAD_REDIS_POOL=0", want: []string{"ISTIRDAD_REDIS_POOL: redis.pool: must be from 1 to 1000"}},
		"variable's pairs":     {text: production, environ: "ISTIRDAD_CORE_CORE_KEYS=" + redisPassword, want: []string{"ISTIRDAD_CORE_CORE_KEYS: core.core_keys: must be pairs id:value separated by commas"}},
		"secret in the wrong place": {text: changed("url_file: database_url", "url_file: "+url), want: []string{
			"gateway.yaml:3: database.url_file: the file can't be read: no such file or directory"}},
		"secret is a folder": {text: changed("url_file: redis_url", "url_file: ."), want: []string{"gateway.yaml:5: redis.url_file: the path doesn't lead to a file"}},
		"secret twice": {text: changed("  url_file: redis_url", "  url_file: redis_url\n  url: rediss://:"+redisPassword+"@r"), want: []string{
			"gateway.yaml:6: redis.url: it is given twice, here and by redis.url_file (DIR/gateway.yaml:5)"}},

		"environment":           {text: changed("production", "live"), want: []string{"gateway.yaml:1: environment: must be production, staging or sandbox"}},
		"listen without port":   {text: production + "listen: {channel: localhost}\n", want: []string{"gateway.yaml:28: listen.channel: must be host and port, such as 127.0.0.1:8080"}},
		"listen on a bad port":  {text: production + "listen: {channel: \":http\"}\n", want: []string{"gateway.yaml:28: listen.channel: must end in a port from 0 to 65535"}},
		"operators outside":     {text: production + "listen: {ops: 127.0.0.1:8080}\n", want: []string{"gateway.yaml:28: listen.ops: must not be the address of listen.channel: operators are never served there"}},
		"half a certificate":    {text: production + "listen: {cert_file: channel.crt}\n", want: []string{"gateway.yaml: listen.key_file: it is required with listen.cert_file"}},
		"another's certificate": {text: production + "listen: {cert_file: channel.crt, key_file: core_signing_key}\n", want: []string{"gateway.yaml:28: listen.key_file: the file must hold the private key of the certificate, in PEM"}},
		"no certificate":        {text: production + "listen: {cert_file: pepper, key_file: channel.key}\n", want: []string{"gateway.yaml:28: listen.cert_file: the file must hold a certificate in PEM"}},
		"database by words":     {text: changed("url_file: database_url", "url: host=db password="+databasePassword), want: []string{"gateway.yaml:3: database.url: must be a URL: postgres://user:password@host:5432/name (what is special in a password is written %40 and so on)"}},
		"database's role":       {text: changed("redis:", "  role: \"gateway; drop\"\nredis:"), want: []string{"gateway.yaml:4: database.role: must be a role's name: small letters, digits and '_'"}},
		"redis is a word":       {text: changed("url_file: redis_url", "url: "+redisPassword), want: []string{"gateway.yaml:5: redis.url: must be a URL with redis, rediss or unix, and where the server is"}},
		"redis by both":         {text: changed("url_file: redis_url", "url_file: redis_url\n  addresses: [a:1]"), want: []string{"gateway.yaml:6: redis.addresses: must not be given together with redis.url"}},
		"redis with options":    {text: changed("url_file: redis_url", "url: rediss://a?pool=1"), want: []string{"gateway.yaml:5: redis.url: must not have a ?query or a #fragment; a password writes them as %3F and %23"}},
		"pepper is a phrase":    {text: changed("pepper_file: pepper", "pepper: "+pepperBytes), want: []string{"gateway.yaml:7: keys.pepper: must be base64: openssl rand -base64 32 makes one"}},
		"pepper is short":       {text: changed("pepper_file: pepper", "pepper: Y2FuYXJ5"), want: []string{"gateway.yaml:7: keys.pepper: must be at least 32 bytes before base64"}},
		"seal id":               {text: changed("k2026", "k 2026"), want: []string{"gateway.yaml:8: keys.seal_id: must be 1 to 32 letters, digits, '.', '_' or '-'"}},
		"retired key's id":      {text: changed("  seal_id", "  seal_retired_files: {k2026: seal_key_2025}\n  seal_id"), want: []string{`gateway.yaml:8: keys.seal_retired_files: seal: unusable key: id "k2026" is given twice`}},
		"retired key's file":    {text: changed("  seal_id", "  seal_retired_files: {k2025: "+sealBytes+"}\n  seal_id"), want: []string{"gateway.yaml:8: keys.seal_retired_files: a retired key: the file can't be read: no such file or directory"}},
		"core with a path":      {text: changed("https://core.example", "https://core.example/core/v1"), want: []string{"gateway.yaml:11: core.url: must be scheme, host and port alone"}},
		"core with a password":  {text: changed("https://core.example", "https://a:"+redisPassword+"@core.example"), want: []string{"gateway.yaml:11: core.url: must not have a user, a password or a #fragment in it"}},
		"core's key is ours":    {text: changed("key_file: core_signing_key", "key_file: core_client.key"), want: []string{"gateway.yaml:13: core.key: must be an Ed25519 private key, PKCS #8 in PEM: openssl genpkey -algorithm ed25519 makes one"}},
		"no key of the core":    {text: changed("  core_key_files:\n    core-1: core-1.pem\n", ""), want: []string{"gateway.yaml: core.core_keys: at least one is required, here or by core.core_key_files: no answer could be believed"}},
		"core's key is short":   {text: changed("  core_key_files:", "  core_keys: {core-2: Y2FuYXJ5}\n  core_key_files:"), want: []string{"gateway.yaml:14: core.core_keys: the key core-2 must be base64 of the 32 bytes of an Ed25519 public key"}},
		"core's key is private": {text: changed("core-1: core-1.pem", "core-1: core_signing_key"), want: []string{"gateway.yaml:14: core.core_key_files: the key core-1: the file must hold an Ed25519 public key in PEM"}},
		"a long deadline":       {text: changed("  key_id", "  submit_timeout: 1m\n  key_id"), want: []string{"gateway.yaml:12: core.submit_timeout: must be from 100ms to 10s"}},
		"bank's code":           {text: changed(`"80"`, `"080"`), want: []string{"gateway.yaml:21: bank.code: must be two digits in quotes"}},
		"issuer with a query":   {text: changed("https://sso.bank.example", "https://sso.bank.example?x="+redisPassword), want: []string{"gateway.yaml:20: bank.issuer: must not have a ?query"}},
		"SMS with a key":        {text: changed("https://sms.example/v1/messages", "https://sms.example/v1/messages?key="+smsToken), want: []string{"gateway.yaml:26: sms.url: must not have a ?query"}},
		"ratio":                 {text: production + "telemetry: {trace_ratio: 2}\n", want: []string{"gateway.yaml:28: telemetry.trace_ratio: must be from 0 to 1"}},
		"ratio is none":         {text: production, environ: "ISTIRDAD_TELEMETRY_TRACE_RATIO=NaN", want: []string{"ISTIRDAD_TELEMETRY_TRACE_RATIO: telemetry.trace_ratio: must be from 0 to 1"}},
		"lead":                  {text: production + "shutdown_lead: 11s\n", want: []string{"gateway.yaml:28: shutdown_lead: must be from 0s to half of shutdown"}},

		"core in clear":                          {text: changed("https://core.example", "http://core.example"), want: []string{"gateway.yaml:11: core.url: must be https in production"}},
		"bank in clear":                          {text: changed("https://systems", "http://systems"), want: []string{"gateway.yaml:19: bank.url: must be https in production"}},
		"issuer in clear":                        {text: changed("https://sso", "http://sso"), want: []string{"gateway.yaml:20: bank.issuer: must be https in production"}},
		"SMS in clear":                           {text: changed("https://sms", "http://sms"), want: []string{"gateway.yaml:26: sms.url: must be https in production"}},
		"core without a name":                    {text: changed("  client_cert_file: core_client.crt\n  client_key_file: core_client.key\n", ""), want: []string{"gateway.yaml: core.client_cert_file: it is required in production"}},
		"bank without a name":                    {text: changed("  client_cert_file: bank_client.crt\n  client_key_file: bank_client.key\n", ""), want: []string{"gateway.yaml: bank.client_cert_file: it is required in production"}},
		"database unverified":                    {text: changed("url_file: database_url", "url: "+url+"?sslmode=require"), want: []string{"gateway.yaml:3: database.url: must have sslmode=verify-full (or verify-ca) in production"}},
		"database at one of two hosts":           {text: changed("url_file: database_url", "url: postgres:///istirdad?host=/run/postgresql,db.example&sslmode=disable"), want: []string{"gateway.yaml:3: database.url: must have sslmode=verify-full (or verify-ca) in production"}},
		"database at the second host":            {text: changed("url_file: database_url", "url: postgres:///istirdad?host=/run/postgresql&host=db.example"), want: []string{"gateway.yaml:3: database.url: must have sslmode=verify-full (or verify-ca) in production"}},
		"database verified and not":              {text: changed("url_file: database_url", "url: "+url+"?sslmode=verify-full&sslmode=disable"), want: []string{"gateway.yaml:3: database.url: must have sslmode=verify-full (or verify-ca) in production"}},
		"database by ssl":                        {text: changed("url_file: database_url", "url: "+url+"?sslmode=verify-full&ssl=true"), want: []string{"gateway.yaml:3: database.url: must not have ssl beside sslmode: one would undo the other"}},
		"redis in clear":                         {text: changed("url_file: redis_url", "url: redis://r.example"), want: []string{"gateway.yaml:5: redis.url: must speak TLS in production"}},
		"redis without a password":               {text: changed("url_file: redis_url", "url: rediss://gateway@r.example"), want: []string{"gateway.yaml:5: redis.url: must have a password in production"}},
		"cluster in clear":                       {text: changed("url_file: redis_url", "addresses: [127.0.0.1:1, r.example:1]\n  password: "+redisPassword), want: []string{"gateway.yaml: redis.tls: must speak TLS in production"}},
		"cluster without a password":             {text: changed("url_file: redis_url", "addresses: [127.0.0.1:1, r.example:1]\n  tls: true"), want: []string{"gateway.yaml: redis.password: must have a password in production"}},
		"authorities without TLS":                {text: changed("url_file: redis_url", "url: redis://127.0.0.1\n  ca_file: ca.crt"), want: []string{"gateway.yaml:6: redis.ca_file: goes with TLS: with a redis.url that begins with rediss://, or with redis.tls"}},
		"cluster's authorities without TLS":      {text: changed("url_file: redis_url", "addresses: [127.0.0.1:1]\n  ca_file: ca.crt"), want: []string{"gateway.yaml:6: redis.ca_file: goes with TLS: with a redis.url that begins with rediss://, or with redis.tls"}},
		"traces in clear":                        {text: production + "telemetry: {traces_url: http://traces.example}\n", want: []string{"gateway.yaml:28: telemetry.traces_url: must be https in production"}},
		"migrating by itself":                    {text: changed("redis:", "  migrate_on_start: true\nredis:"), want: []string{`gateway.yaml:4: database.migrate_on_start: must be false in production: run "gateway migrate"`}},
		"one key for all":                        {text: changed("seal_file: seal_key", "seal_file: pepper"), want: []string{"gateway.yaml:9: keys.seal: must not be the same as keys.pepper"}},
		"a retired key for all":                  {text: changed("  seal_id", "  seal_retired_files: {k2025: pepper}\n  seal_id"), want: []string{"gateway.yaml:8: keys.seal_retired_files: the key k2025 must not be the same as keys.pepper"}},
		"retired, and of today":                  {text: changed("  seal_id", "  seal_retired_files: {k2025: seal_key}\n  seal_id"), want: []string{"gateway.yaml:8: keys.seal_retired_files: the key k2025 must not be the same as keys.seal"}},
		"retired twice":                          {text: changed("  seal_id", "  seal_retired_files: {k2024: seal_key_2025, k2025: seal_key_2025}\n  seal_id"), want: []string{"gateway.yaml:8: keys.seal_retired_files: the key k2025 must not be the same as the key k2024"}},
		"pepper is zeros":                        {text: changed("pepper_file: pepper", "pepper: "+zeros), want: []string{"gateway.yaml:7: keys.pepper: must be random bytes, and not zeros"}},
		"seal is zeros":                          {text: changed("seal_file: seal_key", "seal: "+zeros), want: []string{"gateway.yaml:9: keys.seal: must be random bytes, and not zeros"}},
		"retired key is zeros":                   {text: changed("  seal_id", "  seal_retired_files: {k2025: zeros}\n  seal_id"), want: []string{"gateway.yaml:8: keys.seal_retired_files: the key k2025 must be random bytes, and not zeros"}},
		"the published key":                      {text: changed("key_file: core_signing_key", "key_file: rfc9421.key"), want: []string{"gateway.yaml:13: core.key: must not be the key that RFC 9421 prints: everybody can sign with it"}},
		"the core's is the published key":        {text: changed("  core_key_files:", "  core_keys: {core-2: "+publishedKey+"}\n  core_key_files:"), want: []string{"gateway.yaml:14: core.core_keys: the key core-2 must not be the key that RFC 9421 prints: everybody can sign with it"}},
		"the core's is the published key's file": {text: changed("core-1: core-1.pem", "core-1: rfc9421.pem"), want: []string{"gateway.yaml:14: core.core_key_files: the key core-1 must not be the key that RFC 9421 prints: everybody can sign with it"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var environ []string
			if test.environ != "" {
				environ = []string{test.environ}
			}
			c, err := f.load(test.text, environ...)
			if err == nil {
				t.Fatal("it is taken")
			}
			if c.String() != (config.Config{}).String() {
				t.Error("a configuration that is refused comes back")
			}
			secretFree(t, err.Error())
			got := strings.Split(strings.ReplaceAll(err.Error(), f.path("gateway.yaml"), "gateway.yaml"), "\n")
			for i, want := range test.want {
				want = strings.ReplaceAll(want, "DIR/", "")
				if i >= len(got) || got[i] != want {
					t.Fatalf("got\n%s\nwant line %d\n%s", strings.Join(got, "\n"), i+1, want)
				}
			}
			if len(got) != len(test.want) {
				t.Errorf("one thing is wrong, and these are told:\n%s", strings.Join(got, "\n"))
			}
		})
	}
}

// TestEmpty: everything that is required is missed at once, and nothing else.
func TestEmpty(t *testing.T) {
	for _, text := range []string{"", "# nothing yet\n", "listen:\n", "{}"} {
		f := newFolder(t)
		_, err := f.load(text)
		if err == nil {
			t.Fatalf("%q is taken", text)
		}
		for _, key := range []string{
			"environment", "database.url", "redis.url", "keys.pepper", "keys.seal", "keys.seal_id", "core.url", "core.key_id",
			"core.key", "core.core_keys", "bank.url", "bank.issuer", "bank.code", "bank.profile_file", "sms.url",
		} {
			if !strings.Contains(err.Error(), "gateway.yaml: "+key+": ") {
				t.Errorf("%q: %s isn't missed in\n%v", text, key, err)
			}
		}
		if n := strings.Count(err.Error(), "\n") + 1; n != 15 {
			t.Errorf("%q: 15 keys are required, and %d lines told:\n%v", text, n, err)
		}
	}
}

// TestNoFile: one line, however much is missing.
func TestNoFile(t *testing.T) {
	f := newFolder(t)
	if err := os.Mkdir(f.path("folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"missing.yaml": "missing.yaml: the file can't be read: no such file or directory",
		"folder":       "folder: the path doesn't lead to a file",
	} {
		if _, err := config.Load(f.path(path), nil); err == nil || err.Error() != f.path("")+"/"+want {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestLocal: in production too, what doesn't leave the machine needs no TLS.
func TestLocal(t *testing.T) {
	f := newFolder(t)
	for name, text := range map[string]string{
		"redis":          changed("url_file: redis_url", "url: redis://127.0.0.1:6379/1"),
		"redis by name":  changed("url_file: redis_url", "url: redis://localhost"),
		"redis, IPv6":    changed("url_file: redis_url", "url: redis://[::1]:6379"),
		"redis, socket":  changed("url_file: redis_url", "url: unix:///run/redis.sock"),
		"redis, cluster": changed("url_file: redis_url", "addresses: [\"127.0.0.1:7000\", \"[::1]:7001\"]"),
		"traces":         production + "telemetry: {traces_url: \"http://127.0.0.1:4318\"}\n",
		"two sockets":    changed("url_file: database_url", "url: postgres:///istirdad?host=/run/postgresql,/run/other&sslmode=disable"),
		"database":       changed("url_file: database_url", "url: postgres:///istirdad?host=/run/postgresql"),
		"two hosts":      changed("url_file: database_url", "url: postgres://a:5432,b:5432/istirdad?sslmode=verify-full&target_session_attrs=read-write"),
	} {
		t.Run(name, func(t *testing.T) { f.mustLoad(text) })
	}
}
