# Two commands: `make demo` and `make test`. Both can be repeated and interrupted at any time.

PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3 python3.14; do \
	command -v $$python >/dev/null && $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)
VENV := .venv
MLFLOW := .venv-mlflow
READY := $(VENV)/.ready
BIN := $(VENV)/bin
WORKERS ?= 2
PYTEST := $(BIN)/pytest -q -n $(WORKERS) --dist loadfile
BLUEPRINT ?= blueprints/starter.yaml
ZIGGURAT := $(BIN)/ziggurat

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-down test lint test-fast test-sandbox test-node node-packages node-down test-mlflow generated lock

help:  ## what there is to do
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(READY): pyproject.toml requirements.lock
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or newer is not on PATH; install it, or run make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "==> virtual environment ($(VENV)), about 80 packages: about a minute the first time"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --progress-bar off --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

setup: $(READY)  ## make the virtual environment with the locked dependencies

demo: $(READY)  ## provision the starter blueprint onto a sandbox, by the real engine
	@echo "==> 1/6 tools: found, downloaded, or built from Go modules (up to 12 minutes the first time)"
	@$(ZIGGURAT) tools ensure
	@echo "==> 2/6 sandbox: a real API server with simulated nodes"
	@$(ZIGGURAT) sandbox up
	@echo "==> 3/6 validate $(BLUEPRINT)"
	@$(ZIGGURAT) validate $(BLUEPRINT)
	@echo "==> 4/6 plan: in process, without engine or cluster"
	@$(ZIGGURAT) plan $(BLUEPRINT)
	@echo "==> 5/6 up: Pulumi's engine provisions it"
	@$(ZIGGURAT) up $(BLUEPRINT) --yes
	@echo "==> 6/6 status"
	@$(ZIGGURAT) status $(BLUEPRINT)
	@echo
	@echo "Look around:    $(ZIGGURAT) connect $(BLUEPRINT) --team vision"
	@echo "                kubectl --kubeconfig \"\$$($(ZIGGURAT) sandbox kubeconfig)\" get pods --all-namespaces"
	@echo "Change it:      edit $(BLUEPRINT), then $(ZIGGURAT) preview $(BLUEPRINT)"
	@echo "Take it down:   make demo-down"

demo-down: $(READY)  ## take the demo down, with its data
	@$(ZIGGURAT) sandbox reset

test: lint test-fast test-sandbox  ## run every test layer that this machine can run

lint: $(READY)  ## ruff and pyright (strict)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

test-fast: $(READY)  ## layers 1 and 2: no engine, no cluster
	$(PYTEST) tests/unit tests/program tests/charts

test-sandbox: $(READY)  ## layer 3: the real engine on a real API server
	@$(ZIGGURAT) tools ensure
	$(PYTEST) tests/sandbox tests/conformance

test-node: $(READY)  ## layer 4: a real one-node cluster; needs root, changes network, mounts and cgroups while it runs
	@PYTHONPATH=tests/node $(BIN)/python -m onenode require
	$(BIN)/pytest -q tests/node

node-packages: $(READY)  ## install, by apt and as root, the packages that test-node needs
	apt-get update -q
	apt-get install -q -y --no-install-recommends $$(PYTHONPATH=tests/node $(BIN)/python -m onenode packages)

node-down: $(READY)  ## take down the node of test-node (kept where it ran before, or with NODE_KEEP=1)
	@PYTHONPATH=tests/node $(BIN)/python -m onenode down

$(MLFLOW)/.ready:
	@echo "==> an environment with MLflow ($(MLFLOW)): about two minutes the first time"
	@$(PYTHON) -m venv $(MLFLOW)
	@$(MLFLOW)/bin/python -m pip install --progress-bar off --disable-pip-version-check "mlflow[auth]==3.17.2" psycopg2-binary
	@touch $@

test-mlflow: $(READY) $(MLFLOW)/.ready  ## accounts, single sign-on, checks and rotation against a real MLflow server, and PostgreSQL
	ZIGGURAT_TEST_MLFLOW_PYTHON=$(CURDIR)/$(MLFLOW)/bin/python $(BIN)/pytest -q tests/unit/accounts tests/unit/check tests/unit/database tests/unit/pipelines

generated: $(READY)  ## write what is generated from the blueprint's model: JSON Schema, reference page
	$(BIN)/python -m blueprints.schema
	$(BIN)/python -m blueprints.reference

lock: $(READY)  ## write requirements.lock anew from pyproject.toml
	@$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra test --generate-hashes --no-header --no-annotate pyproject.toml -o requirements.lock
