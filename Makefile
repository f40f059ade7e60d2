# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: venv demo test test-unit fuzz lint format golden accuracy bench clean

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

# 200,000 examples in all; prints how many there were, the longest one and the peak of memory.
FUZZ_EXAMPLES ?= 14000
fuzz: venv
	SERVESPEC_FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/python -m pytest tests/fuzz --timeout 7200

lint: venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: venv
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

golden: venv
	$(BIN)/python scripts/golden.py
	$(BIN)/python scripts/commands.py
	$(BIN)/python scripts/spec_page.py

accuracy: venv
	$(BIN)/python -m benchmarks.accuracy --rivals --output docs/accuracy.md

bench: venv
	$(BIN)/python -m benchmarks.speed

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
