# Each target works alone on a fresh machine: the virtual environment is made where it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready-$(shell cat requirements.lock config/libraries.txt | cksum | cut -d ' ' -f 1)
EMULATOR := .venv-emulator
EMULATOR_READY := $(EMULATOR)/.ready-$(shell cksum < requirements-emulator.lock | cut -d ' ' -f 1)
INFRA := .venv-infra
PEER := .venv-bench
PEER_READY := $(PEER)/.ready-$(shell cksum < requirements-bench.lock | cut -d ' ' -f 1)
INFRA_READY := $(INFRA)/.ready-$(shell cksum < requirements-infra.lock | cut -d ' ' -f 1)
RAW := .local/raw/flights
RUNS := 30
KILLS := 100
SEED := 0
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs  # without its notice about another product
REPORTS :=  # folder for test reports, such as CodeBuild's

.PHONY: demo test test-fast check docs docs-check docs-serve notebook reference screenshots chaos bench bench-full clean help install install-emulator install-browser check-infra containers test-containers smoke-aws soak

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(READY)  ## make the virtual environment from the lock file

$(READY): requirements.lock config/libraries.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else "error: found Python %d.%d, need 3.11, 3.12 or 3.13; name one with: make PYTHON=python3.11" % v)'
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.platform in ("linux", "darwin") else "error: found %s, need Linux or macOS; on Windows use WSL" % sys.platform)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock --requirement config/libraries.txt
	@rm -f $(VENV)/.ready-*
	@touch $@

install-emulator: $(EMULATOR_READY)  ## make the environment of the emulator that stands in for AWS in tests

$(EMULATOR_READY): requirements-emulator.lock | $(READY)
	test -x $(EMULATOR)/bin/python || $(BIN)/python -m venv $(EMULATOR)
	$(EMULATOR)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements-emulator.lock
	@rm -f $(EMULATOR)/.ready-*
	@touch $@

install-browser: $(READY)  ## get Chromium for the tests of pages, by apt-get unless one is here (CHROMIUM=PATH names it)
	@$(BIN)/python tests/browser/chromium.py

demo: $(READY)  ## run the pipeline on flights from New York, one model per airport
	@$(BIN)/python config/examples/make_flights.py $(RAW)
	$(BIN)/python -m pipelines.run --local

test: $(READY) $(EMULATOR_READY) install-browser  ## all tests, the fast ones first
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow" $(if $(REPORTS),--junitxml=$(REPORTS)/fast.xml)
	$(BIN)/python -m pytest -m slow $(if $(REPORTS),--junitxml=$(REPORTS)/slow.xml)

test-fast: $(READY)  ## the tests that train nothing
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

check: $(READY)  ## format, lint, types, import rules, documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory docs-check
	@$(MAKE) --no-print-directory check-infra

check-infra: $(INFRA_READY)  ## templates, policies and security: cfn-lint, checkov, parliament, bandit
	$(INFRA)/bin/cfn-lint --non-zero-exit-code informational config/cloudformation/*.yml
	$(INFRA)/bin/checkov --config-file config/checkov.yml
	$(INFRA)/bin/python -W ignore tests/infrastructure/lint_policies.py
	$(INFRA)/bin/bandit --quiet --configfile pyproject.toml --recursive pipelines steps lambda_trigger

$(INFRA_READY): requirements-infra.lock | $(READY)
	test -x $(INFRA)/bin/python || $(BIN)/python -m venv $(INFRA)
	$(INFRA)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements-infra.lock
	@rm -f $(INFRA)/.ready-*
	@touch $@

containers: $(READY)  ## build both images with the Docker engine of this machine
	@PYTHON=$(BIN)/python bash containers/build_local.sh

test-containers: containers  ## the demo in the images: the SDK's local mode and our engine, against processes
	@$(BIN)/python config/examples/make_flights.py $(RAW)
	$(BIN)/python -m pytest -rs --durations 0 tests/containers/compare_containers.py

smoke-aws: $(READY)  ## check on a real account what is believed of AWS: make smoke-aws ENV=prod RAW=s3://BUCKET/FOLDER/
	@case "$(RAW)" in s3://*) ;; *) echo "error: name raw files on AWS: make smoke-aws ENV=prod RAW=s3://BUCKET/FOLDER/" >&2; exit 2;; esac
	@PYTHONPATH=. $(BIN)/python tests/smoke/smoke_aws.py $(if $(ENV),--env $(ENV)) --raw $(RAW) $(OPTIONS)

chaos: $(READY)  ## kill engines and steps of real runs at random moments, retry, compare: make chaos RUNS=30 KILLS=100 SEED=0
	CRASH_STRIDE=1 $(BIN)/python -m pytest -q tests/chaos/test_crash_points.py
	$(BIN)/python tests/chaos/chaos.py --runs $(RUNS) --kills $(KILLS) --seed $(SEED)

bench: $(READY) $(PEER_READY)  ## measure against plain scripts, AutoGluon by itself, pandas and Metaflow, in the same run
	$(BIN)/python tests/bench/bench.py $(OPTIONS)

bench-full: $(READY) $(PEER_READY)  ## the same with every pair repeated, and 1,000 small segments
	$(BIN)/python tests/bench/bench.py --full $(OPTIONS)

$(PEER_READY): requirements-bench.lock | $(READY)
	test -x $(PEER)/bin/python || $(BIN)/python -m venv $(PEER)
	$(PEER)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements-bench.lock
	@rm -f $(PEER)/.ready-*
	@touch $@

soak: $(READY)  ## watch a folder through 60 writings of 50 run markers and two restarts; count what is lost or doubled
	$(BIN)/python tests/end_to_end/watch_soak.py $(OPTIONS)

docs: $(READY)  ## build the documentation's site: build/site/index.html
	$(MKDOCS) build --strict --quiet --config-file config/mkdocs.yml
	@echo "open build/site/index.html; make docs-serve has the search too"

reference: $(READY)  ## write the pages of docs/reference/ that are made from the code
	@PYTHONPATH=. $(BIN)/python tests/documentation/reference.py

notebook: $(READY)  ## run docs/walkthrough.ipynb, and keep the outputs that are the same in every run
	@PYTHONPATH=. $(BIN)/python tests/documentation/notebook.py

docs-check: $(READY)  ## build the documentation strictly, keep nothing
	@site=$$(mktemp -d) && trap 'rm -rf "$$site"' EXIT && $(MKDOCS) build --strict --quiet --config-file config/mkdocs.yml --site-dir "$$site"

screenshots: $(READY) install-browser  ## take the pictures of the documentation anew: two runs of the demo, looked at in Chromium
	@$(BIN)/python config/examples/make_flights.py $(RAW)
	$(BIN)/python docs/screenshots.py

docs-serve: $(READY)  ## show the documentation at http://localhost:8000, built anew when a page changes
	$(MKDOCS) serve --config-file config/mkdocs.yml

clean:  ## remove the environment, the workspace and caches
	rm -rf $(VENV) $(EMULATOR) $(INFRA) $(PEER) .local .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
