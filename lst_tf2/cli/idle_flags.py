"""Flags that were given and change nothing, told before the work begins."""

import sys
from collections.abc import Callable
from typing import NamedTuple

from absl import flags

from lst_tf2.cli.flag_rows import rows_of
from lst_tf2.cli.flag_tables import RETIRED_FLAGS, SCRIPT_SETTINGS, TEST_SETTINGS

# What published command lines give to training and test alike.
COMMON = {"phase", "pretrain_class_num"}


class Idle(NamedTuple):
    """Says when a flag has no effect beside the values of others, and why."""

    flag: str
    is_idle: Callable[[flags.FlagValues], bool]
    why: str


RULES = (
    Idle("hard_selection", lambda v: v.selection == "none", "--selection=none keeps all images"),
    Idle("num_dis", lambda v: not v.use_distractors, "only --use_distractors adds such classes"),
    Idle(
        "train_hard_selection",
        lambda v: v.train_selection == "none",
        "--train_selection=none keeps all images",
    ),
    Idle("min_pre_lr", lambda v: not v.pre_lr_stop, "only --pre_lr_stop stops at it"),
    Idle("val_episode_num", lambda v: v.meta_val_print_step == 0, "nothing is validated"),
)


def note_idle_flags(values: flags.FlagValues, settings: tuple[type, ...], task: str) -> None:
    """Tells of each given flag that has no effect.

    Args:
        values: Those of the flags.
        settings: The classes of settings that the task reads.
        task: What is done, for the message.
    """
    read = {row.flag for row in rows_of(*settings)}
    for name, (_, why) in RETIRED_FLAGS.items():
        if values[name].present:
            print(f"warning: --{name} has no effect: {why}.", file=sys.stderr)
    others = {row.flag for row in rows_of(*SCRIPT_SETTINGS, *TEST_SETTINGS)} - read - COMMON
    if unread := sorted(name for name in others if values[name].present):
        named = ", ".join(f"--{name}" for name in unread)
        print(f"note: {task} does not read {named}.", file=sys.stderr)
    for flag, is_idle, why in RULES:
        if flag in read and values[flag].present and is_idle(values):
            print(f"note: --{flag} has no effect: {why}.", file=sys.stderr)
    if "hard_selection" in read and values.selection != "none":
        _note_all_kept(values)


def _note_all_kept(values: flags.FlagValues) -> None:
    kept, seen = values.hard_selection, values.nums_in_folders
    if values["hard_selection"].present and kept >= seen:
        print(
            f"note: --hard_selection={kept} keeps all of the --nums_in_folders={seen} images that "
            "a stage looks at.",
            file=sys.stderr,
        )
