"""Weights in half or a quarter of the bytes: as float16, or as 8-bit numbers."""

import pathlib

import numpy as np

from lst_tf2.errors import check, check_choice

# The array of this name holds a factor for each output channel of one of whole numbers.
ENDING = ":factor"
LEVELS = 127
TINY = 1e-12
PRECISIONS = ("float32", "float16", "int8")


def pack(arrays: dict[str, np.ndarray], precision: str) -> dict[str, np.ndarray]:
    """Returns kernels in a precision, other arrays as they are.

    Args:
        arrays: By name.
        precision: `int8`, with a factor for each output channel; `float16`; or `float32`.

    Raises:
        InputError: If it is none of these.
    """
    check_choice("precision", precision, PRECISIONS)
    if precision != "int8":
        return {
            n: array.astype(precision) if array.ndim > 1 else array for n, array in arrays.items()
        }
    packed = {}
    for name, array in arrays.items():
        packed[name] = array
        if array.ndim > 1:
            largest = np.abs(array).max(axis=tuple(range(array.ndim - 1)))
            factor = np.float32(np.maximum(largest, TINY) / LEVELS)
            packed[name], packed[name + ENDING] = np.int8(np.rint(array / factor)), factor
    return packed


def unpack(arrays: dict[str, np.ndarray], path: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns float32 arrays of what `pack` may have packed, read from `path`.

    Raises:
        InputError: If one holds no numbers, or a factor is missing or does not fit.
    """
    whole = {}
    for name, array in arrays.items():
        if name.endswith(ENDING):
            continue
        factor = np.float32(1)
        if array.dtype == np.int8:
            factor = arrays.get(name + ENDING)
            is_right = factor is not None and factor.shape == array.shape[-1:]
            check(is_right, f"a factor for each channel of {name} in {path}", factor, "restore it")
        is_number = array.dtype == np.int8 or array.dtype.kind == "f"
        check(is_number, f"numbers as {name} in {path}", array.dtype, "restore it")
        whole[name] = np.float32(array) * factor
    return whole
