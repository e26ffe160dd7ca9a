# make run: the environment, then the default study. make test: the environment, then the tests.
PYTHON ?= python3
CORES ?= $(shell nproc 2>/dev/null || echo 2)
# One more than there are cores, since that which has the SLURM cluster mostly waits; at most 4, for memory's sake.
TESTERS ?= $(shell n=$$(( $(CORES) + 1 )); echo $$(( n < 4 ? n : 4 )))
BIN := .venv/bin
READY := .venv/.ready

.PHONY: run plan test bench digits-page gpu-check report lint clean-venv env
.DEFAULT_GOAL := run

# The report covers everything, so that making it makes all. Progress bars need a terminal; a log gets lines.
run report: $(READY)
	@if [ -t 1 ]; then shown="--logger rich"; else shown="--quiet reason host"; fi; \
	  $(BIN)/snakemake all --cores $(CORES) $$shown
	@$(BIN)/freqmaps catalog --if-any
	@$(BIN)/freqmaps summary

# What a study will take: make plan, make plan CONFIG=studies/b25-cifar10.yaml
plan: $(READY)
	@$(BIN)/freqmaps plan $(CONFIG)

test: $(READY) lint
	@$(BIN)/python -m pytest --numprocesses $(TESTERS) --dist loadfile --no-loadscope-reorder

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/snakefmt --check Snakefile rules
	@$(BIN)/mypy
	@$(BIN)/snakemake --lint

# The page of figures in docs/, from the report of the last run: run it after `make run` of the config as it stands.
digits-page: results/report.md
	@cp results/report.md docs/digits.md
	@echo "docs/digits.md is the report of the last run"

bench: $(READY)
	@$(BIN)/python -m benchmarks

# What nobody can know without a GPU: tests, memory, precision, graphs, bounds; writes results/gpu-check.md.
gpu-check: $(READY)
	@$(BIN)/python -m benchmarks.gpu_check

env: $(READY)

$(READY): envs/requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else \
	  f"freqmaps needs Python 3.11 to 3.13, {sys.executable} is {v[0]}.{v[1]}; set PYTHON=...")'
	@echo "Setting up .venv from envs/requirements.lock (about 6 GB, once)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r envs/requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)
