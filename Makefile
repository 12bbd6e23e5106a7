# Each target works alone on a fresh machine: the virtual environment is made where it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready-$(shell cksum < requirements.lock | cut -d ' ' -f 1)
RAW := .local/raw/flights

.PHONY: demo test test-fast check bench clean help install

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(READY)  ## make the virtual environment from the lock file

$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else "error: found Python %d.%d, need 3.11, 3.12 or 3.13; name one with: make PYTHON=python3.11" % v)'
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.platform in ("linux", "darwin") else "error: found %s, need Linux or macOS; on Windows use WSL" % sys.platform)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@rm -f $(VENV)/.ready-*
	@touch $@

demo: $(READY)  ## run the pipeline on flights from New York, one model per airport
	@$(BIN)/python config/examples/make_flights.py $(RAW)
	$(BIN)/python -m pipelines.run --local

test: $(READY)  ## all tests, the fast ones first
	$(BIN)/python -m pytest -n auto -m "not slow"
	$(BIN)/python -m pytest -m slow

test-fast: $(READY)  ## the tests that train nothing
	$(BIN)/python -m pytest -n auto -m "not slow"

check: $(READY)  ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)  ## measure the demo's steps against a plain script, in the same run
	$(BIN)/python tests/bench.py

clean:  ## remove the environment, the workspace and caches
	rm -rf $(VENV) .local .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
