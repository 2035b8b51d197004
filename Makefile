# Everything runs in .venv; nothing outside this folder is changed.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint format bench screenshots lock clean
.DEFAULT_GOAL := demo

demo: .venv/.demo  ## open the dashboard on sample data
	$(BIN)/halfprice demo

test: lint  ## run every check
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.test  ## print the speed table of benchmarks/README.md
	$(BIN)/python -m benchmarks

screenshots: .venv/.test  ## make docs/screenshots anew
	$(BIN)/python -m tests.browser.screenshots

# The locks hold what `pip install '.'` and `pip install '.[dev,bench]'` give today.
lock:
	rm -rf .venv-lock
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet .
	.venv-lock/bin/pip freeze | grep -v '^halfprice' > requirements.lock
	.venv-lock/bin/pip install --quiet '.[dev,bench]'
	.venv-lock/bin/pip freeze --all | grep -v -e '^halfprice' -e '^pip==' > requirements-dev.lock
	rm -rf .venv-lock

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Halfprice needs Python 3.11 or newer. Name it: make PYTHON=/path/to/python3.11'; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.demo: requirements.lock pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

.venv/.test: requirements-dev.lock .venv/.demo
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements-dev.lock
	touch $@

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache
