# Every task of the repository. `make` alone lists them.

SHELL       := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
ROOMS       := $(wildcard cmd gateway bank otp internal configs)
CONTRACT    := gateway/api/openapi.yaml
# A build server never takes an answer from the test cache.
FRESH       := $(if $(filter-out 0 false,$(CI)),-count=1)
FUZZTIME    ?= 5s
SEED        := $(or $(SEED),$(shell date +%s))

.PHONY: help setup test test-typescript lint lint-go lint-openapi fuzz prove bench run up down openapi config clean
help: ## list the tasks
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 25

setup: ## install what the tasks need (Debian packages as root, linters into the tree)
	@.ci/setup

test: setup lint test-typescript ## everything that must hold before a commit: set-up, linters, all tests with -race
	go test -race -timeout 15m $(FRESH) ./...

test-typescript: setup ## the TypeScript client alone: its types, and its tests against a sandbox
	@npm --prefix gateway/client/typescript test --silent

lint: lint-go lint-openapi ## gofmt, go vet, golangci-lint, the OpenAPI linter

lint-go: setup
	@files=$$(gofmt -l $(ROOMS)); [ -z "$$files" ] || { printf 'not gofmt-ed:\n%s\n' "$$files"; exit 1; }
	go vet -tags prove ./...
	.bin/golangci-lint run

lint-openapi: setup
	@node .ci/openapi/lint.mjs $(CONTRACT)

fuzz: ## every fuzz target for FUZZTIME (5s) each
	.ci/fuzz $(FUZZTIME)

prove: ## the slow proofs (files with the build tag "prove"); SEED=n repeats a run
	@echo "prove: seed $(SEED) (repeat with: make prove SEED=$(SEED))"
	ISTIRDAD_SEED=$(SEED) go test -race -tags prove -count=1 -timeout 60m -run '^TestProve' -v ./...

bench: setup ## speed and memory, each beside a floor that is measured in the same run
	go test -run '^$$' -bench . -benchmem ./gateway/sqlite ./gateway/postgres ./internal/program ./internal/fleet

run: ## the whole world on this machine; ARGS="-walk -polite" walks the path of a refund
	go run ./cmd/sandbox $(ARGS)

up: ## the product as a bank runs it, without Docker; ARGS are flags of cmd/sandbox
	@.ci/up $(ARGS)

down: ## stop what `make up` started and keep its data; ARGS=-v removes that too
	@.ci/down $(ARGS)

openapi: setup ## write the committed contract anew from the code, and both clients from it
	go test ./gateway/api -run TestOpenAPI -update
	go test ./gateway/client -run TestGenerated -update

config: ## write the shipped examples of a configuration and of a profile anew from the code
	go test ./internal/config -run TestManual -update

clean: ## remove what the tasks made
	.ci/down -v
	rm -rf .bin .ci/openapi/node_modules internal/oidctest/node_modules bank/banktest/examples/frontend/node_modules $(addprefix gateway/client/typescript/,node_modules dist .test)
