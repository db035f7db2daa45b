# Everything a newcomer types: `make run` opens the dashboard, `make test` runs the whole suite.
# Each creates .venv and installs what is missing, within the versions of constraints.txt.

SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-input --constraint constraints.txt
SOURCES := pyproject.toml constraints.txt
MEASUREMENTS ?= ../shared/measurements
PYTEST_ARGS ?= --numprocesses auto --dist loadfile

# The first Python on the path that the project supports; override with `make PYTHON=...`.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	"$$python" -c '$(SUPPORTED)' 2>/dev/null && { echo "$$python"; break; }; done)

# One thing after another: pytest's closing line is the last that `make test` prints.
.NOTPARALLEL:
.PHONY: help run test lint bench errors screenshots docs browser clean

help: ## Say what can be made
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

run: $(VENV)/.installed-run ## Open the dashboard
	@echo "==> Opening the dashboard (stop it with Ctrl-C)"
	@$(BIN)/characterize dashboard

test: $(VENV)/.installed-test browser lint ## Run the whole suite: lint, types, floors, tests
	@$(BIN)/python -m tests.axe
	@echo "==> pytest"
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.installed-test ## Check style, types and floors
	@echo "==> ruff check"
	@$(BIN)/ruff check
	@echo "==> ruff format --check"
	@$(BIN)/ruff format --check
	@echo "==> mypy"
	@$(BIN)/mypy
	@echo "==> lint-imports"
	@$(BIN)/lint-imports

bench: $(VENV)/.installed-bench ## Time us and the other counters, side by side
	@$(BIN)/python -m benchmarks.counters

errors: $(VENV)/.installed-test ## Compute every published error table again (MEASUREMENTS=FOLDER)
	@$(BIN)/python -m benchmarks.error_tables "$(MEASUREMENTS)" --cache build/errors

screenshots: $(VENV)/.installed-test browser ## Picture every view in both themes
	@$(BIN)/python -m benchmarks.screenshots

docs: $(VENV)/.installed-run ## Write the generated pages and templates again
	@echo "==> docs/formulas.md, from the docstrings of the cost formulas"
	@$(BIN)/python -m characterize.costs
	@echo "==> docs/families.md, from the parameters of the families"
	@$(BIN)/python -m characterize.models.reference
	@echo "==> data/templates, from the families at their defaults"
	@$(BIN)/python -m characterize.templates

clean: ## Forget the environment and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip and not python: a venv that was left half-made has the one without the other.
$(BIN)/pip:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Characterize needs Python 3.11, 3.12 or 3.13; none is on the path. Name one: make PYTHON=/path/to/python" >&2; \
		exit 1; fi
	@echo "==> Creating $(VENV) with $(PYTHON) ($$($(PYTHON) --version))"
	@$(PYTHON) -m venv $(VENV)

# PyTorch first and by itself: a torch that is already there within the constraint is kept.
$(VENV)/.installed-run: $(SOURCES) | $(BIN)/pip
	@echo "==> Installing PyTorch (the largest part; minutes on a slow line)"
	@$(PIP) torch
	@echo "==> Installing Characterize and what it stands on"
	@$(PIP) --quiet --editable '.[excel,images]'
	@touch $@

# torchvision and timm ask for a torch of their own; without dependencies they take the one we have.
$(VENV)/.installed-test: $(VENV)/.installed-run
	@echo "==> Installing what the tests need"
	@$(PIP) --quiet --editable '.[test]'
	@echo "==> Installing torchvision and timm, whose models the tests trace"
	@$(PIP) --quiet --no-deps torchvision timm
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed-test
	@echo "==> Installing the counters that we are timed against"
	@$(PIP) --quiet --editable '.[bench]'
	@touch $@

# Debian's chromium is installed where the tests need a browser and may install one.
browser:
	@if command -v chromium chromium-browser google-chrome >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "==> Installing chromium for the browser tests"; \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium; } \
			>/dev/null || echo "==> chromium could not be installed: browser tests will be skipped"; \
	else \
		echo "==> No chromium found: browser tests will be skipped (install chromium to run them)"; \
	fi
