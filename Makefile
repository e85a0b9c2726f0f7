# Openbell's two commands are `make run` and `make test`; `make help` lists the rest.
# Preparation is done once: the stamps in .venv say what is already there.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command 'make lock'

.DEFAULT_GOAL := help
CLIENTS := $(VENV)/clients
.PHONY: help run test check bench screenshots vendor lock clean prepare machine machine-dev

help: ## show this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.runtime ## start the exchange, replay real prices into it and show the market until Ctrl-C
	@$(BIN)/openbell run $(ARGS)

test: $(VENV)/.dev $(CLIENTS)/.done | machine-dev ## run the whole test suite (ARGS='-m "not stack and not flink and not slow"' for the fast part)
	@$(BIN)/pytest $(or $(ARGS),--numprocesses 2 --dist loadgroup)

check: $(VENV)/.dev ## lint, check the formatting and the types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/.dev ## measure this machine (docs/BENCHMARKS.md says what the figures mean)
	@$(BIN)/python -m bench $(ARGS)

screenshots: $(VENV)/.dev | machine-dev ## make the pictures of the pages in docs/images, from a running stack
	@scripts/screenshots.sh

vendor: ## fetch the pages' scripts anew, as scripts/vendor.sh names them
	@scripts/vendor.sh

prepare: $(VENV)/.dev $(CLIENTS)/.done | machine-dev ## install all that the other targets need, and nothing else

lock: $(VENV)/.dev ## resolve the dependencies anew into requirements/*.txt
	@$(LOCK) --upgrade requirements/build.in -o requirements/build.txt
	@$(LOCK) --upgrade -c requirements/build.txt pyproject.toml -o requirements/runtime.txt
	@$(LOCK) --upgrade -c requirements/build.txt -c requirements/runtime.txt requirements/dev.in \
		-o requirements/dev.txt
	@$(LOCK) --upgrade tests/clients/requirements.in -o tests/clients/requirements.txt
	@$(LOCK) --upgrade bench/requirements-engines.in -o bench/requirements-engines.txt
	@$(LOCK) --upgrade bench/requirements-quixstreams.in -o bench/requirements-quixstreams.txt

clean: ## stop the local stack and delete all that was made here (the stack's data too)
	@if [ -x $(BIN)/openbell ] && [ -d .openbell ]; then $(BIN)/openbell down --wipe; fi
	@rm -rf $(VENV) .openbell .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What the operating system must bring. Asked each time, since it costs a few milliseconds.
machine:
	@scripts/machine.sh

# Only what opens the pages in a browser needs one.
machine-dev:
	@scripts/machine.sh --dev

$(VENV)/.build: requirements/build.txt | machine
	@echo 'openbell: making .venv' >&2
	@$$(scripts/machine.sh --python) -m venv $(VENV)
	@$(PIP) install --require-hashes -r requirements/build.txt
	@touch $@

$(VENV)/.runtime-lock: requirements/runtime.txt $(VENV)/.build | machine
	@echo 'openbell: installing requirements/runtime.txt (a few minutes the first time)' >&2
	@$(PIP) install --require-hashes --no-build-isolation -r requirements/runtime.txt
	@touch $@

$(VENV)/.runtime: pyproject.toml $(VENV)/.runtime-lock | machine
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime | machine
	@echo 'openbell: installing requirements/dev.txt' >&2
	@$(PIP) install --require-hashes --no-build-isolation -r requirements/dev.txt
	@touch $@

# Other people's trading clients, which need other versions of what we need, too.
$(CLIENTS)/.done: tests/clients/requirements.txt $(VENV)/.dev
	@echo 'openbell: installing tests/clients/requirements.txt' >&2
	@$(BIN)/python -m venv --clear $(CLIENTS)
	@$(CLIENTS)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r tests/clients/requirements.txt
	@touch $@
