#!/bin/sh
# Makes the secrets of a trial installation: docker-compose.yml has it run before everything else, and
# so does `make up`. In production they come from the bank's vault instead, as the same files.
#
#   generate.sh FOLDER      keeps every secret that is there already; needs sh and coreutils
#
# Each part of the installation gets a folder of its own, with what it needs and no more:
#   postgres/   passwords of the superuser and of the two roles     migrate/    the owner's URL
#   redis/      the users and what each may do (ACL)                gateway/    URLs, pepper, keys
#   standins/   URLs with which the sandbox puts everything back    grafana/    the administrator's password
# From the environment: DATABASE (host:port), REDIS (host:port), and OWNERS, "folder=uid …", who may
# read which (left alone when empty).
set -eu
umask 077
cd "$1"
mkdir -p postgres redis gateway migrate standins grafana

hex()  { od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n'; } # 32 random bytes, and nothing that a URL must escape
once() { [ -s "$1" ] || { "$2" >"$1.new" && mv "$1.new" "$1"; }; }
key()  { head -c 32 /dev/urandom | base64; }

# What the sandbox's core knows this bank by: test-key-ed25519 of RFC 9421, appendix B.1.4, printed
# there for everybody to use. A real core is given the public half of a key that never left the bank.
rfc_key() {
	printf -- '-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n' \
		MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
}

once postgres/superuser_password      hex
once postgres/database_owner_password hex
once postgres/database_app_password   hex
once redis/password                   hex
once grafana/admin_password           hex
once gateway/pepper                   key
once gateway/seal_key                 key
once gateway/core_signing_key         rfc_key

# From here on all is derived, and written anew.
database() { printf 'postgres://%s:%s@%s/istirdad\n' "$1" "$(cat "postgres/$2")" "${DATABASE:-127.0.0.1:5432}"; }
database istirdad_app   database_app_password   >gateway/database_url
database istirdad_owner database_owner_password >migrate/database_migrate_url
database istirdad_owner database_owner_password >standins/database_url
for who in gateway standins; do
	printf 'redis://istirdad:%s@%s/0\n' "$(cat redis/password)" "${REDIS:-127.0.0.1:6379}" >"$who/redis_url"
done

# Redis's one user: its own keys, ordinary commands and scripts. INFO says whether the server evicts.
# Nobody else gets in, and nobody changes settings, loads functions or reads along.
digest=$(printf %s "$(cat redis/password)" | sha256sum | cut -d' ' -f1)
cat >redis/users.acl <<ACL
user default off
user istirdad on #$digest ~otp:* ~bank:* ~rl:* -@all +@read +@write +@scripting +@connection -@dangerous -function -fcall -fcall_ro +info
ACL

for pair in ${OWNERS:-}; do
	chown -R "${pair#*=}" "${pair%%=*}"
done
chmod -R u=rwX,go= -- *
