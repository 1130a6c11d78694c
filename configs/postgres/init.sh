#!/bin/sh
# Makes the database and its two roles on a fresh server, once: docker-compose.yml has the server's
# image run it, `make up` runs it itself. It needs psql, a superuser's local connection (PGUSER,
# PGHOST, PGPORT), and the two passwords as files, so that they are on no command line.
#
#   istirdad_owner  owns the schema; `gateway migrate` and nothing else signs in as it
#   istirdad_app    what a gateway is: `gateway migrate` grants it what it needs, table by table.
#                   It may change no schema, delete no row and make no table, a temporary one neither
set -eu

OWNER_PASSWORD_FILE=${OWNER_PASSWORD_FILE:-/run/secrets/database_owner_password}
APP_PASSWORD_FILE=${APP_PASSWORD_FILE:-/run/secrets/database_app_password}
export OWNER_PASSWORD_FILE APP_PASSWORD_FILE

# A failing CREATE ROLE would otherwise be written to the server's log, password and all.
PGOPTIONS='-c log_min_error_statement=panic -c log_statement=none'
export PGOPTIONS

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\set owner_password `cat "$OWNER_PASSWORD_FILE"`
\set app_password `cat "$APP_PASSWORD_FILE"`
SET password_encryption = 'scram-sha-256';
CREATE ROLE istirdad_owner LOGIN PASSWORD :'owner_password' NOSUPERUSER NOCREATEDB NOCREATEROLE;
CREATE ROLE istirdad_app   LOGIN PASSWORD :'app_password'   NOSUPERUSER NOCREATEDB NOCREATEROLE;
CREATE DATABASE istirdad OWNER istirdad_owner ENCODING 'UTF8' TEMPLATE template0;

REVOKE ALL     ON DATABASE istirdad, postgres, template1 FROM PUBLIC;
GRANT  CONNECT ON DATABASE istirdad TO istirdad_app;
\connect istirdad
ALTER SCHEMA public OWNER TO istirdad_owner;
REVOKE ALL   ON SCHEMA public FROM PUBLIC;
GRANT  USAGE ON SCHEMA public TO istirdad_app;
SQL
