"""Keeps a fitted classifier beside its backbone: arrays in `.npz`, the rest as JSON."""

import pathlib
from typing import Any, NamedTuple

import numpy as np

from lst_tf2.errors import check
from lst_tf2.predict.confidence import References
from lst_tf2.predict.estimate import Estimate
from lst_tf2.predict.fitted import FittedHead
from lst_tf2.predict.presets import is_preset
from lst_tf2.runs.checkpoints import read_arrays
from lst_tf2.storage.arrays import write_arrays
from lst_tf2.storage.files import read_json, write_json

ARRAYS, SETTINGS = "classifier.npz", "classifier.json"
# Parameters that are kept; the others are of the place where it was fitted.
KEPT = ("method", "method_settings", "reject", "max_pile", "random_state")


class Kept(NamedTuple):
    """Holds what a fit found, as far as predictions need it."""

    classes: np.ndarray  # [N]
    head: FittedHead
    estimate: Estimate
    parameters: dict[str, Any]  # Those of `KEPT`, plain JSON types.


def check_folder(folder: pathlib.Path, *, overwrite: bool) -> None:
    """Checks that a folder can be written.

    Raises:
        InputError: If there is something else, or without `overwrite` anything.
    """
    if folder.exists():
        is_ours = folder.is_dir() and is_preset(folder)
        remedy = "pass overwrite" if is_ours else "name another folder"
        expected = f"nothing at {folder}, or a folder of this kind"
        received = "an earlier one" if is_ours else "something else"
        check(overwrite and is_ours, expected, received, remedy, "overwrite")


def write_kept(folder: pathlib.Path, kept: Kept) -> None:
    """Writes what a fit found into the folder of its backbone."""
    head = kept.head
    arrays = {"classes": kept.classes, "kernel": head.kernel, "bias": head.bias}
    if head.references is not None:
        arrays |= head.references._asdict()
    write_arrays(folder / ARRAYS, arrays, is_packed=True)
    told = {"estimate": kept.estimate._asdict(), "parameters": kept.parameters}
    write_json(folder / SETTINGS, {"temperature": head.temperature, **told}, sealed=True)


def read_kept(folder: pathlib.Path) -> Kept | None:
    """Returns what `write_kept` wrote; None where there is a backbone alone.

    Raises:
        InputError: If it is damaged, or its parts do not fit together.
    """
    path = folder / ARRAYS
    if not (folder / SETTINGS).exists():
        return None
    told = read_json(folder / SETTINGS, temperature=float, estimate=dict, parameters=dict)
    arrays = read_arrays(path)
    has_references = References._fields[0] in arrays
    names = {"classes", "kernel", "bias", *(References._fields if has_references else ())}
    check(
        arrays.keys() == names and _fit(arrays),
        f"arrays that fit together ({', '.join(sorted(names))}) in {path}",
        {name: array.shape for name, array in arrays.items()},
        "save the classifier again",
    )
    references = None
    if has_references:
        references = References(*(arrays[name] for name in References._fields))
    head = FittedHead(arrays["kernel"], arrays["bias"], told["temperature"], references)
    try:
        estimate = Estimate(**told["estimate"])
    except TypeError as error:
        expected = f"an estimate in {folder / SETTINGS}"
        check(False, expected, f"{told['estimate']} ({error})", "save the classifier again")
    parameters = {name: value for name, value in told["parameters"].items() if name in KEPT}
    return Kept(arrays["classes"], head, estimate, parameters)


def _fit(arrays: dict[str, np.ndarray]) -> bool:
    """Returns whether shapes and types are those of one classifier."""
    floats = [array for name, array in arrays.items() if name != "classes"]
    if arrays["classes"].ndim != 1 or arrays["kernel"].ndim != 2:
        return False
    (way,), (width, _) = arrays["classes"].shape, arrays["kernel"].shape
    count = len(arrays.get("scales", ()))
    shapes = {
        "kernel": (width, way),
        "bias": (way,),
        "centre": (width,),
        "directions": (count, width),
        "scales": (count,),
        "probs": (count, way),
    }
    is_right = all(arrays[name].shape == shapes[name] for name in arrays if name != "classes")
    return is_right and all(a.dtype == np.float32 and np.isfinite(a).all() for a in floats)
