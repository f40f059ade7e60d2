# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: venv demo test test-unit lint format golden accuracy bench clean

venv: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml servespec/_version.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

demo: venv
	$(BIN)/python scripts/demo.py

test: venv
	$(BIN)/python -m pytest

test-unit: venv
	$(BIN)/python -m pytest -m 'not engine and not container'

lint: venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: venv
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

golden: venv
	$(BIN)/python scripts/golden.py

accuracy: venv
	$(BIN)/python -m benchmarks.accuracy --rivals --output docs/accuracy.md

bench: venv
	$(BIN)/python -m benchmarks.speed

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
