"""The flags of the commands: those of the settings, and those of command lines alone.

Names and defaults are the original program's. What they make is in `lst_tf2.cli.flags`.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator

from absl import flags

from lst_tf2.cli.command_help import show_on_help
from lst_tf2.config import (
    DATA,
    EPISODE,
    METHOD,
    PRETRAINING,
    PROTOCOLS,
    RUNNING,
    MetaTestConfig,
    MetaTrainConfig,
    ModelConfig,
    PretrainConfig,
)
from lst_tf2.errors import check
from lst_tf2.settings import FlagRow, Settings, setting, walk_flags

RETIRED = "Of old command lines, without effect"
DEFINERS = {
    bool: flags.DEFINE_boolean,
    float: flags.DEFINE_float,
    int: flags.DEFINE_integer,
    str: flags.DEFINE_string,
    tuple: flags.DEFINE_list,
}


@dataclasses.dataclass(frozen=True)
class RunFlags(Settings, group=DATA):
    """Holds what command lines say of where things lie and which ones to use."""

    exp_name: str = setting(
        "finetune_mini_RN",
        "Name of the run; it lives in checkpoints/<exp_name>.",
        flag="exp_name",
        group=RUNNING,
    )
    logdir_base: str = setting(
        "./", "Folder that holds checkpoints/.", flag="logdir_base", group=RUNNING
    )
    dataset: str = setting(
        "miniImagenet",
        "Data set: a folder below <data_path>/data, e.g. glyphs.",
        flag="dataset",
    )
    data_path: str = setting("./", "Folder that holds data/.", flag="data_path")
    pretrain_folder: str = setting(
        "pretrain_weights/",
        "Folder of pre-trained weights, <dataset>/ inside; those of the original are found there "
        "and in pretrain_weights_dir/.",
        flag="pretrain_w_path",
    )
    pretrain_iterations: int = setting(
        14000,
        "Iterations of pre-training; names the file to start from.",
        flag="pretrain_iterations",
    )
    is_finetuned: bool = setting(
        False,
        "Start (a test: with test_iter=0) from a meta-trained learner, Meta-Transfer Learning's "
        "or LST's, not from the pre-trained backbone.",
        flag="meta_finetune",
    )
    finetune_path: str = setting(
        "",
        "With meta_finetune: its checkpoint <folder>/step_<n>.npz or the original's "
        "weights_<n>.npy, or a folder with step 15000 of either; by default "
        "<pretrain_w_path>/<dataset>/<shot_num>-shot_MTL_weights.",
        flag="finetune_w_path",
    )
    original_folder: str = setting(
        "weights_saving_dir",
        "Folder below <logdir_base> with runs of the original program, tested where "
        "checkpoints/<exp_name> is not there.",
        flag="exp_log_label",
        group=RUNNING,
    )
    device: int = setting(
        0,
        "Number of the GPU to use; if not given, TensorFlow sees all.",
        flag="device_id",
        group=RUNNING,
    )
    protocol: str = setting(
        "paper",
        "`paper`: queries and distractors as published (K queries per class in validation and "
        "test). `standard`: 15 queries, distractors mixed into the unlabeled images.",
        flag="protocol",
        group=EPISODE,
        choices=PROTOCOLS,
    )
    num_unlabeled_files: int = setting(
        0,
        "Files of 10 unlabeled images per class, as in the original; if given to a test it must "
        "be nb_ul_samples / 10.",
        flag="unfiles_num",
        group=EPISODE,
    )


@dataclasses.dataclass(frozen=True)
class TrainFlags(RunFlags):
    """Adds what `train.py` alone reads."""

    phase: str = setting(
        "meta",
        "`pre`: pre-training of the backbone; `meta`: meta-training.",
        flag="phase",
        choices=("pre", "meta"),
    )
    overwrite: bool = setting(
        False,
        "Start the run anew where its folder holds one with other settings.",
        flag="overwrite",
        group=RUNNING,
    )
    has_floor: bool = setting(
        False,
        "Stop halving the pre-training rate at min_pre_lr.",
        flag="pre_lr_stop",
        group=PRETRAINING,
    )


@dataclasses.dataclass(frozen=True)
class TestFlags(RunFlags):
    """Adds what `test.py` alone reads."""

    has_distractors: bool = setting(
        False,
        "Add unlabeled images of num_dis classes outside the episode.",
        flag="use_distractors",
        group=EPISODE,
    )
    num_distractor_classes: int = setting(
        3, "Distractor classes, with use_distractors.", flag="num_dis", group=EPISODE, at_least=0
    )
    bn_stats: str = setting(
        "auto",
        "What batch norm goes by: `batch`, the batch at hand as in the paper; `calibrated`, "
        "statistics of base-class images, so that each image is embedded once, many times faster; "
        "`auto`: `batch` with protocol=paper, else `calibrated`.",
        flag="bn_stats",
        group=METHOD,
        choices=("auto", "batch", "calibrated"),
    )


@dataclasses.dataclass(frozen=True)
class ConvertFlags(Settings, group=DATA):
    """Holds what `convert_tf1_weights.py` reads beside the settings of the model."""

    source: str = setting(
        "",
        "File or folder of the original: weights_<n>.npy, and for a learner beside it "
        "ss_weights_<n>.npy, fc_weights_<n>.npy and swn_weights_<n>.npy; or what a TensorFlow 1 "
        "Saver wrote, <name>-<n>.index and .data-*.",
        flag="input",
    )
    target: str = setting(
        "",
        "Folder to write into: pretrain_weights/<dataset> for a backbone, "
        "checkpoints/<exp_name> for a learner.",
        flag="output",
    )
    to_tf1: bool = setting(
        False, "The other way: step_<n>.npz of ours into the original's files.", flag="to_tf1"
    )
    dry_run: bool = setting(False, "Check and print the table, write nothing.", flag="dry_run")
    verify: bool = setting(
        False, "Read back what was written and compare bit for bit.", flag="verify"
    )


# Flags of the original whose job is gone, with what to use instead.
RETIRED_FLAGS = [
    ("gpu_rate", 0.9, "memory is taken as needed"),
    ("full_gpu_memory_mode", False, "memory is taken as needed"),
    ("metatrain", True, "train.py trains, test.py tests"),
    ("base_augmentation", False, "the original never read it"),
    ("test_base_augmentation", False, "the original never read it"),
    ("pretrain_folders", "", "pre-training reads data/<dataset>"),
    ("pretrain_val_folders", "", "pre-training reads data/<dataset>"),
    ("exp_string", "", "the original derives it from others, and so do we"),
    ("logdir", "", "pass --logdir_base, --exp_log_label and --exp_name"),
    ("pretrain_dir", "", "pass --pretrain_w_path"),
    ("pretrain_weights_path", "", "pass --pretrain_w_path"),
    ("finetune_weights_path", "", "pass --finetune_w_path"),
    ("test_output_dir", "", "results lie in the run's folder"),
]


def rows_of(*classes: type) -> list[FlagRow]:
    """Returns the flags of `Settings` classes, each once: as the first that has it says."""
    found = itertools.chain.from_iterable(map(walk_flags, classes))
    return list({row.flag: row for _, row in reversed(list(found))}.values())[::-1]


TRAIN_SETTINGS = (TrainFlags, MetaTrainConfig, PretrainConfig)
TEST_SETTINGS = (TestFlags, MetaTestConfig)
TRAIN_ROWS, TEST_ROWS = rows_of(*TRAIN_SETTINGS), rows_of(*TEST_SETTINGS)
# The files tell the rest of the model.
UNTOLD = ("img_size", "activation", "norm")
CONVERT_ROWS = rows_of(ConvertFlags) + [row for row in rows_of(ModelConfig) if row.flag in UNTOLD]
RETIRED_ROWS = [
    FlagRow(name, default, f"No effect: {why}.", RETIRED) for name, default, why in RETIRED_FLAGS
]


def flags_by_setting(*classes: type) -> dict[str, str]:
    """Returns the flags that set each field, separated by spaces, by its name."""
    flags_of: dict[str, str] = {}
    for name, row in itertools.chain.from_iterable(map(walk_flags, classes)):
        flags_of[name] = f"{flags_of.get(name, '')} {row.flag}"
    return flags_of


def foreign_rows(own: Iterable[FlagRow], other: Iterable[FlagRow], script: str) -> list[FlagRow]:
    """Returns the other script's flags: the original's commands repeat some of them."""
    names = {row.flag for row in own}
    return [
        FlagRow(row.flag, row.default, f"No effect here: a flag of {script}.", RETIRED)
        for row in other
        if row.flag not in names
    ]


def script_rows(script: str) -> list[FlagRow]:
    """Returns every flag that `train.py` or `test.py` takes."""
    own, other = (TRAIN_ROWS, TEST_ROWS) if script == "train.py" else (TEST_ROWS, TRAIN_ROWS)
    other_script = "test.py" if script == "train.py" else "train.py"
    return own + RETIRED_ROWS + foreign_rows(own, other, other_script)


def define_rows(rows: Iterable[FlagRow], values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines absl flags; a tuple becomes a comma-separated list."""
    for row in rows:
        default = row.default
        if isinstance(default, tuple):
            default = [str(item) for item in default]
        DEFINERS[type(row.default)](row.flag, default, row.about, flag_values=values)


def define_train_flags() -> None:
    """Defines the flags of `train.py`."""
    _define(script_rows("train.py"), "Pre-trains (--phase=pre), meta-trains.")


def define_test_flags() -> None:
    """Defines the flags of `test.py`."""
    _define(script_rows("test.py"), "Meta-tests a learner.")


def define_convert_flags() -> None:
    """Defines the flags of `convert_tf1_weights.py`."""
    _define(CONVERT_ROWS, "Converts weights of the original program, and back.")


def _define(rows: list[FlagRow], about: str) -> None:
    define_rows(rows)
    shown = (row.flag for row in rows if not row.about.startswith("No effect here"))
    show_on_help(shown, f"{about}\n\nSee the README for whole commands.")


def parsed_values(rows: Iterable[FlagRow], values: flags.FlagValues) -> Iterator[tuple]:
    """Yields flag and value of each of `rows` that is defined, lists as tuples of their type.

    Raises:
        InputError: If an item of a list is no number where numbers are asked for.
    """
    for row in rows:
        if row.flag in values:
            value = values[row.flag].value
            yield row.flag, _as_tuple(row, value) if isinstance(row.default, tuple) else value


def _as_tuple(row: FlagRow, words: list[str]) -> tuple:
    if not row.default or not isinstance(row.default[0], int):
        return tuple(words)
    is_numeric = all(word.strip().isdecimal() for word in words)
    example = ",".join(map(str, row.default))
    check(is_numeric, f"whole numbers for {row.flag}", words, f"name them as {example}")
    return tuple(int(word) for word in words)
