# Needs Python 3.11 or newer, git and make; everything else goes into .venv, from uv.lock. Another Python: make PYTHON=python3.12 ...

PYTHON ?= python3
BIN := .venv/bin
# what is rebuilt when it changes: the lock, what it was made from, and how it is installed
LOCKED := uv.lock pyproject.toml tests/checks/environment.py
EXAMPLES ?= 2000
SECONDS ?= 600
TOUR := notebooks/00_tour.ipynb

# an active environment, or a tool's settings, never decide where something is installed or imported from
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH PYTHONSTARTUP MAKEFLAGS MFLAGS MAKELEVEL

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo lab test check faults differential fuzz bench requirements setup provision clean

help:            ## say what there is
	@sed -n 's/^\([a-z]*\): .*## \(.*\)/make \1	\2/p' Makefile | expand -t 20

setup: .venv/.stamp-tour  ## make .venv, with everything that the tour needs

.venv/.stamp-tour: $(LOCKED)
	@$(PYTHON) tests/checks/environment.py

.venv/.stamp-dev: $(LOCKED)
	@$(PYTHON) tests/checks/environment.py --dev

demo: .venv/.stamp-tour  ## run the tour: model, generate, deploy to two local front-ends; Ctrl-C ends it
	@exec $(BIN)/lowcode demo $(TOUR)

lab: .venv/.stamp-tour   ## open the tour in JupyterLab
	@exec $(BIN)/python -m jupyterlab $(if $(filter 0,$(shell id -u)),--allow-root) $(TOUR)

provision:               # system packages for the browser and farm suites, by apt, when it may
	@sh tests/provision.sh

# both parts run whatever the first says, so that one run shows all that is wrong; pytest covers the rest of `make check`
test: provision .venv/.stamp-dev  ## everything that CI runs: check, then all tests
	@$(BIN)/python tests/checks/check.py format lint types test-types; checked=$$?; \
	$(BIN)/python -m pytest $(PYTEST) && exit $$checked

check: .venv/.stamp-dev  ## format, lint, types, architecture, packaging
	@exec $(BIN)/python tests/checks/check.py

faults: .venv/.stamp-dev  ## the whole campaign of faults against deployments, of which `make test` runs a third
	@exec $(BIN)/python -m pytest --campaign -m campaign tests

differential: .venv/.stamp-dev  ## random applications with and without the optimizer, many: make differential EXAMPLES=2000
	@DIFFERENTIAL_EXAMPLES=$(EXAMPLES) exec $(BIN)/python -m pytest tests/differential

fuzz: .venv/.stamp-dev  ## fuzz every parser with atheris: make fuzz SECONDS=600; findings in build/fuzz
	@$(BIN)/uv sync --frozen --quiet --inexact --group tour --group dev --group fuzz
	@exec $(BIN)/python -m tests.fuzz -max_total_time=$(SECONDS) -timeout=30 -max_len=20000 build/fuzz/corpus

bench: .venv/.stamp-dev  ## measure beside peers: reads, load, deploy, generate, import; writes build/bench.json and build/bench.md
	@exec $(BIN)/python -m tests.bench

requirements: .venv/.stamp-dev  ## pin what generated applications run on to uv.lock's versions: generators/requirements.lock
	@exec $(BIN)/python tests/checks/requirements.py

clean:           ## remove what the build made (.venv stays; rm -rf .venv removes it)
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./.venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
