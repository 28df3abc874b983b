# Two commands are all the set-up: `make run` shows the product, `make test` proves it. Needs Python 3.11 and make.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Generated cases of each property test and of each campaign suite (`make campaign CAMPAIGN=2000` is the promised size).
CASES ?= 60
CAMPAIGN ?= 400
# Processes at once: of the checkers, and of the tests, where one more than processors makes up for those that wait.
JOBS ?= 2
WORKERS ?= 3
# Random schedules of each reference workflow in `make simulate`, and the first of their seeds.
SEEDS ?= 1000
FIRST ?= 0
# Workflows of `make chaos`, and so many seconds it kills at most.
RUNS ?= 5000
CHAOS ?= 1800
# Images for containers set it, and then each of some thousand Pythons compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test tests lint types mypy pyright unit campaign servers simulate chaos bench bench-peers lock clean

run: $(READY)
	@$(BIN)/python -m examples.order_processing

test: $(READY) lint types tests

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

# The two checkers side by side: each keeps one processor busy for as long.
types: $(READY)
	@$(MAKE) --no-print-directory -j $(JOBS) mypy pyright

mypy: $(READY)
	$(BIN)/mypy --config-file pyproject.toml
	$(BIN)/mypy --config-file tests/typing/doubles.ini

pyright: $(READY)
	$(BIN)/pyright --project pyproject.toml

# `unit` and `campaign` in one run, so that each process collects them once. Its last words are which servers the tests ran
# against. Without PostgreSQL or Redis it fails, because tests were left out; RUVON_TEST_ALLOW_MISSING=1 lets it pass.
tests: $(READY) servers
	RUVON_CASES=$(CASES) RUVON_CAMPAIGN=$(CAMPAIGN) $(BIN)/pytest -q -n $(WORKERS) -m "not chaos"

unit: $(READY) servers
	RUVON_CASES=$(CASES) $(BIN)/pytest -q -n $(WORKERS) -m "not campaign and not chaos"

# PostgreSQL comes with the locked packages where none answers on this machine. Redis has no such package: it is installed
# where that takes no question, and otherwise the tests say that it is missing.
servers:
	@command -v redis-server > /dev/null || command -v valkey-server > /dev/null || test -n "$$RUVON_TEST_REDIS_URL" || { \
		command -v apt-get > /dev/null && may=$$(test "$$(id -u)" = 0 || echo "sudo -n") && echo "installing redis-server ..." && \
		{ $$may apt-get install -qq -y redis-server || { $$may apt-get update -qq && $$may apt-get install -qq -y redis-server; }; } \
		> /dev/null 2>&1; } || true

# Engine against CPython, both forms against each other, interruption at every commit, hostile expressions.
campaign: $(READY) servers
	RUVON_CAMPAIGN=$(CAMPAIGN) $(BIN)/pytest -q -n $(WORKERS) -m campaign

# Crashes, failing stores, doubled and late messages and wrong clocks over the reference workflows, for as long as you like.
simulate: $(READY)
	RUVON_SEEDS=$(SEEDS) RUVON_FIRST_SEED=$(FIRST) $(BIN)/pytest -q -n $(WORKERS) --timeout 0 -k "random or wrong_clock" tests/simulation

# Connections that die at random; then RUNS workflows while stores, brokers, workers and applications of our own are
# killed, for CHAOS seconds at most. `STORE=postgres` (celery, redis) is one of its three fleets, `SEED=` repeats a run.
chaos: $(READY)
	$(BIN)/pytest -q -m chaos
	$(BIN)/python -m tests.chaos --runs $(RUNS) --seconds $(CHAOS) $(if $(STORE),--store $(STORE)) $(if $(BROKER),--broker $(BROKER)) $(if $(SEED),--seed $(SEED))

bench: $(READY)
	$(BIN)/python -m benchmarks

# The same work done by other projects in the same run; they get an environment of their own. One that does not install or
# fails is named and left out.
PEERS := 'dbos==3.4.0' 'langgraph==1.2.22' 'langgraph-checkpoint-sqlite==3.1.2' 'langgraph-checkpoint-postgres==3.2.0' \
	'psycopg[binary,pool]==3.3.9' 'pgqueuer==1.6.0' 'asyncpg==0.32.0' 'uvloop==0.23.0' 'procrastinate==3.10.0'

bench-peers: $(READY)
	@test -x var/peers/bin/python || $(PYTHON) -m venv var/peers
	@for peer in $(PEERS); do var/peers/bin/pip install -qq --disable-pip-version-check "$$peer" || echo "$$peer is not installed"; done
	$(BIN)/python -m benchmarks durable postgres queue_peers

# Rewrites the lock file from pyproject.toml, in a clean environment.
lock:
	rm -rf var/lock && $(PYTHON) -m venv var/lock
	var/lock/bin/pip install -q '.[dev]'
	var/lock/bin/pip freeze --exclude ruvon > requirements.lock
	rm -rf var/lock

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || (echo "Ruvon needs Python 3.11 or later"; exit 1)
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || (echo "install Python's venv module (Debian: python3-venv)"; exit 1)
	@echo "installing the locked packages into $(VENV) (once) ..."
	@$(BIN)/pip install -qq --disable-pip-version-check -r requirements.lock
	@$(BIN)/pip install -qq --disable-pip-version-check --no-deps -e .
	@touch $(READY)

clean:
	rm -rf $(VENV) var build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
