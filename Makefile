# Everything that is done with Readout. `make run` and `make test` need Debian (or Homebrew) and a
# Rust toolchain, and install the rest.

SHELL := /bin/bash
CARGO ?= cargo
RIG := target/debug/rig

.DEFAULT_GOAL := help
.PHONY: help run test fmt lint deny bench torture contract openapi migrate clean postgres pgbouncer nextest build tools

help: ## List what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: postgres ## Build and serve on http://127.0.0.1:8080, with a private PostgreSQL under ./.readout
	exec $(CARGO) run --release --locked -p readout -- serve

test: lint build nextest postgres pgbouncer tools deny ## Everything that CI runs
	target/debug/readout openapi --check openapi/openapi.json
	$(RIG) $(CARGO) nextest run --workspace --locked --no-fail-fast
	READOUT_TEST_VIA=direct READOUT_TEST_LOG=trace $(RIG) $(CARGO) nextest run --workspace --locked --no-fail-fast -E 'package(tests)'
	target/debug/contract
	target/debug/torture --kills 2

fmt: ## Format the code
	$(CARGO) fmt --all

lint: ## Check format and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

deny: ## Check the dependencies, where cargo-deny is installed
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny --offline check bans licenses sources; \
	else echo 'cargo-deny is not installed: only the rules in tests/api/architecture.rs are checked'; fi

bench: postgres pgbouncer ## Measure against other ways of doing the same, in one run (ARGS=--help)
	$(CARGO) build --profile dist --locked -p readout
	$(CARGO) build --release --locked -p tests --bin bench
	READOUT_BIN=target/dist/readout target/release/bench $(ARGS)

torture: postgres pgbouncer ## Kill everything under load, then compare with a ledger (ARGS="--kills 2")
	$(CARGO) build --locked -p readout -p tests --bins
	target/debug/torture $(ARGS)

contract: postgres pgbouncer tools ## Hold the document against the running service (ARGS="--only fuzz")
	$(CARGO) build --locked -p readout -p tests --bins
	target/debug/contract $(ARGS)

openapi: ## Write openapi/openapi.json from the code
	$(CARGO) run --quiet --locked -p readout -- openapi > openapi/openapi.json.new
	mv openapi/openapi.json.new openapi/openapi.json

migrate: postgres ## Bring the database of DATABASE_URL (or the private one) up to date
	$(CARGO) run --release --locked -p readout -- migrate up

clean: ## Remove what was built; the data under ./.readout stays
	$(CARGO) clean

build:
	$(CARGO) build --workspace --all-targets --locked

postgres:
	@if [ -z "$$DATABASE_URL" ] || [ "$(MAKECMDGOALS)" = test ]; then ./install postgres; fi

pgbouncer:
	@./install pgbouncer

tools:
	@./install python
	@./install chromium
	@tests/contract/prepare

nextest:
	@command -v cargo-nextest >/dev/null || $(CARGO) install --locked cargo-nextest
