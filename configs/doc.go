// Package configs is what the product is run with, as files; there is no code in it. Its tests load every file as the
// program that reads it does, and hold it to what it promises.
//
//	gateway.*.yaml   configuration of a gateway, one file for each way to run it (internal/config explains every key)
//	profile.*.yaml   the manual of a bank's profile: what its business people set
//	profiles/        whole profiles: the trial's, and two in the style of menus that banks have had; none is official
//	nginx/           the proxy in front of the gateways
//	postgres/        the database's roles: one that owns the schema, one that may only use it
//	redis/           a server that forgets nothing to make room
//	prometheus/      what is measured, and what somebody must be told
//	grafana/         the dashboard
//	secrets/         makes the secrets of a trial; in production they come from the bank's vault, as the same files
//
// docker-compose.yml and `make up` (.ci/up) start the same processes with the same files. Where the two differ, in
// addresses, a file is split: nginx and Prometheus read that part from a folder here/, into which compose puts the
// folder compose/ and `make up` what it knows of its ports.
package configs
