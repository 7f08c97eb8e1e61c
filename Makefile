# Two commands for a newcomer: `make demo` and `make test`. Both make their own environment in .venv first.
# Python 3.10 to 3.13; choose one with `make demo PYTHON=python3.12`.

PYTHON ?= python3
BIN := .venv/bin
# compat: or Python takes the clone itself for the package when it is started beside the clone
EDITABLE := --config-settings editable_mode=compat --editable

.PHONY: demo test test-slow test-gpu test-browser pictures check format clean

demo: .venv/run
	$(BIN)/seqaudio continue examples/primer.mid --bars 16 --seed 1

# tests start a hundred processes, each of which would compile the package anew where nothing may be written;
# a worker that crashes or hangs ends the run: one in its place may wait for ever (pytest-xdist's issue 1378)
test: export PYTHONDONTWRITEBYTECODE =
test: .venv/dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 0 \
		-o faulthandler_timeout=600 -o faulthandler_exit_on_timeout=true -m "not slow and not gpu and not browser"

test-slow: .venv/dev
	$(BIN)/python -m pytest -m slow

test-gpu: .venv/dev
	$(BIN)/python -m pytest -m gpu

test-browser: .venv/dev
	$(BIN)/python -m pytest -m browser

pictures: .venv/dev
	$(BIN)/python -m tests.report.page.pictures

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv build *.egg-info

.venv/python: Makefile
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "seqaudio needs Python 3.10 to 3.13, $(PYTHON) is another; run: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/run: .venv/python pyproject.toml
	@echo "installing seqaudio and what it needs into .venv: a few minutes, 1 GB with a CPU build of torch, more with CUDA"
	$(BIN)/python -m pip install --quiet $(EDITABLE) .
	@touch $@

.venv/dev: .venv/run
	$(BIN)/python -m pip install --quiet $(EDITABLE) '.[dev,corpora,musicxml,cluster,midi-tokenizers,series,tensorboard]'
	@touch $@
