# Two commands for newcomers: `make run` and `make test`. Everything runs in .venv, installed from
# requirements/*.lock: hashes are checked and no host is named, so any mirror will do.
PYTHON ?= python3
BIN := .venv/bin
SITE ?= data/sites/dakhla.toml
DATA ?= var
SHELL := /bin/sh

.DEFAULT_GOAL := help
.PHONY: help setup run test test-peers soak lint format lock bundle agent docs screenshot clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null \
	  || sed -n 's/^\([a-z-]*\):.*## /  make \1  /p' Makefile

setup: .venv/runtime.stamp ## the environment that the service needs (uv where found, else pip)

.venv/runtime.stamp: requirements/runtime.lock pyproject.toml deploy/setup.sh
	@PYTHON=$(PYTHON) sh deploy/setup.sh runtime

.venv/dev.stamp: requirements/dev.lock pyproject.toml deploy/setup.sh
	@PYTHON=$(PYTHON) sh deploy/setup.sh dev

run: setup ## set up if needed, then serve the sample site; prints its address and, once, the first key
	$(BIN)/chergui run --site $(SITE) --data-dir $(DATA) $(if $(PORT),--port $(PORT))

test: lint ## set up if needed, then all checks that need neither root nor a network
	$(BIN)/pytest -m "not peer" -n 2 --dist loadfile --no-loadscope-reorder

test-peers: .venv/dev.stamp ## install the real servers and the browser (may need root), then use them
	bash tests/peers/install.sh
	$(BIN)/pytest -m peer --timeout 600

soak: .venv/dev.stamp ## the same tests with many more examples and repeats
	CHERGUI_SOAK=$${CHERGUI_SOAK:-20} $(BIN)/pytest -m "not peer" --timeout 3600

lint: .venv/dev.stamp ## style, format, types and the floors of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/dev.stamp ## put the format and the import order right
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

LOCK := uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11

lock: ## make the locks anew from pyproject.toml (needs uv; UPGRADE=--upgrade takes newer versions)
	$(LOCK) $(UPGRADE) pyproject.toml -o requirements/runtime.lock
	$(LOCK) $(UPGRADE) -c requirements/runtime.lock --group pyproject.toml:dev -o requirements/dev.lock
	$(LOCK) $(UPGRADE) -c requirements/dev.lock --group pyproject.toml:build -o requirements/build.lock

bundle: .venv/runtime.stamp ## one archive in dist/ that installs with no network at all
	@sh deploy/bundle.sh

agent: .venv/runtime.stamp ## the node agent as one file in dist/ that needs Python and nothing else
	@sh deploy/agent.sh

docs: .venv/dev.stamp ## write the reference of commands anew
	$(BIN)/python docs/commands.py

screenshot: .venv/dev.stamp ## the picture that heads the README, taken from a real run
	$(BIN)/python -m docs.screenshot

clean: ## remove the environment and what was built; var/ (your data) stays
	rm -rf .venv dist build .mypy_cache .ruff_cache .hypothesis .import_linter_cache
