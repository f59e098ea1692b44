# Two commands on a fresh machine with Python >= 3.11, git and make:
#   make demo    trains, evaluates and writes a report on the embedded default
#   make test    passes the tests
# Everything they need is installed into .venv by uv, which is fetched from PyPI when missing.

PYTHON ?= python3
UV := $(or $(shell command -v uv 2>/dev/null),.tools/bin/uv)
RUN := $(UV) run --frozen --no-sync

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-wheel lock-check sweep-full lab bench notebooks-full lint format pretrain clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

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
	$(RUN) pytest -m "not slow and not wheel" -n 2 --dist loadfile

test-slow: setup  ## run the tests that take minutes
	$(RUN) pytest -m slow

test-wheel: setup  ## build the packages from a clone of HEAD, install the wheel elsewhere, and use it
	$(RUN) pytest -m wheel tests/wheel

lock-check: setup  ## whether uv.lock and environment.yml are in step with pyproject.toml
	$(UV) lock --check
	$(RUN) pytest tests/test_environment.py -k conda

sweep-full: setup  ## the sweep of 24 runs that are killed, fail and are interrupted, and one on Dask
	$(RUN) pytest -m slow tests/sweeps

lab: setup  ## open JupyterLab ready to use
	$(RUN) vptsp lab

bench: setup  ## measure speed, as ratios within one process
	$(RUN) python -m benchmarks

notebooks-full: setup  ## run notebooks 05-07 at full length (about an hour) and render them into docs/
	for name in 05_compare_methods 07_recognition 06_ablations; do \
	  OMP_NUM_THREADS=1 $(RUN) python -c "from vptsp.notebooks import run_notebook; run_notebook('$$name', 'runs/full/$$name.ipynb', {'run_dir': 'runs/full/$$name'})" && \
	  $(RUN) python -m vptsp.pages runs/full/$$name.ipynb docs/$$name.html || exit 1; \
	done

lint: setup  ## ruff and mypy
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy

format: setup  ## rewrite the code in the project's format
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

pretrain: setup  ## train the bundled backbone again, from generated images
	$(RUN) python -m vptsp.pretraining

clean:  ## remove what the targets made, except runs
	rm -rf .venv .tools .pytest_cache .mypy_cache .ruff_cache .hypothesis
