# What a person does with this repository. `make` alone lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Each stamp is touched when its step is done, so that a repeated `make` costs nothing.
LOCKED := $(VENV)/.locked
EXTENSION := $(VENV)/.extension
INSTALLED := $(VENV)/.installed
EXTENSION_SOURCES := $(filter-out %.tsbuildinfo, \
  $(wildcard extension/*.* extension/jupyter_server_config.d/* extension/schema/*)) \
  $(shell find extension/src extension/style -type f 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help demo lab test bench soak simulate fix clean

help: ## list what can be made
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## a seeded warehouse, a flow, an experiment and its decision, offline
	@$(BIN)/promptstudio demo

lab: $(INSTALLED) ## JupyterLab on the notebooks
	@$(BIN)/jupyter lab notebooks $(if $(filter 0,$(shell id -u)),--allow-root)

test: $(INSTALLED) ## every gate and every test
	@$(BIN)/python -m tests.run test

bench: $(INSTALLED) ## the figures we hold ourselves to, side by side
	@$(BIN)/python -m tests.run bench

soak: $(INSTALLED) ## the long runs: crashes, many writers, hours
	@$(BIN)/python -m tests.run soak

simulate: $(INSTALLED) ## 1,000 experiments whose truth is known, through the whole product
	@$(BIN)/python -m tests.soak.simulated_experiments

fix: $(INSTALLED) ## put right what tools can put right
	@$(BIN)/python -m tests.run fix

clean: ## remove everything that was built
	rm -rf $(VENV) build dist extension/lib extension/node_modules extension/*.tsbuildinfo
	rm -rf promptstudio_lab/labextension .coverage .hypothesis .import_linter_cache
	rm -rf .mypy_cache .pytest_cache .ruff_cache
	find promptstudio_lab tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The lock is whole, so pip has nothing to resolve.
$(LOCKED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@echo "Installing the locked dependencies: some minutes, once"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --no-deps --require-hashes -r $<
	@touch $@

# Without Node everything but the JupyterLab part works; each `make` then looks again, in a second.
$(EXTENSION): $(LOCKED) $(EXTENSION_SOURCES)
	@mkdir -p promptstudio_lab/labextension
	@if [ ! -e extension/package-lock.json ]; then \
	  echo "The JupyterLab extension has no lock file and is not built"; \
	elif ! command -v npm >/dev/null; then \
	  echo "Node is missing: the JupyterLab extension is not built"; \
	else \
	  echo "Building the JupyterLab extension" && cd extension && \
	  { cmp -s package-lock.json node_modules/.locked || \
	    { npm ci --silent --no-audit --no-fund && cp package-lock.json node_modules/.locked; }; } && \
	  PATH="$(CURDIR)/$(BIN):$$PATH" npm run --silent build && touch "$(CURDIR)/$@"; \
	fi

$(INSTALLED): $(EXTENSION) pyproject.toml
	@SKIP_JUPYTER_BUILDER=1 $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --no-deps --no-build-isolation --editable .
	@touch $@
