"""Our checkpoints: one `.npz` file for each saved step, one named array a variable.

Names are explicit and checked strictly, and NumPy alone reads the files.
`tf.train.Checkpoint` would follow the objects instead; it silently passes over layers
that a Keras 3 model keeps in a list.
"""

import math
import pathlib
import re
import sys
from typing import Any

import numpy as np

from lst_tf2.errors import DamagedFileError, InputError, MissingInputError, check
from lst_tf2.storage import arrays
from lst_tf2.storage.files import read_json

# Arrays that the original program keeps and this one does not read begin with it.
FOREIGN_PREFIX = "tf1/"
# Numbers about the checkpoint begin with it; they are no weights.
RECORD_PREFIX = "record/"
STEP_NAME = re.compile(r"step_(\d+)\.npz")
BEST_NAME = "best.npz"
# Says in the record that a checkpoint is there until the next.
PASSING = "passing"
DAMAGE_REMEDY = "remove it to go on from an earlier one"


def optimizer_variables(name: str, optimizer: Any) -> dict[str, Any]:
    """Returns the state of a Keras optimizer by names.

    The slots are named by position, in the order of the variables that the optimizer was
    built with; Keras numbers its own names differently in every process.
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
    """Saves and restores the state of a run, in `<run folder>/step_<n>.npz` and `best.npz`.

    `record` holds the numbers saved beside the state that was restored. A checkpoint that is not
    kept goes when the next one is written.
    """

    def __init__(self, folder: pathlib.Path, variables: dict[str, Any]):
        self.folder, self.variables = folder, variables
        self.record: dict[str, float] = {}
        self.best_accuracy = -math.inf
        self.passing: pathlib.Path | None = None

    def save(self, step: int, *, is_kept: bool = True, **record: float) -> pathlib.Path:
        """Writes the state after `step` steps, with numbers about it, and returns the file."""
        path = self._write(f"step_{step}.npz", record | ({} if is_kept else {PASSING: 1}))
        if self.passing not in (None, path):
            self.passing.unlink(missing_ok=True)
        self.passing = None if is_kept else path
        return path

    def save_if_best(self, step: int, accuracy: float) -> bool:
        """Writes the state as the best if no earlier one had that accuracy; says whether."""
        if self.best_accuracy >= accuracy:
            return False
        self._write(BEST_NAME, {"step": step, "val_accuracy": accuracy})
        self.best_accuracy = accuracy
        return True

    def restore_newest(self) -> int:
        """Restores the newest saved step and returns its number; 0 where there is none.

        What is damaged is set aside under another name, and said so.

        Raises:
            InputError: If it is of another model.
        """
        self._find_best()
        for step in reversed(saved_steps(self.folder)):
            path = self.folder / f"step_{step}.npz"
            try:
                found, self.record = read_checkpoint(path)
            except DamagedFileError as error:
                _set_aside(path, error, "the run goes on from an earlier one")
                continue
            self.passing = path if self.record.pop(PASSING, 0) else None
            variables = self.variables
            if not any("optimizer" in name for name in found):
                # Converted from the original, which keeps no optimizer: its state begins again.
                variables = {n: v for n, v in variables.items() if "optimizer" not in n}
            assign(path, found, variables, only_these=True)
            return step
        return 0

    def _find_best(self) -> None:
        try:
            if (self.folder / BEST_NAME).exists():
                self.best_accuracy = read_best(self.folder)["val_accuracy"]
        except DamagedFileError as error:
            then = "the best of the validations that follow takes its place"
            _set_aside(self.folder / BEST_NAME, error, then)

    def _write(self, name: str, record: dict[str, float]) -> pathlib.Path:
        values = {name: variable.numpy() for name, variable in self.variables.items()}
        numbers = {f"{RECORD_PREFIX}{name}": np.array(value) for name, value in record.items()}
        arrays.write_arrays(self.folder / name, values | numbers)
        return self.folder / name


def _set_aside(path: pathlib.Path, error: InputError, then: str) -> None:
    """Renames a damaged file, so that a run goes on without it and nothing is lost."""
    aside = path.with_name(f"damaged_{path.name}")
    path.replace(aside)
    fault = str(error).removesuffix(f"; {DAMAGE_REMEDY}.")
    print(f"warning: {fault}; it is set aside as {aside}, and {then}.", file=sys.stderr)


def read_best(folder: pathlib.Path) -> dict[str, float]:
    """Returns step and validation accuracy of the checkpoint kept as the best.

    Raises:
        InputError: If it is missing or damaged.
    """
    _, record = read_checkpoint(folder / BEST_NAME)
    if not record:  # Earlier versions kept them beside it.
        record = read_json(folder / "best.json", step=int, val_accuracy=(int, float))
    return {"step": int(record["step"]), "val_accuracy": float(record["val_accuracy"])}


def saved_steps(folder: pathlib.Path) -> list[int]:
    """Returns the saved steps of a run, ascending."""
    matches = (STEP_NAME.fullmatch(path.name) for path in folder.glob("step_*.npz"))
    return sorted(int(match[1]) for match in matches if match)


def find_checkpoints(path: pathlib.Path) -> dict[int, pathlib.Path]:
    """Returns the checkpoints at `path`, a file or a run folder, by step.

    Raises:
        MissingInputError: If there are none.
    """
    if path.is_file() and (match := STEP_NAME.fullmatch(path.name)):
        return {int(match[1]): path}
    files = {step: path / f"step_{step}.npz" for step in saved_steps(path)}
    if not files:
        raise MissingInputError(
            f"Expected step_<n>.npz at {path}, found none; pass the file or its run folder."
        ).about("source")
    return files


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
        DamagedFileError: If it is damaged or no checkpoint.
    """
    return read_checkpoint(path)[0]


def read_checkpoint(path: pathlib.Path) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Returns the arrays of a checkpoint, and the numbers about it, by name.

    Raises:
        MissingInputError: If there is no checkpoint at `path`.
        DamagedFileError: If it is damaged or no checkpoint.
    """
    if not path.exists():
        raise MissingInputError(
            f"Expected a checkpoint at {path}, found none (saved steps there: "
            f"{', '.join(map(str, saved_steps(path.parent))) or 'none'}); train it first, or fix "
            "the flags that name it."
        )
    found = arrays.read_npz(path, "a checkpoint", DAMAGE_REMEDY)
    record = {n.removeprefix(RECORD_PREFIX): n for n in found if n.startswith(RECORD_PREFIX)}
    return found, {name: found.pop(key).item() for name, key in record.items()}


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
    values: dict[str, np.ndarray],
    variables: dict[str, Any],
    *,
    only_these: bool = False,
) -> None:
    """Assigns `values`, which were read from `path`, as `restore` does.

    Raises:
        InputError: If a name or a shape does not fit, or a number is not finite; names them all.
    """
    faults = [f"{name} is missing" for name in variables if name not in values]
    if only_these:
        faults += [
            f"{name} is unknown"
            for name in values
            if name not in variables and not name.startswith(FOREIGN_PREFIX)
        ]
    faults += [
        f"{name} has shape {values[name].shape}, not {tuple(variable.shape)}"
        for name, variable in variables.items()
        if name in values and values[name].shape != tuple(variable.shape)
    ]
    if faults:
        raise InputError(
            f"Expected the variables of this model in {path}, received others: "
            f"{'; '.join(faults)}. Pass the settings that it was trained with."
        )
    broken = [name for name in variables if not np.isfinite(values[name]).all()]
    expected = f"finite numbers in {path}"
    remedy = "restore the file, or name an earlier checkpoint"
    check(not broken, expected, f"others in {', '.join(broken)}", remedy)
    for name, variable in variables.items():
        variable.assign(values[name])
