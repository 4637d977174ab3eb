"""From the flags of `lst_tf2.cli.flag_tables` to the settings of `lst_tf2.config`."""

import dataclasses
import math
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from absl import flags

from lst_tf2 import config
from lst_tf2.cli.flag_rows import given_values, rows_of
from lst_tf2.cli.flag_tables import (
    PRETRAIN_SETTINGS,
    TEST_SETTINGS,
    TRAIN_SETTINGS,
    DataFlags,
    EpisodeRunFlags,
    PretrainFlags,
    RunNameFlags,
    TestFlags,
    TrainFlags,
)
from lst_tf2.cli.original_paths import finetune_path
from lst_tf2.errors import check, check_at_least
from lst_tf2.runs.run_folder import read_model
from lst_tf2.settings import build, walk_flags


def pretrain_config(values: flags.FlagValues) -> config.PretrainConfig:
    """Returns the settings of pre-training.

    Raises:
        InputError: If a flag is out of bounds or two contradict each other.
    """
    read = _read(PRETRAIN_SETTINGS, values)
    run = build(PretrainFlags, read)
    recipe = None
    if read["pre_recipe"] == config.MODERN.recipe_name:
        recipe = config.MODERN  # Its defaults, where no flag is given.
        read = {flag: value for flag, value in read.items() if values[flag].present}
    check(
        values.distribution == "none",
        "--distribution=none with --phase=pre: batch norm uses the statistics of the batch at "
        "hand, so a divided batch would train another backbone",
        repr(values.distribution),
        "pre-train on one device",
    )
    given = {
        "data_folder": run.data_folder,
        "run_folder": os.path.join(run.pretrain_folder, run.dataset),
        "optimizer": {} if run.has_floor else {"min_lr": 0.0},
    }
    asked = build(config.PretrainConfig, read, given, default=recipe)
    falling = asked.loop.num_steps if asked.is_falling else 0
    optimizer = dataclasses.replace(asked.optimizer, falling_steps=falling)
    return dataclasses.replace(asked, optimizer=optimizer)


def train_config(values: flags.FlagValues) -> config.MetaTrainConfig:
    """Returns the settings of meta-training.

    Raises:
        InputError: If a flag is out of bounds or two contradict each other.
    """
    read = _read(TRAIN_SETTINGS, values)
    run = build(TrainFlags, read)
    check_at_least(1, "raise --lr_drop_step", lr_drop_step=values.lr_drop_step)
    interval = math.lcm(values.lr_drop_step, max(1, values.meta_val_print_step))
    folder = run.data_folder
    validation = {"queries_per_class": _queries(run, values.shot_num)}
    given = {
        **_given_to_both(run, values),
        "train_list": {
            "data_folder": folder,
            "episode": {"num_distractor_classes": run.num_distractor_classes},
        },
        "val_list": {
            "data_folder": folder,
            "episode": validation,
            "num_episodes": max(600, values.val_episode_num),
        },
        "optimizer": {"halve_every_steps": interval},
        "swn_optimizer": {"halve_every_steps": interval},
    }
    return build(config.MetaTrainConfig, read, given)


def test_config(values: flags.FlagValues) -> config.MetaTestConfig:
    """Returns the settings of a meta-test.

    Raises:
        InputError: If a flag is out of bounds or two contradict each other.
    """
    read = _read(TEST_SETTINGS, values)
    run = build(TestFlags, read)
    check(
        values.unfiles_num in (0, values.nb_ul_samples / 10),
        f"unfiles_num to be nb_ul_samples / 10 = {values.nb_ul_samples / 10:g}",
        values.unfiles_num,
        "leave --unfiles_num out",
    )
    episode = {
        "queries_per_class": _queries(run, values.shot_num),
        "num_distractor_classes": run.num_distractor_classes if run.has_distractors else 0,
    }
    given = {
        **_given_to_both(run, values),
        "test_list": {"data_folder": run.data_folder, "episode": episode},
        "protocol": run.protocol,
        "bn_stats": _bn_stats(run, values.norm),
    }
    return build(config.MetaTestConfig, read, given)


def piles_config(
    cls: type, settings: tuple[type, ...], values: flags.FlagValues, **given: Any
) -> config.PilesConfig:
    """Returns the settings `cls` of a run on episodes of all kinds of piles.

    Args:
        cls: Of a comparison or a choice.
        settings: Whose flags the command has.
        values: Those of the flags.
        **given: What is known without the run.

    Raises:
        InputError: If a flag is out of bounds, or there is no such run.
    """
    read = _read(settings, values)
    folder = build(RunNameFlags, read).run_folder
    known = {"run_folder": folder, "data_folder": build(DataFlags, read).data_folder}
    if "model" not in given:
        known["model"] = read_model(pathlib.Path(folder))
    return build(cls, read, known | given)


def with_tuned_settings(
    asked: config.MetaTestConfig, values: flags.FlagValues
) -> config.MetaTestConfig:
    """Returns `asked` with what `lst tune` chose for the run where no flag says otherwise.

    Raises:
        InputError: If what it chose is damaged, or does not go with the flags.
    """
    if not build(TestFlags, _read(TEST_SETTINGS, values)).use_tuned:
        return asked
    from lst_tf2.runs.tuned import with_tuned  # Imports TensorFlow.

    rows = walk_flags(config.SelfTrainingConfig)
    given = {name for name, row in rows if values[row.flag].present}
    stages, taken = with_tuned(asked.self_training, pathlib.Path(asked.run_folder), given)
    if taken and asked.distribution.is_chief:
        print(tell_of_tuned(stages.method, taken))
    return dataclasses.replace(asked, self_training=stages)


def tell_of_tuned(method: str, taken: Mapping[str, Any]) -> str:
    """Returns the line that says which settings come from `lst tune`."""
    words = ", ".join(f"{name}={value}" for name, value in taken.items())
    return f"Settings of {method} as tuned: {words} (--notuned: not these)"


def _read(settings: tuple[type, ...], values: flags.FlagValues) -> dict[str, Any]:
    return given_values(rows_of(*settings), values)


def _given_to_both(run: EpisodeRunFlags, values: flags.FlagValues) -> dict[str, Any]:
    """Returns what meta-training and meta-test do not take from a flag as it is."""
    return {
        "run_folder": run.run_folder,
        "pretrained_path": run.pretrained_path,
        "finetune_path": _finetune_path(run, values),
        "distribution": _workers(values),
        "model": {"learn_inner_lr": run.learn_inner_lr},
    }


def _workers(values: flags.FlagValues) -> dict[str, Any]:
    """Returns the workers that the environment names, where the flags name none."""
    if values.workers:  # Nobody is the first by mistake.
        return {} if values["worker_index"].present else {"worker_index": -1}
    if values.distribution != "multi_worker":
        return {}
    from lst_tf2.distribution.cluster import find_workers  # Imports TensorFlow.

    workers, index = find_workers()
    return {"workers": workers, "worker_index": index}


def _queries(run: EpisodeRunFlags, shot: int) -> int:
    """Returns the queries per class of validation and test under the protocol."""
    return shot if run.protocol == "paper" else config.EpisodeConfig().queries_per_class


def _finetune_path(run: EpisodeRunFlags, values: flags.FlagValues) -> str:
    check(
        run.is_finetuned or not run.finetune_path,
        "--meta_finetune with --finetune_w_path",
        f"{run.finetune_path!r} alone",
        "pass both, or leave --finetune_w_path out",
    )
    return finetune_path(values)


def _bn_stats(run: TestFlags, norm: str) -> str:
    """Returns what batch norm goes by; without batch norm there is nothing to calibrate."""
    if run.bn_stats != "auto":
        return run.bn_stats
    return "batch" if run.protocol == "paper" or norm != "batch_norm" else "calibrated"
