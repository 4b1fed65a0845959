# Builds, runs, tests and documents Stathouse. `make help` lists the targets; each sets up what it needs,
# and a second run does only what has changed. Output of the steps is kept in .make/*.log.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# Found before the venv is put in front of PATH: with it the venv is made.
PYTHON ?= $(shell command -v python3)
PYTHON := $(PYTHON)
VENV := .venv
BIN := $(VENV)/bin
# What is done to the environment is noted inside it, so that removing .venv removes the note.
READY := $(VENV)/ready
LOGS := .make
PAGE := src/stathouse/web/page/index.html
CORE := src/stathouse/_core.abi3.so
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install -c constraints.txt
CARGO := cargo --quiet
MANIFEST := --manifest-path rust/Cargo.toml
ARGS ?=

export CARGO_TARGET_DIR := $(CURDIR)/target
# Tests and tools take the venv of this project, not one that happens to be active.
unexport PYTHONPATH PYTHONHOME
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
export PATH := $(CURDIR)/$(BIN):$(PATH)

RUST_SOURCES := $(shell find rust/src -name '*.rs' 2>/dev/null) $(wildcard rust/Cargo.toml rust/Cargo.lock rust/build.rs)
PAGE_SOURCES := $(shell find web \( -name node_modules -o -name dist \) -prune -o -type f -print 2>/dev/null)

# $(call step,what is being done,command): one line when it goes well, the whole log when it does not.
define step
@mkdir -p $(LOGS); printf '  %s\n' "$(1)"
@( $(2) ) >$(LOGS)/$(@F).log 2>&1 || { code=$$?; cat $(LOGS)/$(@F).log >&2; echo "failed: $(1)" >&2; exit $$code; }
endef

.PHONY: help run page setup test test-rust test-page test-python docs bench pins dist clean
.PHONY: lint lint-ruff lint-types lint-stub lint-imports lint-page lint-rust

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

run: ## build what is needed, then start the house (ARGS="--http-port 9000" are its options)
	@$(MAKE) -s -j2 $(READY)/installed
	@exec $(BIN)/stathouse serve $(ARGS)

page: $(PAGE) ## the web page alone

setup: ## all that run, test, lint and docs need
	@$(MAKE) -s -j2 $(READY)/installed $(READY)/dev

test: setup ## Rust, page and Python tests, with real servers and a real browser where they are installed
	@$(MAKE) test-rust test-page test-python

test-rust:
	@echo "cargo test"
	@$(CARGO) test $(MANIFEST)

test-page: $(PAGE)
	@echo "npm test"
	@npm --prefix web --silent run test

test-python: $(READY)/installed $(READY)/dev
	@echo "pytest"
	@$(BIN)/python -m pytest $(ARGS)

lint: setup ## formats, types, import contracts, clippy; the stub against the compiled core
	@$(MAKE) -k lint-ruff lint-types lint-stub lint-imports lint-page lint-rust

lint-ruff:
	@echo "ruff"; code=0; $(BIN)/ruff check --quiet . || code=1; $(BIN)/ruff format --check --quiet . || code=1; exit $$code

lint-types:
	@echo "mypy"; $(BIN)/mypy --no-error-summary

lint-stub:
	@echo "stubtest"; $(BIN)/python -m mypy.stubtest stathouse._core --concise

lint-imports:
	@echo "import contracts"; $(BIN)/lint-imports --no-logo >$(LOGS)/imports.log || { cat $(LOGS)/imports.log; exit 1; }

lint-page:
	@echo "page types"; npm --prefix web --silent run typecheck

lint-rust:
	@echo "cargo fmt"; cargo fmt $(MANIFEST) --check
	@echo "clippy"; $(CARGO) clippy $(MANIFEST) --all-targets --features python -- -D warnings

docs: setup ## the documentation as HTML, warnings are errors
	@echo "sphinx"
	@$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench: setup ## the benchmarks; they take minutes and want a quiet machine
	@$(CARGO) build --release $(MANIFEST) --example udp_floor
	@$(BIN)/python -m benchmarks $(ARGS)

pins: ## refresh constraints.txt with the newest versions that pyproject.toml allows
	$(call step,resolving all requirements anew,rm -rf $(LOGS)/pins && $(PYTHON) -m venv $(LOGS)/pins \
	  && $(LOGS)/pins/bin/python -m pip install -q -U pip \
	  && $(PYTHON) build_backend/requirements.py serve dev >$(LOGS)/pins.txt \
	  && $(LOGS)/pins/bin/python -m pip install -q -r $(LOGS)/pins.txt \
	  && $(LOGS)/pins/bin/python -m pip freeze --all | $(PYTHON) build_backend/requirements.py --pins >constraints.new \
	  && mv constraints.new constraints.txt)

dist: setup ## an sdist and a wheel in dist/
	$(call step,building the sdist and the wheel,rm -rf dist && mkdir dist && $(BIN)/python -c \
	  "import sys; sys.path.insert(0, 'build_backend'); import stathouse_build as b; b.build_sdist('dist'); b.build_wheel('dist')")
	@ls dist

clean: ## remove everything that was built, the venv too
	rm -rf $(LOGS) $(VENV) target build dist docs/_build web/node_modules src/stathouse/web/page
	rm -f src/stathouse/*.so

$(READY)/venv:
	$(call step,making the virtual environment,\
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Stathouse needs Python 3.11 or newer")' \
	  && $(PYTHON) -m venv $(VENV) && $(PIP) pip maturin && mkdir -p $(READY))
	@touch $@

$(READY)/serve: pyproject.toml constraints.txt build_backend/requirements.py | $(READY)/venv
	$(call step,installing the Python packages of the house,\
	  $(PYTHON) build_backend/requirements.py serve >$@.txt && $(PIP) -r $@.txt)
	@touch $@

$(READY)/dev: pyproject.toml constraints.txt build_backend/requirements.py | $(READY)/installed
	$(call step,installing the tools for tests and docs,\
	  $(PYTHON) build_backend/requirements.py dev >$@.txt && $(PIP) -r $@.txt)
	@touch $@

$(PAGE): $(PAGE_SOURCES) build_backend/page.py
	$(call step,building the web page,$(PYTHON) build_backend/page.py)
	@touch $@

$(CORE): $(RUST_SOURCES) | $(READY)/venv
	$(call step,compiling the Rust core,$(BIN)/maturin develop --skip-install --release)
	@touch $@

$(READY)/installed: pyproject.toml build_backend/stathouse_build.py | $(READY)/serve $(PAGE) $(CORE)
	$(call step,installing stathouse into the virtual environment,$(PIP) --no-deps --no-build-isolation --editable .)
	@touch $@
