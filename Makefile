# Two commands are enough: `make demo` to see it, `make test` to check it.
.DEFAULT_GOAL := help
.PHONY: help setup demo todo store test check format soak bench bench-data dist clean

PYTHON ?= python3.11
BIN := .venv/bin
export PATH := $(CURDIR)/.venv/bin:$(PATH)
JOBS ?= auto

help: ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.ready ## Create .venv with the pylon command in it

demo: .venv/.ready ## Run the chat example and print its address
	@$(BIN)/pylon dev examples/chat

todo: examples/todo/public/index.html ## Run the todo example in React and print its address
	@$(BIN)/pylon dev examples/todo

store: examples/store/public/index.html examples/store/.env ## Run the shop example in React and print its address
	@$(BIN)/pylon dev examples/store

test: check ## Lint, types, layers and every test
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

check: .venv/.ready-for-tests ## Lint, types and layers only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bun run --silent typecheck

format: .venv/.ready-for-tests ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

soak: .venv/.ready-for-tests ## The long runs: many more crash rounds and seeds
	$(BIN)/python -m pytest -m soak --timeout 7200

bench: .venv/.ready-for-tests ## Measure against PocketBase on this machine (needs wrk)
	$(BIN)/pip install --quiet '.[bench]'
	$(BIN)/python -m bench.http
	$(BIN)/python -m bench.fanout

bench-data: .venv/.ready-for-tests ## Measure 10,000 against 1,000,000 rows on both engines (needs wrk)
	$(BIN)/python -m bench.data

clean: ## Remove everything that can be made again
	rm -rf .venv node_modules artifacts packages/sync/dist examples/todo/public examples/store/public .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/.ready: pyproject.toml
	$(PYTHON) -m venv .venv || { echo "Install venv first: apt-get install python3-venv"; exit 1; }
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[functions,crdt]'
	@touch $@

.venv/.ready-for-npm: .venv/.ready package.json bun.lock
	$(BIN)/bun install --frozen-lockfile --silent
	@touch $@

.venv/.ready-for-tests: .venv/.ready-for-npm
	$(BIN)/pip install --quiet --editable '.[functions,crdt,dev]'
	@touch $@

STORE_SOURCES := examples/store/build.ts examples/store/functions/shop/pricing.ts \
	$(wildcard examples/store/src/* examples/store/src/style/* packages/sync/src/* packages/react/src/*)

examples/store/public/index.html: .venv/.ready-for-npm $(STORE_SOURCES)
	$(BIN)/bun examples/store/build.ts

# Secrets of its own for every checkout.
examples/store/.env:
	@umask 077; while read -r line; do case "$$line" in \
	  *=random) echo "$${line%random}$$(od -An -tx1 -N24 /dev/urandom | tr -d ' \n')" ;; \
	  *) echo "$$line" ;; esac; done < examples/store/env.example > $@

TODO_SOURCES := examples/todo/build.ts $(wildcard examples/todo/src/* examples/todo/worker/*) \
	$(wildcard packages/sync/src/* packages/react/src/* packages/loro/src/*)

examples/todo/public/index.html: .venv/.ready-for-npm $(TODO_SOURCES)
	$(BIN)/bun examples/todo/build.ts
