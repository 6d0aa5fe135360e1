# Two commands from a clean clone: `make demo` and `make test`. Each makes its own environment.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   ?= ganiq-demo

.PHONY: demo test test-all lint format parity clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ganiq needs Python 3.11 or newer; run: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch torchvision -e '.[demo]' --group test
	touch $@

demo: $(VENV)/.installed  ## the main job on the embedded default
	$(BIN)/ganiq demo --out $(DEMO)

test: $(VENV)/.installed  ## everything that runs in the default time
	$(BIN)/python -m pytest -q -n auto --dist loadfile

test-all: $(VENV)/.installed  ## and the slow checks
	$(BIN)/python -m pytest -q -n auto --dist loadfile -m ''

parity: $(VENV)/.installed  ## docs/parity.md anew: every metric beside others' programs
	PYTHONPATH=tests/metrics $(BIN)/python -m parity docs/parity.md

lint: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --group lint
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/pyright --pythonpath $(BIN)/python

format: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --group lint
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .hypothesis $(DEMO)
