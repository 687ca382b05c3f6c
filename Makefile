# Everything a person does with Padlock. Each target installs what it needs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
SAM := .venv-sam/bin/sam
SOURCES := layers/padlock functions local tests

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv/.installed: requirements-dev.txt pyproject.toml
	@local/make-venv .venv requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

.venv-sam/.installed: requirements-sam.txt
	@local/make-venv .venv-sam requirements-sam.txt
	@touch $@

.PHONY: install
install: .venv/.installed ## install the Python packages into .venv

.PHONY: lock
lock: install ## pin every dependency anew, with hashes
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --python-version 3.13 --universal -o layers/dependencies/requirements.txt layers/dependencies/requirements.in
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --python-version 3.13 --universal -c layers/dependencies/requirements.txt -o requirements-dev.txt requirements-dev.in
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --python-version 3.13 --universal -o requirements-sam.txt requirements-sam.in

.PHONY: check
check: install ## check a site from here: make check SITE=example.com
	@test -n "$(SITE)" || { echo "usage: make check SITE=example.com" >&2; exit 2; }
	@$(BIN)/padlock check $(SITE)

.PHONY: lint
lint: install ## style and common faults
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

.PHONY: types
types: install ## static types
	$(BIN)/mypy -p padlock
	$(BIN)/mypy functions local tests
