# `make demo`, `make test`, `make lint` and `make bench` need nothing but Python 3.10+:
# each makes `.venv` by itself when it is missing or older than setup.cfg.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SEED ?= 0
# Another seed is another run, with folders of its own.
RUN := $(if $(filter 0,$(SEED)),demo,demo_seed$(SEED))
DEMO_FLAGS := --seed=$(SEED) $(if $(filter 0,$(SEED)),,--pretrain_w_path=pretrain_weights/seed$(SEED)/)

.PHONY: demo ablation test lint bench clean
.DELETE_ON_ERROR:

demo: $(VENV)/installed
	$(BIN)/python -m lst_tf2.data.glyphs --out=data/glyphs
	$(BIN)/python train.py --flagfile=configs/demo_pretrain.flags $(DEMO_FLAGS)
	$(BIN)/python train.py --flagfile=configs/demo_train.flags $(DEMO_FLAGS) --exp_name=$(RUN)
	$(BIN)/python test.py --flagfile=configs/demo_test.flags $(DEMO_FLAGS) --exp_name=$(RUN)
	$(BIN)/python test.py --flagfile=configs/demo_test_distractors.flags $(DEMO_FLAGS) --exp_name=$(RUN)
	$(BIN)/python -m lst_tf2.evaluation.report checkpoints/$(RUN)

# Meta-trains with and without soft weights, tests ten settings with and without distractors.
ablation: $(VENV)/installed
	$(BIN)/python -m lst_tf2.data.glyphs --out=data/glyphs
	$(BIN)/python train.py --flagfile=configs/demo_pretrain.flags
	$(BIN)/python train.py --flagfile=configs/ablation/train.flags
	$(BIN)/python train.py --flagfile=configs/ablation/train_unweighted.flags
	set -e; for flags in configs/ablation/test_*.flags; do \
	  $(BIN)/python test.py --flagfile=$$flags; \
	  $(BIN)/python test.py --flagfile=$$flags --use_distractors; \
	done
	$(BIN)/python -m lst_tf2.evaluation.ablation checkpoints/ablation checkpoints/ablation_unweighted

test: $(VENV)/installed
	$(BIN)/python -m pytest

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

bench: $(VENV)/installed
	$(BIN)/python -m benchmarks.meta_step

$(VENV)/installed: setup.cfg pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
