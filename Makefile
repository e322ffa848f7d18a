PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

LOWEST := .venv-lowest/bin
LOWEST_INSTALLED := .venv-lowest/.installed

# Processes that run the tests, each of one thread: with two threads each they would wait for cores.
# worksteal keeps a file's tests, and the fixtures they share, in one process until another is idle.
PROCESSES ?= 2
IN_PARALLEL = -n $(PROCESSES) --dist worksteal
test test-lowest: export OMP_NUM_THREADS = 1

.PHONY: quickstart test test-lowest lint bench clean

quickstart: $(INSTALLED)
	$(BIN)/python -m slowfast_ext quickstart

test: $(INSTALLED)
	$(BIN)/python -m pytest $(IN_PARALLEL)

# The quick tests over the lowest versions that setup.py declares.
test-lowest: $(LOWEST_INSTALLED)
	$(LOWEST)/python -m pytest $(IN_PARALLEL) tests/config tests/test_upstream.py tests/models \
		tests/datasets tests/engine/test_weights.py tests/engine/test_weight_names.py tests/engine/test_caffe2_weights.py

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

$(LOWEST_INSTALLED): tests/lowest.txt
	$(PYTHON) -m venv .venv-lowest
	$(LOWEST)/pip install -q -r tests/lowest.txt
	touch $@

clean:
	rm -rf .venv .venv-lowest build dist *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
