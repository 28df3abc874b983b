# Two commands are all the set-up: `make run` shows the product, `make test` proves it. Needs Python 3.11 and make.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Generated cases of each property test and of each campaign suite (`make campaign CAMPAIGN=2000` is the promised size),
# and test processes at once.
CASES ?= 60
CAMPAIGN ?= 400
JOBS ?= 2
# Random schedules of each reference workflow in `make simulate`, and the first of their seeds.
SEEDS ?= 1000
FIRST ?= 0

.PHONY: run test lint types unit campaign simulate chaos bench bench-peers lock clean

run: $(READY)
	@$(BIN)/python -m examples.order_processing

test: $(READY) lint types unit campaign

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: $(READY)
	$(BIN)/mypy --config-file pyproject.toml
	$(BIN)/mypy --config-file tests/typing/doubles.ini
	$(BIN)/pyright --project pyproject.toml

unit: $(READY)
	RUVON_CASES=$(CASES) $(BIN)/pytest -q -n $(JOBS) -m "not campaign and not chaos"

# Engine against CPython, both forms against each other, interruption at every commit, hostile expressions.
campaign: $(READY)
	RUVON_CASES=$(CAMPAIGN) $(BIN)/pytest -q -n $(JOBS) -m campaign

# Crashes, failing stores, doubled and late messages and wrong clocks over the reference workflows, for as long as you like.
simulate: $(READY)
	RUVON_SEEDS=$(SEEDS) RUVON_FIRST_SEED=$(FIRST) $(BIN)/pytest -q -n $(JOBS) --timeout 0 -k "random or wrong_clock" tests/simulation

# Connections to a PostgreSQL server that die at random, for minutes.
chaos: $(READY)
	$(BIN)/pytest -q -m chaos

bench: $(READY)
	$(BIN)/python -m benchmarks

# Durable steps beside DBOS, which gets an environment of its own.
bench-peers: $(READY)
	@test -x var/peers/bin/python || $(PYTHON) -m venv var/peers
	@var/peers/bin/pip install -qq --disable-pip-version-check 'dbos==3.4.0'
	$(BIN)/python -m benchmarks.durable --dbos var/peers/bin/python

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
