"""Our checkpoints: `tf.train.Checkpoint` files, one for each saved step."""

import pathlib
import re
from typing import Any

import tensorflow as tf

from lst_tf2.errors import InputError, MissingInputError
from lst_tf2.files import read_json, write_json

STEP_NAME = re.compile(r"step_(\d+)\.index")


class CheckpointStore:
    """Saves and restores the state of a run, in `<run folder>/step_<n>` and `best`."""

    def __init__(self, folder: pathlib.Path, **trackables: Any):
        self.folder = folder
        self.checkpoint = tf.train.Checkpoint(**trackables)

    def save(self, step: int) -> None:
        """Writes the state after `step` steps."""
        self.checkpoint.write(str(self.folder / f"step_{step}"))

    def save_if_best(self, step: int, accuracy: float) -> bool:
        """Writes the state as `best` if no earlier one had that accuracy; says whether."""
        record = self.folder / "best.json"
        if record.exists() and read_json(record)["val_accuracy"] >= accuracy:
            return False
        self.checkpoint.write(str(self.folder / "best"))
        write_json(record, {"step": step, "val_accuracy": accuracy})
        return True

    def restore_newest(self) -> int:
        """Restores the newest saved step and returns its number; 0 where there is none."""
        steps = saved_steps(self.folder)
        if not steps:
            return 0
        restored = self.checkpoint.read(str(self.folder / f"step_{steps[-1]}"))
        restored.assert_existing_objects_matched()
        return steps[-1]


def saved_steps(folder: pathlib.Path) -> list[int]:
    """Returns the saved steps of a run, ascending."""
    matches = (STEP_NAME.fullmatch(path.name) for path in folder.glob("step_*.index"))
    return sorted(int(match[1]) for match in matches if match)


def find_checkpoint(folder: pathlib.Path, test_iter: str) -> pathlib.Path:
    """Returns the checkpoint that `--test_iter` names.

    Args:
        folder: The run folder.
        test_iter: A step number, "best" (on validation) or "last".

    Raises:
        InputError: If it is none of these.
        MissingInputError: If there is no such checkpoint; names those that there are.
    """
    steps = saved_steps(folder)
    if test_iter == "last" and steps:
        name = f"step_{steps[-1]}"
    elif test_iter.isdecimal():
        name = f"step_{int(test_iter)}"
    elif test_iter in ("best", "last"):
        name = test_iter
    else:
        raise InputError(
            f"Expected --test_iter to be a number, `best` or `last`, received {test_iter!r}."
        )
    if not (folder / f"{name}.index").exists():
        known = ", ".join(map(str, steps)) or "none"
        raise MissingInputError(
            f"Expected a checkpoint {folder / name} for --test_iter={test_iter}, found none "
            f"(saved steps: {known}); pass one of these, or train on with `python train.py`."
        )
    return folder / name


def restore_parts(path: pathlib.Path, **parts: Any) -> None:
    """Restores some parts of a checkpoint, each whole.

    Raises:
        MissingInputError: If there is no checkpoint at `path`.
        InputError: If it lacks a variable of these parts, or has one of another shape.
    """
    if not path.with_name(path.name + ".index").exists():
        known = ", ".join(map(str, saved_steps(path.parent))) or "none"
        raise MissingInputError(
            f"Expected a checkpoint at {path}, found none (saved steps there: {known}); "
            "pre-train with `python train.py --phase=pre`, or mend --pretrain_w_path or "
            "--pretrain_iterations."
        )
    try:
        restored = tf.train.Checkpoint(**parts).read(str(path))
        restored.expect_partial().assert_existing_objects_matched()
    except (AssertionError, ValueError, tf.errors.OpError) as error:
        raise InputError(
            f"Expected {', '.join(parts)} of this model in {path}, received another or a damaged "
            f"one ({str(error).splitlines()[0]}); pass the settings it was trained with."
        ) from None
