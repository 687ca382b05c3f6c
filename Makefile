# Everything a person does with Padlock. Each target installs what it needs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
SAM := .venv-sam/bin/sam
SOURCES := layers/padlock layers/dependencies functions local tests

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

.venv-audit/.installed: requirements-audit.txt
	@local/make-venv .venv-audit requirements-audit.txt
	@touch $@

.PHONY: install
install: .venv/.installed ## install the Python packages into .venv

.PHONY: lock
lock: install ## pin every dependency anew, with hashes
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --python-version 3.13 --universal -o layers/dependencies/requirements.txt layers/dependencies/requirements.in
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --python-version 3.13 --universal -c layers/dependencies/requirements.txt -o requirements-dev.txt requirements-dev.in
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --python-version 3.13 --universal -o requirements-sam.txt requirements-sam.in
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --python-version 3.13 --universal -o requirements-audit.txt requirements-audit.in
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --python-version 3.13 --universal -o requirements-fuzz.txt requirements-fuzz.in
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --emit-build-options --python-version 3.13 --universal -o requirements-bench.txt requirements-bench.in

.PHONY: run
run: install ## the main job on this machine, from the schedule to the mailbox: make run [SITES="example.com example.org"] [SERVE=1]
	@SERVE='$(subst ','\'',$(SERVE))' $(BIN)/python -m local '$(subst ','\'',$(SITES))'

.PHONY: check
check: install ## check a site from here: make check SITE=example.com
	@test -n '$(subst ','\'',$(SITE))' || { echo "usage: make check SITE=example.com" >&2; exit 2; }
	@$(BIN)/padlock check $(foreach site,$(SITE),'$(subst ','\'',$(site))')

.PHONY: test
test: install .venv-sam/.installed lab-tools ## run every test; what cannot be had is skipped and said
	$(BIN)/python -m pytest -n 2 -rsfE -m "not lab and not sam and not emulator"
	$(BIN)/python -m pytest -m "lab or sam or emulator" --durations=5 -rsfE

.PHONY: lab-tools
lab-tools: ## as root on Debian, install the servers and the browser that the tests run
	@local/install-lab || test $$? -eq 3
	@local/install-lab host || test $$? -eq 3
	@local/install-lab page || test $$? -eq 3
	@local/install-axe || test $$? -eq 3

.PHONY: screenshots
screenshots: install ## draw the pictures of the report's page and the dashboard's widget into docs/screenshots
	@local/install-lab page
	@$(BIN)/python -m tests.render.page.screenshots docs/screenshots

.PHONY: conformance
conformance: install ## compare verdicts with Chromium, curl, OpenSSL and testssl.sh; WRITE=1 writes docs/conformance.md
	@local/install-lab conformance
	@$(BIN)/python -m tests.conformance $(if $(WRITE),--write docs/conformance.md)

.PHONY: soak
soak: install ## the alert path under faults: 2,000 random histories of 60 steps; SOAK="--help"
	$(BIN)/python -m tests.soak run $(SOAK)

.PHONY: soak-fleet
soak-fleet: install ## a day of 10,000 sites: alerts sent and the ideal ones; FLEET="--help"
	$(BIN)/python -m tests.soak fleet $(FLEET)

.PHONY: mutants
mutants: install ## faults built into the alert path on purpose, each of which the tests must notice
	$(BIN)/python -m tests.soak mutants

.PHONY: hostile
hostile: install lab-tools ## as root, sites that mean harm beside healthy ones: what was seen, time, memory; HOSTILE="--help"
	@$(BIN)/python -m tests.hostile $(HOSTILE)

.venv/.fuzz: .venv/.installed requirements-fuzz.txt
	@$(BIN)/python -m pip install --quiet --require-hashes --only-binary=:all: -r requirements-fuzz.txt
	@touch $@

.PHONY: fuzz
fuzz: .venv/.fuzz ## feed each parser of remote octets for ten minutes; FUZZ="html css --seconds 60"
	@$(BIN)/python -m tests.fuzz $(FUZZ)

.venv-bench/.installed: requirements-bench.txt
	@local/make-venv .venv-bench requirements-bench.txt
	@touch $@

.PHONY: bench
bench: install .venv-bench/.installed ## as root, Padlock beside its peers in a lab of 50 sites; BENCH="--help"
	@local/install-lab bench
	@$(BIN)/python -m tests.bench compare $(BENCH)

.PHONY: bench-quick
bench-quick: install .venv-bench/.installed ## the same within three minutes, without testssl.sh
	@local/install-lab bench
	@$(BIN)/python -m tests.bench compare --quick $(BENCH)

.PHONY: bench-cold
bench-cold: build install ## how long each function takes to start in the runtime, what it imports, and what the layers weigh
	@$(BIN)/python -m tests.bench cold $(BENCH)

.PHONY: bench-fleet
bench-fleet: install ## how time, memory and writes grow with the number of sites
	@$(BIN)/python -m tests.bench fleet $(BENCH)

.PHONY: performance
performance: install ## write docs/performance.md from the last bench, bench-cold and bench-fleet
	@$(BIN)/python -m tests.bench page $(PERFORMANCE)

.PHONY: count
count: install ## what one audit costs, counted; COUNT="--write" accepts it
	@$(BIN)/python -m tests.bench count $(COUNT)

.PHONY: cost
cost: install ## what a site costs in AWS, from measured figures and public prices; COST="--sites 1000 --minutes 15"
	@$(BIN)/python -m local.cost --write docs/cost.md $(COST)

.PHONY: docs
docs: install ## write docs/checks.md, docs/alerts.md and docs/report.schema.json anew, and the tables of docs/security.md
	$(BIN)/python -m local.catalogue
	$(BIN)/python -m local.report_schema
	$(BIN)/python -m tests.message.golden
	$(BIN)/python -m local.alert_pages
	$(BIN)/python -m local.security_page

.PHONY: host-document
host-document: install ## write the collector into template.yaml, as the document that the host audit runs
	$(BIN)/python -m local.document

.PHONY: lint
lint: install ## style and common faults
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

.PHONY: types
types: install ## static types
	$(BIN)/mypy -p padlock
	$(BIN)/mypy functions local tests
	$(BIN)/mypy layers/dependencies/trim.py

# The layers' makefiles need a python3 with pip, which comes first on PATH, and none of this make's own flags.
SAM_ENVIRONMENT := PATH="$(CURDIR)/.venv-sam/bin:$$PATH" MAKEFLAGS=--no-print-directory SAM_CLI_TELEMETRY=0

.PHONY: validate
validate: install .venv-sam/.installed ## check template.yaml
	$(SAM_ENVIRONMENT) $(SAM) validate --lint
	$(BIN)/cfn-lint template.yaml

.PHONY: audit
audit: install .venv-audit/.installed ## cfn-lint, checkov and pip-audit; OSV=URL asks your own service of advisories
	@$(BIN)/python -m local.audit $(if $(OSV),--osv '$(OSV)') || test $$? -eq 3

.PHONY: build
build: .venv-sam/.installed ## build functions and layers, for both architectures, into .aws-sam
	$(SAM_ENVIRONMENT) $(SAM) build

.PHONY: local
local: install build ## invoke the built functions in Lambda's emulator, against an AWS on this machine
	@$(BIN)/python -m local.emulator

.PHONY: deploy
deploy: build ## deploy to AWS; asks the first time and keeps the answers in samconfig.local.toml
	@grep -qs '^region' samconfig.local.toml || { cp samconfig.toml samconfig.local.toml && guided=--guided; }; \
	$(SAM_ENVIRONMENT) $(SAM) deploy $$guided --config-file "$(CURDIR)/samconfig.local.toml"

.PHONY: destroy
destroy: .venv-sam/.installed ## remove the stack from AWS; its two tables stay
	@$(SAM_ENVIRONMENT) $(SAM) delete --config-file "$(CURDIR)/$$(ls samconfig.local.toml 2>/dev/null || echo samconfig.toml)"
