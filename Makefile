# `make demo`, `make test`, `make lint` and `make bench` need nothing but Python 3.10+:
# each makes `.venv` by itself when it is missing or older than setup.cfg.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ADDONS_VENV := .venv-addons
ADDONS_PYTHON ?= $(shell for p in python3.11 python3.10; do $$p -c '' 2>/dev/null && echo $$p && break; done)
SEED ?= 0
# Another seed is another run, with folders of its own.
RUN := $(if $(filter 0,$(SEED)),demo,demo_seed$(SEED))
DEMO_FLAGS := --seed=$(SEED) $(if $(filter 0,$(SEED)),,--pretrain_w_path=pretrain_weights/seed$(SEED)/)

# A file's tests stay in one process; see tests/conftest.py.
TWO_PROCESSES := -n 2 --dist loadgroup --no-loadscope-reorder

.PHONY: demo ablation compare cifar_fs rehearsal test browser quick test-goldens test-addons lint bench clean
.DELETE_ON_ERROR:

demo: $(VENV)/installed
	$(BIN)/lst glyphs
	$(BIN)/lst pretrain --flagfile=configs/demo_pretrain.flags $(DEMO_FLAGS)
	$(BIN)/lst train --flagfile=configs/demo_train.flags $(DEMO_FLAGS) --exp_name=$(RUN)
	$(BIN)/lst test --flagfile=configs/demo_test.flags $(DEMO_FLAGS) --exp_name=$(RUN)
	$(BIN)/lst test --flagfile=configs/demo_test_distractors.flags $(DEMO_FLAGS) --exp_name=$(RUN)
	$(BIN)/lst report checkpoints/$(RUN)

# Meta-trains with and without soft weights, tests ten settings with and without distractors.
ablation: $(VENV)/installed
	$(BIN)/lst glyphs
	$(BIN)/lst pretrain --flagfile=configs/demo_pretrain.flags
	$(BIN)/python train.py --flagfile=configs/ablation/train.flags
	$(BIN)/python train.py --flagfile=configs/ablation/train_unweighted.flags
	set -e; for flags in configs/ablation/test_*.flags; do \
	  $(BIN)/lst test --flagfile=$$flags; \
	  $(BIN)/lst test --flagfile=$$flags --use_distractors; \
	done
	$(BIN)/lst ablation checkpoints/ablation checkpoints/ablation_unweighted

# All methods on the same episodes, after `make demo`; COMPARE_FLAGS narrows or widens it.
compare: $(VENV)/installed
	$(BIN)/lst compare --dataset=glyphs --exp_name=$(RUN) --episodes=25 $(COMPARE_FLAGS)

# Pre-trains and meta-trains on CIFAR-FS and compares all methods; SOURCE is what `lst prepare
# cifar_fs` takes. Takes hours, without bfloat16 a day or more; a run that was stopped goes on.
CIFAR_FS := configs/cifar_fs
COMPARE_CIFAR_FS := $(BIN)/lst compare --flagfile=$(CIFAR_FS)/compare.flags
cifar_fs: $(VENV)/installed
	test -d data/cifar_fs || $(BIN)/lst prepare cifar_fs --source="$(SOURCE)"
	$(BIN)/lst pretrain --flagfile=$(CIFAR_FS)/pretrain_first.flags
	$(BIN)/lst pretrain --flagfile=$(CIFAR_FS)/pretrain.flags
	$(BIN)/lst tune --flagfile=$(CIFAR_FS)/tune.flags --backbone=pretrain_weights/cifar_fs
	set -e; for cell in 1shot 5shot; do \
	  compare="$(COMPARE_CIFAR_FS) --flagfile=$(CIFAR_FS)/compare_$$cell.flags"; \
	  $$compare --backbone=pretrain_weights/cifar_fs --out=results/cifar_fs/single_$$cell; \
	  $$compare --backbone=pretrain_weights/cifar_fs --mirrored --out=results/cifar_fs/mirrored_$$cell; \
	  $(BIN)/lst train --flagfile=$(CIFAR_FS)/train.flags --flagfile=$(CIFAR_FS)/train_$$cell.flags; \
	  cp pretrain_weights/cifar_fs/tuned.json checkpoints/cifar_fs_meta_$$cell/; \
	  $$compare --exp_name=cifar_fs_meta_$$cell --out=results/cifar_fs/meta_$$cell; \
	  $$compare --exp_name=cifar_fs_meta_$$cell --mirrored --out=results/cifar_fs/meta_mirrored_$$cell; \
	done
	$(BIN)/python -m benchmarks.recipe_steps
	$(BIN)/python -m benchmarks.cifar_fs

# All phases at the size of tieredImageNet, on images of noise; takes up to an hour and 3 GB of disk.
rehearsal: $(VENV)/installed
	$(BIN)/python -m benchmarks.rehearsal

test: $(VENV)/installed
	$(BIN)/python -m pytest $(TWO_PROCESSES) --durations=40 --durations-min=5

# Chromium for the tests of pages, which are left out where there is none; on Debian and Ubuntu.
browser:
	command -v chromium || command -v google-chrome || (apt-get update && apt-get install --yes \
	  --no-install-recommends chromium) || echo "No Chromium: tests of pages will be left out."

# What answers in about two minutes; T=tests/data/test_lists.py names one file or folder of it.
quick: $(VENV)/installed
	$(BIN)/python -m pytest $(if $(T),,$(TWO_PROCESSES)) -m 'not slow' $(T)

# The recorded numbers of the original in float64, to 1e-10; takes 6 minutes and 5 GB.
test-goldens: $(VENV)/installed
	$(BIN)/python -m pytest -p tests.double_precision tests/models/test_forward_golden.py \
	  tests/training/test_meta_step_golden.py tests/evaluation/test_episode_golden.py

# The same suite beside tensorflow-addons, with TensorFlow 2.15 and Keras 2.15.
test-addons: $(ADDONS_VENV)/installed
	$(ADDONS_VENV)/bin/python -W ignore -c 'import tensorflow_addons'
	$(ADDONS_VENV)/bin/python -m pytest $(TWO_PROCESSES)

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

docs/flags.md: $(VENV)/installed $(wildcard lst_tf2/*.py lst_tf2/*/*.py)
	$(BIN)/python -c 'from lst_tf2.cli.main import reference; print(reference(), end="")' >$@

bench: $(VENV)/installed
	$(BIN)/python -m benchmarks.suite
	$(BIN)/python -m benchmarks.input_pipeline --size=paper

$(VENV)/installed: setup.cfg pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

$(ADDONS_VENV)/installed: setup.cfg pyproject.toml
	test -n "$(ADDONS_PYTHON)" || (echo "Python 3.10 or 3.11 is needed; name it as ADDONS_PYTHON=..." >&2; exit 1)
	test -x $(ADDONS_VENV)/bin/python || $(ADDONS_PYTHON) -m venv $(ADDONS_VENV)
	$(ADDONS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,addons]'
	touch $@

clean:
	rm -rf $(VENV) $(ADDONS_VENV) build dist *.egg-info
