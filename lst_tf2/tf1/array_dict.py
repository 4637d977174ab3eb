"""Reads and writes `.npy` files that hold a pickled dict of arrays, as the original saves them."""

import io
import pathlib
import pickle
from typing import Any

import numpy as np

from lst_tf2.storage.pickles import (
    PickledArray,
    UnsafePickleError,
    as_array,
    as_text,
    load_pickle,
    refuse_damage,
)

# The largest file of the original has 32 MB; its backbone at four times the width, 512 MB.
MAX_FILE_BYTES = 1 << 30


def read_array_dict(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns the arrays that a `.npy` file of the original program holds, by name.

    Args:
        path: A file that `numpy.save` made of a dict of arrays, under Python 2 or 3.

    Raises:
        MissingInputError: If there is no such file.
        InputError: If it is something else, is damaged, or asks for anything that a dict
            of arrays does not need; nothing in it is run.
    """
    with refuse_damage(f"a pickled dict of arrays in {path}, as the original program saves it"):
        return _checked(_load(path))


def _load(path: pathlib.Path) -> Any:
    size = path.stat().st_size
    if not path.is_file():  # A pipe would be waited for, a device read without an end.
        raise ValueError("not a file")
    if size > MAX_FILE_BYTES:
        raise ValueError(f"{size} bytes, more than the {MAX_FILE_BYTES} that are read")
    content = path.read_bytes()
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"format version {version}")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.kind != "O" or shape != ():
        raise ValueError(f"an array of {shape} {dtype}, not an object")
    loaded = load_pickle(content, file.tell())
    if not isinstance(loaded, PickledArray):
        raise UnsafePickleError(f"{type(loaded).__name__} in place of an array")
    return loaded.resolve()


def _checked(value: Any) -> dict[str, np.ndarray]:
    if not isinstance(value, dict):
        raise UnsafePickleError(f"{type(value).__name__} in place of a dict")
    arrays = {}
    for key, entry in value.items():
        name = as_text(key)
        array = as_array(entry, name)
        if array.dtype.kind != "f":
            raise ValueError(f"array {name!r} is of {array.dtype}, not of floats")
        if not np.isfinite(array).all():
            raise ValueError(f"array {name!r} holds values that are not finite")
        arrays[name] = array
    return arrays


def array_dict_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """Returns the `.npy` file of a dict of arrays, as the original program loads it."""
    boxed = np.empty((), dtype=object)
    boxed[()] = dict(arrays)
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
    # NumPy 1 under Python 2 knows this module by the name that it had there.
    content = pickle.dumps(boxed, protocol=2).replace(b"cnumpy._core.", b"cnumpy.core.")
    return file.getvalue() + content
