# Everything a clone needs: python3 (3.11 or newer), pip and make. `make` alone says what there is.

PYTHON ?= python3
VENV := .venv
WITNESS := .venv-witness
JAVASCRIPT := .witness-javascript
BROWSER := .venv-browser
BIN := $(VENV)/bin
UV = $(eval UV := env $(shell $(WHOM_PIP_TRUSTS)) $(BIN)/uv)$(UV)
WHEELS := build/wheel
CLEAN_ROOM := build/clean-room
# uv knows nothing of what pip is told of a company's authority, nor of the system's; it is told here, when first used.
define WHOM_PIP_TRUSTS
cert="$${PIP_CERT:-}"; \
[ -n "$$cert" ] || cert="$$($(BIN)/python -m pip config list | sed -nE "s/^(global|install)\.cert='(.*)'$$/\2/p" | tail -1)"; \
cert="$${cert:-$${REQUESTS_CA_BUNDLE:-$${CURL_CA_BUNDLE:-}}}"; \
if [ -d "$$cert" ]; then printf 'SSL_CERT_DIR=%q' "$$cert"; \
elif [ -n "$$cert" ]; then printf 'SSL_CERT_FILE=%q' "$$cert"; \
elif $(BIN)/python -c 'import ssl, sys; sys.exit(sys.platform == "linux" and not ssl.create_default_context().get_ca_certs())'; \
then echo UV_SYSTEM_CERTS=true; fi
endef
TESTS_OF_DECIDING_ROOMS = tests/approval $(wildcard tests/audit/test_[!v]*.py) tests/guard tests/plan \
	$(addprefix tests/deletion/test_,budget.py fault_factor.py fault_trial.py limit_search.py pacer.py pool.py tally.py traffic.py turns.py)
COMPILE = $(UV) pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help demo test test-pythons strace install uninstall check format reference docs recording pages wheel conformance rehearsal rehearsal-company reliability nightly soak mutants planted coverage bench guard bench-simulator witness javascript schemas lock clean

help: ## Say what there is.
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

demo: $(VENV)/.ready ## Purge a simulated vault; needs no AWS account and touches none.
	@$(BIN)/glacier-purge demo $(ARGUMENTS)

test: $(VENV)/.ready $(WITNESS)/.ready javascript strace ## Run the tests. ARGUMENTS="tests/audit -x" runs some of them.
	@$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGUMENTS)

test-pythons: $(VENV)/.ready ## Run the fast part of the tests on each newer Python there is. PYTHONS="python3.14" names some.
	@UV="$(UV)" PYTHONS="$(PYTHONS)" .ci/pythons

strace: # Makes disks fail under the tests; they skip where it is missing, but not in CI.
	@command -v $@ >/dev/null || { \
	    [ "$${CI:-}" = true ] || { echo "$@ is missing: its tests are skipped. On Debian and Ubuntu: apt-get install $@" >&2; exit 0; }; \
	    [ "$$(id -u)" = 0 ] || sudo=sudo; $${sudo:-} apt-get -qq update && $${sudo:-} apt-get -qq install -y $@ >/dev/null; }

PREFIX ?= $(HOME)/.local
PROGRAM = $(abspath $(PREFIX))/share/glacier-purge
MANUAL = $(PREFIX)/share/man/man1/glacier-purge.1
COMPLETIONS = $(addprefix $(PREFIX)/share/,bash-completion/completions/glacier-purge zsh/site-functions/_glacier-purge fish/vendor_completions.d/glacier-purge.fish)
install: $(VENV)/.ready ## Install the command, its manual and completions, below PREFIX=~/.local.
	@rm -rf $(WHEELS)
	@$(UV) build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir $(WHEELS)
	@$(UV) venv --quiet --clear --python $(PYTHON) $(PROGRAM)
	@$(UV) pip install --quiet --python $(PROGRAM)/bin/python --constraint requirements.lock $(WHEELS)/*.whl
	@mkdir -p $(PREFIX)/bin
	@ln -sfn $(PROGRAM)/bin/glacier-purge $(PREFIX)/bin/glacier-purge
	@mkdir -p $(sort $(dir $(MANUAL) $(COMPLETIONS)))
	@$(PREFIX)/bin/glacier-purge manual > $(MANUAL)
	@$(PREFIX)/bin/glacier-purge completion bash > $(word 1,$(COMPLETIONS))
	@$(PREFIX)/bin/glacier-purge completion zsh > $(word 2,$(COMPLETIONS))
	@$(PREFIX)/bin/glacier-purge completion fish > $(word 3,$(COMPLETIONS))
	@$(PREFIX)/bin/glacier-purge --version
	@case ":$$PATH:" in *":$(abspath $(PREFIX))/bin:"*) ;; *) echo "$(PREFIX)/bin is not on your PATH. Add it: export PATH=\"$(abspath $(PREFIX))/bin:\$$PATH\"";; esac

uninstall: ## Remove what install made. Run folders stay where they are.
	@rm -rf $(PROGRAM)
	@rm -f $(PREFIX)/bin/glacier-purge $(MANUAL) $(COMPLETIONS)

check: $(VENV)/.ready ## Format, lint, types, walls between rooms, the documentation's links, and the built wheel.
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(MAKE) docs wheel

format: $(VENV)/.ready ## Put the code into its format.
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

reference: $(VENV)/.ready ## Write docs/reference from the code: verbs, settings, exit codes, JSON answers.
	@rm -rf docs/reference
	@$(BIN)/glacier-purge manual --pages-to docs/reference

docs: reference ## Build the documentation into build/docs; a link or anchor that leads nowhere fails.
	@mkdir -p build
	@NO_COLOR=1 $(BIN)/zensical build --clean --strict >build/docs.log 2>&1 || { sed -n '/^Traceback/q;p' build/docs.log >&2; exit 1; }

recording: $(VENV)/.ready ## Record the README's picture again, from a real run of the demo.
	@$(BIN)/python -m tests.recording

wheel: $(VENV)/.ready ## Build the wheel and try it in a clean environment, the source out of reach.
	@rm -rf $(WHEELS) $(CLEAN_ROOM)
	@$(UV) build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir $(WHEELS)
	@$(UV) venv --quiet --python $(BIN)/python $(CLEAN_ROOM)
	@$(UV) pip install --quiet --python $(CLEAN_ROOM)/bin/python --constraint requirements.lock $(WHEELS)/*.whl
	@$(CLEAN_ROOM)/bin/python -I tests/check_wheel.py $(WHEELS)/*.whl

pages: $(VENV)/.ready $(BROWSER)/.ready ## Look at report and live page with a real browser; installs Chromium on Debian and Ubuntu.
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] || sudo=sudo; \
	    $${sudo:-} apt-get -qq update && $${sudo:-} apt-get -qq install -y chromium >/dev/null; }
	@$(BIN)/python -m pytest -n 0 tests/browser/pages.py $(ARGUMENTS)

conformance: $(VENV)/.ready $(WITNESS)/.ready javascript ## Hold the simulator against AWS's own model and clients.
	@$(BIN)/python -m tests.conformance.coverage
	@$(BIN)/python -m pytest -n 2 tests/conformance

rehearsal: $(VENV)/.ready ## Rehearse a whole lifecycle under the worst of weeks: days in about a minute.
	@$(BIN)/python -m tests.rehearsal.lifecycle

rehearsal-company: $(VENV)/.ready ## Rehearse a company of 400 vaults under Temporal while workers, disks and servers die. ARGUMENTS="--vaults 40" is smaller.
	@$(BIN)/python -m tests.rehearsal.company $(ARGUMENTS)

reliability: $(VENV)/.ready strace ## Try each campaign of the programme of reliability as often as every change is held to.
	@$(BIN)/python -m tests.reliability $(ARGUMENTS)

HOURS ?= 2
nightly: $(VENV)/.ready strace ## Go on from there with new seeds, HOURS=2, and write what was reached into RELIABILITY.md.
	@$(BIN)/python -m tests.reliability --hours $(HOURS) $(ARGUMENTS)
	@$(BIN)/python -m tests.rehearsal.company --archives 240 --worker-kills 50 --server-kills 5 --lost-disks 5 --partitions 3 --minutes-max 120

MINUTES ?= 60
soak: $(VENV)/.ready ## Purge at 2,000 deletes a second in all weathers, MINUTES=60, and find what grows; recorded as a night is.
	@$(BIN)/python -m tests.reliability.soak --minutes $(MINUTES) --record

coverage: $(VENV)/.ready ## Fail unless the tests of the rooms that only decide take each of their branches.
	@$(BIN)/python -m coverage run -m pytest -q -n 0 -p no:cacheprovider $(TESTS_OF_DECIDING_ROOMS)
	@$(BIN)/python -m coverage report

SEED ?= 0
mutants: $(VENV)/.ready ## Would the tests see a mistake? Try 300 of them, a sample that SEED=0 decides; recorded as a night is.
	@$(BIN)/python -m tests.reliability.mutation --seed $(SEED) --record

planted: $(VENV)/.ready ## Would the simulation see a bug? Plant some, one at a time, and say which seed finds each.
	@$(BIN)/python -m tests.reliability.planted --record

bench: $(VENV)/.ready ## Measure, as ratios, in at most five minutes.
	@$(BIN)/python -m benchmarks

guard: $(VENV)/.ready ## Fail when a ratio shows that something became much slower.
	@$(BIN)/python -m benchmarks.guard

bench-simulator: $(VENV)/.ready ## Measure the simulator.
	@$(BIN)/python -m benchmarks.bench_simulator

witness: $(WITNESS)/.ready ## Make the second environment: AWS CLI, boto3 and moto, without this project.

javascript: ## Install AWS's SDK for JavaScript as one more witness, with npm.
	@command -v npm >/dev/null && $(MAKE) $(JAVASCRIPT)/.ready || { \
	    echo "AWS's SDK for JavaScript is not there (it takes npm and its registry): its tests are skipped" >&2; \
	    [ "$${CI:-}" != true ]; }

schemas: $(VENV)/.ready ## Write config/schema.json and config/schemas again from the code.
	@$(BIN)/glacier-purge config schema > config/schema.json
	@$(BIN)/glacier-purge config schema --all-to config/schemas

lock: $(VENV)/.ready ## Write the lock files again from pyproject.toml.
	@$(COMPILE) --group dev --extra temporal pyproject.toml --output-file requirements.lock
	@$(COMPILE) --group witness --output-file requirements-witness.lock
	@$(COMPILE) --group bootstrap --output-file requirements-bootstrap.lock
	@$(COMPILE) --group browser --output-file requirements-browser.lock

clean: ## Remove everything make made.
	@rm -rf $(VENV) $(WITNESS) $(JAVASCRIPT) $(BROWSER) build dist docs/reference .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find engine config tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.uv: requirements-bootstrap.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "glacier-purge needs Python 3.11 or newer, and $(PYTHON) is not. Name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	    echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
	@touch $@

$(VENV)/.ready: $(VENV)/.uv requirements.lock pyproject.toml
	@$(UV) pip sync --quiet --require-hashes --compile-bytecode --python $(BIN)/python requirements.lock
	@$(UV) pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@touch $@

$(WITNESS)/.ready: $(VENV)/.uv requirements-witness.lock
	@$(UV) venv --quiet --allow-existing --python $(BIN)/python $(WITNESS)
	@$(UV) pip sync --quiet --require-hashes --python $(WITNESS)/bin/python requirements-witness.lock
	@touch $@

$(BROWSER)/.ready: $(VENV)/.uv requirements-browser.lock
	@$(UV) venv --quiet --allow-existing --python $(BIN)/python $(BROWSER)
	@$(UV) pip sync --quiet --require-hashes --python $(BROWSER)/bin/python requirements-browser.lock
	@npm install --silent --no-save --ignore-scripts --no-audit --no-fund --prefix $(BROWSER) axe-core@4.14.1
	@touch $@

$(JAVASCRIPT)/.ready: tests/conformance/javascript/package.json tests/conformance/javascript/package-lock.json
	@mkdir -p $(JAVASCRIPT)
	@cp $^ $(JAVASCRIPT)
	@cd $(JAVASCRIPT) && npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@
