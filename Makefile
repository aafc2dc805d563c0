# The chores of this project. Needs GNU make and a Python; .ci/bootstrap.py makes the virtual environment.
#
#   make demo                  on a fresh clone, first thing
#   make demo WORKSPACE=azurite    the same with data and records in (emulated) Azure Blob Storage
#   make demo COMPUTE=docker   the same with the scripts in containers; IMAGE=... to start from another image
#   make demo COMPUTE=kubernetes WORKSPACE=... PUSH_TO=...    the same in pods of the cluster that kubectl finds
#   make test                  everything that has to hold before a change goes in
#   make test AIRFLOW=3.1      the tests marked "smoke" on an older Airflow (3.1 or 3.2)
#   make test ARGS="-k reuse"  ARGS goes to pytest

.DEFAULT_GOAL := help
SHELL := /bin/sh
# Two targets must not fill one virtual environment at once; the tools use all cores by themselves.
.NOTPARALLEL:

# Named on the command line or in the environment, PYTHON is the interpreter of the virtual environment, too.
ifneq ($(filter command environment,$(word 1,$(origin PYTHON))),)
PYTHON_OPTION := --python $(PYTHON)
endif
PYTHON ?= python3
AIRFLOW ?= 3.3
OLDER_AIRFLOWS := 3.1 3.2
ifeq ($(filter $(AIRFLOW),3.3 $(OLDER_AIRFLOWS)),)
$(error AIRFLOW=$(AIRFLOW) is not supported; there are $(OLDER_AIRFLOWS) and 3.3)
endif
# "azurite": the demo's workspace is on an emulator of Azure Blob Storage, not in a folder. Else the id of an
# Airflow connection (AIRFLOW_CONN_...) to a storage account.
WORKSPACE ?=
# "docker": the demo's scripts run in containers, made from IMAGE. "kubernetes": in pods; docs/compute-kubernetes.md
# has the rest.
COMPUTE ?=
IMAGE ?=
AZURITE_HOST ?=
CLUSTER ?=
NAMESPACE ?=
PUSH_TO ?=
DEMO_OPTIONS := $(if $(WORKSPACE),--storage $(WORKSPACE)) $(if $(COMPUTE),--compute $(COMPUTE)) $(if $(IMAGE),--image '$(IMAGE)') \
	$(if $(AZURITE_HOST),--host $(AZURITE_HOST)) $(if $(CLUSTER),--cluster $(CLUSTER)) $(if $(NAMESPACE),--namespace $(NAMESPACE)) \
	$(if $(PUSH_TO),--push-to $(PUSH_TO))
# auto: a worker for each processor, and one for tests that wait (tests/workers.py).
JOBS ?= auto
ARGS ?=

BOOTSTRAP = @command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) was not found; a Python 3.10 to 3.13 is needed" >&2; exit 1; }; \
	$(PYTHON) -E -S .ci/bootstrap.py $(PYTHON_OPTION)
BIN := .venv/bin
# Set in many containers, it makes every process compile Airflow anew: two seconds of a processor, hundreds of times.
unexport PYTHONDONTWRITEBYTECODE
# Found by name: airflow standalone and the tests start "airflow", "mlsteps" and "uv".
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"
PYTEST_OPTIONS := -n $(JOBS) --dist loadgroup

##@ Try it

.PHONY: demo
demo: venv  ## prepare data, train two models, compare them, keep the better one
	@$(RUN) $(BIN)/mlsteps demo $(DEMO_OPTIONS) $(ARGS)

.PHONY: demo-ui
demo-ui: venv  ## the same inside a local Airflow, to look at in a browser
	@$(RUN) $(BIN)/mlsteps demo --ui $(DEMO_OPTIONS) $(ARGS)

##@ Develop

.PHONY: test
ifeq ($(AIRFLOW),3.3)
test: lint typecheck docs test-all test-matrix  ## lint, types, docs and every test; AIRFLOW=3.1: smoke tests there
else
test: smoke-$(AIRFLOW)
endif

.PHONY: test-all
test-all: venv-dev
	$(RUN) $(BIN)/python -m pytest $(PYTEST_OPTIONS) $(ARGS)

.PHONY: test-matrix
test-matrix:  ## the tests marked "smoke" on every older Airflow, side by side, one process each
	@pids=; for version in $(OLDER_AIRFLOWS); do \
		$(MAKE) --no-print-directory smoke-$$version JOBS=1 & pids="$$pids $$!"; \
	done; \
	status=0; for pid in $$pids; do wait $$pid || status=1; done; exit $$status

.PHONY: $(OLDER_AIRFLOWS:%=smoke-%)
$(OLDER_AIRFLOWS:%=smoke-%): smoke-%:
	$(BOOTSTRAP) test --airflow $*
	PATH="$(CURDIR)/.venv-$*/bin:$$PATH" .venv-$*/bin/python -m pytest -m smoke $(PYTEST_OPTIONS) $(ARGS)

.PHONY: lint
lint: venv-dev  ## ruff, and the directions of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

.PHONY: format
format: venv-dev  ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: typecheck
typecheck: venv-dev  ## mypy, strict
	$(BIN)/mypy

.PHONY: docs
docs: venv-dev  ## the documentation as HTML in docs/_build/html
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

.PHONY: bench
bench: venv  ## measure; each budget beside what it is compared with
	$(RUN) $(BIN)/python tests/bench/bench.py $(ARGS)

.PHONY: constraints
constraints: venv-dev  ## pin every dependency anew (ARGS=--upgrade: newest versions)
	$(RUN) .ci/update_constraints.sh $(ARGS)

##@ Housekeeping

.PHONY: venv
venv:  ## make or refresh .venv for running
	$(BOOTSTRAP) run

.PHONY: venv-dev
venv-dev:  ## make or refresh .venv for developing
	$(BOOTSTRAP) dev

.PHONY: clean
clean:  ## remove virtual environments, caches and build output
	rm -rf .venv $(OLDER_AIRFLOWS:%=.venv-%) build dist docs/_build
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find provider tests .ci docs dags_examples -type d -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

.PHONY: help
help:  ## this list
	@awk 'BEGIN {FS = ":.*## "} \
		/^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-zA-Z0-9_-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
