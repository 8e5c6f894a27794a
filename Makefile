# `make demo` and `make test` do all the set-up: a virtual environment in .venv with the pinned packages.
# DEMO names the submissions whose checkpoints model_zoo/ holds.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   ?= 0 31 36 38 39 40

.PHONY: demo test test-all test-slow test-timing test-isolation lint docs bench wheel wheel-test clean

demo: $(VENV)/.installed
	$(BIN)/ntire-bench run $(DEMO) --protocol demo --splits valid,test --precision 0.1 --max-time 10

# Modules of tests run side by side. What takes long is for `make test-all`; what measures runtimes comes last there,
# by itself.
BESIDE := -n auto --maxprocesses 8 --dist loadscope

test: lint
	$(BIN)/pytest $(BESIDE) -m 'not timing and not slow'

test-all: test
	$(MAKE) test-slow
	$(MAKE) test-timing

test-slow: $(VENV)/.installed-dev
	$(BIN)/pytest $(BESIDE) -m 'slow and not timing'

test-timing: $(VENV)/.installed-dev
	$(BIN)/pytest -m timing tests/attacks/test_conduct.py

# What the best level of isolation that this machine has is in the way of, or is shown by; no more than that.
ISOLATION := tests/isolation tests/attacks/test_conduct.py tests/attacks/test_every_level.py \
             tests/cli/test_run.py tests/cli/test_check.py tests/cli/test_gate.py tests/cli/test_wrong_use.py \
             tests/workflows/test_fuse.py::test_merged_weights_are_the_sum_of_the_branches \
             tests/submissions/checkout/test_commands.py::test_check_loads_a_branch_in_its_worker

test-isolation: $(VENV)/.installed-dev
	NTIRE_BENCH_TEST_OWN_PROCESSES=1 $(BIN)/pytest $(BESIDE) -m 'not timing' -k 'not (L0 or L1 or L2)' $(ISOLATION)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/typos

# The documentation as a site, from docs/; warnings are errors, and no page fetches anything from elsewhere.
docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	! grep -rlE '(src|href)="(https?:)?//[^"]*\.(js|css|woff2?|png|svg)"' site

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/speed.py

wheel: $(VENV)/.installed
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps -w dist .

# Builds the packages, installs the wheel into an environment of its own and uses it from an empty folder.
wheel-test: $(VENV)/.installed
	$(BIN)/python tools/check_wheel.py

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache
