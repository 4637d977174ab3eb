"""Our checkpoints: one `.npz` file for each saved step, one named array a variable.

Names are explicit and checked strictly, and NumPy alone reads the files.
`tf.train.Checkpoint` would follow the objects instead; it silently passes over layers
that a Keras 3 model keeps in a list.
"""

import io
import pathlib
import re
import zipfile
import zlib
from typing import Any

import numpy as np

from lst_tf2.errors import InputError, MissingInputError
from lst_tf2.files import read_json, write_bytes, write_json

# Arrays that the original program keeps and this one does not read begin with it.
FOREIGN_PREFIX = "tf1/"
STEP_NAME = re.compile(r"step_(\d+)\.npz")
READ_ERRORS = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


def optimizer_variables(name: str, optimizer: Any) -> dict[str, Any]:
    """Returns the state of a Keras optimizer by names.

    The slots are named by position, in the order of the variables that the optimizer was
    built with; Keras numbers its own names anew in every process.
    """
    variables = _state_of(optimizer)
    # An optimizer of tensorflow-addons around another keeps its step with that one.
    wrapped = _state_of(getattr(optimizer, "_optimizer", None))
    distinct = {id(variable): variable for variable in [*variables, *wrapped]}.values()
    return {f"{name}/{i}": variable for i, variable in enumerate(distinct)}


def _state_of(optimizer: Any) -> list:
    variables = getattr(optimizer, "variables", [])
    return variables() if callable(variables) else variables


class CheckpointStore:
    """Saves and restores the state of a run, in `<run folder>/step_<n>.npz` and `best.npz`."""

    def __init__(self, folder: pathlib.Path, variables: dict[str, Any]):
        self.folder, self.variables = folder, variables

    def save(self, step: int) -> None:
        """Writes the state after `step` steps."""
        self._write(self.folder / f"step_{step}.npz")

    def save_if_best(self, step: int, accuracy: float) -> bool:
        """Writes the state as `best` if no earlier one had that accuracy; says whether."""
        has_best = (self.folder / "best.json").exists() and (self.folder / "best.npz").exists()
        if has_best and read_best(self.folder)["val_accuracy"] >= accuracy:
            return False
        self._write(self.folder / "best.npz")
        write_json(self.folder / "best.json", {"step": step, "val_accuracy": accuracy})
        return True

    def restore_newest(self) -> int:
        """Restores the newest saved step and returns its number; 0 where there is none."""
        steps = saved_steps(self.folder)
        if not steps:
            return 0
        path, variables = self.folder / f"step_{steps[-1]}.npz", self.variables
        if not any("optimizer" in name for name in read_arrays(path)):
            # Converted from the original, which keeps no optimizer: its state begins anew.
            variables = {n: v for n, v in variables.items() if "optimizer" not in n}
        restore(path, variables, only_these=True)
        return steps[-1]

    def _write(self, path: pathlib.Path) -> None:
        buffer = io.BytesIO()
        np.savez(buffer, **{name: variable.numpy() for name, variable in self.variables.items()})
        write_bytes(path, buffer.getvalue())


def read_best(folder: pathlib.Path) -> dict[str, Any]:
    """Returns step and validation accuracy of the checkpoint kept as the best.

    Raises:
        InputError: If the record is missing or damaged.
    """
    return read_json(folder / "best.json", step=int, val_accuracy=(int, float))


def saved_steps(folder: pathlib.Path) -> list[int]:
    """Returns the saved steps of a run, ascending."""
    matches = (STEP_NAME.fullmatch(path.name) for path in folder.glob("step_*.npz"))
    return sorted(int(match[1]) for match in matches if match)


def find_checkpoint(folder: pathlib.Path, test_iter: str) -> pathlib.Path:
    """Returns the checkpoint that `test_iter` names.

    Args:
        folder: The run folder.
        test_iter: A step number, "best" (on validation) or "last".

    Raises:
        InputError: If it is none of these.
        MissingInputError: If there is no such checkpoint; names those that there are.
    """
    steps = saved_steps(folder)
    if not (test_iter.isdecimal() or test_iter in ("best", "last")):
        raise InputError(
            "Expected test_iter to be a number, `best` or `last`, received "
            f"{test_iter!r}; choose one."
        ).about("test_iter")
    step = steps[-1] if test_iter == "last" and steps else test_iter
    path = folder / ("best.npz" if test_iter == "best" else f"step_{step}.npz")
    if not path.exists():
        raise MissingInputError(
            f"Expected a checkpoint {path} for test_iter={test_iter}, found none (saved steps: "
            f"{', '.join(map(str, steps)) or 'none'}); choose one of these, or train on."
        ).about("test_iter")
    return path


def read_arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns the arrays of a checkpoint by name.

    Raises:
        MissingInputError: If there is no checkpoint at `path`.
        InputError: If it is damaged or no checkpoint.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise MissingInputError(
            f"Expected a checkpoint at {path}, found none (saved steps there: "
            f"{', '.join(map(str, saved_steps(path.parent))) or 'none'}); train it first, or mend "
            "the flags that name it."
        ) from None
    except READ_ERRORS as error:
        raise InputError(
            f"Expected a checkpoint in {path}, received a damaged file ({error}); remove it to go "
            "on from an earlier one."
        ) from None


def restore(path: pathlib.Path, variables: dict[str, Any], *, only_these: bool = False) -> None:
    """Assigns the arrays of a checkpoint to `variables` of the same names.

    Args:
        path: The checkpoint.
        variables: What to restore, whole; nothing is assigned unless all of it fits.
        only_these: Refuse a checkpoint that holds others besides.

    Raises:
        MissingInputError: If there is no checkpoint at `path`.
        InputError: If it is damaged, or if a name or a shape does not fit; names them all.
    """
    assign(path, read_arrays(path), variables, only_these=only_these)


def assign(
    path: pathlib.Path,
    arrays: dict[str, np.ndarray],
    variables: dict[str, Any],
    *,
    only_these: bool = False,
) -> None:
    """Assigns `arrays`, which were read from `path`, as `restore` does.

    Raises:
        InputError: If a name or a shape does not fit; names them all.
    """
    faults = [f"{name} is missing" for name in variables if name not in arrays]
    if only_these:
        faults += [
            f"{name} is unknown"
            for name in arrays
            if name not in variables and not name.startswith(FOREIGN_PREFIX)
        ]
    faults += [
        f"{name} is not finite"
        for name in variables
        if name in arrays and not np.isfinite(arrays[name]).all()
    ]
    faults += [
        f"{name} has shape {arrays[name].shape}, not {tuple(variable.shape)}"
        for name, variable in variables.items()
        if name in arrays and arrays[name].shape != tuple(variable.shape)
    ]
    if faults:
        raise InputError(
            f"Expected the variables of this model in {path}, received others: "
            f"{'; '.join(faults)}. Pass the settings that it was trained with."
        )
    for name, variable in variables.items():
        variable.assign(arrays[name])
