# Everything from Python 3.11 and make: `make serve` on one side, `make test` on the other. `make help` lists the rest.

SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= $(shell for name in python3.11 python3 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1 && echo "$$name" && break; done)
RUN := .venv/bin/python
READY := .venv/.ready
SOURCES := $(sort $(wildcard *.py) $(patsubst %/__init__.py,%,$(wildcard */__init__.py)))
CONFORMANCE ?= ../shared/conformance
URL ?= http://localhost:8000

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help serve dev worker migrate schema test coverage check format fuzz bench bench-devices bench-fanout race conformance test-clients

help: ## List these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name purpose; do printf '  make %-13s %s\n' "$$name" "$$purpose"; done

# pip verifies every download against the hashes in the lock; its configured index, proxies and caches are left as they are
$(READY): requirements.lock
	@test -n "$(PYTHON)" || { echo "Atrium needs Python 3.11, and neither python3.11 nor python3 is that: install it, or name it with PYTHON=…"; exit 1; }
	@echo "Making the environment in .venv (once, about a minute) …"
	@$(PYTHON) -m venv .venv >.venv.log 2>&1 || { $(PYTHON) -m venv --clear --without-pip .venv && $(PYTHON) -m pip --version; } >>.venv.log 2>&1 || \
		{ cat .venv.log; echo "Python's venv module is incomplete here: install it (Debian: apt-get install python3.11-venv)."; exit 1; }
	@if $(RUN) -m pip --version >/dev/null 2>&1; then pip="$(RUN) -m pip"; else pip="$(PYTHON) -m pip --python $(RUN)"; fi; \
		$$pip install --quiet --require-hashes --no-deps -r requirements.lock >>.venv.log 2>&1 || \
		{ tail -n 20 .venv.log; echo "The packages could not be installed: is a package index reachable, and is the disk not full? (The whole log is in .venv.log.)"; exit 1; }
	@touch $(READY)

serve: $(READY) ## Start everything and serve on :8000 and :8003 (PORT, CRM_PORT, DATA_DIR change that)
	@$(RUN) main.py serve

dev: $(READY) ## The same, started again whenever a file changes
	@$(RUN) main.py dev

worker: $(READY) ## Run the background jobs in a process of their own
	@$(RUN) main.py worker

migrate: $(READY) ## Bring the database to the newest schema
	@$(RUN) main.py migrate

schema: $(READY) ## Write schema.graphql anew after a change of the API
	@$(RUN) main.py schema --write

check: $(READY) ## Format, lint and types, without changing anything
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy $(SOURCES)

test: check ## Everything: check, then all tests (migrations and schema snapshot among them)
	$(RUN) -m pytest -q

coverage: $(READY) ## All tests, and which lines none of them runs; takes half as long again
	$(RUN) -m pytest -q --cov --cov-report=term:skip-covered

fuzz: $(READY) ## Compare the engine with its reference on many more random documents (DOCUMENTS=5000)
	FUZZ=$(or $(DOCUMENTS),5000) $(RUN) -m pytest tests/test_engine_differential.py -k "not planted"

format: $(READY) ## Format all files and repair what the linter can repair
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

bench: $(READY) ## Measure speed beside a hand-written server, as a user would meet it (OPTIONS=--help)
	@$(RUN) -m bench $(OPTIONS)

bench-fanout: $(READY) ## Tell each event to a thousand subscribers, beside Strawberry with broadcaster (OPTIONS=--help)
	@$(RUN) -m bench.fanout $(OPTIONS)

bench-devices: $(READY) ## Measure what 200 devices that report every second cost everybody else (OPTIONS=--help)
	@$(RUN) -m bench.devices $(OPTIONS)

race: $(READY) ## Let 200 people book one slot at the same moment
	@$(RUN) -m bench.race

conformance: $(READY) ## Let clients of the older systems try a running server (URL=…, CONFORMANCE=folder of the runner)
	@$(RUN) -m pip install --quiet -r $(CONFORMANCE)/requirements.txt
	@$(RUN) $(CONFORMANCE)/run --base-url $(URL)

test-clients: $(READY) ## Let clients that others wrote (Apollo, urql, Relay, graphql-ws …) try a server of its own; needs Node.js
	@$(RUN) -m tests.clients
