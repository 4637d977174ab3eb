"""Pre-training and meta-training, as `lst pretrain`, `lst train` and the one script `train.py`."""

import pathlib
from collections.abc import Sequence

from absl import flags

from lst_tf2.cli import flag_tables, original_paths, run_configs
from lst_tf2.cli.command import Command, repeat_flags
from lst_tf2.cli.fitting_flags import test_flags, training_flags
from lst_tf2.cli.flag_rows import build_from
from lst_tf2.cli.idle_flags import note_idle_flags
from lst_tf2.cli.tensorflow_run import (
    convert_originals,
    require_weights,
    take_memory_as_needed,
    tensorflow_run,
)
from lst_tf2.data.layout import require_dataset
from lst_tf2.errors import check

PRETRAIN_ABOUT = """Trains a backbone on all base classes, from which meta-training starts.

    lst pretrain --dataset=miniImagenet

reads the images of labeled_train and unlabeled_train and writes pretrain_weights/<dataset>/. A run
that was stopped goes on where it stopped when the same command is given again."""
TRAIN_ABOUT = """Meta-trains a learner that self-trains, on episodes of the base classes.

    lst train --dataset=miniImagenet --shot_num=1 --exp_name=LST_mini_1_shot

starts from the backbone of `lst pretrain` with the same --dataset and writes
checkpoints/<exp_name>/. A run that was stopped goes on where it stopped when the same command is
given again."""
SCRIPT_ABOUT = """Trains: first a backbone on all base classes, then the learner that self-trains.

1. Pre-training, images of labeled_train and unlabeled_train -> pretrain_weights/<dataset>/

       python train.py --phase=pre --dataset=miniImagenet

2. Meta-training, episodes of the same classes -> checkpoints/<exp_name>/

       python train.py --dataset=miniImagenet --shot_num=1 --exp_name=LST_mini_1_shot

Then meta-test it: python test.py --help. A run that was stopped goes on where it stopped when
the same command is given again."""
MEMORY_REMEDY = (
    "pass --recompute or --precision=bfloat16 (in pre-training also a smaller "
    "--pretrain_batch_size), or choose a smaller --img_size or narrower --filters"
)
# What the next command must repeat, after pre-training and after meta-training.
PRETRAINED_FLAGS = (
    *("dataset", "data_path", "cache", "img_size", "filters", "activation", "norm"),
    *("pretrain_w_path", "pretrain_iterations", "seed"),
)
RUN_FLAGS = ("exp_name", "logdir_base", "way_num", "shot_num", "base_lr", "protocol")


def run_pretrain(values: flags.FlagValues, _: Sequence[str]) -> None:
    """Pre-trains."""
    _check_phase("pre", values)
    note_idle_flags(values, flag_tables.PRETRAIN_SETTINGS, "pre-training")
    with tensorflow_run(values, MEMORY_REMEDY):
        config = run_configs.pretrain_config(values)
        require_dataset(config.data_folder)
        take_memory_as_needed()
        from lst_tf2.training.pretrain import pretrain

        written = pretrain(config, overwrite=values.overwrite)
        repeated = repeat_flags(values, PRETRAINED_FLAGS)
        fitting = training_flags(config.data_folder)
        _tell(written, config.run_folder, "lst train", repeated, *fitting)


def run_train(values: flags.FlagValues, _: Sequence[str]) -> None:
    """Meta-trains."""
    _check_phase("meta", values)
    note_idle_flags(values, flag_tables.TRAIN_SETTINGS, "meta-training")
    with tensorflow_run(values, MEMORY_REMEDY):
        if values.debug_episode:
            from lst_tf2.training.failed_step import replay

            print(replay(pathlib.Path(values.debug_episode)))
            return
        config = run_configs.train_config(values)
        require_dataset(config.train_list.data_folder)
        checkpoint, originals = original_paths.start(values, config)
        require_weights(checkpoint, originals)
        take_memory_as_needed()
        from lst_tf2.training.meta_train import meta_train

        convert_originals(checkpoint, originals, config.model)
        written = meta_train(config, overwrite=values.overwrite)
        repeated = repeat_flags(values, PRETRAINED_FLAGS + RUN_FLAGS)
        fitting = test_flags(config.train_list.data_folder)
        _tell(written, config.run_folder, "lst test", repeated, *fitting, "--test_iter=last")


def run_phase(values: flags.FlagValues, words: Sequence[str]) -> None:
    """Runs the training that `--phase` names."""
    is_pretraining = build_from(flag_tables.PhaseFlags, values).phase == "pre"
    (run_pretrain if is_pretraining else run_train)(values, words)


def _check_phase(phase: str, values: flags.FlagValues) -> None:
    given = values["phase"].present and values.phase
    expected = f"--phase={phase} or none here"
    remedy = "drop it, or give the command of that phase"
    check(given in (False, phase), expected, f"--phase={given}", remedy)


def _tell(written: str, run_folder: str, *following: str) -> None:
    command = " ".join(filter(None, following))
    print(f"{written}\nCurves: tensorboard --logdir {run_folder}\nNext: {command}")


def _command(name: str, about: str, body, settings: tuple[type, ...]) -> Command:
    return Command(name, about, body, settings, flag_tables.accepted_rows(settings))


PRETRAIN = _command("lst pretrain", PRETRAIN_ABOUT, run_pretrain, flag_tables.PRETRAIN_SETTINGS)
TRAIN = _command("lst train", TRAIN_ABOUT, run_train, flag_tables.TRAIN_SETTINGS)
SCRIPT = _command("python train.py", SCRIPT_ABOUT, run_phase, flag_tables.SCRIPT_SETTINGS)
