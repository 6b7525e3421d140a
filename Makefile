# `make` alone says what there is.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNS ?= 200
# In the suite; `make simulate` plays more, and asks for what happens in fewer than one of a hundred.
TEST_RUNS ?= 50
SEED ?= 1

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Sankofa needs Python 3.11 or newer")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --require-hashes -r requirements/runtime.txt
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	$(BIN)/python -m pip install -q --require-hashes -r requirements/dev.txt
	@touch $@

setup: $(VENV)/.runtime ## makes .venv/bin/sankofa

demo: setup ## runs the history of trqn-1 through the four services (ARGS=--exit ends by itself)
	$(BIN)/sankofa demo $(ARGS)

histories: setup ## every history in one process, one table of figures (ARGS="--scale 0.05", ARGS="--only CODE")
	$(BIN)/sankofa history all $(ARGS)

# In the order of the folders: by themselves the workers would begin the longest files last. What the processes of the
# tests read is compiled once, whatever the surroundings say.
test: $(VENV)/.dev ## the whole suite
	RUNS=$(TEST_RUNS) SEED=$(SEED) PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not long" $(ARGS)

browser: ## installs Chromium and fonts for the tests of pages, where apt-get is there and it is root's to do
	@if test -x /usr/bin/chromium; then true; elif command -v apt-get > /dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	  chromium fonts-noto-core; else echo "Chromium is missing, and this is not root with apt-get"; fi

redis: ## installs Redis, for the pretalx that `make bench-pages` measures beside us, as `make browser` does
	@if test -x /usr/bin/redis-server; then true; elif command -v apt-get > /dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	  redis-server; else echo "Redis is missing, and this is not root with apt-get"; fi

screenshots: $(VENV)/.dev ## the pictures of the documents, from the tests of pages
	mkdir -p docs/images
	SCREENSHOTS=docs/images $(BIN)/python -m pytest -m "not long" tests/e2e/test_pages.py $(ARGS)
	for one in docs/images/*.png; do grep -q "images/$$(basename $$one)" README.md docs/*.md || rm $$one; done

journeys: $(VENV)/.dev ## the long form of pages: every journey in each language and width, lines and sessions killed
	$(BIN)/python -m pytest -m long tests/e2e/test_pages.py $(ARGS)

real: $(VENV)/.dev ## the long form: several processes on real servers, killed and frozen
	$(BIN)/python -m pytest -m "long and not containers" tests/integration $(ARGS)

whole: $(VENV)/.dev ## the long forms of one machine: the demo's figures, a whole history under kills
	$(BIN)/python -m pytest -m "long and not real and not containers" tests/unit tests/e2e \
	  --ignore tests/e2e/test_pages.py $(ARGS)

containers: $(VENV)/.dev ## docker-compose.yml for real; needs root, docker.io, docker-compose, debootstrap
	$(BIN)/python -m pytest -m containers -rs tests/integration $(ARGS)

lint: $(VENV)/.dev ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## static types
	$(BIN)/mypy

format: $(VENV)/.dev ## rewrites the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

simulate: $(VENV)/.dev ## random schedules of the kernel (RUNS=200 SEED=1)
	$(BIN)/python -m tests.simulation --runs $(RUNS) --seed $(SEED) $(ARGS)

bench: $(VENV)/.dev ## benchmarks, written to docs/benchmarks.md
	$(BIN)/python -m tests.bench $(ARGS)

bench-real: $(VENV)/.dev ## benchmarks on real servers, beside consumers of other making
	$(BIN)/python -m tests.bench --real $(ARGS)

bench-load: $(VENV)/.dev ## load from outside through HTTP, beside an earlier build (ARGS=--quick: minutes)
	$(BIN)/python -m tests.bench --load $(ARGS)

bench-pages: $(VENV)/.dev ## pages in Chromium on a slow line and beside pretalx, long lists under load, the longest that is typed
	$(BIN)/python -m tests.bench --pages $(ARGS)

generate: $(VENV)/.dev ## schemas, event map and other generated files
	$(BIN)/python -m deploy.generate

lock: $(VENV)/.dev ## compiles the hash-locked requirements
	cd requirements && for n in runtime dev peers; do ../$(BIN)/uv pip compile -q --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-emit-index-url --no-annotate $$n.in -o $$n.txt; done; \
	../$(BIN)/uv pip compile -q --universal --python-version 3.13 \
	  --generate-hashes --no-header --no-emit-index-url --no-annotate pretalx.in -o pretalx.txt

clean: ## removes what was made here
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .cache *.egg-info build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help setup demo histories test browser redis screenshots journeys real containers lint types format simulate bench bench-real bench-load bench-pages generate lock clean
