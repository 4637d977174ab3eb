"""Reads what a TensorFlow 1 `Saver` wrote of the original program's graph.

The graph makes scales and shifts first, then the backbone, under the same names, so that
TensorFlow numbers the later ones: `meta-model/block1_conv1` is a scale,
`meta-model/block1_conv1_1` the kernel. Scales are told by their 1x1 window; their number is
that of the shifts. Optimizer slots and moving averages are skipped.
"""

import math
import pathlib
import re
from typing import Any, NamedTuple

import numpy as np

from lst_tf2.errors import InputError

INDEX_SUFFIX = ".index"
OPTIMIZER = re.compile(
    r"(.*/)?(Adam(_\d+)?|Momentum|RMSProp(_\d+)?|Adagrad|beta[12]_power(_\d+)?|global_step)"
)
# The original never updates nor reads them.
MOVING_AVERAGE = re.compile(r".*/moving_(mean|variance)")
# Batch norm's offsets: zeros that nothing trains.
OFFSET = re.compile(r".*/beta(_\d+)?")
NAME = re.compile(
    r"(?:.*/)?(?P<name>block\d+_conv\d|block\d+_bias\d|block\d+_conv_res|(?:fc_)?[wb]5"
    r"|RN_conv\d|RN_bias\d|RN_fc_[wb]\d)(?P<number>_\d+)?"
)
SCALE_WINDOW = (1, 1)


class Variable(NamedTuple):
    """Describes one variable of the file: its full name split up, and its shape."""

    full_name: str
    name: str
    number: str
    shape: tuple[int, ...]


def saver_prefix(path: pathlib.Path) -> pathlib.Path | None:
    """Returns the prefix that names a Saver's files to TensorFlow.

    None unless `path` is their index, or that prefix itself.
    """
    if path.name.endswith(INDEX_SUFFIX) and path.is_file():
        return path.with_name(path.name.removesuffix(INDEX_SUFFIX))
    if not path.exists() and path.with_name(path.name + INDEX_SUFFIX).is_file():
        return path
    return None


def read_saver(prefix: pathlib.Path) -> dict[str, dict[str, np.ndarray]]:
    """Returns the arrays of a Saver's files by the original's groups and names.

    Args:
        prefix: Path of the files less `.index`.

    Raises:
        InputError: If they are damaged, or hold variables of something else.
    """
    import tensorflow as tf

    try:
        reader = tf.train.load_checkpoint(str(prefix))
        shapes = {name: tuple(s) for name, s in reader.get_variable_to_shape_map().items()}
        _check_sizes(prefix, shapes)
        variables = _own_variables(prefix, shapes, reader)
        groups = _grouped(prefix, variables)
        return {
            group: {name: _read(prefix, reader, v.full_name) for name, v in named.items()}
            for group, named in groups.items()
        }
    except (tf.errors.OpError, RuntimeError, ValueError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"Expected a Saver's files {prefix}.index and .data-*, received damaged ones "
            f"({reason}); fetch them again."
        ) from None


def _read(prefix: pathlib.Path, reader: Any, full_name: str) -> np.ndarray:
    array = reader.get_tensor(full_name)
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise InputError(
            f"Expected finite floats for {full_name} in {prefix}.index, received "
            f"{array.dtype if array.dtype.kind != 'f' else 'values that are not finite'}; "
            "pass a checkpoint of a run that did not fail."
        )
    return array


def _check_sizes(prefix: pathlib.Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """Raises `InputError` where the index declares more than the data files hold."""
    held = sum(path.stat().st_size for path in prefix.parent.glob(f"{prefix.name}.data-*"))
    declared = sum(4 * math.prod(shape) for shape in shapes.values())
    # A file may hold half-precision numbers, never ones of less than two bytes.
    if declared > 2 * held:
        raise InputError(
            f"Expected {declared} bytes of variables beside {prefix}.index, found {held}; "
            "fetch the .data-* files again."
        )


def _own_variables(
    prefix: pathlib.Path, shapes: dict[str, tuple[int, ...]], reader: Any
) -> list[Variable]:
    """Returns the variables that the original's groups have, its optimizers' left out."""
    variables, unknown = [], []
    for full_name, shape in sorted(shapes.items()):
        if OPTIMIZER.fullmatch(full_name) or MOVING_AVERAGE.fullmatch(full_name):
            continue
        if OFFSET.fullmatch(full_name) and not reader.get_tensor(full_name).any():
            continue
        if match := NAME.fullmatch(full_name):
            variables.append(Variable(full_name, match["name"], match["number"] or "", shape))
        else:
            unknown.append(full_name)
    if unknown or not variables:
        raise InputError(
            f"Expected the original program's variables in {prefix}.index, such as "
            f"meta-model/block1_conv1, received {', '.join(unknown[:5]) or 'none'}"
            f"{' and more' if len(unknown) > 5 else ''}; pass a checkpoint of its graph."
        )
    return variables


def _grouped(prefix: pathlib.Path, variables: list[Variable]) -> dict[str, dict[str, Variable]]:
    """Returns the variables by group and by the original's names, groups in its order."""
    scale_numbers = {v.number for v in variables if _is_scale(v)}
    groups: dict[str, dict[str, Variable]] = {}
    for variable in variables:
        group, name = _place(variable, scale_numbers)
        if other := groups.setdefault(group, {}).get(name):
            raise InputError(
                f"Expected one variable for {group}/{name} in {prefix}.index, received "
                f"{other.full_name} and {variable.full_name}; save one graph at a time."
            )
        groups[group][name] = variable
    order = ("weights", "ss_weights", "fc_weights", "swn_weights")
    return {group: groups[group] for group in order if group in groups}


def _is_scale(variable: Variable) -> bool:
    is_conv = re.fullmatch(r"block\d+_conv\d", variable.name)
    return bool(is_conv) and variable.shape[:2] == SCALE_WINDOW


def _place(variable: Variable, scale_numbers: set[str]) -> tuple[str, str]:
    """Returns group and name of a variable in the original's files."""
    name = variable.name
    if name.startswith("RN_"):
        return "swn_weights", name
    if name.startswith("fc_"):
        return "fc_weights", name.removeprefix("fc_")
    is_shift = "_bias" in name and variable.number in scale_numbers
    return ("ss_weights" if is_shift or _is_scale(variable) else "weights"), name
