PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: quickstart test lint bench clean

quickstart: $(INSTALLED)
	$(BIN)/python -m slowfast_ext quickstart

test: $(INSTALLED)
	$(BIN)/python -m pytest

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# UPSTREAM: a clone of PySlowFast's main; without it the rows that need it are left out.
bench: $(INSTALLED)
	$(BIN)/python -m benchmarks $(if $(UPSTREAM),--upstream $(UPSTREAM))

# The stamp comes last: an installation that broke off is started again.
$(INSTALLED): setup.py
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -e '.[test]'
	touch $@

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
