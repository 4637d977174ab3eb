"""What the converter tells of a conversion: a table of its arrays, and whether it was kept."""

import math
import pathlib

import numpy as np
from tabulate import tabulate

from lst_tf2.errors import InputError
from lst_tf2.tf1.weight_export import read_saved_step
from lst_tf2.tf1.weight_files import find_steps
from lst_tf2.tf1.weight_import import Conversion, read_step


def conversion_table(conversion: Conversion) -> str:
    """Returns a line for each array: name, shape, type, mean, our variable."""
    rows = [("array", "shape", "type", "mean", "variable")]
    for (group, name), target in conversion.targets.items():
        array = conversion.groups[group][name]
        shape = "x".join(map(str, array.shape))
        rows.append((f"{group}/{name}", shape, str(array.dtype), f"{array.mean():.3g}", target))
    table = tabulate(rows, tablefmt="plain", disable_numparse=True)
    count = sum(math.prod(a.shape) for group in conversion.groups.values() for a in group.values())
    return f"{table}\n{conversion.kind}, step {conversion.step}: {count:,} numbers"


def verify(conversion: Conversion, folder: pathlib.Path, *, to_tf1: bool) -> None:
    """Reads back what was written.

    Raises:
        InputError: If an array is not the same bit for bit; names them all.
    """
    if to_tf1:
        written = read_step(find_steps(folder)[conversion.step], conversion.step, conversion.model)
    else:
        path = folder / f"step_{conversion.step}.npz"
        written = read_saved_step(path, conversion.step, conversion.model)
    changed = [
        f"{group}/{name}"
        for group, name in conversion.targets
        if not _is_same(conversion.groups[group][name], written.groups[group][name])
    ]
    if changed:
        raise InputError(
            f"Expected the arrays that were read in {folder}, received others: "
            f"{', '.join(changed)}; remove the folder and convert again."
        )


def _is_same(one: np.ndarray, other: np.ndarray) -> bool:
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
