# Needs Python >= 3.11, make and a package index; makes everything else itself. `make help` lists the targets.

SHELL := /bin/sh
.DEFAULT_GOAL := help
BIN := .venv/bin
# Only what is there: neither ruff nor mypy forgives a folder that a checkout does not have.
CODE := $(wildcard src tests examples benchmarks)
PYTEST := $(BIN)/python -m pytest
# Most tests wait for a server or a process: several at once use the time. TESTS_AT_ONCE=0: one by one.
TESTS_AT_ONCE ?= auto
MANY := -n $(TESTS_AT_ONCE) --dist worksteal

# Else every process that a test starts would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

# PYTHON=… chooses the interpreter; naming another one than last time makes the environment anew.
ifdef PYTHON
ifneq ($(PYTHON),$(shell cat .venv/.python 2>/dev/null))
.venv/.stamp: FORCE
endif
endif

.PHONY: FORCE
FORCE:

.venv/.stamp: pyproject.toml uv.lock scripts/make-env
	@python=$$(scripts/find-python $(PYTHON)) && scripts/make-env .venv "$$python"
	@echo "$(PYTHON)" > .venv/.python

.PHONY: help
help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

.PHONY: env
env: .venv/.stamp ## the environment, .venv, from uv.lock (quick when nothing changed)
	@:

.PHONY: demo demo-once
demo: env ## run the demo on real input and leave the server running (NATS=1: with a NATS server)
	@$(BIN)/python examples/codestats/demo.py $(if $(NATS),--nats)

demo-once: env ## the same, and end it: for scripts
	@$(BIN)/python examples/codestats/demo.py --once $(if $(NATS),--nats)

.PHONY: lint types imports unit test test-newest check
lint: env ## ruff: rules and format
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .

types: env ## mypy --strict
	$(BIN)/mypy --strict $(CODE)

imports: env ## import-linter: the rooms, and who may enter
	$(BIN)/lint-imports --no-cache --no-logo

unit: env
	$(PYTEST) $(wildcard tests/unit) tests/architecture

test: lint types imports ## everything: lint, types, import rules, all tests
	$(PYTEST) $(MANY)

check: lint types imports unit ## the same with the quick tests only: under a minute

# What starts processes is left out: they run the same code, and take half of the time.
IN_PROCESS := tests/unit tests/architecture tests/adapters tests/kit tests/migration tests/typing
test-newest: ## the tests of the code itself once more, on the newest Python of this machine
	@python=$$(scripts/find-python --newest) || exit 1; \
	minor='import sys; print(*sys.version_info[:2], sep=".")'; \
	newest=$$("$$python" -c "$$minor"); \
	if [ "$$newest" = "$$($(BIN)/python -c "$$minor" 2>/dev/null)" ]; then \
		echo "Python $$newest is the newest here, and the one that .venv has: nothing to repeat."; exit 0; \
	fi; \
	if [ -n "$$(find pyproject.toml uv.lock scripts/make-env -newer .venv-newest/.stamp 2>&1)" ]; then \
		scripts/make-env .venv-newest "$$python" || exit 1; \
	fi; \
	.venv-newest/bin/python -m pytest $(MANY) $(IN_PROCESS)

.PHONY: chaos bench
chaos: env ## minutes of killed processes and servers
	$(PYTEST) -m chaos

bench: env ## measure
	$(BIN)/python -m benchmarks

.PHONY: lock clean
lock: env ## resolve the dependencies anew into uv.lock
	$(BIN)/uv lock

clean: ## remove what make made
	rm -rf .venv .venv-newest .venv-peers .node-peers .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	find src tests examples benchmarks alembic -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
