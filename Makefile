# Two commands are all the set-up: `make run` shows the product, `make test` proves it. Needs Python 3.11 and make.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CASES ?= 200
JOBS ?= 2

.PHONY: run test lint types unit campaign bench lock clean

run: $(READY)
	@$(BIN)/python -m examples.order_processing

test: $(READY) lint types unit campaign

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache

types: $(READY)
	$(BIN)/mypy
	$(BIN)/pyright

unit: $(READY)
	RUVON_CASES=$(CASES) $(BIN)/pytest -q -n $(JOBS)

# The generated suites at the size the project promises: 2,000 cases each.
campaign: $(READY)
	RUVON_CASES=2000 $(BIN)/pytest -q -n $(JOBS) -m campaign

bench: $(READY)
	$(BIN)/python -m benchmarks

# Rewrites the lock file from pyproject.toml, in a clean environment.
lock:
	rm -rf var/lock && $(PYTHON) -m venv var/lock
	var/lock/bin/pip install -q '.[dev]'
	var/lock/bin/pip freeze --exclude ruvon > requirements.lock
	rm -rf var/lock

$(READY): pyproject.toml requirements.lock
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked packages into $(VENV) (once) ..."
	@$(BIN)/pip install -q --disable-pip-version-check -r requirements.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $(READY)

clean:
	rm -rf $(VENV) var build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
